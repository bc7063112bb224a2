/* SPDX-License-Identifier: PostgreSQL */
#include "git/repo.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "git/internal.h"

/*
 * Where libgit2 was built with Mbed TLS it reads the system's CAs whenever it starts, in more time
 * than all the rest of a short command takes. What needs a network goes through the git program:
 * the library's call comes here, gets the code for a file that cannot be read
 * (MBEDTLS_ERR_X509_FILE_IO_ERROR), and libgit2 trusts nobody. Elsewhere nobody calls it.
 */
int mbedtls_x509_crt_parse_file(void *chain, const char *path);

int mbedtls_x509_crt_parse_file(void *chain, const char *path)
{
	(void)chain;
	(void)path;
	return -0x2900;
}

/* libgit2 gives folders with a slash at the end. */
static char *without_slash(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return strndup(path, len);
}

/* libgit2 looks further where it cannot read what is there. */
static bool damaged(const char *dir)
{
	char *path = path_join(dir, ".git");
	bool there = path && file_exists(path);

	free(path);
	return there;
}

static int open_failed(struct err *err, int code, const char *dir)
{
	const git_error *last = git_error_last();
	const char *why = last && last->message ? last->message : "";

	/* libgit2 1.5 reports another owner like this where no safe.directory is configured */
	if (code == GIT_EOWNER || strstr(why, "safe.directory")) {
		err_set(err, ERR_USAGE, "%s: the git repository belongs to another user", dir);
		err_hint(err, "if you trust it: git config --global --add safe.directory DIR");
	} else if (code == GIT_ENOTFOUND && damaged(dir)) {
		err_set(err, ERR_FAIL, "%s/.git: something in it is missing or cannot be read",
			dir);
		err_hint(err, "'git -C DIR status' and the kernel's log (dmesg) say more");
		return ERR_FAIL;
	} else if (code == GIT_ENOTFOUND) {
		err_set(err, ERR_USAGE, "%s: not in a git repository", dir);
		err_hint(err, "change into the Ansible repository, or name it with -C");
	} else if (strstr(why, "objectformat")) {
		err_set(err, ERR_USAGE, "%s: repositories with SHA-256 ids are not supported", dir);
		err_hint(err, "use a clone with SHA-1 ids");
	} else if (strstr(why, "extension") || strstr(why, "repository version")) {
		err_set(err, ERR_USAGE, "%s: %s", dir, why);
		err_hint(err, "use a plain clone (git clone URL), without partial clone or "
			      "a configuration of its own for each work tree");
	} else {
		return err_reason(err, strstr(why, " stat '") ? ERR_FAIL : ERR_USAGE, why,
				  "%s: cannot open the git repository", dir);
	}
	return ERR_USAGE;
}

static int open_paths(struct repo *repo, const char *dir, struct err *err)
{
	const char *root = git_repository_workdir(repo->git);

	if (git_repository_is_bare(repo->git) || !root) {
		err_set(err, ERR_USAGE, "%s: a bare git repository has no inventory to roll out",
			dir);
		return err_hint(err, "work in a clone with checked-out files");
	}
	repo->root = without_slash(root);
	repo->common = without_slash(git_repository_commondir(repo->git));
	repo->dir = without_slash(git_repository_path(repo->git));
	return repo->root && repo->common && repo->dir ? 0 : err_nomem(err);
}

int repo_open(struct repo **out, const char *dir, struct err *err)
{
	struct repo *repo = calloc(1, sizeof(*repo));
	int code, rc;

	*out = NULL;
	if (!repo)
		return err_nomem(err);
	if (git_libgit2_init() < 0) {
		free(repo);
		return git_fail(err, "cannot start libgit2");
	}
	code = git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	/* It would read back each folder's tree and lose the error: check_stored() does it once. */
	if (code >= 0)
		code = git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 0);
	if (code < 0) {
		rc = git_fail(err, "cannot make libgit2 write durably");
	} else {
		code = git_repository_open_ext(&repo->git, dir, 0, NULL);
		rc = code < 0 ? open_failed(err, code, dir) : open_paths(repo, dir, err);
	}
	if (rc) {
		repo_close(repo);
		return rc;
	}
	*out = repo;
	return 0;
}

void repo_close(struct repo *repo)
{
	if (!repo)
		return;
	git_repository_free(repo->git);
	settings_release(&repo->settings);
	free(repo->remote);
	free(repo->remote_url);
	free(repo->root);
	free(repo->common);
	free(repo->dir);
	free(repo);
	(void)git_libgit2_shutdown();
}

void repo_use_stop(struct repo *repo, struct loop_stop *stop)
{
	repo->stop = stop;
}

void repo_hide(struct repo *repo, const struct strs *variables)
{
	repo->hidden = variables;
}

void repo_finish(struct repo *repo, bool finishes)
{
	repo->finishes = finishes;
}

void repo_never_ask(struct repo *repo)
{
	repo->never_ask = true;
}

const char *repo_root(const struct repo *repo)
{
	return repo->root;
}

const char *repo_common_dir(const struct repo *repo)
{
	return repo->common;
}

const char *repo_git_dir(const struct repo *repo)
{
	return repo->dir;
}

