/* SPDX-License-Identifier: PostgreSQL */
#include "state/runner.h"

#include <stdlib.h>
#include <string.h>

#include "git/remote.h"
#include "proc/child.h"
#include "state/gates.h"
#include "state/access.h"
#include "state/merge.h"
#include "state/notify.h"
#include "state/orphans.h"
#include "state/others.h"
#include "state/steps.h"

#define TRIES 5

int runner_open(struct session *session, const struct session_options *options, struct err *err)
{
	char *known = NULL;
	bool moved = true;
	int rc = 0;

	/* What a fast-forward brings may be another configuration: read it anew then. */
	for (int i = 0; i < TRIES && moved && !rc; i++) {
		rc = session_open(session, options, err);
		if (rc)
			return rc;
		rc = session_lock(session, err);
		rc = rc || known ? rc : session_know(session, err);
		if (known)
			session->known = known;
		known = NULL;
		rc = rc ? rc : session_fetch(session, err);
		rc = rc ? rc : session_load(session, err);
		rc = rc ? rc : step_preflight(session, &moved, err);
		if (!rc && moved) {
			known = session->known;
			session->known = NULL;
		}
		if (!rc && moved && i == TRIES - 1)
			rc = err_set(err, ERR_LOCK, "the branch %s moves too fast: try again",
				     session->env->base);
		if (rc || moved)
			session_close(session);
	}
	free(known);
	return rc;
}

static int check_owner(struct session *session, const struct run_options *options, struct err *err)
{
	const struct under_way *under_way = &session->store.under_way;

	/* Whoever wants to take something over does not mean to begin what comes behind it. */
	if (!under_way->active && options->take_over) {
		err_set(err, ERR_USAGE, "nothing is under way in %s: there is nothing to take over",
			session->env->name);
		return err_hint(err, "look with 'certrotate status', and leave --take-over out");
	}
	if (!under_way->active || !under_way->host || !strcmp(under_way->host, session->host))
		return 0;
	if (options->take_over && session_knew(session, under_way))
		return step_take_over(session, err);
	(void)others_under_way(under_way, err);
	if (options->take_over)
		return err_hint(err, "this clone did not know of that yet: where it is what you "
				     "mean to take over, type it again");
	return err_hint(err, "if that machine does not go on with it, add --take-over");
}

/* Ansible is looked for before anything is committed, not after. */
static int check_ansible(struct session *session, enum phase phase, struct err *err)
{
	struct plan_steps steps;
	char *path = NULL;
	int rc = plan_steps(&steps, session->env, phase, err);

	if (!rc && steps.count)
		rc = child_find(&path, "ansible-playbook", err);
	free(path);
	plan_steps_release(&steps);
	return rc == ERR_NOENT ? err->code = ERR_FAIL : rc;
}

static int check_first(struct session *session, const struct plan *plan, struct err *err)
{
	struct verify_result seen = {0};
	struct verify_input input = {
		.target = &plan->to, .new_gen = &plan->new_gen, .no_login = true};
	struct oid where;
	bool held = false;
	int rc = repo_ever_held(&held, &where, session->repo, &session->base, session->env->certs,
				err);

	if (!rc && held) {
		err_set(err, ERR_USAGE, "%s was in the repository already (commit %.12s)",
			session->env->certs, where.hex);
		return err_hint(err, "a first generation is for an environment that never had one: "
				     "bring the file back with git");
	}
	rc = rc ? rc : verify_run(&seen, session, &input, err);
	for (size_t i = 0; !rc && i < js_count(js_get(seen.evidence, "leaves")); i++) {
		const struct json *leaf = js_at(js_get(seen.evidence, "leaves"), i);

		if (!js_str(leaf, "serial", NULL))
			continue;
		rc = err_set(err, ERR_USAGE, "%s speaks TLS already", js_str(leaf, "endpoint", ""));
		err_hint(err, "somebody uses a chain that the repository does not have: bring it "
			      "in, then rotate it");
	}
	verify_release(&seen);
	return rc;
}

