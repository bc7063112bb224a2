/* SPDX-License-Identifier: PostgreSQL */
/* Commits made from a parent's tree. */
#include "git/commit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "git/clear_key.h"
#include "base/file.h"
#include "git/internal.h"

#define CHANGES_MAX 100000

static int unsupported(const char *path, const char *name, const char *value, struct err *err)
{
	err_set(err, ERR_FAIL, "%s has the git attribute %s=%s, which is not supported", path, name,
		value);
	return err_hint(err, "take the file out of it in .gitattributes");
}

/* A filter (git-crypt, LFS) or an encoding would make the checked-out file another one. */
static int check_attribute(void *ctx, const char *path, const char *name, const char *value,
			   struct err *err)
{
	(void)ctx;
	if ((strcmp(name, "filter") != 0 && strcmp(name, "working-tree-encoding") != 0) ||
	    !strcmp(value, "unspecified") || !strcmp(value, "unset"))
		return 0;
	return unsupported(path, name, value, err);
}

static int check_attributes(struct repo *repo, const struct change *changes, size_t count,
			    struct err *err)
{
	struct buf paths;
	int rc;

	buf_init(&paths, GIT_TEXT_MAX);
	for (size_t i = 0; i < count; i++)
		buf_add(&paths, changes[i].path, strlen(changes[i].path) + 1);
	rc = attributes_ask(repo, &paths, attributes_need_index(repo), check_attribute, NULL, err);
	buf_release(&paths);
	return rc;
}

static int check_clear(const char *name, const char *text, size_t len, struct err *err)
{
	size_t line;

	if (!clear_key_find(&line, text, len))
		return 0;
	err_set(err, ERR_FAIL, "%s:%zu: would hold a private key in the clear: not committed", name,
		line);
	return err_hint(err, "take the key out of it, or encrypt the file with ansible-vault; a "
			     "key that others may have seen has to be replaced");
}

static int check_change(const struct change *change, struct err *err)
{
	if (!path_is_plain(change->path))
		return err_set(err, ERR_FAIL, "'%s' is no path that git can check out",
			       change->path);
	return change->data ? check_clear(change->path, change->data, change->len, err) : 0;
}

/* What stands at a path in the parent: a mode of 0 where nothing does. */
static int old_mode(git_filemode_t *out, git_tree *tree, const char *path, struct err *err)
{
	git_tree_entry *entry = NULL;
	char *copy = strdup(path);
	int rc = 0, code = 0;

	*out = GIT_FILEMODE_UNREADABLE;
	if (!copy)
		return err_nomem(err);
	for (char *slash = strchr(copy, '/'); !rc && !code && slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		code = git_tree_entry_bypath(&entry, tree, copy);
		if (!code && git_tree_entry_type(entry) != GIT_OBJECT_TREE)
			rc = err_set(err, ERR_FAIL, "%s: %s is no folder in git (a %s)", path, copy,
				     git_tree_entry_filemode(entry) == GIT_FILEMODE_COMMIT
					     ? "submodule"
					     : "file or symbolic link");
		git_tree_entry_free(entry);
		entry = NULL;
		*slash = '/';
	}
	if (!rc && !code)
		code = git_tree_entry_bypath(&entry, tree, path);
	if (!rc && !code)
		*out = git_tree_entry_filemode(entry);
	if (!rc && code && code != GIT_ENOTFOUND)
		rc = git_fail(err, "cannot find %s", path);
	git_tree_entry_free(entry);
	free(copy);
	return rc;
}

static int plan_update(git_tree_update *out, struct repo *repo, git_tree *tree,
		       const struct change *change, struct err *err)
{
	git_filemode_t mode;
	int rc = old_mode(&mode, tree, change->path, err);

	if (rc)
		return rc;
	if (mode != GIT_FILEMODE_UNREADABLE && mode != GIT_FILEMODE_BLOB &&
	    mode != GIT_FILEMODE_BLOB_EXECUTABLE)
		return err_set(err, ERR_FAIL,
			       "%s is a symbolic link, a submodule or a folder in git: not changed",
			       change->path);
	out->path = change->path;
	out->action = change->data ? GIT_TREE_UPDATE_UPSERT : GIT_TREE_UPDATE_REMOVE;
	out->filemode = mode;
	if (mode == GIT_FILEMODE_UNREADABLE)
		out->filemode = !change->data	     ? GIT_FILEMODE_UNREADABLE
				: change->executable ? GIT_FILEMODE_BLOB_EXECUTABLE
						     : GIT_FILEMODE_BLOB;
	if (change->data &&
	    git_blob_create_from_buffer(&out->id, repo->git, change->data, change->len) < 0)
		return git_fail(err, "cannot store %s", change->path);
	return 0;
}

