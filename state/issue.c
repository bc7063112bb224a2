/* SPDX-License-Identifier: PostgreSQL */
#include "state/issue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/issue.h"
#include "pki/key.h"
#include "state/issue_impl.h"

#define CURVE_NAMES_SHOWN 5

static int add_item(struct issue_work *work, struct issue_item item, struct err *err)
{
	struct issue_item *items = work->items;
	int rc = key_alg_parse(
		&item.alg, item.authority ? item.authority->key : work->options->chain->key, err);

	if (!rc && !(work->count & (work->count - 1))) {
		items = realloc(items, (work->count ? work->count * 2 : 1) * sizeof(*items));
		if (!items)
			return err_nomem(err);
		work->items = items;
	}
	if (!rc)
		items[work->count++] = item;
	return rc;
}

static const struct gen_leaf *predecessor(const struct issue_work *work, const char *authority,
					  const char *name)
{
	const struct generation *old = work->options->old_gen;

	return old ? generation_leaf(old, authority, name) : NULL;
}

static int add_described(struct issue_work *work, const struct chain_authority *authority,
			 struct strmap *seen, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < authority->server_count && !rc; i++) {
		const struct chain_server *server = &authority->servers[i];
		struct issue_item item = {
			authority,    server,	   predecessor(work, authority->name, server->host),
			server->host, LEAF_SERVER, KEY_ALG__MAX,
			true};

		rc = add_item(work, item, err);
		rc = rc ? rc : strmap_put(seen, server->host, 1, err);
	}
	for (size_t i = 0; i < authority->clients.count && !rc; i++) {
		const char *user = authority->clients.items[i];
		struct issue_item item = {
			authority, NULL,	predecessor(work, authority->name, user),
			user,	   LEAF_CLIENT, KEY_ALG__MAX,
			true};

		rc = add_item(work, item, err);
		rc = rc ? rc : strmap_put(seen, user, 1, err);
	}
	return rc;
}

/* Every leaf of the old generation has a successor, described or not. */
static int add_undescribed(struct issue_work *work, const struct chain_authority *authority,
			   const struct strmap *seen, struct err *err)
{
	const struct generation *old = work->options->old_gen;
	int rc = 0;

	for (size_t i = 0; old && i < old->leaf_count && !rc; i++) {
		const struct gen_leaf *leaf = &old->leaves[i];
		struct issue_item item = {authority,  NULL,	    leaf, leaf->name,
					  leaf->kind, KEY_ALG__MAX, false};

		if (strcmp(leaf->authority, authority->name) != 0 ||
		    strmap_get(seen, leaf->name, NULL))
			continue;
		rc = add_item(work, item, err);
	}
	return rc;
}

static int same_authorities(const struct chain_desc *chain, const struct generation *old,
			    struct err *err)
{
	for (size_t i = 0; old && i < old->authority_count; i++) {
		const char *name = old->authorities[i].name;

		if (chain_authority_find(chain, name))
			continue;
		err_set(err, ERR_USAGE, "certs.%s has no counterpart in %s", name, chain->file);
		return err_hint(err, "add '- name: %s' to its intermediates", name);
	}
	for (size_t i = 0; old && i < chain->authority_count; i++) {
		const struct chain_authority *authority = &chain->authorities[i];

		if (generation_authority(old, authority->name))
			continue;
		err_set(err, ERR_USAGE, "%s:%zu: the authority '%s' has no chain in the inventory",
			chain->file, authority->line, authority->name);
		return err_hint(err,
				"a rotation replaces what is there: take it out of the "
				"description until certs.%s is there",
				authority->name);
	}
	return 0;
}

static int list_items(struct issue_work *work, struct err *err)
{
	const struct chain_desc *chain = work->options->chain;
	int rc = same_authorities(chain, work->options->old_gen, err);

	rc = rc ? rc : add_item(work, (struct issue_item){.kind = LEAF_KIND__MAX}, err);
	for (size_t i = 0; i < chain->authority_count && !rc; i++)
		rc = add_item(work,
			      (struct issue_item){.authority = &chain->authorities[i],
						  .kind = LEAF_KIND__MAX},
			      err);
	for (size_t i = 0; i < chain->authority_count && !rc; i++) {
		struct strmap seen = STRMAP_INIT;

		rc = add_described(work, &chain->authorities[i], &seen, err);
		rc = rc ? rc : add_undescribed(work, &chain->authorities[i], &seen, err);
		strmap_release(&seen);
	}
	return rc;
}

