/* SPDX-License-Identifier: PostgreSQL */
/*
 * libFuzzer over what lib/pki reads from others: PEM bundles, keys, DER, subjects, names. The first
 * byte chooses. What bundle_from_pem takes, OpenSSL must read with the same count, since the same
 * bytes go to the hosts.
 *
 *   clang -g -O1 -std=c11 -D_GNU_SOURCE -Ilib -I. -fsanitize=fuzzer,address,undefined \
 *       tests/fuzz/fuzz_pki.c lib/pki/[a-z]*.c lib/base/[a-z]*.c lib/secret/[a-z]*.c \
 *       -lcrypto -ljansson -pthread -o fuzz_pki
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "pki/issue.h"
#include "pki/native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void look_at(const struct cert *cert)
{
	struct findings found = FINDINGS_INIT;
	struct strs names = STRS_INIT, key_usages = STRS_INIT, ext_usages = STRS_INIT;
	struct err err = {0};

	must(strlen(cert_fingerprint(cert)) == 64 && cert_subject(cert) && cert_common_name(cert));
	(void)host_matches(cert, "db1.example.com");
	(void)host_matches(cert, "10.0.4.42");
	/* a certificate covers itself, and its own lists can be issued again */
	if (!cert_covers(&found, cert, cert, "x", &err))
		must(found.count == 0);
	if (!cert_key_usages(&key_usages, cert, &err) && !cert_ext_usages(&ext_usages, cert, &err))
		must(issue_check_usages(&key_usages, &ext_usages, &err) == 0);
	(void)cert_names(&names, cert, &err);
	findings_release(&found);
	strs_release(&names);
	strs_release(&key_usages);
	strs_release(&ext_usages);
}

static size_t count_by_openssl(const char *text, size_t len)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	size_t count = 0;
	X509 *x509;

	while ((x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		X509_free(x509);
		count++;
	}
	ERR_clear_error();
	BIO_free(bio);
	return count;
}

static void same_lists(const struct cert *a, const struct cert *b,
		       int list(struct strs *, const struct cert *, struct err *))
{
	struct strs as = STRS_INIT, bs = STRS_INIT;
	struct err err = {0};

	must(list(&as, a, &err) == list(&bs, b, &err) && strs_equal(&as, &bs));
	strs_release(&as);
	strs_release(&bs);
}

/* A packed one says what OpenSSL says of the same certificate. */
static void same_cert(const struct cert *a, const struct cert *b)
{
	struct cert *open = cert_unpacked(b);

	must(cert_equal(a, b) && cert_equal(a, open) && cert_same_subject(a, b));
	must(!strcmp(cert_subject(a), cert_subject(b)) && !strcmp(cert_issuer(a), cert_issuer(b)));
	must(!strcmp(cert_common_name(a), cert_common_name(b)));
	must(!strcmp(cert_serial_hex(a), cert_serial_hex(b)));
	must(!strcmp(cert_key_kind(a), cert_key_kind(b)) && cert_key_bits(a) == cert_key_bits(b));
	must(cert_key_algorithm(a) == cert_key_algorithm(b));
	must(!strcmp(cert_signature_digest(a), cert_signature_digest(b)));
	must(cert_not_before(a) == cert_not_before(b) && cert_not_after(a) == cert_not_after(b));
	must(cert_is_ca(a) == cert_is_ca(b) && cert_pathlen(a) == cert_pathlen(b));
	must(cert_is_self_issued(a) == cert_is_self_issued(b));
	must(cert_has_aki(a) == cert_has_aki(b));
	must(host_matches(a, "db1.example.com") == host_matches(b, "db1.example.com"));
	same_lists(a, b, cert_names);
	same_lists(a, b, cert_key_usages);
	same_lists(a, b, cert_ext_usages);
	cert_free(open);
}

/* One whose public key is no key is packed all the same: whoever uses it finds that. */
static void fuzz_packed(const struct bundle *bundle, const char *text, size_t len)
{
	struct bundle packed = BUNDLE_INIT;
	struct err err = {0};

	if (bundle_from_pem_packed(&packed, text, len, "fuzz", &err)) {
		must(!bundle->count);
		return;
	}
	for (size_t i = 0; i < bundle->count; i++)
		same_cert(bundle->items[i], packed.items[i]);
	for (size_t i = 0; i < packed.count; i++)
		look_at(packed.items[i]);
	bundle_release(&packed);
}

static void fuzz_bundle(const char *text, size_t len)
{
	struct bundle bundle = BUNDLE_INIT;
	struct err err = {0};
	struct buf buf;

	if (bundle_from_pem(&bundle, text, len, "fuzz", &err)) {
		must(bundle.count == 0 && err.msg[0] && err.code == ERR_FAIL);
		fuzz_packed(&bundle, text, len);
		return;
	}
	fuzz_packed(&bundle, text, len);
	must(bundle.count == count_by_openssl(text, len));
	for (size_t i = 0; i < bundle.count; i++)
		look_at(bundle.items[i]);
	buf_init(&buf, BUF_TEXT_MAX);
	must(bundle_to_pem(&buf, &bundle, &err) == 0);
	buf_release(&buf);
	bundle_release(&bundle);
}

static void fuzz_key(const char *text, size_t len)
{
	struct secret pem = {(char *)text, len};
	struct key *key = NULL;
	struct err err = {0};

	if (key_from_pem(&key, &pem, "fuzz", &err) == 0)
		must(key_kind(key)[0] != '\0');
	else
		must(key == NULL && err.msg[0]);
	key_free(key);
}

/* Random changes hardly ever hit a DER behind its base64. */
static void fuzz_as_text(const void *der, size_t len)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long text_len;

	must(bio && PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)len) > 0);
	text_len = BIO_get_mem_data(bio, &text);
	fuzz_bundle(text, (size_t)text_len);
	BIO_free(bio);
}

static void fuzz_der(const void *der, size_t len)
{
	struct cert *cert = NULL;
	struct err err = {0};

	if (cert_from_der(&cert, der, len, "fuzz", &err) == 0)
		look_at(cert);
	cert_free(cert);
	if (len)
		fuzz_as_text(der, len);
}

static void fuzz_text(const char *text, size_t len)
{
	char *copy = strndup(text, len);
	struct dn dn = DN_INIT;
	struct strs names = STRS_INIT;
	struct err err = {0};

	must(copy && strs_add(&names, copy, &err) == 0);
	if (dn_add(&dn, "O", copy, &err))
		must(dn.count == 0);
	else
		must(dn.count > 0);
	(void)issue_check_names(&names, &err);
	(void)issue_check_usages(&names, NULL, &err);
	(void)issue_check_usages(NULL, &names, &err);
	dn_release(&dn);
	strs_release(&names);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size < 1)
		return 0;
	switch (data[0] % 4) {
	case 0:
		fuzz_bundle(text, size - 1);
		break;
	case 1:
		fuzz_key(text, size - 1);
		break;
	case 2:
		fuzz_der(text, size - 1);
		break;
	default:
		fuzz_text(text, size - 1);
	}
	return 0;
}
