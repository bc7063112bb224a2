/* SPDX-License-Identifier: PostgreSQL */
/* The steps of a transition. Each is idempotent; runner.c knows their order. */
#ifndef STATE_STEPS_H
#define STATE_STEPS_H

#include "base/json.h"
#include "state/plan.h"
#include "state/runner.h"
#include "state/verify.h"

/* Writes the journal's line of a step: mark "begin", "end" or "fail". */
int step_mark(struct session *session, const struct plan *plan, const char *step, const char *mark,
	      const char *key, const char *note, struct err *err);

/*
 * Preflight, after the lock and the fetch: the base branch is checked out, is not ahead and not
 * behind (a clean checkout is fast-forwarded; *moved says so: configuration has to be read anew),
 * and what Ansible runs is as committed.
 */
int step_preflight(struct session *session, bool *moved, struct err *err);

/*
 * Puts the plan's files onto the base. ERR_LOCK with *again set where the base moved without
 * touching the state: the plan is to be made anew on the new tip. In flow merge_request the phase's
 * branch is pushed and ERR_GATE names the page that opens the merge request.
 */
int step_publish(struct session *session, struct plan *plan, bool *again, struct err *err);
/* In flow merge_request: ERR_GATE where a pushed branch waits to be merged, else 0. */
int step_awaited(struct session *session, struct err *err);
/* In flow merge_request, for revert: takes a branch that waits back. *found says there was one. */
int step_withdraw(struct session *session, bool *found, struct err *err);

/* Whether the claim on what is under way is still ours: ERR_LOCK where it is not. */
int step_claimed(struct session *session, const struct plan *plan, struct err *err);
/*
 * The same right before what reaches hosts begins: looks again where time has passed since
 * step_claimed did, because a laptop that slept in between has not seen who took over.
 */
int step_awake(struct session *session, const struct plan *plan, struct err *err);
/*
 * Whether the state is still the one that was looked at, for what is rolled out before anything is
 * published: ERR_LOCK where it is not. A base that moved otherwise is met when publishing.
 */
int step_unmoved(struct session *session, struct err *err);
/* Pushes a claim on what another machine has under way. */
int step_take_over(struct session *session, struct err *err);

/* Asks Ansible whether it takes the phase's playbooks and has hosts for them; runs nothing. */
int step_check_rollout(struct session *session, const struct plan *plan, struct err *err);
/* Whether this machine has begun one of the playbooks of what is under way, by its journal. */
int step_rollout_begun(bool *begun, const struct session *session, const struct plan *plan,
		       struct err *err);
/* The hint of what was stopped in the middle of a phase. */
int step_say_unfinished(const struct plan *plan, struct err *err);
/* Runs the phase's playbooks; evidence (an array) gets an object for each. */
int step_rollout(struct session *session, struct plan *plan, struct json *evidence,
		 struct err *err);
/*
 * Brings hosts that an earlier phase left behind up to date, before anything else changes, but for
 * those that the plan leaves out again. *any: there was one.
 */
int step_catch_up(struct session *session, const struct plan *plan, bool *any, struct err *err);

/* Whether the programs and playbooks of the phase's hooks are there; runs nothing. */
int step_check_hooks(struct session *session, const struct plan *plan, struct err *err);
/*
 * Runs the phase's hooks: see hooks.h. ERR_GATE where it waits: for an application's word, or for a
 * wave that was not seen switched.
 */
int step_hooks(struct session *session, struct plan *plan, struct err *err);

/*
 * Looks on the wire, but for the hosts in skip; ERR_FAIL with what differs and is not waived.
 * What differs becomes a finding of the plan. rollout: what the phase's playbooks did (an array);
 * NULL before the phase: whether it may begin at all.
 */
int step_verify(struct session *session, struct plan *plan, const struct json *rollout,
		const struct strs *skip, struct verify_result *result, struct err *err);

/* The evidence and the final state in a second commit. Lends the new history entry. */
int step_settle(struct session *session, struct plan *plan, struct json *rollout,
		struct json *probes, const struct json **entry, struct err *err);

#endif
