/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/certs.h"

#include <stdlib.h>
#include <string.h>

#include "inventory/certs_doc.h"

bool node_is_vault(const struct yaml_node *node)
{
	return node->tag &&
	       (!strcmp(node->tag, "!vault") || !strcmp(node->tag, "!vault-encrypted"));
}

static int add_entry(struct certs *certs, enum certs_kind kind, const struct yaml_node *node,
		     struct err *err)
{
	struct certs_entry *entry;

	if (certs->count == certs->cap) {
		size_t cap = certs->cap ? certs->cap * 2 : 64;
		struct certs_entry *entries = realloc(certs->entries, cap * sizeof(*entries));

		if (!entries)
			return err_nomem(err);
		certs->entries = entries;
		certs->cap = cap;
	}
	entry = &certs->entries[certs->count++];
	*entry = (struct certs_entry){
		.kind = kind,
		.authority = node->parent->key->value,
		.name = node->key->value,
		.value = yaml_is_null(node) ? "" : node->value,
		.len = yaml_is_null(node) ? 0 : node->len,
		.raw = certs->text + node->start,
		.raw_len = node->end - node->start,
		.vault = node_is_vault(node),
		.style = node->style,
		.line = node->line,
		.node = node,
	};
	certs->entry_of[node->id] = (uint32_t)certs->count;
	return 0;
}

/* What a root, an authority or a value can't be, whatever stands in it. */
static int check_member(const struct certs *certs, const struct yaml_node *node, struct err *err)
{
	if (node->kind == YAML_KIND_ALIAS || !strcmp(node->key->value, "<<"))
		return yaml_refuse_aliases(certs->yaml, node, err);
	if (strlen(node->key->value) != node->key->len)
		return yaml_err(certs->yaml, node, ERR_FAIL, err, "a NUL character in the key");
	return 0;
}

/* A root or an authority: a mapping, or nothing yet. */
static int check_container(const struct certs *certs, const struct yaml_node *node,
			   const char *what, struct err *err)
{
	if (check_member(certs, node, err))
		return ERR_FAIL;
	if (node->kind == YAML_KIND_MAPPING || yaml_is_null(node))
		return 0;
	if (node->kind == YAML_KIND_SCALAR && node_is_vault(node)) {
		(void)yaml_err(certs->yaml, node, ERR_FAIL, err,
			       "is one inline vault, which can't be read in parts");
		return err_hint(err, "encrypt the whole file, or each value of its own");
	}
	return yaml_err(certs->yaml, node, ERR_FAIL, err, "has to be a mapping of %s", what);
}

static int read_authority(struct certs *certs, const struct yaml_node *authority, bool keys,
			  struct err *err)
{
	for (const struct yaml_node *at = authority->first; at; at = at->next) {
		enum certs_kind kind = CERTS_LEAF;

		if (check_member(certs, at, err))
			return ERR_FAIL;
		if (at->kind != YAML_KIND_SCALAR)
			return yaml_err(certs->yaml, at, ERR_FAIL, err,
					"is a %s, and has to be a text",
					at->kind == YAML_KIND_MAPPING ? "mapping" : "list");
		if (keys)
			kind = CERTS_KEY;
		else if (!strcmp(at->key->value, CHAIN_NAME))
			kind = CERTS_CHAIN;
		if (add_entry(certs, kind, at, err))
			return ERR_FAIL;
	}
	return 0;
}

static int read_root(struct certs *certs, const struct yaml_node *root, bool keys, struct err *err)
{
	if (check_container(certs, root, "authorities", err))
		return ERR_FAIL;
	for (const struct yaml_node *at = root->first; at; at = at->next) {
		if (check_container(certs, at, keys ? "private keys" : "certificates", err) ||
		    read_authority(certs, at, keys, err))
			return ERR_FAIL;
	}
	return 0;
}

static int read_document(struct certs *certs, struct err *err)
{
	const struct yaml_node *top = yaml_root(certs->yaml);
	int rc = 0;

	if (!top || (yaml_is_null(top) && top->start == top->end))
		return 0;
	if (top->kind != YAML_KIND_MAPPING)
		return yaml_err(certs->yaml, top, ERR_FAIL, err,
				"has to be a mapping with " CERTS_ROOT ": or " KEYS_ROOT ":");
	for (const struct yaml_node *at = top->first; at && !rc; at = at->next) {
		if (!strcmp(at->key->value, "<<"))
			rc = check_member(certs, at, err);
		else if (!strcmp(at->key->value, CERTS_ROOT))
			rc = read_root(certs, at, false, err);
		else if (!strcmp(at->key->value, KEYS_ROOT))
			rc = read_root(certs, at, true, err);
	}
	return rc;
}

/*
 * YAML 1.1 ends lines also with NEL, LS and PS (section 4.2), as Ansible's reader does; editors,
 * git and people do not see a line end there, so where a value ends would be two things.
 */
