/* SPDX-License-Identifier: PostgreSQL */
#include "git/remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "git/advance.h"
#include "git/internal.h"

#define SAID_MAX     65536
#define HEADS	     "refs/heads/"
#define NO_SUCH_NAME 2 /* exit code of git remote get-url */

/* Quotes and angle brackets may be a password's: rather too much is masked than too little. */
static bool ends_user_info(char c)
{
	return c == '/' || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '?' || c == '#';
}

/* The length of "user:password" behind "://", 0 where there is none to mask. */
static size_t user_info(const char *scheme_end, const char *text, const char *at, const char *end)
{
	size_t len = 0, at_sign = 0;
	bool http = (scheme_end - text >= 4 && !strncasecmp(scheme_end - 4, "http", 4)) ||
		    (scheme_end - text >= 5 && !strncasecmp(scheme_end - 5, "https", 5));
	bool colon = false;

	for (; at + len < end && !ends_user_info(at[len]); len++) {
		colon = colon || at[len] == ':';
		if (at[len] == '@')
			at_sign = len;
	}
	/* a bare user of ssh says nothing secret; a bare user of https may be a token */
	colon = colon && memchr(at, ':', at_sign) != NULL;
	return http || colon ? at_sign : 0;
}

void remote_add_clean(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len, *at = text;

	while (at < end) {
		const char *mark = memmem(at, (size_t)(end - at), "://", 3);
		size_t masked;

		if (!mark)
			break;
		buf_add_safe(out, at, (size_t)(mark + 3 - at));
		masked = user_info(mark, text, mark + 3, end);
		if (masked)
			buf_adds(out, "***");
		at = mark + 3 + masked;
	}
	buf_add_safe(out, at, (size_t)(end - at));
}

/* It is asked before each fetch and push; where there is no memory it is asked again. */
static void keep_url(struct repo *repo, const char *remote, const char *url)
{
	free(repo->remote);
	free(repo->remote_url);
	repo->remote = strdup(remote);
	repo->remote_url = strdup(url);
	if (repo->remote && repo->remote_url)
		return;
	free(repo->remote);
	repo->remote = NULL;
}

int remote_url(char **out, struct repo *repo, const char *remote, struct err *err)
{
	const char *const args[] = {"remote", "get-url", "--push", "--", remote, NULL};
	struct child_result result;
	struct buf text;
	int rc;

	*out = NULL;
	if (repo->remote && repo->remote_url && !strcmp(repo->remote, remote)) {
		*out = strdup(repo->remote_url);
		return *out ? 0 : err_nomem(err);
	}
	buf_init(&text, SAID_MAX);
	rc = run_git(&result, repo, &(struct run){.args = args, .out = &text}, err);
	if (!rc && result.code == NO_SUCH_NAME) {
		err_set(err, ERR_USAGE, "%s: there is no remote named %s", repo->root, remote);
		rc = err_hint(err, "git remote add %s URL, or set git.remote in certrotate.yml",
			      remote);
	} else if (!rc && result.code) {
		rc = run_fail(err, "remote get-url", &result);
	}
	if (!rc) {
		text.data[strcspn(text.data, "\r\n")] = '\0';
		*out = strdup(text.data);
		rc = *out ? 0 : err_nomem(err);
	}
	if (!rc)
		keep_url(repo, remote, *out);
	buf_release(&text);
	return rc;
}

static int check_remote(struct repo *repo, const char *remote, struct err *err)
{
	char *url;
	int rc = remote_url(&url, repo, remote, err);

	free(url);
	return rc;
}

/* Git gets a signal when we are killed, and that may come just when it has made a lock. */
static int run_tracking(struct child_result *result, struct repo *repo, const char *remote,
			const char *branch, const struct run *run, struct err *err)
{
	char *ref = str_fmt("refs/remotes/%s/%s", remote, branch);
	struct strs locks = STRS_INIT;
	struct guard guard = {-1, NULL};
	int rc = ref ? ref_lock_paths(&locks, repo, ref, err) : err_nomem(err);

	rc = rc ? rc : guard_enter(&guard, repo, &locks, REMOTE_DEADLINE_S, NULL, err);
	rc = rc ? rc : run_git(result, repo, run, err);
	guard_leave(&guard);
	strs_release(&locks);
	free(ref);
	return rc;
}

