/* SPDX-License-Identifier: PostgreSQL */
/* Putting a delivery into its folder: see delivery.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/strs.h"
#include "outside/delivery_internal.h"

#define LIST_MAX      ((size_t)16 << 20)
#define ABANDONED_S   3600 /* after which an unfinished folder is nobody's */
#define TREE_DEPTH    16
#define DELIVERY_MODE 0600

/* What an earlier delivery wrote, by its list. */
struct earlier {
	bool there;
	struct strs paths;
	struct strmap known; /* paths and the folders above them */
};

static void earlier_release(struct earlier *earlier)
{
	strs_release(&earlier->paths);
	strmap_release(&earlier->known);
}

static int in_the_way(const char *folder, struct err *err, const char *why)
{
	err_set(err, ERR_USAGE, "%s: %s", folder, why);
	return err_hint(err, "name a folder that is not there yet, is empty, or holds an earlier "
			     "delivery for this application alone");
}

/* Everything in the folder has to be known; deeper than a user's folder nothing is. */
static int check_known(const char *folder, const char *below, const struct strmap *known, int depth,
		       struct err *err)
{
	char *dir = path_join(folder, below);
	DIR *stream = dir ? opendir(dir) : NULL;
	struct dirent *entry;
	int rc = 0;

	if (!stream)
		rc = dir ? err_sys(err, errno, "cannot look into %s", dir) : err_nomem(err);
	while (!rc && (entry = file_next(stream, dir))) {
		char *path;
		size_t is_folder;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		path = path_join(below, entry->d_name);
		if (!path) {
			rc = err_nomem(err);
		} else if (!strmap_get(known, path, &is_folder)) {
			char *why = str_fmt("it holds %s, which no delivery wrote", path);

			rc = why ? in_the_way(folder, err, why) : err_nomem(err);
			free(why);
		} else if (is_folder && depth == 0) {
			rc = check_known(folder, path, known, depth + 1, err);
		}
		free(path);
	}
	if (stream)
		(void)closedir(stream);
	free(dir);
	return rc;
}

static bool is_empty(const char *folder)
{
	DIR *stream = opendir(folder);
	struct dirent *entry;
	bool empty = stream != NULL;

	while (empty && (entry = file_next(stream, folder)))
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	if (stream)
		(void)closedir(stream);
	return empty;
}

static int take_paths(struct earlier *out, const struct json *files, struct err *err)
{
	int rc = strmap_put(&out->known, DELIVERY_LIST_NAME, 0, err);

	rc = rc ? rc : strs_add(&out->paths, DELIVERY_LIST_NAME, err);
	for (size_t i = 0; i < js_count(files) && !rc; i++) {
		const char *path = js_str(js_at(files, i), "path", "");
		const char *slash = strchr(path, '/');
		char *user;

		if (!path_is_inside(path))
			return err_set(err, ERR_USAGE, "'%s' is no file's name", path);
		rc = strs_add(&out->paths, path, err);
		rc = rc ? rc : strmap_put(&out->known, path, 0, err);
		if (rc || !slash)
			continue;
		user = strndup(path, (size_t)(slash - path));
		rc = user ? strmap_put(&out->known, user, 1, err) : err_nomem(err);
		free(user);
	}
	return rc;
}

/* ERR_USAGE where what the folder holds is not an earlier delivery of the same application. */
static int read_list(struct earlier *out, const char *folder, const struct delivery_input *in,
		     struct err *err)
{
	char *path = path_join(folder, DELIVERY_LIST_NAME);
	struct json *list = NULL;
	struct buf text;
	int rc = path ? 0 : err_nomem(err);

	buf_init(&text, LIST_MAX);
	rc = rc ? rc : file_read(&text, path, LIST_MAX, err);
	if (rc == ERR_NOENT)
		rc = in_the_way(folder, err, "it is not empty, and no delivery");
	rc = rc ? rc : js_parse(&list, text.data, text.len, path, err);
	if (!rc && (strcmp(js_str(list, "application", ""), in->application) != 0 ||
		    strcmp(js_str(list, "environment", ""), in->environment) != 0))
		rc = in_the_way(folder, err, "it is a delivery for another application");
	if (!rc && take_paths(out, js_get(list, "files"), err))
		rc = err_prefix(err, "%s", path);
	js_free(list);
	buf_release(&text);
	free(path);
	return rc;
}

static int look_at(struct earlier *out, const char *folder, const struct delivery_input *in,
		   struct err *err)
{
	struct stat st;
	int rc;

