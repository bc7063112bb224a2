/* SPDX-License-Identifier: PostgreSQL */
/*
 * Looking on the wire whether a state holds: every endpoint is asked which leaf it serves and
 * which CAs it announces, logins are tried with the client certificates of each generation and
 * without one, and standbys and the archiver must work. What is expected in which state is the
 * table in state/expect.h.
 *
 * What differs is looked at again, after pauses that grow, until patience ends: a reload takes a
 * moment. Nothing but what differs is asked again.
 */
#ifndef STATE_VERIFY_H
#define STATE_VERIFY_H

#include "base/finding.h"
#include "base/json.h"
#include "state/baseline.h"
#include "state/expect.h"
#include "state/session.h"
#include "state/target.h"

struct verify_input {
	const struct target *target;	  /* what the inventory holds, hence what is to be seen */
	const struct generation *old_gen; /* NULL where it is not known: not asked for */
	const struct generation *new_gen; /* likewise */
	const struct strs *skip;	  /* hosts that are left out, by name; may be NULL */
	const struct baseline *before;	  /* figures from before the phase; NULL: none */
	int64_t patience_ms; /* how long what differs is looked at again: a reload takes a moment */
	bool no_login;	     /* only what is served and announced; needs no client's key */
};

/* One check over all endpoints. */
struct verify_tally {
	enum want want;
	size_t asked; /* endpoints about which there is something to say */
	size_t held;
	struct strs stragglers; /* the others, by name; each once */
};

struct verify_result {
	struct findings findings; /* the endpoint's name is the subject; checks as in expect.c */
	struct json *evidence;	  /* an object for the history: "leaves", "logins", "checks" */
	size_t endpoints;
	size_t logins;
	struct verify_tally tallies[CHECK__MAX];
};

/*
 * 0 also where much differs: that is what the findings say. Each finding's subject is the
 * endpoint's name. ERR_STOPPED where the user asked to stop. Callers that look at more than the
 * wire (files on the hosts) add their findings and tallies to the result.
 */
int verify_run(struct verify_result *out, struct session *session, const struct verify_input *in,
	       struct err *err);
/* Counts one more subject of a check; a straggler where it does not hold. */
int verify_count(struct verify_result *result, enum check check, enum want want,
		 const char *subject, bool held, struct err *err);
void verify_release(struct verify_result *result);

/* The pause before round number (from 1) of looking again: grows, and random spreads it. */
int64_t verify_pause_ms(unsigned round, unsigned random);

#endif
