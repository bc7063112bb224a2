/* SPDX-License-Identifier: PostgreSQL */
/* The subject: a mapping of attributes, or "/C=NL/O=Acme/CN=postgres". */
#include "inventory/chain_read.h"

#include <stdlib.h>
#include <string.h>
#include "inventory/chain_names.h"

#define ROOT_CN	 "postgres" /* the Python chainsmith's, where the subject has none */
#define ATTR_MAX 64

static int add(struct chain_reader *reader, const char *type, const char *value, size_t len,
	       size_t line, struct err *err)
{
	struct chain_desc *chain = reader->chain;
	struct chain_attr *attr;

	if (!chain->subject) {
		chain->subject = calloc(ATTR_MAX, sizeof(*chain->subject));
		if (!chain->subject)
			return err_nomem(err);
	}
	if (chain->subject_count == ATTR_MAX)
		return err_set(err, ERR_USAGE, "%s:%zu: subject: more than %d attributes",
			       chain->file, line, ATTR_MAX);
	attr = &chain->subject[chain->subject_count++];
	*attr = (struct chain_attr){
		.type = strdup(chain_attr_name(type)), .value = strndup(value, len), .line = line};
	return attr->type && attr->value ? 0 : err_nomem(err);
}

/* Where the next "/TYPE=" begins, or the end. A slash that begins none belongs to the value. */
static const char *next_attr(const char *at)
{
	for (; *at; at++) {
		size_t type;

		if (*at == '\\' && at[1]) {
			at++;
			continue;
		}
		type = strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.");
		if (*at == '/' && type && at[1 + type] == '=')
			break;
	}
	return at;
}

static int from_text(struct chain_reader *reader, const struct yaml_node *node, struct err *err)
{
	const char *text, *at;
	int rc = chain_text(reader, node, &text, err);

	if (rc)
		return rc;
	at = next_attr(text);
	if (at != text || !*at) {
		(void)yaml_err(reader->yaml, node, ERR_USAGE, err,
			       "expected a mapping, or a text like /C=NL/O=Acme/CN=postgres");
		return ERR_USAGE;
	}
	while (*at && !rc) {
		const char *value = strchr(at, '=') + 1, *next = next_attr(value);
		char *type = strndup(at + 1, (size_t)(value - at - 2));

		if (!type)
			rc = err_nomem(err);
		else if (next > value)
			rc = add(reader, type, value, (size_t)(next - value), node->line, err);
		free(type);
		at = next;
	}
	return rc;
}

static int from_mapping(struct chain_reader *reader, const struct yaml_node *node, struct err *err)
{
	int rc = 0;

	for (const struct yaml_node *m = node->first; m && !rc; m = m->next) {
		const struct yaml_node *value = chain_follow(reader, m);
		const char *text;

		if (!strcmp(m->key->value, "<<")) {
			if (value->kind == YAML_KIND_MAPPING && value->id < node->id)
				rc = from_mapping(reader, value, err);
			continue;
		}
		/* "OU:" without a value is an attribute that is not there */
		if (yaml_is_null(value) || (value->kind == YAML_KIND_SCALAR && !value->len))
			continue;
		rc = chain_text(reader, m, &text, err);
		if (!rc)
			rc = add(reader, m->key->value, text, strlen(text), m->key->line, err);
	}
	return rc;
}

int chain_read_subject(struct chain_reader *reader, const struct yaml_node *node, struct err *err)
{
	struct chain_desc *chain = reader->chain;
	bool named = false;
	int rc = 0;

	if (node && node->kind == YAML_KIND_MAPPING)
		rc = from_mapping(reader, node, err);
	else if (node && node->kind == YAML_KIND_SCALAR)
		rc = from_text(reader, node, err);
	else if (node)
		rc = yaml_err(reader->yaml, node, ERR_USAGE, err, "expected a mapping");
	for (size_t i = 0; !rc && i < chain->subject_count; i++)
		named = named || !strcmp(chain->subject[i].type, "CN");
	if (!rc && !named)
		rc = add(reader, "CN", ROOT_CN, strlen(ROOT_CN), node ? node->line : 0, err);
	return rc;
}
