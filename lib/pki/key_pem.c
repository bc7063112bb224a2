/* SPDX-License-Identifier: PostgreSQL */
/* A key's text: straight from OpenSSL into the arena and back, with no copy on the way. */
#include "pki/internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "pki/native.h"

/* Where a BIO writes to: counts only while data is NULL. */
struct sink {
	char *data;
	size_t size;
	size_t len;
};

static int sink_write(BIO *bio, const char *data, int len)
{
	struct sink *sink = BIO_get_data(bio);

	if (len <= 0)
		return 0;
	if (sink->data) {
		if ((size_t)len > sink->size - sink->len)
			return -1;
		memcpy(sink->data + sink->len, data, (size_t)len);
	}
	sink->len += (size_t)len;
	return len;
}

static long sink_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static bool write_key(struct sink *sink, const struct key *key)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "arena");
	PKCS8_PRIV_KEY_INFO *info = key_ec_info(key);
	BIO *bio = NULL;
	bool ok = method && BIO_meth_set_write(method, sink_write) &&
		  BIO_meth_set_ctrl(method, sink_ctrl);

	if (ok)
		bio = BIO_new(method);
	if (bio) {
		BIO_set_data(bio, sink);
		BIO_set_init(bio, 1);
	}
	if (bio && info)
		ok = PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info) == 1;
	else
		ok = bio && PEM_write_bio_PKCS8PrivateKey(bio, key_native(key), NULL, NULL, 0, NULL,
							  NULL) == 1;
	PKCS8_PRIV_KEY_INFO_free(info);
	BIO_free(bio);
	BIO_meth_free(method);
	return ok;
}

/*
 * How long the text is at most: PKCS#8 has a modulus, an exponent of its length and five numbers of
 * half of it, or a point and a number on a curve. 0: not known.
 */
static size_t text_size(const struct key *key)
{
	size_t bytes = ((size_t)EVP_PKEY_get_bits(key_native(key)) + 7) / 8, der;

	switch (key_algorithm(key)) {
	case KEY_RSA2048:
	case KEY_RSA3072:
	case KEY_RSA4096:
		der = 2 * bytes + 5 * (bytes / 2) + 100;
		break;
	case KEY_ECDSA_P256:
	case KEY_ECDSA_P384:
	case KEY_ED25519:
		der = 3 * bytes + 60;
		break;
	case KEY_ALG__MAX:
	default:
		return 0;
	}
	return sizeof("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n") +
	       (der + 2) / 3 * 4 * 65 / 64 + 1;
}

int key_to_pem(struct secret *out, struct arena *arena, const struct key *key, struct err *err)
{
	struct sink sink = {NULL, text_size(key), 0};

	/* A pass that only counts: an arena gets back no memory that a growing text left. */
	if (!sink.size && !write_key(&sink, key))
		return ossl_err(err, "cannot write the %s key as text", key_kind(key));
	sink.size = sink.size ? sink.size : sink.len;
	sink.len = 0;
	sink.data = arena_alloc(arena, sink.size + 1);
	if (!sink.data)
		return err_set(err, ERR_FAIL, "no room left for the text of a private key");
	if (!write_key(&sink, key))
		return ossl_err(err, "cannot write the %s key as text", key_kind(key));
	out->data = sink.data;
	out->len = sink.len;
	return 0;
}

static int no_password(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)ctx;
	return -1;
}

static bool is_usable(const EVP_PKEY *pkey)
{
	return EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "RSA-PSS") ||
	       EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_is_a(pkey, "ED25519") ||
	       EVP_PKEY_is_a(pkey, "ED448");
}

struct key_reader {
	OSSL_DECODER_CTX *decoders;
	EVP_PKEY *pkey; /* where they put what they read */
};

int key_reader_new(struct key_reader **out, struct err *err)
{
	struct key_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return err_nomem(err);
	reader->decoders = OSSL_DECODER_CTX_new_for_pkey(&reader->pkey, "PEM", NULL, NULL,
							 EVP_PKEY_KEYPAIR, NULL, NULL);
	if (!reader->decoders ||
	    !OSSL_DECODER_CTX_set_pem_password_cb(reader->decoders, no_password, NULL)) {
		key_reader_free(reader);
		return ossl_err(err, "cannot prepare to read private keys");
	}
	*out = reader;
	return 0;
}

