/* SPDX-License-Identifier: PostgreSQL */
#include "pki/pkcs12.h"

#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "base/sys.h"
#include "pki/internal.h"

#define GROUPS	   6
#define GROUP_SIZE 5
#define LETTERS	   ((size_t)GROUPS * GROUP_SIZE)
#define RANDOM	   (LETTERS * 8)
#define SALT_SIZE  16

/* Java reads a PKCS#12 certificate as a trusted one only with it (PKCS12KeyStore.java). */
#define TRUSTED_KEY_USAGE "2.16.840.1.113894.746875.1.1"

int passphrase_check(const struct secret *passphrase, const char *name, struct err *err)
{
	if (passphrase->len < PASSPHRASE_MIN) {
		err_set(err, ERR_USAGE, "%s: a passphrase of %zu characters is too short", name,
			passphrase->len);
		return err_hint(err, "use %d or more, or leave it out: then a good one is made",
				PASSPHRASE_MIN);
	}
	if (passphrase->len > PASSPHRASE_MAX) {
		err_set(err, ERR_USAGE, "%s: a passphrase of %zu characters is too long", name,
			passphrase->len);
		return err_hint(err, "use at most %d: libpq takes no more", PASSPHRASE_MAX);
	}
	for (size_t i = 0; i < passphrase->len; i++) {
		if (passphrase->data[i] >= ' ' && passphrase->data[i] <= '~')
			continue;
		err_set(err, ERR_USAGE,
			"%s: character %zu of the passphrase is not printable ASCII", name, i + 1);
		return err_hint(err, "drivers do not agree on how others are written: use letters, "
				     "digits and punctuation of ASCII, in one line");
	}
	return 0;
}

int passphrase_make(struct secret *out, struct arena *arena, struct sys *sys, struct err *err)
{
	/* Without i, l, o, 0 and 1. */
	static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";
	struct secret_buf text;
	unsigned char *bytes = arena_alloc(arena, RANDOM);
	size_t at = 0, made = 0;
	int rc = bytes ? 0 : err_nomem(err);

	rc = rc ? rc : sys->random(sys, bytes, RANDOM, err);
	secret_buf_init(&text, arena);
	/* Of 32 values 31 are letters: that all of so many miss is no chance any more. */
	while (!rc && made < LETTERS) {
		unsigned value;

		if (at == RANDOM) {
			rc = err_set(err, ERR_FAIL,
				     "cannot make a passphrase: the random bytes "
				     "are not random");
			break;
		}
		value = bytes[at++] & 31U;
		if (value >= sizeof(letters) - 1)
			continue;
		if (made && made % GROUP_SIZE == 0)
			secret_buf_add(&text, "-", 1);
		secret_buf_add(&text, letters + value, 1);
		made++;
	}
	rc = rc ? rc : secret_buf_done(out, &text, "a passphrase", err);
	if (bytes)
		OPENSSL_cleanse(bytes, RANDOM);
	return rc;
}

/* Takes over what a memory BIO holds. */
static int take_bio(struct buf *out, BIO *bio, const char *what, struct err *err)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	if (len > 0)
		buf_add(out, data, (size_t)len);
	return buf_check(out, what, err);
}

/* scheme: the PRF of PBES2, or a whole algorithm of PKCS#12's own. */
static int encrypt_key(X509_SIG **out, const struct key *key, int scheme,
		       const struct secret *passphrase, struct err *err)
{
	PKCS8_PRIV_KEY_INFO *clear;
	int rc = passphrase_check(passphrase, "the key's file", err);

	if (rc)
		return rc;
	clear = EVP_PKEY2PKCS8(key_native(key));
	*out = clear ? PKCS8_encrypt(scheme,
				     scheme == NID_hmacWithSHA256 ? EVP_aes_256_cbc() : NULL,
				     passphrase->data, (int)passphrase->len, NULL, SALT_SIZE,
				     PKCS12_ITERATIONS, clear)
		     : NULL;
	PKCS8_PRIV_KEY_INFO_free(clear);
	return *out ? 0 : ossl_err(err, "cannot encrypt a private key");
}

