/* SPDX-License-Identifier: PostgreSQL */
/* What status says about a phase that did not come to its end: after a crash, or on another host.
 */
#ifndef STATE_UNFINISHED_H
#define STATE_UNFINISHED_H

#include "base/finding.h"
#include "state/session.h"

/*
 * Adds "unfinished" for the phase that is under way: since when, by whom, how far it came by this
 * machine's journal, what to type.
 */
int unfinished_note(struct findings *out, const struct session *session, struct err *err);

/*
 * Where nothing is under way, and no branch waits to be merged: adds "interrupted" where this
 * machine began a phase of which nothing was published, else nothing.
 */
int interrupted_note(struct findings *out, const struct session *session, struct err *err);

#endif
