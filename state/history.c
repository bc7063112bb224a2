/* SPDX-License-Identifier: PostgreSQL */
/* What state.json says of the past, and what was confirmed meanwhile: see store.h. */
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "state/store.h"

struct json *store_last(const struct store *store, const char *outcome)
{
	for (size_t i = js_count(store->history); i > 0; i--) {
		struct json *entry = js_at(store->history, i - 1);

		if (!outcome || !strcmp(js_str(entry, "outcome", ""), outcome))
			return entry;
	}
	return NULL;
}

size_t store_list_count(const struct json *object, const char *key)
{
	int64_t count = js_int(object, key, 0);

	return count > 0 ? (size_t)count : js_count(js_get(object, key));
}

static int shorten(struct json *object, const char *key, struct err *err)
{
	struct json *list = js_get(object, key);

	if (!js_is_array(list))
		return 0;
	return js_set_int(object, key, (int64_t)js_count(list)) ? err_nomem(err) : 0;
}

int store_shorten_history(struct store *store, size_t whole, struct err *err)
{
	size_t count = js_count(store->history);
	int rc = 0;

	for (size_t i = 0; i + whole < count && !rc; i++) {
		struct json *entry = js_at(store->history, i);
		struct json *runs = js_get(entry, "rollout");

		rc = shorten(entry, "findings", err);
		rc = rc ? rc : shorten(entry, "hooks", err);
		rc = rc ? rc : shorten(js_get(entry, "probes"), "leaves", err);
		rc = rc ? rc : shorten(js_get(entry, "probes"), "logins", err);
		for (size_t k = 0; k < js_count(runs) && !rc; k++)
			rc = shorten(js_at(runs, k), "hosts", err);
	}
	return rc;
}

int64_t store_when(const struct store *store, enum phase phase, enum direction direction)
{
	for (size_t i = js_count(store->history); i > 0; i--) {
		const struct json *entry = js_at(store->history, i - 1);
		int64_t at = 0;
		struct err unread = {0};

		if (strcmp(js_str(entry, "rotation", ""), store->rotation ? store->rotation : "") !=
		    0)
			break;
		if (strcmp(js_str(entry, "phase", ""), phase_name(phase)) != 0)
			continue;
		if (strcmp(js_str(entry, "direction", ""), direction_name(direction)) != 0)
			break;
		return sys_time_parse(js_str(entry, "at", ""), &at, &unread) ? 0 : at;
	}
	return 0;
}

static bool is_about(const struct json *ack, enum phase phase)
{
	return phase == PHASE__MAX || !strcmp(js_str(ack, "phase", ""), phase_name(phase));
}

/* Words about what goes forward have no direction. */
static enum direction direction_of(const struct json *ack)
{
	return strcmp(js_str(ack, "direction", ""), direction_name(DIRECTION_BACK))
		       ? DIRECTION_FORWARD
		       : DIRECTION_BACK;
}

const struct json *store_ack(const struct store *store, const char *app, enum phase phase)
{
	return store_word(store, app, phase, DIRECTION_FORWARD);
}

const struct json *store_word(const struct store *store, const char *app, enum phase phase,
			      enum direction direction)
{
	for (size_t i = js_count(store->acks); i > 0; i--) {
		const struct json *ack = js_at(store->acks, i - 1);

		if (is_about(ack, phase) && direction_of(ack) == direction &&
		    !strcmp(js_str(ack, "app", ""), app))
			return ack;
	}
	return NULL;
}

int store_add_ack(struct store *store, const char *app, enum phase phase, enum direction direction,
		  const char *who, const char *by, int64_t now, struct err *err)
{
	struct json *ack = js_new_object();
	char at[SYS_TIME_SIZE];
	int bad = 0;

	sys_time_text(now, at);
	bad |= js_set_str(ack, "app", app);
	bad |= js_set_str(ack, "phase", phase_name(phase));
	if (direction == DIRECTION_BACK)
		bad |= js_set_str(ack, "direction", direction_name(direction));
	bad |= js_set_str(ack, "who", who);
	bad |= js_set_str(ack, "by", by);
	bad |= js_set_str(ack, "at", at);
	bad |= js_push(store->acks, ack);
	store->revision++;
	return bad ? err_nomem(err) : 0;
}

/* app: NULL for all. */
static int take(struct store *store, const char *app, enum phase phase, struct json *out,
		struct err *err)
{
	struct json *left = js_new_array();
	int bad = left ? 0 : 1;

	for (size_t i = 0; i < js_count(store->acks) && !bad; i++) {
		const struct json *ack = js_at(store->acks, i);

		if (!is_about(ack, phase) || (app && strcmp(js_str(ack, "app", ""), app) != 0))
			bad |= js_push(left, js_copy(ack));
		else if (out)
			bad |= js_push(out, js_copy(ack));
	}
	if (bad) {
		js_free(left);
		return err_nomem(err);
	}
	js_free(store->acks);
	store->acks = left;
	return 0;
}

int store_take_ack(struct store *store, const char *app, enum phase phase, struct err *err)
{
	return take(store, app, phase, NULL, err);
}

int store_take_acks(struct store *store, enum phase phase, struct json *out, struct err *err)
{
	return take(store, NULL, phase, out, err);
}
