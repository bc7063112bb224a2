/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reading files with a bound, and replacing them durably and atomically: a temporary file beside
 * the target whose name begins with a dot (Ansible ignores those in group_vars), a full write,
 * fsync, rename, fsync of the directory. See open(2), fsync(2), rename(2).
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

/*
 * Adds the whole of a regular file to out. ERR_NOENT where it is missing; ERR_FAIL where it is a
 * directory, unreadable, or larger than max bytes. Not for secrets (see secret_read_file).
 */
int file_read(struct buf *out, const char *path, size_t max, struct err *err);

/*
 * Replaces path with len bytes. Where it exists its mode and owner are kept; where it is new it
 * gets mode (umask does not count) and its directory must exist. A symbolic link is followed to
 * the file it names, but only below the folder root: never through one that leads out of it, and
 * with root NULL through none. On any failure the file is as it was and no temporary file is left.
 */
int file_replace(const char *path, const char *root, const void *data, size_t len, mode_t mode,
		 struct err *err);

/* Fsyncs a directory: what was made, renamed or removed in it lasts from then on. */
int file_sync_dir(const char *dir, struct err *err);

/*
 * Removes the files in a directory whose names begin with begin and have part in them, where they
 * are older than an hour: what a killed process has left, not what a living one is writing.
 */
#define FILE_TEMPORARY_PART ".certrotate-" /* in the names that file_replace takes */
void file_sweep(const char *dir, const char *begin, const char *part);

/*
 * Appends one record and fsyncs the file (made with mode 0600 where missing, its directory fsynced
 * then); through no link.
 */
int file_append_sync(const char *path, const void *data, size_t len, struct err *err);

/*
 * Opens a log for appending: mode 0600 even where it is there already, the folders above it made
 * with 0700, never through a symbolic link, and nothing but a regular file. close(2) *fd; -1 after
 * an error.
 */
int file_open_log(int *fd, const char *path, struct err *err);

/* Removes a file and fsyncs its directory; a missing one is no error. */
int file_remove(const char *path, struct err *err);

/* mkdir -p with that mode for what is made, durably. */
int file_mkdirs(const char *path, mode_t mode, struct err *err);
/*
 * The folders of rest ("a/b/c") below base, made where missing, for nobody but us: mode 0700, also
 * where they had another. ERR_FAIL naming it where one is a symbolic link or no folder, or belongs
 * to another user (root trusts any, as it runs what the repository's owner wrote).
 */
int file_private_dirs(const char *base, const char *rest, struct err *err);
/* A disk that cannot tell is no answer: err_ail has it. */
bool file_exists(const char *path);
bool file_is_dir(const char *path);
/* readdir(3), where a disk that fails is not the folder's end: err_ail has it. */
struct dirent *file_next(DIR *stream, const char *folder);

/* write(2) until all is written; EINTR goes on. */
int file_write_all(int fd, const void *data, size_t len, const char *name, struct err *err);

/* "dir/name"; free() it. name is returned alone where it is absolute or dir is "" or ".". */
char *path_join(const char *dir, const char *name);
/*
 * What a path is below a folder, "" for the folder itself, NULL where it is elsewhere. Both as
 * realpath(3) gives them: only the texts are compared. Lent from path.
 */
const char *path_below(const char *folder, const char *path);
/* Whether a path from a configuration stays below its base: relative, and without "..". */
bool path_is_inside(const char *path);

#endif
