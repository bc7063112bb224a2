/* SPDX-License-Identifier: PostgreSQL */
/* A packed certificate says the same as OpenSSL's object of it. */
#include "tests/pki/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/pem.h>
#include "pki/native.h"

/* Made by the openssl program: what certrotate would not issue is among them. */
static const struct {
	const char *key; /* -newkey */
	const char *option;
	const char *extensions[5];
	bool signed_by_ca;
	bool packed;
} rows[] = {
	{"ec", "ec_paramgen_curve:P-256", {"subjectAltName=DNS:db1,IP:10.0.0.1"}, true, true},
	{"ec", "ec_paramgen_curve:P-384", {"keyUsage=digitalSignature"}, true, true},
	{"rsa:2048",
	 NULL,
	 {"extendedKeyUsage=serverAuth,clientAuth", "subjectAltName=DNS:*.lan"},
	 true,
	 true},
	{"rsa:1024", NULL, {"basicConstraints=critical,CA:FALSE"}, true, true},
	{"ec", "ec_paramgen_curve:P-256", {"2.5.29.17=DER:3003820162"}, true, true},
	{"ec", "ec_paramgen_curve:P-256", {"subjectAltName=dirName:dir,email:a@b"}, true, true},
	{"ec", "ec_paramgen_curve:P-521", {"subjectAltName=DNS:db1"}, true, false},
	{"ec", "ec_paramgen_curve:secp256k1", {"subjectAltName=DNS:db1"}, true, false},
	{"ed25519", NULL, {"subjectAltName=DNS:db1"}, true, false},
	{"ec", "ec_paramgen_curve:P-256", {"basicConstraints=CA:TRUE,pathlen:1"}, true, false},
	{"ec", "ec_paramgen_curve:P-256", {"keyUsage=keyCertSign"}, true, false},
	{"ec", "ec_paramgen_curve:P-256", {"nsCertType=sslCA"}, true, false},
	{"ec", "ec_paramgen_curve:P-256", {"basicConstraints=DER:0500"}, true, false},
	{"ec", "ec_paramgen_curve:P-256", {"subjectAltName=DNS:db1"}, false, false},
};

static struct test_chain chain;
static char *ca_path, *ca_key_path;

static void setup(void)
{
	struct arena *arena = arena_new(65536);
	struct secret pem = {0};
	struct err err = {0};

	(void)test_mkdir();
	test_chain_init(&chain, "server");
	ca_path = write_certs("ca.pem", &chain.ca, 1);
	ck_ok(key_to_pem(&pem, arena, chain.ca_key, &err), &err);
	ca_key_path = test_path("ca.key");
	test_write(ca_key_path, pem.data);
	arena_free(arena);
}

static void teardown(void)
{
	free(ca_path);
	free(ca_key_path);
	test_chain_release(&chain);
	test_rmdir();
}

static char *made(int row, const char *key_path)
{
	char *config = test_path("openssl.cnf"), *path = test_path("leaf.pem"), *text;
	const char *argv[40] = {"openssl", "req",    "-x509",	"-config",    config,
				"-nodes",  "-days",  "30",	"-subj",      "/O=Acme/CN=db1",
				"-keyout", key_path, "-newkey", rows[row].key};
	size_t n = 14;
	char out[4096];

	test_write(config, "[req]\ndistinguished_name=dn\n[dn]\n[dir]\nO=Acme\n");
	if (rows[row].option) {
		argv[n++] = "-pkeyopt";
		argv[n++] = rows[row].option;
	}
	for (size_t i = 0; i < 5 && rows[row].extensions[i]; i++) {
		argv[n++] = "-addext";
		argv[n++] = rows[row].extensions[i];
	}
	if (rows[row].signed_by_ca) {
		argv[n++] = "-CA";
		argv[n++] = ca_path;
		argv[n++] = "-CAkey";
		argv[n++] = ca_key_path;
	}
	argv[n++] = "-out";
	argv[n++] = path;
	ck_assert_msg(run_openssl(out, sizeof(out), argv) == 0, "%s", out);
	text = test_read(path, NULL);
	free(config);
	free(path);
	return text;
}

