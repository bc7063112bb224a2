/* SPDX-License-Identifier: PostgreSQL */
/*
 * The checked-out files, the index, and the local branches. What belongs to the user (staged
 * entries, unstaged changes, untracked files, flags of index entries) is never touched.
 */
#ifndef GIT_WORKTREE_H
#define GIT_WORKTREE_H

#include "git/repo.h"

/*
 * Adds the paths at or below the prefixes (files or folders, "" for all) that are not as in HEAD:
 * modified, deleted, staged or untracked (not ignored ones), also in submodules and where the
 * user told git to assume them unchanged; sorted. Prefixes outside the work tree are passed
 * over; without any prefix nothing is found.
 */
int worktree_changed(struct strs *out, struct repo *repo, const char *const *prefixes, size_t count,
		     struct err *err);

/* Whether a path below the work tree, there or not, is one that git ignores. */
int worktree_ignores(bool *out, struct repo *repo, const char *path, struct err *err);

/*
 * Moves a branch from one commit to a descendant. Where it is the checked-out branch, the files
 * that differ between the two are written into the work tree durably, and only their index entries
 * are refreshed. The order is: check, lock the index, branch, files, index. So a call that died
 * half-way is finished by calling it again with the same commits (or with from = the parent of the
 * branch's tip), and calling it once more changes nothing.
 *
 * Files get what a checkout would write (line ends as attributes and core.autocrlf say).
 *
 * ERR_LOCK: the branch is at neither commit, or another git process holds the index (index.lock;
 * one that a killed certrotate left is removed). ERR_FAIL naming them: files to be written that
 * have changes, staged or not, or are untracked; a branch that another work tree has checked out.
 * Nothing was changed then.
 */
int branch_advance(struct repo *repo, const char *ref, const struct oid *from, const struct oid *to,
		   const char *reflog, struct err *err);

/*
 * Finishes a branch_advance or branch_fast_forward in this work tree whose process was killed
 * after the branch had moved, and removes what such processes left among the objects. To be called
 * before the work tree is judged; mostly nothing is to be done. ERR_FAIL naming the files where the
 * user has changed them since.
 */
int branch_recover(struct repo *repo, struct err *err);

/*
 * Fast-forwards the checked-out branch to a commit, as "git merge --ff-only" does: local changes
 * that are not in the way stay. ERR_FAIL with git's reason where it cannot.
 */
int branch_fast_forward(struct repo *repo, const struct oid *to, struct err *err);

/* Makes a branch that is not there yet; one that is there at the same commit is no error, one
 * elsewhere is ERR_LOCK. */
int branch_create(struct repo *repo, const char *ref, const struct oid *commit, const char *reflog,
		  struct err *err);
/* Removes a branch that is at that commit; ERR_LOCK where it is elsewhere, 0 where it is gone,
 * ERR_FAIL where it is checked out. */
int branch_delete(struct repo *repo, const char *ref, const struct oid *expected, struct err *err);

#endif
