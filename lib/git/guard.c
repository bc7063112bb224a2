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

#define NOTES	     "certrotate/locks"
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

/* The note: the seconds, then the paths, each with a NUL behind it. */
static void sweep_note(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	struct buf text;

	if (fd < 0)
		return;
	buf_init(&text, NOTE_MAX);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0 &&
	    file_read(&text, path, NOTE_MAX, NULL) == 0) {
		const char *end = text.data + text.len;
		long seconds = strtol(text.data, NULL, 10);

		for (const char *at = text.data + strlen(text.data) + 1; at < end;
		     at += strlen(at) + 1)
			remove_left(at, &st, seconds);
		(void)unlink(path);
	}
	buf_release(&text);
	(void)close(fd);
}

void guard_sweep(struct repo *repo)
{
	char *dir = path_join(repo->common, NOTES);
	DIR *stream = dir ? opendir(dir) : NULL;
	struct dirent *entry;

	while (stream && (entry = readdir(stream))) {
		char *path = entry->d_name[0] == '.' ? NULL : path_join(dir, entry->d_name);

		if (path)
			sweep_note(path);
		free(path);
	}
	if (stream)
		(void)closedir(stream);
	free(dir);
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

int guard_enter(struct guard *guard, struct repo *repo, const struct strs *paths, int seconds,
		struct err *err)
{
	char *dir = path_join(repo->common, NOTES);
	struct buf note;
	int rc;

	*guard = (struct guard){-1, NULL};
	if (!dir)
		return err_nomem(err);
	buf_init(&note, NOTE_MAX);
	rc = file_mkdirs(dir, 0700, err);
	if (!rc) {
		guard_sweep(repo);
		rc = open_note(guard, dir, err);
	}
	buf_addf(&note, "%d", seconds);
	buf_addc(&note, '\0');
	for (size_t i = 0; i < paths->count; i++)
		buf_add(&note, paths->items[i], strlen(paths->items[i]) + 1);
	if (!rc)
		rc = buf_check(&note, "a list of locks", err);
	if (!rc)
		rc = file_write_all(guard->fd, note.data, note.len, guard->path, err);
	if (!rc && fsync(guard->fd) < 0)
		rc = err_sys(err, errno, "cannot sync %s", guard->path);
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
	const struct timespec moment = {0, NSEC_PER_SEC / 10};

	if (tries >= LOCK_TRIES)
		return false;
	(void)nanosleep(&moment, NULL);
	guard_sweep(repo);
	return true;
}
