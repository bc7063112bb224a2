/* SPDX-License-Identifier: PostgreSQL */
/* What the files of the proof share; not for others. */
#ifndef SAFETY_PROOF_INTERNAL_H
#define SAFETY_PROOF_INTERNAL_H

#include "net/handshake.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/verify.h"
#include "safety/proof.h"

#define PROOF_SUBJECT_SIZE  300
#define PROOF_BAD_SIGNATURE 7	/* X509_V_ERR_CERT_SIGNATURE_FAILURE */
#define PROOF_SKEW_S	    600 /* by which the clocks of two hosts may differ */

/* One text of one peer, read. */
struct loaded_leaf {
	const struct proof_leaf *in;
	const struct cert *leaf; /* the first of certs; NULL where there is none, or pem_error */
	struct bundle certs;
	char *pem_error;
	char *key_error;	  /* once its key was read (proof_keys.c) */
	struct unit *unit;	  /* NULL where it does not occur */
	struct loaded_leaf *next; /* of the same unit */
};

struct loaded_peer {
	struct loaded_leaf leaves[PROOF__MAX];
};

/* A distinct bundle. */
struct loaded_bundle {
	const struct proof_bundle *in; /* the first of those that are the same */
	struct bundle certs;
	struct verifier *verifier;
	bool live;
	struct strs holders; /* the hosts that were left behind with it; where only these have it */
};

/* A leaf against a bundle; NULL where it is accepted. */
struct pair {
	struct verdict *now;
	struct verdict *at_end;
};

/* A distinct leaf with what is sent behind it. */
struct unit {
	const struct loaded_leaf *from;
	enum proof_generation generation; /* of from */
	struct loaded_leaf *users, **users_end;
	const struct loaded_leaf *keyed; /* the first of its users with the right key; NULL: none */
	struct bundle chain;		 /* what is behind the leaf; borrowed from from */
	bool live;
	struct unit *kin;		/* the first of its kind, which is tried with TLS 1.2 */
	struct pair *pairs;		/* one for each distinct bundle */
	const struct cert *outlived_ca; /* ends before the leaf does; NULL: none */
	size_t handshakes;
	char *handshake_error;
	char *tls12_error; /* of kin: TLS 1.3 works and TLS 1.2 does not */
	const struct loaded_bundle *handshake_bundle;
};

/* The servers with what clients hold, or the clients with what servers hold. */
struct side {
	const struct proof_side *in;
	enum verify_purpose purpose;
	const char *word;   /* "server" */
	const char *others; /* "clients" */
	struct loaded_peer *peers;
	struct loaded_bundle *bundles;
	size_t bundle_count;
	struct unit *units;
	size_t unit_count;
	bool any_new; /* there is a new generation */
};

struct proof {
	const struct proof_input *in;
	struct proof_result *out;
	struct side sides[2]; /* servers, clients */
	/* Plays the other end of the handshakes; nobody verifies it. */
	struct key *stand_in_key;
	struct cert *stand_in;
};

/* Whether a peer has that generation's leaf today. */
static inline bool peer_live(const struct side *side, size_t peer, enum proof_generation g)
{
	/* cppcheck-suppress nullPointerRedundantCheck ; an array in the struct */
	return side->in->live[g] || side->in->peers[peer].behind[g];
}

/* Whether it can have it at some time during the transition. */
static inline bool peer_occurs(const struct side *side, size_t peer, enum proof_generation g)
{
	return side->in->occurs[g] || side->in->stray[g] || peer_live(side, peer, g);
}

/* Whether its key is known, right or not. */
static inline bool proof_has_key(const struct loaded_leaf *leaf)
{
	return leaf->in && leaf->in->key;
}

#define PROOF_ADVICE_END                                                                           \
	"shorten the rotation (census: quiet in certrotate.yml), or waive this where it ends in "  \
	"time"

/* "bundle of the clients 'old and new'" */
void proof_bundle_subject(char out[PROOF_SUBJECT_SIZE], const struct side *side,
			  const struct loaded_bundle *bundle);
/* Whether a clock that is behind refuses it; and the finding about it. what: "its new certificate"
 */
bool proof_is_fresh(const struct proof *proof, const struct cert *cert);
int proof_report_skew(struct proof *proof, const char *subject, const struct cert *cert,
		      const char *what, struct err *err);
void proof_subject(char out[PROOF_SUBJECT_SIZE], const struct side *side, size_t peer);
const char *proof_generation_name(enum proof_generation g);

/* proof_load.c: texts, keys, distinct bundles and units. */
int proof_load(struct proof *proof, struct err *err);
void proof_unload(struct proof *proof);

/* A message without the name that is in front of it: the finding names the subject itself. */
char *proof_reason(const struct err *why, const char *name);

/*
 * proof_keys.c. The key of a leaf where it is known and right, else NULL with leaf->key_error; cert
 * (the leaf's, best unpacked) may be NULL.
 */
int proof_read_key(struct key **out, struct loaded_leaf *leaf, const struct cert *cert,
		   struct key_reader *reader, struct err *err);
/* The same for one whose key is not needed. */
int proof_check_key(struct loaded_leaf *leaf, struct key_reader *reader, struct err *err);
/* The keys of all who use a unit, one after the other; out gets that of unit->keyed, or NULL. */
int proof_unit_key(struct key **out, struct unit *unit, const struct cert *cert,
		   struct key_reader *reader, struct err *err);

/* proof_tls12.c: which leaves are tried with TLS 1.2 as well, and what came of it. */
int proof_choose_tls12(const struct proof *proof, struct side *side, struct err *err);
int proof_report_tls12(struct proof *proof, const struct side *side, struct err *err);

/* proof_pairs.c: verifies each unit against each bundle, reads its keys, runs the handshakes. */
int proof_check_units(struct proof *proof, struct err *err);

/* Each adds findings. */
int proof_report_texts(struct proof *proof, const struct side *side, struct err *err);
int proof_report_refusals(struct proof *proof, const struct side *side, struct err *err);
int proof_report_handshake(struct proof *proof, const struct side *side, size_t peer,
			   enum proof_generation g, struct err *err);
int proof_report_leaf(struct proof *proof, const struct side *side, size_t peer,
		      enum proof_generation g, struct err *err);
int proof_report_peer(struct proof *proof, const struct side *side, size_t peer, struct err *err);
int proof_report_bundles(struct proof *proof, const struct side *side, struct err *err);
int proof_report_unknown_keys(struct proof *proof, const struct side *side, struct err *err);

#endif
