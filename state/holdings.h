/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the inventory holds in a commit: the certs file and the keys file, opened; compared with a
 * target, and edited to be one.
 */
#ifndef STATE_HOLDINGS_H
#define STATE_HOLDINGS_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/finding.h"
#include "inventory/certs.h"
#include "state/session.h"
#include "state/target.h"
#include "vault/vault.h"

struct holding {
	const char *path; /* borrowed from the environment */
	struct buf text;  /* as committed; empty where it is a vault that was opened */
	bool vault;	  /* the whole file is a vault */
	struct vault_used used;
	struct secret clear; /* where it is a vault */
	struct certs *certs;
};

struct holdings {
	struct session *session; /* borrowed: passwords, random */
	struct arena *arena;	 /* owned: the opened vault and what is read from it */
	struct holding certs;
	struct holding keys; /* not opened where both are one file */
	bool one_file;
	bool keys_open; /* else keys are not compared */
};

/*
 * Reads both files from a commit. with_keys false leaves the vault closed (status, check).
 * ERR_USAGE where a file is missing, with what to set; ERR_FAIL where it cannot be read, where a
 * private key stands in the clear, or where the vault's password is wrong.
 */
int holdings_load(struct holdings *holdings, struct session *session, const struct oid *commit,
		  bool with_keys, struct err *err);
/* Both files as they are before a first generation: empty. */
int holdings_empty(struct holdings *holdings, struct session *session, struct err *err);
void holdings_release(struct holdings *holdings);

/*
 * Takes all that is there as a generation, with each value's source text. Which leaves are clients'
 * comes from the description (which may be NULL), else from the leaf's extended usage.
 */
int holdings_snapshot(struct generation *out, const struct holdings *holdings, const char *id,
		      const struct chain_desc *chain, struct err *err);

/* Adds one leaf of the certs file to a generation, with its key where the keys are open. */
int holdings_take_leaf(struct generation *gen, const struct holdings *holdings,
		       const struct chain_desc *chain, const struct certs_entry *entry,
		       struct err *err);

/* A value that is not what a target says. */
struct difference {
	enum certs_kind kind;
	const char *authority;
	const char *name;
	const struct certs_entry *entry; /* NULL where the inventory lacks it */
	struct target_value wanted;	 /* not present where the inventory should not have it */
};

typedef int difference_fn(void *ctx, const struct difference *difference, struct err *err);
/* Calls fn for each; keys are compared where they are open. */
int holdings_each_difference(const struct holdings *holdings, const struct target *target,
			     difference_fn *fn, void *ctx, struct err *err);

/* A file as it is to be committed. */
struct holding_file {
	char *path;
	struct buf data;
	bool remove;
	bool vault;
};

struct holding_files {
	struct holding_file *items;
	size_t count;
};

/* Adds an empty file to the list and lends it. NULL when out of memory. */
struct holding_file *holding_files_add(struct holding_files *files, const char *path);
void holding_files_release(struct holding_files *files);

/*
 * Adds the files that have to change so that the inventory is as the target says; none where it is
 * so already. Values that are right keep their bytes, and a vault whose plain text stays the same
 * is not encrypted again.
 */
int holdings_edit(struct holding_files *out, const struct holdings *holdings,
		  const struct target *target, struct err *err);

#endif
