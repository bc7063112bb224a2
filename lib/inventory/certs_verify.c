/* SPDX-License-Identifier: PostgreSQL */
/* Reads the result again and goes through both documents side by side. */
#include <stdlib.h>
#include <string.h>

#include "inventory/certs_doc.h"

struct verify {
	const struct edit *edit;
	const struct yaml *after;
	size_t inserted;
};

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_scalar(const struct yaml_node *a, const struct yaml_node *b)
{
	return a->kind == b->kind && a->style == b->style && a->len == b->len &&
	       !memcmp(a->value, b->value, a->len) && same_text(a->tag, b->tag) &&
	       same_text(a->anchor, b->anchor);
}

static bool is_wanted(const struct yaml_node *node, const struct certs_change *change)
{
	if (node->kind != YAML_KIND_SCALAR || node_is_vault(node) != change->vault)
		return false;
	if (yaml_is_null(node))
		return change->len == 0;
	return certs_same(node->value, node->len, change->text, change->len);
}

static int fail(const struct verify *v, const struct yaml_node *node, struct err *err)
{
	(void)yaml_err(v->edit->certs->yaml, node, ERR_FAIL, err,
		       "the changed text would not read as asked here");
	return err_hint(err, "nothing was changed; this place is written in a way that can't be "
			     "edited safely");
}

static size_t depth_of(const struct yaml_node *node)
{
	size_t depth = 0;

	for (; node->parent; node = node->parent)
		depth++;
	return depth;
}

/* A member that was not there: an asked-for entry, or an authority or root made for some. */
static int check_new(struct verify *v, const struct yaml_node *node, struct err *err)
{
	const struct yaml_node *authority = node->parent;
	char *path;
	size_t index = 0;
	bool found;

	if (node->kind == YAML_KIND_MAPPING && node->first && depth_of(node) < 3) {
		for (const struct yaml_node *at = node->first; at; at = at->next) {
			if (check_new(v, at, err))
				return ERR_FAIL;
		}
		return 0;
	}
	if (node->kind != YAML_KIND_SCALAR || depth_of(node) != 3)
		return fail(v, NULL, err);
	path = str_fmt("%s\x1f%s\x1f%s", authority->parent->key->value, authority->key->value,
		       node->key->value);
	if (!path)
		return err_nomem(err);
	found = strmap_get(&v->edit->inserts, path, &index);
	free(path);
	if (!found || node->anchor || !is_wanted(node, &v->edit->changes[index]))
		return fail(v, NULL, err);
	v->inserted++;
	return 0;
}

static int compare(struct verify *v, const struct yaml_node *a, const struct yaml_node *b,
		   struct err *err);

/* a: before, or NULL where there was nothing; b: after, or NULL where nothing is left. */
static int compare_members(struct verify *v, const struct yaml_node *a, const struct yaml_node *b,
			   const struct yaml_node *at, struct err *err)
{
	while (a || b) {
		if (a && edit_removes(v->edit, a)) {
			a = a->next;
		} else if (a && b && (!a->key || same_scalar(a->key, b->key))) {
			if (compare(v, a, b, err))
				return ERR_FAIL;
			a = a->next;
			b = b->next;
		} else if (b && b->key) {
			if (check_new(v, b, err))
				return ERR_FAIL;
			b = b->next;
		} else {
			return fail(v, a ? a : at, err);
		}
	}
	return 0;
}

static bool is_container(const struct yaml_node *node)
{
	return node->kind == YAML_KIND_MAPPING || node->kind == YAML_KIND_SEQUENCE;
}

static int compare(struct verify *v, const struct yaml_node *a, const struct yaml_node *b,
		   struct err *err)
{
	const struct certs_change *change = edit_change(v->edit, a);

	if (change && change->verb != CERTS_REMOVE) {
		/* An entry that held the text already kept its bytes. */
		return is_wanted(b, change) && same_text(a->anchor, b->anchor) ? 0
									       : fail(v, a, err);
	}
	if (is_container(a) && a->kind == b->kind) {
		if (!same_text(a->tag, b->tag) || !same_text(a->anchor, b->anchor))
			return fail(v, a, err);
		return compare_members(v, a->first, b->first, a, err);
	}
	/* A null that was filled, or a mapping that lost all its members. */
	if (yaml_is_null(a) && b->kind == YAML_KIND_MAPPING && b->first)
		return compare_members(v, NULL, b->first, a, err);
	if (a->kind == YAML_KIND_MAPPING && a->first && yaml_is_null(b))
		return compare_members(v, a->first, NULL, a, err);
	return !is_container(a) && same_scalar(a, b) ? 0 : fail(v, a, err);
}

static int compare_documents(struct verify *v, struct err *err)
{
	const struct yaml_node *a = yaml_root(v->edit->certs->yaml);
	const struct yaml_node *b = yaml_root(v->after);

	if (a && b)
		return compare(v, a, b, err);
	if (b && b->kind == YAML_KIND_MAPPING)
		return compare_members(v, NULL, b->first, NULL, err);
	return a || b ? fail(v, NULL, err) : 0;
}

int edit_verify(const struct edit *edit, const struct secret *result, struct err *err)
{
	struct verify v = {.edit = edit};
	struct yaml *after = NULL;
	int rc;

	if (yaml_parse(&after, result->data, result->len, yaml_name(edit->certs->yaml),
		       edit->scratch, err))
		return err_prefix(err, "the changed text can't be read");
	v.after = after;
	rc = compare_documents(&v, err);
	if (!rc && v.inserted != edit->inserts.count)
		rc = fail(&v, NULL, err);
	yaml_drop(after);
	return rc;
}
