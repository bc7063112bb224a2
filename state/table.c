/* SPDX-License-Identifier: PostgreSQL */
#include "state/table.h"

#include <string.h>

#define GO(from_, event_, to_, phase_, direction_)                                                 \
	{                                                                                          \
		STATE_##from_, EVENT_##event_, NULL, NULL, STATE_##to_, PHASE_##phase_,            \
			DIRECTION_##direction_                                                     \
	}
#define NO(from_, event_, refusal_, hint_)                                                         \
	{                                                                                          \
		STATE_##from_, EVENT_##event_, refusal_, hint_, STATE__MAX, PHASE__MAX,            \
			DIRECTION__MAX                                                             \
	}

#define HAS_CHAIN "the environment has a chain already"
#define USE_NEXT  "type 'certrotate next' to rotate it"
#define NOT_IDLE  "a rotation is under way"
#define NO_PRUNE  "only a prune that has just ended can be taken back with --prune"

/* clang-format off */
static const struct transition rows[] = {
	GO(ABSENT, FIRST, IDLE, FIRST, FORWARD),
	NO(ABSENT, NEXT, "the environment has no chain yet", "type 'certrotate next --first' to issue generation 1"),
	NO(ABSENT, REVERT, "the environment has no chain yet: there is nothing to undo", ""),
	NO(ABSENT, REVERT_PRUNE, "the environment has no chain yet: there is nothing to undo", ""),
	NO(ABSENT, EMERGENCY, "the environment has no chain yet", "type 'certrotate next --first' to issue generation 1"),

	NO(IDLE, FIRST, HAS_CHAIN, USE_NEXT),
	GO(IDLE, NEXT, GENERATED, GENERATE, FORWARD),
	NO(IDLE, REVERT, "no rotation is under way: there is nothing to undo",
	   "a prune is taken back with 'certrotate revert --prune', for 7 days"),
	GO(IDLE, REVERT_PRUNE, CLIENTS_SWITCHED, PRUNE, BACK),
	GO(IDLE, EMERGENCY, IDLE, EMERGENCY, FORWARD),

	NO(GENERATED, FIRST, HAS_CHAIN, USE_NEXT),
	GO(GENERATED, NEXT, TRUSTED, TRUST, FORWARD),
	GO(GENERATED, REVERT, IDLE, GENERATE, BACK),
	NO(GENERATED, REVERT_PRUNE, NOT_IDLE, NO_PRUNE),
	GO(GENERATED, EMERGENCY, IDLE, EMERGENCY, FORWARD),

	NO(TRUSTED, FIRST, HAS_CHAIN, USE_NEXT),
	GO(TRUSTED, NEXT, SERVERS_SWITCHED, SERVERS, FORWARD),
	GO(TRUSTED, REVERT, GENERATED, TRUST, BACK),
	NO(TRUSTED, REVERT_PRUNE, NOT_IDLE, NO_PRUNE),
	GO(TRUSTED, EMERGENCY, IDLE, EMERGENCY, FORWARD),

	NO(SERVERS_SWITCHED, FIRST, HAS_CHAIN, USE_NEXT),
	GO(SERVERS_SWITCHED, NEXT, CLIENTS_SWITCHED, CLIENTS, FORWARD),
	GO(SERVERS_SWITCHED, REVERT, TRUSTED, SERVERS, BACK),
	NO(SERVERS_SWITCHED, REVERT_PRUNE, NOT_IDLE, NO_PRUNE),
	GO(SERVERS_SWITCHED, EMERGENCY, IDLE, EMERGENCY, FORWARD),

	NO(CLIENTS_SWITCHED, FIRST, HAS_CHAIN, USE_NEXT),
	GO(CLIENTS_SWITCHED, NEXT, IDLE, PRUNE, FORWARD),
	GO(CLIENTS_SWITCHED, REVERT, SERVERS_SWITCHED, CLIENTS, BACK),
	NO(CLIENTS_SWITCHED, REVERT_PRUNE, NOT_IDLE, NO_PRUNE),
	GO(CLIENTS_SWITCHED, EMERGENCY, IDLE, EMERGENCY, FORWARD),
};
/* clang-format on */

