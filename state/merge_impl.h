/* SPDX-License-Identifier: PostgreSQL */
/* What the files of merge.h share. */
#ifndef STATE_MERGE_IMPL_H
#define STATE_MERGE_IMPL_H

#include "outside/forge.h"
#include "state/merge.h"

/* Once for a session. *forge is NULL where no token is configured. */
int merge_forge(struct forge **forge, struct session *session, struct err *err);

/*
 * "certrotate/poc-trust-r7": the revision keeps a phase that is done again apart. NULL for want of
 * memory; free() it.
 */
char *merge_branch_name(const struct session *session, enum phase phase, enum direction direction,
			int64_t revision);

#endif
