/* SPDX-License-Identifier: PostgreSQL */
/* The files of a generation: written as YAML that the inventory's own reader reads. */
#include <stdio.h>
#include <string.h>

#include "inventory/yaml.h"
#include "pki/sum.h"
#include "state/generation.h"

#define GENERATION_VERSION 1
#define KEYS_TEXT_MAX	   ((size_t)2 << 30)
#define SUM_LINE_SIZE	   (SUM_SIZE + sizeof("sum: \"\"\n"))

/* Where text goes: an ordinary buffer for public files, the arena for keys. */
struct sink {
	struct buf *buf;
	struct secret_buf *secret;
};

static void add(struct sink *sink, const char *data, size_t len)
{
	if (sink->secret)
		secret_buf_add(sink->secret, data, len);
	else
		buf_add(sink->buf, data, len);
}

static void adds(struct sink *sink, const char *text)
{
	add(sink, text, strlen(text));
}

/* A double-quoted scalar (YAML 1.1, section 9.3.1). */
static void add_quoted(struct sink *sink, const char *text, size_t len)
{
	size_t start = 0;

	adds(sink, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		char escape[8];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		add(sink, text + start, i - start);
		start = i + 1;
		if (c == '\n')
			adds(sink, "\\n");
		else if (c == '"' || c == '\\')
			add(sink, (char[]){'\\', (char)c}, 2);
		else {
			(void)snprintf(escape, sizeof(escape), "\\x%02x", c);
			adds(sink, escape);
		}
	}
	add(sink, text + start, len - start);
	adds(sink, "\"");
}

/* A literal block keeps a text whose lines begin with no blank and that ends with one newline. */
static bool fits_literal(const char *text, size_t len)
{
	bool line_start = true;

	if (len < 2 || text[len - 1] != '\n' || text[len - 2] == '\n')
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\n') || c >= 0x7f || (line_start && (c == ' ' || c == '\n')))
			return false;
		line_start = c == '\n';
	}
	return true;
}

static void add_member(struct sink *sink, const char *name, const char *text, size_t len)
{
	adds(sink, "    ");
	add_quoted(sink, name, strlen(name));
	adds(sink, ": ");
	if (!fits_literal(text, len)) {
		add_quoted(sink, text, len);
		adds(sink, "\n");
		return;
	}
	adds(sink, "|\n");
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) + 1 : len;

		adds(sink, "      ");
		add(sink, text, line);
		text += line;
		len -= line;
	}
}

static void add_authority(struct sink *sink, const char *name)
{
	adds(sink, "  ");
	add_quoted(sink, name, strlen(name));
	adds(sink, ":\n");
}

static void add_clients(struct sink *sink, const struct generation *gen)
{
	adds(sink, "clients:\n");
	for (size_t a = 0; a < gen->authority_count; a++) {
		const char *name = gen->authorities[a].name;
		const char *comma = "";

		adds(sink, "  ");
		add_quoted(sink, name, strlen(name));
		adds(sink, ": [");
		for (size_t i = 0; i < gen->leaf_count; i++) {
			const struct gen_leaf *leaf = &gen->leaves[i];

			if (leaf->kind != LEAF_CLIENT || strcmp(leaf->authority, name) != 0)
				continue;
			adds(sink, comma);
			add_quoted(sink, leaf->name, strlen(leaf->name));
			comma = ", ";
		}
		adds(sink, "]\n");
	}
}

static void add_certs(struct sink *sink, const struct generation *gen, bool raw)
{
	adds(sink, raw ? "raw:\n" : "certs:\n");
	for (size_t a = 0; a < gen->authority_count; a++) {
		const struct gen_authority *authority = &gen->authorities[a];
		const char *chain = raw ? authority->chain_raw : authority->chain;
		bool head = false;

		if (chain) {
			add_authority(sink, authority->name);
			head = true;
			add_member(sink, "chain", chain, strlen(chain));
		}
		for (size_t i = 0; i < gen->leaf_count; i++) {
			const struct gen_leaf *leaf = &gen->leaves[i];
			const char *text = raw ? leaf->raw : leaf->pem;

			if (!text || strcmp(leaf->authority, authority->name) != 0)
				continue;
			if (!head)
				add_authority(sink, authority->name);
			head = true;
			add_member(sink, leaf->name, text, strlen(text));
		}
	}
}

