/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safety/census_internal.h"

struct census_index {
	struct census_leaf *leaves;
	size_t count, cap;
	struct strmap by_serial; /* "SERIAL", the first; "SERIAL NAME", the first of that name */
	size_t newest;		 /* the place of a leaf of the newest generation */
	unsigned long number;	 /* that generation's */
};

int census_index_new(struct census_index **out, struct err *err)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : err_nomem(err);
}

void census_index_free(struct census_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->count; i++) {
		free(index->leaves[i].generation);
		free(index->leaves[i].name);
	}
	free(index->leaves);
	strmap_release(&index->by_serial);
	free(index);
}

/* The number in "g12". */
static unsigned long number_of(const char *generation)
{
	return generation[0] == 'g' ? strtoul(generation + 1, NULL, 10) : 0;
}

static int append_leaf(struct census_index *index, const char *generation, const char *name,
		       struct err *err)
{
	struct census_leaf *leaf;

	if (index->count == index->cap) {
		size_t cap = index->cap ? index->cap * 2 : 64;
		struct census_leaf *leaves = realloc(index->leaves, cap * sizeof(*leaves));

		if (!leaves)
			return err_nomem(err);
		index->leaves = leaves;
		index->cap = cap;
	}
	leaf = &index->leaves[index->count];
	leaf->generation = strdup(generation);
	leaf->name = census_clean(name);
	if (!leaf->generation || !leaf->name) {
		free(leaf->generation);
		free(leaf->name);
		return err_nomem(err);
	}
	if (!index->count || number_of(generation) > index->number) {
		index->newest = index->count;
		index->number = number_of(generation);
	}
	index->count++;
	return 0;
}

int census_index_add(struct census_index *index, const char *generation, const char *name,
		     const struct cert *leaf, struct err *err)
{
	const char *serial = cert_serial_decimal(leaf);
	char *clean = census_clean(name);
	char *key = clean ? str_fmt("%s %s", serial, clean) : NULL;
	int rc = key ? 0 : err_nomem(err);

	if (strlen(generation) >= sizeof(((struct census_count *)NULL)->generation))
		rc = err_set(err, ERR_FAIL, "'%s' is no name of a generation", generation);
	rc = rc ? rc : append_leaf(index, generation, name, err);
	if (!rc && !strmap_get(&index->by_serial, serial, NULL))
		rc = strmap_put(&index->by_serial, serial, index->count - 1, err);
	if (!rc && !strmap_get(&index->by_serial, key, NULL))
		rc = strmap_put(&index->by_serial, key, index->count - 1, err);
	free(clean);
	free(key);
	return rc;
}

const struct census_leaf *census_index_find(const struct census_index *index, const char *serial,
					    const char *user)
{
	char key[2 * CENSUS_TEXT_MAX + 2];
	size_t at = 0;

	if (!serial[0] || strlen(serial) > CENSUS_TEXT_MAX || strlen(user) > CENSUS_TEXT_MAX)
		return NULL;
	(void)snprintf(key, sizeof(key), "%s %s", serial, user);
	if (!strmap_get(&index->by_serial, key, &at) && !strmap_get(&index->by_serial, serial, &at))
		return NULL;
	return &index->leaves[at];
}

const char *census_index_newest(const struct census_index *index)
{
	return index->count ? index->leaves[index->newest].generation : "";
}
