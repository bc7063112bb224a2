/* SPDX-License-Identifier: PostgreSQL */
/*
 * Certificates of every kind, also of those that the program would never issue: without extensions,
 * with wrong usages, weak, expired. Each function ends the process where OpenSSL fails, since then
 * the test itself is wrong.
 */
#ifndef TESTS_DIFFERENTIAL_FORGE_H
#define TESTS_DIFFERENTIAL_FORGE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#define FORGE_DAY ((int64_t)86400)

/* "P-256", "P-384", "P-521", "RSA-1024", "RSA-2048", "ED25519". */
EVP_PKEY *forge_key(const char *kind);
char *forge_key_pem(const EVP_PKEY *key); /* free() it */

enum forge_aki { AKI_KEYID, AKI_NONE, AKI_SERIAL, AKI_WRONG, AKI__MAX };

/* A certificate with its texts. */
struct forged {
	X509 *x509;
	EVP_PKEY *key; /* borrowed */
	char *pem;
};

struct forge_spec {
	const struct forged *issuer; /* NULL: signs itself */
	EVP_PKEY *key;		     /* borrowed; has to live as long as what is made */
	EVP_PKEY *signer;	     /* NULL: the issuer's key, or its own */
	const char *dn;		     /* "O=Acme/CN=server" */
	int64_t from, until;	     /* seconds from now; both 0: from yesterday, for 300 days */
	bool v1;		     /* has no extensions */
	/* The extensions, as in openssl.cnf: "critical,CA:TRUE,pathlen:0"; NULL: none of it. */
	const char *basic;
	const char *usage;
	const char *ext_usage;
	const char *names;
	const char *constraints;
	enum forge_aki aki;
	bool no_ski;
	const char *digest; /* NULL: SHA256, or what the signer's key has */
};

void forge(struct forged *out, const struct forge_spec *spec);
void forged_release(struct forged *forged);

/* The texts in a row, up to the first NULL; free() it. */
char *forge_join(const char *first, ...) __attribute__((sentinel));

#endif
