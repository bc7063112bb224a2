/* SPDX-License-Identifier: PostgreSQL */
/*
 * A generation: one whole chain with its leaves and keys. Read from the inventory as it stands, or
 * from .certrotate/ENV/gN.yml and gN.vault.yml; made new by state/issue.h.
 *
 * In the files each value stands as in the inventory (certs: AUTHORITY: {chain, NAME…} and
 * private_keys: AUTHORITY: {NAME…}), and beside it, below "raw:", the value's source text where it
 * was found in the inventory, so that a revert gives the same bytes back. The last line of gN.yml,
 * sum: "sha256:…", is over the bytes before it; the vaults have sums of their own.
 */
#ifndef STATE_GENERATION_H
#define STATE_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "secret/arena.h"

enum leaf_kind { LEAF_SERVER, LEAF_CLIENT, LEAF_KIND__MAX };

struct gen_leaf {
	char *authority;
	char *name;
	enum leaf_kind kind;
	char *pem; /* the value's text in the inventory */
	char *raw; /* its source text; NULL where it was never found in an inventory */
	struct cert *cert;
	struct secret key; /* data NULL where there is none */
	struct secret key_raw;
};

struct gen_authority {
	char *name;
	char *chain;
	char *chain_raw;
	struct bundle bundle;
	struct secret ca_key; /* of the chain's first certificate; data NULL where it is not kept */
};

struct generation {
	char *id;	     /* "g2" */
	struct arena *arena; /* borrowed: keys live there */
	struct gen_authority *authorities;
	size_t authority_count;
	struct gen_leaf *leaves;
	size_t leaf_count;
	struct strmap index;	/* "AUTHORITY/NAME" to the leaf's number */
	struct secret root_key; /* the root's, while it is known; kept with the CA keys */
};

int generation_init(struct generation *gen, const char *id, struct arena *arena, struct err *err);
void generation_release(struct generation *gen);

/* Each copies its texts, parses the certificates, and refuses a second one of the same name. */
int generation_add_authority(struct generation *gen, const char *name, const char *chain,
			     size_t chain_len, const char *raw, size_t raw_len, struct err *err);
int generation_add_leaf(struct generation *gen, const char *authority, const char *name,
			enum leaf_kind kind, const char *pem, size_t pem_len, const char *raw,
			size_t raw_len, struct err *err);
/* What was just made, with its key in the generation's arena: taken over, and not read again. */
struct gen_made {
	struct buf pem;
	struct cert *cert;
	struct secret key;
};
int generation_take_leaf(struct generation *gen, const char *authority, const char *name,
			 enum leaf_kind kind, struct gen_made *made, struct err *err);
void gen_made_release(struct gen_made *made);
int generation_add_key(struct generation *gen, const char *authority, const char *name,
		       const char *pem, size_t pem_len, const char *raw, size_t raw_len,
		       struct err *err);

/* Takes out the leaves whose "AUTHORITY/NAME" is in the map; *dropped says how many there were. */
int generation_drop(size_t *dropped, struct generation *gen, const struct strmap *names,
		    struct err *err);

struct gen_authority *generation_authority(const struct generation *gen, const char *name);
struct gen_leaf *generation_leaf(const struct generation *gen, const char *authority,
				 const char *name);
/* The number in "g12", or 0. */
unsigned generation_number(const char *id);

/* gN.yml: the public part. */
int generation_dump(struct buf *out, const struct generation *gen, struct err *err);
/* gN.vault.yml and gN.ca.vault.yml before encryption. */
int generation_dump_keys(struct secret *out, const struct generation *gen, struct err *err);
int generation_dump_ca_keys(struct secret *out, const struct generation *gen, struct err *err);

/*
 * Reads them back; keys (the plain text of gN.vault.yml) may be NULL: the public part only. The
 * names are for messages. ERR_FAIL where a file is not what was written.
 */
int generation_load(struct generation *gen, const char *id, struct arena *arena, const char *text,
		    size_t len, const char *name, const struct secret *keys, const char *keys_name,
		    struct err *err);
/* gN.ca.vault.yml, opened: the authorities get their CA keys, as far as they are in it. */
int generation_load_ca_keys(struct generation *gen, const struct secret *keys, const char *name,
			    struct err *err);

#endif
