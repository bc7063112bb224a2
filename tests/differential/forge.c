/* SPDX-License-Identifier: PostgreSQL */
#include "tests/differential/forge.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"

#define SERIAL_BITS 120

/* For what cannot fail unless the test asks for nonsense. */
static void need(bool ok, const char *what, const char *detail)
{
	if (ok)
		return;
	(void)fprintf(stderr, "forge: %s (%s): %s\n", what, detail ? detail : "",
		      ERR_error_string(ERR_peek_last_error(), NULL));
	exit(2);
}

EVP_PKEY *forge_key(const char *kind)
{
	EVP_PKEY *key;

	if (!strncmp(kind, "RSA-", 4))
		key = EVP_RSA_gen((unsigned)strtoul(kind + 4, NULL, 10));
	else if (!strncmp(kind, "P-", 2))
		key = EVP_EC_gen(kind);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
	need(key, "no key", kind);
	return key;
}

static char *bio_text(BIO *bio)
{
	char *data, *text;
	long len = BIO_get_mem_data(bio, &data);

	text = strndup(data, (size_t)len);
	BIO_free(bio);
	need(text, "no memory", NULL);
	return text;
}

char *forge_key_pem(const EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	need(bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), "no text",
	     NULL);
	return bio_text(bio);
}

static X509_NAME *make_name(const char *dn)
{
	X509_NAME *name = X509_NAME_new();
	char *copy = strdup(dn), *rest = copy, *part;

	need(name && copy, "no memory", dn);
	while ((part = strsep(&rest, "/"))) {
		char *value = strchr(part, '=');

		need(value, "no attribute", dn);
		*value++ = '\0';
		need(X509_NAME_add_entry_by_txt(name, part, MBSTRING_UTF8,
						(const unsigned char *)value, -1, -1, 0),
		     "bad attribute", dn);
	}
	free(copy);
	return name;
}

static void add_conf(X509 *x509, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *ext;

	if (!value)
		return;
	ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	need(ext && X509_add_ext(x509, ext, -1), OBJ_nid2sn(nid), value);
	X509_EXTENSION_free(ext);
}

/* RFC 5280 4.2.1.1 in each of its forms. */
static void add_aki(X509 *x509, X509 *issuer, enum forge_aki kind)
{
	const ASN1_OCTET_STRING *named = X509_get0_subject_key_id(issuer);
	AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	unsigned char wrong[20];

	need(akid && name, "no memory", NULL);
	if (kind == AKI_KEYID && named)
		akid->keyid = ASN1_OCTET_STRING_dup(named);
	if (kind == AKI_WRONG) {
		akid->keyid = ASN1_OCTET_STRING_new();
		need(RAND_bytes(wrong, sizeof(wrong)) &&
			     ASN1_OCTET_STRING_set(akid->keyid, wrong, sizeof(wrong)),
		     "no AKI", NULL);
	}
	if (kind == AKI_SERIAL) {
		X509_NAME *copy = X509_NAME_dup(X509_get_issuer_name(issuer));

		akid->issuer = GENERAL_NAMES_new();
		akid->serial = ASN1_INTEGER_dup(X509_get0_serialNumber(issuer));
		need(copy && akid->issuer && akid->serial, "no memory", NULL);
		GENERAL_NAME_set0_value(name, GEN_DIRNAME, copy);
		need(sk_GENERAL_NAME_push(akid->issuer, name), "no memory", NULL);
		name = NULL;
	}
	if (akid->keyid || akid->serial)
		need(X509_add1_ext_i2d(x509, NID_authority_key_identifier, akid, 0, 0) == 1,
		     "no AKI", NULL);
	GENERAL_NAME_free(name);
	AUTHORITY_KEYID_free(akid);
}

