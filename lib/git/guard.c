/* SPDX-License-Identifier: PostgreSQL */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "git/internal.h"

#define NOTES	     "certrotate/.locks"
#define NOTE_MAX     65536
#define NOTE_TRIES   10
#define OWN_PREFIX   "certrotate-" /* files that nobody but us makes */
#define NSEC_PER_SEC INT64_C(1000000000)

static int64_t modified_ns(const struct stat *st)
{
	return st->st_mtim.tv_sec * NSEC_PER_SEC + st->st_mtim.tv_nsec;
}

/* A lock that was made long after the note belongs to somebody who came after its owner's end. */
static void remove_left(const char *path, const struct stat *note, long seconds)
{
	const char *name = strrchr(path, '/');
	struct stat st;
	int64_t age;

	if (!name || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	age = modified_ns(&st) - modified_ns(note);
	if (str_starts(name + 1, OWN_PREFIX) || (age >= 0 && age <= seconds * NSEC_PER_SEC))
		(void)unlink(path);
}

/*
 * A note: the seconds, then the paths of locks, then the fields of what is under way, each of
 * those with a '=' before it and each entry with a NUL behind it.
 */
struct note {
	int fd;
	const char *path;
	struct stat st;
	struct buf text;
	const char *fields[GUARD_FIELDS]; /* all of them or none */
};

static void note_close(struct note *note)
{
	buf_release(&note->text);
	if (note->fd >= 0)
		(void)close(note->fd);
}

static void wait_moment(void)
{
	const struct timespec moment = {0, NSEC_PER_SEC / 10};

	(void)nanosleep(&moment, NULL);
}

/* A child of a dead owner holds the note until it runs its program. */
static bool note_lock(int fd, int tries)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (!tries--)
			return false;
		wait_moment();
	}
	return true;
}

/* False where its owner lives. */
static bool note_open(struct note *note, const char *path, int tries)
{
	size_t count = 0;

	*note = (struct note){.fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW), .path = path};
	buf_init(&note->text, NOTE_MAX);
	if (note->fd < 0 || !note_lock(note->fd, tries) || fstat(note->fd, &note->st) < 0 ||
	    !note->st.st_nlink || file_read(&note->text, path, NOTE_MAX, NULL) != 0) {
		note_close(note);
		return false;
	}
	for (const char *at = note->text.data; at < note->text.data + note->text.len;
	     at += strlen(at) + 1) {
		if (*at == '=' && count < GUARD_FIELDS)
			note->fields[count++] = at + 1;
	}
	if (count < GUARD_FIELDS)
		note->fields[0] = NULL;
	return true;
}

static void note_remove_locks(const struct note *note)
{
	long seconds = strtol(note->text.data, NULL, 10);

	for (const char *at = note->text.data; at < note->text.data + note->text.len;
	     at += strlen(at) + 1) {
		if (*at == '/')
			remove_left(at, &note->st, seconds);
	}
}

/* What was under way stays noted until it is finished. */
static int sweep_note(void *ctx, struct note *note, struct err *err)
{
	(void)ctx;
	(void)err;
	note_remove_locks(note);
	if (!note->fields[0])
		(void)unlink(note->path);
	return 0;
}

static int each_left(struct repo *repo, int tries,
		     int (*fn)(void *ctx, struct note *note, struct err *err), void *ctx,
		     struct err *err)
{
	char *dir = path_join(repo->common, NOTES);
	DIR *stream = dir ? opendir(dir) : NULL;
	struct dirent *entry;
	int rc = 0;

	while (!rc && stream && (entry = file_next(stream, dir))) {
		char *path = entry->d_name[0] == '.' ? NULL : path_join(dir, entry->d_name);
		struct note note;

		if (path && note_open(&note, path, tries)) {
			rc = fn(ctx, &note, err);
			note_close(&note);
		}
		free(path);
	}
	if (stream)
		(void)closedir(stream);
	free(dir);
	return rc;
}

