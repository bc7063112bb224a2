/* SPDX-License-Identifier: PostgreSQL */
#include "state/hooks_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "pki/sum.h"

#define VERSION	 1
#define FILE_MAX ((size_t)16 << 20)

char *hooks_base(const struct store *store)
{
	const struct under_way *under_way = &store->under_way;

	return str_fmt("%s/%s/%s/%s", store->rotation ? store->rotation : "",
		       phase_name(under_way->phase), direction_name(under_way->direction),
		       under_way->begun ? under_way->begun : "");
}

/* Nothing where there is no such file, it is damaged, or it is about something else. */
static void take_kept(struct hooks_record *record)
{
	struct json *root = NULL;
	struct buf text;

	buf_init(&text, FILE_MAX);
	if (!file_read(&text, record->path, FILE_MAX, NULL) &&
	    !js_parse(&root, text.data, text.len, record->path, NULL) &&
	    js_int(root, "version", 0) == VERSION && !sum_check(root, record->path, NULL) &&
	    !strcmp(js_str(root, "base", ""), record->base) && js_is_object(js_get(root, "runs")) &&
	    js_is_object(js_get(root, "waves"))) {
		record->runs = js_copy(js_get(root, "runs"));
		record->waves = js_copy(js_get(root, "waves"));
	}
	buf_release(&text);
	js_free(root);
}

int hooks_record_open(struct hooks_record *record, const struct session *session, struct err *err)
{
	*record = (struct hooks_record){.path = path_join(session->local_dir, "hooks.json"),
					.base = hooks_base(&session->store)};
	if (!record->path || !record->base)
		return err_nomem(err);
	take_kept(record);
	record->runs = record->runs ? record->runs : js_new_object();
	record->waves = record->waves ? record->waves : js_new_object();
	return record->runs && record->waves ? 0 : err_nomem(err);
}

int hooks_record_save(const struct hooks_record *record, struct err *err)
{
	struct json *root = js_new_object();
	int bad = 0, rc;

	bad |= js_set_int(root, "version", VERSION);
	bad |= js_set_str(root, "base", record->base);
	bad |= js_set(root, "runs", js_copy(record->runs));
	bad |= js_set(root, "waves", js_copy(record->waves));
	rc = bad ? err_nomem(err) : sum_add(root, err);
	rc = rc ? rc : js_save(record->path, root, false, FILE_MAX, err);
	js_free(root);
	return rc;
}

void hooks_record_release(struct hooks_record *record)
{
	free(record->path);
	free(record->base);
	js_free(record->runs);
	js_free(record->waves);
	*record = (struct hooks_record){.path = NULL};
}
