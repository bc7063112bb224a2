/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is configured, asked once for a repository: from all files that git reads, with what they
 * include, and from its environment. Only plain answers are taken from there; where git would have
 * to interpret anything, it does.
 */
#include <stdlib.h>
#include <string.h>

#include "git/internal.h"

static const char *const roles[] = {
	[ROLE_AUTHOR] = "author", [ROLE_COMMITTER] = "committer", [ROLE_USER] = "user"};

void settings_release(struct settings *settings)
{
	for (size_t i = 0; i < ROLES; i++) {
		free(settings->name[i]);
		free(settings->email[i]);
	}
	*settings = (struct settings){.loaded = false};
}

/* value: NULL where there is none, which is true. */
static enum answer answer_of(const char *value)
{
	if (!value || !strcasecmp(value, "true") || !strcasecmp(value, "yes") ||
	    !strcasecmp(value, "on"))
		return ANSWER_YES;
	if (!value[0] || !strcasecmp(value, "false") || !strcasecmp(value, "no") ||
	    !strcasecmp(value, "off"))
		return ANSWER_NO;
	return ANSWER_ASK;
}

static int keep(char **out, const char *value, struct err *err)
{
	free(*out);
	*out = strdup(value ? value : "");
	return *out ? 0 : err_nomem(err);
}

/* The last of several counts. */
static int take(struct settings *out, const char *key, const char *value, struct err *err)
{
	if (!strcmp(key, "commit.gpgsign"))
		out->sign = answer_of(value);
	else if (!strcmp(key, "core.autocrlf"))
		out->line_ends = answer_of(value);
	for (size_t i = 0; i < ROLES; i++) {
		size_t len = strlen(roles[i]);

		if (!str_starts(key, roles[i]) || key[len] != '.')
			continue;
		return keep(!strcmp(key + len, ".name") ? &out->name[i] : &out->email[i], value,
			    err);
	}
	return 0;
}

/* "key\nvalue\0", and "key\0" where there is no value. */
static int take_all(struct settings *out, struct buf *text, struct err *err)
{
	int rc = 0;

	for (char *at = text->data, *next; !rc && at < text->data + text->len; at = next) {
		char *value = strchr(at, '\n');

		next = at + strlen(at) + 1;
		if (value)
			*value++ = '\0';
		rc = take(out, at, value, err);
	}
	return rc;
}

int settings_get(const struct settings **out, struct repo *repo, struct err *err)
{
	static const char *const args[] = {
		"config", "-z", "--get-regexp",
		"^(core\\.autocrlf|commit\\.gpgsign|(author|committer|user)\\.(name|email))$",
		NULL};
	struct settings *settings = &repo->settings;
	struct child_result result;
	struct buf text;
	int rc;

	*out = settings;
	if (settings->loaded)
		return 0;
	buf_init(&text, GIT_TEXT_MAX);
	rc = run_git(&result, repo, &(struct run){.args = args, .out = &text}, err);
	/* 1: none of them is configured */
	if (!rc && result.code > 1)
		rc = run_fail(err, "config", &result);
	*settings = (struct settings){.sign = ANSWER_NO, .line_ends = ANSWER_NO};
	rc = rc ? rc : take_all(settings, &text, err);
	if (rc)
		settings_release(settings);
	settings->loaded = !rc;
	buf_release(&text);
	return rc;
}

/* What git's fmt_ident() would cut off at the ends of a name, or take out of it. */
static bool is_crud(char c)
{
	return (unsigned char)c <= 32 || strchr(".,:;<>\"\\'", c);
}

static const char *plain(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return len && !is_crud(text[0]) && !is_crud(text[len - 1]) && !strpbrk(text, "<>\n") ? text
											     : NULL;
}

/* NULL where git has to be asked. */
static const char *part_of(const struct repo *repo, const char *var, char *const from[ROLES],
			   enum role role)
{
	const char *value = getenv(var);

	if (repo->hidden && strs_has(repo->hidden, var))
		return NULL;
	if (!value)
		value = from[role] ? from[role] : from[ROLE_USER];
	return plain(value);
}

bool settings_identity(struct identity *out, struct repo *repo, enum role role)
{
	const struct settings *settings;
	const char *name, *email;
	bool author = role == ROLE_AUTHOR;

	*out = (struct identity){NULL, NULL};
	if (settings_get(&settings, repo, NULL))
		return false;
	name = part_of(repo, author ? "GIT_AUTHOR_NAME" : "GIT_COMMITTER_NAME", settings->name,
		       role);
	email = part_of(repo, author ? "GIT_AUTHOR_EMAIL" : "GIT_COMMITTER_EMAIL", settings->email,
			role);
	if (!name || !email)
		return false;
	out->name = strdup(name);
	out->email = strdup(email);
	if (out->name && out->email)
		return true;
	identity_release(out);
	return false;
}
