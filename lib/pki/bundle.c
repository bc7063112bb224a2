/* SPDX-License-Identifier: PostgreSQL */
#include "pki/internal.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

int bundle_add(struct bundle *bundle, const struct cert *cert, struct err *err)
{
	if (bundle->count == bundle->cap) {
		size_t cap = bundle->cap ? bundle->cap * 2 : 4;
		struct cert **items = realloc(bundle->items, cap * sizeof(*items));

		if (!items)
			return err_nomem(err);
		bundle->items = items;
		bundle->cap = cap;
	}
	bundle->items[bundle->count++] = cert_ref(cert);
	return 0;
}

/* Back to so many; an empty one holds no memory, so that a failure leaves nothing to release. */
static void truncate_to(struct bundle *bundle, size_t count)
{
	while (bundle->count > count)
		cert_free(bundle->items[--bundle->count]);
	if (count == 0) {
		free(bundle->items);
		*bundle = (struct bundle)BUNDLE_INIT;
	}
}

void bundle_release(struct bundle *bundle)
{
	truncate_to(bundle, 0);
}

/* What stands there instead of a certificate, in words; a label may be anything. */
static int not_a_certificate(const struct pem_block *block, const char *name, struct err *err)
{
	char label[40];
	size_t len = block->label_len < sizeof(label) - 1 ? block->label_len : sizeof(label) - 1;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)block->label[i];

		label[i] = (char)(isalnum(c) || c == ' ' ? c : '?');
	}
	label[len] = '\0';
	if (strstr(label, "PRIVATE KEY")) {
		(void)err_set(err, ERR_FAIL,
			      "%s: block %zu (line %zu) is a private key, not a certificate", name,
			      block->number, block->line);
		return err_hint(err, "private keys belong in the vault: take it out, and treat the "
				     "key as leaked if the file was ever committed");
	}
	return err_set(err, ERR_FAIL, "%s: block %zu (line %zu) is '%s', not a certificate", name,
		       block->number, block->line, label);
}

static bool is_known(const struct cert *known, const unsigned char *der, size_t len)
{
	unsigned char sha256[CERT_SHA256_SIZE];

	return known && EVP_Digest(der, len, sha256, NULL, EVP_sha256(), NULL) == 1 &&
	       !memcmp(sha256, cert_sha256(known), sizeof(sha256));
}

/* How a text's certificates are made. */
struct reading {
	const struct cert *known; /* taken where it is the same; may be NULL */
	bool packed;
};

static int make_cert(struct cert **out, const struct reading *how, const unsigned char *der,
		     size_t len, const char *which, struct err *err)
{
	if (is_known(how->known, der, len)) {
		*out = cert_ref(how->known);
		return 0;
	}
	return how->packed ? cert_from_der_packed(out, der, len, which, err)
			   : cert_from_der(out, der, len, which, err);
}

static int add_block(struct bundle *out, const struct pem_block *block, const char *name,
		     const struct reading *how, struct err *err)
{
	unsigned char *der = NULL;
	char *label = NULL, *header = NULL;
	struct cert *cert = NULL;
	char which[512];
	long len = 0;
	BIO *bio;
	int rc;

	if (!pem_label_is(block, "CERTIFICATE"))
		return not_a_certificate(block, name, err);
	(void)snprintf(which, sizeof(which), "%s: certificate %zu (line %zu)", name, block->number,
		       block->line);
	bio = BIO_new_mem_buf(block->start, (int)block->len);
	if (!bio || !PEM_read_bio(bio, &label, &header, &der, &len))
		rc = ossl_err(err, "%s cannot be decoded", which);
	else
		rc = make_cert(&cert, how, der, (size_t)len, which, err);
	if (!rc)
		rc = bundle_add(out, cert, err);
	cert_free(cert);
	OPENSSL_free(label);
	OPENSSL_free(header);
	OPENSSL_free(der);
	BIO_free(bio);
	return rc;
}

