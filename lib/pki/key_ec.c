/* SPDX-License-Identifier: PostgreSQL */
/*
 * A key on a curve as PKCS#8, put together from what RFC 5915 and RFC 5958 say is in it. OpenSSL
 * 3.0's own way (PEM_write_bio_PKCS8PrivateKey(3)) goes through all of its encoders anew for each
 * key, which takes longer than to make the key, and twice as long as to sign its certificate.
 */
#include "pki/internal.h"

#include <openssl/asn1t.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

/* ECPrivateKey of RFC 5915, section 3; the curve is named around it. */
typedef struct {
	int32_t version;
	ASN1_OCTET_STRING *number;
	ASN1_BIT_STRING *point;
} EC_NUMBERS;

/* clang-format off */
ASN1_SEQUENCE(EC_NUMBERS) = {
	ASN1_EMBED(EC_NUMBERS, version, INT32),
	ASN1_SIMPLE(EC_NUMBERS, number, ASN1_OCTET_STRING),
	ASN1_EXP(EC_NUMBERS, point, ASN1_BIT_STRING, 1),
} static_ASN1_SEQUENCE_END(EC_NUMBERS)

enum { EC_BYTES_MAX = 48 }; /* of a number on P-384 */
/* clang-format on */

static bool set_number(ASN1_OCTET_STRING *out, const struct key *key, int bytes)
{
	unsigned char number[EC_BYTES_MAX];
	BIGNUM *secret = NULL;
	bool ok = EVP_PKEY_get_bn_param(key_native(key), OSSL_PKEY_PARAM_PRIV_KEY, &secret) &&
		  BN_bn2binpad(secret, number, bytes) == bytes &&
		  ASN1_OCTET_STRING_set(out, number, bytes);

	OPENSSL_cleanse(number, sizeof(number));
	BN_clear_free(secret);
	return ok;
}

static bool set_point(ASN1_BIT_STRING *out, const struct key *key, int bytes)
{
	unsigned char point[1 + 2 * EC_BYTES_MAX];
	size_t len = 0;

	if (!EVP_PKEY_get_octet_string_param(key_native(key), OSSL_PKEY_PARAM_PUB_KEY, point,
					     sizeof(point), &len) ||
	    len != 1 + 2 * (size_t)bytes || !ASN1_BIT_STRING_set(out, point, (int)len))
		return false;
	/* All of its bits count, zeros at the end too; otherwise OpenSSL leaves those away. */
	out->flags |= ASN1_STRING_FLAG_BITS_LEFT;
	return true;
}

/* Its length, below 0 where it fails; *der is the caller's. */
static int numbers_to_der(unsigned char **der, const struct key *key, int bytes)
{
	const ASN1_ITEM *item = ASN1_ITEM_rptr(EC_NUMBERS);
	ASN1_VALUE *value = ASN1_item_new(item);
	EC_NUMBERS *numbers = (EC_NUMBERS *)value;
	int len = -1;

	if (numbers) {
		numbers->version = 1; /* ecPrivkeyVer1 */
		if (set_number(numbers->number, key, bytes) &&
		    set_point(numbers->point, key, bytes))
			len = ASN1_item_i2d(value, der, item);
	}
	ASN1_item_free(value, item);
	return len;
}

PKCS8_PRIV_KEY_INFO *key_ec_info(const struct key *key)
{
	int curve = key_curve(key), len = -1;
	PKCS8_PRIV_KEY_INFO *info = NULL;
	unsigned char *der = NULL;

	if (curve == NID_undef)
		return NULL;
	len = numbers_to_der(&der, key, (EVP_PKEY_get_bits(key_native(key)) + 7) / 8);
	info = len > 0 ? PKCS8_PRIV_KEY_INFO_new() : NULL;
	if (!info || !PKCS8_pkey_set0(info, OBJ_nid2obj(NID_X9_62_id_ecPublicKey), 0, V_ASN1_OBJECT,
				      OBJ_nid2obj(curve), der, len)) {
		PKCS8_PRIV_KEY_INFO_free(info);
		OPENSSL_free(der);
		ERR_clear_error();
		return NULL;
	}
	return info;
}
