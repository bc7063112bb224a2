/* SPDX-License-Identifier: PostgreSQL */
#include "state/holdings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/holdings_match.h"

static int not_there(const struct holding *holding, const char *what, const struct session *session,
		     struct err *err)
{
	err_set(err, ERR_USAGE, "%s is not in the branch %s", holding->path, session->env->base);
	return err_hint(err, "commit it, or set '%s' in certrotate.yml", what);
}

static int open_holding(struct holding *holding, const struct holdings *holdings,
			const struct oid *commit, const char *path, const char *what,
			bool open_vault, struct err *err)
{
	struct session *session = holdings->session;
	int rc;

	holding->path = path;
	rc = repo_read(&holding->text, session->repo, commit, path, SESSION_FILE_MAX, err);
	if (rc == ERR_NOENT)
		return not_there(holding, what, session, err);
	if (rc)
		return rc;
	holding->vault = vault_is(holding->text.data, holding->text.len);
	if (!holding->vault)
		return certs_open(&holding->certs, holding->text.data, holding->text.len, path,
				  NULL, err);
	if (!open_vault)
		return 0;
	rc = session_passwords(session, err);
	rc = rc ? rc
		: vault_decrypt(&holding->clear, &holding->used, holdings->arena,
				holding->text.data, holding->text.len, path, &session->passwords,
				err);
	buf_release(&holding->text);
	return rc ? rc
		  : certs_open(&holding->certs, holding->clear.data, holding->clear.len, path,
			       holdings->arena, err);
}

/* A key that lies in the clear is a leak already: nothing is done before it is a vault. */
static int refuse_clear_keys(const struct holding *holding, struct err *err)
{
	for (size_t i = 0; holding->certs && !holding->vault && i < certs_count(holding->certs);
	     i++) {
		const struct certs_entry *entry = certs_at(holding->certs, i);

		if (entry->kind != CERTS_KEY || entry->vault || !entry->len)
			continue;
		err_set(err, ERR_FAIL, "%s:%zu: private_keys.%s.%s stands in the clear",
			holding->path, entry->line, entry->authority, entry->name);
		return err_hint(err,
				"encrypt it ('ansible-vault encrypt %s'), commit that, and "
				"treat the key as leaked",
				holding->path);
	}
	return 0;
}

static int begin(struct holdings *holdings, struct session *session, bool with_keys,
		 struct err *err)
{
	*holdings = (struct holdings){.session = session, .keys_open = with_keys};
	buf_init(&holdings->certs.text, SESSION_FILE_MAX);
	buf_init(&holdings->keys.text, SESSION_FILE_MAX);
	holdings->one_file = !strcmp(session->env->certs, session->env->keys);
	holdings->arena = arena_new(SESSION_SECRET_MAX);
	return holdings->arena ? 0 : err_nomem(err);
}

int holdings_load(struct holdings *holdings, struct session *session, const struct oid *commit,
		  bool with_keys, struct err *err)
{
	const struct environment *env = session->env;
	int rc = begin(holdings, session, with_keys, err);

	rc = rc ? rc
		: open_holding(&holdings->certs, holdings, commit, env->certs, "certs",
			       with_keys || holdings->one_file, err);
	if (!rc && !certs_has_root(holdings->certs.certs, CERTS_ROOT)) {
		rc = err_set(err, ERR_FAIL, "%s: no 'certs:' in it", env->certs);
		err_hint(err, "set 'certs' in certrotate.yml to the file with the certificates");
	}
	if (!rc && !holdings->one_file)
		rc = open_holding(&holdings->keys, holdings, commit, env->keys, "keys", with_keys,
				  err);
	if (!rc && holdings_keys(holdings)->certs &&
	    !certs_has_root(holdings_keys(holdings)->certs, KEYS_ROOT)) {
		rc = err_set(err, ERR_FAIL, "%s: no '" KEYS_ROOT ":' in it", env->keys);
		err_hint(err, "set 'keys' in certrotate.yml to the vault with the private keys");
	}
	rc = rc ? rc : refuse_clear_keys(&holdings->certs, err);
	rc = rc ? rc : refuse_clear_keys(&holdings->keys, err);
	if (rc) {
		err_hint_default(err, "nothing was changed; see who changed it with 'git log -p'");
		holdings_release(holdings);
	}
	return rc;
}