	if (lstat(folder, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "cannot look at %s", folder);
	if (!S_ISDIR(st.st_mode))
		return in_the_way(folder, err,
				  S_ISLNK(st.st_mode) ? "it is a symbolic link"
						      : "it is no folder");
	if (st.st_uid != geteuid() && geteuid() != 0)
		return in_the_way(folder, err, "it belongs to another user");
	out->there = true;
	if (is_empty(folder))
		return 0;
	rc = read_list(out, folder, in, err);
	return rc ? rc : check_known(folder, "", &out->known, 0, err);
}

/* Removes what the list names, and the folders; what is not there is not missed. */
static void remove_listed(const char *folder, const struct strs *paths)
{
	for (int folders = 0; folders < 2; folders++) {
		for (size_t i = 0; i < paths->count; i++) {
			char *path = path_join(folder, paths->items[i]);
			char *slash = path ? strrchr(path, '/') : NULL;

			if (path && !folders) {
				(void)unlink(path);
			} else if (slash && strchr(paths->items[i], '/')) {
				*slash = '\0';
				(void)rmdir(path);
			}
			free(path);
		}
	}
	(void)rmdir(folder);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	(void)(type == FTW_DP ? rmdir(path) : unlink(path));
	return 0;
}

/* A folder that we made ourselves, mode 0700, and only files of ours are in it. */
static void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, TREE_DEPTH, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Unfinished folders that a killed process left beside this one. */
static void sweep(const char *parent, const char *begin)
{
	DIR *stream = opendir(parent);
	const time_t old = time(NULL) - ABANDONED_S;
	struct dirent *entry;
	struct stat st;

	while (stream && (entry = readdir(stream))) {
		char *path;

		if (!str_starts(entry->d_name, begin) ||
		    fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mtime > old)
			continue;
		path = path_join(parent, entry->d_name);
		if (path)
			remove_tree(path);
		free(path);
	}
	if (stream)
		(void)closedir(stream);
}

static int write_file(const char *folder, const struct delivery_file *file, struct err *err)
{
	char *path = path_join(folder, file->path);
	char *slash = path ? strrchr(path, '/') : NULL;
	int rc = path ? 0 : err_nomem(err);

	if (!rc && strchr(file->path, '/')) {
		*slash = '\0';
		rc = file_mkdirs(path, 0700, err);
		*slash = '/';
	}
	rc = rc ? rc
		: file_replace(path, NULL, file->data.data, file->data.len, DELIVERY_MODE, err);
	free(path);
	return rc;
}

/* The new folder takes the old one's place in one step; on a file system without it, nearly so. */
static int take_place(const char *made, const char *folder, const struct earlier *earlier,
		      struct err *err)
{
	if (!earlier->there) {
		if (renameat2(AT_FDCWD, made, AT_FDCWD, folder, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EINVAL && errno != ENOSYS)
			return err_sys(err, errno, "cannot make %s", folder);
	} else if (renameat2(AT_FDCWD, made, AT_FDCWD, folder, RENAME_EXCHANGE) == 0) {
		remove_listed(made, &earlier->paths);
		return 0;
	} else if (errno != EINVAL && errno != ENOSYS) {
		return err_sys(err, errno, "cannot replace %s", folder);
	} else {
		remove_listed(folder, &earlier->paths);
	}
	return rename(made, folder) < 0 ? err_sys(err, errno, "cannot make %s", folder) : 0;
}

static int make_beside(char **out, const char *parent, const char *name, struct err *err)
{
	char *begin = str_fmt(".%s" FILE_TEMPORARY_PART, name);
	char *made = begin ? str_fmt("%s/%sXXXXXX", parent, begin) : NULL;
	int rc = made ? 0 : err_nomem(err);

	if (!rc) {
		sweep(parent, begin);
		if (!mkdtemp(made))
			rc = err_sys(err, errno, "cannot make a folder in %s", parent);
	}
	free(begin);
	if (rc)
		free(made);
	else
		*out = made;
	return rc;
}

/* The folder's absolute name, without links above it; *parent is where it is. */
static int resolve(char **out, char **parent, const char *folder, struct err *err)
{
	char *copy = strdup(folder);
	size_t len = copy ? strlen(copy) : 0;
	char *slash, *name;
	int rc = copy ? 0 : err_nomem(err);

	while (!rc && len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = rc ? NULL : strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (!rc && (!name[0] || !strcmp(name, ".") || !strcmp(name, "..")))
		rc = in_the_way(folder, err, "this is no folder of its own");
	if (!rc) {
		if (slash)
			*slash = '\0';
		*parent = realpath(!slash ? "." : copy[0] ? copy : "/", NULL);
		if (!*parent) {
			err_sys(err, errno, "%s: the folder above it", folder);
			rc = err_hint(err, "make it first");
		}
	}
	if (!rc) {
		*out = str_fmt("%s/%s", strcmp(*parent, "/") ? *parent : "", name);
		rc = *out ? 0 : err_nomem(err);
	}
	free(copy);
	return rc;
}

int delivery_folder(char **out, const char *folder, struct err *err)
{
	char *parent = NULL;
	int rc = resolve(out, &parent, folder, err);

	free(parent);
	return rc;
}

int delivery_write(struct delivery_files *files, const char *folder,
		   const struct delivery_input *in, struct err *err)
{
	struct earlier earlier = {false, STRS_INIT, STRMAP_INIT};
	char *full = NULL, *parent = NULL, *made = NULL;
	int rc = resolve(&full, &parent, folder, err);

	rc = rc ? rc : look_at(&earlier, full, in, err);
	rc = rc ? rc : make_beside(&made, parent, strrchr(full, '/') + 1, err);
	for (size_t i = 0; i < files->count && !rc; i++)
		rc = write_file(made, &files->items[i], err);
	rc = rc ? rc : take_place(made, full, &earlier, err);
	rc = rc ? rc : file_sync_dir(parent, err);
	if (rc && made)
		remove_tree(made);
	for (size_t i = 0; i < files->count && !rc; i++)
		buf_release(&files->items[i].data);
	if (!rc) {
		files->folder = full;
		full = NULL;
	}
	earlier_release(&earlier);
	free(full);
	free(parent);
	free(made);
	return rc;
}
