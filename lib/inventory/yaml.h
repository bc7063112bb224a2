/* SPDX-License-Identifier: PostgreSQL */
/*
 * An index over one YAML text: nodes with decoded values and the byte ranges where they stand, so
 * that a value can be read as Ansible reads it (YAML 1.1, https://yaml.org/spec/1.1/, by libyaml)
 * and the bytes of exactly that value can be replaced.
 *
 * Everything that is lent lives as long as the struct yaml. Refused, with "NAME:LINE: PATH: why":
 * what libyaml can't read (its own words), UTF-16, bytes that are not UTF-8, several documents,
 * duplicate keys, keys that are no scalars, more than YAML_NODES_MAX nodes, nesting deeper than
 * YAML_DEPTH_MAX. Anchors, aliases and merge keys are indexed as they stand (an alias is not
 * resolved); see yaml_refuse_aliases.
 */
#ifndef INVENTORY_YAML_H
#define INVENTORY_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "secret/arena.h"

#define YAML_TEXT_MAX  ((size_t)256 << 20) /* bytes of one text */
#define YAML_DEPTH_MAX 64		   /* collections inside each other */
#define YAML_NODES_MAX ((size_t)2000000)   /* nodes of one text */

enum yaml_kind { YAML_KIND_SCALAR, YAML_KIND_MAPPING, YAML_KIND_SEQUENCE, YAML_KIND_ALIAS };

enum yaml_style {
	YAML_STYLE_PLAIN,
	YAML_STYLE_SINGLE,  /* 'text' */
	YAML_STYLE_DOUBLE,  /* "text" */
	YAML_STYLE_LITERAL, /* | */
	YAML_STYLE_FOLDED,  /* > */
	YAML_STYLE_BLOCK,   /* a collection by indentation */
	YAML_STYLE_FLOW	    /* a collection in {} or [] */
};

/* What a scalar is to a YAML 1.1 reader (the types of PyYAML's SafeLoader, which Ansible uses). */
enum yaml_type {
	YAML_TYPE_STR,
	YAML_TYPE_NULL,
	YAML_TYPE_BOOL,
	YAML_TYPE_INT,
	YAML_TYPE_FLOAT,
	YAML_TYPE_OTHER /* timestamp, merge key, or a tag that is none of these */
};

struct yaml;

struct yaml_node {
	enum yaml_kind kind;
	enum yaml_style style;
	bool in_flow;	   /* stands inside {} or [] */
	const char *value; /* scalar: decoded text, NUL-terminated behind len; alias: its name */
	size_t len;
	const char *tag;    /* explicit tag, resolved: "!vault", "tag:yaml.org,2002:str"; or NULL */
	const char *anchor; /* or NULL */
	/*
	 * Bytes [start, end) of the text. start is the node's tag or anchor, where it has one, and
	 * content is where they end. end is behind the content: a block scalar's last line without
	 * its line end, and without the blank lines and comments that follow but are not its value;
	 * a block collection ends where its last member ends.
	 */
	size_t start;
	size_t content;
	size_t end;
	size_t line;   /* from 1, of start */
	size_t column; /* from 0, in characters */
	size_t id; /* 0 … yaml_count() - 1, in the order of the text (a key before its value) */
	const struct yaml_node *parent; /* NULL for the root */
	const struct yaml_node *key;	/* of a member of a mapping (of a key: itself), or NULL */
	const struct yaml_node *first;	/* members of a collection, in their order */
	const struct yaml_node *last;
	const struct yaml_node *next; /* the next member of the same collection */
	size_t count;		      /* members */
};

/*
 * name is for messages ("group_vars/all/certs.yml"). The text must stay as it is until yaml_drop.
 * With an arena all decoded values live in it (for plain text of vaults), with NULL in ordinary
 * memory. *out is to be freed with yaml_drop.
 */
int yaml_parse(struct yaml **out, const char *text, size_t len, const char *name,
	       struct arena *arena, struct err *err);
/* NULL is fine. (Not yaml_free: libyaml exports a function of that name.) */
void yaml_drop(struct yaml *yaml);

const struct yaml_node *yaml_root(const struct yaml *yaml); /* NULL for an empty text */
const char *yaml_text(const struct yaml *yaml, size_t *len);
const char *yaml_name(const struct yaml *yaml);
size_t yaml_count(const struct yaml *yaml);

/* The value at key; NULL where mapping is NULL, no mapping, or has no such key. By a hash. */
const struct yaml_node *yaml_get(const struct yaml *yaml, const struct yaml_node *mapping,
				 const char *key);
/* As yaml_get, down a path of keys that ends with NULL: yaml_at(y, root, "git", "flow", NULL). */
const struct yaml_node *yaml_at(const struct yaml *yaml, const struct yaml_node *from, ...)
	__attribute__((sentinel));

enum yaml_type yaml_type(const struct yaml_node *node); /* YAML_TYPE_OTHER for no scalar */
enum yaml_type yaml_plain_type(const char *text);	/* of a plain scalar of that text */
bool yaml_is_null(const struct yaml_node *node);	/* also for a NULL node */
/* Whether the node is a scalar of that type, and its value. Integers beyond int64_t and to the base
 * of 60 are none. */
bool yaml_bool(const struct yaml_node *node, bool *out);
bool yaml_int(const struct yaml_node *node, int64_t *out);

/* "certs.server.db1.example.com", "hosts[2]", "" for the root; long keys are cut. For messages. */
void yaml_path(const struct yaml_node *node, char *out, size_t size);
/* Sets "NAME:LINE: PATH: MESSAGE" (without PATH for the root) and returns code. The line is the
 * key's, where there is one. */
int yaml_err(const struct yaml *yaml, const struct yaml_node *node, int code, struct err *err,
	     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* ERR_FAIL where the node or anything below it is or has an alias, an anchor or a merge key. */
int yaml_refuse_aliases(const struct yaml *yaml, const struct yaml_node *node, struct err *err);

#endif