int holdings_empty(struct holdings *holdings, struct session *session, struct err *err)
{
	static const char start[] = "---\n";
	const struct environment *env = session->env;
	const struct vault_password *password;
	struct holding *keys;
	int rc = begin(holdings, session, true, err);

	rc = rc ? rc : session_passwords(session, err);
	holdings->certs.path = env->certs;
	holdings->keys.path = env->keys;
	keys = holdings->one_file ? &holdings->certs : &holdings->keys;
	password = rc ? NULL : vault_passwords_for_new(&session->passwords);
	if (!rc && !password) {
		rc = err_set(err, ERR_USAGE,
			     "there is no vault password for vault_encrypt_identity '%s'",
			     session->passwords.encrypt_label);
		err_hint(err, "name a password of that label in vault_identity_list, or take "
			      "vault_encrypt_identity out of ansible.cfg");
	}
	if (rc) {
		holdings_release(holdings);
		return rc;
	}
	keys->vault = true;
	keys->used.password = (size_t)(password - session->passwords.items);
	(void)snprintf(keys->used.label, sizeof(keys->used.label), "%s", password->label);
	rc = certs_open(&keys->certs, start, sizeof(start) - 1, keys->path, holdings->arena, err);
	if (!rc && !holdings->one_file)
		rc = certs_open(&holdings->certs.certs, start, sizeof(start) - 1,
				holdings->certs.path, NULL, err);
	if (rc)
		holdings_release(holdings);
	return rc;
}

static void holding_release(struct holding *holding)
{
	certs_close(holding->certs);
	holding->certs = NULL;
	buf_release(&holding->text);
	secret_wipe(&holding->clear);
}

void holdings_release(struct holdings *holdings)
{
	holding_release(&holdings->certs);
	holding_release(&holdings->keys);
	arena_free(holdings->arena);
	holdings->arena = NULL;
}

const struct holding *holdings_keys(const struct holdings *holdings)
{
	return holdings->one_file ? &holdings->certs : &holdings->keys;
}

int holdings_read_key(struct secret *out, const struct holdings *holdings,
		      const struct certs_entry *entry, struct err *err)
{
	struct session *session = holdings->session;
	char *name;
	int rc;

	if (!entry->vault)
		return arena_copy(out, holdings->arena, entry->value, entry->len, err);
	name = str_fmt("%s:%zu: private_keys.%s.%s", holdings_keys(holdings)->path, entry->line,
		       entry->authority, entry->name);
	rc = name ? session_passwords(session, err) : err_nomem(err);
	rc = rc ? rc
		: vault_decrypt(out, NULL, holdings->arena, entry->value, entry->len, name,
				&session->passwords, err);
	free(name);
	return rc;
}

static enum leaf_kind leaf_kind(const struct chain_desc *chain, const struct certs_entry *entry,
				const struct cert *cert)
{
	const struct chain_authority *authority =
		chain ? chain_authority_find(chain, entry->authority) : NULL;
	struct strs usages = STRS_INIT;
	enum leaf_kind kind;

	if (authority && !authority->clients.count && authority->server_count)
		return LEAF_SERVER;
	if (authority && authority->clients.count && !authority->server_count)
		return LEAF_CLIENT;
	(void)cert_ext_usages(&usages, cert, NULL);
	kind = strs_has(&usages, "clientAuth") && !strs_has(&usages, "serverAuth") ? LEAF_CLIENT
										   : LEAF_SERVER;
	if (authority && authority->clients.count && strs_has(&authority->clients, entry->name))
		kind = LEAF_CLIENT;
	strs_release(&usages);
	return kind;
}

static int snapshot_leaf(struct generation *gen, const struct holdings *holdings,
			 const struct chain_desc *chain, const struct certs_entry *entry,
			 struct err *err)
{
	int rc = generation_add_leaf(gen, entry->authority, entry->name, LEAF_SERVER, entry->value,
				     entry->len, entry->raw, entry->raw_len, err);

	if (rc)
		return err_prefix(err, "%s:%zu", holdings->certs.path, entry->line);
	gen->leaves[gen->leaf_count - 1].kind = leaf_kind(chain, entry,
							  gen->leaves[gen->leaf_count - 1].cert);
	return 0;
}