static int fetch_failed(struct err *err, const char *remote, const char *base,
			const struct child_result *result)
{
	if (strstr(result->tail, "couldn't find remote ref")) {
		err_set(err, ERR_USAGE, "remote %s has no branch named %s", remote, base);
		return err_hint(err, "push the branch, or set git.base in certrotate.yml");
	}
	(void)run_fail(err, "fetch", result);
	return err_hint(err, "try by hand: git fetch %s", remote);
}

int remote_fetch(struct repo *repo, const char *remote, const char *base, struct err *err)
{
	char *of_base = str_fmt("+refs/heads/%s:refs/remotes/%s/%s", base, remote, base);
	char *of_ours = str_fmt("+refs/heads/certrotate/*:refs/remotes/%s/certrotate/*", remote);
	/* no collection of garbage in the background: it would hold our pipes */
	const char *args[] = {"-c",
			      "maintenance.auto=false",
			      "-c",
			      "gc.auto=0",
			      "fetch",
			      "--quiet",
			      "--prune",
			      "--no-tags",
			      "--no-recurse-submodules",
			      "--",
			      remote,
			      of_base,
			      of_ours,
			      NULL};
	struct child_result result;
	int rc = of_base && of_ours ? check_remote(repo, remote, err) : err_nomem(err);

	if (!rc)
		rc = run_tracking(&result, repo, remote, base,
				  &(struct run){.args = args, .network = true}, err);
	if (!rc && result.code)
		rc = fetch_failed(err, remote, base, &result);
	free(of_base);
	free(of_ours);
	return rc;
}

/* "remote: " lines of git's own output. */
static void add_said(struct buf *out, const char *text)
{
	static const char mark[] = "remote:";

	for (const char *at = text; *at;) {
		size_t line = strcspn(at, "\r\n");
		size_t from = sizeof(mark) - 1;

		if (str_starts(at, mark)) {
			while (from < line && at[from] == ' ')
				from++;
			while (line > from && at[line - 1] == ' ')
				line--;
			if (line > from) {
				remote_add_clean(out, at + from, line - from);
				buf_addc(out, '\n');
			}
		}
		at += strcspn(at, "\r\n");
		at += *at != '\0';
	}
}

/* The line of git push --porcelain about a reference: "FLAG\tFROM:TO\tSUMMARY". NULL: none. */
static const char *line_about(const char *text, const char *ref)
{
	size_t len = strlen(ref);

	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		const char *names = *at ? strchr(at, '\t') : NULL;
		const char *colon = names ? strchr(names, ':') : NULL;

		if (names == at + 1 && colon && !strncmp(colon + 1, ref, len) &&
		    colon[1 + len] == '\t')
			return at;
	}
	return NULL;
}

static bool has_moved(const char *line, const char *said)
{
	static const char *const reasons[] = {"(stale info)", "(fetch first)", "(non-fast-forward)",
					      "(incorrect old value",
					      "(remote ref updated since checkout)"};
	size_t len = strcspn(line, "\n");

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (memmem(line, len, reasons[i], strlen(reasons[i])))
			return true;
	}
	/* Two pushes at once: the slower one finds the reference changed. */
	return memmem(line, len, "[remote rejected]", 17) && strstr(said, "cannot lock ref");
}

/* Another push is at work there this moment, or one that died has left its lock. */
static bool is_locked(const char *line, const char *said)
{
	return memmem(line, strcspn(line, "\n"), "[remote rejected]", 17) &&
	       strstr(said, "cannot lock ref") && strstr(said, ".lock': File exists");
}

/* The remote's own lines, as one with before in front of it; nothing where it said nothing. */
static void add_said_flat(struct buf *out, const char *before, const char *said)
{
	struct buf lines;

	buf_init(&lines, SAID_MAX);
	add_said(&lines, said);
	for (size_t i = 0; i < lines.len; i++) {
		if (lines.data[i] == '\n')
			lines.data[i] = i + 1 < lines.len ? ' ' : '\0';
	}
	if (lines.len)
		buf_addf(out, "%s%.800s", before, lines.data);
	buf_release(&lines);
}

