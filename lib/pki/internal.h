/* SPDX-License-Identifier: PostgreSQL */
/* What the files of this room share; not for other rooms. */
#ifndef PKI_INTERNAL_H
#define PKI_INTERNAL_H

#include <stdatomic.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "pki/native.h"
#include "pki/verify.h"

/* Message "FMT: OpenSSL's last reason"; empties OpenSSL's queue. ERR_FAIL. */
int ossl_err(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* OpenSSL's last reason ("wrong tag"), or fallback; empties the queue. */
const char *ossl_reason(const char *fallback);

/* stop (NULL for none): may be set by another thread; ERR_STOPPED then. */
int key_generate_until(struct key **out, enum key_alg alg, atomic_bool *stop, struct err *err);

/* Takes over pkey, also when it fails. */
int key_adopt(struct key **out, EVP_PKEY *pkey, struct err *err);
enum key_alg pkey_algorithm(const EVP_PKEY *pkey);
void pkey_kind(char out[KEY_KIND_SIZE], const EVP_PKEY *pkey);
/* The curve's NID of a key on P-256 or P-384; NID_undef. */
int key_curve(const struct key *key);
/* Such a key in PKCS#8 (RFC 5958), unencrypted; NULL for others, and where it fails. */
PKCS8_PRIV_KEY_INFO *key_ec_info(const struct key *key);
/* Both of a public key that was not read: EVP_PKEY_RSA, or EVP_PKEY_EC on P-256 or P-384. */
enum key_alg pkey_known(char kind[KEY_KIND_SIZE], int pkey_id, int bits);
/* EVP_PKEY_get_base_id(3) of its public key. */
int cert_pkey_id(const struct cert *cert);
/* Its subject, to be freed; NULL without memory. */
X509_NAME *cert_subject_name(const struct cert *cert);
/* As cert_from_der; an ordinary leaf is kept packed (cert_struct.h). */
int cert_from_der_packed(struct cert **out, const void *der, size_t len, const char *name,
			 struct err *err);

/* One block of a PEM text (RFC 7468), as found by pem_next. Pointers into the text. */
struct pem_block {
	size_t number; /* 1 for the first */
	size_t line;   /* of its BEGIN */
	const char *label;
	size_t label_len;
	const char *start; /* of the BEGIN line */
	size_t len;	   /* up to the end of the END line */
};

struct pem_scan {
	const char *text;
	size_t len;
	size_t at;
	size_t line;
	size_t count;
	const char *name; /* for messages */
};

/*
 * 1 and the next block, 0 at the end, or an error: a block that is glued, indented or truncated,
 * or that has a line which is not base64.
 */
int pem_next(struct pem_block *out, struct pem_scan *scan, struct err *err);
bool pem_label_is(const struct pem_block *block, const char *label);

/*
 * The SAN's names (an empty list where there are none). server_cn (NULL unless the certificate is
 * a server's) is added where it is a host name or address, and then a SAN must not be empty.
 * Names of predecessor (NULL for none) that have no text form are copied.
 */
int san_build(GENERAL_NAMES **out, const struct strs *names, const char *server_cn,
	      const struct cert *predecessor, struct err *err);
/* Whether a DNS name of a certificate, perhaps "*.…", stands for the host by libpq's rule. */
bool dns_covers(const char *pattern, const char *host);
/*
 * What X509_get_ext_d2i gives, NULL where the certificate has no such extension. ERR_FAIL where it
 * is there but unreadable or twice.
 */
int cert_extension(void **out, const struct cert *cert, int nid, struct err *err);
/* The first CN as UTF-8; "" where there is none or it holds a NUL. free() it. */
int name_common_name(char **out, const X509_NAME *name, struct err *err);
int dn_to_name(X509_NAME **out, const struct dn *dn, struct err *err);

/* keyUsage as bits of RFC 5280 (bit 0 is digitalSignature). */
#define USAGE_BIT_DIGITAL_SIGNATURE 0
#define USAGE_BIT_KEY_ENCIPHERMENT  2
#define USAGE_BIT_KEY_CERT_SIGN	    5
#define USAGE_BIT_CRL_SIGN	    6
#define USAGE_BITS		    9
const char *usage_bit_name(int bit);
/* The bits that a key of this type has a use for. */
unsigned usage_mask(int pkey_id);
int usage_parse(unsigned *bits, const struct strs *names, struct err *err);
int ext_usage_parse(EXTENDED_KEY_USAGE **out, const struct strs *names, struct err *err);

#endif
