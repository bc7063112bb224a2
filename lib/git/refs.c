/* SPDX-License-Identifier: PostgreSQL */
/* References, ancestry and history. */
#include <stdlib.h>
#include <string.h>

#include "git/internal.h"

int lookup_commit(git_commit **out, struct repo *repo, const struct oid *oid, struct err *err)
{
	git_oid id;
	int rc = oid_to_git(&id, oid, err);
	int code;

	*out = NULL;
	if (rc)
		return rc;
	code = git_commit_lookup(out, repo->git, &id);
	if (code == GIT_ENOTFOUND) {
		err_set(err, ERR_NOENT, "commit " OID_SHORT " is not in this clone", oid->hex);
		return err_hint(err, "git fetch");
	}
	return code < 0 ? git_fail(err, "cannot read commit " OID_SHORT, oid->hex) : 0;
}

int lookup_tree(git_tree **out, struct repo *repo, const struct oid *commit, struct err *err)
{
	git_commit *object;
	int rc = lookup_commit(&object, repo, commit, err);

	*out = NULL;
	if (rc)
		return rc;
	if (git_commit_tree(out, object) < 0)
		rc = git_fail(err, "cannot read the tree of commit " OID_SHORT, commit->hex);
	git_commit_free(object);
	return rc;
}

static int no_ref(const char *ref, struct err *err)
{
	const char *name = ref;
	int slash;

	if (str_starts(ref, "refs/heads/")) {
		name += strlen("refs/heads/");
		err_set(err, ERR_NOENT, "there is no branch named %s", name);
		return err_hint(err, "git switch %s, or set git.base in certrotate.yml", name);
	}
	if (str_starts(ref, "refs/remotes/")) {
		name += strlen("refs/remotes/");
		slash = (int)strcspn(name, "/");
		err_set(err, ERR_NOENT, "remote %.*s has no branch named %s (as last fetched)",
			slash, name, name[slash] ? name + slash + 1 : "");
		return err_hint(err, "git fetch %.*s, or set git.base in certrotate.yml", slash,
				name);
	}
	return err_set(err, ERR_NOENT, "there is no reference %s", ref);
}

int repo_ref(struct oid *out, struct repo *repo, const char *ref, struct err *err)
{
	git_reference *found = NULL, *direct = NULL;
	git_object *object = NULL;
	int rc = 0, code;

	*out = OID_NONE;
	code = git_reference_lookup(&found, repo->git, ref);
	if (!code)
		code = git_reference_resolve(&direct, found);
	if (!code)
		code = git_reference_peel(&object, direct, GIT_OBJECT_COMMIT);
	if (!code) {
		oid_from_git(out, git_object_id(object));
	} else if (direct) {
		rc = git_fail(err, "%s: what it names is missing or cannot be read", ref);
		(void)err_hint_default(err, GIT_DAMAGE_HINT);
	} else {
		rc = code == GIT_ENOTFOUND ? no_ref(ref, err)
					   : git_fail(err, "cannot read %s", ref);
	}
	git_object_free(object);
	git_reference_free(direct);
	git_reference_free(found);
	return rc;
}

bool repo_ref_exists(struct repo *repo, const char *ref)
{
	struct oid oid;

	return repo_ref(&oid, repo, ref, NULL) == 0;
}

int repo_refs_below(struct strs *out, struct repo *repo, const char *prefix, struct err *err)
{
	git_reference_iterator *iterator = NULL;
	const char *name;
	int code, rc = 0;

	if (git_reference_iterator_new(&iterator, repo->git) < 0)
		return git_fail(err, "cannot list the references");
	while (!rc && (code = git_reference_next_name(&name, iterator)) == 0) {
		if (str_starts(name, prefix))
			rc = strs_add(out, name, err);
	}
	if (!rc && code != GIT_ITEROVER)
		rc = git_fail(err, "cannot list the references");
	git_reference_iterator_free(iterator);
	strs_sort(out);
	return rc;
}

static int need_commit(struct repo *repo, const struct oid *commit, struct err *err)
{
	git_commit *object;
	int rc = lookup_commit(&object, repo, commit, err);

	git_commit_free(object);
	return rc;
}

bool repo_has_commit(struct repo *repo, const struct oid *commit)
{
	return need_commit(repo, commit, NULL) == 0;
}

int repo_parent(struct oid *out, struct repo *repo, const struct oid *commit, struct err *err)
{
	git_commit *object;
	int rc = lookup_commit(&object, repo, commit, err);

	*out = OID_NONE;
	if (rc)
		return rc;
	if (git_commit_parentcount(object) > 0)
		oid_from_git(out, git_commit_parent_id(object, 0));
	git_commit_free(object);
	return 0;
}

int repo_is_ancestor(bool *out, struct repo *repo, const struct oid *ancestor,
		     const struct oid *commit, struct err *err)
{
	git_oid above, below;
	int code, rc = oid_to_git(&above, ancestor, err);

	*out = false;
	if (!rc)
		rc = oid_to_git(&below, commit, err);
	if (!rc)
		rc = need_commit(repo, ancestor, err);
	if (!rc)
		rc = need_commit(repo, commit, err);
	if (rc)
		return rc;
	code = git_oid_equal(&above, &below) ? 1
					     : git_graph_descendant_of(repo->git, &below, &above);
	if (code < 0)
		return git_fail(err, "cannot compare commits " OID_SHORT " and " OID_SHORT,
				ancestor->hex, commit->hex);
	*out = code == 1;
	return 0;
}

int repo_ahead_behind(size_t *ahead, size_t *behind, struct repo *repo, const struct oid *local,
		      const struct oid *upstream, struct err *err)
{
	git_oid ours, theirs;
	int rc = oid_to_git(&ours, local, err);

	*ahead = *behind = 0;
	if (!rc)
		rc = oid_to_git(&theirs, upstream, err);
	if (!rc && git_graph_ahead_behind(ahead, behind, repo->git, &ours, &theirs) < 0)
		rc = git_fail(err, "cannot compare commits " OID_SHORT " and " OID_SHORT,
			      local->hex, upstream->hex);
	return rc;
}

/* git's own walk knows the commit graph and its Bloom filters, and no merge hides a side branch. */
int repo_ever_held(bool *out, struct oid *where, struct repo *repo, const struct oid *commit,
		   const char *path, struct err *err)
{
	const char *const args[] = {
		"rev-list", "--full-history", "-n", "1", commit->hex, "--", path, NULL};
	struct oid found = OID_NONE, there;
	struct buf text;
	int rc, shallow;

	*out = false;
	if (where)
		*where = OID_NONE;
	shallow = git_repository_is_shallow(repo->git);
	if (shallow < 0)
		return git_fail(err, "%s: cannot tell whether the clone is shallow", repo->root);
	if (shallow) {
		err_set(err, ERR_FAIL, "%s: a shallow clone does not know its whole history",
			repo->root);
		return err_hint(err, "git fetch --unshallow");
	}
	buf_init(&text, 4096);
	rc = oid_parse(&found, commit->hex, err);
	if (!rc)
		rc = run_git_ok(repo, &(struct run){.args = args, .out = &text}, "rev-list", err);
	if (!rc && text.len) {
		text.data[strcspn(text.data, "\n")] = '\0';
		rc = oid_parse(&found, text.data, err);
		*out = !rc;
	}
	/* The last change may be the removal; its parent held the file then. */
	if (!rc && *out && where && repo_path_oid(&there, repo, &found, path, NULL) != 0)
		rc = repo_parent(&found, repo, &found, err);
	if (!rc && *out && where)
		*where = found;
	buf_release(&text);
	return rc;
}
