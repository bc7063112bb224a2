/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a struct cert holds; for cert.c and cert_packed.c.
 *
 * OpenSSL 3.0 takes 5 to 6 kB and a quarter of a millisecond for the certificate of a leaf with a
 * key of 64 bytes, most of it for the public key. A packed one is its DER and what is asked often;
 * OpenSSL's object is made when somebody wants to verify, compare a key, or shake hands.
 */
#ifndef PKI_CERT_STRUCT_H
#define PKI_CERT_STRUCT_H

#include "pki/internal.h"

struct cert {
	atomic_uint refs;
	_Atomic(X509 *) x509; /* NULL while a packed one was not needed */
	unsigned char *der;   /* of a packed one; else NULL */
	size_t der_len;
	/* In der: the extensions (NULL where there are none), the subject, the key's own bits. */
	const unsigned char *exts, *subject_der, *key;
	size_t exts_len, subject_len, key_len;
	unsigned char sha256[CERT_SHA256_SIZE];
	char fingerprint[CERT_SHA256_SIZE * 2 + 1];
	char *subject;
	char *issuer;
	char *common_name;
	char *serial_hex;
	char *serial_decimal;
	int64_t not_before;
	int64_t not_after;
	int64_t pathlen;
	bool is_ca;
	bool self_issued;
	bool has_ski;
	bool has_aki;
	enum key_alg alg;
	int pkey_id; /* EVP_PKEY_RSA, EVP_PKEY_EC… */
	int key_bits;
	char kind[KEY_KIND_SIZE];
	char digest[24];
};

/* What both kinds read in the same way. */
struct cert_basics {
	const X509_NAME *subject;
	const X509_NAME *issuer;
	const ASN1_INTEGER *serial;
	const ASN1_TIME *not_before;
	const ASN1_TIME *not_after;
	int digest; /* its NID, of the signature */
};

/* Fills the names, serial, validity, fingerprint (from sha256) and digest. */
int cert_read_basics(struct cert *cert, const struct cert_basics *basics, const char *name,
		     struct err *err);

/*
 * Fills a packed one: 1; 0 where it is not an ordinary leaf of one of the usual kinds of keys, or
 * not well formed: OpenSSL then reads it, and says what is wrong. Negative without memory.
 */
int cert_pack(struct cert *cert, const unsigned char *der, size_t len, const char *name,
	      struct err *err);

/* Whether the key is surely that of a packed one; false where that takes OpenSSL to tell. */
bool cert_packed_matches(const struct cert *cert, const EVP_PKEY *pkey);

#endif
