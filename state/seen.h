/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a look at an environment has found in its certificates, kept in this clone
 * (.git/certrotate/.seen), so that the next look reads references and the state alone as long as
 * all of it is the same: the state's generations and phase, and the blobs of certs.yml, its vault,
 * the chain's description and both generations' files. It is kept only where nothing was wrong
 * with them.
 *
 * One line for each environment, with tabs between its name, what was looked at, the state in brief
 * ("-" where all of it may be asked for), the commit, the blobs, the first expiry in seconds since
 * the epoch, and whose it is. On top stands the program's
 * version and the sum of all lines (pki/sum.h): what was damaged, or written by another version,
 * counts for nothing.
 */
#ifndef STATE_SEEN_H
#define STATE_SEEN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/strs.h"

struct session;
struct store;
struct repo;

struct seen {
	struct strs lines;
	struct strmap by_env; /* a name to its line's number */
	bool changed;
};

/* Whatever hinders it: then nothing was seen before. */
void seen_load(struct seen *seen, const struct repo *repo);
/*
 * Keeps it where something has changed, and where this user has worked in this clone: nothing is
 * made in somebody else's. What hinders that is no error.
 */
void seen_save(const struct seen *seen, const struct repo *repo);
void seen_release(struct seen *seen);

/*
 * Whether the inventory was whole and as the state says when it was what it is now. name gets a
 * copy; both are left alone otherwise. session is loaded.
 */
bool seen_before(int64_t *first_expiry, char **name, struct seen *seen, struct session *session);
/*
 * The state without history, words and lists, as long as the base's tip is the commit of that look.
 * Not where anything is under way, or may be, or was left behind: then these count.
 */
bool seen_state(struct store *out, const struct seen *seen, const struct session *session);
/* That it is: of all its certificates that one expires first. */
void seen_note(struct seen *seen, struct session *session, int64_t first_expiry, const char *name);

#endif
