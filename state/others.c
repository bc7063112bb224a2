/* SPDX-License-Identifier: PostgreSQL */
#include "state/others.h"

#include <string.h>

static const char *of_direction(enum direction direction)
{
	return direction == DIRECTION_BACK ? "the revert of " : "";
}

int others_under_way(const struct under_way *under_way, struct err *err)
{
	return err_set(err, ERR_LOCK, "%s%s is under way on %s since %s, by %s",
		       of_direction(under_way->direction), phase_name(under_way->phase),
		       under_way->host ? under_way->host : "an unknown machine",
		       under_way->since ? under_way->since : "an unknown time",
		       under_way->by ? under_way->by : "somebody");
}

/* The last entry of the history is the last that was completed, reverted or abandoned. */
static int said_last(const struct store *store, struct err *err)
{
	const struct json *last = store_last(store, NULL);
	const char *phase = js_str(last, "phase", NULL);

	if (!phase)
		return err_set(err, ERR_LOCK, "the state is %s now", state_name(store->state));
	return err_set(
		err, ERR_LOCK, "the state is %s now: %s was %s on %s at %s (since %s), by %s",
		state_name(store->state), phase, js_str(last, "outcome", "ended"),
		js_str(last, "host", "an unknown machine"), js_str(last, "at", "an unknown time"),
		js_str(last, "since", "an unknown time"), js_str(last, "by", "somebody"));
}

static int say_state(const struct store *store, struct err *err)
{
	return store->under_way.active ? others_under_way(&store->under_way, err)
				       : said_last(store, err);
}

int others_took_over(const struct store *store, struct err *err)
{
	int rc = say_state(store, err);

	err_prefix(err, "somebody else has taken this phase over");
	err_hint(err, "nothing more is rolled out or pushed from here; look with 'certrotate "
		      "status'");
	return rc;
}

/* Whose the newest change of the state is, as far as that is known. */
static const char *last_host(const struct store *store)
{
	if (store->under_way.active)
		return store->under_way.host ? store->under_way.host : "";
	return js_str(store_last(store, NULL), "host", "");
}

int others_were_faster(const struct store *store, const char *host, struct err *err)
{
	bool own = !strcmp(last_host(store), host);
	int rc = say_state(store, err);

	err_prefix(err,
		   own ? "an earlier call from this clone was faster" : "somebody else was faster");
	if (own)
		err_hint(err, "its push came through after all: run it again, it goes on from "
			      "there");
	else
		err_hint(err, "what was to be pushed from here is set aside; look with "
			      "'certrotate status' before you go on");
	return rc;
}
