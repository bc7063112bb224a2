/* SPDX-License-Identifier: PostgreSQL */
#include "pki/internal.h"

#include <ctype.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "base/strs.h"
#include "pki/native.h"

struct cert {
	atomic_uint refs;
	X509 *x509;
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
	int key_bits;
	char kind[KEY_KIND_SIZE];
	char digest[24];
};

/* A BIO's text as a string of our own; NULL where it is no text or memory is out. */
static char *bio_text(BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	return str_fmt("%.*s", len > 0 ? (int)len : 0, len > 0 ? data : "");
}

char *name_text(const X509_NAME *name)
{
	const unsigned long flags = ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL |
				    ASN1_STRFLGS_UTF8_CONVERT | ASN1_STRFLGS_DUMP_UNKNOWN |
				    ASN1_STRFLGS_DUMP_DER | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;

	if (bio && X509_NAME_print_ex(bio, name, 0, flags) >= 0)
		text = bio_text(bio);
	BIO_free(bio);
	return text;
}

int name_common_name(char **out, const X509_NAME *name, struct err *err)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	int len = 0;

	if (at >= 0)
		len = ASN1_STRING_to_UTF8(&utf8,
					  X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	/* A NUL inside would make "admin\0.example" look like "admin": such a name counts as none.
	 */
	if (len < 0 || (len > 0 && memchr(utf8, 0, (size_t)len)))
		len = 0;
	*out = len ? strndup((const char *)utf8, (size_t)len) : strdup("");
	OPENSSL_free(utf8);
	return *out ? 0 : err_nomem(err);
}

static int read_time(int64_t *out, const ASN1_TIME *when)
{
	struct tm tm = {0};

	if (!ASN1_TIME_to_tm(when, &tm))
		return -1;
	*out = (int64_t)timegm(&tm);
	return 0;
}

static int read_serial(struct cert *cert)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert->x509), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	char *decimal = number ? BN_bn2dec(number) : NULL;

	if (hex && decimal) {
		cert->serial_hex = str_fmt("%s", hex);
		cert->serial_decimal = str_fmt("%s", decimal);
	}
	OPENSSL_free(hex);
	OPENSSL_free(decimal);
	BN_free(number);
	return cert->serial_hex && cert->serial_decimal ? 0 : -1;
}

