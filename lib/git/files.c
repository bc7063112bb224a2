/* SPDX-License-Identifier: PostgreSQL */
/* The files of the work tree that a branch's move changes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "git/advance.h"
#include "git/listing.h"

#define NAMES_SHOWN 5

static int blob_bytes(struct buf *out, struct repo *repo, const char *path, const struct oid *blob,
		      struct err *err)
{
	git_blob *found = NULL;
	git_oid id;
	int rc = oid_to_git(&id, blob, err);

	if (!rc && git_blob_lookup(&found, repo->git, &id) < 0)
		rc = git_fail(err, "cannot read %s in git", path);
	if (!rc) {
		buf_add(out, git_blob_rawcontent(found), (size_t)git_blob_rawsize(found));
		rc = buf_check(out, path, err);
	}
	git_blob_free(found);
	return rc;
}

/* What a checkout would write for a blob: line ends and encoding as the attributes say. */
static int checkout_bytes(struct buf *out, struct repo *repo, const struct file_step *step,
			  const struct oid *blob, struct err *err)
{
	char *option = str_fmt("--path=%s", step->path);
	const char *args[] = {"cat-file", "--filters", option, blob->hex, NULL};
	int rc;

	if (!option)
		return err_nomem(err);
	buf_reset(out);
	rc = step->as_is
		     ? blob_bytes(out, repo, step->path, blob, err)
		     : run_git_ok(repo, &(struct run){.args = args, .out = out}, "cat-file", err);
	free(option);
	return rc;
}