static int locked(struct err *err, const char *remote, const char *ref, const char *said)
{
	struct buf reason;

	buf_init(&reason, SAID_MAX);
	add_said_flat(&reason, ": ", said);
	err_set(err, ERR_LOCK, "%s on remote %s is locked: not pushed%s", ref, remote, reason.data);
	buf_release(&reason);
	return err_hint(err, "another push is at work there: run it again; a lock that stays was "
			     "left by one that died, and is removed where the remote lives");
}

static int rejected(struct err *err, const char *remote, const char *ref, const char *line,
		    const char *said)
{
	struct buf reason;
	int rc;
	const char *open = strchr(line + 1, '\t');

	open = open ? strchr(open + 1, '\t') : NULL;
	if (has_moved(line, said)) {
		err_set(err, ERR_LOCK, "%s on remote %s has moved on: not pushed", ref, remote);
		return err_hint(err, "somebody pushed in between: run it again");
	}
	buf_init(&reason, SAID_MAX);
	if (open)
		remote_add_clean(&reason, open + 1, strcspn(open + 1, "\n"));
	add_said_flat(&reason, ": ", said);
	/* what the remote's machine lacks is no rule of its branch */
	rc = err_reason(err, ERR_FAIL, reason.data, "git push: remote %s refused %s", remote, ref);
	if (strcasestr(reason.data, "protected"))
		err_hint(err, "for a protected branch set git.flow to merge_request in "
			      "certrotate.yml");
	else
		err_hint(err, "the remote has a rule of its own for this branch: meet it, or set "
			      "git.flow to merge_request in certrotate.yml");
	buf_release(&reason);
	return rc;
}

/* The remote may have taken it all the same: its answer did not arrive. */
static bool lost_answer(const char *line)
{
	return memmem(line, strcspn(line, "\n"), "[remote failure]", 16) != NULL;
}

/* Whether the remote's branch is at the commit, or further. */
static int landed(bool *out, struct repo *repo, const char *remote, const char *commit,
		  const char *ref, struct err *err)
{
	const char *branch = ref + strlen(HEADS);
	char *tracking = str_fmt("refs/remotes/%s/%s", remote, branch);
	char *spec = tracking ? str_fmt("+%s:%s", ref, tracking) : NULL;
	const char *const args[] = {
		"-c",	     "maintenance.auto=false",	"-c", "gc.auto=0", "fetch", "--quiet",
		"--no-tags", "--no-recurse-submodules", "--", remote,	   spec,    NULL};
	struct child_result result;
	struct oid pushed, tip;
	int rc = spec ? oid_parse(&pushed, commit, err) : err_nomem(err);

	*out = false;
	rc = rc ? rc
		: run_tracking(&result, repo, remote, branch,
			       &(struct run){.args = args, .network = true}, err);
	if (!rc && result.code && !strstr(result.tail, "couldn't find remote ref"))
		rc = run_fail(err, "fetch", &result);
	else if (!rc && !result.code)
		rc = repo_ref(&tip, repo, tracking, err);
	if (!rc && !result.code)
		rc = repo_is_ancestor(out, repo, &pushed, &tip, err);
	free(tracking);
	free(spec);
	return rc;
}

/*
 * A push that ended without a word about the reference. 0 where the remote has the commit; else
 * the error stays what it is.
 */
static int look_whether_landed(struct repo *repo, const char *remote, const char *commit,
			       const char *ref, int rc, struct err *err)
{
	bool finishes = repo->finishes, there = false;
	struct err unknown = {0};
	int looked;

	if (!commit[0] || !str_starts(ref, HEADS))
		return err_hint_default(err, "try by hand: git push --dry-run %s", remote), rc;
	repo->finishes = true;
	looked = landed(&there, repo, remote, commit, ref, &unknown);
	repo->finishes = finishes;
	if (there) {
		err_clear(err);
		return 0;
	}
	if (looked)
		err_hint(err, "whether the remote took it is not known, for it does not answer: "
			      "the same command finds out once it does");
	else
		err_hint_default(err,
				 "the remote did not take it; try by hand: git push --dry-run "
				 "%s",
				 remote);
	return rc;
}

