/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whether what libgit2 says it has written is there: libgit2 1.5.1 reports success for an object
 * whose last bytes found no room (seen with ENOSPC on tmpfs; git_filebuf drops the error), and the
 * commit that names it would be broken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "git/commit.h"
#include "git/internal.h"

#define NO_ROOM ((uint64_t)1 << 20) /* less than a commit with its vaults may need */

/* Where the look itself failed libgit2 knows why; else the error is lost: what is most likely. */
static int not_stored(struct repo *repo, struct err *err)
{
	char *dir = path_join(repo->common, "objects");
	const git_error *last = git_error_last();
	struct statvfs fs;
	bool full;
	int rc;

	if (!dir)
		return err_nomem(err);
	full = statvfs(dir, &fs) == 0 &&
	       ((uint64_t)fs.f_bavail * fs.f_frsize < NO_ROOM || (fs.f_files && !fs.f_favail));
	if (last && last->klass == GIT_ERROR_OS)
		rc = git_fail(err, "cannot read what was written below %s", dir);
	else
		rc = err_sys(err, full ? ENOSPC : EIO, "cannot write a git object below %s", dir);
	free(dir);
	return rc;
}

static bool has_entry(git_odb *odb, git_tree *tree, const char *path)
{
	git_tree_entry *entry = NULL;
	bool there = git_tree_entry_bypath(&entry, tree, path) == 0 &&
		     git_odb_exists(odb, git_tree_entry_id(entry));

	git_tree_entry_free(entry);
	return there;
}

int check_stored(struct repo *repo, const struct oid *commit, const struct change *changes,
		 size_t count, struct err *err)
{
	git_commit *object = NULL;
	git_tree *tree = NULL;
	git_odb *odb = NULL;
	git_oid id;
	int rc = oid_to_git(&id, commit, err);
	bool there;

	if (rc)
		return rc;
	git_error_clear();
	there = git_repository_odb(&odb, repo->git) == 0 &&
		git_commit_lookup(&object, repo->git, &id) == 0 &&
		git_commit_tree(&tree, object) == 0;
	for (size_t i = 0; there && i < count; i++)
		there = !changes[i].data || has_entry(odb, tree, changes[i].path);
	git_tree_free(tree);
	git_commit_free(object);
	git_odb_free(odb);
	return there ? 0 : not_stored(repo, err);
}
