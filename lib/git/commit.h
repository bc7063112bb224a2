/* SPDX-License-Identifier: PostgreSQL */
/*
 * Commits: made from a parent's tree with a few paths changed, and found again by their trailers
 * (git-interpret-trailers(1)), so that squashed and rebased branches lose nothing.
 */
#ifndef GIT_COMMIT_H
#define GIT_COMMIT_H

#include "base/sys.h"
#include "git/repo.h"

/* What every commit of the program says at its end. NULL where a trailer is left out. */
struct trailers {
	char *environment; /* Certrotate-Environment: poc */
	char *rotation;	   /* Certrotate-Rotation: 20261121T013000Z-7f3a */
	char *phase;	   /* Certrotate-Phase: trust */
	char *reverts;	   /* Certrotate-Reverts: 40 hex digits of a commit */
};

void trailers_release(struct trailers *trailers);

/* "subject\n\nbody\n\ntrailers\n"; body may be NULL; a line end in the subject or in a trailer is
 * refused with ERR_FAIL. */
int commit_message(struct buf *out, const char *subject, const char *body,
		   const struct trailers *trailers, struct err *err);
/* Every field is NULL where the message (the commit) does not have the trailer. The last counts. */
int trailers_parse(struct trailers *out, const char *message, struct err *err);
int commit_trailers(struct trailers *out, struct repo *repo, const struct oid *commit,
		    struct err *err);

/* Adds what a commit's message has between its subject and its trailers. */
int commit_body(struct buf *out, struct repo *repo, const struct oid *commit, struct err *err);

struct change {
	const char *path;
	const void *data; /* NULL: the file is removed (and it is fine where it is absent) */
	size_t len;
	bool executable; /* counts for new files only; others keep their mode */
};

/*
 * Makes a commit from the parent's tree with only these paths changed; no branch moves and
 * neither the work tree nor the index is touched. Author and committer as git is configured, the
 * time from sys; signed by the git program where commit.gpgsign says so.
 *
 * ERR_NOENT where the changes leave the tree as it is. ERR_FAIL naming the path for: data that
 * holds a private key in the clear (clear_key.h) with its line, a path that git could not check
 * out, one that is a symbolic link, a submodule or a folder in the parent, or lies below one, or
 * has a filter attribute.
 */
int commit_build(struct oid *out, struct repo *repo, const struct oid *parent,
		 const struct change *changes, size_t count, const char *message, struct sys *sys,
		 struct err *err);

struct mark {
	struct oid commit;
	struct oid parent; /* the first; OID_NONE for a root commit */
	struct trailers trailers;
	char *subject;
	int64_t time; /* the committer's, seconds since the epoch */
};

struct marks {
	struct mark *items;
	size_t count;
	size_t cap;
};

/*
 * The commits with a Certrotate-Environment trailer that can be reached from tip, children before
 * parents, newest first. environment and rotation narrow the search where not NULL. The walk ends
 * after max_walk commits or max_found hits (0: no bound).
 */
int commit_find(struct marks *out, struct repo *repo, const struct oid *tip,
		const char *environment, const char *rotation, size_t max_walk, size_t max_found,
		struct err *err);
void marks_release(struct marks *marks);

/*
 * Who changed a file after certrotate's own last commit to it, newest first: "A DBA in 1234567890
 * (2026-11-21)", at most three of them. Adds nothing where the last commit to it is certrotate's,
 * or there is none. Names are cleaned for a terminal. The search ends after 20 commits.
 */
int commit_who_changed(struct buf *out, struct repo *repo, const struct oid *tip, const char *path,
		       struct err *err);

#endif
