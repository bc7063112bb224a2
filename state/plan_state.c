/* SPDX-License-Identifier: PostgreSQL */
/* The state that a plan writes beside its edit: what is under way from then on. */
#include <stdlib.h>
#include <string.h>

#include "state/plan_files.h"

bool plan_issues(const struct plan *plan)
{
	enum phase phase = plan->row.phase;

	return !plan->resume && plan->row.direction == DIRECTION_FORWARD &&
	       (phase == PHASE_GENERATE || phase == PHASE_EMERGENCY || phase == PHASE_FIRST);
}

static int new_rotation_id(char **out, struct session *session, struct err *err)
{
	char at[SYS_TIME_SIZE];
	unsigned char tail[2];
	int rc = session->sys->random(session->sys, tail, sizeof(tail), err);

	if (rc)
		return rc;
	sys_time_text(session->sys->now(session->sys), at);
	/* 2026-11-21T01:30:00Z becomes 20261121T013000Z: it is part of branch names. */
	*out = str_fmt("%.4s%.2s%.2sT%.2s%.2s%.2sZ-%02x%02x", at, at + 5, at + 8, at + 11, at + 14,
		       at + 17, tail[0], tail[1]);
	return *out ? 0 : err_nomem(err);
}

static int set_generations(struct plan *plan, struct err *err)
{
	struct store *store = &plan->store;
	int rc = 0;

	if (plan_issues(plan)) {
		if (plan->has_old)
			rc = store_set(&store->old_gen, plan->old_gen.id, err);
		rc = rc ? rc : store_set(&store->new_gen, plan->new_gen.id, err);
		rc = rc ? rc : store_set(&store->last_gen, plan->new_gen.id, err);
		if (plan->row.phase == PHASE_GENERATE)
			rc = rc ? rc : store_set(&store->retired_gen, NULL, err);
	} else if (plan->row.event == EVENT_REVERT_PRUNE && !plan->turn) {
		rc = store_set(&store->old_gen, plan->old_gen.id, err);
		rc = rc ? rc : store_set(&store->new_gen, plan->new_gen.id, err);
		rc = rc ? rc : store_set(&store->retired_gen, NULL, err);
	}
	return rc;
}

static int set_hosts(struct plan *plan, struct err *err)
{
	const struct generation *gen = plan->has_new ? &plan->new_gen : &plan->old_gen;
	int rc = 0;

	strs_release(&plan->store.host_set);
	for (size_t i = 0; i < gen->leaf_count && !rc; i++) {
		if (gen->leaves[i].kind == LEAF_SERVER)
			rc = strs_add(&plan->store.host_set, gen->leaves[i].name, err);
	}
	strs_sort(&plan->store.host_set);
	return rc;
}

/* Who was left behind is caught up before this state is published, or is left out once more. */
static int set_behind(struct plan *plan, struct err *err)
{
	struct strs still = STRS_INIT;
	int rc = 0;

	if (!phase_rolls_out(plan->row.phase))
		return 0;
	for (size_t i = 0; i < plan->store.behind.count && !rc; i++) {
		if (strs_has(&plan->skip, plan->store.behind.items[i]))
			rc = strs_add(&still, plan->store.behind.items[i], err);
	}
	strs_release(&plan->store.behind);
	plan->store.behind = still;
	return rc;
}

/* Whoever goes on with the phase need not give them again: a merge may take days. */
static int set_waivers(struct plan *plan, struct session *session, struct err *err)
{
	js_free(plan->store.waivers);
	plan->store.waivers = waivers_json(plan->given, session->by,
					   session->sys->now(session->sys));
	return plan->store.waivers ? 0 : err_nomem(err);
}

/*
 * What is turned round is known here alone, and only where nobody else had a hand in it: which of
 * its hooks were begun is asked this machine's journal.
 */
static int begin(struct plan *plan, struct session *session, const char *reason, struct err *err)
{
	const struct under_way *under_way = &plan->store.under_way;
	bool own = plan->turn && under_way->host && !strcmp(under_way->host, session->host) &&
		   under_way->begun && under_way->since &&
		   !strcmp(under_way->begun, under_way->since);
	char *turned = own ? strdup(under_way->begun) : NULL;
	int rc = own && !turned ? err_nomem(err) : 0;

	rc = rc ? rc
		: store_begin(&plan->store, &plan->row, session->by, session->host,
			      session->sys->now(session->sys), reason, err);
	rc = rc ? rc : store_set(&plan->store.under_way.turned, turned, err);
	free(turned);
	return rc;
}

int plan_begin(struct plan *plan, struct session *session, const struct plan_options *options,
	       struct err *err)
{
	int rc = 0;

	if (plan_issues(plan)) {
		rc = new_rotation_id(&plan->rotation, session, err);
		rc = rc ? rc : store_set(&plan->store.rotation, plan->rotation, err);
	} else {
		plan->rotation = strdup(plan->store.rotation ? plan->store.rotation : "");
		rc = plan->rotation ? 0 : err_nomem(err);
	}
	if (rc || plan->resume || (options->dry_run && plan_issues(plan)))
		return rc;
	rc = set_generations(plan, err);
	rc = rc ? rc : set_hosts(plan, err);
	rc = rc ? rc : set_behind(plan, err);
	rc = rc ? rc : set_waivers(plan, session, err);
	return rc ? rc : begin(plan, session, options->reason, err);
}
