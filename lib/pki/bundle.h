/* SPDX-License-Identifier: PostgreSQL */
/*
 * Bundles: the CA certificates that a peer trusts, or a leaf with the intermediates behind it, in
 * the order of their text. A bundle owns its references.
 */
#ifndef PKI_BUNDLE_H
#define PKI_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"
#include "pki/cert.h"

struct bundle {
	struct cert **items;
	size_t count;
	size_t cap;
};

#define BUNDLE_INIT                                                                                \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

/*
 * Adds every certificate of a PEM text. Stricter than OpenSSL, which drops what it cannot read:
 * text between the blocks is allowed (comments), but a glued, indented, truncated or unreadable
 * block, a block that is no certificate (a private key!) and a text without any is an error that
 * names the block ("certs.yml: certs.server.chain: certificate 2: …") and never its content. Adds
 * nothing where it fails.
 */
int bundle_from_pem(struct bundle *out, const char *text, size_t len, const char *name,
		    struct err *err);
/*
 * The same; a certificate that is known (NULL: none), by SHA-256 of its DER, is taken as it is:
 * OpenSSL 3.0 takes longest to make an object of one.
 */
int bundle_from_pem_known(struct bundle *out, const char *text, size_t len, const char *name,
			  const struct cert *known, struct err *err);
/* The same as bundle_from_pem; ordinary leaves are packed (cert_unpacked). */
int bundle_from_pem_packed(struct bundle *out, const char *text, size_t len, const char *name,
			   struct err *err);
int bundle_to_pem(struct buf *out, const struct bundle *bundle, struct err *err);

int bundle_add(struct bundle *bundle, const struct cert *cert, struct err *err); /* references */
/*
 * Adds to out the certificates of both, newer first, each (by SHA-256 of the DER) once, in the
 * order as given: each generation stays together, its intermediates before its root.
 */
int bundle_merge(struct bundle *out, const struct bundle *newer, const struct bundle *older,
		 struct err *err);
int bundle_copy(struct bundle *out, const struct bundle *in, struct err *err);
void bundle_release(struct bundle *bundle); /* leaves it empty */

bool bundle_contains(const struct bundle *bundle, const struct cert *cert);
bool bundle_equal(const struct bundle *a, const struct bundle *b); /* also the order */
/* The one that expires first; NULL where it is empty. */
const struct cert *bundle_first_to_expire(const struct bundle *bundle);
/* One hash over the certificates in their order: a key for "the same bundle" (64 hex digits). */
int bundle_fingerprint(char out[CERT_SHA256_SIZE * 2 + 1], const struct bundle *bundle,
		       struct err *err);

#endif