static int blocked(const struct plan *plan, struct err *err)
{
	size_t count = findings_count(&plan->findings, SEVERITY_BLOCK);
	const struct finding *first = NULL;

	for (size_t i = 0; i < plan->findings.count && !first; i++) {
		if (plan->findings.items[i].severity == SEVERITY_BLOCK &&
		    !plan->findings.items[i].waived)
			first = &plan->findings.items[i];
	}
	if (!first)
		return 0;
	err_set(err, ERR_GATE, "%s%s %s: %zu finding%s in the way, the first: %s: %s",
		plan->row.direction == DIRECTION_BACK ? "the revert of " : "",
		phase_name(plan->row.phase), plan->resume ? "does not go on" : "does not begin",
		count, count == 1 ? "" : "s", first->subject, first->reason);
	return err_hint(err,
			"%s%snothing was %s; where you know better: --waive "
			"'%s=SUBJECT:REASON'",
			first->advice, first->advice[0] ? "; " : "",
			plan->resume ? "rolled out" : "changed", first->check);
}

/* What other people and time have to bring. */
static int check_gates(struct session *session, struct plan *plan, const struct strs *skip,
		       struct err *err)
{
	bool back = plan->row.direction == DIRECTION_BACK;
	struct gates_input input = {.row = &plan->row,
				    .stays = back ? &plan->old_gen : &plan->new_gen,
				    .skip = skip,
				    .to = &plan->to};

	return gates_check(&plan->findings, session, &input, err);
}

/* What the wire shows before: a server that is down or strange is named before anything changes. */
static int look_before(struct session *session, struct plan *plan, const struct strs *skip,
		       struct err *err)
{
	struct verify_result seen = {0};
	bool begun = false;
	int rc = 0;

	if (plan->row.phase == PHASE_FIRST)
		return plan->resume ? 0 : check_first(session, plan, err);
	if (!plan->resume && !plan->turn && phase_rolls_out(plan->row.phase) &&
	    plan->row.phase != PHASE_EMERGENCY) {
		rc = step_verify(session, plan, NULL, skip, &seen, err);
		rc = rc ? rc : check_gates(session, plan, skip, err);
		rc = rc ? rc : orphans_before(plan, session, skip, err);
	} else if (plan->resume) {
		/* Days may lie between a phase's beginning and its rollout: a merge was awaited. */
		rc = step_rollout_begun(&begun, session, plan, err);
		rc = rc || begun ? rc : check_gates(session, plan, skip, err);
	}
	verify_release(&seen);
	plan_waive(plan, &plan->findings, false);
	findings_sort(&plan->findings);
	return rc;
}

/* Those who are behind are not looked at yet: they are brought up to date behind the question. */
static int look_before_all(struct session *session, struct plan *plan, struct err *err)
{
	struct strs skip = STRS_INIT;
	int rc = strs_copy(&skip, &plan->skip, err);

	rc = rc ? rc : strs_copy(&skip, &session->store.behind, err);
	rc = rc ? rc : access_look_before(plan, session, &skip, err);
	rc = rc ? rc : look_before(session, plan, &skip, err);
	strs_release(&skip);
	return rc;
}

static int catch_up(struct session *session, struct plan *plan, struct err *err)
{
	bool any = false;
	int rc = step_catch_up(session, plan, &any, err);

	if (rc || !any)
		return rc;
	rc = look_before(session, plan, &plan->skip, err);
	return rc ? rc : blocked(plan, err);
}

static int ask(struct plan *plan, const struct run_options *options, struct err *err)
{
	int rc;

	if (options->findings)
		options->findings(options->ctx, &plan->findings);
	rc = blocked(plan, err);
	if (!rc && options->confirm && !options->confirm(options->ctx, plan))
		rc = err_set(err, ERR_STOPPED, "not confirmed: nothing was changed");
	return rc;
}

static int mark(struct session *session, const struct plan *plan, const char *step,
		const char *which, struct err *err)
{
	return step_mark(session, plan, step, which, NULL, NULL, err);
}

/* Edit, commit and publish; made anew where the base moved without touching the state. */
static int publish(struct session *session, struct plan *plan, const struct run_options *options,
		   struct err *err)
{
	struct plan_options again_options = {.reason = options->reason,
					     .waivers = options->waivers};
	bool again = true;
	int rc = mark(session, plan, "publish", "begin", err);