static bool has_raw(const struct generation *gen)
{
	for (size_t a = 0; a < gen->authority_count; a++) {
		if (gen->authorities[a].chain_raw)
			return true;
	}
	for (size_t i = 0; i < gen->leaf_count; i++) {
		if (gen->leaves[i].raw)
			return true;
	}
	return false;
}

/* The last line: one hash over the bytes before it. */
static int sum_line(char out[SUM_LINE_SIZE], const char *text, size_t len, struct err *err)
{
	char sum[SUM_SIZE];
	int rc = sum_text(sum, text, len, err);

	if (!rc)
		(void)snprintf(out, SUM_LINE_SIZE, "sum: \"%s\"\n", sum);
	return rc;
}

/* Keys need none: a vault has a sum of its own. */
static int check_sum(const char *text, size_t len, const char *name, struct err *err)
{
	const char *end = len > 1 ? memrchr(text, '\n', len - 1) : NULL;
	size_t at = end ? (size_t)(end - text) + 1 : 0;
	char line[SUM_LINE_SIZE];
	int rc = sum_line(line, text, at, err);

	if (!rc && (len - at != strlen(line) || memcmp(text + at, line, len - at) != 0))
		rc = err_set(err, ERR_FAIL,
			     "%s: its last line is not the 'sum' of the lines before it", name);
	return rc;
}

int generation_dump(struct buf *out, const struct generation *gen, struct err *err)
{
	struct sink sink = {out, NULL};
	size_t start = out->len;
	char sum[SUM_LINE_SIZE];
	int rc;

	buf_addf(out,
		 "---\n# Generation %s: its certificates, written by certrotate. No secret.\n"
		 "version: %d\ngeneration: \"%s\"\n",
		 gen->id, GENERATION_VERSION, gen->id);
	add_clients(&sink, gen);
	add_certs(&sink, gen, false);
	if (has_raw(gen))
		add_certs(&sink, gen, true);
	rc = sum_line(sum, out->data + start, out->len - start, err);
	if (!rc)
		adds(&sink, sum);
	return rc ? rc : buf_check(out, "generation", err);
}

static void add_keys(struct sink *sink, const struct generation *gen, bool raw)
{
	adds(sink, raw ? "raw:\n" : "private_keys:\n");
	for (size_t a = 0; a < gen->authority_count; a++) {
		bool head = false;

		for (size_t i = 0; i < gen->leaf_count; i++) {
			const struct gen_leaf *leaf = &gen->leaves[i];
			const struct secret *key = raw ? &leaf->key_raw : &leaf->key;

			if (!key->data || strcmp(leaf->authority, gen->authorities[a].name) != 0)
				continue;
			if (!head)
				add_authority(sink, leaf->authority);
			head = true;
			add_member(sink, leaf->name, key->data, key->len);
		}
	}
}

static void add_head(struct sink *sink, const struct generation *gen)
{
	char head[128];

	(void)snprintf(head, sizeof(head), "---\nversion: %d\ngeneration: \"%s\"\n",
		       GENERATION_VERSION, gen->id);
	adds(sink, head);
}

int generation_dump_keys(struct secret *out, const struct generation *gen, struct err *err)
{
	struct secret_buf text;
	struct sink sink = {NULL, &text};

	secret_buf_init(&text, gen->arena);
	add_head(&sink, gen);
	add_keys(&sink, gen, false);
	add_keys(&sink, gen, true);
	return secret_buf_done(out, &text, "the generation's keys", err);
}

