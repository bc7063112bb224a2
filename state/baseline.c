/* SPDX-License-Identifier: PostgreSQL */
#include "state/baseline.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "pki/sum.h"

#define VERSION	 1
#define FILE_MAX ((size_t)16 << 20)

char *baseline_key(const char *rotation, const char *phase, const char *direction)
{
	return str_fmt("%s/%s/%s", rotation, phase, direction);
}

int baseline_write(const char *path, const char *key, const struct json *evidence, struct err *err)
{
	const struct json *logins = js_get(evidence, "logins");
	struct json *root = js_new_object(), *servers = js_new_object();
	int rc = root && servers ? 0 : err_nomem(err);

	for (size_t i = 0; i < js_count(logins) && !rc; i++) {
		const struct json *login = js_at(logins, i);
		struct json *figures;

		if (!js_get(login, "archive_failures"))
			continue;
		figures = js_new_object();
		(void)js_set_int(figures, "archive_failures", js_int(login, "archive_failures", 0));
		(void)js_set_bool(figures, "archive_fails", js_bool(login, "archive_fails", false));
		(void)js_set_int(figures, "standbys_streaming",
				 js_int(login, "standbys_streaming", 0));
		if (js_set(servers, js_str(login, "endpoint", ""), figures))
			rc = err_nomem(err);
	}
	(void)js_set_int(root, "version", VERSION);
	(void)js_set_str(root, "key", key);
	if (js_set(root, "servers", servers) && !rc)
		rc = err_nomem(err);
	rc = rc ? rc : sum_add(root, err);
	rc = rc ? rc : js_save(path, root, true, FILE_MAX, err);
	js_free(root);
	return rc;
}

static int take(struct baseline *out, const struct json *servers, struct err *err)
{
	int rc = 0;

	out->items = calloc(js_count(servers) + 1, sizeof(*out->items));
	if (!out->items)
		return err_nomem(err);
	for (const char *name = js_first_key(servers); name && !rc;
	     name = js_next_key(servers, name)) {
		const struct json *figures = js_get(servers, name);
		struct baseline_figures *item = &out->items[out->count];

		item->archive_failures = js_int(figures, "archive_failures", 0);
		item->archive_fails = js_bool(figures, "archive_fails", false);
		item->standbys_streaming = js_int(figures, "standbys_streaming", 0);
		rc = strmap_put(&out->index, name, out->count++, err);
	}
	return rc;
}

int baseline_read(struct baseline *out, const char *path, const char *key, struct err *err)
{
	struct json *root = NULL;
	struct buf text;
	int rc;

	*out = (struct baseline)BASELINE_INIT;
	buf_init(&text, FILE_MAX);
	rc = file_read(&text, path, FILE_MAX, err);
	if (!rc && (js_parse(&root, text.data, text.len, path, NULL) ||
		    js_int(root, "version", 0) != VERSION || sum_check(root, path, NULL) ||
		    strcmp(js_str(root, "key", ""), key) != 0))
		rc = err_set(err, ERR_NOENT, "%s has no figures from before this phase", path);
	rc = rc ? rc : take(out, js_get(root, "servers"), err);
	buf_release(&text);
	js_free(root);
	if (rc)
		baseline_release(out);
	return rc;
}

int baseline_load(struct baseline *out, const char *path, const char *key, struct err *err)
{
	int rc = baseline_read(out, path, key, err);

	if (rc != ERR_NOENT)
		return rc;
	err_clear(err);
	return 0;
}

const struct baseline_figures *baseline_find(const struct baseline *baseline, const char *endpoint)
{
	size_t index;

	return strmap_get(&baseline->index, endpoint, &index) ? &baseline->items[index] : NULL;
}

void baseline_release(struct baseline *baseline)
{
	free(baseline->items);
	strmap_release(&baseline->index);
	*baseline = (struct baseline)BASELINE_INIT;
}
