/* SPDX-License-Identifier: PostgreSQL */
/*
 * A git repository with a work tree: what is configured, where its branches stand, and what its
 * commits hold. libgit2 reads and writes objects and references (fsynced); what needs the user's
 * own set-up (index, status, identity, signing, network) goes through the git program.
 *
 * Ids are lower-case hex of SHA-1; an empty text means "none". References are given by their full
 * names ("refs/heads/dev"), paths relative to the work tree's root with '/'.
 */
#ifndef GIT_REPO_H
#define GIT_REPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"

#define OID_SIZE 41

struct oid {
	char hex[OID_SIZE];
};

#define OID_NONE ((struct oid){{0}})

bool oid_equal(const struct oid *a, const struct oid *b);
bool oid_is_none(const struct oid *oid);
/* ERR_FAIL where the text is not 40 hex digits (a state file or a journal may hold anything). */
int oid_parse(struct oid *out, const char *text, struct err *err);

struct repo;

/*
 * Finds the repository that dir is in. ERR_USAGE, with a hint, for: no repository, no work tree
 * (bare), SHA-256 object names, extensions that are not supported, another owner's clone that
 * safe.directory does not name. repo_close(NULL) is fine.
 */
int repo_open(struct repo **out, const char *dir, struct err *err);
void repo_close(struct repo *repo);

/* Lets a stop request end the runs of the git program. Borrowed; NULL: they cannot be stopped. */
struct loop_stop;
void repo_use_stop(struct repo *repo, struct loop_stop *stop);

/* Environment variables that the git program does not get. Borrowed; NULL: it gets all. */
void repo_hide(struct repo *repo, const struct strs *variables);

/*
 * Whether what needs the network is finished in spite of a first stop request (what works in the
 * clone alone always is).
 */
void repo_finish(struct repo *repo, bool finishes);
/* From now on git never asks the person at the terminal for a password: for timers. */
void repo_never_ask(struct repo *repo);

/* Borrowed, absolute, without a slash at the end. */
const char *repo_root(const struct repo *repo); /* of the work tree */
/* ".git", shared by all linked work trees: state of this machine lives below it. */
const char *repo_common_dir(const struct repo *repo);
const char *repo_git_dir(const struct repo *repo); /* of this work tree: HEAD, index */

struct identity {
	char *name;
	char *email;
};

/*
 * Who the author of a commit would be, as git is configured (user.*, author.*, GIT_AUTHOR_*).
 * ERR_USAGE with a hint where nothing is configured: a guess from the host name is not taken.
 */
int repo_identity(struct identity *out, struct repo *repo, struct err *err);
void identity_release(struct identity *identity);

struct head {
	char *ref;	    /* "refs/heads/dev" */
	const char *branch; /* "dev", inside ref */
	struct oid tip;
};

/* The checked-out branch. ERR_USAGE with a hint: detached HEAD, or a branch without a commit. */
int repo_head(struct head *out, struct repo *repo, struct err *err);
void head_release(struct head *head);
/* ERR_USAGE naming it where a merge, rebase, cherry-pick, revert, bisect or am is under way. */
int repo_check_quiet(struct repo *repo, struct err *err);

/* The commit that a reference names. ERR_NOENT, with a hint for branches, where it is not there. */
int repo_ref(struct oid *out, struct repo *repo, const char *ref, struct err *err);
bool repo_ref_exists(struct repo *repo, const char *ref);
/* The full names of the references that begin with prefix ("refs/heads/certrotate/"), sorted. */
int repo_refs_below(struct strs *out, struct repo *repo, const char *prefix, struct err *err);
/* Whether the object is a commit that this clone has. */
bool repo_has_commit(struct repo *repo, const struct oid *commit);
/* The first parent; OID_NONE for a root commit. */
int repo_parent(struct oid *out, struct repo *repo, const struct oid *commit, struct err *err);

/* A commit is its own ancestor. */
int repo_is_ancestor(bool *out, struct repo *repo, const struct oid *ancestor,
		     const struct oid *commit, struct err *err);
/* How many commits each has that the other has not. */
int repo_ahead_behind(size_t *ahead, size_t *behind, struct repo *repo, const struct oid *local,
		      const struct oid *upstream, struct err *err);

/* Adds the file at path in that commit. ERR_NOENT where it is absent; ERR_FAIL where it is no
 * regular file or larger than max. Cipher text of vaults only: no secret is read this way. */
int repo_read(struct buf *out, struct repo *repo, const struct oid *commit, const char *path,
	      size_t max, struct err *err);
/* The blob's (or folder's tree's) id: equal ids are equal content. ERR_NOENT where absent. */
int repo_path_oid(struct oid *out, struct repo *repo, const struct oid *commit, const char *path,
		  struct err *err);
/* The names of the files and folders directly in a folder ("" is the root), sorted; folders end
 * in '/'. ERR_NOENT where the folder is absent. */
int repo_list(struct strs *out, struct repo *repo, const struct oid *commit, const char *dir,
	      struct err *err);
/* The paths of files that differ between two commits, sorted. */
int repo_changed_between(struct strs *out, struct repo *repo, const struct oid *from,
			 const struct oid *to, struct err *err);
/*
 * Whether any commit that can be reached from this one ever held the path. where (may be NULL)
 * gets one that did. ERR_FAIL in a shallow clone, whose history is cut.
 */
int repo_ever_held(bool *out, struct oid *where, struct repo *repo, const struct oid *commit,
		   const char *path, struct err *err);

#endif
