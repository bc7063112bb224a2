/* SPDX-License-Identifier: PostgreSQL */
/* Reading a chain's description: the reader's state, and YAML access that follows aliases. */
#ifndef INVENTORY_CHAIN_READ_H
#define INVENTORY_CHAIN_READ_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/strs.h"
#include "inventory/chain.h"
#include "inventory/yaml.h"

struct chain_reader {
	const struct yaml *yaml;
	const char *root;
	const char *inventory; /* or NULL */
	struct chain_desc *chain;
	const struct yaml_node **anchors; /* in the order of the text */
	size_t anchor_count;
	const struct yaml_node *hosts; /* the top's, or NULL */
	size_t leaves;
	size_t names;
};

/* Finds the anchors of the document. The caller frees reader->anchors. */
int chain_read_anchors(struct chain_reader *reader, struct err *err);
/* What an alias stands for; every other node (and NULL) itself. */
const struct yaml_node *chain_follow(const struct chain_reader *reader,
				     const struct yaml_node *node);
/* The followed value at key, also through a merge key; NULL where it is missing or null. */
const struct yaml_node *chain_get(const struct chain_reader *reader,
				  const struct yaml_node *mapping, const char *key);
/* The first of two names for one thing that is there. */
const struct yaml_node *chain_get2(const struct chain_reader *reader,
				   const struct yaml_node *mapping, const char *key,
				   const char *other);
/* A text: one line, no template. ERR_USAGE otherwise. */
int chain_text(const struct chain_reader *reader, const struct yaml_node *node, const char **out,
	       struct err *err);
/* Adds a warning for each key that neither tool knows. */
int chain_warn_keys(const struct chain_reader *reader, const struct yaml_node *mapping,
		    const char *const *known, size_t count, struct err *err);

int chain_read_subject(struct chain_reader *reader, const struct yaml_node *node, struct err *err);
/* The servers of one authority, and the inventory's where they are wanted. */
int chain_read_servers(struct chain_reader *reader, struct chain_authority *authority,
		       const struct yaml_node *mapping, struct err *err);
void chain_server_release(struct chain_server *server);

#endif
