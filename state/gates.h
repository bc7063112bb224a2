/* SPDX-License-Identifier: PostgreSQL */
/*
 * Gates that need other people and time: an application's word before the servers switch, and the
 * census before a generation is taken away. Proof and probes are elsewhere (prove.h, verify.h).
 *
 *   servers       each application that has users here has confirmed that it trusts both chains:
 *                 "application" [block]
 *   prune         census_gate_check() for the new generation (see safety/census_gate.h), and the
 *                 rehearsal: what every endpoint serves now holds against the new chain alone:
 *                 "rehearsal" [block]
 *   revert trust  the same, mirrored: the new generation is taken away. Where no client was ever
 *                 given a new certificate, nobody may be connected with one, and that is all
 */
#ifndef STATE_GATES_H
#define STATE_GATES_H

#include "base/err.h"
#include "base/finding.h"
#include "state/census.h"
#include "state/session.h"
#include "state/target.h"

struct gates_input {
	const struct transition *row;
	const struct generation *stays; /* the generation that is kept; NULL: its users are not
					   known, and who was never seen is not asked */
	const struct strs *skip;	/* hosts that were given up by name; may be NULL */
	/*
	 * What the inventory is to hold: then the census is taken now, and what is served is
	 * rehearsed against it. NULL: only this machine's record is read, nothing is contacted.
	 */
	const struct target *to;
};

/* Adds what stands in the way; nothing for phases that have no such gate. */
int gates_check(struct findings *out, struct session *session, const struct gates_input *in,
		struct err *err);

/*
 * After an emergency: who is still connected with a certificate other than the live generation's
 * ("survivor", warnings). Takes the census now.
 */
int gates_survivors(struct findings *out, struct session *session, const char *live,
		    struct err *err);

/* The same from a census that was taken: its part for tests. */
int gates_say_survivors(struct findings *out, const struct census *census,
			const struct census_run *run, const char *env, const char *live,
			struct err *err);

/* Which phase an application's word would be about now: PHASE_TRUST, PHASE_CLIENTS, or PHASE__MAX
 * where nothing waits for it. */
enum phase gates_ack_phase(const struct store *store);
/* Whether that user has a client leaf in that generation, whichever authority's it is. */
bool gates_has_client(const struct generation *gen, const char *user);
/* Whether one of the application's users has. */
bool gates_concerns(const struct application *app, const struct generation *gen);
/*
 * "application-user": users of applications who have no client certificate here, so that nobody
 * waits for them: a warning where their application has other users here, or could have none
 * elsewhere because there is no other environment.
 */
int gates_strangers(struct findings *out, const struct config *config, const char *env,
		    const struct generation *gen, struct err *err);

#endif
