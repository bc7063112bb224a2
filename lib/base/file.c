/* SPDX-License-Identifier: PostgreSQL */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/strs.h"

#define SWEEP_S 3600

int file_read(struct buf *out, const char *path, size_t max, struct err *err)
{
	char chunk[65536];
	struct stat st;
	size_t total = 0;
	int rc = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return err_sys(err, errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0) {
		rc = err_sys(err, errno, "cannot read %s", path);
	} else if (!S_ISREG(st.st_mode)) {
		rc = err_set(err, ERR_FAIL, "cannot read %s: not a regular file", path);
	}
	while (!rc) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got == 0)
			break;
		if (got < 0) {
			if (errno != EINTR)
				rc = err_sys(err, errno, "cannot read %s", path);
			continue;
		}
		total += (size_t)got;
		if (total > max)
			rc = err_set(err, ERR_FAIL, "%s is larger than %zu bytes", path, max);
		else
			buf_add(out, chunk, (size_t)got);
	}
	(void)close(fd);
	return rc ? rc : buf_check(out, path, err);
}

int file_write_all(int fd, const void *data, size_t len, const char *name, struct err *err)
{
	const char *at = data;

	while (len) {
		ssize_t put = write(fd, at, len);

		if (put < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, errno, "cannot write %s", name);
		}
		at += put;
		len -= (size_t)put;
	}
	return 0;
}

int file_sync_dir(const char *dir, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = err_sys(err, errno, "cannot sync the directory %s", dir);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int sync_dir_of(const char *path, struct err *err)
{
	char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int rc;

	if (!dir)
		return err_nomem(err);
	if (slash == dir)
		slash[1] = '\0';
	else if (slash)
		*slash = '\0';
	rc = file_sync_dir(slash ? dir : ".", err);
	free(dir);
	return rc;
}

void file_sweep(const char *dir, const char *begin, const char *part)
{
	DIR *stream = opendir(dir);
	const time_t old = time(NULL) - SWEEP_S;
	struct dirent *entry;
	struct stat st;

	while (stream && (entry = readdir(stream))) {
		if (str_starts(entry->d_name, begin) && strstr(entry->d_name, part) &&
		    fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mtime < old)
			(void)unlinkat(dirfd(stream), entry->d_name, 0);
	}
	if (stream)
		(void)closedir(stream);
}

/* A name beside path: ".NAME.certrotate-XXXXXX". */
static char *temporary_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return str_fmt("%.*s.%s" FILE_TEMPORARY_PART "XXXXXX", (int)(name - path), path, name);
}

static int write_temporary(int fd, const char *temporary, const struct stat *old, mode_t mode,
			   const void *data, size_t len, struct err *err)
{
	int rc;

	if (fchmod(fd, old ? old->st_mode & 07777 : mode) < 0)
		return err_sys(err, errno, "cannot set the mode of %s", temporary);
	if (old && (old->st_uid != geteuid() || old->st_gid != getegid()) &&
	    fchown(fd, old->st_uid, old->st_gid) < 0)
		return err_sys(err, errno, "cannot keep the owner of %s", temporary);
	rc = file_write_all(fd, data, len, temporary, err);
	if (!rc && fsync(fd) < 0)
		rc = err_sys(err, errno, "cannot sync %s", temporary);
	return rc;
}

/* A folder that is missing is not the file that a caller asked for. */
static int not_missing(int rc, struct err *err)
{
	if (rc != ERR_NOENT)
		return rc;
	if (err)
		err->code = ERR_FAIL;
	return ERR_FAIL;
}

/* Refuses a resolved path that is not below a folder. */
static int check_below(const char *real, const char *root, const char *path, struct err *err)
{
	char base[PATH_MAX];
	const char *below;

	if (!realpath(root, base))
		return err_sys(err, errno, "cannot resolve %s", root);
	below = path_below(base, real);
	if (below && below[0])
		return 0;
	return err_set(err, ERR_FAIL, "cannot replace %s: it leads out of %s, to %s", path, root,
		       real);
}