	for (int i = 0; i < TRIES && again && !rc; i++) {
		rc = step_publish(session, plan, &again, err);
		if (!rc && again) {
			log_line(session->log, LOG_INFO,
				 "the branch %s moved on: the commit is made anew on its tip",
				 session->env->base);
			plan_release(plan);
			rc = plan_make(plan, session, options->event, &again_options, err);
			rc = rc ? rc : blocked(plan, err);
		}
	}
	if (!rc && again)
		rc = err_set(err, ERR_LOCK, "the branch %s moves too fast: try again",
			     session->env->base);
	/* Published is a branch then, and its merge is awaited; the error says so. */
	if (rc == ERR_GATE && session->settle_ref)
		(void)mark(session, plan, "publish", "end", NULL);
	if (rc)
		return rc;
	store_release(&session->store);
	session->loaded = false;
	rc = store_copy(&session->store, &plan->store, err);
	session->loaded = !rc;
	return rc ? rc : mark(session, plan, "publish", "end", err);
}

/* Sessions outlive what they were opened with: after an emergency they are named. */
static void say_survivors(struct session *session, const struct run_options *options)
{
	struct findings found = FINDINGS_INIT;
	struct err unknown = {0};

	if (gates_survivors(&found, session, session->store.old_gen, &unknown))
		log_line(session->log, LOG_WARNING,
			 "%s: who is still connected with an old certificate is not known",
			 unknown.msg);
	else if (options->findings && found.count)
		options->findings(options->ctx, &found);
	findings_release(&found);
}

static int finish(struct session *session, struct plan *plan, const struct run_options *options,
		  struct err *err)
{
	struct json *rollout = js_new_array();
	struct verify_result seen = {0};
	const struct json *entry = NULL;
	int rc = rollout ? step_rollout(session, plan, rollout, err) : err_nomem(err);

	rc = rc ? rc : step_hooks(session, plan, err);
	if (!rc && phase_rolls_out(plan->row.phase)) {
		rc = mark(session, plan, "verify", "begin", err);
		rc = rc ? rc : step_verify(session, plan, rollout, &plan->skip, &seen, err);
		if (options->findings && seen.findings.count)
			options->findings(options->ctx, &seen.findings);
		if (rc == ERR_STOPPED)
			step_say_unfinished(plan, err);
		else if (rc)
			(void)step_mark(session, plan, "verify", "fail", NULL, err->msg, NULL);
		rc = rc ? rc : mark(session, plan, "verify", "end", err);
	}
	rc = rc ? rc : mark(session, plan, "settle", "begin", err);
	rc = rc ? rc : step_settle(session, plan, rollout, seen.evidence, &entry, err);
	if (!rc)
		merge_evidence(session, entry);
	rc = rc ? rc : mark(session, plan, "settle", "end", err);
	if (!rc && options->done)
		options->done(options->ctx, plan, entry);
	if (!rc && plan->row.phase == PHASE_EMERGENCY)
		say_survivors(session, options);
	verify_release(&seen);
	js_free(rollout);
	return rc;
}

/* Where the inventory has no certificates: none yet, or the file is elsewhere or gone. */
static int no_chain(const struct session *session, struct err *err)
{
	err_set(err, ERR_USAGE, "%s is not in the branch %s: the environment has no chain yet",
		session->env->certs, session->env->base);
	return err_hint(err, "type 'certrotate next --first' to issue generation 1; where the file "
			     "is elsewhere, set 'certs' in certrotate.yml; where it is gone, bring "
			     "it back with git");
}

