/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/strs.h"
#include "inventory/config.h"
#include "inventory/schema.h"

static const char *type_name(const struct schema *schema)
{
	switch (schema->type) {
	case SCHEMA_INT:
		return "number";
	case SCHEMA_BOOL:
		return "true or false";
	case SCHEMA_DURATION:
		return "duration";
	case SCHEMA_PATH:
		return "path";
	case SCHEMA_FILE:
		return "file";
	case SCHEMA_TEXTS:
		return "list of texts";
	case SCHEMA_WORDS:
		return "text or list of texts";
	case SCHEMA_MAPPING:
		return "mapping";
	case SCHEMA_ITEMS:
		return "list of mappings";
	case SCHEMA_NAMED:
		return "mapping by name";
	case SCHEMA_CHOICE:
		return "choice";
	case SCHEMA_TEXT:
	case SCHEMA_PROSE:
	default:
		return "text";
	}
}

/* "direct, merge_request" behind the type's name; the table's text for every other type. */
static char *type_text(const struct schema *schema)
{
	struct buf buf;
	char *text;

	buf_init(&buf, 1024);
	if (schema->type != SCHEMA_CHOICE)
		buf_adds(&buf, type_name(schema));
	for (size_t i = 0; schema->choices && schema->choices[i]; i++)
		buf_addf(&buf, "%s%s", !i ? "" : (schema->choices[i + 1] ? ", " : " or "),
			 schema->choices[i]);
	text = buf_detach(&buf);
	buf_release(&buf);
	return text;
}

static int add(struct config_key_list *out, const char *path, const struct schema *schema,
	       struct err *err)
{
	struct config_key *key;

	if (out->count == out->cap) {
		size_t cap = out->cap ? out->cap * 2 : 64;
		struct config_key *items = realloc(out->items, cap * sizeof(*items));

		if (!items)
			return err_nomem(err);
		out->items = items;
		out->cap = cap;
	}
	key = &out->items[out->count++];
	*key = (struct config_key){.path = strdup(path),
				   .type = type_text(schema),
				   .fallback = schema->fallback ? schema->fallback : "",
				   .help = schema->help};
	return key->path && key->type ? 0 : err_nomem(err);
}

static int walk(struct config_key_list *out, const char *above, const struct schema *members,
		struct err *err)
{
	int rc = 0;

	for (const struct schema *s = members; s->key && !rc; s++) {
		const char *inside = s->type == SCHEMA_ITEMS   ? "[]"
				     : s->type == SCHEMA_NAMED ? ".NAME"
							       : "";
		char *path = str_fmt("%s%s%s", above, above[0] ? "." : "", s->key);
		char *deeper = path ? str_fmt("%s%s", path, inside) : NULL;

		rc = deeper ? add(out, path, s, err) : err_nomem(err);
		/* an environment's members are those of defaults */
		if (!rc && s->members && strcmp(s->key, "environments") != 0)
			rc = walk(out, deeper, s->members, err);
		free(path);
		free(deeper);
	}
	return rc;
}

int config_keys(struct config_key_list *out, struct err *err)
{
	int rc;

	*out = (struct config_key_list){.items = NULL};
	rc = walk(out, "", schema_root.members, err);
	if (rc)
		config_keys_release(out);
	return rc;
}

void config_keys_release(struct config_key_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].path);
		free(list->items[i].type);
	}
	free(list->items);
	*list = (struct config_key_list){.items = NULL};
}
