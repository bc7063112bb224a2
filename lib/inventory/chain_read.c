/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/chain_read.h"

#include <stdlib.h>
#include <string.h>

#define ANCHORS_MAX 1000
#define FOLLOW_MAX  8 /* merge keys and aliases on the way to one value */

static int collect(struct chain_reader *reader, const struct yaml_node *node, struct err *err)
{
	int rc = 0;

	if (node->anchor) {
		if (reader->anchor_count == ANCHORS_MAX)
			return yaml_err(reader->yaml, node, ERR_USAGE, err, "more than %d anchors",
					ANCHORS_MAX);
		reader->anchors[reader->anchor_count++] = node;
	}
	/* nesting is bounded by YAML_DEPTH_MAX */
	for (const struct yaml_node *m = node->first; m && !rc; m = m->next)
		rc = collect(reader, m, err);
	return rc;
}

int chain_read_anchors(struct chain_reader *reader, struct err *err)
{
	const struct yaml_node *root = yaml_root(reader->yaml);

	reader->anchors = calloc(ANCHORS_MAX, sizeof(*reader->anchors));
	if (!reader->anchors)
		return err_nomem(err);
	return root ? collect(reader, root, err) : 0;
}

const struct yaml_node *chain_follow(const struct chain_reader *reader,
				     const struct yaml_node *node)
{
	if (!node || node->kind != YAML_KIND_ALIAS)
		return node;
	/* an anchor may be set again: the last one before the alias counts (YAML 1.1, 7.1) */
	for (size_t i = reader->anchor_count; i-- > 0;) {
		const struct yaml_node *target = reader->anchors[i];

		if (target->id < node->id && !strcmp(target->anchor, node->value))
			return target;
	}
	return node;
}

static const struct yaml_node *get(const struct chain_reader *reader,
				   const struct yaml_node *mapping, const char *key, int depth)
{
	const struct yaml_node *node = yaml_get(reader->yaml, mapping, key), *merged;

	if (node || depth == FOLLOW_MAX)
		return chain_follow(reader, node);
	merged = chain_follow(reader, yaml_get(reader->yaml, mapping, "<<"));
	if (merged && merged->kind == YAML_KIND_MAPPING)
		return get(reader, merged, key, depth + 1);
	if (!merged || merged->kind != YAML_KIND_SEQUENCE)
		return NULL;
	for (const struct yaml_node *m = merged->first; m && !node; m = m->next)
		node = get(reader, chain_follow(reader, m), key, depth + 1);
	return node;
}

const struct yaml_node *chain_get(const struct chain_reader *reader,
				  const struct yaml_node *mapping, const char *key)
{
	const struct yaml_node *node = get(reader, mapping, key, 0);

	return yaml_is_null(node) ? NULL : node;
}

const struct yaml_node *chain_get2(const struct chain_reader *reader,
				   const struct yaml_node *mapping, const char *key,
				   const char *other)
{
	const struct yaml_node *node = chain_get(reader, mapping, key);

	return node ? node : chain_get(reader, mapping, other);
}

int chain_text(const struct chain_reader *reader, const struct yaml_node *node, const char **out,
	       struct err *err)
{
	node = chain_follow(reader, node);
	if (node->kind != YAML_KIND_SCALAR || yaml_is_null(node) || !node->len)
		return yaml_err(reader->yaml, node, ERR_USAGE, err, "expected a text");
	if (strstr(node->value, "{{") || strstr(node->value, "{%"))
		return yaml_err(reader->yaml, node, ERR_USAGE, err,
				"a template cannot be used here");
	for (size_t i = 0; i < node->len; i++) {
		unsigned char c = (unsigned char)node->value[i];

		if (c < 0x20 || c == 0x7f)
			return yaml_err(reader->yaml, node, ERR_USAGE, err,
					"must not hold control characters");
	}
	*out = node->value;
	return 0;
}

int chain_warn_keys(const struct chain_reader *reader, const struct yaml_node *mapping,
		    const char *const *known, size_t count, struct err *err)
{
	int rc = 0;

	for (const struct yaml_node *m = mapping->first; m && !rc; m = m->next) {
		const char *key = m->key->value, *nearest;
		bool found = !strcmp(key, "<<") || str_starts(key, "x-");

		for (size_t i = 0; i < count && !found; i++)
			found = !strcmp(known[i], key);
		if (found)
			continue;
		nearest = str_nearest(key, known, count);
		rc = strs_addf(&reader->chain->warnings, err,
			       "%s:%zu: unknown key '%.60s' is passed over%s%s%s",
			       yaml_name(reader->yaml), m->key->line, key,
			       nearest ? " (did you mean '" : "", nearest ? nearest : "",
			       nearest ? "'?)" : "");
	}
	return rc;
}
