/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the inventory must hold in a state, as a pure function of the state and two generations.
 * Edit, drift, proof, resume and revert all ask here and nowhere else.
 */
#ifndef STATE_TARGET_H
#define STATE_TARGET_H

#include "base/err.h"
#include "state/generation.h"
#include "state/table.h"

enum pick {
	PICK_OLD,
	PICK_NEW,
	PICK_BOTH /* bundles only: the new generation's certificates, then the old's */
};

/*
 * A leaf that only the new generation has (a host or user that came in the middle of a rotation) is
 * there as soon as everyone trusts the new chain, also where the row says PICK_OLD.
 */
struct target_row {
	enum pick bundles;
	enum pick servers;
	enum pick clients;
};

/* In STATE_IDLE the live generation is "old"; STATE_ABSENT holds nothing. */
const struct target_row *target_row(enum state state);

/*
 * What one value must be. A borrowed text from a generation (with its raw source text, where the
 * generation recorded one: then the file gets its old bytes back), or absent where the generation
 * has no such leaf. For PICK_BOTH the merged bundle is made once by target_init and borrowed from
 * the struct target.
 */
struct target_value {
	bool present;
	const char *text;
	size_t len;
	const char *raw; /* NULL where the generation recorded none */
	size_t raw_len;
};

struct target {
	enum state state;
	const struct generation *old_gen;
	const struct generation *new_gen; /* may be NULL in STATE_IDLE */
	char **merged;			  /* one for each authority of old_gen */
	size_t count;
	/*
	 * "AUTHORITY/NAME" of leaves that are absent all the same: those that come with the very
	 * transition that begins here. Borrowed; NULL for none.
	 */
	const struct strmap *absent;
};

int target_init(struct target *target, enum state state, const struct generation *old_gen,
		const struct generation *new_gen, struct err *err);
void target_release(struct target *target);

/* The leaf that has to be there, or NULL. Borrowed from its generation. */
const struct gen_leaf *target_pick(const struct target *target, const char *authority,
				   const char *name);
struct target_value target_chain(const struct target *target, const char *authority);
struct target_value target_leaf(const struct target *target, const char *authority,
				const char *name);
struct target_value target_key(const struct target *target, const char *authority,
			       const char *name);

#endif
