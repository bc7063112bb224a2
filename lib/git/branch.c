/* SPDX-License-Identifier: PostgreSQL */
/* Local branches: made, moved and removed by compare-and-swap. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "git/advance.h"
#include "git/internal.h"
#include "git/worktree.h"

#define REF_LOCK_S 10
#define FEW_FILES  100

static int moved(const char *ref, const struct oid *at, const struct oid *expected, struct err *err)
{
	err_set(err, ERR_LOCK, "%s has moved: it is at " OID_SHORT ", not at " OID_SHORT, ref,
		oid_is_none(at) ? "nothing" : at->hex,
		oid_is_none(expected) ? "nothing" : expected->hex);
	return err_hint(err, "somebody works in this clone at the same time: run it again");
}

int ref_now(struct oid *out, struct repo *repo, const char *ref, struct err *err)
{
	struct err why = {0};
	int rc = repo_ref(out, repo, ref, &why);

	if (rc == ERR_NOENT)
		return 0;
	if (rc && err)
		*err = why;
	return rc;
}

int ref_lock_paths(struct strs *out, struct repo *repo, const char *ref, struct err *err)
{
	int rc = strs_addf(out, err, "%s/%s.lock", repo->common, ref);

	return rc ? rc : strs_addf(out, err, "%s/packed-refs.lock", repo->common);
}

int ref_swap(struct repo *repo, const char *ref, const struct oid *from, const struct oid *to,
	     const char *reflog, struct err *err)
{
	git_reference *made = NULL;
	struct oid now;
	git_oid old, new;
	int code, tries = 0, rc = oid_to_git(&new, to, err);

	if (!rc && !oid_is_none(from))
		rc = oid_to_git(&old, from, err);
	if (rc)
		return rc;
	repo_set_reflog_ident(repo);
	do {
		if (oid_is_none(from))
			code = git_reference_create(&made, repo->git, ref, &new, 0, reflog);
		else
			code = git_reference_create_matching(&made, repo->git, ref, &new, 1, &old,
							     reflog);
	} while (code == GIT_ELOCKED && guard_wait(repo, tries++));
	git_reference_free(made);
	if (code == GIT_EMODIFIED || code == GIT_EEXISTS || code == GIT_ENOTFOUND) {
		rc = ref_now(&now, repo, ref, err);
		return rc ? rc : moved(ref, &now, from, err);
	}
	if (code == GIT_ELOCKED) {
		err_set(err, ERR_LOCK, "another git process holds %s/%s.lock", repo->common, ref);
		return err_hint(err, "wait for it; where no git runs any more, remove the file");
	}
	return code < 0 ? git_fail(err, "cannot move %s", ref) : 0;
}

static int guarded_swap(struct repo *repo, const char *ref, const struct oid *from,
			const struct oid *to, const char *reflog, struct err *err)
{
	struct strs locks = STRS_INIT;
	struct guard guard = {-1, NULL};
	int rc = ref_lock_paths(&locks, repo, ref, err);

	if (!rc)
		rc = guard_enter(&guard, repo, &locks, REF_LOCK_S, NULL, err);
	if (!rc)
		rc = ref_swap(repo, ref, from, to, reflog, err);
	guard_leave(&guard);
	strs_release(&locks);
	return rc;
}

static int check_ref_name(const char *ref, struct err *err)
{
	int valid = 0;

	if (str_starts(ref, "refs/heads/") && git_reference_name_is_valid(&valid, ref) == 0 &&
	    valid)
		return 0;
	return err_set(err, ERR_FAIL, "'%s' is no name of a branch", ref);
}

/* Whether any work tree, this one or a linked one, has it checked out. */
static int checked_out(bool *out, struct repo *repo, const char *ref, struct err *err)
{
	git_reference *branch = NULL;
	int code = git_reference_lookup(&branch, repo->git, ref);

	*out = false;
	if (code == GIT_ENOTFOUND)
		return 0;
	if (!code)
		code = git_branch_is_checked_out(branch);
	git_reference_free(branch);
	*out = code == 1;
	return code < 0 ? git_fail(err, "cannot tell whether %s is checked out", ref) : 0;
}

static int is_head(bool *out, struct repo *repo, const char *ref, struct err *err)
{
	git_reference *head = NULL;
	const char *target;

	*out = false;
	if (git_reference_lookup(&head, repo->git, "HEAD") < 0)
		return git_fail(err, "%s: cannot read HEAD", repo->root);
	target = git_reference_symbolic_target(head);
	*out = target && strcmp(target, ref) == 0;
	git_reference_free(head);
	return 0;
}

static int check_not_elsewhere(struct repo *repo, const char *ref, struct err *err)
{
	bool out;
	int rc = checked_out(&out, repo, ref, err);

	if (rc || !out)
		return rc;
	err_set(err, ERR_FAIL, "%s is checked out in another work tree", ref);
	return err_hint(err, "git worktree list; work there, or switch it to another branch");
}

