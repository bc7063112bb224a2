/* SPDX-License-Identifier: PostgreSQL */
/* What a commit's message says about the rotation it belongs to. */
#include <stdlib.h>
#include <string.h>

#include "git/commit.h"
#include "git/internal.h"

static const char *const keys[] = {"Certrotate-Environment", "Certrotate-Rotation",
				   "Certrotate-Phase", "Certrotate-Reverts"};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static char **field(struct trailers *trailers, size_t index)
{
	char **const fields[KEYS] = {&trailers->environment, &trailers->rotation, &trailers->phase,
				     &trailers->reverts};

	return fields[index];
}

void trailers_release(struct trailers *trailers)
{
	for (size_t i = 0; i < KEYS; i++)
		free(*field(trailers, i));
	*trailers = (struct trailers){NULL, NULL, NULL, NULL};
}

static size_t trimmed(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	return len;
}

/* "---" at the beginning of a line ends a message for git (a patch is said to follow). */
static void add_body(struct buf *out, const char *body, size_t len)
{
	for (size_t at = 0; at < len;) {
		const char *end = memchr(body + at, '\n', len - at);
		size_t line = end ? (size_t)(end - body) + 1 - at : len - at;

		if (line >= 3 && !memcmp(body + at, "---", 3))
			buf_addc(out, ' ');
		buf_add(out, body + at, line);
		at += line;
	}
}

int commit_message(struct buf *out, const char *subject, const char *body,
		   const struct trailers *trailers, struct err *err)
{
	struct trailers copy = trailers ? *trailers : (struct trailers){NULL, NULL, NULL, NULL};
	size_t body_len = trimmed(body);
	const char *between = "\n";

	if (!subject[0] || strpbrk(subject, "\r\n"))
		return err_set(err, ERR_FAIL, "the subject of a commit has to be one line");
	buf_addf(out, "%s\n", subject);
	if (body_len) {
		buf_addc(out, '\n');
		add_body(out, body, body_len);
		buf_addc(out, '\n');
	}
	for (size_t i = 0; i < KEYS; i++) {
		const char *value = *field(&copy, i);

		if (!value)
			continue;
		if (!value[0] || strpbrk(value, "\r\n"))
			return err_set(err, ERR_FAIL, "%s has to be one line", keys[i]);
		buf_addf(out, "%s%s: %s\n", between, keys[i], value);
		between = "";
	}
	return buf_check(out, "the message of a commit", err);
}

static int take_trailers(struct trailers *out, const git_message_trailer_array *found,
			 struct err *err)
{
	for (size_t i = 0; i < found->count; i++) {
		for (size_t key = 0; key < KEYS; key++) {
			char **value = field(out, key);

			if (strcasecmp(found->trailers[i].key, keys[key]) != 0)
				continue;
			free(*value);
			*value = strdup(found->trailers[i].value);
			if (!*value)
				return err_nomem(err);
		}
	}
	return 0;
}

/* Most commits of a repository are not ours: those are told by a search for the first key. */
int trailers_parse(struct trailers *out, const char *message, struct err *err)
{
	git_message_trailer_array found = {NULL, 0, NULL};
	int rc;

	*out = (struct trailers){NULL, NULL, NULL, NULL};
	if (!message || !strcasestr(message, "certrotate-"))
		return 0;
	if (git_message_trailers(&found, message) < 0)
		return git_fail(err, "cannot read the trailers of a commit");
	rc = take_trailers(out, &found, err);
	git_message_trailer_array_free(&found);
	if (rc)
		trailers_release(out);
	return rc;
}

int commit_trailers(struct trailers *out, struct repo *repo, const struct oid *commit,
		    struct err *err)
{
	git_commit *object;
	int rc = lookup_commit(&object, repo, commit, err);

	*out = (struct trailers){NULL, NULL, NULL, NULL};
	if (!rc)
		rc = trailers_parse(out, git_commit_message(object), err);
	git_commit_free(object);
	return rc;
}

