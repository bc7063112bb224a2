/* SPDX-License-Identifier: PostgreSQL */
/* The names by which clients connect to each server: its own, and others that are configured. */
#ifndef STATE_PROVE_HOSTS_H
#define STATE_PROVE_HOSTS_H

#include "inventory/chain.h"
#include "inventory/config.h"
#include "safety/proof.h"

struct server_names {
	struct strs *lists; /* one for each server */
	size_t count;
	struct strmap servers; /* a server's name to its number */
};

/*
 * Sets the servers' hosts, which stay valid until server_names_release: the server's own name;
 * the DNS names (no wildcards) that the chain's description gives it; the name of each configured
 * endpoint that is one of these, or whose address is one of the names or addresses in the
 * description. An endpoint's name may be an address; the description's addresses alone are not
 * taken for what clients connect to. chain may be NULL.
 */
int server_names_init(struct server_names *names, struct proof_peer *servers, size_t count,
		      const struct chain_desc *chain, const char *authority,
		      const struct environment *env, struct err *err);
void server_names_release(struct server_names *names);
/* The number of the server of that name. */
bool server_names_find(const struct server_names *names, const char *name, size_t *at);

#endif
