/* SPDX-License-Identifier: PostgreSQL */
#include "pki/internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include "pki/native.h"

#define SERIAL_BYTES 16

static const char *subject_label(const struct issue_spec *spec)
{
	const char *cn = NULL;

	if (spec->subject_from)
		cn = cert_common_name(spec->subject_from);
	else if (spec->subject)
		cn = dn_cn(spec->subject);
	return cn && cn[0] ? cn : "a certificate without a CN";
}

static bool has_usage(const struct strs *list, const char *name, const char *long_name)
{
	return list && (strs_has(list, name) || strs_has(list, long_name));
}

static bool is_server(const struct issue_spec *spec)
{
	return !spec->is_ca &&
	       has_usage(spec->ext_usages, "serverAuth", "TLS Web Server Authentication");
}

/* What the issuer cannot sign would be refused by every peer, so it is refused here. */
static int check_issuer(const struct issue_spec *spec, int64_t now, struct err *err)
{
	const char *label = subject_label(spec), *issuer;

	if (!spec->issuer != !spec->issuer_key)
		return err_set(err, ERR_USAGE, "%s: an issuer needs both certificate and key",
			       label);
	if (!spec->issuer) {
		if (!spec->is_ca)
			return err_set(err, ERR_USAGE, "%s: only a CA may sign itself", label);
		return 0;
	}
	issuer = cert_subject(spec->issuer);
	if (!cert_is_ca(spec->issuer))
		return err_set(err, ERR_FAIL, "%s: its issuer %s is no CA", label, issuer);
	if (!key_matches(spec->issuer_key, spec->issuer))
		return err_set(err, ERR_FAIL, "%s: the issuer's key does not belong to %s", label,
			       issuer);
	if (cert_validity(spec->issuer, now) == CERT_EXPIRED)
		return err_set(err, ERR_FAIL, "%s: its issuer %s has expired", label, issuer);
	if (spec->is_ca && cert_pathlen(spec->issuer) >= 0 &&
	    (spec->pathlen < 0 || spec->pathlen >= cert_pathlen(spec->issuer)))
		return err_set(err, ERR_FAIL,
			       "%s: the path length of its issuer %s (%lld) does not allow this CA",
			       label, issuer, (long long)cert_pathlen(spec->issuer));
	return 0;
}

static int set_subject(X509 *x509, const struct issue_spec *spec, struct err *err)
{
	const char *label = subject_label(spec);
	X509_NAME *name = NULL;
	int rc = 0;

	if (!spec->subject == !spec->subject_from)
		return err_set(err, ERR_USAGE, "%s: give either a subject or a predecessor", label);
	if (spec->subject)
		rc = dn_to_name(&name, spec->subject, err);
	else
		name = cert_subject_name(spec->subject_from);
	if (rc)
		return rc;
	if (!name || !X509_set_subject_name(x509, name))
		rc = ossl_err(err, "%s: its subject cannot be set", label);
	X509_NAME_free(name);
	if (!rc && X509_NAME_entry_count(X509_get_subject_name(x509)) == 0)
		rc = err_set(err, ERR_USAGE, "the subject is empty");
	if (rc)
		return rc;
	name = spec->issuer ? X509_get_subject_name(cert_native(spec->issuer))
			    : X509_get_subject_name(x509);
	if (!X509_set_issuer_name(x509, name))
		return ossl_err(err, "%s: its issuer cannot be set", label);
	if (spec->issuer && !X509_NAME_cmp(X509_get_subject_name(x509), name)) {
		(void)err_set(err, ERR_USAGE, "%s: its subject would be the same as its issuer's",
			      label);
		return err_hint(err, "peers would take it for a root; give it another CN");
	}
	return 0;
}

static int set_serial(X509 *x509, struct sys *sys, struct err *err)
{
	unsigned char bytes[SERIAL_BYTES] = {0};
	BIGNUM *number;
	bool ok;
	int rc = sys->random(sys, bytes, sizeof(bytes), err);

	if (rc)
		return rc;
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	if (number && BN_is_zero(number)) { /* RFC 5280 4.1.2.2: positive */
		BN_free(number);
		return err_set(err, ERR_FAIL, "the random generator gives zeroes only");
	}
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
	BN_free(number);
	return ok ? 0 : ossl_err(err, "no serial number");
}

