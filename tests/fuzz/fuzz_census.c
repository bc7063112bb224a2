/* SPDX-License-Identifier: PostgreSQL */
/*
 * The record of the census: whatever is read can be written, and comes back as it was; a census can
 * be added to it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "safety/census.h"

static char *dump(const struct census *census)
{
	struct json *root = census_json(census);
	struct err err = {0};
	struct buf text;
	char *out;

	buf_init(&text, BUF_TEXT_MAX);
	if (!root || js_dump(&text, root, false, &err))
		abort();
	out = buf_detach(&text);
	js_free(root);
	return out;
}

static void add_to(struct census *census, const char *name)
{
	const struct census_session session = {.user = name,
					       .application = name,
					       .address = name,
					       .database = "",
					       .backend = "client backend",
					       .serial = name,
					       .tls = true,
					       .since = 7};
	struct census_index *index = NULL;
	struct err err = {0};

	if (census_index_new(&index, &err) || census_begin(census, 1795250000, &err) ||
	    census_add(census, index, name, &session, &err) ||
	    census_missed(census, name, name, &err) ||
	    census_forget(census, 1795250000 - 86400, &err))
		abort();
	census_index_free(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct census census, again;
	struct err err = {0};
	char *text, *second;
	char name[64] = "";

	if (census_parse(&census, (const char *)data, size, "census.json", &err)) {
		if (!err.msg[0] || !err.hint[0])
			abort();
		return 0;
	}
	memcpy(name, data, size < sizeof(name) - 1 ? size : sizeof(name) - 1);
	add_to(&census, name);
	text = dump(&census);
	if (census_parse(&again, text, strlen(text), "census.json", &err))
		abort();
	second = dump(&again);
	if (strcmp(text, second) != 0)
		abort();
	free(text);
	free(second);
	census_release(&again);
	census_release(&census);
	return 0;
}
