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

static bool is_plain(const struct delta *delta)
{
	return is_regular(delta->old_mode) && is_regular(delta->new_mode) &&
	       is_listable(delta->path);
}

struct plain {
	size_t left;
	bool is;
};

/* ERR_NOENT: enough was seen. */
static int look_whether_plain(void *ctx, const struct delta *delta, struct err *err)
{
	struct plain *plain = ctx;

	(void)err;
	plain->is = plain->left > 0 && is_plain(delta);
	plain->left -= plain->is;
	return plain->is ? 0 : ERR_NOENT;
}

int advance_is_plain(bool *out, struct repo *repo, const struct oid *from, const struct oid *to,
		     size_t max, struct err *err)
{
	struct plain plain = {.left = max, .is = true};
	int rc = diff_commits(repo, from, to, look_whether_plain, &plain, err);

	*out = !rc && plain.is;
	return rc && plain.is ? rc : 0;
}

static int grow(struct steps *steps, struct err *err)
{
	size_t cap = steps->cap ? steps->cap * 2 : 16;
	struct file_step *items = realloc(steps->items, cap * sizeof(*items));

	if (!items)
		return err_nomem(err);
	steps->items = items;
	steps->cap = cap;
	return 0;
}

static int load_step(void *ctx, const struct delta *delta, struct err *err)
{
	struct steps *steps = ctx;
	struct file_step *step;
	int rc;

	if (!is_plain(delta))
		return err_set(err, ERR_FAIL,
			       "%s is a symbolic link or a submodule, or has a line end in its "
			       "name: cannot be checked out here",
			       delta->path);
	rc = steps->count < steps->cap ? 0 : grow(steps, err);
	if (rc)
		return rc;
	step = &steps->items[steps->count];
	*step = (struct file_step){.path = strdup(delta->path),
				   .old = delta->old,
				   .new = delta->new,
				   .old_mode = delta->old_mode,
				   .new_mode = delta->new_mode};
	if (!step->path)
		return err_nomem(err);
	return strmap_put(&steps->by_path, step->path, steps->count++, err);
}

int steps_load(struct steps *out, struct repo *repo, const struct oid *from, const struct oid *to,
	       struct err *err)
{
	int rc;

	*out = (struct steps){.by_path = STRMAP_INIT};
	rc = diff_commits(repo, from, to, load_step, out, err);
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
	*steps = (struct steps){.by_path = STRMAP_INIT};
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
