/* SPDX-License-Identifier: PostgreSQL */
/* What the files of issue.h share; not for others. */
#ifndef STATE_ISSUE_IMPL_H
#define STATE_ISSUE_IMPL_H

#include "pki/issue.h"
#include "pki/key.h"
#include "state/issue.h"

#define ISSUE_DAY ((int64_t)86400)

/* One certificate to be made. Index 0 is the root, then the authorities, then the leaves. */
struct issue_item {
	const struct chain_authority *authority; /* NULL for the root */
	const struct chain_server *server;	 /* a server of the description, or NULL */
	const struct gen_leaf *old;		 /* the predecessor, or NULL */
	const char *name;			 /* of a leaf; NULL for CAs */
	enum leaf_kind kind;
	enum key_alg alg;
	bool described;
};

struct issue_work {
	const struct issue_options *options;
	struct issue_item *items;
	size_t count;
	struct key **keys;
	struct cert **authorities; /* by the description's order */
	struct cert *root;
	struct dn subject;
	unsigned number; /* of the CAs' names */
};

/* Who signs a leaf, and the leaf's own key. */
struct signing {
	const struct cert *issuer;
	const struct key *issuer_key;
	const struct key *key;
};

/* Makes one leaf's certificate, and adds it and its key to the generation. */
int issue_leaf(const struct issue_work *work, struct generation *gen, const struct issue_item *item,
	       const struct signing *signing, struct err *err);
/*
 * All items from that one on, by all processors, added in their order. Their keys are freed as
 * soon as their text is in the generation's arena.
 */
int issue_leaves(struct issue_work *work, struct generation *gen, size_t from, struct err *err);

#endif