static int check_changes(struct repo *repo, const struct change *changes, size_t count,
			 struct err *err)
{
	struct strmap seen = STRMAP_INIT;
	size_t other;
	int rc = 0;

	if (count > CHANGES_MAX)
		rc = err_set(err, ERR_FAIL, "%zu files are too many for one commit", count);
	for (size_t i = 0; !rc && i < count; i++) {
		if (strmap_get(&seen, changes[i].path, &other))
			rc = err_set(err, ERR_FAIL, "%s is changed twice", changes[i].path);
		else
			rc = strmap_put(&seen, changes[i].path, i, err);
		if (!rc)
			rc = check_change(&changes[i], err);
	}
	strmap_release(&seen);
	return rc ? rc : check_attributes(repo, changes, count, err);
}

/* ERR_NOENT where nothing changes. */
static int make_tree(git_oid *out, struct repo *repo, git_commit *parent,
		     const struct change *changes, size_t count, struct err *err)
{
	git_tree_update *updates = calloc(count ? count : 1, sizeof(*updates));
	git_tree *tree = NULL;
	size_t used = 0;
	int rc = check_changes(repo, changes, count, err);

	if (!rc && !updates)
		rc = err_nomem(err);
	if (!rc && git_commit_tree(&tree, parent) < 0)
		rc = git_fail(err, "cannot read the tree of the commit below");
	for (size_t i = 0; !rc && i < count; i++) {
		rc = plan_update(&updates[used], repo, tree, &changes[i], err);
		if (updates[used].action == GIT_TREE_UPDATE_UPSERT ||
		    updates[used].filemode != GIT_FILEMODE_UNREADABLE)
			used++;
	}
	if (!rc && used && git_tree_create_updated(out, repo->git, tree, used, updates) < 0)
		rc = git_fail(err, "cannot make the tree of a commit");
	if (!rc && (!used || git_oid_equal(out, git_tree_id(tree))))
		rc = err_set(err, ERR_NOENT, "nothing to commit: all files are so already");
	git_tree_free(tree);
	free(updates);
	return rc;
}

static int signature(git_signature **out, struct repo *repo, enum role role, int64_t when,
		     struct err *err)
{
	time_t seconds = (time_t)when;
	struct identity who;
	struct tm local;
	int rc = repo_identity_of(&who, repo, role, err);

	*out = NULL;
	if (rc)
		return rc;
	memset(&local, 0, sizeof(local));
	(void)localtime_r(&seconds, &local);
	if (git_signature_new(out, who.name, who.email, when, (int)(local.tm_gmtoff / 60)) < 0)
		rc = git_fail(err, "cannot name the author");
	identity_release(&who);
	return rc;
}

static int wants_signature(bool *out, struct repo *repo, struct err *err)
{
	const char *const args[] = {"config", "--type=bool",	"--default=false",
				    "--get",  "commit.gpgSign", NULL};
	const struct settings *settings;
	struct buf text;
	int rc = settings_get(&settings, repo, err);

	*out = !rc && settings->sign == ANSWER_YES;
	if (rc || settings->sign != ANSWER_ASK)
		return rc;
	buf_init(&text, 4096);
	rc = run_git_ok(repo, &(struct run){.args = args, .out = &text}, "config commit.gpgSign",
			err);
	*out = !rc && str_starts(text.data, "true");
	buf_release(&text);
	return rc;
}

