/* SPDX-License-Identifier: PostgreSQL */
/* How commits reach the base branch: shared by publish, take-over and settle. */
#ifndef STATE_PUBLISH_H
#define STATE_PUBLISH_H

#include <stdbool.h>
#include "git/commit.h"
#include "state/session.h"

/* A message with the program's trailers; reverts may be NULL. */
int publish_message(struct buf *out, const struct session *session, const struct store *store,
		    const char *subject, const char *body, const char *reverts, struct err *err);

/*
 * Builds a commit on the base's tip, pushes it by compare-and-swap, and lets the checkout follow:
 * in this order, so that a crash before the push leaves nothing and one behind it leaves a
 * checkout that is fast-forwarded later. *again: the base moved without touching the state, and
 * session has its new tip; nothing was published. ERR_LOCK: the state moved.
 */
int publish_to_base(struct session *session, const struct change *changes, size_t count,
		    const char *message, struct oid *commit, bool *again, struct err *err);

/* A commit with the state file alone: onto the base, or onto certrotate/ENV in flow
 * merge_request. The session's store becomes this one. */
int publish_state(struct session *session, const struct store *store, const char *subject,
		  const char *body, struct err *err);

#endif
