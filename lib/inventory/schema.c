/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/schema.h"

#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/strs.h"
#include "base/sys.h"
#include "inventory/config.h"

#define SHOWN_MAX 60  /* bytes of a value in a message */
#define NAMES_MAX 128 /* more than any table has */

int schema_suggest(const char *word, const char *const *names, size_t count, struct err *err)
{
	const char *nearest = str_nearest(word, names, count);
	struct buf list;

	if (nearest) {
		(void)err_hint(err, "did you mean '%s'?", nearest);
		return ERR_USAGE;
	}
	buf_init(&list, sizeof(err->hint));
	for (size_t i = 0; i < count; i++)
		buf_addf(&list, "%s%s", i ? ", " : "", names[i]);
	if (count && !list.failed)
		(void)err_hint(err, "valid are: %s", list.data);
	buf_release(&list);
	return ERR_USAGE;
}

static int unknown_key(const struct yaml *yaml, const struct schema *members,
		       const struct yaml_node *mapping, const struct yaml_node *member,
		       struct err *err)
{
	const char *names[NAMES_MAX];
	char where[256], key[SHOWN_MAX * 4 + 1];
	struct buf shown;
	size_t count = 0;

	buf_init(&shown, sizeof(key) - 1);
	buf_add_safe(&shown, member->key->value,
		     member->key->len < SHOWN_MAX ? member->key->len : SHOWN_MAX);
	(void)snprintf(key, sizeof(key), "%s", shown.data);
	buf_release(&shown);
	yaml_path(mapping, where, sizeof(where));
	for (const struct schema *s = members; s->key && count < NAMES_MAX; s++)
		names[count++] = s->key;
	(void)err_set(err, ERR_USAGE, "%s:%zu: unknown key '%s'%s%s", yaml_name(yaml),
		      member->key->line, key, where[0] ? " in " : "", where);
	return schema_suggest(member->key->value, names, count, err);
}

static int check_mapping(const struct yaml *yaml, const struct schema *schema,
			 const struct yaml_node *node, struct err *err)
{
	int rc = 0;

	if (node->kind != YAML_KIND_MAPPING)
		return yaml_err(yaml, node, ERR_USAGE, err, "expected a mapping");
	for (const struct yaml_node *m = node->first; m && !rc; m = m->next) {
		const struct schema *s = schema->members;

		while (s->key && strcmp(s->key, m->key->value) != 0)
			s++;
		rc = s->key ? schema_check(yaml, s, m, err)
			    : unknown_key(yaml, schema->members, node, m, err);
	}
	for (const struct schema *s = schema->members; s->key && !rc; s++) {
		if (s->required && yaml_is_null(yaml_get(yaml, node, s->key)))
			rc = yaml_err(yaml, node, ERR_USAGE, err, "'%s' is missing", s->key);
	}
	return rc;
}

static int check_items(const struct yaml *yaml, const struct schema *schema,
		       const struct yaml_node *node, struct err *err)
{
	int rc = 0;

	if (node->kind != YAML_KIND_SEQUENCE)
		return yaml_err(yaml, node, ERR_USAGE, err, "expected a list");
	for (const struct yaml_node *m = node->first; m && !rc; m = m->next)
		rc = check_mapping(yaml, schema, m, err);
	return rc;
}

static int check_named(const struct yaml *yaml, const struct schema *schema,
		       const struct yaml_node *node, struct err *err)
{
	int rc = 0;

	if (node->kind != YAML_KIND_MAPPING)
		return yaml_err(yaml, node, ERR_USAGE, err, "expected a mapping by name");
	for (const struct yaml_node *m = node->first; m && !rc; m = m->next) {
		if (!environment_name_valid(m->key->value)) {
			(void)yaml_err(yaml, m, ERR_USAGE, err, "is not a name that can be used");
			(void)err_hint(err, "letters, digits, '.', '_' and '-', not beginning with "
					    "a dot or dash, at most 64");
			return ERR_USAGE;
		}
		if (!yaml_is_null(m) || schema->members->required)
			rc = check_mapping(yaml, schema, m, err);
	}
	return rc;
}

/* A scalar that can be taken as a text, whatever YAML says its type is: "user: 1" names user 1. */
static int check_text(const struct yaml *yaml, const struct schema *schema,
		      const struct yaml_node *node, struct err *err)
{
	if (node->kind != YAML_KIND_SCALAR || yaml_is_null(node))
		return yaml_err(yaml, node, ERR_USAGE, err, "expected a text");
	if (node->tag && strcmp(node->tag, "tag:yaml.org,2002:str") != 0)
		return yaml_err(yaml, node, ERR_USAGE, err, "a tag cannot be used here");
	if (!node->len)
		return yaml_err(yaml, node, ERR_USAGE, err, "must not be empty");
	for (size_t i = 0; i < node->len; i++) {
		unsigned char c = (unsigned char)node->value[i];

		if (c == 0x7f ||
		    (c < 0x20 && (!c || schema->type != SCHEMA_PROSE || !strchr("\n\t", c))))
			return yaml_err(yaml, node, ERR_USAGE, err,
					"must not hold control characters");
	}
	return 0;
}