static int write_key(struct buf *out, const struct key *key, bool pem,
		     const struct secret *passphrase, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509_SIG *sig = NULL;
	int rc = encrypt_key(&sig, key,
			     pem ? NID_hmacWithSHA256 : NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
			     passphrase, err);

	if (!rc && (!bio || (pem ? PEM_write_bio_PKCS8(bio, sig) : i2d_PKCS8_bio(bio, sig)) != 1))
		rc = ossl_err(err, "cannot write an encrypted private key");
	rc = rc ? rc : take_bio(out, bio, "an encrypted private key", err);
	X509_SIG_free(sig);
	BIO_free(bio);
	return rc;
}

int key_to_pkcs8_pem(struct buf *out, const struct key *key, const struct secret *passphrase,
		     struct err *err)
{
	return write_key(out, key, true, passphrase, err);
}

int key_to_pkcs8_der(struct buf *out, const struct key *key, const struct secret *passphrase,
		     struct err *err)
{
	return write_key(out, key, false, passphrase, err);
}

/* Adds the MAC, and the whole to out. */
static int finish(struct buf *out, PKCS12 *store, const char *password, int len, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int rc = 0;

	if (!bio ||
	    PKCS12_set_mac(store, password, len, NULL, SALT_SIZE, PKCS12_ITERATIONS,
			   EVP_sha256()) != 1 ||
	    i2d_PKCS12_bio(bio, store) != 1)
		rc = ossl_err(err, "cannot write a PKCS#12 store");
	rc = rc ? rc : take_bio(out, bio, "a PKCS#12 store", err);
	BIO_free(bio);
	return rc;
}

int pkcs12_keystore(struct buf *out, const struct key *key, const struct bundle *certs,
		    const char *alias, const struct secret *passphrase, struct err *err)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	PKCS12 *store = NULL;
	int rc = passphrase_check(passphrase, "the PKCS#12 store", err);

	if (!rc && !key_matches(key, certs->items[0]))
		rc = err_set(err, ERR_FAIL, "the key belongs to another certificate than '%s'",
			     cert_subject(certs->items[0]));
	for (size_t i = 1; i < certs->count && !rc; i++) {
		if (!others || !sk_X509_push(others, cert_native(certs->items[i])))
			rc = err_nomem(err);
	}
	if (!rc) {
		/* No MAC yet: it is to be of SHA-256 whatever OpenSSL's default is. */
		store = PKCS12_create(passphrase->data, alias, key_native(key),
				      cert_native(certs->items[0]), others, NID_aes_256_cbc, -1,
				      PKCS12_ITERATIONS, -1, 0);
		rc = store ? finish(out, store, passphrase->data, (int)passphrase->len, err)
			   : ossl_err(err, "cannot make a PKCS#12 store");
	}
	PKCS12_free(store);
	sk_X509_free(others);
	return rc;
}

static bool add_trusted(STACK_OF(PKCS12_SAFEBAG) * *bags, const struct cert *cert, const char *name)
{
	PKCS12_SAFEBAG *bag = PKCS12_add_cert(bags, cert_native(cert));
	const ASN1_OBJECT *any = OBJ_nid2obj(NID_anyExtendedKeyUsage);

	/* A length of -1: the value is taken as an object, not as bytes. */
	return bag && any && PKCS12_add_friendlyname_utf8(bag, name, -1) == 1 &&
	       PKCS12_add1_attr_by_txt(bag, TRUSTED_KEY_USAGE, V_ASN1_OBJECT,
				       (const unsigned char *)any, -1) == 1;
}

int pkcs12_truststore(struct buf *out, const struct bundle *bundle, const char *prefix,
		      const char *password, struct err *err)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	STACK_OF(PKCS7) *safes = NULL;
	PKCS12 *store = NULL;
	char name[64];
	bool ok = true;
	int rc;

	for (size_t i = 0; i < bundle->count && ok; i++) {
		(void)snprintf(name, sizeof(name), "%.40s%zu", prefix, i + 1);
		ok = add_trusted(&bags, bundle->items[i], name);
	}
	ok = ok && PKCS12_add_safe(&safes, bags, -1, 0, NULL) == 1;
	store = ok ? PKCS12_add_safes(safes, 0) : NULL;
	rc = store ? finish(out, store, password, (int)strlen(password), err)
		   : ossl_err(err, "cannot make a PKCS#12 store of certificates");
	PKCS12_free(store);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return rc;
}
