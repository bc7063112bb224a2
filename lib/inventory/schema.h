/* SPDX-License-Identifier: PostgreSQL */
/*
 * The format of certrotate.yml as data: which keys there are, of which type, and what they mean.
 * The whole file is checked against it before anything is built, so that what is read afterwards
 * is known to have the right type.
 */
#ifndef INVENTORY_SCHEMA_H
#define INVENTORY_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "inventory/yaml.h"

enum schema_type {
	SCHEMA_TEXT,	 /* a scalar of one line, not empty */
	SCHEMA_PROSE,	 /* a text that may have several lines */
	SCHEMA_PATH,	 /* as text; inside the repository */
	SCHEMA_FILE,	 /* as text; absolute and ~/ are fine */
	SCHEMA_INT,	 /* min to max */
	SCHEMA_BOOL,	 /* true or false */
	SCHEMA_DURATION, /* min to max seconds */
	SCHEMA_CHOICE,	 /* one of the names in choices */
	SCHEMA_TEXTS,	 /* a list of texts */
	SCHEMA_WORDS,	 /* a text, or a list of texts */
	SCHEMA_MAPPING,	 /* with the keys in members */
	SCHEMA_ITEMS,	 /* a list of mappings with the keys in members */
	SCHEMA_NAMED	 /* a mapping from free names to mappings with the keys in members */
};

struct schema {
	const char *key; /* NULL ends a table */
	enum schema_type type;
	bool required;
	const char *fallback; /* the program's value as YAML, NULL for none */
	const char *help;     /* one line, for the manual */
	const struct schema *members;
	const char *const *choices; /* NULL-terminated */
	int64_t min, max;
};

/* The file's root. */
extern const struct schema schema_root;

/* ERR_USAGE with file, line and path for the first thing in the file that does not fit. */
int schema_check(const struct yaml *yaml, const struct schema *schema, const struct yaml_node *node,
		 struct err *err);

/* Adds the hint "did you mean …?" where a name is near, else "valid are: …". Returns ERR_USAGE. */
int schema_suggest(const char *word, const char *const *names, size_t count, struct err *err);

#endif
