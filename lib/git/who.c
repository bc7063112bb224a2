/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "git/commit.h"
#include "git/internal.h"

#define NAMED_MAX 3
#define FIELDS	  4

/* Splits "HASH US DATE US TRAILER US NAME"; false where it is no such line. */
static bool split(char *line, char *fields[FIELDS])
{
	for (int i = 0; i < FIELDS; i++) {
		char *end = strchr(line, '\x1f');

		fields[i] = line;
		if (i == FIELDS - 1)
			return !end;
		if (!end)
			return false;
		*end = '\0';
		line = end + 1;
	}
	return false;
}

static void say(struct buf *out, char *text)
{
	size_t named = 0, more = 0;
	char *fields[FIELDS], *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!split(line, fields) || fields[2][0])
			break;
		if (named == NAMED_MAX) {
			more++;
			continue;
		}
		buf_adds(out, named++ ? ", " : "");
		buf_add_safe(out, fields[3], strlen(fields[3]));
		buf_addf(out, " in %s (%s)", fields[0], fields[1]);
	}
	if (more)
		buf_addf(out, " and %zu more commit%s", more, more == 1 ? "" : "s");
}

int commit_who_changed(struct buf *out, struct repo *repo, const struct oid *tip, const char *path,
		       struct err *err)
{
	static const char format[] =
		"--format=%h%x1f%cd%x1f%(trailers:key=Certrotate-Environment,valueonly,"
		"separator=%x20)%x1f%an";
	const char *const args[] = {
		"--literal-pathspecs",
		"log",
		"-n20",
		"--abbrev=10",
		"--no-show-signature",
		"--no-color",
		"--date=short",
		format,
		tip->hex,
		"--",
		path,
		NULL,
	};
	struct buf text;
	int rc;

	buf_init(&text, GIT_TEXT_MAX);
	rc = run_git_ok(repo, &(struct run){.args = args, .out = &text}, "log", err);
	if (!rc && text.len)
		say(out, text.data);
	buf_release(&text);
	return rc ? rc : buf_check(out, path, err);
}
