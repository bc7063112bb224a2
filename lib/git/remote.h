/* SPDX-License-Identifier: PostgreSQL */
/*
 * Fetch and push through the git program, which brings the user's own ssh set-up, credential
 * helpers, proxies and hooks. Messages hold git's own last lines, with control characters made
 * harmless and passwords in URLs masked. Each call has a deadline of REMOTE_DEADLINE_S.
 */
#ifndef GIT_REMOTE_H
#define GIT_REMOTE_H

#include "git/repo.h"

#define REMOTE_DEADLINE_S 120

/* The URL that a push goes to; free() it. It may hold a password: for forge_place_find and
 * remote_add_clean, not for messages. ERR_USAGE "no remote named …" with a hint. */
int remote_url(char **out, struct repo *repo, const char *remote, struct err *err);

/*
 * Updates refs/remotes/REMOTE/BASE and all of refs/remotes/REMOTE/certrotate/ (branches that are
 * gone on the remote go), whatever refspec the remote has configured. ERR_USAGE: no such remote,
 * or the remote has no branch of that name. ERR_FAIL: network, rights.
 */
int remote_fetch(struct repo *repo, const char *remote, const char *base, struct err *err);

/*
 * Puts a commit onto the remote's branch ref ("refs/heads/dev") if that is still at expected
 * (OID_NONE: if it does not exist yet); done already is success. Only ever a fast-forward.
 * The user's pre-push hook runs. Where no answer comes the remote is asked whether it took the
 * commit. said (may be NULL) gets the remote's own lines, cleaned.
 *
 * ERR_LOCK: the remote has moved on, or its branch stays locked for more than a second. ERR_FAIL:
 * rights, network, a hook, a protected branch.
 */
int remote_push(struct repo *repo, const char *remote, const struct oid *commit, const char *ref,
		const struct oid *expected, struct buf *said, struct err *err);
/* Removes the remote's branch if it is still at expected; being gone already is success. */
int remote_push_delete(struct repo *repo, const char *remote, const char *ref,
		       const struct oid *expected, struct err *err);

/* Adds text with control characters made harmless and "user:password@" in URLs masked. Pure. */
void remote_add_clean(struct buf *out, const char *text, size_t len);

#endif
