/* SPDX-License-Identifier: PostgreSQL */
#include "base/finding.h"

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
	if (vasprintf(&finding.reason, reason, ap) < 0)
		finding.reason = NULL;
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

const char *severity_name(enum severity severity)
{
	static const char *const names[SEVERITY__MAX] = {
		[SEVERITY_INFO] = "info",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_BLOCK] = "block",
	};

	return severity < SEVERITY__MAX ? names[severity] : "unknown";
}
