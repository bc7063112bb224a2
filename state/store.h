/* SPDX-License-Identifier: PostgreSQL */
/*
 * state.json: what the team shares about one environment. It changes only inside commits and holds
 * no secret. Names, never numbers, for states; an unknown version or another environment's file is
 * refused. Format, version 1:
 *
 *   {"version": 1, "environment": "poc", "revision": 7, "rotation": "20261121T013000Z-7f3a",
 *    "state": "generated", "phase": "trust", "under_way": {"phase": "trust", "direction":
 *    "forward", "from": "generated", "to": "trusted", "by": "…", "host": "…", "since": "…",
 *    "begun"?, "turned"?, "reason"?, "again": {"2": 1}?} | null,
 *    "generations": {"old": "g1", "new": "g2", "last": "g2",
 *    "retired": null}, "host_set": ["db1.example.com"],
 *    "history": [{"rotation", "phase", "direction", "outcome", "by", "at", "commit", …}],
 *    "behind": ["db3.example.com"], "waivers": [{"gate", "subject", "reason", "by", "at"}],
 *    "acks": [{"app", "phase", "direction"?, "who", "by", "at"}], "sum": "sha256:…"}
 *
 * "state" is the last state that was proven; while "under_way" is set, the inventory holds the
 * target of its "to". "revision" grows with every change, so that the newer of two is known. "sum"
 * is over all the rest (pki/sum.h): a file that was damaged, edited or merged as text is refused.
 */
#ifndef STATE_STORE_H
#define STATE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"
#include "base/strs.h"
#include "state/table.h"

struct under_way {
	bool active;
	enum phase phase;
	enum direction direction;
	enum state from;
	enum state to;
	char *by;
	char *host; /* the machine that drives it: another one needs --take-over */
	char *since;
	char *begun;  /* as since, whoever has taken it over meanwhile */
	char *turned; /* when what it turns round was begun, by this host alone; else NULL */
	char *reason; /* an emergency's; else NULL */
	/* Object: waves of hooks that were taken back alone, and how often; NULL: none. */
	struct json *again;
};

struct store {
	char *environment;
	int64_t revision;
	char *rotation; /* NULL before the first */
	enum state state;
	enum phase phase; /* the last one begun; PHASE__MAX before the first */
	struct under_way under_way;
	char *old_gen;	   /* the live one outside a rotation; NULL while absent */
	char *new_gen;	   /* NULL outside a rotation */
	char *last_gen;	   /* the last one issued: a name is never given twice */
	char *retired_gen; /* what the last prune removed; NULL where none is kept */
	struct strs host_set;
	struct strs behind;
	struct json *history; /* array, oldest first */
	struct json *waivers; /* array: those of the rotation under way */
	struct json *acks;    /* array: likewise; what applications' administrators confirmed */
};

/* An environment without a state file: absent, or idle where it has a chain. */
int store_init(struct store *store, const char *environment, enum state state, struct err *err);
/* name is for messages ("dev:.certrotate/poc/state.json"). */
int store_parse(struct store *store, const char *text, size_t len, const char *name,
		const char *environment, struct err *err);
int store_dump(struct buf *out, const struct store *store, struct err *err);
int store_copy(struct store *out, const struct store *in, struct err *err);
void store_release(struct store *store);

/* Replaces an owned string (NULL clears it). */
int store_set(char **field, const char *value, struct err *err);
/* Makes something under way: takes over what it needs, and raises the revision. */
int store_begin(struct store *store, const struct transition *row, const char *by, const char *host,
		int64_t now, const char *reason, struct err *err);
/* How often that wave of what is under way was taken back alone. */
unsigned store_taken_back(const struct store *store, unsigned wave);
/* Once more. Raises the revision. */
int store_take_back(struct store *store, unsigned wave, struct err *err);
/* Nothing is under way any more. */
void store_end(struct store *store);
/*
 * Leaves the newest entries of the history whole; in older ones the lists that grow with the
 * environment (findings, hosts, endpoints, logins) become their lengths. The commits keep them.
 */
int store_shorten_history(struct store *store, size_t whole, struct err *err);
/* How many members a list of a history entry has, whole or shortened. */
size_t store_list_count(const struct json *object, const char *key);
/* The last history entry with that outcome (NULL: with any), or NULL. */
struct json *store_last(const struct store *store, const char *outcome);
/*
 * When a phase of the present rotation was last completed in that direction, in seconds since the
 * epoch; 0 where it was not, or where it went the other way since then.
 */
int64_t store_when(const struct store *store, enum phase phase, enum direction direction);
/* The application's word about a phase of the present rotation, or NULL. */
const struct json *store_ack(const struct store *store, const char *app, enum phase phase);
/* The same about a phase in that direction: what is being taken back is confirmed as well. */
const struct json *store_word(const struct store *store, const char *app, enum phase phase,
			      enum direction direction);
/* who: whose word it is ("" where only by, who types it, is known). Raises the revision. */
int store_add_ack(struct store *store, const char *app, enum phase phase, enum direction direction,
		  const char *who, const char *by, int64_t now, struct err *err);
/*
 * Takes out the words about that phase (PHASE__MAX: all), because it was undone, or because they
 * served; they are added to out where it is not NULL. store_take_ack: of one application.
 */
int store_take_ack(struct store *store, const char *app, enum phase phase, struct err *err);
int store_take_acks(struct store *store, enum phase phase, struct json *out, struct err *err);

#endif