int generation_dump_ca_keys(struct secret *out, const struct generation *gen, struct err *err)
{
	struct secret_buf text;
	struct sink sink = {NULL, &text};

	secret_buf_init(&text, gen->arena);
	add_head(&sink, gen);
	adds(&sink, "ca_keys:\n");
	if (gen->root_key.data) {
		adds(&sink, "  \"root\":\n");
		add_member(&sink, "key", gen->root_key.data, gen->root_key.len);
	}
	for (size_t a = 0; a < gen->authority_count; a++) {
		const struct gen_authority *authority = &gen->authorities[a];

		if (!authority->ca_key.data)
			continue;
		add_authority(&sink, authority->name);
		add_member(&sink, "key", authority->ca_key.data, authority->ca_key.len);
	}
	return secret_buf_done(out, &text, "the generation's CA keys", err);
}

static int check_head(const struct yaml *yaml, const char *id, struct err *err)
{
	const struct yaml_node *root = yaml_root(yaml);
	const struct yaml_node *name = yaml_get(yaml, root, "generation");
	int64_t version = 0;

	if (!yaml_int(yaml_get(yaml, root, "version"), &version) || version != GENERATION_VERSION)
		return err_set(err, ERR_FAIL, "%s: not a generation of version %d", yaml_name(yaml),
			       GENERATION_VERSION);
	if (!name || name->kind != YAML_KIND_SCALAR || strcmp(name->value, id) != 0)
		return err_set(err, ERR_FAIL, "%s: not generation %s", yaml_name(yaml), id);
	return 0;
}

static const struct yaml_node *raw_of(const struct yaml *yaml, const char *authority,
				      const char *name)
{
	const struct yaml_node *raw = yaml_at(yaml, yaml_root(yaml), "raw", authority, name, NULL);

	return raw && raw->kind == YAML_KIND_SCALAR ? raw : NULL;
}

/* Puts "FILE:LINE" before what is wrong with a value. */
static int at_node(const struct yaml *yaml, const struct yaml_node *node, int rc, struct err *err)
{
	if (rc)
		err_prefix(err, "%s:%zu", yaml_name(yaml), node->line);
	return rc;
}

static int load_authority(struct generation *gen, const struct yaml *yaml,
			  const struct yaml_node *node, struct err *err)
{
	const char *authority = node->key->value;
	const struct yaml_node *chain = yaml_get(yaml, node, "chain");
	const struct yaml_node *raw = raw_of(yaml, authority, "chain");
	const struct yaml_node *clients = yaml_at(yaml, yaml_root(yaml), "clients", authority,
						  NULL);
	struct strmap users = STRMAP_INIT;
	int rc = 0;

	if (!chain || chain->kind != YAML_KIND_SCALAR)
		return yaml_err(yaml, node, ERR_FAIL, err, "no chain");
	for (const struct yaml_node *user = clients ? clients->first : NULL; user && !rc;
	     user = user->next)
		rc = user->kind == YAML_KIND_SCALAR
			     ? strmap_put(&users, user->value, 1, err)
			     : yaml_err(yaml, user, ERR_FAIL, err, "no name");
	if (!rc) {
		rc = generation_add_authority(gen, authority, chain->value, chain->len,
					      raw ? raw->value : NULL, raw ? raw->len : 0, err);
		rc = at_node(yaml, chain, rc, err);
	}
	for (const struct yaml_node *leaf = node->first; leaf && !rc; leaf = leaf->next) {
		const char *name = leaf->key->value;
		enum leaf_kind kind = strmap_get(&users, name, NULL) ? LEAF_CLIENT : LEAF_SERVER;

		if (leaf == chain)
			continue;
		if (leaf->kind != YAML_KIND_SCALAR) {
			rc = yaml_err(yaml, leaf, ERR_FAIL, err, "not a certificate");
			break;
		}
		raw = raw_of(yaml, authority, name);
		rc = generation_add_leaf(gen, authority, name, kind, leaf->value, leaf->len,
					 raw ? raw->value : NULL, raw ? raw->len : 0, err);
		rc = at_node(yaml, leaf, rc, err);
	}
	strmap_release(&users);
	return rc;
}