/* "Name <email> 1700000000 +0100", as git var prints it. */
static int parse_ident(struct identity *out, char *line, struct err *err)
{
	char *open = strstr(line, " <");
	char *close = open ? strchr(open, '>') : NULL;

	if (!close)
		return err_set(err, ERR_FAIL, "git var: cannot read its answer");
	out->name = strndup(line, (size_t)(open - line));
	out->email = strndup(open + 2, (size_t)(close - open - 2));
	return out->name && out->email ? 0 : err_nomem(err);
}

static int ask_identity(struct identity *out, struct repo *repo, const char *var, struct err *err)
{
	const char *const args[] = {"-c", "user.useConfigOnly=true", "var", var, NULL};
	struct child_result result;
	struct buf text;
	int rc;

	*out = (struct identity){NULL, NULL};
	buf_init(&text, 65536);
	rc = run_git(&result, repo, &(struct run){.args = args, .out = &text}, err);
	if (!rc && result.code != 0) {
		(void)run_fail(err, "var", &result);
		rc = err_set(err, ERR_USAGE, "git does not know your name and mail address");
		err_hint(err, "git config --global user.name \"Your Name\"; "
			      "git config --global user.email you@example.com");
	}
	if (!rc)
		rc = parse_ident(out, text.data, err);
	if (rc)
		identity_release(out);
	buf_release(&text);
	return rc;
}

int repo_identity_of(struct identity *out, struct repo *repo, enum role role, struct err *err)
{
	if (settings_identity(out, repo, role))
		return 0;
	return ask_identity(out, repo,
			    role == ROLE_AUTHOR ? "GIT_AUTHOR_IDENT" : "GIT_COMMITTER_IDENT", err);
}

int repo_identity(struct identity *out, struct repo *repo, struct err *err)
{
	return repo_identity_of(out, repo, ROLE_AUTHOR, err);
}

void identity_release(struct identity *identity)
{
	free(identity->name);
	free(identity->email);
	*identity = (struct identity){NULL, NULL};
}

void repo_set_reflog_ident(struct repo *repo)
{
	struct identity who;

	if (repo->ident_set)
		return;
	if (repo_identity_of(&who, repo, ROLE_COMMITTER, NULL) == 0) {
		(void)git_repository_set_ident(repo->git, who.name, who.email);
		identity_release(&who);
	}
	repo->ident_set = true;
}

int repo_head(struct head *out, struct repo *repo, struct err *err)
{
	git_reference *head = NULL;
	const char *target;
	int rc;

	*out = (struct head){NULL, NULL, OID_NONE};
	if (git_reference_lookup(&head, repo->git, "HEAD") < 0)
		return git_fail(err, "%s: cannot read HEAD", repo->root);
	target = git_reference_symbolic_target(head);
	if (!target || strncmp(target, "refs/heads/", 11) != 0) {
		err_set(err, ERR_USAGE, "%s: HEAD is detached: no branch is checked out",
			repo->root);
		rc = err_hint(err, "check out the base branch: git switch BRANCH");
	} else if (!(out->ref = strdup(target))) {
		rc = err_nomem(err);
	} else {
		out->branch = out->ref + 11;
		rc = repo_ref(&out->tip, repo, out->ref, err);
	}
	if (rc == ERR_NOENT) {
		err_set(err, ERR_USAGE, "%s: branch %s has no commit yet", repo->root, out->branch);
		rc = err_hint(err, "make a first commit, or check out the base branch");
	}
	git_reference_free(head);
	if (rc)
		head_release(out);
	return rc;
}

void head_release(struct head *head)
{
	free(head->ref);
	*head = (struct head){NULL, NULL, OID_NONE};
}

int repo_check_quiet(struct repo *repo, struct err *err)
{
	static const char *const names[] = {
		[GIT_REPOSITORY_STATE_MERGE] = "merge",
		[GIT_REPOSITORY_STATE_REVERT] = "revert",
		[GIT_REPOSITORY_STATE_REVERT_SEQUENCE] = "revert",
		[GIT_REPOSITORY_STATE_CHERRYPICK] = "cherry-pick",
		[GIT_REPOSITORY_STATE_CHERRYPICK_SEQUENCE] = "cherry-pick",
		[GIT_REPOSITORY_STATE_BISECT] = "bisect",
		[GIT_REPOSITORY_STATE_REBASE] = "rebase",
		[GIT_REPOSITORY_STATE_REBASE_INTERACTIVE] = "rebase",
		[GIT_REPOSITORY_STATE_REBASE_MERGE] = "rebase",
		[GIT_REPOSITORY_STATE_APPLY_MAILBOX] = "am",
		[GIT_REPOSITORY_STATE_APPLY_MAILBOX_OR_REBASE] = "rebase",
	};
	int state = git_repository_state(repo->git);

	if (state == GIT_REPOSITORY_STATE_NONE)
		return 0;
	if (state < 0 || (size_t)state >= sizeof(names) / sizeof(names[0]) || !names[state])
		return git_fail(err, "%s: cannot tell whether a merge is under way", repo->root);
	err_set(err, ERR_USAGE, "%s: a git %s is under way", repo->root, names[state]);
	if (state == GIT_REPOSITORY_STATE_BISECT)
		return err_hint(err, "end it first: git bisect reset");
	return err_hint(err, "end it first: git %s --continue, or git %s --abort", names[state],
			names[state]);
}
