/* SPDX-License-Identifier: PostgreSQL */
/* What in the work tree is not as it was committed. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "git/listing.h"
#include "git/worktree.h"

/* The path behind the given number of fields of a "git status --porcelain=v2" line. */
static const char *behind_fields(const char *line, int fields)
{
	while (line && fields-- > 0) {
		line = strchr(line, ' ');
		line = line ? line + 1 : NULL;
	}
	return line;
}

static int add_status(struct strs *out, struct repo *repo, const char *const *prefixes,
		      size_t count, struct err *err)
{
	const char *args[PREFIXES_MAX + 10] = {
		"status",	"--porcelain=v2",	    "-z", "--untracked-files=all",
		"--no-renames", "--ignore-submodules=none", "--"};
	struct buf text;
	size_t used = 7;
	int rc;

	for (size_t i = 0; i < count; i++)
		args[used++] = prefixes[i];
	buf_init(&text, GIT_TEXT_MAX);
	rc = run_git_ok(repo, &(struct run){.args = args, .out = &text}, "status", err);
	for (const char *at = text.data; !rc && at < text.data + text.len; at += strlen(at) + 1) {
		const char *path = behind_fields(at, at[0] == '1'   ? 8
						     : at[0] == 'u' ? 10
						     : at[0] == '?' ? 1
								    : 99);

		rc = path ? strs_add(out, path, err)
			  : err_set(err, ERR_FAIL, "git status: cannot read its answer");
	}
	buf_release(&text);
	return rc;
}

/* Files that git was told not to look at: Ansible does look at them. */
struct hidden {
	struct repo *repo;
	const char *const *prefixes; /* without any all are meant */
	size_t count;
	struct strs paths, ids; /* differ by their bytes; what the index has */
	struct strs gone;
};

static bool is_below(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	return str_starts(path, prefix) && (!path[len] || path[len] == '/');
}

static bool is_wanted(const struct hidden *hidden, const char *path)
{
	for (size_t i = 0; i < hidden->count; i++) {
		if (is_below(path, hidden->prefixes[i]))
			return true;
	}
	return !hidden->count;
}

static int look_at_hidden(void *ctx, const struct index_entry *entry, struct err *err)
{
	struct hidden *hidden = ctx;
	char *full;
	struct oid now, held;
	struct stat st;
	int rc = 0;

	if ((!entry->assumed && !entry->skipped) || !is_wanted(hidden, entry->path))
		return 0;
	/* names that git cannot take in a list of lines: better once too often than unseen */
	if (strchr(entry->path, '\n') || entry->path[0] == '"')
		return strs_add(&hidden->gone, entry->path, err);
	full = path_join(hidden->repo->root, entry->path);
	if (!full)
		return err_nomem(err);
	if (lstat(full, &st) < 0) {
		if (!entry->skipped)
			rc = strs_add(&hidden->gone, entry->path, err);
	} else if (S_ISREG(st.st_mode)) {
		index_entry_id(&held, entry);
		rc = hash_as_is(&now, full, err);
		if (!rc && !oid_equal(&now, &held)) {
			rc = strs_add(&hidden->paths, entry->path, err);
			if (!rc)
				rc = strs_add(&hidden->ids, held.hex, err);
		}
	}
	free(full);
	return rc;
}

/* A path that git would put in order first is left to git. */
static int list_hidden(struct hidden *hidden, struct err *err)
{
	bool done = false, plain = true;
	size_t count = hidden->count;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		plain = plain && path_is_plain(hidden->prefixes[i]);
	if (plain)
		rc = index_scan(&done, hidden->repo, look_at_hidden, hidden, err);
	if (rc || done)
		return rc;
	hidden->count = 0; /* git tells those alone that are wanted */
	return index_entries(hidden->repo, hidden->prefixes, count, look_at_hidden, hidden, err);
}

static int add_hidden(struct strs *out, struct repo *repo, const char *const *prefixes,
		      size_t count, struct err *err)
{
	struct hidden hidden = {repo, prefixes, count, STRS_INIT, STRS_INIT, STRS_INIT};
	struct strs stored = STRS_INIT;
	int rc = list_hidden(&hidden, err);

	if (!rc)
		rc = hash_as_stored(&stored, repo, &hidden.paths, err);
	for (size_t i = 0; !rc && i < hidden.paths.count; i++) {
		if (strcmp(stored.items[i], hidden.ids.items[i]) != 0)
			rc = strs_add(out, hidden.paths.items[i], err);
	}
	for (size_t i = 0; !rc && i < hidden.gone.count; i++)
		rc = strs_add(out, hidden.gone.items[i], err);
	strs_release(&hidden.paths);
	strs_release(&hidden.ids);
	strs_release(&hidden.gone);
	strs_release(&stored);
	return rc;
}

static void remove_doubles(struct strs *strs)
{
	size_t kept = 0;

	strs_sort(strs);
	for (size_t i = 0; i < strs->count; i++) {
		if (kept && strcmp(strs->items[kept - 1], strs->items[i]) == 0)
			free(strs->items[i]);
		else
			strs->items[kept++] = strs->items[i];
	}
	if (strs->items)
		strs->items[kept] = NULL;
	strs->count = kept;
}

/* NULL for what lies outside the work tree. */
static const char *inside(const struct repo *repo, const char *path)
{
	size_t root = strlen(repo->root);

	if (str_starts(path, repo->root) && path[root] == '/')
		path += root + 1;
	return !path[0] || path_is_inside(path) ? path : NULL;
}

int worktree_changed(struct strs *out, struct repo *repo, const char *const *prefixes, size_t count,
		     struct err *err)
{
	const char *given[PREFIXES_MAX];
	size_t used = 0;
	bool all = false;
	int rc;

	if (count > PREFIXES_MAX)
		return err_set(err, ERR_FAIL, "more than %d paths to look at", PREFIXES_MAX);
	for (size_t i = 0; i < count; i++) {
		const char *path = inside(repo, prefixes[i]);

		all = all || (path && (!path[0] || !strcmp(path, ".")));
		if (path)
			given[used++] = path;
	}
	if (!used)
		return 0;
	rc = add_status(out, repo, given, all ? 0 : used, err);
	if (!rc)
		rc = add_hidden(out, repo, given, all ? 0 : used, err);
	remove_doubles(out);
	return rc;
}

int worktree_ignores(bool *out, struct repo *repo, const char *path, struct err *err)
{
	int ignored = 0;

	/* "git check-ignore" takes no literal path. */
	if (git_ignore_path_is_ignored(&ignored, repo->git, path))
		return git_fail(err, "cannot tell whether git ignores %s", path);
	*out = ignored != 0;
	return 0;
}
