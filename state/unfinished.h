/* SPDX-License-Identifier: PostgreSQL */
/* What status says about a phase that did not come to its end: after a crash, or on another host.
 */
#ifndef STATE_UNFINISHED_H
#define STATE_UNFINISHED_H

#include "base/finding.h"
#include "state/session.h"

/*
 * Adds one finding: "unfinished" where a phase is under way (since when, by whom, how far it came
 * by this machine's journal, what to type), "interrupted" where this machine began one of which
 * nothing was published. Neither: nothing.
 */
int unfinished_note(struct findings *out, const struct session *session, struct err *err);

#endif