int branch_advance(struct repo *repo, const char *ref, const struct oid *from, const struct oid *to,
		   const char *reflog, struct err *err)
{
	struct oid now;
	bool below, here = false;
	int rc = check_ref_name(ref, err);

	if (!rc)
		rc = repo_is_ancestor(&below, repo, from, to, err);
	if (!rc && !below)
		rc = err_set(err, ERR_FAIL, "commit " OID_SHORT " does not follow " OID_SHORT,
			     to->hex, from->hex);
	if (!rc)
		rc = ref_now(&now, repo, ref, err);
	if (!rc && !oid_equal(&now, from) && !oid_equal(&now, to))
		rc = moved(ref, &now, from, err);
	if (!rc)
		rc = is_head(&here, repo, ref, err);
	if (rc)
		return rc;
	if (here)
		return advance_checked_out(repo, ref, &now, from, to, reflog, err);
	rc = check_not_elsewhere(repo, ref, err);
	if (rc || oid_equal(&now, to))
		return rc;
	return guarded_swap(repo, ref, from, to, reflog, err);
}

/* Only what the branch says has happened; before that nothing was touched. */
static int finish_move(struct repo *repo, const char *const *fields, struct err *err)
{
	const char *ref = fields[0];
	struct oid from = OID_NONE, to = OID_NONE, now = OID_NONE;
	bool here = false;
	int rc = oid_parse(&from, fields[1], err);

	if (!rc)
		rc = oid_parse(&to, fields[2], err);
	if (!rc)
		rc = ref_now(&now, repo, ref, err);
	if (!rc)
		rc = is_head(&here, repo, ref, err);
	if (rc || !here || !oid_equal(&now, &to))
		return rc;
	return advance_checked_out(repo, ref, &now, &from, &to, "", err);
}

/* Unlike git's own, these are nothing that "git gc" would ever take away. */
static void sweep_objects(const struct repo *repo)
{
	char *dir = path_join(repo->common, "objects");

	if (dir)
		file_sweep(dir, "tmp_object_git2_", "");
	free(dir);
}

int branch_recover(struct repo *repo, struct err *err)
{
	sweep_objects(repo);
	return guard_recover(repo, finish_move, err);
}

int branch_create(struct repo *repo, const char *ref, const struct oid *commit, const char *reflog,
		  struct err *err)
{
	struct oid none = OID_NONE, now;
	int rc = check_ref_name(ref, err);

	if (!rc)
		rc = ref_now(&now, repo, ref, err);
	if (rc || oid_equal(&now, commit))
		return rc;
	if (!oid_is_none(&now))
		return moved(ref, &now, &none, err);
	if (!repo_has_commit(repo, commit))
		return err_set(err, ERR_FAIL, "commit " OID_SHORT " is not in this clone",
			       commit->hex);
	return guarded_swap(repo, ref, &none, commit, reflog, err);
}

static int remove_ref(struct repo *repo, const char *ref, const struct oid *expected,
		      struct err *err)
{
	git_reference *found = NULL;
	struct oid now = OID_NONE;
	int code = git_reference_lookup(&found, repo->git, ref), rc = 0;

	if (code == GIT_ENOTFOUND)
		return 0;
	if (code < 0 || !git_reference_target(found))
		return git_reference_free(found), git_fail(err, "cannot read %s", ref);
	oid_from_git(&now, git_reference_target(found));
	if (!oid_equal(&now, expected))
		rc = moved(ref, &now, expected, err);
	else if ((code = git_reference_delete(found)) == GIT_EMODIFIED)
		rc = err_set(err, ERR_LOCK, "%s has moved", ref);
	else if (code < 0)
		rc = git_fail(err, "cannot remove %s", ref);
	git_reference_free(found);
	return rc;
}

int branch_delete(struct repo *repo, const char *ref, const struct oid *expected, struct err *err)
{
	struct strs locks = STRS_INIT;
	struct guard guard = {-1, NULL};
	bool out = false;
	int rc = check_ref_name(ref, err);

	if (!rc)
		rc = checked_out(&out, repo, ref, err);
	if (!rc && out)
		rc = err_set(err, ERR_FAIL, "%s is checked out: not removed", ref);
	if (!rc)
		rc = ref_lock_paths(&locks, repo, ref, err);
	if (!rc)
		rc = guard_enter(&guard, repo, &locks, REF_LOCK_S, NULL, err);
	if (!rc)
		rc = remove_ref(repo, ref, expected, err);
	guard_leave(&guard);
	strs_release(&locks);
	return rc;
}

static int merge_with_git(struct repo *repo, const struct oid *to, struct err *err)
{
	const char *const args[] = {
		"-c", "merge.autoStash=false", "merge", "--ff-only", "--quiet", to->hex, NULL};

	return run_git_ok(repo, &(struct run){.args = args}, "merge --ff-only", err);
}

int branch_fast_forward(struct repo *repo, const struct oid *to, struct err *err)
{
	struct head head;
	bool behind = false, ahead = false, plain = false;
	int rc = repo_head(&head, repo, err);

	if (!rc)
		rc = repo_is_ancestor(&ahead, repo, to, &head.tip, err);
	if (!rc && !ahead)
		rc = repo_is_ancestor(&behind, repo, &head.tip, to, err);
	if (!rc && !ahead && !behind) {
		err_set(err, ERR_FAIL, "%s has commits that its upstream has not", head.branch);
		err_hint(err, "push them, or: git rebase");
		rc = ERR_FAIL;
	}
	/* A few plain files go the way that survives a kill; git does what is more than that. */
	if (!rc && !ahead)
		rc = advance_is_plain(&plain, repo, &head.tip, to, FEW_FILES, err);
	if (!rc && !ahead && plain)
		rc = branch_advance(repo, head.ref, &head.tip, to, "merge: Fast-forward", err);
	else if (!rc && !ahead)
		rc = merge_with_git(repo, to, err);
	head_release(&head);
	return rc;
}
