/* SPDX-License-Identifier: PostgreSQL */
/* Key usages and extended key usages: names to bits and back (RFC 5280 4.2.1.3, 4.2.1.12). */
#include "pki/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include "pki/native.h"

/* In the order of the bits, with OpenSSL's spellings (short, long). */
static const char *const usage_names[USAGE_BITS][2] = {
	{"digitalSignature", "Digital Signature"},
	{"nonRepudiation", "Non Repudiation"},
	{"keyEncipherment", "Key Encipherment"},
	{"dataEncipherment", "Data Encipherment"},
	{"keyAgreement", "Key Agreement"},
	{"keyCertSign", "Certificate Sign"},
	{"cRLSign", "CRL Sign"},
	{"encipherOnly", "Encipher Only"},
	{"decipherOnly", "Decipher Only"},
};

static const char *const ext_names[] = {
	"serverAuth",  "clientAuth", "codeSigning",	 "emailProtection",	"timeStamping",
	"OCSPSigning", "ipsecIKE",   "msSmartcardLogin", "anyExtendedKeyUsage",
};

#define EXT_NAMES (sizeof(ext_names) / sizeof(ext_names[0]))

const char *usage_bit_name(int bit)
{
	return usage_names[bit][0];
}

/* RFC 3279 2.3.1 (RSA), RFC 5480 3 (EC), RFC 8410 5 (Ed25519, Ed448). */
unsigned usage_mask(int pkey_id)
{
	const unsigned sign = 1U << 0 | 1U << 1 | 1U << 5 | 1U << 6;

	if (pkey_id == EVP_PKEY_RSA)
		return sign | 1U << 2 | 1U << 3;
	if (pkey_id == EVP_PKEY_EC)
		return sign | 1U << 4 | 1U << 7 | 1U << 8;
	return sign;
}

static int unknown(const char *what, const char *name, const char *const *valid, size_t count,
		   struct err *err)
{
	const char *nearest = str_nearest(name, valid, count);

	(void)err_set(err, ERR_USAGE, "'%s' is no %s", name, what);
	if (nearest)
		return err_hint(err, "did you mean %s?", nearest);
	return err_hint(err, "use OpenSSL's names, such as %s or %s", valid[0], valid[1]);
}

int usage_parse(unsigned *bits, const struct strs *names, struct err *err)
{
	const char *valid[USAGE_BITS];

	*bits = 0;
	for (int bit = 0; bit < USAGE_BITS; bit++)
		valid[bit] = usage_names[bit][0];
	for (size_t i = 0; names && i < names->count; i++) {
		int bit = 0;

		while (bit < USAGE_BITS && strcmp(names->items[i], usage_names[bit][0]) != 0 &&
		       strcmp(names->items[i], usage_names[bit][1]) != 0)
			bit++;
		if (bit == USAGE_BITS)
			return unknown("key usage", names->items[i], valid, USAGE_BITS, err);
		*bits |= 1U << bit;
	}
	return 0;
}

static bool is_oid(const char *text)
{
	return text[0] >= '0' && text[0] <= '2' && text[1] == '.' &&
	       text[strspn(text, "0123456789.")] == '\0';
}

/* The arcs whose objects are extended usages: PKIX, Microsoft, Netscape, Kerberos, "any". */
static bool is_ext_usage(const ASN1_OBJECT *object)
{
	static const char *const arcs[] = {"1.3.6.1.5.5.7.3.", "1.3.6.1.4.1.311.",
					   "2.16.840.1.113730.4.1", "1.3.6.1.5.2.3.",
					   "2.5.29.37.0"};
	char oid[128];

	if (OBJ_obj2txt(oid, sizeof(oid), object, 1) <= 0)
		return false;
	for (size_t i = 0; i < sizeof(arcs) / sizeof(arcs[0]); i++) {
		if (str_starts(oid, arcs[i]))
			return true;
	}
	return false;
}

/* NULL for a name that is no extended usage: OpenSSL's table also holds ciphers and attributes. */
static ASN1_OBJECT *ext_object(const char *name)
{
	ASN1_OBJECT *object;
	int nid;

	if (is_oid(name))
		return OBJ_txt2obj(name, 1);
	nid = OBJ_txt2nid(name);
	object = nid == NID_undef ? NULL : OBJ_nid2obj(nid);
	return object && is_ext_usage(object) ? OBJ_dup(object) : NULL;
}

static bool has_object(const EXTENDED_KEY_USAGE *list, const ASN1_OBJECT *object)
{
	for (int i = 0; i < sk_ASN1_OBJECT_num(list); i++) {
		if (!OBJ_cmp(sk_ASN1_OBJECT_value(list, i), object))
			return true;
	}
	return false;
}

int ext_usage_parse(EXTENDED_KEY_USAGE **out, const struct strs *names, struct err *err)
{
	EXTENDED_KEY_USAGE *list = sk_ASN1_OBJECT_new_null();
	int rc = list ? 0 : err_nomem(err);

	for (size_t i = 0; !rc && names && i < names->count; i++) {
		ASN1_OBJECT *object = ext_object(names->items[i]);

		if (!object) {
			rc = unknown("extended key usage", names->items[i], ext_names, EXT_NAMES,
				     err);
		} else if (has_object(list, object)) {
			ASN1_OBJECT_free(object);
		} else if (!sk_ASN1_OBJECT_push(list, object)) {
			ASN1_OBJECT_free(object);
			rc = err_nomem(err);
		}
	}
	ERR_clear_error();
	if (rc)
		sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
	else
		*out = list;
	return rc;
}

int issue_check_usages(const struct strs *key_usages, const struct strs *ext_usages,
		       struct err *err)
{
	EXTENDED_KEY_USAGE *list = NULL;
	unsigned bits;
	int rc = usage_parse(&bits, key_usages, err);

	if (!rc)
		rc = ext_usage_parse(&list, ext_usages, err);
	if (!rc)
		sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
	return rc;
}

int cert_key_usages(struct strs *out, const struct cert *cert, struct err *err)
{
	ASN1_BIT_STRING *bits = NULL;
	int rc = cert_extension((void **)&bits, cert, NID_key_usage, err);

	for (int bit = 0; bits && bit < USAGE_BITS && !rc; bit++) {
		if (ASN1_BIT_STRING_get_bit(bits, bit))
			rc = strs_add_unique(out, usage_names[bit][0], err);
	}
	ASN1_BIT_STRING_free(bits);
	return rc;
}

int cert_ext_usages(struct strs *out, const struct cert *cert, struct err *err)
{
	EXTENDED_KEY_USAGE *list = NULL;
	int rc = cert_extension((void **)&list, cert, NID_ext_key_usage, err);

	for (int i = 0; i < sk_ASN1_OBJECT_num(list) && !rc; i++) {
		const ASN1_OBJECT *object = sk_ASN1_OBJECT_value(list, i);
		bool named = OBJ_obj2nid(object) != NID_undef && is_ext_usage(object);
		char oid[128];

		(void)OBJ_obj2txt(oid, sizeof(oid), object, 1);
		rc = strs_add_unique(out, named ? OBJ_nid2sn(OBJ_obj2nid(object)) : oid, err);
	}
	sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
	ERR_clear_error();
	return rc;
}