/* busy: the remote's reference was locked, which passes. */
static int push_once(bool *busy, struct repo *repo, const char *remote, const char *commit,
		     const char *ref, const char *const *args, struct buf *said, struct err *err)
{
	struct child_result result = {0};
	struct buf out, errors;
	const char *line, *branch = str_starts(ref, HEADS) ? ref + strlen(HEADS) : ref;
	int rc;

	*busy = false;
	buf_init(&out, SAID_MAX);
	buf_init(&errors, SAID_MAX);
	rc = run_tracking(
		&result, repo, remote, branch,
		&(struct run){.args = args, .out = &out, .errors = &errors, .network = true}, err);
	line = rc ? NULL : line_about(out.data, ref);
	if (line && line[0] == '!' && !lost_answer(line)) {
		*busy = is_locked(line, errors.data);
		rc = *busy ? locked(err, remote, ref, errors.data)
			   : rejected(err, remote, ref, line, errors.data);
	} else if (rc || result.code) {
		if (!rc)
			rc = run_fail(err, "push", &result);
		rc = look_whether_landed(repo, remote, commit, ref, rc, err);
	}
	if (!rc && said)
		add_said(said, errors.data);
	buf_release(&out);
	buf_release(&errors);
	return rc;
}

static int push(struct repo *repo, const char *remote, const char *commit, const char *ref,
		const struct oid *expected, struct buf *said, struct err *err)
{
	char *lease = str_fmt("--force-with-lease=%s:%s", ref, expected->hex);
	char *spec = str_fmt("%s:%s", commit, ref);
	const char *args[] = {"push",
			      "--porcelain",
			      "--no-follow-tags",
			      "--no-recurse-submodules",
			      lease,
			      "--",
			      remote,
			      spec,
			      NULL};
	bool busy = true;
	int rc = lease && spec ? check_remote(repo, remote, err) : err_nomem(err);

	for (int tries = 0; !rc && busy; tries++) {
		rc = push_once(&busy, repo, remote, commit, ref, args, said, err);
		if (busy && guard_wait(repo, tries)) {
			err_clear(err);
			rc = 0;
		}
	}
	free(lease);
	free(spec);
	return rc;
}

static int check_ref(const char *ref, struct err *err)
{
	int valid = 0;

	if (str_starts(ref, "refs/") && git_reference_name_is_valid(&valid, ref) == 0 && valid)
		return 0;
	return err_set(err, ERR_FAIL, "'%s' is no full name of a reference", ref);
}

int remote_push(struct repo *repo, const char *remote, const struct oid *commit, const char *ref,
		const struct oid *expected, struct buf *said, struct err *err)
{
	bool forward = true;
	int rc = check_ref(ref, err);

	if (!rc && !oid_is_none(expected))
		rc = repo_is_ancestor(&forward, repo, expected, commit, err);
	else if (!rc && !repo_has_commit(repo, commit))
		rc = err_set(err, ERR_FAIL, "commit " OID_SHORT " is not in this clone",
			     commit->hex);
	/* A lease alone would let git throw away what the remote has. */
	if (!rc && !forward)
		rc = err_set(err, ERR_FAIL,
			     "commit " OID_SHORT " does not follow " OID_SHORT
			     ", where %s on remote %s is: not pushed",
			     commit->hex, expected->hex, ref, remote);
	return rc ? rc : push(repo, remote, commit->hex, ref, expected, said, err);
}

int remote_push_delete(struct repo *repo, const char *remote, const char *ref,
		       const struct oid *expected, struct err *err)
{
	const char *const args[] = {"ls-remote", "--refs", "--", remote, ref, NULL};
	struct oid checked;
	struct buf out;
	int rc = check_ref(ref, err);

	buf_init(&out, SAID_MAX);
	if (!rc)
		rc = oid_parse(&checked, expected->hex, err);
	if (!rc)
		rc = check_remote(repo, remote, err);
	if (!rc)
		rc = run_git_ok(repo, &(struct run){.args = args, .out = &out, .network = true},
				"ls-remote", err);
	if (!rc && out.len)
		rc = push(repo, remote, "", ref, expected, NULL, err);
	buf_release(&out);
	return rc;
}