static int set_validity(X509 *x509, const struct issue_spec *spec, int64_t now, struct err *err)
{
	int64_t from = now - ISSUE_BACKDATE_S, until = spec->not_after;

	if (spec->issuer && from < cert_not_before(spec->issuer))
		from = cert_not_before(spec->issuer);
	if (spec->issuer && until > cert_not_after(spec->issuer))
		until = cert_not_after(spec->issuer);
	if (until <= now)
		return err_set(err, ERR_USAGE, "%s: it would have expired already",
			       subject_label(spec));
	if (!ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)from) ||
	    !ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)until))
		return ossl_err(err, "%s: its validity cannot be set", subject_label(spec));
	return 0;
}

static int add_ext(X509 *x509, int nid, void *value, bool critical, struct err *err)
{
	if (X509_add1_ext_i2d(x509, nid, value, critical, X509V3_ADD_APPEND) == 1)
		return 0;
	return ossl_err(err, "cannot add the extension %s", OBJ_nid2ln(nid));
}

static int add_constraints(X509 *x509, const struct issue_spec *spec, struct err *err)
{
	BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
	int rc = 0;

	if (!constraints)
		return err_nomem(err);
	constraints->ca = spec->is_ca ? 0xff : 0;
	if (spec->is_ca && spec->pathlen >= 0) {
		constraints->pathlen = ASN1_INTEGER_new();
		if (!constraints->pathlen || !ASN1_INTEGER_set(constraints->pathlen, spec->pathlen))
			rc = err_nomem(err);
	}
	if (!rc)
		rc = add_ext(x509, NID_basic_constraints, constraints, true, err);
	BASIC_CONSTRAINTS_free(constraints);
	return rc;
}

static int add_key_usage(X509 *x509, const struct issue_spec *spec, struct err *err)
{
	unsigned mask = usage_mask(EVP_PKEY_get_base_id(key_native(spec->key)));
	const unsigned ca_bits = 1U << USAGE_BIT_KEY_CERT_SIGN | 1U << USAGE_BIT_CRL_SIGN;
	const unsigned leaf_default = 1U << USAGE_BIT_DIGITAL_SIGNATURE |
				      1U << USAGE_BIT_KEY_ENCIPHERMENT;
	ASN1_BIT_STRING *string;
	unsigned bits;
	int rc = usage_parse(&bits, spec->key_usages, err);

	if (rc)
		return rc;
	if (spec->is_ca)
		bits |= ca_bits;
	else
		bits = bits ? bits & ~ca_bits : leaf_default;
	bits &= mask;
	if (!spec->is_ca)
		bits |= 1U << USAGE_BIT_DIGITAL_SIGNATURE; /* TLS 1.3 needs it (RFC 8446 4.4.2.2) */
	string = ASN1_BIT_STRING_new();
	for (int bit = 0; string && bit < USAGE_BITS && !rc; bit++) {
		if (bits & 1U << bit && !ASN1_BIT_STRING_set_bit(string, bit, 1))
			rc = err_nomem(err);
	}
	if (!rc)
		rc = string ? add_ext(x509, NID_key_usage, string, true, err) : err_nomem(err);
	ASN1_BIT_STRING_free(string);
	return rc;
}

static int add_ext_usage(X509 *x509, const struct issue_spec *spec, struct err *err)
{
	EXTENDED_KEY_USAGE *list = NULL;
	int rc = ext_usage_parse(&list, spec->ext_usages, err);

	if (!rc && sk_ASN1_OBJECT_num(list) > 0)
		rc = add_ext(x509, NID_ext_key_usage, list, false, err);
	sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
	return rc;
}

/* SHA-1 of the public key (RFC 5280 4.2.1.2, method 1): an identifier, not a protection. */
static ASN1_OCTET_STRING *key_identifier(const X509 *x509)
{
	unsigned char sha1[SHA_DIGEST_LENGTH];
	ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
	unsigned len = 0;

	if (id && X509_pubkey_digest(x509, EVP_sha1(), sha1, &len) &&
	    ASN1_OCTET_STRING_set(id, sha1, (int)len))
		return id;
	ASN1_OCTET_STRING_free(id);
	return NULL;
}