/* Where the bytes go: *exists with *st of the file that is there. */
static int resolve(char resolved[PATH_MAX], const char *path, const char *root, bool *exists,
		   struct stat *st, struct err *err)
{
	*exists = lstat(path, st) == 0;
	if (!*exists && errno != ENOENT)
		return err_sys(err, errno, "cannot replace %s", path);
	if (*exists && S_ISLNK(st->st_mode)) {
		if (!root)
			return err_set(err, ERR_FAIL, "cannot replace %s: it is a symbolic link",
				       path);
		*exists = stat(path, st) == 0;
		if (!*exists)
			return err_sys(err, errno, "cannot follow the symbolic link %s", path);
	}
	if (*exists && !S_ISREG(st->st_mode))
		return err_set(err, ERR_FAIL, "cannot replace %s: not a regular file", path);
	if (!*exists || !root) {
		if (strlen(path) >= PATH_MAX)
			return err_sys(err, ENAMETOOLONG, "cannot replace %s", path);
		memcpy(resolved, path, strlen(path) + 1);
		return 0;
	}
	if (!realpath(path, resolved))
		return err_sys(err, errno, "cannot resolve %s", path);
	return check_below(resolved, root, path, err);
}

int file_replace(const char *path, const char *root, const void *data, size_t len, mode_t mode,
		 struct err *err)
{
	char resolved[PATH_MAX];
	struct stat st;
	bool exists;
	char *temporary;
	int fd, rc = resolve(resolved, path, root, &exists, &st, err);

	if (rc)
		return not_missing(rc, err);
	path = resolved;
	temporary = temporary_name(path);
	if (!temporary)
		return err_nomem(err);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		rc = err_sys(err, errno, "cannot create a file beside %s", path);
		free(temporary);
		return not_missing(rc, err);
	}
	rc = write_temporary(fd, temporary, exists ? &st : NULL, mode, data, len, err);
	if (close(fd) < 0 && !rc)
		rc = err_sys(err, errno, "cannot write %s", temporary);
	if (!rc && rename(temporary, path) < 0)
		rc = err_sys(err, errno, "cannot rename %s to %s", temporary, path);
	if (rc)
		(void)unlink(temporary);
	else
		rc = sync_dir_of(path, err);
	free(temporary);
	return rc;
}

int file_append_sync(const char *path, const void *data, size_t len, struct err *err)
{
	/* O_NONBLOCK: a pipe in its place must not hold us */
	int fd = open(path,
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY |
			      O_NONBLOCK,
		      0600);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return err_sys(err, errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		rc = err_sys(err, errno, "cannot look at %s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, ERR_FAIL, "cannot write %s: not a regular file", path);
	if (!rc)
		rc = file_write_all(fd, data, len, path, err);
	if (!rc && fsync(fd) < 0)
		rc = err_sys(err, errno, "cannot sync %s", path);
	(void)close(fd);
	/* It may be new: then its name has to last as well. */
	return rc || st.st_size ? rc : sync_dir_of(path, err);
}

static int make_log(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(err, errno, "cannot write the log %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_FAIL, "cannot write the log %s: not a regular file", path);
	if (fchmod(fd, 0600))
		return err_sys(err, errno, "cannot make the log %s private", path);
	return 0;
}

int file_open_log(int *fd, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	int rc = 0;

	*fd = -1;
	if (slash && slash != path) {
		char *dir = strndup(path, (size_t)(slash - path));

		rc = dir ? file_mkdirs(dir, 0700, err) : err_nomem(err);
		free(dir);
	}
	if (rc)
		return rc;
	/* O_NONBLOCK: a pipe in its place must not hold us. */
	*fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (*fd < 0)
		return err_sys(err, errno, "cannot write the log %s", path);
	rc = make_log(*fd, path, err);
	if (rc) {
		(void)close(*fd);
		*fd = -1;
	}
	return rc;
}

int file_remove(const char *path, struct err *err)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "cannot remove %s", path);
	return sync_dir_of(path, err);
}

/* One that is there already is fine. */
static int make_dir(const char *path, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) == 0)
		return sync_dir_of(path, err);
	return errno == EEXIST ? 0 : err_sys(err, errno, "cannot make the directory %s", path);
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
	char *copy = strdup(path);
	int rc = 0;

	if (!copy)
		return err_nomem(err);
	for (char *at = copy + 1; !rc; at++) {
		bool last = *at == '\0';

		if (!last && *at != '/')
			continue;
		*at = '\0';
		rc = make_dir(copy, mode, err);
		if (last)
			break;
		*at = '/';
	}
	if (!rc && !file_is_dir(path))
		rc = err_set(err, ERR_FAIL, "%s is not a directory", path);
	free(copy);
	return rc;
}

