/* SPDX-License-Identifier: PostgreSQL */
/* Random pairs of chains, an old and a new one, from a seed. */
#ifndef TESTS_DIFFERENTIAL_RANDOM_H
#define TESTS_DIFFERENTIAL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "pki/verify.h"
#include "safety/proof.h"
#include "tests/differential/forge.h"

/* ---- numbers */

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);
size_t rng_below(struct rng *rng, size_t limit);
bool rng_chance(struct rng *rng, unsigned percent);

/* ---- keys that all cases share */

enum pool_kind {
	POOL_P256,
	POOL_RSA2048,
	POOL_P384,
	POOL_P521,
	POOL_ED25519,
	POOL_RSA1024,
	POOL__MAX
};

void pool_fill(void);
void pool_release(void);
/* Keys of a kind follow each other, and begin anew where there are no more. */
EVP_PKEY *pool_key(enum pool_kind kind, size_t number);
const char *pool_kind_name(enum pool_kind kind);

/* ---- one generation */

enum rank { ROOT, POLICY, CA_OF_SERVERS, CA_OF_CLIENTS, SERVER_LEAF, CLIENT_LEAF, RANK_COUNT };

enum shape {
	SHAPE_ROOT_ONLY, /* the root signs leaves */
	SHAPE_ONE_CA,	 /* one intermediate for servers and clients */
	SHAPE_TWO_CAS,	 /* one for each */
	SHAPE_POLICY,	 /* the same below another intermediate */
	SHAPE__MAX
};

/* Ways to write a PEM text, also some that OpenSSL passes over. styles.c */
enum text_style {
	STYLE_PLAIN,
	STYLE_DOS, /* CR LF */
	STYLE_NO_LAST_NEWLINE,
	STYLE_WORDS,	       /* in front of it */
	STYLE_DASHES,	       /* "----- old -----" in front of it */
	STYLE_BLANKS_AT_END,   /* of each line */
	STYLE_INDENTED,	       /* each line */
	STYLE_EMPTY_LINES,     /* between blocks */
	STYLE_EMPTY_LINE_LAST, /* in front of each END */
	STYLE_WIDE,	       /* lines of 76 */
	STYLE_ONE_LINE,	       /* of base64 for each block */
	STYLE_X509_LABEL,      /* -----BEGIN X509 CERTIFICATE----- */
	STYLE_TRUSTED_LABEL,   /* -----BEGIN TRUSTED CERTIFICATE----- */
	STYLE_BYTE_ORDER_MARK,
	STYLE_MENTION, /* of a BEGIN in a comment */
	STYLE_HEADER,  /* "Subject: …" behind BEGIN, as in old PEM */
	STYLE_GLUED,   /* the first END to the next BEGIN */
	STYLE__MAX
};

const char *style_name(enum text_style style);
/* The same text in another style; text is taken over, the result is the caller's. */
char *restyled(char *text, enum text_style style);

/* What lies in the files, where it is not what it should be. */
struct files {
	bool without_ca;	   /* the bundle lacks the leaf's issuer */
	bool without_root;	   /* or the root */
	bool root_first;	   /* in the bundle */
	bool twice;		   /* each certificate of the bundle */
	bool with_leaf;		   /* in the bundle */
	bool sends_ca;		   /* the leaf's file has the intermediates, too */
	bool sends_root;	   /* and the root */
	bool other_key;		   /* that is not the leaf's */
	enum text_style style;	   /* of leaf and bundle */
	enum text_style key_style; /* of the key */
};

struct generation {
	enum shape shape;
	struct forge_spec specs[RANK_COUNT];
	struct forged made[RANK_COUNT]; /* without x509 where the shape has no such rank */
	struct files files[VERIFY__MAX];
	char dns[RANK_COUNT][96];
	enum pool_kind kinds[RANK_COUNT];
	struct buf *notes; /* what is unusual */
};

static inline enum rank leaf_rank(enum verify_purpose purpose)
{
	return purpose == VERIFY_SERVER ? SERVER_LEAF : CLIENT_LEAF;
}

static inline enum rank ca_rank(enum verify_purpose purpose)
{
	return purpose == VERIFY_SERVER ? CA_OF_SERVERS : CA_OF_CLIENTS;
}

/* twists.c: makes something unusual, most often wrong. */
void twist(struct generation *gen, struct rng *rng);

/* ---- a pair */

struct pair_case {
	uint64_t seed;
	struct generation gens[PROOF__MAX];
	const char *host; /* that clients connect to */
	struct buf notes;
	/* The texts, as they are rolled out. Of a purpose: the leaves, and what verifies them. */
	char *leaf[VERIFY__MAX][PROOF__MAX];
	char *key[VERIFY__MAX][PROOF__MAX];
	char *bundle[VERIFY__MAX][2];
	const char *bundle_label[VERIFY__MAX][2];
};

void pair_make(struct pair_case *pair, uint64_t seed);
void pair_release(struct pair_case *pair);

#endif
