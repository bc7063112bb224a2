/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a host that was left behind still holds. A phase's history entry has the waivers that left
 * hosts out ("hosts=db3.example.com"), and the state that it started from: a host that was left
 * out of the last phases holds what the first of them started from.
 */
#ifndef STATE_BEHIND_H
#define STATE_BEHIND_H

#include "state/store.h"

/*
 * The state whose target the host has. STATE_GENERATED (nothing but the old generation) where it
 * was left behind before this rotation began; STATE_IDLE (nothing but the new one) after a prune
 * that was taken back without it; STATE__MAX where the history does not tell.
 */
enum state behind_state(const struct store *store, const char *host);

#endif