static int read_text(struct bundle *out, const char *text, size_t len, const char *name,
		     const struct reading *how, struct err *err)
{
	struct pem_scan scan = {.text = text, .len = len, .name = name};
	size_t before = out->count;
	struct pem_block block;
	int rc = 0;

	if (len > INT_MAX)
		return err_set(err, ERR_FAIL, "%s: too large for certificates", name);
	while (!rc && (rc = pem_next(&block, &scan, err)) > 0)
		rc = add_block(out, &block, name, how, err);
	if (!rc && out->count == before)
		rc = err_set(err, ERR_FAIL, "%s: no certificate in it", name);
	if (rc)
		truncate_to(out, before);
	return rc;
}

int bundle_from_pem(struct bundle *out, const char *text, size_t len, const char *name,
		    struct err *err)
{
	return read_text(out, text, len, name, &(struct reading){.known = NULL}, err);
}

int bundle_from_pem_known(struct bundle *out, const char *text, size_t len, const char *name,
			  const struct cert *known, struct err *err)
{
	return read_text(out, text, len, name, &(struct reading){.known = known}, err);
}

int bundle_from_pem_packed(struct bundle *out, const char *text, size_t len, const char *name,
			   struct err *err)
{
	return read_text(out, text, len, name, &(struct reading){.packed = true}, err);
}

int bundle_to_pem(struct buf *out, const struct bundle *bundle, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < bundle->count && !rc; i++)
		rc = cert_to_pem(out, bundle->items[i], err);
	return rc;
}

static int add_new(struct bundle *out, struct strmap *seen, const struct bundle *in,
		   struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < in->count && !rc; i++) {
		const char *fingerprint = cert_fingerprint(in->items[i]);

		if (strmap_get(seen, fingerprint, &(size_t){0}))
			continue;
		rc = strmap_put(seen, fingerprint, i, err);
		if (!rc)
			rc = bundle_add(out, in->items[i], err);
	}
	return rc;
}

int bundle_merge(struct bundle *out, const struct bundle *newer, const struct bundle *older,
		 struct err *err)
{
	struct strmap seen = STRMAP_INIT;
	size_t before = out->count;
	int rc = add_new(out, &seen, newer, err);

	if (!rc)
		rc = add_new(out, &seen, older, err);
	if (rc)
		truncate_to(out, before);
	strmap_release(&seen);
	return rc;
}

int bundle_copy(struct bundle *out, const struct bundle *in, struct err *err)
{
	size_t before = out->count;
	int rc = 0;

	for (size_t i = 0; i < in->count && !rc; i++)
		rc = bundle_add(out, in->items[i], err);
	if (rc)
		truncate_to(out, before);
	return rc;
}

bool bundle_contains(const struct bundle *bundle, const struct cert *cert)
{
	for (size_t i = 0; i < bundle->count; i++) {
		if (cert_equal(bundle->items[i], cert))
			return true;
	}
	return false;
}

bool bundle_equal(const struct bundle *a, const struct bundle *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!cert_equal(a->items[i], b->items[i]))
			return false;
	}
	return true;
}

const struct cert *bundle_first_to_expire(const struct bundle *bundle)
{
	const struct cert *first = NULL;

	for (size_t i = 0; i < bundle->count; i++) {
		if (!first || cert_not_after(bundle->items[i]) < cert_not_after(first))
			first = bundle->items[i];
	}
	return first;
}

int bundle_fingerprint(char out[CERT_SHA256_SIZE * 2 + 1], const struct bundle *bundle,
		       struct err *err)
{
	unsigned char sha256[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	for (size_t i = 0; i < bundle->count && ok; i++)
		ok = EVP_DigestUpdate(ctx, cert_sha256(bundle->items[i]), CERT_SHA256_SIZE);
	ok = ok && EVP_DigestFinal_ex(ctx, sha256, NULL);
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return ossl_err(err, "no fingerprint of a bundle");
	hex_text(out, sha256, CERT_SHA256_SIZE);
	return 0;
}
