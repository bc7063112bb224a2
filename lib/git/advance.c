/* SPDX-License-Identifier: PostgreSQL */
#include "git/advance.h"

#include <stdlib.h>
#include <string.h>

#include "git/worktree.h"

#define LOCKS_S 60

static bool is_regular(unsigned mode)
{
	return !mode || mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE;
}

/* git reads lists of paths by lines, and takes one that begins with a quote as quoted. */
static bool is_listable(const char *path)
{
	return !strchr(path, '\n') && path[0] != '"';
}

static bool is_plain(const git_diff_delta *delta)
{
	return is_regular(delta->old_file.mode) && is_regular(delta->new_file.mode) &&
	       is_listable(delta->new_file.path);
}

int advance_is_plain(bool *out, struct repo *repo, const struct oid *from, const struct oid *to,
		     size_t max, struct err *err)
{
	git_diff *diff;
	int rc = diff_commits(&diff, repo, from, to, err);

	*out = !rc && git_diff_num_deltas(diff) <= max;
	for (size_t i = 0; *out && i < git_diff_num_deltas(diff); i++)
		*out = is_plain(git_diff_get_delta(diff, i));
	git_diff_free(diff);
	return rc;
}

static int load_step(struct file_step *out, const git_diff_delta *delta, struct err *err)
{
	const char *path = delta->new_file.path;

	if (!is_plain(delta))
		return err_set(err, ERR_FAIL,
			       "%s is a symbolic link or a submodule, or has a line end in its "
			       "name: cannot be checked out here",
			       path);
	out->path = strdup(path);
	if (!out->path)
		return err_nomem(err);
	out->old_mode = delta->old_file.mode;
	out->new_mode = delta->new_file.mode;
	if (out->old_mode)
		oid_from_git(&out->old, &delta->old_file.id);
	if (out->new_mode)
		oid_from_git(&out->new, &delta->new_file.id);
	return 0;
}

int steps_load(struct steps *out, struct repo *repo, const struct oid *from, const struct oid *to,
	       struct err *err)
{
	git_diff *diff;
	size_t count;
	int rc = diff_commits(&diff, repo, from, to, err);

	*out = (struct steps){NULL, 0, STRMAP_INIT};
	if (rc)
		return rc;
	count = git_diff_num_deltas(diff);
	out->items = calloc(count ? count : 1, sizeof(*out->items));
	if (!out->items)
		rc = err_nomem(err);
	for (size_t i = 0; !rc && i < count; i++) {
		out->count = i + 1;
		rc = load_step(&out->items[i], git_diff_get_delta(diff, i), err);
		if (!rc)
			rc = strmap_put(&out->by_path, out->items[i].path, i, err);
	}
	git_diff_free(diff);
	if (rc)
		steps_release(out);
	return rc;
}

void steps_release(struct steps *steps)
{
	for (size_t i = 0; i < steps->count; i++)
		free(steps->items[i].path);
	free(steps->items);
	strmap_release(&steps->by_path);
	*steps = (struct steps){NULL, 0, STRMAP_INIT};
}

static int note_locks(struct guard *guard, const struct index_lock *lock, struct repo *repo,
		      const char *ref, const struct oid *from, const struct oid *to,
		      struct err *err)
{
	const char *const fields[GUARD_FIELDS - 1] = {ref, from->hex, to->hex};
	struct strs paths = STRS_INIT;
	int rc = ref_lock_paths(&paths, repo, ref, err);

	if (!rc)
		rc = strs_add(&paths, lock->lock, err);
	if (!rc)
		rc = strs_add(&paths, lock->temporary, err);
	if (!rc)
		rc = strs_addf(&paths, err, "%s.lock", lock->temporary);
	if (!rc)
		rc = guard_enter(guard, repo, &paths, LOCKS_S, fields, err);
	strs_release(&paths);
	return rc;
}

/* The branch may have moved although it failed: its folder is synced behind that. */
static int move_branch(bool *moved, struct repo *repo, const char *ref, const struct oid *from,
		       const struct oid *to, const char *reflog, struct err *err)
{
	struct oid now;
	int rc = ref_swap(repo, ref, from, to, reflog, err);

	*moved = !rc || ref_now(&now, repo, ref, NULL) != 0 || oid_equal(&now, to);
	return rc;
}

int advance_checked_out(struct repo *repo, const char *ref, const struct oid *now,
			const struct oid *from, const struct oid *to, const char *reflog,
			struct err *err)
{
	struct index_lock lock = {NULL, NULL, NULL, false};
	struct guard guard = {-1, NULL};
	struct steps steps;
	bool moved = oid_equal(now, to);
	int released, rc = steps_load(&steps, repo, from, to, err);

	if (!rc)
		rc = index_lock_init(&lock, repo, err);
	if (!rc)
		rc = note_locks(&guard, &lock, repo, ref, from, to, err);
	if (!rc)
		rc = index_lock_take(&lock, repo, err);
	if (!rc)
		rc = steps_check(&steps, repo, err);
	/* The branch first: from here on the commit itself says what is still to be done. */
	if (!rc && !moved)
		rc = move_branch(&moved, repo, ref, from, to, reflog, err);
	if (!rc)
		rc = steps_write(&steps, repo, err);
	if (!rc)
		rc = index_update(&lock, repo, &steps, err);
	released = index_lock_release(&lock, rc ? NULL : err);
	if (released || (rc && moved))
		guard_keep(&guard);
	else
		guard_leave(&guard);
	steps_release(&steps);
	return rc ? rc : released;
}
