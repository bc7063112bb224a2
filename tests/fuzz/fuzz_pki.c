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

static void fuzz_bundle(const char *text, size_t len)
{
	struct bundle bundle = BUNDLE_INIT;
	struct err err = {0};
	struct buf buf;

	if (bundle_from_pem(&bundle, text, len, "fuzz", &err)) {
		must(bundle.count == 0 && err.msg[0] && err.code == ERR_FAIL);
		return;
	}
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

static void fuzz_der(const void *der, size_t len)
{
	struct cert *cert = NULL;
	struct err err = {0};

	if (cert_from_der(&cert, der, len, "fuzz", &err) == 0)
		look_at(cert);
	cert_free(cert);
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