static void add_extensions(X509 *x509, X509 *issuer, const struct forge_spec *spec)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	add_conf(x509, &ctx, NID_basic_constraints, spec->basic);
	add_conf(x509, &ctx, NID_key_usage, spec->usage);
	add_conf(x509, &ctx, NID_ext_key_usage, spec->ext_usage);
	add_conf(x509, &ctx, NID_subject_alt_name, spec->names);
	add_conf(x509, &ctx, NID_name_constraints, spec->constraints);
	if (!spec->no_ski)
		add_conf(x509, &ctx, NID_subject_key_identifier, "hash");
	if (spec->aki != AKI_NONE)
		add_aki(x509, issuer, spec->aki);
}

static void sign(X509 *x509, EVP_PKEY *signer, const char *digest)
{
	bool has_own = EVP_PKEY_is_a(signer, "ED25519");
	/* there is no ECDSA with MD5 */
	bool too_old = digest && !strcmp(digest, "MD5") && EVP_PKEY_is_a(signer, "EC");
	const char *name = too_old ? "SHA1" : digest ? digest : "SHA256";
	const EVP_MD *md = has_own ? NULL : EVP_get_digestbyname(name);

	need((has_own || md) && X509_sign(x509, signer, md), "cannot sign", digest);
}

/* A second that passed since the CA was made does not let its leaf outlive it by chance. */
static void set_times(X509 *x509, const X509 *issuer, int64_t from, int64_t until)
{
	const ASN1_TIME *end = X509_get0_notAfter(issuer);
	time_t now = time(NULL);
	bool usual = !from && !until;
	int days = 0, seconds = 0;

	if (usual) {
		from = -FORGE_DAY;
		until = 300 * FORGE_DAY;
	}
	need(ASN1_TIME_set(X509_getm_notBefore(x509), now + (time_t)from) &&
		     ASN1_TIME_set(X509_getm_notAfter(x509), now + (time_t)until),
	     "no times", NULL);
	if (usual && issuer != x509 &&
	    ASN1_TIME_diff(&days, &seconds, end, X509_get0_notAfter(x509)) && !days &&
	    seconds > 0 && seconds < 60)
		need(X509_set1_notAfter(x509, end), "no times", NULL);
}

void forge(struct forged *out, const struct forge_spec *spec)
{
	X509 *x509 = X509_new(), *issuer = spec->issuer ? spec->issuer->x509 : x509;
	X509_NAME *subject = make_name(spec->dn);
	BIGNUM *serial = BN_new();
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *signer = spec->issuer ? spec->issuer->key : spec->key;

	need(x509 && serial && bio, "no memory", spec->dn);
	need(BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
		     BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x509)),
	     "no serial", spec->dn);
	need(X509_set_version(x509, spec->v1 ? X509_VERSION_1 : X509_VERSION_3) &&
		     X509_set_pubkey(x509, spec->key) && X509_set_subject_name(x509, subject) &&
		     X509_set_issuer_name(x509, X509_get_subject_name(issuer)),
	     "no certificate", spec->dn);
	set_times(x509, issuer, spec->from, spec->until);
	if (!spec->v1)
		add_extensions(x509, issuer, spec);
	sign(x509, spec->signer ? spec->signer : signer, spec->digest);
	need(PEM_write_bio_X509(bio, x509), "no text", spec->dn);
	X509_NAME_free(subject);
	BN_free(serial);
	*out = (struct forged){.x509 = x509, .key = spec->key, .pem = bio_text(bio)};
}

void forged_release(struct forged *forged)
{
	X509_free(forged->x509);
	free(forged->pem);
	*forged = (struct forged){0};
}

char *forge_join(const char *first, ...)
{
	struct buf buf;
	va_list list;
	char *out;

	buf_init(&buf, BUF_TEXT_MAX);
	va_start(list, first);
	for (const char *text = first; text; text = va_arg(list, const char *))
		buf_adds(&buf, text);
	va_end(list);
	out = buf_detach(&buf);
	need(out, "no memory", NULL);
	return out;
}
