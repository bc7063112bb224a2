/* SPDX-License-Identifier: PostgreSQL */
/* An inventory from anywhere, as YAML, as INI and as a range of hosts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/hosts_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct hosts hosts = HOSTS_INIT;
	struct strs names = STRS_INIT;
	struct err err = {0};

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	(void)hosts_read_yaml(&hosts, text, size, "hosts", &err);
	(void)hosts_read_ini(&hosts, text, "hosts", &err);
	(void)hosts_expand(&names, text, &err);
	for (size_t i = 0; i < hosts.count; i++) {
		if (!hosts_find(&hosts, hosts.items[i].name) || !hosts.items[i].address[0])
			abort();
	}
	strs_release(&names);
	hosts_release(&hosts);
	free(text);
	return 0;
}
