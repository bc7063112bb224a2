/* SPDX-License-Identifier: PostgreSQL */
/*
 * The index is changed by the git program, which knows all its forms (split, sparse, with
 * extensions), in a copy, while index.lock is ours; the copy then replaces it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "git/advance.h"

#define ZERO_OID  "0000000000000000000000000000000000000000"
#define GIVEN_MAX 200
/* The copy lasts from replace_index() on, once for all that was done to it. */
#define NO_SYNC "core.fsync=objects,reference"

int index_lock_init(struct index_lock *lock, struct repo *repo, struct err *err)
{
	lock->index = path_join(repo->dir, "index");
	lock->lock = path_join(repo->dir, "index.lock");
	lock->temporary = str_fmt("%s/certrotate-index.%ld", repo->dir, (long)getpid());
	return lock->index && lock->lock && lock->temporary ? 0 : err_nomem(err);
}

int index_lock_take(struct index_lock *lock, struct repo *repo, struct err *err)
{
	int fd, why, tries = 0;

	do {
		fd = open(lock->lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		why = errno;
	} while (fd < 0 && why == EEXIST && guard_wait(repo, tries++));
	if (fd < 0 && why == EEXIST) {
		err_set(err, ERR_LOCK, "another git process holds %s", lock->lock);
		return err_hint(err, "wait for it (an open editor counts); where no git runs any "
				     "more, remove the file");
	}
	if (fd < 0)
		return err_sys(err, why, "cannot create %s", lock->lock);
	(void)close(fd);
	lock->held = true;
	return 0;
}

int index_lock_release(struct index_lock *lock, struct err *err)
{
	int rc = 0;

	if (lock->held) {
		(void)unlink(lock->temporary);
		if (unlink(lock->lock) < 0 && errno != ENOENT)
			rc = err_sys(err, errno, "cannot remove %s", lock->lock);
	}
	free(lock->index);
	free(lock->lock);
	free(lock->temporary);
	*lock = (struct index_lock){NULL, NULL, NULL, false};
	return rc;
}

static int copy_data(int in, int out, const char *name, struct err *err)
{
	char chunk[65536];
	ssize_t got;
	int rc = 0;

	while (!rc && (got = read(in, chunk, sizeof(chunk))) != 0) {
		if (got < 0 && errno != EINTR)
			rc = err_sys(err, errno, "cannot read %s", name);
		else if (got > 0)
			rc = file_write_all(out, chunk, (size_t)got, name, err);
	}
	return rc;
}

/* The time stamps stay: they tell git which entries it cannot trust by their own. */
static int copy_index(const struct index_lock *lock, mode_t *mode, struct err *err)
{
	struct timespec times[2];
	struct stat st;
	int rc = 0;
	int in = open(lock->index, O_RDONLY | O_CLOEXEC);
	int out = open(lock->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (in < 0 || fstat(in, &st) < 0) {
		rc = err_sys(err, errno, "cannot open %s", lock->index);
	} else if (out < 0) {
		rc = err_sys(err, errno, "cannot create %s", lock->temporary);
	} else {
		rc = copy_data(in, out, lock->index, err);
		times[0] = st.st_atim;
		times[1] = st.st_mtim;
		if (!rc && futimens(out, times) < 0)
			rc = err_sys(err, errno, "cannot set the time of %s", lock->temporary);
		*mode = st.st_mode & 07777;
	}
	if (in >= 0)
		(void)close(in);
	if (out >= 0)
		(void)close(out);
	return rc;
}

static int replace_index(const struct index_lock *lock, mode_t mode, struct err *err)
{
	int fd = open(lock->temporary, O_RDONLY | O_CLOEXEC);
	int dir, rc = 0;
	char *slash;

	if (fd < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
	    rename(lock->temporary, lock->index) < 0)
		rc = err_sys(err, errno, "cannot replace %s", lock->index);
	if (fd >= 0)
		(void)close(fd);
	if (rc)
		return rc;
	slash = strrchr(lock->index, '/');
	*slash = '\0';
	dir = open(lock->index, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	if (dir < 0 || fsync(dir) < 0)
		rc = err_sys(err, errno, "cannot sync the directory of %s", lock->index);
	if (dir >= 0)
		(void)close(dir);
	return rc;
}

static int update(const struct index_lock *lock, struct repo *repo, const char *const *args,
		  const struct buf *list, struct err *err)
{
	int rc = buf_check(list, "a list of index entries", err);

	if (rc || !list->len)
		return rc;
	return run_git_ok(repo,
			  &(struct run){.args = args,
					.index = lock->temporary,
					.input = list->data,
					.input_len = list->len},
			  "update-index", err);
}

static bool is_done(const struct file_step *step)
{
	return step->index_mode == step->new_mode && oid_equal(&step->index, &step->new);
}

static void add_path(struct buf *out, const struct file_step *step)
{
	buf_add(out, step->path, strlen(step->path) + 1);
}

/* What is still to be done, as lists with a NUL behind each. */
struct lists {
	struct buf entries; /* new entries, and those that go */
	struct buf same;    /* files whose stat data belong to the new entry */
	struct buf assumed;
	struct strs given; /* new entries as options */
	bool removes;
};

static void lists_init(struct lists *lists)
{
	*lists = (struct lists){.given = STRS_INIT};
	buf_init(&lists->entries, GIT_TEXT_MAX);
	buf_init(&lists->same, GIT_TEXT_MAX);
	buf_init(&lists->assumed, GIT_TEXT_MAX);
}

static void lists_release(struct lists *lists)
{
	buf_release(&lists->entries);
	buf_release(&lists->same);
	buf_release(&lists->assumed);
	strs_release(&lists->given);
}

static int lists_add(struct lists *lists, const struct file_step *step, struct err *err)
{
	if (step->new_mode)
		buf_addf(&lists->entries, "%06o %s 0\t", step->new_mode, step->new.hex);
	else
		buf_adds(&lists->entries, "0 " ZERO_OID "\t");
	add_path(&lists->entries, step);
	if (step->new_mode && step->same)
		add_path(&lists->same, step);
	if (step->new_mode && step->assumed)
		add_path(&lists->assumed, step);
	lists->removes = lists->removes || !step->new_mode;
	if (!step->new_mode || lists->given.count >= GIVEN_MAX)
		return 0;
	return strs_addf(&lists->given, err, "%06o,%s,%s", step->new_mode, step->new.hex,
			 step->path);
}

/* In one go, which reads and writes a large index once: "--index-info" goes with no other list. */
static int write_few(const struct index_lock *lock, struct repo *repo, const struct lists *lists,
		     struct err *err)
{
	const char *args[2 * GIVEN_MAX + 8] = {"-c", NO_SYNC, "update-index", "--add"};
	size_t used = 4;

	for (size_t i = 0; i < lists->given.count; i++) {
		args[used++] = "--cacheinfo";
		args[used++] = lists->given.items[i];
	}
	args[used++] = "-z";
	args[used] = "--stdin";
	return update(lock, repo, args, &lists->same, err);
}

static int write_many(const struct index_lock *lock, struct repo *repo, const struct lists *lists,
		      struct err *err)
{
	static const char *const info[] = {"-c",	   NO_SYNC, "update-index", "--add", "-z",
					   "--index-info", NULL};
	static const char *const paths[] = {"-c", NO_SYNC, "update-index", "-z", "--stdin", NULL};
	int rc = update(lock, repo, info, &lists->entries, err);

	return rc ? rc : update(lock, repo, paths, &lists->same, err);
}

/* Entries first; then their stat data from the work tree, where that gives the same entry. */
static int write_entries(const struct index_lock *lock, struct repo *repo,
			 const struct steps *steps, struct err *err)
{
	static const char *const assume[] = {
		"-c", NO_SYNC, "update-index", "--assume-unchanged", "-z", "--stdin", NULL};
	struct lists lists;
	int rc = 0;

	lists_init(&lists);
	for (size_t i = 0; !rc && i < steps->count; i++) {
		if (!is_done(&steps->items[i]))
			rc = lists_add(&lists, &steps->items[i], err);
	}
	if (!rc && lists.same.len && !lists.removes && lists.given.count < GIVEN_MAX)
		rc = write_few(lock, repo, &lists, err);
	else if (!rc)
		rc = write_many(lock, repo, &lists, err);
	if (!rc)
		rc = update(lock, repo, assume, &lists.assumed, err);
	lists_release(&lists);
	return rc;
}

int index_update(struct index_lock *lock, struct repo *repo, const struct steps *steps,
		 struct err *err)
{
	mode_t mode = 0600;
	size_t left = 0;
	int rc;

	for (size_t i = 0; i < steps->count; i++)
		left += !is_done(&steps->items[i]);
	if (!left)
		return 0;
	rc = copy_index(lock, &mode, err);
	if (!rc)
		rc = write_entries(lock, repo, steps, err);
	if (!rc)
		rc = replace_index(lock, mode, err);
	return rc;
}
