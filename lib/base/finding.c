/* SPDX-License-Identifier: PostgreSQL */
#include "base/finding.h"
#include "base/strs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int findings_add(struct findings *list, const char *check, enum severity severity,
		 const char *subject, const char *advice, struct err *err, const char *reason, ...)
{
	struct finding finding = {
		check, severity, strdup(subject), NULL, strdup(advice ? advice : ""), false};
	va_list ap;

	va_start(ap, reason);
	finding.reason = str_vfmt(reason, ap);
	va_end(ap);
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 16;
		struct finding *items = realloc(list->items, cap * sizeof(*items));

		if (!items)
			goto nomem;
		list->items = items;
		list->cap = cap;
	}
	if (!finding.subject || !finding.reason || !finding.advice)
		goto nomem;
	list->items[list->count++] = finding;
	return 0;
nomem:
	free(finding.subject);
	free(finding.reason);
	free(finding.advice);
	return err_nomem(err);
}

int findings_take(struct findings *to, struct findings *from, struct err *err)
{
	size_t count = to->count + from->count;

	if (count > to->cap) {
		size_t cap = count > to->cap * 2 ? count : to->cap * 2;
		struct finding *items = realloc(to->items, cap * sizeof(*items));

		if (!items)
			return err_nomem(err);
		to->items = items;
		to->cap = cap;
	}
	for (size_t i = 0; i < from->count; i++)
		to->items[to->count++] = from->items[i];
	from->count = 0;
	findings_release(from);
	return 0;
}

size_t findings_count(const struct findings *list, enum severity at_least)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		count += list->items[i].severity >= at_least && !list->items[i].waived;
	return count;
}

/* A counting pass per severity keeps the order of arrival without an index beside each item. */
void findings_sort(struct findings *list)
{
	struct finding *sorted;
	size_t n = 0;

	if (list->count < 2)
		return;
	sorted = malloc(list->count * sizeof(*sorted));
	if (!sorted)
		return;
	for (int severity = SEVERITY__MAX - 1; severity >= 0; severity--) {
		for (size_t i = 0; i < list->count; i++) {
			if ((int)list->items[i].severity == severity)
				sorted[n++] = list->items[i];
		}
	}
	memcpy(list->items, sorted, n * sizeof(*sorted));
	free(sorted);
}

void findings_release(struct findings *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].subject);
		free(list->items[i].reason);
		free(list->items[i].advice);
	}
	free(list->items);
	list->items = NULL;
	list->count = list->cap = 0;
}

/* What makes findings alike; subjects are told apart by a key that begins with their group's. */
static int add_to_group(struct finding_groups *out, struct strmap *index,
			const struct finding *finding, struct err *err)
{
	char *key = str_fmt("%s\n%d%d\n%s\n%s", finding->check, (int)finding->severity,
			    finding->waived, finding->reason, finding->advice);
	char *whole = key ? str_fmt("%s\n%s", finding->subject, key) : NULL;
	size_t number, there;
	int rc = whole ? 0 : err_nomem(err);

	if (!rc && !strmap_get(index, key, &number)) {
		number = out->count++;
		out->items[number].first = finding;
		rc = strmap_put(index, key, number, err);
	}
	if (!rc && !strmap_get(index, whole, &there)) {
		rc = strs_add(&out->items[number].subjects, finding->subject, err);
		rc = rc ? rc : strmap_put(index, whole, number, err);
	}
	free(key);
	free(whole);
	return rc;
}

int findings_group(struct finding_groups *out, const struct findings *list, struct err *err)
{
	struct strmap index = STRMAP_INIT;
	int rc = 0;

	*out = (struct finding_groups){calloc(list->count + 1, sizeof(*out->items)), 0};
	if (!out->items)
		return err_nomem(err);
	for (size_t i = 0; i < list->count && !rc; i++)
		rc = add_to_group(out, &index, &list->items[i], err);
	strmap_release(&index);
	if (rc)
		findings_group_release(out);
	return rc;
}

void findings_group_release(struct finding_groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		strs_release(&groups->items[i].subjects);
	free(groups->items);
	*groups = (struct finding_groups){0};
}

const char *severity_name(enum severity severity)
{
	static const char *const names[SEVERITY__MAX] = {
		[SEVERITY_INFO] = "info",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_BLOCK] = "block",
	};

	return severity < SEVERITY__MAX ? names[severity] : "unknown";
}