void guard_sweep(struct repo *repo)
{
	(void)each_left(repo, 0, sweep_note, NULL, NULL);
}

struct recovery {
	struct repo *repo;
	int (*finish)(struct repo *repo, const char *const *fields, struct err *err);
};

/* The first field is the work tree's own folder: another one's move is finished there. */
static int recover_note(void *ctx, struct note *note, struct err *err)
{
	struct recovery *recovery = ctx;
	int rc;

	if (!note->fields[0] || strcmp(note->fields[0], recovery->repo->dir) != 0)
		return 0;
	note_remove_locks(note);
	rc = recovery->finish(recovery->repo, note->fields + 1, err);
	if (!rc)
		(void)unlink(note->path);
	return rc;
}

int guard_recover(struct repo *repo,
		  int (*finish)(struct repo *repo, const char *const *fields, struct err *err),
		  struct err *err)
{
	return each_left(repo, LOCK_TRIES, recover_note, &(struct recovery){repo, finish}, err);
}

/* Another one's sweep may take the file away before it is locked: then once more. */
static int open_note(struct guard *guard, const char *dir, struct err *err)
{
	struct stat st;

	for (int tries = 0; tries < NOTE_TRIES; tries++) {
		guard->path = path_join(dir, "XXXXXX");
		if (!guard->path)
			return err_nomem(err);
		guard->fd = mkostemp(guard->path, O_CLOEXEC);
		if (guard->fd < 0)
			return err_sys(err, errno, "cannot make a file in %s", dir);
		if (flock(guard->fd, LOCK_EX) == 0 && fstat(guard->fd, &st) == 0 && st.st_nlink > 0)
			return 0;
		guard_leave(guard);
	}
	return err_set(err, ERR_FAIL, "cannot lock a file in %s", dir);
}

static void add_note(struct buf *out, const struct repo *repo, const struct strs *paths,
		     int seconds, const char *const *fields)
{
	buf_addf(out, "%d", seconds);
	buf_addc(out, '\0');
	for (size_t i = 0; i < paths->count; i++)
		buf_add(out, paths->items[i], strlen(paths->items[i]) + 1);
	for (size_t i = 0; fields && i < GUARD_FIELDS; i++) {
		buf_addf(out, "=%s", i ? fields[i - 1] : repo->dir);
		buf_addc(out, '\0');
	}
}

int guard_enter(struct guard *guard, struct repo *repo, const struct strs *paths, int seconds,
		const char *const *fields, struct err *err)
{
	char *dir = path_join(repo->common, NOTES);
	struct buf note;
	int rc;

	*guard = (struct guard){-1, NULL};
	if (!dir)
		return err_nomem(err);
	buf_init(&note, NOTE_MAX);
	rc = file_private_dirs(repo->common, NOTES, err);
	if (!rc) {
		guard_sweep(repo);
		rc = open_note(guard, dir, err);
	}
	add_note(&note, repo, paths, seconds, fields);
	if (!rc)
		rc = buf_check(&note, "a list of locks", err);
	if (!rc)
		rc = file_write_all(guard->fd, note.data, note.len, guard->path, err);
	if (!rc && fsync(guard->fd) < 0)
		rc = err_sys(err, errno, "cannot sync %s", guard->path);
	rc = rc ? rc : file_sync_dir(dir, err);
	if (rc)
		guard_leave(guard);
	buf_release(&note);
	free(dir);
	return rc;
}

void guard_leave(struct guard *guard)
{
	if (guard->path)
		(void)unlink(guard->path);
	if (guard->fd >= 0)
		(void)close(guard->fd);
	free(guard->path);
	*guard = (struct guard){-1, NULL};
}

bool guard_wait(struct repo *repo, int tries)
{
	if (tries >= LOCK_TRIES)
		return false;
	wait_moment();
	guard_sweep(repo);
	return true;
}

void guard_keep(struct guard *guard)
{
	free(guard->path);
	guard->path = NULL;
	guard_leave(guard);
}
