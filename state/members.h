/* SPDX-License-Identifier: PostgreSQL */
/*
 * Hosts and users that come or go in the middle of a rotation.
 *
 * One that comes (described, or put into the certs file by a colleague with its key) becomes a part
 * of both generations as far as can be: of the new one always, for which its CA key is needed; of
 * the old one where that CA's key was kept, or where its certificate is from there. One that went
 * from the certs file, the keys and the description is taken out of both. The generations' files
 * change in the next phase's own commit.
 */
#ifndef STATE_MEMBERS_H
#define STATE_MEMBERS_H

#include "base/finding.h"
#include "state/drift.h"
#include "state/generation.h"
#include "state/table.h"

struct members {
	struct strmap came;   /* "AUTHORITY/NAME": not in the inventory as the state has it */
	struct strmap spared; /* those, and who went: no drift */
	struct strmap gone;   /* who went */
	bool old_changed;     /* the generation's files have to be written */
	bool new_changed;
};

struct members_input {
	struct session *session; /* with its chain */
	const struct holdings *holdings;
	struct generation *old_gen;
	struct generation *new_gen;
	const struct target *now; /* what the inventory is to hold, before anything here */
	/* The transition; NULL: only look, and change neither generation. */
	const struct transition *row;
};

/*
 * Fills out->came and out->spared, changes the generations, and says so in findings; who cannot be
 * taken in or let go becomes a finding in drift, with the reason and what to do. Borrowed pointers
 * into the generations' leaves end here.
 */
int members_take(struct members *out, struct findings *findings, struct findings *drift,
		 const struct members_input *in, struct err *err);
void members_release(struct members *members);

#endif
