/* SPDX-License-Identifier: PostgreSQL */
/*
 * Flow merge_request: each phase's change is a branch, and waits for its merge. Git is the truth: a
 * merge is believed when the base has the state, however it came there. Where a token is configured
 * (git.forge) the program opens the merge request, finds it again, and sees that it was closed;
 * what the forge says decides nothing else.
 *
 * What is known of a merge request is kept on this machine, in .git/certrotate/ENV/merge.json, so
 * that commands that read no network can show it; it may be lost at any time.
 */
#ifndef STATE_MERGE_H
#define STATE_MERGE_H

#include <stdbool.h>
#include "base/json.h"
#include "git/commit.h"
#include "state/plan.h"

/*
 * Pushes the phase's branch and opens its merge request. Always an error: ERR_GATE says what is
 * waited for and where. Where the token cannot be used nothing is pushed; where the forge cannot be
 * asked the branch waits, and the next call opens the merge request.
 */
int merge_publish(struct session *session, struct plan *plan, const struct change *changes,
		  size_t count, const char *message, struct err *err);

/*
 * Asks the forge about the branch that waits to be merged, if one does: opens its merge request
 * where there is none, brings its text up to date where the branch was made anew. ERR_GATE: it
 * waits, or it was closed; then the branch was taken back, where it was still there, and the next
 * call begins the phase afresh.
 */
int merge_ask(struct session *session, struct err *err);

/*
 * Keeps the evidence of a finished phase on this machine, before anything is sent: whoever ends
 * this process loses none of it. Nothing where there is no token.
 */
void merge_evidence(struct session *session, const struct json *entry);
/*
 * Posts what was kept as comments. A failure is a warning in the log, and is tried again by the
 * next call.
 */
void merge_evidence_post(struct session *session);

/* The connection, kept in the session. */
struct merge_link;
void merge_link_free(struct merge_link *link);

#endif
