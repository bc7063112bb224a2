/* SPDX-License-Identifier: PostgreSQL */
/* How the checked-out branch moves with its files and index entries; for this room only. */
#ifndef GIT_ADVANCE_H
#define GIT_ADVANCE_H

#include "git/internal.h"

/* A file that differs between two commits. A mode of 0: not there. */
struct file_step {
	char *path;
	struct oid old, new;
	unsigned old_mode, new_mode;
	struct oid index;
	unsigned index_mode;
	bool assumed; /* the index entry says: assume unchanged */
	bool as_is;   /* the blob's bytes are the file's: no line ends, filter or encoding */
	bool written; /* the work tree has the new one already */
	bool same;    /* what is in the work tree is the new blob in git's eyes */
};

struct steps {
	struct file_step *items;
	size_t count, cap;
	struct strmap by_path;
};

/* ERR_FAIL where one of them is no regular file in one of the commits. */
int steps_load(struct steps *out, struct repo *repo, const struct oid *from, const struct oid *to,
	       struct err *err);
void steps_release(struct steps *steps);
/* Fills as_is. */
int steps_ask_attributes(struct steps *steps, struct repo *repo, struct err *err);
/* Fills what the index holds, as_is, and the work tree; ERR_FAIL naming those that have changes. */
int steps_check(struct steps *steps, struct repo *repo, struct err *err);
/* Writes and removes files. */
int steps_write(struct steps *steps, struct repo *repo, struct err *err);

struct index_lock {
	char *index, *lock, *temporary;
	bool held;
};

int index_lock_init(struct index_lock *lock, struct repo *repo, struct err *err);
int index_lock_take(struct index_lock *lock, struct repo *repo, struct err *err);
/* Puts the new entries into the index; the lock is needed and stays. */
int index_update(struct index_lock *lock, struct repo *repo, const struct steps *steps,
		 struct err *err);
/* An error where the lock stays: then whoever noted it keeps its note (guard_keep). */
int index_lock_release(struct index_lock *lock, struct err *err);

/* Whether no more than max files differ, all of them regular, with names that can be listed. */
int advance_is_plain(bool *out, struct repo *repo, const struct oid *from, const struct oid *to,
		     size_t max, struct err *err);
/* now: where the branch is, at from or to. */
int advance_checked_out(struct repo *repo, const char *ref, const struct oid *now,
			const struct oid *from, const struct oid *to, const char *reflog,
			struct err *err);
/* Where a reference stands; OID_NONE where it is not there. err may be NULL. */
int ref_now(struct oid *out, struct repo *repo, const char *ref, struct err *err);
/* The locks that a change of the reference takes. */
int ref_lock_paths(struct strs *out, struct repo *repo, const char *ref, struct err *err);
/* The caller has noted the locks. On an error the reference may have moved all the same. */
int ref_swap(struct repo *repo, const char *ref, const struct oid *from, const struct oid *to,
	     const char *reflog, struct err *err);

#endif
