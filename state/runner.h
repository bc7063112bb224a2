/* SPDX-License-Identifier: PostgreSQL */
/*
 * Carrying a transition out, step by step: preflight, prove, edit, commit, publish, rollout,
 * verify, settle. A phase is complete only when verify holds. A kill at any instant leaves a state
 * from which the same command ends as if nothing had happened: what has been done is decided by
 * looking at the base branch first and at the journal second.
 */
#ifndef STATE_RUNNER_H
#define STATE_RUNNER_H

#include <stdbool.h>
#include "base/json.h"
#include "state/plan.h"
#include "state/session.h"

struct run_options {
	enum event event;
	enum state to;	    /* go on until it is reached; STATE__MAX: one phase */
	const char *reason; /* an emergency's */
	bool take_over;
	const struct waivers *waivers;
	/*
	 * Asked before anything is changed, with the whole plan; its findings that block are not
	 * waived yet when it is called. False ends with ERR_STOPPED and nothing changed. May be
	 * NULL.
	 */
	bool (*confirm)(void *ctx, const struct plan *plan);
	/* Told of each phase that is complete, and of findings on the way. May be NULL. */
	void (*done)(void *ctx, const struct plan *plan, const struct json *entry);
	void (*findings)(void *ctx, const struct findings *findings);
	void *ctx;
};

/*
 * Opens a session of its own, takes the lock, and does it. ERR_GATE: a finding blocks, or a merge
 * is awaited (err says what for); ERR_LOCK; ERR_DRIFT; ERR_STOPPED.
 */
int runner_run(const struct session_options *session, const struct run_options *options,
	       struct err *err);

/*
 * Takes back one wave of the phase that is under way: the hooks of its applications that were
 * begun, with what was there before the phase. The phase stays under way, and the next run does
 * that wave again. Of options: waivers, confirm. ERR_USAGE where there is no such wave, or it has
 * not begun.
 */
int runner_revert_wave(const struct session_options *session, unsigned wave,
		       const struct run_options *options, struct err *err);

/*
 * The beginning of everything that changes something: opens, takes the lock, fetches, loads, and
 * brings the checkout up to date. On an error nothing is left open.
 */
int runner_open(struct session *session, const struct session_options *options, struct err *err);

/*
 * Records an application's word about the phase that waits for it (see gates.h), and publishes it.
 * who: whose word it is; NULL: only who types it. *phase and *direction are what it is about;
 * *known: the word was there already, and nothing was changed. ERR_USAGE where no phase waits for
 * it, or it has no user in this environment.
 */
int runner_ack(const struct session_options *session, const char *app, const char *who,
	       enum phase *phase, enum direction *direction, bool *known, struct err *err);

/*
 * The first steps of a transition alone, for commands that look and change nothing: opens, fetches
 * where the network is there (a warning where it is not) and loads.
 */
int runner_look(struct session *session, const struct session_options *options, struct err *err);

#endif
