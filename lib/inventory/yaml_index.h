/* SPDX-License-Identifier: PostgreSQL */
/* Inside of struct yaml, shared by the files that build it and look things up. Private to the room.
 */
#ifndef INVENTORY_YAML_INDEX_H
#define INVENTORY_YAML_INDEX_H

#include "inventory/yaml.h"

struct pool_block;

/* Memory that goes back at once; blocks never move, so that nodes can point at each other. */
struct pool {
	struct pool_block *blocks;
};

struct yaml {
	const char *text;
	size_t len;
	char *name;
	struct arena *arena; /* of the decoded values, or NULL */
	struct pool pool;
	struct yaml_node *root;
	size_t count;
	/* Members of all mappings by mapping and key: open addressing, a power of two. */
	struct yaml_node **slots;
	size_t slots_cap;
	size_t slots_used;
};

void *pool_alloc(struct pool *pool, size_t size); /* zeroed, 16-byte aligned; or NULL */
void pool_release(struct pool *pool);

/*
 * Puts a member into the look-up. *twin is the member that has the same key already (then nothing
 * is put), else NULL. 0 or ERR_FAIL (out of memory).
 */
int index_put(struct yaml *yaml, struct yaml_node *member, const struct yaml_node **twin,
	      struct err *err);

/* The column at which the lines of a block scalar begin; end is where its bytes end. */
size_t block_indent(const struct yaml *yaml, const struct yaml_node *node, size_t end);

/* Fills content and end of a scalar, whose end still is the one that libyaml gives. */
void scalar_range(const struct yaml *yaml, struct yaml_node *node);

#endif
