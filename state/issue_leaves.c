/* SPDX-License-Identifier: PostgreSQL */
/* The leaves of a new generation: what each must be good for, and all of them at once. */
#include <stdlib.h>

#include "safety/pool.h"
#include "state/issue_impl.h"

/* What the leaf must be good for: what is described and what its predecessor was. */
struct leaf_lists {
	struct strs names;
	struct strs key_usages;
	struct strs ext_usages;
};

static int leaf_lists(struct leaf_lists *lists, const struct issue_item *item, struct err *err)
{
	int rc = strs_copy(&lists->key_usages, &item->authority->key_usages, err);

	rc = rc ? rc : strs_copy(&lists->ext_usages, &item->authority->ext_usages, err);
	if (!rc && item->server)
		rc = chain_server_sans(&lists->names, item->server, err);
	if (!rc && item->old) {
		struct strs usages = STRS_INIT;

		rc = cert_names(&lists->names, item->old->cert, err);
		rc = rc ? rc : cert_key_usages(&usages, item->old->cert, err);
		for (size_t i = 0; i < usages.count && !rc; i++)
			rc = strs_add_unique(&lists->key_usages, usages.items[i], err);
		strs_release(&usages);
		rc = rc ? rc : cert_ext_usages(&usages, item->old->cert, err);
		for (size_t i = 0; i < usages.count && !rc; i++)
			rc = strs_add_unique(&lists->ext_usages, usages.items[i], err);
		strs_release(&usages);
	}
	return rc;
}

static int make_leaf(struct gen_made *out, const struct issue_work *work, struct arena *arena,
		     const struct issue_item *item, const struct signing *signing, struct err *err)
{
	const struct issue_options *options = work->options;
	struct leaf_lists lists = {STRS_INIT, STRS_INIT, STRS_INIT};
	struct dn subject = DN_INIT;
	struct issue_spec spec = {.sys = options->sys,
				  .key = signing->key,
				  .issuer = signing->issuer,
				  .issuer_key = signing->issuer_key,
				  .subject = item->old ? NULL : &subject,
				  .subject_from = item->old ? item->old->cert : NULL,
				  .names = &lists.names,
				  .key_usages = &lists.key_usages,
				  .ext_usages = &lists.ext_usages,
				  .not_after = options->sys->now(options->sys) +
					       (int64_t)item->authority->days * ISSUE_DAY};
	int rc = leaf_lists(&lists, item, err);

	buf_init(&out->pem, BUF_TEXT_MAX);
	rc = rc ? rc : dn_copy(&subject, &work->subject, err);
	rc = rc ? rc : dn_set_cn(&subject, item->name, err);
	if (!rc && cert_issue(&out->cert, &spec, err))
		rc = err_prefix(err, "%s %s", item->authority->name, item->name);
	rc = rc ? rc : cert_to_pem(&out->pem, out->cert, err);
	rc = rc ? rc : key_to_pem(&out->key, arena, signing->key, err);
	dn_release(&subject);
	strs_release(&lists.names);
	strs_release(&lists.key_usages);
	strs_release(&lists.ext_usages);
	return rc;
}

static int take_made(struct generation *gen, const struct issue_item *item, struct gen_made *made,
		     struct err *err)
{
	return generation_take_leaf(gen, item->authority->name, item->name, item->kind, made, err);
}

int issue_leaf(const struct issue_work *work, struct generation *gen, const struct issue_item *item,
	       const struct signing *signing, struct err *err)
{
	struct gen_made made = {.key = {0}};
	int rc = make_leaf(&made, work, gen->arena, item, signing, err);

	rc = rc ? rc : take_made(gen, item, &made, err);
	gen_made_release(&made);
	return rc;
}

/* ---- all of them */

struct batch {
	struct issue_work *work;
	struct arena *arena;
	struct gen_made *made;
	size_t from;
};

static int leaf_job(void *ctx, void *local, size_t i, struct err *err)
{
	struct batch *batch = ctx;
	struct issue_work *work = batch->work;
	const struct issue_item *item = &work->items[batch->from + i];
	size_t authority = (size_t)(item->authority - work->options->chain->authorities);
	struct key **key = &work->keys[batch->from + i];
	const struct signing signing = {work->authorities[authority], work->keys[authority + 1],
					*key};
	int rc = make_leaf(&batch->made[i], work, batch->arena, item, &signing, err);

	(void)local;
	key_free(*key);
	*key = NULL;
	return rc;
}

int issue_leaves(struct issue_work *work, struct generation *gen, size_t from, struct err *err)
{
	size_t count = work->count - from;
	struct batch batch = {.work = work,
			      .arena = gen->arena,
			      .made = calloc(count + 1, sizeof(*batch.made)),
			      .from = from};
	const struct pool pool = {.ctx = &batch,
				  .job = leaf_job,
				  .log = work->options->log,
				  .what = "generate: certificates"};
	int rc = batch.made ? pool_run(&pool, count, err) : err_nomem(err);

	for (size_t i = 0; batch.made && i < count; i++) {
		rc = rc ? rc : take_made(gen, &work->items[from + i], &batch.made[i], err);
		gen_made_release(&batch.made[i]);
	}
	free(batch.made);
	return rc;
}
