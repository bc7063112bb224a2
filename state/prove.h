/* SPDX-License-Identifier: PostgreSQL */
/* The proof of a transition: what plan knows, handed to safety/proof.h. */
#ifndef STATE_PROVE_H
#define STATE_PROVE_H

#include "state/plan.h"

/*
 * Adds the proof's findings to the plan's. Where there is no new chain yet, what is live is proven
 * by itself. A new chain that goes again unused is not proven.
 */
int prove_transition(struct plan *plan, struct session *session, struct err *err);

#endif
