/* SPDX-License-Identifier: PostgreSQL */
/* What is said of other operators: who is at work, where and since when. */
#ifndef STATE_OTHERS_H
#define STATE_OTHERS_H

#include "base/err.h"
#include "state/store.h"

/* ERR_LOCK "trust is under way on HOST:/PATH since …, by NAME"; a hint stays the caller's. */
int others_under_way(const struct under_way *under_way, struct err *err);
/* ERR_LOCK, with a hint: the claim on what was under way here is no longer ours. */
int others_took_over(const struct store *store, struct err *err);
/*
 * ERR_LOCK, with a hint: the state was changed after it was looked at, by somebody else or by the
 * push of a call from this very clone (host) that was killed. store is what it has become.
 */
int others_were_faster(const struct store *store, const char *host, struct err *err);

#endif