/* Each folder above a file has to be a real one: a symbolic link may lead out of the work tree. */
static int check_parents(struct repo *repo, const char *path, struct err *err)
{
	char *full = path_join(repo->root, path);
	struct stat st;
	int rc = 0;

	if (!full)
		return err_nomem(err);
	for (char *at = full + strlen(repo->root) + 1; !rc && (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		if (lstat(full, &st) < 0) {
			if (errno != ENOENT)
				rc = err_sys(err, errno, "cannot look at %s", full);
			break;
		}
		if (!S_ISDIR(st.st_mode))
			rc = err_set(err, ERR_FAIL, "%s: %s is no folder", path, full);
	}
	free(full);
	return rc;
}

/* What a killed file_replace leaves beside its target: ".NAME.certrotate-XXXXXX". */
static void remove_temporaries(const char *full)
{
	const char *name = strrchr(full, '/') + 1;
	char *dir = strndup(full, (size_t)(name - full));
	char *prefix = str_fmt(".%s.certrotate-", name);
	DIR *stream = dir && prefix ? opendir(dir) : NULL;
	struct dirent *entry;

	while (stream && (entry = file_next(stream, dir))) {
		if (str_starts(entry->d_name, prefix) &&
		    strlen(entry->d_name) == strlen(prefix) + 6)
			(void)unlinkat(dirfd(stream), entry->d_name, 0);
	}
	if (stream)
		(void)closedir(stream);
	free(prefix);
	free(dir);
}

/* What the work tree holds at a path. */
struct on_disk {
	bool there, regular, executable;
	struct oid as_is, stored;
};

/* Fills a zeroed one, but for what git would store. */
static int look(struct on_disk *out, struct repo *repo, const char *path, struct err *err)
{
	char *full = path_join(repo->root, path);
	struct stat st;
	int rc = full ? 0 : err_nomem(err);

	if (!rc && lstat(full, &st) < 0) {
		if (errno != ENOENT)
			rc = err_sys(err, errno, "cannot look at %s", full);
	} else if (!rc) {
		out->there = true;
		out->regular = S_ISREG(st.st_mode);
		out->executable = (st.st_mode & 0100) != 0;
		if (out->regular)
			rc = hash_as_is(&out->as_is, full, err);
	}
	free(full);
	return rc;
}

/* One for each step; free() it. */
static int look_at_all(struct on_disk **out, const struct steps *steps, struct repo *repo,
		       struct err *err)
{
	struct strs paths = STRS_INIT, ids = STRS_INIT;
	size_t next = 0;
	int rc = 0;

	*out = calloc(steps->count ? steps->count : 1, sizeof(**out));
	if (!*out)
		return err_nomem(err);
	for (size_t i = 0; !rc && i < steps->count; i++) {
		rc = look(&(*out)[i], repo, steps->items[i].path, err);
		(*out)[i].stored = (*out)[i].as_is;
		if (!rc && (*out)[i].regular && !steps->items[i].as_is)
			rc = strs_add(&paths, steps->items[i].path, err);
	}
	if (!rc)
		rc = hash_as_stored(&ids, repo, &paths, err);
	for (size_t i = 0; !rc && i < steps->count; i++) {
		if ((*out)[i].regular && !steps->items[i].as_is && next < ids.count)
			rc = oid_parse(&(*out)[i].stored, ids.items[next++], err);
	}
	strs_release(&paths);
	strs_release(&ids);
	return rc;
}

/* Line ends can make a file that is neither the blob nor becomes it: then its bytes decide. */
static int is_checkout_of(bool *out, struct repo *repo, const struct file_step *step,
			  const struct oid *blob, struct err *err)
{
	char *full = path_join(repo->root, step->path);
	struct buf disk, wanted;
	int rc = full ? 0 : err_nomem(err);

	buf_init(&disk, GIT_BLOB_MAX);
	buf_init(&wanted, GIT_BLOB_MAX);
	if (!rc)
		rc = checkout_bytes(&wanted, repo, step, blob, err);
	if (!rc)
		rc = file_read(&disk, full, GIT_BLOB_MAX, err);
	*out = !rc && disk.len == wanted.len && !memcmp(disk.data, wanted.data, disk.len);
	buf_release(&disk);
	buf_release(&wanted);
	free(full);
	return rc;
}

static int matches(bool *out, struct repo *repo, const struct on_disk *disk,
		   const struct file_step *step, const struct oid *blob, unsigned mode,
		   struct err *err)
{
	*out = false;
	if (!mode || !disk->there) {
		*out = !mode && !disk->there;
		return 0;
	}
	if (!disk->regular)
		return 0;
	*out = oid_equal(&disk->as_is, blob) || oid_equal(&disk->stored, blob);
	return *out || step->as_is ? 0 : is_checkout_of(out, repo, step, blob, err);
}

/* Whether git add would give the new entry: content and executable bit. */
static bool is_new_entry(const struct file_step *step, const struct on_disk *disk)
{
	return disk->regular && oid_equal(&disk->stored, &step->new) &&
	       disk->executable == (step->new_mode == GIT_FILEMODE_BLOB_EXECUTABLE);
}

static int check_disk(struct file_step *step, const struct on_disk *disk, struct repo *repo,
		      bool *clean, struct err *err)
{
	int rc = matches(clean, repo, disk, step, &step->new, step->new_mode, err);

	step->written = !rc && *clean;
	step->same = step->written && is_new_entry(step, disk);
	if (rc || step->written)
		return rc;
	return matches(clean, repo, disk, step, &step->old, step->old_mode, err);
}

static int take_entry(void *ctx, const struct index_entry *entry, struct err *err)
{
	struct steps *steps = ctx;
	struct file_step *step;
	size_t at;

	if (!strmap_get(&steps->by_path, entry->path, &at))
		return 0;
	step = &steps->items[at];
	if (entry->stage)
		return err_set(err, ERR_FAIL, "%s has an unresolved conflict", entry->path);
	if (entry->skipped)
		return err_set(err, ERR_FAIL, "%s is outside the sparse checkout", entry->path);
	index_entry_id(&step->index, entry);
	step->index_mode = entry->mode;
	step->assumed = entry->assumed;
	return 0;
}

static bool index_is_clean(const struct file_step *step)
{
	return (step->index_mode == step->old_mode && oid_equal(&step->index, &step->old)) ||
	       (step->index_mode == step->new_mode && oid_equal(&step->index, &step->new));
}

static int find_changed(struct strs *out, struct steps *steps, struct repo *repo, struct err *err)
{
	struct on_disk *disks = NULL;
	int rc = 0;

	for (size_t i = 0; !rc && i < steps->count; i++)
		rc = check_parents(repo, steps->items[i].path, err);
	if (!rc)
		rc = look_at_all(&disks, steps, repo, err);
	for (size_t i = 0; !rc && i < steps->count; i++) {
		struct file_step *step = &steps->items[i];
		bool clean;

		rc = check_disk(step, &disks[i], repo, &clean, err);
		if (!rc && (!clean || !index_is_clean(step)))
			rc = strs_add(out, step->path, err);
	}
	free(disks);
	return rc;
}

/* Where git has to be asked it prints a few entries by name: all of a large index takes longer. */
static int read_entries(struct steps *steps, struct repo *repo, struct err *err)
{
	const char *paths[PREFIXES_MAX];
	bool done;
	int rc = index_scan(&done, repo, take_entry, steps, err);

	if (rc || done)
		return rc;
	if (steps->count > PREFIXES_MAX)
		return index_entries(repo, NULL, 0, take_entry, steps, err);
	for (size_t i = 0; i < steps->count; i++)
		paths[i] = steps->items[i].path;
	return index_entries(repo, paths, steps->count, take_entry, steps, err);
}

int steps_check(struct steps *steps, struct repo *repo, struct err *err)
{
	struct strs changed = STRS_INIT;
	char names[512];
	int rc = read_entries(steps, repo, err);

	rc = rc ? rc : steps_ask_attributes(steps, repo, err);
	rc = rc ? rc : find_changed(&changed, steps, repo, err);
	if (!rc && changed.count) {
		strs_join(&changed, NAMES_SHOWN, names, sizeof(names));
		rc = err_set(err, ERR_FAIL, "changes that are not committed would be lost: %s",
			     names);
		err_hint(err, "commit, stash or undo them: git status");
	}
	strs_release(&changed);
	return rc;
}

/* New files are for those who may look into the work tree, whatever our own umask is. */
static mode_t new_file_mode(const struct repo *repo, bool executable)
{
	struct stat st;
	mode_t mode = stat(repo->root, &st) == 0 ? st.st_mode & 0777 : 0700;

	return executable ? mode | 0700 : (mode & 0666) | 0600;
}

static int write_file(struct file_step *step, struct repo *repo, const char *full, struct err *err)
{
	bool executable = step->new_mode == GIT_FILEMODE_BLOB_EXECUTABLE;
	char *dir = strndup(full, (size_t)(strrchr(full, '/') - full));
	struct buf text;
	struct stat st;
	int rc = dir ? 0 : err_nomem(err);

	buf_init(&text, GIT_BLOB_MAX);
	if (!rc)
		rc = checkout_bytes(&text, repo, step, &step->new, err);
	if (!rc)
		rc = file_mkdirs(dir, new_file_mode(repo, true), err);
	if (!rc)
		rc = file_replace(full, repo->root, text.data, text.len,
				  new_file_mode(repo, executable), err);
	if (!rc && step->old_mode && step->old_mode != step->new_mode && stat(full, &st) == 0 &&
	    chmod(full, executable ? st.st_mode | 0111 : st.st_mode & ~(mode_t)0111) < 0)
		rc = err_sys(err, errno, "cannot set the mode of %s", full);
	buf_release(&text);
	free(dir);
	return rc;
}

/* Folders that become empty go too: git knows none. */
static int remove_file(const struct repo *repo, char *full, struct err *err)
{
	size_t root = strlen(repo->root);
	int rc = file_remove(full, err);

	for (char *slash; !rc && (slash = strrchr(full, '/')) && (size_t)(slash - full) > root;) {
		*slash = '\0';
		if (rmdir(full) < 0)
			break;
	}
	return rc;
}

static int write_step(struct file_step *step, struct repo *repo, struct err *err)
{
	char *full = path_join(repo->root, step->path);
	int rc;

	if (!full)
		return err_nomem(err);
	remove_temporaries(full);
	rc = step->written    ? 0
	     : step->new_mode ? write_file(step, repo, full, err)
			      : remove_file(repo, full, err);
	free(full);
	return rc;
}

int steps_write(struct steps *steps, struct repo *repo, struct err *err)
{
	struct on_disk *disks = NULL;
	size_t written = 0;
	int rc = 0;

	for (size_t i = 0; !rc && i < steps->count; i++) {
		rc = write_step(&steps->items[i], repo, err);
		written += !steps->items[i].written;
	}
	if (!rc && written)
		rc = look_at_all(&disks, steps, repo, err);
	for (size_t i = 0; !rc && written && i < steps->count; i++)
		steps->items[i].same = is_new_entry(&steps->items[i], &disks[i]);
	free(disks);
	return rc;
}
