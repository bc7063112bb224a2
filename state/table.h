/* SPDX-License-Identifier: PostgreSQL */
/*
 * The state machine as data: one row for each pair of state and event, no wildcards. Nothing else
 * in the program knows the order of the phases.
 */
#ifndef STATE_TABLE_H
#define STATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum state {
	STATE_ABSENT,		/* the environment has no chain yet */
	STATE_IDLE,		/* one generation, no rotation */
	STATE_GENERATED,	/* the new generation is stored; nothing live changed */
	STATE_TRUSTED,		/* everyone accepts old and new peers */
	STATE_SERVERS_SWITCHED, /* servers show new certificates */
	STATE_CLIENTS_SWITCHED, /* clients log in with new certificates */
	STATE__MAX
};

enum event {
	EVENT_FIRST,
	EVENT_NEXT,
	EVENT_REVERT,
	EVENT_REVERT_PRUNE,
	EVENT_EMERGENCY,
	EVENT__MAX
};

enum phase {
	PHASE_FIRST,
	PHASE_GENERATE,
	PHASE_TRUST,
	PHASE_SERVERS,
	PHASE_CLIENTS,
	PHASE_PRUNE,
	PHASE_EMERGENCY,
	PHASE__MAX
};

enum direction { DIRECTION_FORWARD, DIRECTION_BACK, DIRECTION__MAX };

struct transition {
	enum state from;
	enum event event;
	const char *refusal; /* NULL where the row is a transition; else why it is none */
	const char *hint;    /* with a refusal: what to do instead */
	/* The rest counts only where refusal is NULL. */
	enum state to;
	enum phase phase;
	enum direction direction;
};

/* Never NULL for values below the __MAX. */
const struct transition *table_find(enum state from, enum event event);
/* All STATE__MAX * EVENT__MAX rows. */
const struct transition *table_rows(size_t *count);
/* The transition that a phase in a direction is; NULL where there is none from that state. */
const struct transition *table_find_phase(enum state from, enum phase phase,
					  enum direction direction);

const char *state_name(enum state state);
const char *event_name(enum event event);
const char *phase_name(enum phase phase);
const char *direction_name(enum direction direction);
/* The command that goes on in that direction: "next" or "revert". */
const char *direction_verb(enum direction direction);
/* The __MAX where the name is unknown. */
enum state state_parse(const char *name);
enum phase phase_parse(const char *name);
enum direction direction_parse(const char *name);
/* Whether a phase changes what is on the hosts. */
bool phase_rolls_out(enum phase phase);
/* Whether a rotation is under way between its first and last phase. */
bool state_is_middle(enum state state);
/* What is true on every host in that state, for people. */
const char *state_meaning(enum state state);

#endif