static int add_identifiers(X509 *x509, const struct issue_spec *spec, struct err *err)
{
	X509 *issuer = spec->issuer ? cert_native(spec->issuer) : x509;
	AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();
	ASN1_OCTET_STRING *own = key_identifier(x509);
	const ASN1_OCTET_STRING *named = spec->issuer ? X509_get0_subject_key_id(issuer) : NULL;
	int rc = own && akid ? 0 : err_nomem(err);

	if (!rc)
		rc = add_ext(x509, NID_subject_key_identifier, own, false, err);
	if (!rc && !spec->without_aki) {
		akid->keyid = named ? ASN1_OCTET_STRING_dup(named) : key_identifier(issuer);
		rc = akid->keyid ? add_ext(x509, NID_authority_key_identifier, akid, false, err)
				 : err_nomem(err);
	}
	ASN1_OCTET_STRING_free(own);
	AUTHORITY_KEYID_free(akid);
	return rc;
}

static int add_san(X509 *x509, const struct issue_spec *spec, struct err *err)
{
	GENERAL_NAMES *names = NULL;
	char *cn = NULL;
	int rc = 0;

	if (is_server(spec)) {
		rc = name_common_name(&cn, X509_get_subject_name(x509), err);
		if (rc)
			return rc;
	}
	rc = san_build(&names, spec->names, cn, spec->subject_from, err);
	if (!rc && sk_GENERAL_NAME_num(names) > 0)
		rc = add_ext(x509, NID_subject_alt_name, names, false, err);
	GENERAL_NAMES_free(names);
	free(cn);
	return rc;
}

static const EVP_MD *signature_digest(const struct key *signer)
{
	int id = EVP_PKEY_get_base_id(key_native(signer));

	if (id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448)
		return NULL;
	return key_algorithm(signer) == KEY_ECDSA_P384 ? EVP_sha384() : EVP_sha256();
}

/*
 * What X509_set_pubkey(3) does by writing the key with an encoder and reading it again with a
 * decoder, which takes OpenSSL 3.0 longer than to make it and sign with it (RFC 5480 2.1.1, 2.2).
 * False: a kind for which that is the way.
 */
static bool set_point(X509 *x509, const struct key *key)
{
	int curve = key_curve(key);
	unsigned char *point = NULL;
	size_t len = 0;

	if (curve == NID_undef)
		return false;
	len = EVP_PKEY_get1_encoded_public_key(key_native(key), &point);
	if (len && len <= INT_MAX &&
	    X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(x509), OBJ_nid2obj(EVP_PKEY_EC),
				   V_ASN1_OBJECT, OBJ_nid2obj(curve), point, (int)len))
		return true;
	OPENSSL_free(point);
	ERR_clear_error();
	return false;
}

static int set_key(X509 *x509, const struct issue_spec *spec, struct err *err)
{
	if (set_point(x509, spec->key) || X509_set_pubkey(x509, key_native(spec->key)))
		return 0;
	return ossl_err(err, "%s: its key cannot be set", subject_label(spec));
}

static int build(X509 *x509, const struct issue_spec *spec, struct err *err)
{
	int64_t now = spec->sys->now(spec->sys);
	int rc = check_issuer(spec, now, err);

	if (!rc && !X509_set_version(x509, X509_VERSION_3))
		rc = ossl_err(err, "%s: its version cannot be set", subject_label(spec));
	if (!rc)
		rc = set_key(x509, spec, err);
	if (!rc)
		rc = set_subject(x509, spec, err);
	if (!rc)
		rc = set_serial(x509, spec->sys, err);
	if (!rc)
		rc = set_validity(x509, spec, now, err);
	if (!rc)
		rc = add_constraints(x509, spec, err);
	if (!rc)
		rc = add_key_usage(x509, spec, err);
	if (!rc)
		rc = add_ext_usage(x509, spec, err);
	if (!rc)
		rc = add_identifiers(x509, spec, err);
	return rc ? rc : add_san(x509, spec, err);
}

int cert_issue(struct cert **out, const struct issue_spec *spec, struct err *err)
{
	const struct key *signer = spec->issuer_key ? spec->issuer_key : spec->key;
	X509 *x509 = X509_new();
	unsigned char *der = NULL;
	int len, rc;

	if (!x509)
		return err_nomem(err);
	rc = build(x509, spec, err);
	if (!rc && !X509_sign(x509, key_native(signer), signature_digest(signer)))
		rc = ossl_err(err, "%s: it cannot be signed", subject_label(spec));
	if (!rc) {
		/* Read back from the bytes, as every peer will. */
		len = i2d_X509(x509, &der);
		rc = len > 0 ? cert_from_der_packed(out, der, (size_t)len, subject_label(spec), err)
			     : ossl_err(err, "%s: it cannot be written", subject_label(spec));
	}
	OPENSSL_free(der);
	X509_free(x509);
	return rc;
}