static int check_texts(const struct yaml *yaml, const struct schema *schema,
		       const struct yaml_node *node, struct err *err)
{
	int rc = 0;

	if (schema->type == SCHEMA_WORDS && node->kind == YAML_KIND_SCALAR)
		return check_text(yaml, schema, node, err);
	if (node->kind != YAML_KIND_SEQUENCE)
		return yaml_err(yaml, node, ERR_USAGE, err,
				schema->type == SCHEMA_WORDS ? "expected a text or a list of texts"
							     : "expected a list");
	if (schema->required && !node->count)
		return yaml_err(yaml, node, ERR_USAGE, err, "must not be empty");
	for (const struct yaml_node *m = node->first; m && !rc; m = m->next)
		rc = check_text(yaml, schema, m, err);
	return rc;
}

static int check_choice(const struct yaml *yaml, const struct schema *schema,
			const struct yaml_node *node, struct err *err)
{
	char list[256] = "";
	size_t count = 0, len = 0;
	int rc = check_text(yaml, schema, node, err);

	if (rc)
		return rc;
	for (; schema->choices[count]; count++) {
		if (!strcmp(schema->choices[count], node->value))
			return 0;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					!count ? "" : (schema->choices[count + 1] ? ", " : " or "),
					schema->choices[count]);
	}
	(void)yaml_err(yaml, node, ERR_USAGE, err, "expected %s, not '%.*s'", list, SHOWN_MAX,
		       node->value);
	(void)schema_suggest(node->value, schema->choices, count, err);
	if (err && strncmp(err->hint, "valid are", 9) == 0)
		err->hint[0] = '\0'; /* the message has them already */
	return ERR_USAGE;
}

static int check_int(const struct yaml *yaml, const struct schema *schema,
		     const struct yaml_node *node, struct err *err)
{
	int64_t value;

	if (!yaml_int(node, &value))
		return yaml_err(yaml, node, ERR_USAGE, err, "expected a number");
	if (value >= schema->min && value <= schema->max)
		return 0;
	if (schema->min == schema->max)
		return yaml_err(yaml, node, ERR_USAGE, err,
				"expected %lld, not %lld: another version of the format",
				(long long)schema->min, (long long)value);
	return yaml_err(yaml, node, ERR_USAGE, err, "expected a number from %lld to %lld, not %lld",
			(long long)schema->min, (long long)schema->max, (long long)value);
}

static int check_duration(const struct yaml *yaml, const struct schema *schema,
			  const struct yaml_node *node, struct err *err)
{
	char least[32], most[32];
	int64_t value;

	if (node->kind != YAML_KIND_SCALAR || sys_duration_parse(node->value, &value, NULL) != 0)
		return yaml_err(yaml, node, ERR_USAGE, err,
				"expected a duration like 90s, 15m, 24h or 7d%s%.*s%s",
				node->kind == YAML_KIND_SCALAR ? ", not '" : "", SHOWN_MAX,
				node->kind == YAML_KIND_SCALAR ? node->value : "",
				node->kind == YAML_KIND_SCALAR ? "'" : "");
	if (value >= schema->min && value <= schema->max)
		return 0;
	sys_duration_text(schema->min, least, sizeof(least));
	sys_duration_text(schema->max, most, sizeof(most));
	return yaml_err(yaml, node, ERR_USAGE, err, "expected a duration from %s to %s, not %.*s",
			least, most, SHOWN_MAX, node->value);
}

int schema_check(const struct yaml *yaml, const struct schema *schema, const struct yaml_node *node,
		 struct err *err)
{
	bool flag;

	if (node->kind == YAML_KIND_ALIAS)
		return yaml_err(yaml, node, ERR_USAGE, err, "an alias cannot be used here");
	if (yaml_is_null(node)) /* as if it were left out */
		return 0;
	switch (schema->type) {
	case SCHEMA_MAPPING:
		return check_mapping(yaml, schema, node, err);
	case SCHEMA_ITEMS:
		return check_items(yaml, schema, node, err);
	case SCHEMA_NAMED:
		return check_named(yaml, schema, node, err);
	case SCHEMA_TEXTS:
	case SCHEMA_WORDS:
		return check_texts(yaml, schema, node, err);
	case SCHEMA_CHOICE:
		return check_choice(yaml, schema, node, err);
	case SCHEMA_INT:
		return check_int(yaml, schema, node, err);
	case SCHEMA_DURATION:
		return check_duration(yaml, schema, node, err);
	case SCHEMA_BOOL:
		return yaml_bool(node, &flag)
			       ? 0
			       : yaml_err(yaml, node, ERR_USAGE, err, "expected true or false");
	case SCHEMA_TEXT:
	case SCHEMA_PROSE:
	case SCHEMA_PATH:
	case SCHEMA_FILE:
	default:
		return check_text(yaml, schema, node, err);
	}
}
