/* SPDX-License-Identifier: PostgreSQL */
/* The rehearsal before a chain is taken away: would what is served now still be trusted then? */
#ifndef STATE_REHEARSAL_H
#define STATE_REHEARSAL_H

#include "base/finding.h"
#include "state/session.h"
#include "state/target.h"

/*
 * Asks every endpoint for its leaf and verifies it against the bundle that clients will hold by
 * that target: "rehearsal" [block] for each that they would refuse. One that does not answer is
 * no finding here: verify_run() says that. skip: hosts that are left out, by name; may be NULL.
 */
int rehearse(struct findings *out, struct session *session, const struct target *target,
	     const struct strs *skip, struct err *err);

#endif
