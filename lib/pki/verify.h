/* SPDX-License-Identifier: PostgreSQL */
/*
 * Would a peer accept this certificate? Chains are built by OpenSSL itself with the settings that
 * libpq and PostgreSQL use: one trust store with everything that is in the bundle's file, purpose
 * and trust of a TLS peer, no partial chains, no CRLs, the TLS security level's demands on keys and
 * digests.
 */
#ifndef PKI_VERIFY_H
#define PKI_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "pki/bundle.h"
#include "pki/cert.h"

/* What the leaf is used as: VERIFY_SERVER is what a client checks, VERIFY_CLIENT a server. */
enum verify_purpose { VERIFY_SERVER, VERIFY_CLIENT, VERIFY__MAX };

/* SSL_CTX_set_security_level(3); Debian and Red Hat build OpenSSL with level 2. */
#define VERIFY_LEVEL_DEFAULT 2

struct verdict {
	bool ok;
	int code;	   /* OpenSSL's X509_V_… number; 0 where ok */
	int depth;	   /* of the certificate at fault: 0 is the leaf */
	char openssl[128]; /* OpenSSL's own text, as a peer's log has it */
	char at[256];	   /* the subject of the certificate at fault */
	char reason[512];  /* plain words: one sentence, lower case, no full stop */
};

/* A bundle made ready once, for many leaves; several threads may check with one. */
struct verifier;

int verifier_new(struct verifier **out, const struct bundle *trusted, int level, struct err *err);
void verifier_free(struct verifier *verifier);

/*
 * untrusted (NULL for none): the intermediates that the peer sends along with its leaf. at: seconds
 * since the epoch. 0 whenever there is a verdict, also a bad one.
 */
int verifier_check(struct verdict *out, const struct verifier *verifier,
		   const struct bundle *untrusted, const struct cert *leaf,
		   enum verify_purpose purpose, int64_t at, struct err *err);

/* The same for a single leaf. */
int chain_verify(struct verdict *out, const struct bundle *trusted, const struct bundle *untrusted,
		 const struct cert *leaf, enum verify_purpose purpose, int64_t at, int level,
		 struct err *err);

/*
 * Whether libpq with sslmode=verify-full takes the leaf for that host, by the rule of PostgreSQL
 * 15 and later (src/interfaces/libpq/fe-secure-openssl.c, fe-secure-common.c): DNS names in the
 * SAN, with one "*." at the left that stands for one label; addresses by the SAN's addresses; the
 * CN only where the SAN has no name of the host's kind.
 */
enum host_match {
	HOST_MATCH_NONE,
	HOST_MATCH_NAME,    /* a DNS name of the SAN */
	HOST_MATCH_ADDRESS, /* an address of the SAN: libpq before 15 does not look at these */
	HOST_MATCH_CN,	    /* the CN only: clients of other languages refuse that */
	HOST_MATCH__MAX
};

enum host_match host_matches(const struct cert *leaf, const char *host);

#endif