static int load_leaf_keys(struct generation *gen, const struct yaml *yaml,
			  const struct yaml_node *node, struct err *err)
{
	int rc = 0;

	if (node->kind != YAML_KIND_MAPPING)
		return yaml_err(yaml, node, ERR_FAIL, err, "no private keys");
	for (const struct yaml_node *key = node->first; key && !rc; key = key->next) {
		const struct yaml_node *raw = raw_of(yaml, node->key->value, key->key->value);

		if (key->kind != YAML_KIND_SCALAR)
			return yaml_err(yaml, key, ERR_FAIL, err, "no private key");
		rc = generation_add_key(gen, node->key->value, key->key->value, key->value,
					key->len, raw ? raw->value : NULL, raw ? raw->len : 0, err);
		rc = at_node(yaml, key, rc, err);
	}
	return rc;
}

static int load_keys(struct generation *gen, const struct secret *keys, const char *name,
		     struct err *err)
{
	/* What stands in the file is done with once the keys are copied. */
	struct arena *arena = arena_new(KEYS_TEXT_MAX);
	struct yaml *yaml = NULL;
	const struct yaml_node *all;
	int rc = arena ? yaml_parse(&yaml, keys->data, keys->len, name, arena, err)
		       : err_nomem(err);

	if (!rc)
		rc = check_head(yaml, gen->id, err);
	all = rc ? NULL : yaml_get(yaml, yaml_root(yaml), "private_keys");
	/* Without one key there is nothing below it. */
	if (all && all->kind != YAML_KIND_MAPPING && !yaml_is_null(all))
		rc = yaml_err(yaml, all, ERR_FAIL, err, "no private keys");
	for (const struct yaml_node *node = all ? all->first : NULL; node && !rc; node = node->next)
		rc = load_leaf_keys(gen, yaml, node, err);
	yaml_drop(yaml);
	arena_free(arena);
	return rc;
}

int generation_load(struct generation *gen, const char *id, struct arena *arena, const char *text,
		    size_t len, const char *name, const struct secret *keys, const char *keys_name,
		    struct err *err)
{
	struct yaml *yaml = NULL;
	const struct yaml_node *certs, *node;
	int rc = generation_init(gen, id, arena, err);

	if (!rc)
		rc = yaml_parse(&yaml, text, len, name, NULL, err);
	if (!rc)
		rc = check_head(yaml, id, err);
	rc = rc ? rc : check_sum(text, len, name, err);
	certs = rc ? NULL : yaml_get(yaml, yaml_root(yaml), "certs");
	if (!rc && (!certs || certs->kind != YAML_KIND_MAPPING || !certs->count))
		rc = err_set(err, ERR_FAIL, "%s: no certificates", name);
	for (node = rc || !certs ? NULL : certs->first; node && !rc; node = node->next)
		rc = load_authority(gen, yaml, node, err);
	if (!rc && keys)
		rc = load_keys(gen, keys, keys_name, err);
	yaml_drop(yaml);
	if (rc)
		generation_release(gen);
	return rc;
}

int generation_load_ca_keys(struct generation *gen, const struct secret *keys, const char *name,
			    struct err *err)
{
	struct yaml *yaml = NULL;
	int rc = yaml_parse(&yaml, keys->data, keys->len, name, gen->arena, err);

	rc = rc ? rc : check_head(yaml, gen->id, err);
	for (size_t a = 0; a < gen->authority_count && !rc; a++) {
		struct gen_authority *authority = &gen->authorities[a];
		const struct yaml_node *key = yaml_at(yaml, yaml_root(yaml), "ca_keys",
						      authority->name, "key", NULL);

		if (key && key->kind == YAML_KIND_SCALAR)
			rc = arena_copy(&authority->ca_key, gen->arena, key->value, key->len, err);
	}
	yaml_drop(yaml);
	return rc;
}