const struct transition *table_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

const struct transition *table_find(enum state from, enum event event)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].from == from && rows[i].event == event)
			return &rows[i];
	}
	return NULL;
}

const struct transition *table_find_phase(enum state from, enum phase phase,
					  enum direction direction)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct transition *row = &rows[i];

		if (row->from == from && !row->refusal && row->phase == phase &&
		    row->direction == direction)
			return row;
	}
	return NULL;
}

static const char *const state_names[STATE__MAX] = {
	[STATE_ABSENT] = "absent",
	[STATE_IDLE] = "idle",
	[STATE_GENERATED] = "generated",
	[STATE_TRUSTED] = "trusted",
	[STATE_SERVERS_SWITCHED] = "servers-switched",
	[STATE_CLIENTS_SWITCHED] = "clients-switched",
};

static const char *const event_names[EVENT__MAX] = {
	[EVENT_FIRST] = "first",	 [EVENT_NEXT] = "next",
	[EVENT_REVERT] = "revert",	 [EVENT_REVERT_PRUNE] = "revert-prune",
	[EVENT_EMERGENCY] = "emergency",
};

static const char *const phase_names[PHASE__MAX] = {
	[PHASE_FIRST] = "first",	 [PHASE_GENERATE] = "generate", [PHASE_TRUST] = "trust",
	[PHASE_SERVERS] = "servers",	 [PHASE_CLIENTS] = "clients",	[PHASE_PRUNE] = "prune",
	[PHASE_EMERGENCY] = "emergency",
};

static const char *const direction_names[DIRECTION__MAX] = {
	[DIRECTION_FORWARD] = "forward",
	[DIRECTION_BACK] = "back",
};

static const char *const state_meanings[STATE__MAX] = {
	[STATE_ABSENT] = "no chain yet",
	[STATE_IDLE] = "one chain, no rotation under way",
	[STATE_GENERATED] = "the new chain is stored; nothing live has changed",
	[STATE_TRUSTED] = "everyone accepts old and new peers",
	[STATE_SERVERS_SWITCHED] = "servers show new certificates; old and new clients get in",
	[STATE_CLIENTS_SWITCHED] = "clients log in with new certificates; the old still open",
};

static size_t index_of(const char *const *names, size_t count, const char *name)
{
	size_t i = 0;

	while (i < count && (!name || strcmp(names[i], name) != 0))
		i++;
	return i;
}

const char *state_name(enum state state)
{
	return state < STATE__MAX ? state_names[state] : "unknown";
}

const char *event_name(enum event event)
{
	return event < EVENT__MAX ? event_names[event] : "unknown";
}

const char *phase_name(enum phase phase)
{
	return phase < PHASE__MAX ? phase_names[phase] : "unknown";
}

const char *direction_name(enum direction direction)
{
	return direction < DIRECTION__MAX ? direction_names[direction] : "unknown";
}

const char *direction_verb(enum direction direction)
{
	return direction == DIRECTION_BACK ? "revert" : "next";
}

enum state state_parse(const char *name)
{
	return (enum state)index_of(state_names, STATE__MAX, name);
}

enum phase phase_parse(const char *name)
{
	return (enum phase)index_of(phase_names, PHASE__MAX, name);
}

enum direction direction_parse(const char *name)
{
	return (enum direction)index_of(direction_names, DIRECTION__MAX, name);
}

bool phase_rolls_out(enum phase phase)
{
	return phase != PHASE_FIRST && phase != PHASE_GENERATE && phase < PHASE__MAX;
}

bool state_is_middle(enum state state)
{
	return state != STATE_ABSENT && state != STATE_IDLE && state < STATE__MAX;
}

const char *state_meaning(enum state state)
{
	return state < STATE__MAX ? state_meanings[state] : "";
}