static void read_extensions(struct cert *cert)
{
	X509 *x509 = cert->x509;
	int digest = NID_undef;

	(void)X509_check_purpose(x509, -1, 0); /* makes OpenSSL read the extensions */
	cert->is_ca = X509_check_ca(x509) > 0;
	cert->pathlen = X509_get_pathlen(x509);
	cert->self_issued = (X509_get_extension_flags(x509) & EXFLAG_SI) != 0;
	cert->has_ski = X509_get0_subject_key_id(x509) != NULL;
	cert->has_aki = X509_get_ext_by_NID(x509, NID_authority_key_identifier, -1) >= 0;
	(void)X509_get_signature_info(x509, &digest, NULL, NULL, NULL);
	(void)snprintf(cert->digest, sizeof(cert->digest), "%s",
		       digest == NID_undef ? "none" : OBJ_nid2sn(digest));
	for (char *c = cert->digest; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

static int read_all(struct cert *cert, const char *name, struct err *err)
{
	EVP_PKEY *pkey = X509_get0_pubkey(cert->x509);

	if (!pkey)
		return ossl_err(err, "%s: its public key cannot be read", name);
	cert->alg = pkey_algorithm(pkey);
	cert->key_bits = EVP_PKEY_get_bits(pkey);
	pkey_kind(cert->kind, pkey);
	for (size_t i = 0; i < CERT_SHA256_SIZE; i++)
		(void)snprintf(cert->fingerprint + i * 2, 3, "%02x", cert->sha256[i]);
	if (read_time(&cert->not_before, X509_get0_notBefore(cert->x509)) ||
	    read_time(&cert->not_after, X509_get0_notAfter(cert->x509)))
		return ossl_err(err, "%s: its validity cannot be read", name);
	cert->subject = name_text(X509_get_subject_name(cert->x509));
	cert->issuer = name_text(X509_get_issuer_name(cert->x509));
	if (name_common_name(&cert->common_name, X509_get_subject_name(cert->x509), err))
		return ERR_FAIL;
	if (!cert->subject || !cert->issuer || read_serial(cert))
		return ossl_err(err, "%s: its names or serial cannot be read", name);
	read_extensions(cert);
	ERR_clear_error();
	return 0;
}

/* Takes over x509, also when it fails. */
static int adopt(struct cert **out, X509 *x509, const unsigned char sha256[CERT_SHA256_SIZE],
		 const char *name, struct err *err)
{
	struct cert *cert = calloc(1, sizeof(*cert));
	int rc;

	if (!cert) {
		X509_free(x509);
		return err_nomem(err);
	}
	atomic_init(&cert->refs, 1);
	cert->x509 = x509;
	memcpy(cert->sha256, sha256, CERT_SHA256_SIZE);
	rc = read_all(cert, name, err);
	if (rc)
		cert_free(cert);
	else
		*out = cert;
	return rc;
}

int cert_from_der(struct cert **out, const void *der, size_t len, const char *name, struct err *err)
{
	const unsigned char *at = der;
	unsigned char sha256[CERT_SHA256_SIZE];
	X509 *x509;

	if (len > LONG_MAX)
		return err_set(err, ERR_FAIL, "%s: too large for a certificate", name);
	x509 = d2i_X509(NULL, &at, (long)len);
	if (!x509)
		return ossl_err(err, "%s: not a certificate", name);
	if (at != (const unsigned char *)der + len) {
		X509_free(x509);
		return err_set(err, ERR_FAIL, "%s: %zu bytes behind the certificate", name,
			       (size_t)((const unsigned char *)der + len - at));
	}
	if (!EVP_Digest(der, len, sha256, NULL, EVP_sha256(), NULL)) {
		X509_free(x509);
		return ossl_err(err, "%s: no fingerprint", name);
	}
	return adopt(out, x509, sha256, name, err);
}

int cert_from_native(struct cert **out, X509 *x509, const char *name, struct err *err)
{
	unsigned char sha256[CERT_SHA256_SIZE];

	if (!X509_digest(x509, EVP_sha256(), sha256, NULL))
		return ossl_err(err, "%s: no fingerprint", name);
	if (!X509_up_ref(x509))
		return ossl_err(err, "%s: no reference", name);
	return adopt(out, x509, sha256, name, err);
}

int cert_from_pem(struct cert **out, const char *text, size_t len, const char *name,
		  struct err *err)
{
	struct bundle bundle = BUNDLE_INIT;
	int rc = bundle_from_pem(&bundle, text, len, name, err);

	if (!rc && bundle.count > 1)
		rc = err_set(err, ERR_FAIL, "%s: %zu certificates where one is expected", name,
			     bundle.count);
	if (!rc)
		*out = cert_ref(bundle.items[0]);
	bundle_release(&bundle);
	return rc;
}

int cert_to_pem(struct buf *out, const struct cert *cert, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	long len;
	int rc = 0;

	if (!bio || !PEM_write_bio_X509(bio, cert->x509)) {
		rc = ossl_err(err, "cannot write the certificate of %s", cert->subject);
	} else {
		len = BIO_get_mem_data(bio, &data);
		buf_add(out, data, (size_t)len);
		rc = buf_check(out, "the text of certificates", err);
	}
	BIO_free(bio);
	return rc;
}

struct cert *cert_ref(const struct cert *cert)
{
	struct cert *same = (struct cert *)cert; /* only the count changes */

	atomic_fetch_add(&same->refs, 1);
	return same;
}

void cert_free(struct cert *cert)
{
	if (!cert || atomic_fetch_sub(&cert->refs, 1) > 1)
		return;
	X509_free(cert->x509);
	free(cert->subject);
	free(cert->issuer);
	free(cert->common_name);
	free(cert->serial_hex);
	free(cert->serial_decimal);
	free(cert);
}

int cert_extension(void **out, const struct cert *cert, int nid, struct err *err)
{
	int critical;

	*out = X509_get_ext_d2i(cert->x509, nid, &critical, NULL);
	if (*out || critical == -1) {
		ERR_clear_error();
		return 0;
	}
	if (critical == -2)
		return err_set(err, ERR_FAIL, "%s has the extension '%s' more than once",
			       cert->subject, OBJ_nid2ln(nid));
	return ossl_err(err, "%s: the extension '%s' cannot be read", cert->subject,
			OBJ_nid2ln(nid));
}

X509 *cert_native(const struct cert *cert)
{
	return cert->x509;
}

const unsigned char *cert_sha256(const struct cert *cert)
{
	return cert->sha256;
}

const char *cert_fingerprint(const struct cert *cert)
{
	return cert->fingerprint;
}

bool cert_equal(const struct cert *a, const struct cert *b)
{
	return !memcmp(a->sha256, b->sha256, CERT_SHA256_SIZE);
}

const char *cert_subject(const struct cert *cert)
{
	return cert->subject;
}

const char *cert_issuer(const struct cert *cert)
{
	return cert->issuer;
}

const char *cert_common_name(const struct cert *cert)
{
	return cert->common_name;
}

int cert_dn(char **out, const struct cert *cert, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;

	if (bio &&
	    X509_NAME_print_ex(bio, X509_get_subject_name(cert->x509), 0, XN_FLAG_RFC2253) >= 0)
		text = bio_text(bio);
	BIO_free(bio);
	if (!text)
		return ossl_err(err, "%s: its subject cannot be written", cert->subject);
	*out = text;
	return 0;
}

bool cert_subject_is(const struct cert *cert, const void *der, size_t len)
{
	const unsigned char *own;
	size_t own_len;

	return X509_NAME_get0_der(X509_get_subject_name(cert->x509), &own, &own_len) &&
	       own_len == len && !memcmp(own, der, len);
}

bool cert_same_subject(const struct cert *a, const struct cert *b)
{
	const unsigned char *der;
	size_t len;

	return X509_NAME_get0_der(X509_get_subject_name(b->x509), &der, &len) &&
	       cert_subject_is(a, der, len);
}

const char *cert_serial_hex(const struct cert *cert)
{
	return cert->serial_hex;
}

const char *cert_serial_decimal(const struct cert *cert)
{
	return cert->serial_decimal;
}

int64_t cert_not_before(const struct cert *cert)
{
	return cert->not_before;
}

int64_t cert_not_after(const struct cert *cert)
{
	return cert->not_after;
}

enum cert_validity cert_validity(const struct cert *cert, int64_t at)
{
	if (at < cert->not_before)
		return CERT_NOT_YET;
	return at > cert->not_after ? CERT_EXPIRED : CERT_VALID;
}

bool cert_is_ca(const struct cert *cert)
{
	return cert->is_ca;
}

int64_t cert_pathlen(const struct cert *cert)
{
	return cert->pathlen;
}

bool cert_is_self_issued(const struct cert *cert)
{
	return cert->self_issued;
}

bool cert_has_ski(const struct cert *cert)
{
	return cert->has_ski;
}

bool cert_has_aki(const struct cert *cert)
{
	return cert->has_aki;
}

const char *cert_key_kind(const struct cert *cert)
{
	return cert->kind;
}

enum key_alg cert_key_algorithm(const struct cert *cert)
{
	return cert->alg;
}

int cert_key_bits(const struct cert *cert)
{
	return cert->key_bits;
}

const char *cert_signature_digest(const struct cert *cert)
{
	return cert->digest;
}

bool key_matches(const struct key *key, const struct cert *cert)
{
	bool equal = EVP_PKEY_eq(X509_get0_pubkey(cert->x509), key_native(key)) == 1;

	ERR_clear_error();
	return equal;
}

bool cert_issued_by(const struct cert *cert, const struct cert *issuer)
{
	bool by = X509_check_issued(issuer->x509, cert->x509) == X509_V_OK &&
		  X509_verify(cert->x509, X509_get0_pubkey(issuer->x509)) == 1;

	ERR_clear_error();
	return by;
}
