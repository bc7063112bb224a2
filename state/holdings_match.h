/* SPDX-License-Identifier: PostgreSQL */
/* How drift and edit both compare a document with a target: shared by holdings.c and edit.c. */
#ifndef STATE_HOLDINGS_MATCH_H
#define STATE_HOLDINGS_MATCH_H

#include "state/holdings.h"

/* The file that holds the keys. */
const struct holding *holdings_keys(const struct holdings *holdings);
/* The key's PEM: the value itself, or what its inline vault holds. Borrowed from the arena. */
int holdings_read_key(struct secret *out, const struct holdings *holdings,
		      const struct certs_entry *entry, struct err *err);
/* What the target says about an entry. */
struct target_value holdings_target(const struct target *target, const struct certs_entry *entry);
/* Whether an entry is as the value says; for a key its inline vault is opened. */
int holdings_matches(bool *out, const struct holdings *holdings, const struct certs_entry *entry,
		     const struct target_value *value, struct err *err);
/* A key that belongs to no leaf of either generation is not ours to judge or to change. */
bool holdings_is_foreign(const struct target *target, const struct certs_entry *entry);

typedef int missing_fn(void *ctx, enum certs_kind kind, const char *authority, const char *name,
		       const struct target_value *value, struct err *err);
/* Calls fn for each value that the target has and the documents lack. */
int holdings_each_missing(const struct holdings *holdings, const struct target *target,
			  missing_fn *fn, void *ctx, struct err *err);

#endif