static void same_list(const struct cert *a, const struct cert *b,
		      int list(struct strs *, const struct cert *, struct err *))
{
	struct strs as = STRS_INIT, bs = STRS_INIT;
	struct err a_err = {0}, b_err = {0};

	ck_assert_int_eq(list(&as, a, &a_err), list(&bs, b, &b_err));
	ck_assert_str_eq(a_err.msg, b_err.msg);
	ck_assert(strs_equal(&as, &bs));
	strs_release(&as);
	strs_release(&bs);
}

static void same_texts(const struct cert *a, const struct cert *b)
{
	static int (*const lists[])(struct strs *, const struct cert *,
				    struct err *) = {cert_names, cert_key_usages, cert_ext_usages};
	char *a_dn = NULL, *b_dn = NULL;
	struct err err = {0};

	ck_assert_str_eq(cert_fingerprint(a), cert_fingerprint(b));
	ck_assert_str_eq(cert_subject(a), cert_subject(b));
	ck_assert_str_eq(cert_issuer(a), cert_issuer(b));
	ck_assert_str_eq(cert_common_name(a), cert_common_name(b));
	ck_assert_str_eq(cert_serial_hex(a), cert_serial_hex(b));
	ck_assert_str_eq(cert_serial_decimal(a), cert_serial_decimal(b));
	ck_assert_str_eq(cert_key_kind(a), cert_key_kind(b));
	ck_assert_str_eq(cert_signature_digest(a), cert_signature_digest(b));
	ck_ok(cert_dn(&a_dn, a, &err), &err);
	ck_ok(cert_dn(&b_dn, b, &err), &err);
	ck_assert_str_eq(a_dn, b_dn);
	free(a_dn);
	free(b_dn);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		same_list(a, b, lists[i]);
}

static void same_facts(const struct cert *a, const struct cert *b)
{
	ck_assert(cert_equal(a, b) && cert_same_subject(a, b) && cert_same_subject(b, a));
	ck_assert_int_eq(cert_not_before(a), cert_not_before(b));
	ck_assert_int_eq(cert_not_after(a), cert_not_after(b));
	ck_assert_int_eq(cert_is_ca(a), cert_is_ca(b));
	ck_assert_int_eq(cert_pathlen(a), cert_pathlen(b));
	ck_assert_int_eq(cert_is_self_issued(a), cert_is_self_issued(b));
	ck_assert_int_eq(cert_has_ski(a), cert_has_ski(b));
	ck_assert_int_eq(cert_has_aki(a), cert_has_aki(b));
	ck_assert_int_eq(cert_key_algorithm(a), cert_key_algorithm(b));
	ck_assert_int_eq(cert_key_bits(a), cert_key_bits(b));
	ck_assert_int_eq(host_matches(a, "db1"), host_matches(b, "db1"));
	ck_assert_int_eq(host_matches(a, "10.0.0.1"), host_matches(b, "10.0.0.1"));
	ck_assert_int_eq(cert_issued_by(a, chain.ca), cert_issued_by(b, chain.ca));
}

static void same_verdicts(const struct cert *a, const struct cert *b)
{
	int64_t now = chain.sys.now(&chain.sys) + 1;
	struct verdict as, bs;
	struct err err = {0};

	for (int p = 0; p < 2; p++) {
		ck_ok(chain_verify(&as, &chain.bundle, NULL, a, (enum verify_purpose)p, now,
				   VERIFY_LEVEL_DEFAULT, &err),
		      &err);
		ck_ok(chain_verify(&bs, &chain.bundle, NULL, b, (enum verify_purpose)p, now,
				   VERIFY_LEVEL_DEFAULT, &err),
		      &err);
		ck_assert_int_eq(as.ok, bs.ok);
		ck_assert_str_eq(as.reason, bs.reason);
	}
}

