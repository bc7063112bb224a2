/* SPDX-License-Identifier: PostgreSQL */
/* Waivers: a gate that does not hold, passed with a name and a reason. See plan.h. */
#include <stdlib.h>
#include <string.h>

#include "state/plan.h"

int waivers_add(struct waivers *waivers, const char *text, struct err *err)
{
	const char *colon = strchr(text, ':');
	const char *equals = memchr(text, '=', colon ? (size_t)(colon - text) : 0);
	size_t gate_len = colon ? (size_t)((equals ? equals : colon) - text) : 0;
	struct waiver *items;
	struct waiver waiver;

	if (!gate_len || !colon[1] || strspn(colon + 1, " ") == strlen(colon + 1)) {
		err_set(err, ERR_USAGE, "--waive '%s' is not of the form GATE[=SUBJECT]:REASON",
			text);
		return err_hint(err, "for instance --waive 'hosts=db3:power supply, ticket 42'");
	}
	waiver = (struct waiver){strndup(text, gate_len),
				 equals ? strndup(equals + 1, (size_t)(colon - equals - 1))
					: strdup(""),
				 strdup(colon + 1), false};
	items = realloc(waivers->items, (waivers->count + 1) * sizeof(*items));
	if (items)
		waivers->items = items;
	if (!items || !waiver.gate || !waiver.subject || !waiver.reason) {
		free(waiver.gate);
		free(waiver.subject);
		free(waiver.reason);
		return err_nomem(err);
	}
	items[waivers->count++] = waiver;
	return 0;
}

void waivers_release(struct waivers *waivers)
{
	for (size_t i = 0; i < waivers->count; i++) {
		free(waivers->items[i].gate);
		free(waivers->items[i].subject);
		free(waivers->items[i].reason);
	}
	free(waivers->items);
	*waivers = (struct waivers){0};
}

/* "db3" names "server db3" and "db3" itself: a subject's last word is its name. */
static bool names_subject(const char *waived, const char *subject)
{
	const char *space = strrchr(subject, ' ');

	return !waived[0] || !strcmp(waived, subject) || (space && !strcmp(waived, space + 1));
}

void waivers_apply(const struct waivers *waivers, struct findings *findings, bool named)
{
	for (size_t w = 0; waivers && w < waivers->count; w++) {
		for (size_t i = 0; i < findings->count; i++) {
			struct finding *finding = &findings->items[i];

			if (finding->severity == SEVERITY_BLOCK &&
			    (!named || waivers->items[w].subject[0]) &&
			    !strcmp(finding->check, waivers->items[w].gate) &&
			    names_subject(waivers->items[w].subject, finding->subject)) {
				finding->waived = true;
				waivers->items[w].used = true;
			}
		}
	}
}

struct json *waivers_json(const struct waivers *waivers, const char *by, int64_t now)
{
	struct json *array = js_new_array();
	char at[SYS_TIME_SIZE];
	int bad = array ? 0 : 1;

	sys_time_text(now, at);
	for (size_t i = 0; waivers && i < waivers->count && !bad; i++) {
		const struct waiver *waiver = &waivers->items[i];
		struct json *object;

		if (!strcmp(waiver->gate, "hosts"))
			continue;
		object = js_new_object();
		bad |= js_set_str(object, "gate", waiver->gate);
		bad |= js_set_str(object, "subject", waiver->subject);
		bad |= js_set_str(object, "reason", waiver->reason);
		bad |= js_set_str(object, "by", by);
		bad |= js_set_str(object, "at", at);
		bad |= js_push(array, object);
	}
	if (bad) {
		js_free(array);
		return NULL;
	}
	return array;
}

int waivers_from_json(struct waivers *out, const struct json *array, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < js_count(array) && !rc; i++) {
		const struct json *object = js_at(array, i);
		const char *subject = js_str(object, "subject", "");
		char *text = str_fmt("%s%s%s:%s", js_str(object, "gate", ""), subject[0] ? "=" : "",
				     subject, js_str(object, "reason", ""));

		rc = text ? waivers_add(out, text, err) : err_nomem(err);
		free(text);
	}
	return rc;
}

int waivers_subjects(struct strs *out, const struct waivers *waivers, const char *gate,
		     struct err *err)
{
	int rc = 0;

	for (size_t w = 0; waivers && w < waivers->count && !rc; w++) {
		if (strcmp(waivers->items[w].gate, gate) != 0)
			continue;
		if (!waivers->items[w].subject[0]) {
			err_set(err, ERR_USAGE, "--waive %s needs a name", gate);
			return err_hint(err, "for instance --waive '%s=db3:%s'", gate,
					waivers->items[w].reason);
		}
		waivers->items[w].used = true;
		rc = strs_add_unique(out, waivers->items[w].subject, err);
	}
	return rc;
}

static int full_name(char **name, const struct generation *gen, struct err *err)
{
	const char *found = NULL;
	size_t len = strlen(*name);
	char *copy;

	for (size_t i = 0; i < gen->leaf_count; i++) {
		const struct gen_leaf *leaf = &gen->leaves[i];

		if (leaf->kind != LEAF_SERVER)
			continue;
		if (!strcmp(leaf->name, *name))
			return 0;
		if (strncmp(leaf->name, *name, len) != 0 || leaf->name[len] != '.')
			continue;
		if (found && strcmp(found, leaf->name) != 0)
			return err_set(err, ERR_USAGE, "'%s' may be %s or %s: write it whole",
				       *name, found, leaf->name);
		found = leaf->name;
	}
	if (!found)
		return 0;
	copy = strdup(found);
	if (!copy)
		return err_nomem(err);
	free(*name);
	*name = copy;
	return 0;
}

int plan_full_names(struct strs *names, const struct generation *gen, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < names->count && !rc; i++)
		rc = full_name(&names->items[i], gen, err);
	return rc;
}