static int refuse_odd_line_ends(const char *text, size_t len, const char *name, struct err *err)
{
	static const struct {
		const char *bytes, *name;
	} ends[] = {{"\xc2\x85", "U+0085"}, {"\xe2\x80\xa8", "U+2028"}, {"\xe2\x80\xa9", "U+2029"}};
	const char *end = text + len;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t size = strlen(ends[i].bytes), line = 1;
		const char *at = memchr(text, ends[i].bytes[0], len);

		/* Such bytes are rare, and memmem(3) is slower by far. */
		while (at && ((size_t)(end - at) < size || memcmp(at, ends[i].bytes, size) != 0))
			at = memchr(at + 1, ends[i].bytes[0], (size_t)(end - at) - 1);
		if (!at)
			continue;
		for (const char *c = text; c < at; c++)
			line += *c == '\n';
		err_set(err, ERR_FAIL, "%s:%zu: %s, which ends a line for YAML alone", name, line,
			ends[i].name);
		return err_hint(err, "put an ordinary line end in its place, or write it as an "
				     "escape in double quotes");
	}
	return 0;
}

int certs_open(struct certs **out, const char *text, size_t len, const char *name,
	       struct arena *arena, struct err *err)
{
	struct certs *certs = calloc(1, sizeof(*certs));
	int rc;

	*out = NULL;
	if (!certs)
		return err_nomem(err);
	rc = yaml_parse(&certs->yaml, text, len, name, arena, err);
	rc = rc ? rc : refuse_odd_line_ends(text, len, name, err);
	if (rc)
		goto out;
	certs->text = yaml_text(certs->yaml, &certs->len);
	certs->entry_of = calloc(yaml_count(certs->yaml) + 1, sizeof(*certs->entry_of));
	rc = certs->entry_of ? read_document(certs, err) : err_nomem(err);
	if (!rc) {
		*out = certs;
		certs = NULL;
	}
out:
	certs_close(certs);
	return rc;
}

void certs_close(struct certs *certs)
{
	if (!certs)
		return;
	yaml_drop(certs->yaml);
	free(certs->entries);
	free(certs->entry_of);
	free(certs);
}

size_t certs_count(const struct certs *certs)
{
	return certs->count;
}

const struct certs_entry *certs_at(const struct certs *certs, size_t index)
{
	return index < certs->count ? &certs->entries[index] : NULL;
}

const char *certs_root_name(enum certs_kind kind)
{
	return kind == CERTS_KEY ? KEYS_ROOT : CERTS_ROOT;
}

const struct certs_entry *certs_find(const struct certs *certs, enum certs_kind kind,
				     const char *authority, const char *name)
{
	const struct yaml_node *node = yaml_at(certs->yaml, yaml_root(certs->yaml),
					       certs_root_name(kind), authority,
					       kind == CERTS_CHAIN ? CHAIN_NAME : name, NULL);
	uint32_t index = node ? certs->entry_of[node->id] : 0;

	if (!index || certs->entries[index - 1].kind != kind)
		return NULL;
	return &certs->entries[index - 1];
}

bool certs_has_root(const struct certs *certs, const char *root)
{
	return yaml_get(certs->yaml, yaml_root(certs->yaml), root) != NULL;
}

bool certs_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	a_len = text_trimmed(a, a_len);
	b_len = text_trimmed(b, b_len);
	return a_len == b_len && !memcmp(a, b, a_len);
}

static bool tag_is_known(const struct yaml_node *node)
{
	return !node->tag || !strcmp(node->tag, "!") || !strcmp(node->tag, "!unsafe") ||
	       !strcmp(node->tag, "tag:yaml.org,2002:str") || node_is_vault(node);
}

int certs_refuse_anchors(const struct certs *certs, const struct yaml_node *node, struct err *err)
{
	for (const struct yaml_node *at = node; at; at = at->parent) {
		if (!at->anchor && !(at->key && at->key->anchor))
			continue;
		(void)yaml_err(certs->yaml, node, ERR_FAIL, err,
			       "can't be changed: an anchor (&) stands %s",
			       at == node ? "on it" : "above it");
		return err_hint(err, "what else uses the anchor would change with it; write both "
				     "texts out");
	}
	return 0;
}

int certs_editable(const struct certs *certs, const struct certs_entry *entry, struct err *err)
{
	const struct yaml_node *node = entry->node;

	if (certs_refuse_anchors(certs, node, err))
		return ERR_FAIL;
	if (!tag_is_known(node))
		return yaml_err(certs->yaml, node, ERR_FAIL, err, "can't be changed: its tag is %s",
				node->tag);
	if (!entry->vault && text_has_template(entry->value, entry->len)) {
		(void)yaml_err(certs->yaml, node, ERR_FAIL, err,
			       "can't be changed: it holds a template");
		return err_hint(err, "put the certificate's text itself there");
	}
	return 0;
}
