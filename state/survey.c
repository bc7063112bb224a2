/* SPDX-License-Identifier: PostgreSQL */
#include "state/survey.h"

#include <stdlib.h>
#include <string.h>

#include "state/drift.h"
#include "state/gates.h"
#include "state/hooks.h"
#include "state/live.h"
#include "state/members.h"
#include "state/seen.h"
#include "state/steps.h"
#include "state/unfinished.h"

static int note_expiry(struct survey *survey, const struct cert *cert, const char *subject,
		       int64_t now, int64_t warning, struct err *err)
{
	int64_t until = cert_not_after(cert);
	char text[SYS_TIME_SIZE], left[32];

	if (!survey->first_expiry || until < survey->first_expiry) {
		survey->first_expiry = until;
		if (store_set(&survey->first_name, subject, err))
			return ERR_FAIL;
	}
	sys_time_text(until, text);
	sys_duration_text(until - now, left, sizeof(left));
	if (until <= now)
		return findings_add(&survey->findings, "expired", SEVERITY_BLOCK, subject,
				    "it is refused today: 'certrotate next --emergency REASON'",
				    err, "expired at %s", text);
	if (until - now < warning)
		return findings_add(&survey->findings, "expiry", SEVERITY_WARNING, subject,
				    "begin a rotation with 'certrotate next'", err,
				    "expires in %s, at %s", left, text);
	return 0;
}

static int note_expiries(struct survey *survey, struct session *session, int64_t warning,
			 struct err *err)
{
	int64_t now = session->sys->now(session->sys);
	int rc = 0;

	for (size_t i = 0; i < survey->live.leaf_count && !rc; i++) {
		const struct gen_leaf *leaf = &survey->live.leaves[i];
		char *subject = str_fmt("%s %s", leaf->authority, leaf->name);

		rc = subject ? note_expiry(survey, leaf->cert, subject, now, warning, err)
			     : err_nomem(err);
		free(subject);
	}
	for (size_t a = 0; a < survey->live.authority_count && !rc; a++) {
		const struct bundle *bundle = &survey->live.authorities[a].bundle;

		for (size_t i = 0; i < bundle->count && !rc; i++) {
			char *subject = str_fmt("CA %s", cert_subject(bundle->items[i]));

			rc = subject ? note_expiry(survey, bundle->items[i], subject, now, warning,
						   err)
				     : err_nomem(err);
			free(subject);
		}
	}
	return rc;
}

static int note_state(struct survey *survey, struct session *session, struct err *err)
{
	const struct store *store = &session->store;
	const struct environment *env = session->env;
	struct err awaited = {0};
	int rc = 0;

	if (store->under_way.active)
		rc = unfinished_note(&survey->findings, session, err);
	else if (step_awaited(session, &awaited) != ERR_GATE)
		rc = interrupted_note(&survey->findings, session, err);
	else
		rc = findings_add(&survey->findings, "awaited", SEVERITY_BLOCK, env->base,
				  awaited.hint, err, "%s", awaited.msg);
	rc = rc ? rc
		: hooks_waiting(&survey->findings, session, survey->has_live ? &survey->live : NULL,
				err);
	for (size_t i = 0; i < store->behind.count && !rc; i++)
		rc = findings_add(&survey->findings, "behind", SEVERITY_WARNING,
				  store->behind.items[i],
				  "the next phase brings it up to date first, once it is up", err,
				  "was left out of a rollout");
	return rc ? rc : session_notes(&survey->findings, session, err);
}

/* What the next phase waits for, as this machine knows it: worth knowing, nothing is wrong. */
static int note_gates(struct survey *survey, struct session *session, struct err *err)
{
	const struct store *store = &session->store;
	struct findings waits = FINDINGS_INIT;
	struct gates_input input = {.row = table_find(store->state, EVENT_NEXT),
				    .stays = &survey->live};
	int rc = 0;

	if (store->under_way.active || input.row->refusal)
		return 0;
	rc = gates_check(&waits, session, &input, err);
	for (size_t i = 0; i < waits.count && !rc; i++) {
		const struct finding *wait = &waits.items[i];

		rc = findings_add(&survey->findings, wait->check, SEVERITY_INFO, wait->subject,
				  wait->advice, err, "%s", wait->reason);
	}
	findings_release(&waits);
	return rc;
}

/*
 * The description as the base has it: a checkout that is behind must not make a drift of what a
 * colleague changed in all places. Where the base has none, the checkout's is read later.
 */
static int take_base_chain(struct session *session, struct err *err)
{
	const struct environment *env = session->env;
	struct buf text;
	int rc;

	if (session->chain)
		return 0;
	buf_init(&text, CHAIN_TEXT_MAX);
	rc = repo_read(&text, session->repo, &session->base, env->chain, CHAIN_TEXT_MAX, err);
	if (rc == ERR_NOENT)
		rc = 0;
	else if (!rc)
		rc = chain_parse(&session->chain, text.data ? text.data : "", text.len, env->chain,
				 repo_root(session->repo), env->inventory, err);
	buf_release(&text);
	return rc;
}

