/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/repopath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strs.h"

/* In place: "./a//b/./c/" becomes "a/b/c", and nothing becomes ".". */
static void clean(char *path)
{
	char *in = path, *out = path;

	while (*in) {
		size_t len = strcspn(in, "/");

		if (len && !(len == 1 && in[0] == '.')) {
			if (out != path)
				*out++ = '/';
			memmove(out, in, len);
			out += len;
		}
		in += len;
		in += strspn(in, "/");
	}
	*out = '\0';
}

static int leaves(const char *path, const char *real, struct err *err)
{
	if (real)
		return err_set(err, ERR_USAGE,
			       "'%s' leaves the repository through a symbolic link, to %s", path,
			       real);
	(void)err_set(err, ERR_USAGE, "'%s' leaves the repository", path);
	(void)err_hint(err, "paths are relative to the repository and stay inside it");
	return ERR_USAGE;
}

/* In one call, where the kernel has it: openat2(2), Linux 5.6. */
static bool opens_straight(const char *full)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	long fd = syscall(SYS_openat2, AT_FDCWD, full, &how, sizeof(how));

	if (fd < 0)
		return false;
	(void)close((int)fd);
	return true;
}

/*
 * Whether no part of it below root is a symbolic link, as far as it is there: then the path stays
 * as it is, and realpath(3) need not look at each folder from the root of the machine on.
 */
static bool is_straight(const char *root, const char *path)
{
	char *full = path_join(root, path);
	char *at = full ? full + strlen(root) : NULL;
	bool straight = at && !str_ends(root, "/"), there = true;

	if (straight && opens_straight(full))
		at += strlen(at);
	while (straight && there && *at) {
		char *end = at + 1 + strcspn(at + 1, "/");
		char was = *end;
		struct stat st;

		*end = '\0';
		there = lstat(full, &st) == 0;
		straight = there ? !S_ISLNK(st.st_mode) : errno == ENOENT && file_is_dir(root);
		*end = was;
		at = end;
	}
	free(full);
	return straight;
}

/*
 * Resolves the longest part of root/path that exists; *rest is what follows it in path. A link
 * that leads nowhere counts as existing: who writes to it would write to where it points.
 */
static int resolve(char **real, const char **rest, const char *root, const char *path,
		   struct err *err)
{
	char *full = path_join(root, path);
	size_t root_len = strlen(root), cut;
	int rc = 0;

	if (!full)
		return err_nomem(err);
	cut = strlen(full);
	for (;;) {
		struct stat st;
		char *slash;

		*real = realpath(full, NULL);
		if (*real || errno == ENOMEM)
			break;
		if ((errno != ENOENT && errno != ENOTDIR) || lstat(full, &st) == 0) {
			rc = errno == ENOENT
				     ? err_set(err, ERR_USAGE,
					       "'%s' cannot be followed: a symbolic link leads "
					       "nowhere",
					       path)
				     : err_blame(
					       err,
					       err_sys(err, errno, "'%s' cannot be followed", path),
					       ERR_USAGE);
			break;
		}
		slash = strrchr(full + root_len, '/');
		if (!slash) {
			rc = err_sys(err, errno, "%s", root);
			break;
		}
		*slash = '\0';
		cut = (size_t)(slash - full);
	}
	if (!rc && !*real)
		rc = err_nomem(err);
	if (!rc) {
		size_t at = cut > root_len ? cut - root_len - !str_ends(root, "/") : 0;

		*rest = path + at + (path[at] == '/');
	}
	free(full);
	return rc;
}

static int checked(char **out, const char *root, const char *path, bool resolved, struct err *err)
{
	char *base = NULL, *mine = strdup(path), *real = NULL;
	const char *inside = NULL, *rest = "";
	int rc = 0;

	*out = NULL;
	if (!mine)
		return err_nomem(err);
	clean(mine);
	if (!path_is_inside(path)) {
		rc = leaves(path, NULL, err);
	} else if (mine[0] && is_straight(root, mine)) {
		*out = mine;
		return 0;
	} else {
		base = realpath(root, NULL);
		rc = base ? resolve(&real, &rest, base, mine, err)
			  : err_sys(err, errno, "%s", root);
	}
	if (!rc && real) {
		inside = path_below(base, real);
		rc = inside ? 0 : leaves(path, real, err);
	}
	if (inside && resolved)
		*out = *rest ? path_join(inside, rest) : strdup(inside[0] ? inside : ".");
	else if (inside)
		*out = strdup(mine[0] ? mine : ".");
	if (inside && !*out)
		rc = err_nomem(err);
	free(real);
	free(mine);
	free(base);
	return rc;
}

int repo_path(char **out, const char *root, const char *path, struct err *err)
{
	return checked(out, root, path, false, err);
}

int repo_path_real(char **out, const char *root, const char *path, struct err *err)
{
	return checked(out, root, path, true, err);
}