int commit_body(struct buf *out, struct repo *repo, const struct oid *commit, struct err *err)
{
	git_commit *object;
	int rc = lookup_commit(&object, repo, commit, err);
	const char *body, *end;
	size_t len;

	if (rc)
		return rc;
	body = git_commit_body(object);
	body = body ? body : "";
	end = body;
	if (strncmp(body, keys[0], strlen(keys[0])) != 0)
		end = strstr(body, "\n\nCertrotate-");
	len = end ? (size_t)(end - body) : strlen(body);
	buf_add(out, body, len);
	git_commit_free(object);
	return buf_check(out, "the message of a commit", err);
}

void marks_release(struct marks *marks)
{
	for (size_t i = 0; i < marks->count; i++) {
		trailers_release(&marks->items[i].trailers);
		free(marks->items[i].subject);
	}
	free(marks->items);
	*marks = (struct marks){NULL, 0, 0};
}

/* Takes the trailers over. */
static int add_mark(struct marks *out, git_commit *commit, struct trailers *trailers,
		    struct err *err)
{
	const char *subject = git_commit_summary(commit);
	struct mark mark = {.trailers = *trailers, .time = git_commit_time(commit)};

	if (out->count == out->cap) {
		size_t cap = out->cap ? out->cap * 2 : 16;
		struct mark *items = realloc(out->items, cap * sizeof(*items));

		if (!items)
			return err_nomem(err);
		out->items = items;
		out->cap = cap;
	}
	mark.subject = strdup(subject ? subject : "");
	if (!mark.subject)
		return err_nomem(err);
	oid_from_git(&mark.commit, git_commit_id(commit));
	if (git_commit_parentcount(commit) > 0)
		oid_from_git(&mark.parent, git_commit_parent_id(commit, 0));
	out->items[out->count++] = mark;
	*trailers = (struct trailers){NULL, NULL, NULL, NULL};
	return 0;
}

static bool wanted(const struct trailers *trailers, const char *environment, const char *rotation)
{
	if (!trailers->environment ||
	    (environment && strcmp(trailers->environment, environment) != 0))
		return false;
	return !rotation || (trailers->rotation && !strcmp(trailers->rotation, rotation));
}

static int look_at(struct marks *out, struct repo *repo, const git_oid *id, const char *environment,
		   const char *rotation, struct err *err)
{
	struct trailers trailers = {NULL, NULL, NULL, NULL};
	git_commit *commit = NULL;
	int rc;

	if (git_commit_lookup(&commit, repo->git, id) < 0)
		return git_fail(err, "cannot read the history");
	rc = trailers_parse(&trailers, git_commit_message(commit), err);
	if (!rc && wanted(&trailers, environment, rotation))
		rc = add_mark(out, commit, &trailers, err);
	trailers_release(&trailers);
	git_commit_free(commit);
	return rc;
}

int commit_find(struct marks *out, struct repo *repo, const struct oid *tip,
		const char *environment, const char *rotation, size_t max_walk, size_t max_found,
		struct err *err)
{
	git_revwalk *walk = NULL;
	size_t walked = 0;
	git_oid id;
	int code = 0, rc = oid_to_git(&id, tip, err);

	*out = (struct marks){NULL, 0, 0};
	if (rc)
		return rc;
	if (!repo_has_commit(repo, tip))
		return err_set(err, ERR_NOENT, "commit " OID_SHORT " is not in this clone",
			       tip->hex);
	if (git_revwalk_new(&walk, repo->git) < 0 ||
	    git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME) < 0 ||
	    git_revwalk_push(walk, &id) < 0)
		rc = git_fail(err, "cannot walk the history of " OID_SHORT, tip->hex);
	while (!rc && (!max_walk || walked++ < max_walk) &&
	       (!max_found || out->count < max_found) && (code = git_revwalk_next(&id, walk)) == 0)
		rc = look_at(out, repo, &id, environment, rotation, err);
	if (!rc && code && code != GIT_ITEROVER)
		rc = git_fail(err, "cannot walk the history of " OID_SHORT, tip->hex);
	git_revwalk_free(walk);
	if (rc)
		marks_release(out);
	return rc;
}
