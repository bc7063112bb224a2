/* SPDX-License-Identifier: PostgreSQL */
/*
 * The encrypted forms in which a key leaves, and the stores that Java and .NET read: PKCS#8
 * (RFC 5958, RFC 8018) and PKCS#12 (RFC 7292). What each reader takes decides the algorithms:
 *
 *   PKCS#8 PEM      PBES2: AES-256-CBC, PBKDF2 with HMAC-SHA256. OpenSSL, hence libpq; .NET
 *   PKCS#8 DER      PBE-SHA1-3DES: pgjdbc (LazyKeyManager.java) asks Java for a cipher by the name
 *                   that EncryptedPrivateKeyInfo gives, which for every PBES2 is "PBES2", and Java
 *                   has none of that name. Of what it has by name this is the strongest (112 bits)
 *   PKCS#12         the key as in the PEM; certificates in the clear, as they are public; the MAC
 *                   is HMAC-SHA256. OpenSSL, Java from 8u301 and 11.0.12, .NET
 *
 * A MAC's password is UTF-16 in PKCS#12 while PBES2's is bytes, and readers do not agree on other
 * alphabets: passphrases are printable ASCII only.
 */
#ifndef PKI_PKCS12_H
#define PKI_PKCS12_H

#include "base/buf.h"
#include "base/err.h"
#include "pki/bundle.h"
#include "pki/key.h"
#include "secret/arena.h"

/* Of every key derivation here: some 50 ms for who opens it at each connect, as libpq does. */
#define PKCS12_ITERATIONS 100000
#define PASSPHRASE_MIN	  12   /* characters */
#define PASSPHRASE_MAX	  1000 /* libpq takes up to 1023, OpenSSL's PEM_BUFSIZE less its end */

/* ERR_USAGE where it is too short or long, or not printable ASCII; name is for the message. */
int passphrase_check(const struct secret *passphrase, const char *name, struct err *err);
/*
 * Six groups of five letters and digits that are not taken for one another, 148 bits: for a person
 * to read out or type.
 */
struct sys;
int passphrase_make(struct secret *out, struct arena *arena, struct sys *sys, struct err *err);

/* Each adds to out, which holds nothing in the clear, and checks the passphrase first. */
int key_to_pkcs8_pem(struct buf *out, const struct key *key, const struct secret *passphrase,
		     struct err *err);
int key_to_pkcs8_der(struct buf *out, const struct key *key, const struct secret *passphrase,
		     struct err *err);
/*
 * A key with its certificate (the first) and those that belong to it. alias is the entry's name:
 * pgjdbc looks for "user". ERR_FAIL where the key belongs to another certificate.
 */
int pkcs12_keystore(struct buf *out, const struct key *key, const struct bundle *certs,
		    const char *alias, const struct secret *passphrase, struct err *err);
/*
 * CA certificates, each marked as Java wants it to take it for a trusted one (the attribute
 * 2.16.840.1.113894.746875.1.1), under the names "PREFIX1", "PREFIX2"… The password is no secret.
 */
int pkcs12_truststore(struct buf *out, const struct bundle *bundle, const char *prefix,
		      const char *password, struct err *err);

#endif
