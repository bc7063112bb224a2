/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is live now, for commands that look at servers: the generations that the state names, or
 * the inventory where none is recorded yet, and the target that the inventory holds.
 */
#ifndef STATE_LIVE_H
#define STATE_LIVE_H

#include <stdbool.h>
#include "state/session.h"
#include "state/target.h"

struct live {
	struct generation old_gen; /* outside a rotation: the live one */
	struct generation new_gen;
	struct generation retired; /* what the last prune or emergency took out of use */
	bool has_old;
	bool has_new;
	bool has_retired;
	struct target target; /* borrows from the generations: do not move */
};

/*
 * session is loaded; its chain is read here. with_keys needs the vault's password. ERR_USAGE where
 * the environment has no chain yet. live_release() it also after a failure.
 */
int live_load(struct live *live, struct session *session, bool with_keys, struct err *err);
void live_release(struct live *live);

#endif