static void same_pem(const struct cert *a, const struct cert *b)
{
	struct err err = {0};
	struct buf as, bs;

	buf_init(&as, BUF_TEXT_MAX);
	buf_init(&bs, BUF_TEXT_MAX);
	ck_ok(cert_to_pem(&as, a, &err), &err);
	ck_ok(cert_to_pem(&bs, b, &err), &err);
	ck_assert_str_eq(as.data, bs.data);
	buf_release(&as);
	buf_release(&bs);
}

START_TEST(a_packed_one_says_the_same)
{
	char *key_path = test_path("leaf.key"), *text = made(_i, key_path);
	struct bundle whole = BUNDLE_INIT, packed = BUNDLE_INIT;
	struct arena *arena = arena_new(65536);
	struct key *key = NULL;
	struct secret pem = {0};
	struct err err = {0};
	struct cert *open;

	ck_ok(bundle_from_pem(&whole, text, strlen(text), "f", &err), &err);
	ck_ok(bundle_from_pem_packed(&packed, text, strlen(text), "f", &err), &err);
	ck_assert_uint_eq(packed.count, 1);
	same_texts(whole.items[0], packed.items[0]);
	same_pem(whole.items[0], packed.items[0]);
	open = cert_unpacked(packed.items[0]);
	ck_assert_int_eq(open != packed.items[0], rows[_i].packed);
	same_texts(open, packed.items[0]);
	ck_ok(secret_read_file(&pem, arena, key_path, 65536, &err), &err);
	ck_ok(key_from_pem(&key, &pem, "key", &err), &err);
	ck_assert(key_matches(key, packed.items[0]) && key_matches(key, open));
	ck_assert(!key_matches(chain.ca_key, packed.items[0]));
	same_facts(whole.items[0], packed.items[0]);
	same_verdicts(whole.items[0], packed.items[0]);
	cert_free(open);
	key_free(key);
	arena_free(arena);
	bundle_release(&whole);
	bundle_release(&packed);
	free(text);
	free(key_path);
}
END_TEST

/* The certificate with one bit of its public key turned. */
static void with_bad_point(struct buf *out, const struct cert *cert)
{
	X509 *x509 = X509_dup(cert_native(cert));
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long len;

	X509_get0_pubkey_bitstr(x509)->data[64] ^= 1;
	(void)i2d_re_X509_tbs(x509, NULL); /* else it is written as it was read */
	ck_assert_int_eq(PEM_write_bio_X509(bio, x509), 1);
	len = BIO_get_mem_data(bio, &data);
	buf_add(out, data, (size_t)len);
	BIO_free(bio);
	X509_free(x509);
}

/* A point that is on no curve shows when somebody wants to use it. */
START_TEST(a_key_that_is_none_is_refused)
{
	struct key *key = NULL;
	struct cert *good = test_server(&chain, &key, "db1"), *leaf;
	struct bundle packed = BUNDLE_INIT;
	struct verdict verdict;
	struct err err = {0};
	struct buf text;

	buf_init(&text, BUF_TEXT_MAX);
	with_bad_point(&text, good);
	ck_assert_int_eq(bundle_from_pem(&packed, text.data, text.len, "f", &err), ERR_FAIL);
	ck_assert_ptr_nonnull(strstr(err.msg, "its public key cannot be read"));
	err = (struct err){0};
	ck_ok(bundle_from_pem_packed(&packed, text.data, text.len, "f", &err), &err);
	leaf = cert_unpacked(packed.items[0]);
	ck_assert(!key_matches(key, leaf));
	ck_ok(chain_verify(&verdict, &chain.bundle, NULL, leaf, VERIFY_SERVER,
			   chain.sys.now(&chain.sys) + 1, VERIFY_LEVEL_DEFAULT, &err),
	      &err);
	ck_assert(!verdict.ok);
	ck_assert_str_eq(verdict.reason, "the public key of O=Acme, CN=db1 cannot be read");
	cert_free(leaf);
	cert_free(good);
	key_free(key);
	buf_release(&text);
	bundle_release(&packed);
}
END_TEST

Suite *packed_suite(void)
{
	Suite *suite = suite_create("packed");
	TCase *tcase = tcase_create("packed");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_packed_one_says_the_same, 0, ROWS(rows));
	tcase_add_test(tcase, a_key_that_is_none_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