static bool name_taken(const struct generation *old, const char *common_name)
{
	for (size_t a = 0; old && a < old->authority_count; a++) {
		const struct bundle *bundle = &old->authorities[a].bundle;

		for (size_t i = 0; i < bundle->count; i++) {
			if (!strcmp(cert_common_name(bundle->items[i]), common_name))
				return true;
		}
	}
	return false;
}

/* "server G2", counted on where an older CA has that name already. */
static int ca_subject(struct dn *out, const char *name, const struct issue_work *work,
		      struct err *err)
{
	char *common_name = str_fmt("%s G%u", name, work->number);
	int rc = common_name ? dn_copy(out, &work->subject, err) : err_nomem(err);

	rc = rc ? rc : dn_set_cn(out, common_name, err);
	free(common_name);
	return rc;
}

static unsigned free_number(const struct issue_work *work, unsigned number)
{
	const struct chain_desc *chain = work->options->chain;
	bool taken = true;

	for (; taken && number < 100000; number += taken) {
		char *root = str_fmt("%s G%u", dn_cn(&work->subject), number);

		taken = root && name_taken(work->options->old_gen, root);
		free(root);
		for (size_t i = 0; i < chain->authority_count && !taken; i++) {
			char *name = str_fmt("%s G%u", chain->authorities[i].name, number);

			taken = name && name_taken(work->options->old_gen, name);
			free(name);
		}
	}
	return number;
}

static int64_t ca_days(const struct chain_desc *chain, int64_t days)
{
	for (size_t i = 0; i < chain->authority_count; i++) {
		if ((int64_t)chain->authorities[i].days + 30 > days)
			days = (int64_t)chain->authorities[i].days + 30;
	}
	return days;
}

static int issue_ca(struct issue_work *work, size_t index, struct err *err)
{
	const struct issue_options *options = work->options;
	const struct issue_item *item = &work->items[index];
	struct dn subject = DN_INIT;
	struct cert **out = index ? &work->authorities[index - 1] : &work->root;
	int64_t days = ca_days(options->chain, index ? CHAIN_CA_DAYS : CHAIN_ROOT_DAYS);
	struct issue_spec spec = {.sys = options->sys,
				  .key = work->keys[index],
				  .issuer = work->root,
				  .issuer_key = index ? work->keys[0] : NULL,
				  .subject = &subject,
				  .is_ca = true,
				  .pathlen = index ? 0 : 1,
				  .not_after = options->sys->now(options->sys) + days * ISSUE_DAY};
	int rc = ca_subject(&subject,
			    item->authority ? item->authority->name : dn_cn(&work->subject), work,
			    err);

	rc = rc ? rc : cert_issue(out, &spec, err);
	dn_release(&subject);
	return rc;
}

static int add_chain(struct issue_work *work, struct generation *gen, size_t a, struct err *err)
{
	const char *name = work->options->chain->authorities[a].name;
	struct buf pem;
	int rc;

	buf_init(&pem, BUF_TEXT_MAX);
	rc = cert_to_pem(&pem, work->authorities[a], err);
	rc = rc ? rc : cert_to_pem(&pem, work->root, err);
	rc = rc ? rc : generation_add_authority(gen, name, pem.data, pem.len, NULL, 0, err);
	if (!rc)
		rc = key_to_pem(&gen->authorities[gen->authority_count - 1].ca_key, gen->arena,
				work->keys[a + 1], err);
	buf_release(&pem);
	return rc;
}

static int keys_progress(void *ctx, size_t done, size_t total)
{
	const struct issue_options *options = ctx;

	log_progress(options->log, "generate: %zu of %zu keys", done, total);
	return loop_stop_count(options->stop) > 0;
}

