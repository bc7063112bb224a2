/* SPDX-License-Identifier: PostgreSQL */
#include "state/generation.h"

#include <stdlib.h>
#include <string.h>

int generation_init(struct generation *gen, const char *id, struct arena *arena, struct err *err)
{
	*gen = (struct generation){.arena = arena, .id = strdup(id)};
	return gen->id ? 0 : err_nomem(err);
}

static void leaf_release(struct gen_leaf *leaf)
{
	free(leaf->authority);
	free(leaf->name);
	free(leaf->pem);
	free(leaf->raw);
	cert_free(leaf->cert);
	secret_wipe(&leaf->key);
	secret_wipe(&leaf->key_raw);
}

void generation_release(struct generation *gen)
{
	for (size_t i = 0; i < gen->authority_count; i++) {
		struct gen_authority *authority = &gen->authorities[i];

		free(authority->name);
		free(authority->chain);
		free(authority->chain_raw);
		bundle_release(&authority->bundle);
		secret_wipe(&authority->ca_key);
	}
	for (size_t i = 0; i < gen->leaf_count; i++)
		leaf_release(&gen->leaves[i]);
	free(gen->authorities);
	free(gen->leaves);
	free(gen->id);
	strmap_release(&gen->index);
	secret_wipe(&gen->root_key);
	*gen = (struct generation){0};
}

unsigned generation_number(const char *id)
{
	return id && id[0] == 'g' ? (unsigned)strtoul(id + 1, NULL, 10) : 0;
}

struct gen_authority *generation_authority(const struct generation *gen, const char *name)
{
	for (size_t i = 0; i < gen->authority_count; i++) {
		if (!strcmp(gen->authorities[i].name, name))
			return &gen->authorities[i];
	}
	return NULL;
}

struct gen_leaf *generation_leaf(const struct generation *gen, const char *authority,
				 const char *name)
{
	char *key = str_fmt("%s/%s", authority, name);
	size_t index = 0;
	bool found = key && strmap_get(&gen->index, key, &index);

	free(key);
	return found ? &gen->leaves[index] : NULL;
}

/* Room for one more, doubling: adding n items costs n. */
static void *grow(void *items, size_t count, size_t size)
{
	if (count & (count - 1))
		return items;
	return realloc(items, (count ? count * 2 : 1) * size);
}

static char *copy_text(const char *text, size_t len)
{
	return text ? strndup(text, len) : NULL;
}

int generation_add_authority(struct generation *gen, const char *name, const char *chain,
			     size_t chain_len, const char *raw, size_t raw_len, struct err *err)
{
	struct gen_authority *authority;
	char *where;
	int rc;

	if (generation_authority(gen, name))
		return err_set(err, ERR_FAIL, "generation %s has the authority '%s' twice", gen->id,
			       name);
	authority = grow(gen->authorities, gen->authority_count, sizeof(*authority));
	if (!authority)
		return err_nomem(err);
	gen->authorities = authority;
	authority = &gen->authorities[gen->authority_count++];
	*authority = (struct gen_authority){.name = strdup(name),
					    .chain = copy_text(chain, chain_len),
					    .chain_raw = copy_text(raw, raw_len)};
	where = str_fmt("certs.%s.chain", name);
	if (!authority->name || !authority->chain || (raw && !authority->chain_raw) || !where)
		rc = err_nomem(err);
	else
		rc = bundle_from_pem(&authority->bundle, chain, chain_len, where, err);
	free(where);
	return rc;
}

/* Behind the others; its index is under way. NULL without memory. */
static struct gen_leaf *new_leaf(struct generation *gen, const char *authority, const char *name,
				 enum leaf_kind kind)
{
	struct gen_leaf *leaf = grow(gen->leaves, gen->leaf_count, sizeof(*leaf));

