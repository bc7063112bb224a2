/* SPDX-License-Identifier: PostgreSQL */
#include "proc/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strs.h"

#define PREFIX "certrotate-scratch-"
#define TRIES  10
#define DEPTH  16

static bool in_memory(const char *dir)
{
	struct statfs fs;

	return dir && dir[0] == '/' && access(dir, W_OK | X_OK) == 0 && statfs(dir, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static const char *base_dir(bool *memory)
{
	const char *const dirs[] = {"/dev/shm", getenv("XDG_RUNTIME_DIR"), "/tmp"};

	*memory = true;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (in_memory(dirs[i]))
			return dirs[i];
	}
	*memory = false;
	return "/tmp";
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

static void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* The lock is free only where its owner has ended. */
static void remove_if_stale(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
		remove_tree(path);
	(void)close(fd);
}

static void remove_stale(const char *base)
{
	DIR *dir = opendir(base);
	struct dirent *entry;

	while (dir && (entry = file_next(dir, base)) != NULL) {
		char *path;

		if (!str_starts(entry->d_name, PREFIX))
			continue;
		path = str_fmt("%s/%s", base, entry->d_name);
		if (path)
			remove_if_stale(path);
		free(path);
	}
	if (dir)
		(void)closedir(dir);
}

/* 1 where somebody took it for a stale one between mkdtemp and the lock. */
static int make_one(struct scratch *scratch, const char *base, struct err *err)
{
	struct stat st;

	scratch->path = str_fmt("%s/" PREFIX "XXXXXX", base);
	if (!scratch->path)
		return err_nomem(err);
	if (!mkdtemp(scratch->path)) {
		(void)err_sys(err, errno, "cannot make a temporary folder in %s", base);
		free(scratch->path);
		scratch->path = NULL;
		return ERR_FAIL;
	}
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (scratch->fd >= 0 && flock(scratch->fd, LOCK_EX | LOCK_NB) == 0 &&
	    fstat(scratch->fd, &st) == 0 && st.st_nlink > 0)
		return 0;
	scratch_remove(scratch);
	return 1;
}

void scratch_sweep(void)
{
	bool memory;

	remove_stale(base_dir(&memory));
}

int scratch_make(struct scratch *scratch, struct err *err)
{
	const char *base;
	int rc = 1;

	memset(scratch, 0, sizeof(*scratch));
	scratch->fd = -1;
	base = base_dir(&scratch->memory);
	scratch_sweep();
	for (int i = 0; i < TRIES && rc == 1; i++)
		rc = make_one(scratch, base, err);
	if (rc == 1)
		return err_set(err, ERR_FAIL, "cannot lock a temporary folder in %s", base);
	return rc;
}

void scratch_remove(struct scratch *scratch)
{
	if (!scratch->path)
		return;
	remove_tree(scratch->path);
	if (scratch->fd >= 0)
		(void)close(scratch->fd);
	free(scratch->path);
	scratch->path = NULL;
	scratch->fd = -1;
}