void key_reader_free(struct key_reader *reader)
{
	if (reader)
		OSSL_DECODER_CTX_free(reader->decoders);
	free(reader);
}

/* NULL where it cannot be read. */
static EVP_PKEY *decode(struct key_reader *reader, const struct pem_block *block)
{
	const unsigned char *at = (const unsigned char *)block->start;
	size_t len = block->len;
	EVP_PKEY *pkey;

	reader->pkey = NULL;
	(void)OSSL_DECODER_from_data(reader->decoders, &at, &len);
	pkey = reader->pkey;
	reader->pkey = NULL;
	return pkey;
}

static int read_block(struct key **out, struct key_reader *reader, const struct pem_block *block,
		      const char *name, struct err *err)
{
	EVP_PKEY *pkey = decode(reader, block);

	if (!pkey)
		return ossl_err(err, "%s: the private key (line %zu) cannot be read", name,
				block->line);
	ERR_clear_error();
	if (!is_usable(pkey)) {
		(void)err_set(err, ERR_FAIL, "%s: a %s key cannot sign for TLS", name,
			      EVP_PKEY_get0_type_name(pkey));
		EVP_PKEY_free(pkey);
		return err_hint(err, "use an RSA, ECDSA or Ed25519 key");
	}
	return key_adopt(out, pkey, err);
}

static bool is_encrypted(const struct pem_block *block)
{
	return pem_label_is(block, "ENCRYPTED PRIVATE KEY") ||
	       memmem(block->start, block->len, "\nProc-Type: 4,ENCRYPTED", 23) != NULL;
}

/* 1: a key that is to be read; 0: something else; or an error. */
static int look_at(const struct pem_block *block, const char *name, struct err *err)
{
	if (is_encrypted(block)) {
		(void)err_set(err, ERR_FAIL,
			      "%s: the private key (line %zu) is encrypted with a password", name,
			      block->line);
		return err_hint(err, "store it without one: the vault protects it, and PostgreSQL "
				     "cannot ask for the password at a reload");
	}
	if (pem_label_is(block, "OPENSSH PRIVATE KEY")) {
		(void)err_set(err, ERR_FAIL, "%s: the private key (line %zu) is in OpenSSH's form",
			      name, block->line);
		return err_hint(err, "TLS keys are PKCS#8, PKCS#1 or SEC1");
	}
	return pem_label_is(block, "PRIVATE KEY") || pem_label_is(block, "RSA PRIVATE KEY") ||
	       pem_label_is(block, "EC PRIVATE KEY");
}

int key_reader_read(struct key **out, struct key_reader *reader, const struct secret *pem,
		    const char *name, struct err *err)
{
	struct pem_scan scan = {.text = pem->data, .len = pem->len, .name = name};
	struct pem_block block;
	struct key *key = NULL;
	int rc = 0;

	if (pem->len > INT_MAX)
		return err_set(err, ERR_FAIL, "%s: too large for a private key", name);
	while (!rc && (rc = pem_next(&block, &scan, err)) > 0) {
		rc = look_at(&block, name, err);
		if (rc > 0 && key)
			rc = err_set(err, ERR_FAIL, "%s: a second private key (line %zu)", name,
				     block.line);
		else if (rc > 0)
			rc = read_block(&key, reader, &block, name, err);
	}
	if (!rc && !key)
		rc = err_set(err, ERR_FAIL, "%s: no private key in it", name);
	if (rc) {
		key_free(key);
		return rc;
	}
	*out = key;
	return 0;
}

int key_from_pem(struct key **out, const struct secret *pem, const char *name, struct err *err)
{
	struct key_reader *reader = NULL;
	int rc = key_reader_new(&reader, err);

	if (rc || !reader)
		return rc;
	rc = key_reader_read(out, reader, pem, name, err);
	key_reader_free(reader);
	return rc;
}