static int make_keys(struct issue_work *work, struct err *err)
{
	enum key_alg *algs = malloc(work->count * sizeof(*algs));
	int rc;

	work->keys = calloc(work->count, sizeof(*work->keys));
	if (!algs || !work->keys) {
		free(algs);
		return err_nomem(err);
	}
	for (size_t i = 0; i < work->count; i++)
		algs[i] = work->items[i].alg;
	rc = keys_generate(work->keys, algs, work->count, 0, keys_progress,
			   (void *)(uintptr_t)work->options, err);
	log_progress(work->options->log, "%s", "");
	free(algs);
	return rc;
}

static int read_subject(struct dn *out, const struct chain_desc *chain, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < chain->subject_count && !rc; i++) {
		const struct chain_attr *attr = &chain->subject[i];

		rc = dn_add(out, attr->type, attr->value, err);
		if (rc)
			err_prefix(err, "%s:%zu", chain->file, attr->line);
	}
	return rc;
}

/* A name that is too long for a certificate is found before keys are made for minutes. */
static int check_names(struct issue_work *work, unsigned number, struct err *err)
{
	const struct chain_desc *chain = work->options->chain;
	struct dn subject = DN_INIT;
	int rc = read_subject(&work->subject, chain, err);

	if (rc)
		return rc;
	work->number = free_number(work, number);
	rc = ca_subject(&subject, dn_cn(&work->subject), work, err);
	if (rc)
		err_prefix(err, "%s: the root", chain->file);
	dn_release(&subject);
	for (size_t i = 0; i < chain->authority_count && !rc; i++) {
		rc = ca_subject(&subject, chain->authorities[i].name, work, err);
		if (rc)
			err_prefix(err, "%s:%zu", chain->file, chain->authorities[i].line);
		dn_release(&subject);
	}
	return rc;
}

static void work_release(struct issue_work *work)
{
	for (size_t i = 0; work->keys && i < work->count; i++)
		key_free(work->keys[i]);
	for (size_t a = 0; work->authorities && a < work->options->chain->authority_count; a++)
		cert_free(work->authorities[a]);
	free(work->keys);
	free(work->authorities);
	cert_free(work->root);
	free(work->items);
	dn_release(&work->subject);
}

int generation_issue(struct generation *out, const struct issue_options *options, struct err *err)
{
	struct issue_work work = {.options = options};
	size_t authorities = options->chain->authority_count;
	int rc = generation_init(out, options->id, options->arena, err);

	work.authorities = calloc(authorities + 1, sizeof(struct cert *));
	if (!rc && !work.authorities)
		rc = err_nomem(err);
	rc = rc ? rc : list_items(&work, err);
	rc = rc ? rc : check_names(&work, generation_number(options->id), err);
	rc = rc ? rc : make_keys(&work, err);
	for (size_t i = 0; i <= authorities && !rc; i++)
		rc = issue_ca(&work, i, err);
	for (size_t a = 0; a < authorities && !rc; a++)
		rc = add_chain(&work, out, a, err);
	rc = rc ? rc : issue_leaves(&work, out, authorities + 1, err);
	if (!rc)
		rc = key_to_pem(&out->root_key, out->arena, work.keys[0], err);
	work_release(&work);
	if (rc)
		generation_release(out);
	return rc;
}

int generation_issue_leaf(struct generation *gen, const struct issue_options *options,
			  const struct issue_one *one, struct err *err)
{
	struct issue_work work = {.options = options};
	const struct gen_authority *signer = generation_authority(gen, one->authority->name);
	struct issue_item item = {.authority = one->authority,
				  .server = one->server,
				  .old = one->predecessor,
				  .name = one->name,
				  .kind = one->kind};
	struct key *key = NULL, *ca_key = NULL;
	int rc = read_subject(&work.subject, options->chain, err);

	if (!rc && (!signer || !signer->ca_key.data))
		rc = err_set(err, ERR_NOENT, "generation %s has no CA key of '%s'", gen->id,
			     one->authority->name);
	rc = rc ? rc : key_from_pem(&ca_key, &signer->ca_key, one->authority->name, err);
	rc = rc ? rc : key_alg_parse(&item.alg, one->authority->key, err);
	rc = rc ? rc : key_generate(&key, item.alg, err);
	if (!rc) {
		const struct signing signing = {signer->bundle.items[0], ca_key, key};

		rc = issue_leaf(&work, gen, &item, &signing, err);
	}
	key_free(key);
	key_free(ca_key);
	dn_release(&work.subject);
	return rc;
}

