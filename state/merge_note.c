/* SPDX-License-Identifier: PostgreSQL */
#include "state/merge_note.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define NOTE_FILE    "merge.json"
#define COMMENT_FILE "comment.json"
#define FILE_MAX     ((size_t)4 << 20)

static struct json *load(const struct session *session, const char *name)
{
	char *path = path_join(session->local_dir, name);
	struct json *value = NULL;
	struct buf text;

	buf_init(&text, FILE_MAX);
	if (path && !file_read(&text, path, FILE_MAX, NULL))
		(void)js_parse(&value, text.data, text.len, name, NULL);
	buf_release(&text);
	free(path);
	return value;
}

static int keep(const struct session *session, const char *name, const struct json *value,
		struct err *err)
{
	char *path = path_join(session->local_dir, name);
	int rc = path ? js_save(path, value, true, FILE_MAX, err) : err_nomem(err);

	free(path);
	return rc;
}

static void drop(const struct session *session, const char *name)
{
	char *path = path_join(session->local_dir, name);

	if (path)
		(void)file_remove(path, NULL);
	free(path);
}

bool merge_note_load(struct merge_note *out, const struct session *session, const char *branch)
{
	struct json *value = load(session, NOTE_FILE);
	bool good;

	*out = (struct merge_note){
		.branch = strdup(js_str(value, "branch", "")),
		.name = strdup(js_str(value, "name", "")),
		.thing = strdup(js_str(value, "thing", "")),
		.url = strdup(js_str(value, "url", "")),
		.seen = strdup(js_str(value, "seen", "")),
		.number = js_int(value, "number", 0),
		.revision = js_int(value, "revision", 0),
		.state = merge_state_parse(js_str(value, "state", "")),
		.draft = js_bool(value, "draft", false),
	};
	js_free(value);
	good = out->branch && out->name && out->thing && out->url && out->seen && out->name[0] &&
	       out->number > 0 && out->state != MERGE_STATE__MAX &&
	       (!branch || !strcmp(branch, out->branch));
	if (!good)
		merge_note_release(out);
	return good;
}

void merge_note_release(struct merge_note *note)
{
	free(note->branch);
	free(note->name);
	free(note->thing);
	free(note->url);
	free(note->seen);
	*note = (struct merge_note){.state = MERGE_STATE__MAX};
}

void merge_note_keep(const struct session *session, const char *branch, int64_t revision,
		     const char *thing, const struct merge_request *request)
{
	struct json *value = js_new_object();
	char seen[SYS_TIME_SIZE];

	sys_time_text(session->sys->now(session->sys), seen);
	(void)js_set_str(value, "branch", branch);
	(void)js_set_int(value, "revision", revision);
	(void)js_set_str(value, "thing", thing);
	(void)js_set_str(value, "name", request->name);
	(void)js_set_int(value, "number", request->number);
	(void)js_set_str(value, "url", request->url);
	(void)js_set_str(value, "state", merge_state_name(request->state));
	(void)js_set_bool(value, "draft", request->draft);
	(void)js_set_str(value, "seen", seen);
	(void)keep(session, NOTE_FILE, value, NULL);
	js_free(value);
}

void merge_note_drop(const struct session *session)
{
	drop(session, NOTE_FILE);
}

struct json *merge_comments_load(const struct session *session)
{
	struct json *value = load(session, COMMENT_FILE);

	if (js_is_array(value))
		return value;
	js_free(value);
	return js_new_array();
}

int merge_comments_save(const struct session *session, const struct json *comments, struct err *err)
{
	if (js_count(comments))
		return keep(session, COMMENT_FILE, comments, err);
	drop(session, COMMENT_FILE);
	return 0;
}
