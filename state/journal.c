/* SPDX-License-Identifier: PostgreSQL */
#include "state/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

#define JOURNAL_MAX ((size_t)64 << 20)

static int replace(char **field, const char *value, struct err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return err_nomem(err);
	free(*field);
	*field = copy;
	return 0;
}

static int take_line(struct journal *journal, const struct json *line, struct err *err)
{
	const char *key = js_str(line, "key", NULL);
	const char *mark = js_str(line, "mark", "");
	int rc = replace(&journal->last_step, js_str(line, "step", ""), err);

	rc = rc ? rc : replace(&journal->last_mark, mark, err);
	rc = rc ? rc : replace(&journal->last_note, js_str(line, "note", ""), err);
	/* An action that was begun anew has not ended, however often it did before. */
	if (!rc && key)
		rc = strmap_put(&journal->ended, key, !strcmp(mark, "end"), err);
	return rc;
}

int journal_open(struct journal *journal, const char *path, struct sys *sys, struct err *err)
{
	struct buf text;
	int rc;

	*journal = (struct journal){.path = strdup(path), .sys = sys};
	buf_init(&text, JOURNAL_MAX);
	rc = journal->path ? file_read(&text, path, JOURNAL_MAX, err) : err_nomem(err);
	if (rc == ERR_NOENT)
		rc = 0;
	for (char *at = text.data, *end; !rc && at && *at; at = end ? end + 1 : NULL) {
		struct json *line = NULL;

		end = strchr(at, '\n');
		if (end && !js_parse(&line, at, (size_t)(end - at), path, NULL))
			rc = take_line(journal, line, err);
		js_free(line);
	}
	journal->torn = text.data && text.len && text.data[text.len - 1] != '\n';
	buf_release(&text);
	if (rc)
		journal_release(journal);
	return rc;
}

void journal_release(struct journal *journal)
{
	free(journal->path);
	free(journal->last_step);
	free(journal->last_mark);
	free(journal->last_note);
	strmap_release(&journal->ended);
	*journal = (struct journal){0};
}

int journal_write(struct journal *journal, const char *rotation, const char *phase,
		  const char *direction, const char *step, const char *mark, const char *key,
		  const char *note, struct err *err)
{
	struct json *line = js_new_object();
	char at[SYS_TIME_SIZE];
	struct buf text;
	int bad = 0, rc;

	sys_time_text(journal->sys->now(journal->sys), at);
	bad |= js_set_str(line, "at", at);
	bad |= js_set_str(line, "rotation", rotation);
	bad |= js_set_str(line, "phase", phase);
	bad |= js_set_str(line, "direction", direction);
	bad |= js_set_str(line, "step", step);
	bad |= js_set_str(line, "mark", mark);
	if (key)
		bad |= js_set_str(line, "key", key);
	if (note)
		bad |= js_set_str(line, "note", note);
	buf_init(&text, BUF_TEXT_MAX);
	if (journal->torn)
		buf_addc(&text, '\n');
	rc = bad ? err_nomem(err) : js_dump(&text, line, false, err);
	buf_addc(&text, '\n');
	if (!rc)
		rc = file_append_sync(journal->path, text.data, text.len, err);
	journal->torn = journal->torn && rc;
	if (!rc)
		rc = take_line(journal, line, err);
	buf_release(&text);
	js_free(line);
	return rc;
}

bool journal_knows(const struct journal *journal, const char *key)
{
	size_t ended;

	return strmap_get(&journal->ended, key, &ended);
}

bool journal_ended(const struct journal *journal, const char *key)
{
	size_t ended = 0;

	return strmap_get(&journal->ended, key, &ended) && ended;
}