static int compare_leaf(struct findings *out, const struct issue_item *item,
			const struct chain_desc *chain, struct err *err)
{
	char *subject = str_fmt("%s %s", item->authority->name, item->name);
	int rc = 0;

	if (!subject)
		return err_nomem(err);
	if (!item->described)
		rc = findings_add(
			out, "leaf-undescribed", SEVERITY_WARNING, subject,
			"add it to the description, or remove it from the inventory first", err,
			"%s does not name it; it gets a successor all the same", chain->file);
	else if (!item->old)
		rc = findings_add(out, "leaf-added", SEVERITY_INFO, subject, NULL, err,
				  "new in %s: it gets a certificate of the new generation",
				  chain->file);
	if (!rc && item->old && !item->old->key.data)
		rc = findings_add(
			out, "key-missing", SEVERITY_WARNING, subject,
			"its new key is added to the vault; see that whoever keeps the old "
			"one gets it",
			err, "the inventory has its certificate, but no key for it");
	free(subject);
	return rc;
}

/*
 * With TLS 1.2 a PostgreSQL that is left with its ssl_ecdh_curve (prime256v1) refuses clients whose
 * key is on another curve. Said before it is made: the proof sees it when the phase "clients"
 * comes.
 */
static int compare_curves(struct findings *out, const struct issue_work *work, struct err *err)
{
	struct strs users = STRS_INIT;
	char names[512];
	int rc = 0;

	for (size_t i = 0; i < work->count && !rc; i++) {
		const struct issue_item *item = &work->items[i];

		if (item->name && item->kind == LEAF_CLIENT && item->alg == KEY_ECDSA_P384 &&
		    !(item->old && cert_key_algorithm(item->old->cert) == KEY_ECDSA_P384))
			rc = strs_add(&users, item->name, err);
	}
	strs_join(&users, CURVE_NAMES_SHOWN, names, sizeof(names));
	if (!rc && users.count)
		rc = findings_add(out, "client-curve", SEVERITY_WARNING, "clients",
				  "take ecdsa-p256 or RSA keys for them, unless all of them and "
				  "their servers speak TLS 1.3",
				  err,
				  "%s get ecdsa-p384 keys: with TLS 1.2 PostgreSQL takes clients' "
				  "keys on its own ssl_ecdh_curve only (prime256v1)",
				  names);
	strs_release(&users);
	return rc;
}

int issue_findings(struct findings *out, const struct chain_desc *chain,
		   const struct generation *old_gen, struct err *err)
{
	struct issue_options options = {.chain = chain, .old_gen = old_gen};
	struct issue_work work = {.options = &options};
	int rc = list_items(&work, err);

	rc = rc ? rc : check_names(&work, 1, err);
	for (size_t i = 0; i < chain->warnings.count && !rc; i++)
		rc = findings_add(out, "chain-description", SEVERITY_WARNING, chain->file, NULL,
				  err, "%s", chain->warnings.items[i]);
	for (size_t i = chain->authority_count + 1; i < work.count && !rc && old_gen; i++)
		rc = compare_leaf(out, &work.items[i], chain, err);
	if (!rc)
		rc = compare_curves(out, &work, err);
	work_release(&work);
	return rc;
}

int issue_summary(struct buf *out, const struct chain_desc *chain, const struct generation *old_gen,
		  struct err *err)
{
	struct issue_options options = {.chain = chain, .old_gen = old_gen};
	struct issue_work work = {.options = &options};
	size_t counts[KEY_ALG__MAX] = {0};
	const char *comma = "";
	int rc = list_items(&work, err);

	for (size_t i = 0; i < work.count && !rc; i++)
		counts[work.items[i].alg]++;
	for (int alg = 0; alg < KEY_ALG__MAX && !rc; alg++) {
		if (!counts[alg])
			continue;
		buf_addf(out, "%s%zu %s", comma, counts[alg], key_alg_name((enum key_alg)alg));
		comma = ", ";
	}
	work_release(&work);
	return rc;
}
