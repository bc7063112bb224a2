/* SPDX-License-Identifier: PostgreSQL */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/access_internal.h"
#include "base/strs.h"

#define NAMES_SHOWN 5

struct access_note {
	const char *check;
	char *reason;
	char *advice;
	struct strs servers; /* the first ones */
	size_t count;
};

static int new_note(struct access_notes *notes, const char *check, char *reason, const char *advice,
		    struct err *err)
{
	struct access_note *note;

	if (notes->count == notes->cap) {
		size_t cap = notes->cap ? notes->cap * 2 : 8;
		struct access_note *items = realloc(notes->items, cap * sizeof(*items));

		if (!items)
			return err_nomem(err);
		notes->items = items;
		notes->cap = cap;
	}
	note = &notes->items[notes->count];
	*note = (struct access_note){.check = check, .advice = strdup(advice ? advice : "")};
	if (!note->advice)
		return err_nomem(err);
	note->reason = reason;
	notes->count++;
	return 0;
}

int access_note_add(struct access_notes *notes, const char *check, const char *key,
		    const char *server, const char *advice, struct err *err, const char *reason,
		    ...)
{
	char *same = str_fmt("%s\n%s", check, key), *text = NULL;
	size_t at = notes->count;
	va_list ap;
	int rc;

	va_start(ap, reason);
	text = str_vfmt(reason, ap);
	va_end(ap);
	rc = same && text ? 0 : err_nomem(err);
	if (!rc && !strmap_get(&notes->index, same, &at)) {
		rc = strmap_put(&notes->index, same, at, err);
		rc = rc ? rc : new_note(notes, check, text, advice, err);
		text = rc ? text : NULL;
	}
	if (!rc && notes->items[at].count++ < NAMES_SHOWN)
		rc = strs_add(&notes->items[at].servers, server, err);
	free(same);
	free(text);
	return rc;
}

char *access_note_place(const char *server, const char *database)
{
	return str_fmt("%s (database %s)", server, database);
}

int access_notes_findings(struct findings *out, const struct access_notes *notes, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < notes->count && !rc; i++) {
		const struct access_note *note = &notes->items[i];
		char *subject = str_fmt("server %s", note->servers.items[0]);
		char names[512], more[640] = "";

		strs_join(&note->servers, NAMES_SHOWN, names, sizeof(names));
		if (note->count > note->servers.count)
			(void)snprintf(more, sizeof(more), " (the same on %s and %zu more)", names,
				       note->count - note->servers.count);
		else if (note->count > 1)
			(void)snprintf(more, sizeof(more), " (the same on %s)", names);
		rc = subject ? findings_add(out, note->check, SEVERITY_INFO, subject, note->advice,
					    err, "%s%s", note->reason, more)
			     : err_nomem(err);
		free(subject);
	}
	return rc;
}

void access_notes_release(struct access_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++) {
		free(notes->items[i].reason);
		free(notes->items[i].advice);
		strs_release(&notes->items[i].servers);
	}
	free(notes->items);
	strmap_release(&notes->index);
	*notes = (struct access_notes){.items = NULL};
}
