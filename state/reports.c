/* SPDX-License-Identifier: PostgreSQL */
#include "state/reports.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "proc/scratch.h"
#include "state/play.h"

#define VARS_MAX 24

static int report_read(struct json **out, const char *dir, const char *host, size_t *left,
		       struct err *err)
{
	struct json *value = NULL;
	struct buf text;
	char *path;
	int rc;

	if (strchr(host, '/'))
		return err_set(err, ERR_FAIL, "a file cannot have this name");
	path = str_fmt("%s/%s.json", dir, host);
	if (!path)
		return err_nomem(err);
	buf_init(&text, REPORT_MAX + 1);
	rc = file_read(&text, path, *left < REPORT_MAX ? *left : REPORT_MAX, err);
	if (rc == ERR_NOENT)
		err_set(err, ERR_NOENT, "the playbook left no report about it");
	*left -= text.len < *left ? text.len : *left;
	rc = rc ? rc : js_parse(&value, text.data ? text.data : "", text.len, "its report", err);
	if (!rc && !js_is_object(value))
		rc = err_set(err, ERR_FAIL, "its report is not a JSON object");
	if (!rc) {
		*out = value;
		value = NULL;
	}
	js_free(value);
	buf_release(&text);
	free(path);
	return rc;
}

/* Ansible's own word about a host goes before the report that it therefore did not leave. */
static char *why_of(const struct ansible_host *host, const struct err *err)
{
	if (host->unreachable)
		return str_fmt("unreachable%s%s", host->message[0] ? ": " : "", host->message);
	if (host->failed)
		return str_fmt("failed%s%s%s%s%s", host->task[0] ? " in task '" : "", host->task,
			       host->task[0] ? "'" : "", host->message[0] ? ": " : "",
			       host->message);
	return strdup(err->msg);
}

static int collect(struct reports *out, const struct ansible_result *result, const char *dir,
		   struct err *err)
{
	size_t left = REPORTS_MAX;
	int rc = 0;

	out->ms = result->ms;
	out->items = calloc(result->count + 1, sizeof(*out->items));
	if (!out->items)
		return err_nomem(err);
	for (size_t i = 0; i < result->count && !rc; i++) {
		struct report *report = &out->items[out->count++];
		struct err why = {0};

		report->host = strdup(result->hosts[i].name);
		if (!report->host)
			return err_nomem(err);
		if (!report_read(&report->value, dir, report->host, &left, &why))
			continue;
		out->missing++;
		report->why = why_of(&result->hosts[i], &why);
		rc = report->why ? 0 : err_nomem(err);
	}
	return rc;
}

int reports_run(struct reports *out, struct session *session, const struct reports_spec *spec,
		struct err *err)
{
	struct ansible_result result = {.hosts = NULL};
	struct scratch scratch = {0};
	const char *vars[VARS_MAX + 2] = {NULL};
	struct play play = {.step = spec->step,
			    .phase = spec->phase ? spec->phase : "",
			    .direction = "forward",
			    .only = spec->only,
			    .skip = spec->skip,
			    .vars = vars,
			    .title = spec->title,
			    .log_name = spec->title,
			    .quiet = true};
	char *where = NULL;
	size_t count = 0;
	int rc = scratch_make(&scratch, err);

	*out = (struct reports){.items = NULL};
	if (!rc)
		where = str_fmt("certrotate_report_dir=%s", scratch.path);
	if (!rc && !where)
		rc = err_nomem(err);
	vars[count++] = where;
	for (size_t i = 0; spec->vars && spec->vars[i] && !rc; i++) {
		if (count > VARS_MAX)
			rc = err_set(err, ERR_FAIL, "%s: too many variables", spec->step->playbook);
		else
			vars[count++] = spec->vars[i];
	}
	if (!rc) {
		rc = play_run(&result, session, &play, err);
		/* Hosts that failed say so themselves; the others have told what they know. */
		if (rc == ERR_FAIL && result.count) {
			err_clear(err);
			rc = 0;
		}
	}
	rc = rc ? rc : collect(out, &result, scratch.path, err);
	ansible_result_release(&result);
	scratch_remove(&scratch);
	free(where);
	return rc;
}

static int by_host(const void *key, const void *member)
{
	return strcmp(key, ((const struct report *)member)->host);
}

const struct report *reports_find(const struct reports *reports, const char *host)
{
	if (!reports->count)
		return NULL;
	return bsearch(host, reports->items, reports->count, sizeof(*reports->items), by_host);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct report *)a)->host, ((const struct report *)b)->host);
}

int reports_merge(struct reports *out, struct reports *more, struct err *err)
{
	struct report *items = realloc(out->items,
				       (out->count + more->count + 1) * sizeof(*out->items));
	size_t old = out->count;

	if (!items)
		return err_nomem(err);
	out->items = items;
	out->ms += more->ms;
	for (size_t i = 0; i < more->count; i++) {
		struct report *item = &more->items[i];
		struct reports before = {.items = out->items, .count = old};
		struct report *known = (struct report *)(uintptr_t)reports_find(&before,
										item->host);
		struct report swap = *item;

		if (!known) {
			out->items[out->count++] = swap;
			*item = (struct report){.host = NULL};
		} else if (!known->value && item->value) {
			*item = *known;
			*known = swap;
		}
	}
	qsort(out->items, out->count, sizeof(*out->items), by_name);
	out->missing = 0;
	for (size_t i = 0; i < out->count; i++)
		out->missing += !out->items[i].value;
	return 0;
}

void reports_release(struct reports *reports)
{
	for (size_t i = 0; i < reports->count; i++) {
		free(reports->items[i].host);
		js_free(reports->items[i].value);
		free(reports->items[i].why);
	}
	free(reports->items);
	*reports = (struct reports){.items = NULL};
}