static int transition(struct session *session, const struct run_options *options, struct err *err)
{
	struct plan_options plan_options = {.reason = options->reason, .waivers = options->waivers};
	struct notify_phase phase;
	struct transition row;
	struct plan plan = {0};
	bool resume, turn, begun;
	int rc = plan_choose(&row, &resume, &turn, &session->store, options->event, err);

	if (rc && session->store.state == STATE_ABSENT)
		return no_chain(session, err);
	rc = rc ? rc
		: environment_check_files(session->config, session->env, row.phase != PHASE_FIRST,
					  err);
	rc = rc ? rc : check_ansible(session, row.phase, err);
	rc = rc ? rc : check_owner(session, options, err);
	rc = rc ? rc : plan_make(&plan, session, options->event, &plan_options, err);
	if (rc)
		return rc;
	/* What Ansible cannot read is found before anything is committed, not after. */
	notify_phase(&phase, session, &plan.row);
	rc = step_check_rollout(session, &plan, err);
	rc = rc ? rc : step_check_hooks(session, &plan, err);
	rc = rc ? rc : look_before_all(session, &plan, err);
	rc = rc ? rc : ask(&plan, options, err);
	begun = !rc || plan.resume;
	rc = rc ? rc : catch_up(session, &plan, err);
	if (!rc && !plan.resume && loop_stop_count(session->stop))
		rc = err_set(err, ERR_STOPPED, "stopped as asked: the inventory was not changed");
	if (!rc && !plan.resume)
		rc = publish(session, &plan, options, err);
	if (!rc) {
		notify_phase(&phase, session, &plan.row);
		notify_start(session, &phase);
		rc = finish(session, &plan, options, err);
	}
	if (rc) {
		notify_stopped(session, &phase, begun, err);
	} else {
		notify_end(session, &phase);
		merge_evidence_post(session);
	}
	plan_release(&plan);
	return rc;
}

/* An emergency is over where it was done, not where its state is: idle may be what has leaked. */
static bool is_there(const struct store *store, const struct run_options *options)
{
	const struct json *last;

	if (store->under_way.active || store->state != options->to)
		return false;
	if (options->event != EVENT_EMERGENCY)
		return true;
	last = store_last(store, "completed");
	return !strcmp(js_str(last, "phase", ""), phase_name(PHASE_EMERGENCY)) &&
	       !strcmp(js_str(last, "reason", ""), options->reason ? options->reason : "");
}

/* Told here as well, by who looks whether it is merged: whoever pushed it may not have been heard.
 */
static int awaited(struct session *session, enum event event, struct err *err)
{
	struct notify_phase phase;
	struct transition row;
	bool resume, turn;
	int rc = merge_ask(session, err);

	if (rc != ERR_GATE || plan_choose(&row, &resume, &turn, &session->store, event, NULL))
		return rc;
	notify_phase(&phase, session, &row);
	notify_stopped(session, &phase, false, err);
	return rc;
}

/* One phase, or nothing where the state is reached: *reached says so. */
static int run_one(const struct session_options *session_options, const struct run_options *options,
		   bool *reached, struct err *err)
{
	struct session session;
	bool withdrawn = false;
	int rc = runner_open(&session, session_options, err);

	*reached = false;
	if (rc)
		return rc;
	merge_evidence_post(&session);
	if (is_there(&session.store, options))
		*reached = true;
	else if (options->to != STATE__MAX)
		rc = plan_reaches(&session.store, options->event, options->to, err);
	if (!rc && !*reached && options->event == EVENT_REVERT)
		rc = step_withdraw(&session, &withdrawn, err);
	else if (!rc && !*reached)
		rc = awaited(&session, options->event, err);
	if (!rc && !*reached && !withdrawn)
		rc = transition(&session, options, err);
	session_close(&session);
	if (!rc && (options->to == STATE__MAX || options->event == EVENT_EMERGENCY))
		*reached = true;
	return rc;
}

int runner_run(const struct session_options *session, const struct run_options *options,
	       struct err *err)
{
	struct run_options own = *options;
	bool reached = false;
	int rc = 0;

	while (!rc && !reached) {
		rc = run_one(session, &own, &reached, err);
		own.take_over = false; /* what comes behind it is ours */
		if (!rc && !reached && loop_stop_count(session->stop))
			rc = err_set(err, ERR_STOPPED, "stopped between two phases, as asked");
	}
	return rc;
}

int runner_look(struct session *session, const struct session_options *options, struct err *err)
{
	struct err fetch = {0};
	int rc = session_open(session, options, err);

	if (rc)
		return rc;
	if (session_fetch(session, &fetch))
		log_line(session->log, LOG_WARNING, "%s; what is shown is as of the last fetch",
			 fetch.msg);
	rc = session_load(session, err);
	rc = rc ? rc : session_identity(session, err);
	if (rc)
		session_close(session);
	return rc;
}
