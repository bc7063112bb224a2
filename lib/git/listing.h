/* SPDX-License-Identifier: PostgreSQL */
/* What the git program says about index and files; for this room only. */
#ifndef GIT_LISTING_H
#define GIT_LISTING_H

#include "git/internal.h"

#define PREFIXES_MAX 400

struct index_entry {
	const char *path;
	const unsigned char *id; /* of 20 bytes; see index_entry_id */
	unsigned mode;
	int stage;    /* 1 to 3: a conflict */
	bool assumed; /* assume-unchanged */
	bool skipped; /* skip-worktree: outside a sparse checkout */
};

/* Tells each entry of the index, as git has it, below the prefixes (none: all). each ends it with
 * another code than 0. */
int index_entries(struct repo *repo, const char *const *prefixes, size_t count,
		  int (*each)(void *ctx, const struct index_entry *entry, struct err *err),
		  void *ctx, struct err *err);
void index_entry_id(struct oid *out, const struct index_entry *entry);
/* The same from the file itself; done: whether it could be read like that. Paths are only lent. */
int index_scan(bool *done, struct repo *repo,
	       int (*each)(void *ctx, const struct index_entry *entry, struct err *err), void *ctx,
	       struct err *err);
/* Of an index in memory: all entries are told or, where done stays false, none. */
int index_parse(bool *done, const char *data, size_t len,
		int (*each)(void *ctx, const struct index_entry *entry, struct err *err), void *ctx,
		struct err *err);
/* Adds the blob id of each file as "git add" would store it (attributes, line ends). */
int hash_as_stored(struct strs *out, struct repo *repo, const struct strs *paths, struct err *err);
/* The blob id of the very bytes. */
int hash_as_is(struct oid *out, const char *file, struct err *err);

#endif
