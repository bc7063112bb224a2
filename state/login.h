/* SPDX-License-Identifier: PostgreSQL */
/*
 * With what a PostgreSQL server is logged in to, for all who ask servers something: which client
 * leaf is shown, and which bundle the server's certificate is verified against. All that is
 * returned is borrowed from the generations.
 */
#ifndef STATE_LOGIN_H
#define STATE_LOGIN_H

#include "state/generation.h"
#include "state/target.h"

/* The server leaf of that name, in whichever authority; NULL where there is none. gen may be NULL.
 */
const struct gen_leaf *login_server_leaf(const struct generation *gen, const char *name);
/* The leaf that the server of that name serves where the inventory is as the target says. */
const struct gen_leaf *login_served(const struct target *target, const char *name);
/*
 * The bundle that clients hold: the one of the authority that the endpoint's leaf comes from, else
 * of the first server's. NULL where there is none.
 */
const char *login_bundle(const struct target *target, const char *name);
/*
 * Who logs in: the configured user's leaf, else the first client's of that generation that has a
 * key; NULL where there is none. gen may be NULL.
 */
const struct gen_leaf *login_client_leaf(const struct generation *gen, const char *user);

#endif