static int snapshot_chain(struct generation *gen, const struct holdings *holdings,
			  const struct certs_entry *entry, struct err *err)
{
	int rc = generation_add_authority(gen, entry->authority, entry->value, entry->len,
					  entry->raw, entry->raw_len, err);

	return rc ? err_prefix(err, "%s:%zu", holdings->certs.path, entry->line) : 0;
}

static int snapshot_key(struct generation *gen, const struct holdings *holdings,
			const struct certs_entry *entry, struct err *err)
{
	struct secret pem = {0};
	const char *raw = entry->vault ? entry->value : entry->raw;
	size_t raw_len = entry->vault ? entry->len : entry->raw_len;
	int rc;

	rc = holdings_read_key(&pem, holdings, entry, err);
	rc = rc ? rc
		: generation_add_key(gen, entry->authority, entry->name, pem.data, pem.len, raw,
				     raw_len, err);
	secret_wipe(&pem);
	return rc;
}

int holdings_take_leaf(struct generation *gen, const struct holdings *holdings,
		       const struct chain_desc *chain, const struct certs_entry *entry,
		       struct err *err)
{
	const struct certs_entry *key = certs_find(holdings_keys(holdings)->certs, CERTS_KEY,
						   entry->authority, entry->name);
	int rc = snapshot_leaf(gen, holdings, chain, entry, err);

	return rc || !key ? rc : snapshot_key(gen, holdings, key, err);
}

int holdings_snapshot(struct generation *out, const struct holdings *holdings, const char *id,
		      const struct chain_desc *chain, struct err *err)
{
	const struct certs *certs = holdings->certs.certs;
	const struct certs *keys = holdings_keys(holdings)->certs;
	int rc = generation_init(out, id, holdings->session->arena, err);

	for (size_t i = 0; i < certs_count(certs) && !rc; i++) {
		const struct certs_entry *entry = certs_at(certs, i);

		if (entry->kind == CERTS_CHAIN)
			rc = snapshot_chain(out, holdings, entry, err);
		else if (entry->kind == CERTS_LEAF)
			rc = snapshot_leaf(out, holdings, chain, entry, err);
	}
	for (size_t i = 0; keys && i < certs_count(keys) && !rc; i++) {
		const struct certs_entry *entry = certs_at(keys, i);

		/* An authority's own key stands among them (Python's chainsmith); it belongs to no
		 * leaf. */
		if (entry->kind == CERTS_KEY && generation_leaf(out, entry->authority, entry->name))
			rc = snapshot_key(out, holdings, entry, err);
	}
	if (!rc && !out->authority_count) {
		rc = err_set(err, ERR_FAIL, "%s: no authority with a chain in it",
			     holdings->certs.path);
		err_hint(err, "expected certs.server.chain and certs.client.chain");
	}
	for (size_t i = 0; i < out->leaf_count && !rc; i++) {
		const struct gen_leaf *leaf = &out->leaves[i];

		if (generation_authority(out, leaf->authority))
			continue;
		rc = err_set(err, ERR_FAIL, "%s: certs.%s has leaves but no chain",
			     holdings->certs.path, leaf->authority);
		err_hint(err, "its chain is the bundle that the peers trust: add it");
	}
	if (rc)
		generation_release(out);
	if (rc)
		err_hint_default(err, "nothing was changed; see who changed it with 'git log -p'");
	return rc;
}

/* The same certificates, whatever stands around them. */
static bool same_certs(const struct certs_entry *entry, const struct target_value *value)
{
	struct bundle a = BUNDLE_INIT, b = BUNDLE_INIT;
	bool same;

	if (certs_same(entry->value, entry->len, value->text, value->len))
		return true;
	same = !bundle_from_pem(&a, entry->value, entry->len, "", NULL) &&
	       !bundle_from_pem(&b, value->text, value->len, "", NULL) && bundle_equal(&a, &b);
	bundle_release(&a);
	bundle_release(&b);
	return same;
}

int holdings_matches(bool *out, const struct holdings *holdings, const struct certs_entry *entry,
		     const struct target_value *value, struct err *err)
{
	struct secret pem = {0};
	int rc;

	if (entry->kind != CERTS_KEY) {
		*out = same_certs(entry, value);
		return 0;
	}
	if (!entry->vault) {
		*out = certs_same(entry->value, entry->len, value->text, value->len);
		return 0;
	}
	rc = holdings_read_key(&pem, holdings, entry, err);
	*out = !rc && certs_same(pem.data, pem.len, value->text, value->len);
	secret_wipe(&pem);
	return rc;
}

