/* SPDX-License-Identifier: PostgreSQL */
#include "state/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "pki/sum.h"

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
	int rc = replace(&journal->last_at, js_str(line, "at", ""), err);

	rc = rc ? rc : replace(&journal->last_rotation, js_str(line, "rotation", ""), err);
	rc = rc ? rc : replace(&journal->last_phase, js_str(line, "phase", ""), err);
	rc = rc ? rc : replace(&journal->last_direction, js_str(line, "direction", ""), err);
	rc = rc ? rc : replace(&journal->last_mark, mark, err);
	rc = rc ? rc : replace(&journal->last_note, js_str(line, "note", ""), err);
	/* The last of them: where it is there, all are. */
	rc = rc ? rc : replace(&journal->last_step, js_str(line, "step", ""), err);
	/* An action that was begun anew has not ended, however often it did before. */
	if (!rc && key)
		rc = strmap_put(&journal->ended, key, !strcmp(mark, "end"), err);
	if (!strcmp(journal->last_step ? journal->last_step : "", "settle") && !strcmp(mark, "end"))
		journal->damaged = 0;
	return rc;
}

/* A whole line, with the sum that belongs to it; NULL where it is not. Behind its end is no matter.
 */
static struct json *read_line(const char *text, size_t len)
{
	const char *end = memrchr(text, '}', len);
	struct json *line = NULL;

	if (!end || js_parse(&line, text, (size_t)(end - text) + 1, "line", NULL))
		return NULL;
	if (sum_check(line, "line", NULL)) {
		js_free(line);
		line = NULL;
	}
	return line;
}

/* What a write can leave that did not come to its end, and nothing that a disk makes up. */
static bool is_half_a_line(const char *text, size_t len)
{
	static const char start[] = "{\"at\":\"";

	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || (i < sizeof(start) - 1 && text[i] != start[i]))
			return false;
	}
	return true;
}

static void take_damage(struct journal *journal, size_t number)
{
	journal->damaged++;
	journal->damaged_line = number;
	strmap_release(&journal->ended);
	free(journal->last_step);
	free(journal->last_mark);
	free(journal->last_note);
	journal->last_step = journal->last_mark = journal->last_note = NULL;
}

static int read_lines(struct journal *journal, const char *text, size_t len, struct err *err)
{
	const char *end = text + len, *newline;
	size_t number = 1;
	size_t odd = 0; /* the line before, where it was not whole */
	int rc = 0;

	for (const char *at = text; at < end && !rc; at = newline + 1, number++) {
		struct json *line;

		newline = memchr(at, '\n', (size_t)(end - at));
		journal->open_end = !newline;
		newline = newline ? newline : end;
		line = read_line(at, (size_t)(newline - at));
		if (odd && !(line && js_bool(line, "torn", false)))
			take_damage(journal, odd);
		odd = 0;
		if (line)
			rc = take_line(journal, line, err);
		else if (journal->open_end && is_half_a_line(at, (size_t)(newline - at)))
			journal->torn = true;
		else
			odd = number;
		js_free(line);
	}
	if (odd)
		take_damage(journal, odd);
	return rc;
}

/* False where it is not whole: what counts then is decided by those before it. */
static bool read_last(struct journal *journal, const char *text, size_t len)
{
	const char *start;
	struct json *line;
	bool taken;

	if (!len || text[len - 1] != '\n')
		return false;
	start = memrchr(text, '\n', len - 1);
	start = start ? start + 1 : text;
	line = read_line(start, (size_t)(text + len - 1 - start));
	taken = line && !take_line(journal, line, NULL);
	js_free(line);
	return taken;
}

static int open_at(struct journal *journal, const char *path, struct sys *sys, bool last,
		   struct err *err)
{
	struct buf text;
	int rc;

	*journal = (struct journal){.path = strdup(path), .sys = sys};
	buf_init(&text, JOURNAL_MAX);
	rc = journal->path ? file_read(&text, path, JOURNAL_MAX, err) : err_nomem(err);
	if (rc == ERR_NOENT)
		rc = 0;
	else if (!rc && !(last && read_last(journal, text.data, text.len)))
		rc = read_lines(journal, text.data, text.len, err);
	buf_release(&text);
	if (rc)
		journal_release(journal);
	return rc;
}

int journal_open(struct journal *journal, const char *path, struct sys *sys, struct err *err)
{
	return open_at(journal, path, sys, false, err);
}

int journal_glance(struct journal *journal, const char *path, struct sys *sys, struct err *err)
{
	return open_at(journal, path, sys, true, err);
}

void journal_release(struct journal *journal)
{
	free(journal->path);
	free(journal->last_at);
	free(journal->last_rotation);
	free(journal->last_phase);
	free(journal->last_direction);
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
	if (journal->torn)
		bad |= js_set_bool(line, "torn", true);
	buf_init(&text, BUF_TEXT_MAX);
	if (journal->open_end)
		buf_addc(&text, '\n');
	rc = bad ? err_nomem(err) : sum_add(line, err);
	rc = rc ? rc : js_dump(&text, line, false, err);
	buf_addc(&text, '\n');
	if (!rc) {
		rc = file_append_sync(journal->path, text.data, text.len, err);
		/* A full disk may have taken half of it. */
		journal->open_end = journal->torn = rc != 0;
	}
	if (!rc)
		rc = take_line(journal, line, err);
	buf_release(&text);
	js_free(line);
	return rc;
}

bool journal_is_about(const struct journal *journal, const char *rotation, const char *phase,
		      const char *direction)
{
	return journal->last_step && rotation && !strcmp(journal->last_rotation, rotation) &&
	       !strcmp(journal->last_phase, phase) && !strcmp(journal->last_direction, direction);
}

bool journal_last_is(const struct journal *journal, const char *step, const char *mark)
{
	return journal->last_step && !strcmp(journal->last_step, step) &&
	       (!mark || !strcmp(journal->last_mark, mark));
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