/* One "NAME=value" for each of author's and committer's name, mail address and date. */
static int ident_env(struct strs *out, const git_signature *who, const char *role, struct err *err)
{
	int zone = abs(who->when.offset);
	int rc = strs_addf(out, err, "GIT_%s_NAME=%s", role, who->name);

	if (!rc)
		rc = strs_addf(out, err, "GIT_%s_EMAIL=%s", role, who->email);
	if (!rc)
		rc = strs_addf(out, err, "GIT_%s_DATE=@%lld %c%02d%02d", role,
			       (long long)who->when.time, who->when.offset < 0 ? '-' : '+',
			       zone / 60, zone % 60);
	return rc;
}

static int make_signed(struct oid *out, struct repo *repo, const struct oid *tree,
		       const struct oid *parent, const char *message, const git_signature *author,
		       const git_signature *committer, struct err *err)
{
	const char *const args[] = {"commit-tree", "-S", "-p",	    parent->hex,
				    "-F",	   "-",	 tree->hex, NULL};
	struct strs env = STRS_INIT;
	struct buf text;
	int rc = ident_env(&env, author, "AUTHOR", err);

	buf_init(&text, 4096);
	if (!rc)
		rc = ident_env(&env, committer, "COMMITTER", err);
	if (!rc)
		rc = run_git_ok(repo,
				&(struct run){.args = args,
					      .env = (const char *const *)env.items,
					      .input = message,
					      .input_len = strlen(message),
					      .out = &text,
					      .network = true},
				"commit-tree", err);
	if (rc == ERR_FAIL && err && !err->hint[0])
		err_hint(err,
			 "commit.gpgSign is set: try \"git commit -S\" by hand, or turn it off");
	if (!rc) {
		text.data[strcspn(text.data, "\n")] = '\0';
		rc = oid_parse(out, text.data, err);
	}
	buf_release(&text);
	strs_release(&env);
	return rc;
}

static int make_commit(struct oid *out, struct repo *repo, const git_oid *tree_id,
		       git_commit *parent, const char *message, const git_signature *author,
		       const git_signature *committer, struct err *err)
{
	const git_commit *parents[] = {parent};
	git_tree *tree = NULL;
	struct oid tree_hex, parent_hex;
	git_oid id;
	bool sign;
	int rc = wants_signature(&sign, repo, err);

	if (rc)
		return rc;
	if (sign) {
		oid_from_git(&tree_hex, tree_id);
		oid_from_git(&parent_hex, git_commit_id(parent));
		return make_signed(out, repo, &tree_hex, &parent_hex, message, author, committer,
				   err);
	}
	if (git_tree_lookup(&tree, repo->git, tree_id) < 0 ||
	    git_commit_create(&id, repo->git, NULL, author, committer, NULL, message, tree, 1,
			      parents) < 0)
		rc = git_fail(err, "cannot make a commit");
	else
		oid_from_git(out, &id);
	git_tree_free(tree);
	return rc;
}

/* libgit2 syncs each object and the folder that it lies in, but not the folder above that one. */
static int sync_objects(const struct repo *repo, struct err *err)
{
	char *dir = path_join(repo->common, "objects");
	int rc = dir ? file_sync_dir(dir, err) : err_nomem(err);

	free(dir);
	return rc;
}

int commit_build(struct oid *out, struct repo *repo, const struct oid *parent,
		 const struct change *changes, size_t count, const char *message, struct sys *sys,
		 struct err *err)
{
	git_signature *author = NULL, *committer = NULL;
	git_commit *below;
	git_oid tree;
	int64_t when = sys->now(sys);
	int rc = lookup_commit(&below, repo, parent, err);

	*out = OID_NONE;
	if (rc)
		return err_set(err, ERR_FAIL, "cannot commit on " OID_SHORT ": not in this clone",
			       parent->hex);
	rc = check_clear("the message of a commit", message, strlen(message), err);
	if (!rc)
		rc = make_tree(&tree, repo, below, changes, count, err);
	if (!rc)
		rc = signature(&author, repo, ROLE_AUTHOR, when, err);
	if (!rc)
		rc = signature(&committer, repo, ROLE_COMMITTER, when, err);
	if (!rc)
		rc = make_commit(out, repo, &tree, below, message, author, committer, err);
	rc = rc ? rc : check_stored(repo, out, changes, count, err);
	rc = rc ? rc : sync_objects(repo, err);
	git_signature_free(author);
	git_signature_free(committer);
	git_commit_free(below);
	return rc;
}
