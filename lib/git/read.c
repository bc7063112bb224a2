/* SPDX-License-Identifier: PostgreSQL */
/* What commits hold. */
#include <stdlib.h>
#include <string.h>

#include "git/internal.h"

bool path_is_plain(const char *path)
{
	const char *at = path;

	if (!path[0])
		return false;
	for (;;) {
		size_t len = strcspn(at, "/");

		if (!len || (len == 1 && at[0] == '.') || (len == 2 && !strncmp(at, "..", 2)) ||
		    (len == 4 && !strncasecmp(at, ".git", 4)))
			return false;
		if (!at[len])
			return true;
		at += len + 1;
	}
}

static int lookup_entry(git_tree_entry **out, struct repo *repo, const struct oid *commit,
			const char *path, struct err *err)
{
	git_tree *tree;
	int code, rc = lookup_tree(&tree, repo, commit, err);

	*out = NULL;
	if (rc)
		return rc;
	code = path_is_plain(path) ? git_tree_entry_bypath(out, tree, path) : GIT_ENOTFOUND;
	if (code == GIT_ENOTFOUND)
		rc = err_set(err, ERR_NOENT, "commit " OID_SHORT " has no %s", commit->hex, path);
	else if (code < 0)
		rc = git_fail(err, "cannot find %s in commit " OID_SHORT, path, commit->hex);
	git_tree_free(tree);
	return rc;
}

int repo_path_oid(struct oid *out, struct repo *repo, const struct oid *commit, const char *path,
		  struct err *err)
{
	git_tree_entry *entry;
	int rc = lookup_entry(&entry, repo, commit, path, err);

	*out = OID_NONE;
	if (!rc)
		oid_from_git(out, git_tree_entry_id(entry));
	git_tree_entry_free(entry);
	return rc;
}

static int unreadable(const char *path, const struct oid *commit, struct err *err)
{
	int rc = git_fail(err, "cannot read %s in commit " OID_SHORT, path, commit->hex);

	(void)err_hint_default(err, GIT_DAMAGE_HINT);
	return rc;
}

/* The size comes from the header, so that a huge blob is not even unpacked. */
static int check_size(struct repo *repo, const struct oid *commit, const git_oid *id,
		      const char *path, size_t max, struct err *err)
{
	git_odb *odb = NULL;
	git_object_t type;
	size_t size;
	int rc = 0;

	if (git_repository_odb(&odb, repo->git) < 0 ||
	    git_odb_read_header(&size, &type, odb, id) < 0)
		rc = unreadable(path, commit, err);
	else if (size > max)
		rc = err_set(err, ERR_FAIL, "%s is larger than %zu bytes", path, max);
	git_odb_free(odb);
	return rc;
}

int repo_read(struct buf *out, struct repo *repo, const struct oid *commit, const char *path,
	      size_t max, struct err *err)
{
	git_tree_entry *entry;
	git_blob *blob = NULL;
	int rc = lookup_entry(&entry, repo, commit, path, err);

	if (!rc && git_tree_entry_filemode(entry) != GIT_FILEMODE_BLOB &&
	    git_tree_entry_filemode(entry) != GIT_FILEMODE_BLOB_EXECUTABLE)
		rc = err_set(err, ERR_FAIL, "%s is no regular file in commit " OID_SHORT, path,
			     commit->hex);
	if (!rc)
		rc = check_size(repo, commit, git_tree_entry_id(entry), path, max, err);
	if (!rc && git_blob_lookup(&blob, repo->git, git_tree_entry_id(entry)) < 0)
		rc = unreadable(path, commit, err);
	if (!rc) {
		buf_add(out, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
		rc = buf_check(out, path, err);
	}
	git_blob_free(blob);
	git_tree_entry_free(entry);
	return rc;
}

static int add_names(struct strs *out, const git_tree *tree, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
		bool dir = git_tree_entry_type(entry) == GIT_OBJECT_TREE;

		rc = strs_addf(out, err, "%s%s", git_tree_entry_name(entry), dir ? "/" : "");
	}
	strs_sort(out);
	return rc;
}

int repo_list(struct strs *out, struct repo *repo, const struct oid *commit, const char *dir,
	      struct err *err)
{
	git_tree_entry *entry = NULL;
	git_tree *tree = NULL;
	int rc;

	if (!dir[0]) {
		rc = lookup_tree(&tree, repo, commit, err);
	} else {
		rc = lookup_entry(&entry, repo, commit, dir, err);
		if (!rc && git_tree_entry_type(entry) != GIT_OBJECT_TREE)
			rc = err_set(err, ERR_FAIL, "%s is no folder in commit " OID_SHORT, dir,
				     commit->hex);
		if (!rc && git_tree_lookup(&tree, repo->git, git_tree_entry_id(entry)) < 0)
			rc = git_fail(err, "cannot read %s in commit " OID_SHORT, dir, commit->hex);
	}
	if (!rc)
		rc = add_names(out, tree, err);
	git_tree_free(tree);
	git_tree_entry_free(entry);
	return rc;
}

static int add_path(void *ctx, const struct delta *delta, struct err *err)
{
	struct strs *paths = ctx;

	return strs_add(paths, delta->path, err);
}

int repo_changed_between(struct strs *out, struct repo *repo, const struct oid *from,
			 const struct oid *to, struct err *err)
{
	int rc = diff_commits(repo, from, to, add_path, out, err);

	strs_sort(out);
	return rc;
}
