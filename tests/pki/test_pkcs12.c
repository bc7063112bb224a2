/* SPDX-License-Identifier: PostgreSQL */
#include "tests/pki/suites.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/pkcs12.h"

#define WORD  "correct horse battery"
#define PASS  "pass:" WORD
#define WRONG "pass:correct horse batterY"

static struct arena *arena;
static struct secret word = {(char *)WORD, sizeof(WORD) - 1};
static char said[65536];

static void setup(void)
{
	arena = arena_new((size_t)1 << 20);
	ck_assert_ptr_nonnull(arena);
	test_mkdir();
}

static void teardown(void)
{
	test_rmdir();
	arena_free(arena);
}

/* Writes what was made to DIR/name; free() the path. */
static char *keep(const char *name, struct buf *data)
{
	char *path = test_path(name);
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data->data, 1, data->len, file), data->len);
	ck_assert_int_eq(fclose(file), 0);
	buf_release(data);
	return path;
}

/* What the openssl program reads out of an encrypted key has to be that key. */
static void opens(const struct key *key, const char *path, const char *form, const char *pass)
{
	char *clear = test_path("clear.pem");
	const char *argv[] = {"openssl", "pkcs8", "-inform", form,  "-in", path,
			      "-passin", pass,	  "-out",    clear, NULL};
	struct secret pem = {NULL, 0};
	struct key *again = NULL;
	struct err err = {0};

	ck_assert_msg(run_openssl(said, sizeof(said), argv) == 0, "%s", said);
	ck_ok(secret_read_file(&pem, arena, clear, 65536, &err), &err);
	ck_ok(key_from_pem(&again, &pem, clear, &err), &err);
	ck_assert(key_equal(key, again));
	key_free(again);
	free(clear);
}

static void stays_shut(const char *path, const char *form, const char *pass)
{
	const char *argv[] = {"openssl", "pkcs8",   "-inform", form, "-in",
			      path,	 "-passin", pass,      NULL};

	ck_assert_int_ne(run_openssl(said, sizeof(said), argv), 0);
	ck_assert_msg(!strstr(said, "PRIVATE KEY-----"), "%s", said);
}

static const enum key_alg algs[] = {KEY_RSA2048, KEY_ECDSA_P256, KEY_ECDSA_P384, KEY_ED25519};