static int private_dir(const char *path, struct err *err)
{
	struct stat st;
	int rc = make_dir(path, 0700, err);

	if (rc)
		return rc;
	if (lstat(path, &st) < 0)
		return err_sys(err, errno, "cannot look at %s", path);
	if (!S_ISDIR(st.st_mode)) {
		err_set(err, ERR_FAIL, "%s is %s", path,
			S_ISLNK(st.st_mode) ? "a symbolic link" : "no directory");
		return err_hint(err, "certrotate keeps what is private there: move it away");
	}
	if (st.st_uid != geteuid() && geteuid() != 0) {
		err_set(err, ERR_FAIL, "%s belongs to another user (uid %u)", path,
			(unsigned)st.st_uid);
		return err_hint(err, "work as that user, or in a clone of your own");
	}
	if ((st.st_mode & 0777) != 0700 && chmod(path, 0700) < 0)
		return err_sys(err, errno, "cannot make %s private", path);
	return 0;
}

int file_private_dirs(const char *base, const char *rest, struct err *err)
{
	char *path = path_join(base, rest);
	int rc = path ? 0 : err_nomem(err);

	for (char *at = path ? path + strlen(path) - strlen(rest) : NULL; !rc && at;) {
		char *slash = strchr(at, '/');

		if (slash)
			*slash = '\0';
		rc = private_dir(path, err);
		if (slash)
			*slash = '/';
		at = slash ? slash + 1 : NULL;
	}
	free(path);
	return not_missing(rc, err);
}

/* Whether it can be looked at: who asks has no place for an error of the disk. */
static bool look(struct stat *st, const char *path)
{
	if (stat(path, st) == 0)
		return true;
	err_ail(errno, "cannot look at %s", path);
	return false;
}

bool file_exists(const char *path)
{
	struct stat st;

	return look(&st, path);
}

bool file_is_dir(const char *path)
{
	struct stat st;

	return look(&st, path) && S_ISDIR(st.st_mode);
}

struct dirent *file_next(DIR *stream, const char *folder)
{
	struct dirent *entry;

	errno = 0;
	entry = readdir(stream);
	if (!entry && errno)
		err_ail(errno, "cannot read the folder %s", folder);
	return entry;
}

char *path_join(const char *dir, const char *name)
{
	if (name[0] == '/' || !dir[0] || !strcmp(dir, "."))
		return str_fmt("%s", name);
	return str_fmt("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", name);
}

const char *path_below(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	if (!strcmp(folder, "/"))
		return path + 1;
	if (strncmp(folder, path, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path[len] ? path + len + 1 : path + len;
}

bool path_is_inside(const char *path)
{
	const char *at = path;

	if (!path[0] || path[0] == '/')
		return false;
	while (at) {
		if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || !at[2]))
			return false;
		at = strchr(at, '/');
		if (at)
			at++;
	}
	return true;
}