struct target_value holdings_target(const struct target *target, const struct certs_entry *entry)
{
	switch (entry->kind) {
	case CERTS_CHAIN:
		return target_chain(target, entry->authority);
	case CERTS_LEAF:
		return target_leaf(target, entry->authority, entry->name);
	case CERTS_KEY:
	case CERTS__MAX:
		break;
	}
	return target_key(target, entry->authority, entry->name);
}

bool holdings_is_foreign(const struct target *target, const struct certs_entry *entry)
{
	return entry->kind == CERTS_KEY &&
	       !generation_leaf(target->old_gen, entry->authority, entry->name) &&
	       (!target->new_gen ||
		!generation_leaf(target->new_gen, entry->authority, entry->name));
}

int holdings_each_missing(const struct holdings *holdings, const struct target *target,
			  missing_fn *fn, void *ctx, struct err *err)
{
	const struct generation *gens[] = {target->old_gen, target->new_gen};
	int rc = 0;

	for (size_t a = 0; a < target->old_gen->authority_count && !rc; a++) {
		const char *authority = target->old_gen->authorities[a].name;
		struct target_value chain = target_chain(target, authority);

		if (!certs_find(holdings->certs.certs, CERTS_CHAIN, authority, NULL))
			rc = fn(ctx, CERTS_CHAIN, authority, CHAIN_NAME, &chain, err);
	}
	for (size_t g = 0; g < 2; g++) {
		for (size_t i = 0; gens[g] && i < gens[g]->leaf_count && !rc; i++) {
			const char *authority = gens[g]->leaves[i].authority;
			const char *name = gens[g]->leaves[i].name;
			struct target_value cert = target_leaf(target, authority, name);
			struct target_value key = target_key(target, authority, name);

			if (g && target->old_gen &&
			    generation_leaf(target->old_gen, authority, name))
				continue;
			if (cert.present &&
			    !certs_find(holdings->certs.certs, CERTS_LEAF, authority, name))
				rc = fn(ctx, CERTS_LEAF, authority, name, &cert, err);
			if (!rc && key.present && holdings->keys_open &&
			    !certs_find(holdings_keys(holdings)->certs, CERTS_KEY, authority, name))
				rc = fn(ctx, CERTS_KEY, authority, name, &key, err);
		}
	}
	return rc;
}

static int each_of_doc(const struct holdings *holdings, const struct certs *doc,
		       const struct target *target, difference_fn *fn, void *ctx, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; doc && i < certs_count(doc) && !rc; i++) {
		const struct certs_entry *entry = certs_at(doc, i);
		struct difference difference = {.kind = entry->kind,
						.authority = entry->authority,
						.name = entry->name,
						.entry = entry,
						.wanted = holdings_target(target, entry)};
		bool same = false;

		if (holdings_is_foreign(target, entry) ||
		    (entry->kind == CERTS_KEY && !holdings->keys_open))
			continue;
		if (difference.wanted.present)
			rc = holdings_matches(&same, holdings, entry, &difference.wanted, err);
		if (!rc && !same)
			rc = fn(ctx, &difference, err);
	}
	return rc;
}

struct missing {
	difference_fn *fn;
	void *ctx;
};

static int pass_missing(void *ctx, enum certs_kind kind, const char *authority, const char *name,
			const struct target_value *value, struct err *err)
{
	const struct missing *missing = ctx;
	struct difference difference = {
		.kind = kind, .authority = authority, .name = name, .wanted = *value};

	return missing->fn(missing->ctx, &difference, err);
}

int holdings_each_difference(const struct holdings *holdings, const struct target *target,
			     difference_fn *fn, void *ctx, struct err *err)
{
	struct missing missing = {fn, ctx};
	int rc = each_of_doc(holdings, holdings->certs.certs, target, fn, ctx, err);

	if (!holdings->one_file)
		rc = rc ? rc : each_of_doc(holdings, holdings->keys.certs, target, fn, ctx, err);
	return rc ? rc : holdings_each_missing(holdings, target, pass_missing, &missing, err);
}
