/* SPDX-License-Identifier: PostgreSQL */
/*
 * Telling people: "notify" in certrotate.yml. A notification that fails is a warning. It stops
 * nothing, and an event costs no more than NOTIFY_MS, whoever does not answer.
 *
 * What was told is kept in .git/certrotate/ENV/notified, a line for each: its Idempotency-Key and
 * when. So a command that is typed again does not tell the same again: a phase's start and end,
 * that it failed with the same message, that it waits for the same thing (numbers in a text do not
 * count).
 */
#ifndef STATE_NOTIFY_H
#define STATE_NOTIFY_H

#include "base/finding.h"
#include "state/plan.h"
#include "state/session.h"

#define NOTIFY_MS 5000

/*
 * Before anything begins: ERR_USAGE, with file and line, for a template that cannot be used or an
 * address that never could. What only this machine lacks (a file with an address or a secret, a
 * variable) is a finding that stops nothing; so is all of it where the phase has begun already.
 */
int notify_check(struct findings *out, const struct session *session, bool begun, struct err *err);

/* Which phase of which rotation, as the state has it when this is made. */
struct notify_phase {
	struct transition row;
	char rotation[64];
	/* What tells it from an earlier one: when it was published; before that, when the last
	   phase ended ("": none has). */
	char since[SYS_TIME_SIZE];
};

void notify_phase(struct notify_phase *out, const struct session *session,
		  const struct transition *row);
/* It begins to be rolled out; it is complete. */
void notify_start(struct session *session, const struct notify_phase *phase);
void notify_end(struct session *session, const struct notify_phase *phase);
/*
 * How it came to a stop, by what its error is: waiting (ERR_GATE), or failure; nothing for a stop
 * that was asked for, for another operator's doing, and for what failed before it began.
 */
void notify_stopped(struct session *session, const struct notify_phase *phase, bool begun,
		    const struct err *why);
/*
 * A certificate comes within its warning period: told once for each subject, its end and the
 * threshold ("warning", "critical", "expired").
 */
void notify_expiring(struct session *session, const char *subject, int64_t when,
		     const char *threshold);

#endif