	if (!leaf)
		return NULL;
	gen->leaves = leaf;
	leaf = &gen->leaves[gen->leaf_count++];
	*leaf = (struct gen_leaf){
		.authority = strdup(authority), .name = strdup(name), .kind = kind};
	return leaf->authority && leaf->name ? leaf : NULL;
}

static int index_leaf(struct generation *gen, const char *authority, const char *name,
		      struct err *err)
{
	char *where = str_fmt("%s/%s", authority, name);
	int rc;

	if (!where)
		rc = err_nomem(err);
	else if (strmap_get(&gen->index, where, NULL))
		rc = err_set(err, ERR_FAIL, "generation %s has the leaf %s twice", gen->id, where);
	else
		rc = strmap_put(&gen->index, where, gen->leaf_count - 1, err);
	free(where);
	return rc;
}

int generation_add_leaf(struct generation *gen, const char *authority, const char *name,
			enum leaf_kind kind, const char *pem, size_t pem_len, const char *raw,
			size_t raw_len, struct err *err)
{
	struct bundle certs = BUNDLE_INIT;
	struct gen_leaf *leaf = new_leaf(gen, authority, name, kind);
	char *where = str_fmt("certs.%s.%s", authority, name);
	int rc = 0;

	if (leaf) {
		leaf->pem = copy_text(pem, pem_len);
		leaf->raw = copy_text(raw, raw_len);
	}
	if (!leaf || !leaf->pem || (raw && !leaf->raw) || !where)
		rc = err_nomem(err);
	/* A value may hold the leaf and, behind it, the intermediates that the server sends. */
	rc = rc ? rc : bundle_from_pem_packed(&certs, pem, pem_len, where, err);
	if (!rc) {
		leaf->cert = cert_ref(certs.items[0]);
		rc = index_leaf(gen, authority, name, err);
	}
	bundle_release(&certs);
	free(where);
	return rc;
}

int generation_take_leaf(struct generation *gen, const char *authority, const char *name,
			 enum leaf_kind kind, struct gen_made *made, struct err *err)
{
	struct gen_leaf *leaf = new_leaf(gen, authority, name, kind);

	if (!leaf)
		return err_nomem(err);
	leaf->pem = buf_detach(&made->pem);
	leaf->cert = made->cert;
	leaf->key = made->key;
	made->cert = NULL;
	made->key = (struct secret){0};
	return leaf->pem ? index_leaf(gen, authority, name, err) : err_nomem(err);
}

void gen_made_release(struct gen_made *made)
{
	buf_release(&made->pem);
	secret_wipe(&made->key);
	cert_free(made->cert);
	made->cert = NULL;
}

int generation_add_key(struct generation *gen, const char *authority, const char *name,
		       const char *pem, size_t pem_len, const char *raw, size_t raw_len,
		       struct err *err)
{
	struct gen_leaf *leaf = generation_leaf(gen, authority, name);
	int rc;

	if (!leaf)
		return err_set(err, ERR_FAIL, "private_keys.%s.%s has no certificate", authority,
			       name);
	rc = arena_copy(&leaf->key, gen->arena, pem, pem_len, err);
	if (!rc && raw)
		rc = arena_copy(&leaf->key_raw, gen->arena, raw, raw_len, err);
	return rc;
}

int generation_drop(size_t *dropped, struct generation *gen, const struct strmap *names,
		    struct err *err)
{
	struct strmap index = STRMAP_INIT;
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < gen->leaf_count; i++) {
		struct gen_leaf *leaf = &gen->leaves[i];
		char *key = str_fmt("%s/%s", leaf->authority, leaf->name);

		if (!key)
			rc = err_nomem(err);
		if (key && strmap_get(names, key, NULL)) {
			leaf_release(leaf);
		} else {
			if (key && !rc)
				rc = strmap_put(&index, key, kept, err);
			gen->leaves[kept++] = *leaf;
		}
		free(key);
	}
	*dropped = gen->leaf_count - kept;
	gen->leaf_count = kept;
	strmap_release(&gen->index);
	gen->index = index;
	return rc;
}
