/* SPDX-License-Identifier: PostgreSQL */
/* A chain's description from anywhere: never a crash, and what is accepted is sound. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct chain_desc *chain)
{
	if (!chain->authority_count || !chain->subject_count)
		abort();
	for (size_t i = 0; i < chain->authority_count; i++) {
		const struct chain_authority *a = &chain->authorities[i];

		if ((!a->server_count && !a->clients.count) || !a->key_usages.count ||
		    !a->ext_usages.count || !a->days || !a->key)
			abort();
		for (size_t j = 0; j < a->server_count; j++) {
			if (!a->servers[j].name_count ||
			    strpbrk(a->servers[j].host, "/\n\r\t") != NULL)
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct chain_desc *chain = NULL;
	struct err err = {0};

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (chain_parse(&chain, text, size, "c.yml", "/nonexistent", NULL, &err) == 0)
		check(chain);
	else if (err.code != ERR_USAGE || !err.msg[0] || chain)
		abort();
	chain_free(chain);
	free(text);
	return 0;
}
