/* SPDX-License-Identifier: PostgreSQL */
#include "pki/cert_struct.h"

#include <ctype.h>
#include <limits.h>
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

static int read_serial(struct cert *cert, const ASN1_INTEGER *serial)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
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

static void read_digest(struct cert *cert, int digest)
{
	(void)snprintf(cert->digest, sizeof(cert->digest), "%s",
		       digest == NID_undef ? "none" : OBJ_nid2sn(digest));
	for (char *c = cert->digest; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

int cert_read_basics(struct cert *cert, const struct cert_basics *basics, const char *name,
		     struct err *err)
{
	hex_text(cert->fingerprint, cert->sha256, CERT_SHA256_SIZE);
	if (read_time(&cert->not_before, basics->not_before) ||
	    read_time(&cert->not_after, basics->not_after))
		return ossl_err(err, "%s: its validity cannot be read", name);
	cert->subject = name_text(basics->subject);
	cert->issuer = name_text(basics->issuer);
	if (name_common_name(&cert->common_name, basics->subject, err))
		return ERR_FAIL;
	if (!cert->subject || !cert->issuer || read_serial(cert, basics->serial))
		return ossl_err(err, "%s: its names or serial cannot be read", name);
	read_digest(cert, basics->digest);
	return 0;
}

static void read_extensions(struct cert *cert, X509 *x509)
{
	cert->is_ca = X509_check_ca(x509) > 0;
	cert->pathlen = X509_get_pathlen(x509);
	cert->self_issued = (X509_get_extension_flags(x509) & EXFLAG_SI) != 0;
	cert->has_ski = X509_get0_subject_key_id(x509) != NULL;
	cert->has_aki = X509_get_ext_by_NID(x509, NID_authority_key_identifier, -1) >= 0;
}

static int read_all(struct cert *cert, X509 *x509, const char *name, struct err *err)
{
	struct cert_basics basics = {.subject = X509_get_subject_name(x509),
				     .issuer = X509_get_issuer_name(x509),
				     .serial = X509_get0_serialNumber(x509),
				     .not_before = X509_get0_notBefore(x509),
				     .not_after = X509_get0_notAfter(x509),
				     .digest = NID_undef};
	EVP_PKEY *pkey = X509_get0_pubkey(x509);
	int rc;

	if (!pkey)
		return ossl_err(err, "%s: its public key cannot be read", name);
	cert->alg = pkey_algorithm(pkey);
	cert->pkey_id = EVP_PKEY_get_base_id(pkey);
	cert->key_bits = EVP_PKEY_get_bits(pkey);
	pkey_kind(cert->kind, pkey);
	(void)X509_check_purpose(x509, -1, 0); /* makes OpenSSL read the extensions */
	(void)X509_get_signature_info(x509, &basics.digest, NULL, NULL, NULL);
	rc = cert_read_basics(cert, &basics, name, err);
	if (!rc)
		read_extensions(cert, x509);
	ERR_clear_error();
	return rc;
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
	atomic_init(&cert->x509, x509);
	memcpy(cert->sha256, sha256, CERT_SHA256_SIZE);
	rc = read_all(cert, x509, name, err);
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

int cert_from_der_packed(struct cert **out, const void *der, size_t len, const char *name,
			 struct err *err)
{
	struct cert *cert = calloc(1, sizeof(*cert));
	int rc = 0;

	if (!cert)
		return err_nomem(err);
	atomic_init(&cert->refs, 1);
	atomic_init(&cert->x509, NULL);
	if (len <= LONG_MAX && EVP_Digest(der, len, cert->sha256, NULL, EVP_sha256(), NULL) == 1)
		rc = cert_pack(cert, der, len, name, err);
	if (rc == 1) {
		*out = cert;
		return 0;
	}
	cert_free(cert);
	return rc ? rc : cert_from_der(out, der, len, name, err);
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
	bool ok;
	long len;
	int rc = 0;

	if (cert->der)
		ok = bio && PEM_write_bio(bio, PEM_STRING_X509, "", cert->der, (long)cert->der_len);
	else
		ok = bio && PEM_write_bio_X509(bio, cert->x509);
	if (!ok) {
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
	free(cert->der);
	free(cert->subject);
	free(cert->issuer);
	free(cert->common_name);
	free(cert->serial_hex);
	free(cert->serial_decimal);
	free(cert);
}

struct cert *cert_unpacked(const struct cert *cert)
{
	const unsigned char *at = cert->der;
	struct cert *copy;
	X509 *x509;

	if (!at)
		return cert_ref(cert);
	x509 = d2i_X509(NULL, &at, (long)cert->der_len);
	if (x509 && !adopt(&copy, x509, cert->sha256, cert->subject, NULL))
		return copy;
	/* Its public key is none: whoever wants to use it is told so. */
	return cert_ref(cert);
}

/* Two threads may make it at once: the first one's stays. */
X509 *cert_native(const struct cert *cert)
{
	struct cert *same = (struct cert *)cert; /* it only becomes faster */
	const unsigned char *at = cert->der;
	X509 *made, *there = atomic_load(&same->x509);

	if (there || !at)
		return there;
	made = d2i_X509(NULL, &at, (long)cert->der_len);
	if (!made || atomic_compare_exchange_strong(&same->x509, &there, made))
		return made;
	X509_free(made);
	return there;
}

static void *extension_of(const struct cert *cert, int nid, int *critical)
{
	const unsigned char *at = cert->exts;
	X509_EXTENSIONS *list;
	void *value;

	if (!cert->der)
		return X509_get_ext_d2i(cert->x509, nid, critical, NULL);
	list = at ? d2i_X509_EXTENSIONS(NULL, &at, (long)cert->exts_len) : NULL;
	*critical = list || !at ? -1 : 0;
	value = list ? X509V3_get_d2i(list, nid, critical, NULL) : NULL;
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return value;
}

int cert_extension(void **out, const struct cert *cert, int nid, struct err *err)
{
	int critical;

	*out = extension_of(cert, nid, &critical);
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

static bool subject_der(const unsigned char **der, size_t *len, const struct cert *cert)
{
	if (!cert->der)
		return X509_NAME_get0_der(X509_get_subject_name(cert->x509), der, len) == 1;
	*der = cert->subject_der;
	*len = cert->subject_len;
	return true;
}

X509_NAME *cert_subject_name(const struct cert *cert)
{
	const unsigned char *der;
	size_t len;

	return subject_der(&der, &len, cert) ? d2i_X509_NAME(NULL, &der, (long)len) : NULL;
}

int cert_dn(char **out, const struct cert *cert, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509_NAME *name = cert_subject_name(cert);
	char *text = NULL;

	if (bio && name && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		text = bio_text(bio);
	BIO_free(bio);
	X509_NAME_free(name);
	if (!text)
		return ossl_err(err, "%s: its subject cannot be written", cert->subject);
	*out = text;
	return 0;
}

bool cert_subject_is(const struct cert *cert, const void *der, size_t len)
{
	const unsigned char *own;
	size_t own_len;

	return subject_der(&own, &own_len, cert) && own_len == len && !memcmp(own, der, len);
}

bool cert_same_subject(const struct cert *a, const struct cert *b)
{
	const unsigned char *der;
	size_t len;

	return subject_der(&der, &len, b) && cert_subject_is(a, der, len);
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

int cert_pkey_id(const struct cert *cert)
{
	return cert->pkey_id;
}

bool key_matches(const struct key *key, const struct cert *cert)
{
	struct cert *open;
	bool equal;

	if (cert->der && cert_packed_matches(cert, key_native(key)))
		return true;
	open = cert_unpacked(cert);
	equal = open->x509 && EVP_PKEY_eq(X509_get0_pubkey(open->x509), key_native(key)) == 1;
	cert_free(open);
	ERR_clear_error();
	return equal;
}

bool cert_issued_by(const struct cert *cert, const struct cert *issuer)
{
	X509 *x509 = cert_native(cert), *by = cert_native(issuer);
	bool issued = x509 && by && X509_check_issued(by, x509) == X509_V_OK &&
		      X509_verify(x509, X509_get0_pubkey(by)) == 1;

	ERR_clear_error();
	return issued;
}
