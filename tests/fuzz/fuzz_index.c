/* SPDX-License-Identifier: PostgreSQL */
/*
 * git's index, which the git program or a stranger's archive may have written: each entry that is
 * told lies within it, and either all of them are told or none.
 */
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "git/listing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	const char *data, *end;
	size_t count;
};

static int look(void *ctx, const struct index_entry *entry, struct err *err)
{
	struct seen *seen = ctx;
	const char *id = (const char *)entry->id;
	struct oid oid;

	(void)err;
	if (id < seen->data || seen->end - id < 20 || entry->path < seen->data ||
	    !memchr(entry->path, '\0', (size_t)(seen->end - entry->path)) || entry->stage < 0 ||
	    entry->stage > 3)
		abort();
	index_entry_id(&oid, entry);
	if (strlen(oid.hex) != 40)
		abort();
	seen->count++;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {(const char *)data, (const char *)data + size, 0};
	uint32_t count;
	bool done;

	if (index_parse(&done, seen.data, size, look, &seen, NULL))
		abort();
	if (!done && seen.count)
		abort();
	if (done) {
		memcpy(&count, data + 8, sizeof(count));
		if (be32toh(count) != seen.count)
			abort();
	}
	return 0;
}