static int look_for_drift(struct findings *out, struct session *session,
			  const struct holdings *holdings, struct err *err)
{
	struct findings came = FINDINGS_INIT;
	struct members members = {0};
	struct live live = {0};
	int rc = take_base_chain(session, err);
	struct members_input in = {.session = session,
				   .holdings = holdings,
				   .old_gen = &live.old_gen,
				   .new_gen = &live.new_gen,
				   .now = &live.target};
	struct drift_input drift = {.session = session,
				    .holdings = holdings,
				    .target = &live.target,
				    .spared = &members.spared};

	rc = rc ? rc : live_load(&live, session, false, err);
	if (!rc && live.has_old && live.has_new)
		rc = members_take(&members, &came, out, &in, err);
	rc = rc ? rc : drift_look(out, &drift, err);
	rc = rc ? rc : findings_take(out, &came, err);
	findings_release(&came);
	members_release(&members);
	live_release(&live);
	return rc;
}

/*
 * Certificates alone: the vault stays closed. In the middle of a rotation, or of a phase; outside
 * one the inventory may change as it likes.
 */
static int note_drift(struct survey *survey, struct session *session,
		      const struct holdings *holdings, struct err *err)
{
	const struct store *store = &session->store;
	struct findings found = FINDINGS_INIT;
	struct err unknown = {0};
	int rc = 0;

	if (!store->under_way.active && !state_is_middle(store->state))
		return 0;
	if (look_for_drift(&found, session, holdings, &unknown))
		rc = findings_add(&survey->findings, "drift-unknown", SEVERITY_WARNING,
				  session->env->name, unknown.hint, err,
				  "whether the inventory is as the state says is not known: %s",
				  unknown.msg);
	else
		rc = findings_take(&survey->findings, &found, err);
	findings_release(&found);
	return rc;
}

static char *next_command(const struct session *session)
{
	const struct store *store = &session->store;
	const char *env = session->env->name;
	const char *verb = direction_verb(store->under_way.active ? store->under_way.direction
								  : DIRECTION_FORWARD);

	if (store->state == STATE_ABSENT && !store->under_way.active)
		return str_fmt("certrotate next --first --env %s", env);
	return str_fmt("certrotate %s --env %s", verb, env);
}

/* Whether the leaves themselves are asked for something: by hooks, or by what waits for people. */
static bool needs_live(const struct session *session)
{
	const struct store *store = &session->store;
	const struct transition *row = table_find(store->state, EVENT_NEXT);

	if (store->under_way.active)
		return hooks_run_in(session);
	return !row->refusal &&
	       ((row->phase == PHASE_SERVERS && session->config->application_count) ||
		(row->phase == PHASE_PRUNE && session->env->census_samples));
}

/* Of what is near its end all has to be named. */
static bool recall(struct survey *survey, struct session *session, int64_t warning)
{
	int64_t now = session->sys->now(session->sys), first = 0;
	char *name = NULL;

	if (!session->lent || !session->lent->seen || needs_live(session) ||
	    !seen_before(&first, &name, session->lent->seen, session))
		return false;
	if (first <= now || first - now < warning) {
		free(name);
		return false;
	}
	survey->first_expiry = first;
	survey->first_name = name;
	return true;
}

/* A description that takes servers from an inventory depends on the checkout as well. */
static void remember(const struct survey *survey, struct session *session, bool sound)
{
	if (sound && session->lent && session->lent->seen && survey->first_expiry &&
	    !(session->chain && session->chain->has_inventory))
		seen_note(session->lent->seen, session, survey->first_expiry, survey->first_name);
}

static int look_at_files(struct survey *survey, struct session *session, int64_t warning,
			 struct err *err)
{
	struct holdings holdings;
	bool sound = false;
	int rc = holdings_load(&holdings, session, &session->base, false, err);

	if (rc)
		return rc;
	rc = holdings_snapshot(&survey->live, &holdings, "g0", session->chain, err);
	survey->has_live = !rc;
	rc = rc ? rc : note_drift(survey, session, &holdings, err);
	holdings_release(&holdings);
	sound = !survey->findings.count;
	rc = rc ? rc : note_expiries(survey, session, warning, err);
	if (!rc)
		remember(survey, session, sound);
	return rc;
}

int survey_make(struct survey *survey, struct session *session, int64_t warning, struct err *err)
{
	int rc = 0;

	*survey = (struct survey){0};
	if ((session->store.state != STATE_ABSENT || session->store.under_way.active) &&
	    !recall(survey, session, warning)) {
		rc = session->in_brief ? session_load(session, err) : 0;
		rc = rc ? rc : look_at_files(survey, session, warning, err);
	}
	rc = rc ? rc : note_state(survey, session, err);
	if (!rc && survey->has_live)
		rc = note_gates(survey, session, err);
	if (!rc) {
		survey->next = next_command(session);
		rc = survey->next ? 0 : err_nomem(err);
	}
	if (rc)
		survey_release(survey);
	else
		findings_sort(&survey->findings);
	return rc;
}

void survey_release(struct survey *survey)
{
	if (survey->has_live)
		generation_release(&survey->live);
	findings_release(&survey->findings);
	free(survey->first_name);
	free(survey->next);
	*survey = (struct survey){0};
}

bool survey_drifted(const struct survey *survey)
{
	for (size_t i = 0; i < survey->findings.count; i++) {
		if (!strcmp(survey->findings.items[i].check, "drift"))
			return true;
	}
	return false;
}