START_TEST(openssl_opens_the_encrypted_key)
{
	struct key *key = NULL;
	struct err err = {0};
	struct buf data;
	char *path;

	buf_init(&data, BUF_TEXT_MAX);
	ck_ok(key_generate(&key, algs[_i], &err), &err);
	ck_ok(key_to_pkcs8_pem(&data, key, &word, &err), &err);
	ck_assert(str_starts(data.data, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
	path = keep("client.key", &data);
	opens(key, path, "PEM", PASS);
	stays_shut(path, "PEM", WRONG);
	free(path);
	ck_ok(key_to_pkcs8_der(&data, key, &word, &err), &err);
	path = keep("client.pk8", &data);
	opens(key, path, "DER", PASS);
	stays_shut(path, "DER", WRONG);
	free(path);
	key_free(key);
}
END_TEST

static void parse(const char *path, const char *form)
{
	const char *argv[] = {"openssl", "asn1parse", "-inform", form, "-in", path, NULL};

	ck_assert_msg(run_openssl(said, sizeof(said), argv) == 0, "%s", said);
}

START_TEST(algorithms_are_those_that_the_readers_have)
{
	struct key *key = NULL;
	struct err err = {0};
	struct buf data;
	char *path;

	buf_init(&data, BUF_TEXT_MAX);
	ck_ok(key_generate(&key, KEY_ECDSA_P256, &err), &err);
	ck_ok(key_to_pkcs8_pem(&data, key, &word, &err), &err);
	path = keep("client.key", &data);
	parse(path, "PEM");
	ck_assert_ptr_nonnull(strstr(said, ":PBES2"));
	ck_assert_ptr_nonnull(strstr(said, ":hmacWithSHA256"));
	ck_assert_ptr_nonnull(strstr(said, ":aes-256-cbc"));
	ck_assert_ptr_nonnull(strstr(said, ":0186A0"));
	free(path);
	ck_ok(key_to_pkcs8_der(&data, key, &word, &err), &err);
	path = keep("client.pk8", &data);
	parse(path, "DER");
	ck_assert_ptr_nonnull(strstr(said, ":pbeWithSHA1And3-KeyTripleDES-CBC"));
	ck_assert_ptr_nonnull(strstr(said, ":0186A0"));
	free(path);
	key_free(key);
}
END_TEST

static void look(const char *path, const char *pass)
{
	const char *argv[] = {"openssl", "pkcs12", "-in",    path, "-passin",
			      pass,	 "-info",  "-nodes", NULL};

	ck_assert_msg(run_openssl(said, sizeof(said), argv) == 0, "%s", said);
}

static int times(const char *part)
{
	int count = 0;

	for (const char *at = said; (at = strstr(at, part)); at++)
		count++;
	return count;
}

START_TEST(keystore_has_the_key_and_its_chain)
{
	struct test_chain chain = {0};
	struct bundle certs = BUNDLE_INIT;
	struct key *key = NULL, *other = NULL;
	struct cert *leaf;
	struct err err = {0};
	struct buf data;
	char *path;

	buf_init(&data, BUF_TEXT_MAX);
	test_chain_init(&chain, "client");
	leaf = test_client(&chain, &key, "app");
	ck_ok(bundle_add(&certs, leaf, &err), &err);
	ck_ok(bundle_add(&certs, chain.ca, &err), &err);
	ck_ok(pkcs12_keystore(&data, key, &certs, "user", &word, &err), &err);
	path = keep("client.p12", &data);
	look(path, PASS);
	ck_assert_ptr_nonnull(strstr(said, "MAC: sha256, Iteration 100000"));
	ck_assert_ptr_nonnull(
		strstr(said, "PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256"));
	/* of the key, and of the certificate that belongs to it */
	ck_assert_int_eq(times("friendlyName: user"), 2);
	ck_assert_int_eq(times("-----BEGIN CERTIFICATE-----"), 2);
	ck_assert_int_eq(times("-----BEGIN PRIVATE KEY-----"), 1);
	{
		const char *argv[] = {"openssl", "pkcs12", "-in",    path,
				      "-passin", WRONG,	   "-nodes", NULL};

		ck_assert_int_ne(run_openssl(said, sizeof(said), argv), 0);
		ck_assert_ptr_nonnull(strstr(said, "invalid password"));
	}
	free(path);
	ck_ok(key_generate(&other, KEY_ECDSA_P256, &err), &err);
	ck_assert_int_eq(pkcs12_keystore(&data, other, &certs, "user", &word, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "the key belongs to another certificate than 'O=Acme, CN=app'");
	ck_assert_uint_eq(data.len, 0);
	key_free(other);
	key_free(key);
	cert_free(leaf);
	bundle_release(&certs);
	test_chain_release(&chain);
}
END_TEST

START_TEST(truststore_marks_what_java_is_to_trust)
{
	struct test_chain old_chain = {0}, new_chain = {0};
	struct bundle both = BUNDLE_INIT;
	struct err err = {0};
	struct buf data;
	char *path;

	buf_init(&data, BUF_TEXT_MAX);
	test_chain_init(&old_chain, "server");
	test_chain_init(&new_chain, "server G2");
	ck_ok(bundle_merge(&both, &new_chain.bundle, &old_chain.bundle, &err), &err);
	ck_ok(pkcs12_truststore(&data, &both, "ca-", "changeit", &err), &err);
	path = keep("truststore.p12", &data);
	look(path, "pass:changeit");
	ck_assert_ptr_nonnull(strstr(said, "MAC: sha256, Iteration 100000"));
	ck_assert_int_eq(times("-----BEGIN CERTIFICATE-----"), 4);
	ck_assert_int_eq(times("2.16.840.1.113894.746875.1.1"), 4);
	ck_assert_int_eq(times("friendlyName: ca-1"), 1);
	ck_assert_int_eq(times("friendlyName: ca-4"), 1);
	ck_assert_int_eq(times("PRIVATE KEY"), 0);
	free(path);
	bundle_release(&both);
	test_chain_release(&old_chain);
	test_chain_release(&new_chain);
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} bad_words[] = {
	{"", "F: a passphrase of 0 characters is too short"},
	{"elevenchars", "F: a passphrase of 11 characters is too short"},
	{"twelve chars\n", "F: character 13 of the passphrase is not printable ASCII"},
	{"twelve\tchars", "F: character 7 of the passphrase is not printable ASCII"},
	{"sch\xc3\xb6nes Wetter heute", "F: character 4 of the passphrase is not printable ASCII"},
	{"\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c \xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe",
	 "F: character 1 of the passphrase is not printable ASCII"},
	{"twelve chars\x7f", "F: character 13 of the passphrase is not printable ASCII"},
	{"latin1 \xe9 is no UTF-8", "F: character 8 of the passphrase is not printable ASCII"},
};

START_TEST(bad_passphrases_are_refused)
{
	struct secret bad = {(char *)bad_words[_i].text, strlen(bad_words[_i].text)};
	struct key *key = NULL;
	struct err err = {0};
	struct buf data;

	ck_assert_int_eq(passphrase_check(&bad, "F", &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, bad_words[_i].message);
	ck_assert_str_ne(err.hint, "");
	/* nothing is encrypted with one, either */
	buf_init(&data, BUF_TEXT_MAX);
	ck_ok(key_generate(&key, KEY_ECDSA_P256, &err), &err);
	ck_assert_int_eq(key_to_pkcs8_pem(&data, key, &bad, &err), ERR_USAGE);
	ck_assert_int_eq(key_to_pkcs8_der(&data, key, &bad, &err), ERR_USAGE);
	ck_assert_uint_eq(data.len, 0);
	key_free(key);
	buf_release(&data);
}
END_TEST

START_TEST(long_passphrases_end_where_libpq_does)
{
	static char text[PASSPHRASE_MAX + 2];
	struct secret secret = {text, PASSPHRASE_MAX};
	struct err err = {0};

	memset(text, '~', sizeof(text) - 1);
	ck_ok(passphrase_check(&secret, "F", &err), &err);
	secret.len++;
	ck_assert_int_eq(passphrase_check(&secret, "F", &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "F: a passphrase of 1001 characters is too long");
}
END_TEST

START_TEST(made_passphrases_are_for_people)
{
	struct secret first = {NULL, 0}, second = {NULL, 0};
	struct err err = {0};
	struct sys sys;

	sys_init(&sys);
	ck_ok(passphrase_make(&first, arena, &sys, &err), &err);
	ck_ok(passphrase_make(&second, arena, &sys, &err), &err);
	ck_assert_uint_eq(first.len, 6 * 5 + 5);
	ck_ok(passphrase_check(&first, "made", &err), &err);
	for (size_t i = 0; i < first.len; i++) {
		char c = first.data[i];

		ck_assert_int_eq(c == '-', i % 6 == 5);
		ck_assert(c == '-' || islower((unsigned char)c) || isdigit((unsigned char)c));
		ck_assert_ptr_null(strchr("ilo01", c));
	}
	ck_assert(!secret_equal(&first, &second));
}
END_TEST

static int only_ones(struct sys *sys, void *out, size_t len, struct err *err)
{
	(void)sys;
	(void)err;
	memset(out, 0xff, len);
	return 0;
}

START_TEST(a_broken_generator_ends)
{
	struct secret made = {NULL, 0};
	struct err err = {0};
	struct sys sys;

	sys_init(&sys);
	sys.random = only_ones;
	ck_assert_int_eq(passphrase_make(&made, arena, &sys, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "cannot make a passphrase: the random bytes are not random");
}
END_TEST

Suite *pkcs12_suite(void)
{
	Suite *suite = suite_create("pkcs12");
	TCase *tc = tcase_create("forms");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, openssl_opens_the_encrypted_key, 0, ROWS(algs));
	tcase_add_test(tc, algorithms_are_those_that_the_readers_have);
	tcase_add_test(tc, keystore_has_the_key_and_its_chain);
	tcase_add_test(tc, truststore_marks_what_java_is_to_trust);
	tcase_add_loop_test(tc, bad_passphrases_are_refused, 0, ROWS(bad_words));
	tcase_add_test(tc, long_passphrases_end_where_libpq_does);
	tcase_add_test(tc, made_passphrases_are_for_people);
	tcase_add_test(tc, a_broken_generator_ends);
	suite_add_tcase(suite, tc);
	return suite;
}
