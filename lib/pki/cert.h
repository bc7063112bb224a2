/* SPDX-License-Identifier: PostgreSQL */
/*
 * One X.509 certificate (RFC 5280), read once: what the rest of the program asks often is worked
 * out when it is read. Certificates are reference counted and never change, so that several
 * threads may read one. Strings are borrowed and live as long as the certificate.
 */
#ifndef PKI_CERT_H
#define PKI_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/finding.h"
#include "base/strs.h"
#include "pki/key.h"

#define CERT_SHA256_SIZE 32

struct cert;

/* Exactly one certificate, nothing behind it. name is for messages. */
int cert_from_der(struct cert **out, const void *der, size_t len, const char *name,
		  struct err *err);
/* The only certificate of a text; as strict as bundle_from_pem, and a second one is an error. */
int cert_from_pem(struct cert **out, const char *text, size_t len, const char *name,
		  struct err *err);
/* Adds the PEM (RFC 7468, lines of 64, "\n"). */
int cert_to_pem(struct buf *out, const struct cert *cert, struct err *err);
struct cert *cert_ref(const struct cert *cert); /* the same one, once more to be freed */
void cert_free(struct cert *cert);		/* NULL is fine */

/*
 * For many leaves: bundle_from_pem_packed keeps them in a fifth of the room. What OpenSSL makes of
 * one is made when it is first verified, compared with a key or shown in a handshake, and then
 * stays with it. This gives the same certificate with that already made, to be freed when the work
 * is done; one that is not packed gets a reference.
 */
struct cert *cert_unpacked(const struct cert *cert);

/* SHA-256 of the DER: 32 bytes, and as 64 lower-case hex digits. */
const unsigned char *cert_sha256(const struct cert *cert);
const char *cert_fingerprint(const struct cert *cert);
bool cert_equal(const struct cert *a, const struct cert *b);

/* RFC 2253 order reversed, as people write it: "C=NL, O=Acme, CN=postgres". */
const char *cert_subject(const struct cert *cert);
const char *cert_issuer(const struct cert *cert);
const char *cert_common_name(const struct cert *cert); /* the first CN; "" where there is none */
/*
 * The subject in RFC 2253's own order as PostgreSQL compares it with clientname=DN, "CN=app,O=Acme"
 * (be-secure-openssl.c: XN_FLAG_RFC2253); free() it.
 */
int cert_dn(char **out, const struct cert *cert, struct err *err);
bool cert_same_subject(const struct cert *a, const struct cert *b); /* the DER, byte for byte */
bool cert_subject_is(const struct cert *cert, const void *der, size_t len); /* likewise */

/* Upper-case hex without separators as openssl prints it; decimal as in pg_stat_ssl. */
const char *cert_serial_hex(const struct cert *cert);
const char *cert_serial_decimal(const struct cert *cert);

int64_t cert_not_before(const struct cert *cert); /* seconds since the epoch, UTC */
int64_t cert_not_after(const struct cert *cert);

enum cert_validity { CERT_VALID, CERT_NOT_YET, CERT_EXPIRED, CERT_VALIDITY__MAX };
enum cert_validity cert_validity(const struct cert *cert, int64_t at);

bool cert_is_ca(const struct cert *cert);
int64_t cert_pathlen(const struct cert *cert);	    /* -1: no limit, or no CA */
bool cert_is_self_issued(const struct cert *cert);  /* subject equals issuer: a root */
bool cert_has_ski(const struct cert *cert);	    /* subject key identifier */
bool cert_has_aki(const struct cert *cert);	    /* authority key identifier */
const char *cert_key_kind(const struct cert *cert); /* as key_kind() */
enum key_alg cert_key_algorithm(const struct cert *cert);
int cert_key_bits(const struct cert *cert);
/* "sha256", "sha384"…; "none" where the algorithm has none (Ed25519). */
const char *cert_signature_digest(const struct cert *cert);

/*
 * The lists add to out. Names are "DNS:db1.example.com", "IP:10.0.4.42", "email:…", "URI:…" in the
 * certificate's order, duplicates left out; directory names and registered IDs as OpenSSL prints
 * them, other kinds as "other:" and their DER in hex. Usages have OpenSSL's short names:
 * "digitalSignature", "keyEncipherment"; "serverAuth", "clientAuth", or the OID where it has no
 * name. cert_issue takes all of them as they are. ERR_FAIL where the extension is unreadable.
 */
int cert_names(struct strs *out, const struct cert *cert, struct err *err);
int cert_key_usages(struct strs *out, const struct cert *cert, struct err *err);
int cert_ext_usages(struct strs *out, const struct cert *cert, struct err *err);

bool key_matches(const struct key *key, const struct cert *cert);
/* Whether issuer signed cert: names, key identifiers and the signature itself. */
bool cert_issued_by(const struct cert *cert, const struct cert *issuer);

/*
 * Whether a successor can stand in for the leaf before it. Each thing that the old one has and
 * the new one lacks becomes a finding about subject ("server db1.example.com"):
 *   leaf-names    a SAN that no SAN of the new one covers (also the CN, where a client falls back
 *                 to it because there is no DNS name in the SAN)
 *   leaf-usage    a key usage or extended usage; only informative where the new key's type has no
 *                 use for it (keyEncipherment with ECDSA)
 *   leaf-subject  another subject DN, byte for byte (a client's CN is its user name)
 */
int cert_covers(struct findings *out, const struct cert *newer, const struct cert *older,
		const char *subject, struct err *err);

#endif
