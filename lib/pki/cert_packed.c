/* SPDX-License-Identifier: PostgreSQL */
/* Reads an ordinary leaf without OpenSSL's X509, whose public key is dear (cert_struct.h). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/asn1t.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

#include "pki/cert_struct.h"

/* RFC 5280 4.1, as X509 in <openssl/x509.h>, but for the public key, which stays as it is. */
typedef struct packed_key_st {
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *bits;
} PACKED_KEY;

typedef struct packed_tbs_st {
	ASN1_INTEGER *version;
	ASN1_INTEGER *serial;
	X509_ALGOR *signature;
	X509_NAME *issuer;
	X509_VAL *validity;
	X509_NAME *subject;
	PACKED_KEY *key;
	ASN1_BIT_STRING *issuer_id;
	ASN1_BIT_STRING *subject_id;
	STACK_OF(X509_EXTENSION) * extensions;
} PACKED_TBS;

typedef struct packed_cert_st {
	PACKED_TBS *tbs;
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *signature;
} PACKED_CERT;

typedef struct packed_rsa_st {
	ASN1_INTEGER *n;
	ASN1_INTEGER *e;
} PACKED_RSA;

/* A macro without a semicolon would be taken for the beginning of what follows. */
/* clang-format off */
ASN1_SEQUENCE(PACKED_KEY) = {
	ASN1_SIMPLE(PACKED_KEY, algorithm, X509_ALGOR),
	ASN1_SIMPLE(PACKED_KEY, bits, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(PACKED_KEY)

ASN1_SEQUENCE(PACKED_TBS) = {
	ASN1_EXP_OPT(PACKED_TBS, version, ASN1_INTEGER, 0),
	ASN1_SIMPLE(PACKED_TBS, serial, ASN1_INTEGER),
	ASN1_SIMPLE(PACKED_TBS, signature, X509_ALGOR),
	ASN1_SIMPLE(PACKED_TBS, issuer, X509_NAME),
	ASN1_SIMPLE(PACKED_TBS, validity, X509_VAL),
	ASN1_SIMPLE(PACKED_TBS, subject, X509_NAME),
	ASN1_SIMPLE(PACKED_TBS, key, PACKED_KEY),
	ASN1_IMP_OPT(PACKED_TBS, issuer_id, ASN1_BIT_STRING, 1),
	ASN1_IMP_OPT(PACKED_TBS, subject_id, ASN1_BIT_STRING, 2),
	ASN1_EXP_SEQUENCE_OF_OPT(PACKED_TBS, extensions, X509_EXTENSION, 3)
} static_ASN1_SEQUENCE_END(PACKED_TBS)

ASN1_SEQUENCE(PACKED_CERT) = {
	ASN1_SIMPLE(PACKED_CERT, tbs, PACKED_TBS),
	ASN1_SIMPLE(PACKED_CERT, algorithm, X509_ALGOR),
	ASN1_SIMPLE(PACKED_CERT, signature, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(PACKED_CERT)

ASN1_SEQUENCE(PACKED_RSA) = {
	ASN1_SIMPLE(PACKED_RSA, n, ASN1_INTEGER),
	ASN1_SIMPLE(PACKED_RSA, e, ASN1_INTEGER)
} static_ASN1_SEQUENCE_END(PACKED_RSA)

static int rsa_bits(const ASN1_BIT_STRING *bits)
{
	const unsigned char *start = ASN1_STRING_get0_data(bits), *at = start;
	long len = ASN1_STRING_length(bits);
	PACKED_RSA *rsa = (PACKED_RSA *)ASN1_item_d2i(NULL, &at, len, ASN1_ITEM_rptr(PACKED_RSA));
	BIGNUM *n = rsa ? ASN1_INTEGER_to_BN(rsa->n, NULL) : NULL;
	BIGNUM *e = rsa ? ASN1_INTEGER_to_BN(rsa->e, NULL) : NULL;
	bool sound = n && e && at == start + len && !BN_is_negative(n) && BN_is_odd(n) &&
		     !BN_is_negative(e) && BN_is_odd(e);
	int count = sound ? BN_num_bits(n) : 0;

	BN_free(n);
	BN_free(e);
	ASN1_item_free((ASN1_VALUE *)rsa, ASN1_ITEM_rptr(PACKED_RSA));
	return count;
}
/* clang-format on */

/* The curve's size where the point stands there whole, which is how everybody writes it. */
static int ec_bits(int curve, const ASN1_BIT_STRING *bits)
{
	int size = curve == NID_X9_62_prime256v1 ? 256 : curve == NID_secp384r1 ? 384 : 0;

	if (!size || ASN1_STRING_length(bits) != 1 + 2 * size / 8 ||
	    ASN1_STRING_get0_data(bits)[0] != 4)
		return 0;
	return size;
}

/* RSA, P-256 and P-384 in their usual form (RFC 3279 2.3.1, RFC 5480 2). */
static bool read_key(struct cert *cert, const PACKED_KEY *key)
{
	const ASN1_OBJECT *algorithm, *curve;
	const void *parameter;
	int type;

	X509_ALGOR_get0(&algorithm, &type, &parameter, key->algorithm);
	curve = type == V_ASN1_OBJECT ? parameter : NULL;
	cert->pkey_id = OBJ_obj2nid(algorithm);
	if (cert->pkey_id == EVP_PKEY_EC && curve)
		cert->key_bits = ec_bits(OBJ_obj2nid(curve), key->bits);
	else if (cert->pkey_id == EVP_PKEY_RSA && type == V_ASN1_NULL)
		cert->key_bits = rsa_bits(key->bits);
	if (!cert->key_bits)
		return false;
	cert->alg = pkey_known(cert->kind, cert->pkey_id, cert->key_bits);
	return true;
}

static void *extension(const STACK_OF(X509_EXTENSION) * extensions, int nid, bool *broken)
{
	int critical = -1;
	void *value = X509V3_get_d2i(extensions, nid, &critical, NULL);

	*broken = *broken || (!value && critical != -1);
	return value;
}

/* What makes a certificate a CA's by X509_check_ca(3) makes it one that is not packed. */
static bool is_plain_leaf(const STACK_OF(X509_EXTENSION) * extensions)
{
	bool broken = X509v3_get_ext_by_NID(extensions, NID_netscape_cert_type, -1) >= 0;
	BASIC_CONSTRAINTS *basic = extension(extensions, NID_basic_constraints, &broken);
	ASN1_BIT_STRING *usage = extension(extensions, NID_key_usage, &broken);
	bool leaf = !broken && (!basic || (!basic->ca && !basic->pathlen)) &&
		    !(usage && ASN1_BIT_STRING_get_bit(usage, USAGE_BIT_KEY_CERT_SIGN));

	BASIC_CONSTRAINTS_free(basic);
	ASN1_BIT_STRING_free(usage);
	return leaf;
}

static bool read_extensions(struct cert *cert, const PACKED_TBS *tbs)
{
	bool broken = false;
	ASN1_OCTET_STRING *ski = extension(tbs->extensions, NID_subject_key_identifier, &broken);
	AUTHORITY_KEYID *aki = extension(tbs->extensions, NID_authority_key_identifier, &broken);

	cert->pathlen = -1;
	cert->has_ski = ski != NULL;
	cert->has_aki = aki != NULL;
	ASN1_OCTET_STRING_free(ski);
	AUTHORITY_KEYID_free(aki);
	return !broken && is_plain_leaf(tbs->extensions);
}

/* Where in the certificate these are: the same bytes, wherever they stand. */
static bool find_parts(struct cert *cert, const PACKED_TBS *tbs)
{
	unsigned char *der = NULL;
	int len = tbs->extensions ? i2d_X509_EXTENSIONS(tbs->extensions, &der) : 0;
	const unsigned char *subject;

	if (len > 0) {
		cert->exts = memmem(cert->der, cert->der_len, der, (size_t)len);
		cert->exts_len = (size_t)len;
	}
	OPENSSL_free(der);
	if (X509_NAME_get0_der(tbs->subject, &subject, &cert->subject_len) == 1)
		cert->subject_der = memmem(cert->der, cert->der_len, subject, cert->subject_len);
	cert->key_len = (size_t)ASN1_STRING_length(tbs->key->bits);
	cert->key = memmem(cert->der, cert->der_len, ASN1_STRING_get0_data(tbs->key->bits),
			   cert->key_len);
	return cert->subject_der && cert->key && (cert->exts || !tbs->extensions);
}

static bool is_ordinary(const PACKED_CERT *packed, int *digest)
{
	const ASN1_OBJECT *algorithm;
	int key = NID_undef;

	X509_ALGOR_get0(&algorithm, NULL, NULL, packed->algorithm);
	return ASN1_INTEGER_get(packed->tbs->version) == 2 &&
	       OBJ_find_sigid_algs(OBJ_obj2nid(algorithm), digest, &key) == 1 &&
	       *digest != NID_undef &&
	       X509_NAME_cmp(packed->tbs->issuer, packed->tbs->subject) != 0;
}

static int fill(struct cert *cert, const PACKED_CERT *packed, const char *name, struct err *err)
{
	const PACKED_TBS *tbs = packed->tbs;
	struct cert_basics basics = {.subject = tbs->subject,
				     .issuer = tbs->issuer,
				     .serial = tbs->serial,
				     .not_before = tbs->validity->notBefore,
				     .not_after = tbs->validity->notAfter};
	int rc;

	if (!is_ordinary(packed, &basics.digest) || !read_key(cert, tbs->key) ||
	    !read_extensions(cert, tbs) || !find_parts(cert, tbs))
		return 0;
	rc = cert_read_basics(cert, &basics, name, err);
	return rc ? rc : 1;
}

int cert_pack(struct cert *cert, const unsigned char *der, size_t len, const char *name,
	      struct err *err)
{
	const unsigned char *at = der;
	PACKED_CERT *packed;
	int rc = 0;

	packed = (PACKED_CERT *)ASN1_item_d2i(NULL, &at, (long)len, ASN1_ITEM_rptr(PACKED_CERT));
	cert->der = malloc(len);
	cert->der_len = len;
	if (!cert->der) {
		rc = err_nomem(err);
	} else if (packed && at == der + len) {
		memcpy(cert->der, der, len);
		rc = fill(cert, packed, name, err);
	}
	ASN1_item_free((ASN1_VALUE *)packed, ASN1_ITEM_rptr(PACKED_CERT));
	ERR_clear_error();
	return rc;
}

/* A point of the same curve; of RSA keys the parts would have to be taken out one by one. */
bool cert_packed_matches(const struct cert *cert, const EVP_PKEY *pkey)
{
	unsigned char point[1 + 2 * 48]; /* of P-384 */
	size_t len = 0;

	return cert->pkey_id == EVP_PKEY_EC && pkey_algorithm(pkey) == cert->alg &&
	       EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					       &len) == 1 &&
	       len == cert->key_len && !memcmp(point, cert->key, len);
}
