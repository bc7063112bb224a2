/* SPDX-License-Identifier: PostgreSQL */
/*
 * Making a new generation: keys on all cores, a root, one intermediate for each authority of the
 * chain's description, and a leaf for each of its servers and clients and for each leaf that the
 * old generation has.
 */
#ifndef STATE_ISSUE_H
#define STATE_ISSUE_H

#include "base/finding.h"
#include "base/log.h"
#include "base/sys.h"
#include "inventory/chain.h"
#include "proc/loop.h"
#include "state/generation.h"

struct issue_options {
	const char *id; /* "g2" */
	const struct chain_desc *chain;
	const struct generation *old_gen; /* NULL for a first generation */
	struct arena *arena;
	struct sys *sys;
	const struct log *log;	      /* progress */
	const struct loop_stop *stop; /* NULL: cannot be stopped */
};

/*
 * Leaves with a predecessor keep its subject and cover its names and usages. CA subjects differ
 * from all that the old generation has ("CN=server G2"). ERR_USAGE where description and inventory
 * cannot be brought together, ERR_STOPPED where the user asked to stop.
 */
int generation_issue(struct generation *out, const struct issue_options *options, struct err *err);

/* A leaf of a host or user that came when the generation was there already. */
struct issue_one {
	const struct chain_authority *authority;
	const struct chain_server *server; /* a server of the description; NULL for others */
	const char *name;
	enum leaf_kind kind;
	const struct gen_leaf *predecessor; /* the other generation's; not of gen; or NULL */
};

/*
 * Adds one leaf to a generation whose CA keys are loaded, otherwise as generation_issue makes it.
 * ERR_NOENT where its authority's CA key is not there.
 */
int generation_issue_leaf(struct generation *gen, const struct issue_options *options,
			  const struct issue_one *one, struct err *err);

/*
 * What is worth knowing before: leaves that the description does not name, what the description
 * names that the inventory does not have yet, and clients that get keys on a curve on which
 * PostgreSQL takes them with TLS 1.3 only.
 */
int issue_findings(struct findings *out, const struct chain_desc *chain,
		   const struct generation *old_gen, struct err *err);

/* How many keys generation_issue makes, and of which kinds ("11 keys (rsa4096)"). */
int issue_summary(struct buf *out, const struct chain_desc *chain, const struct generation *old_gen,
		  struct err *err);

#endif
