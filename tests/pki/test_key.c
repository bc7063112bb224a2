/* SPDX-License-Identifier: PostgreSQL */
#include "tests/pki/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "pki/native.h"

static struct arena *arena;

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

/* A key as the openssl program writes it; further arguments up to a NULL. */
static struct secret openssl_key(const char *const *argv)
{
	char *path = test_path("made.pem"), out[4096];
	struct secret pem = {NULL, 0};
	struct err err = {0};

	ck_assert_msg(run_openssl(out, sizeof(out), argv) == 0, "%s", out);
	ck_ok(secret_read_file(&pem, arena, path, 65536, &err), &err);
	free(path);
	return pem;
}

static const struct {
	enum key_alg alg;
	const char *name;
	const char *kind;
} algs[] = {{KEY_RSA2048, "rsa2048", "RSA-2048"},
	    {KEY_ECDSA_P256, "ecdsa-p256", "ECDSA P-256"},
	    {KEY_ECDSA_P384, "ecdsa-p384", "ECDSA P-384"},
	    {KEY_ED25519, "ed25519", "Ed25519"}};

START_TEST(every_kind_survives_its_text)
{
	struct key *key = NULL, *again = NULL;
	struct secret pem = {NULL, 0};
	struct err err = {0};

	ck_assert_str_eq(key_alg_name(algs[_i].alg), algs[_i].name);
	ck_ok(key_generate(&key, algs[_i].alg, &err), &err);
	ck_assert_str_eq(key_kind(key), algs[_i].kind);
	ck_assert_int_eq(key_algorithm(key), algs[_i].alg);
	ck_ok(key_to_pem(&pem, arena, key, &err), &err);
	ck_assert(str_starts(pem.data, "-----BEGIN PRIVATE KEY-----\n"));
	ck_assert(str_ends(pem.data, "-----END PRIVATE KEY-----\n"));
	ck_assert_uint_eq(strlen(pem.data), pem.len);
	ck_ok(key_from_pem(&again, &pem, "t", &err), &err);
	ck_assert(key_equal(key, again));
	key_free(key);
	key_free(again);
}
END_TEST

/* What is written without OpenSSL's encoders is what they write, zeros at either end of a number
 * too. */
START_TEST(text_is_as_openssl_writes_it)
{
	struct err err = {0};

	for (int i = 0; i < (algs[_i].alg == KEY_RSA2048 ? 1 : 600); i++) {
		BIO *bio = BIO_new(BIO_s_mem());
		struct secret pem = {NULL, 0};
		struct key *key = NULL;
		char *text;
		long len;

		ck_ok(key_generate(&key, algs[_i].alg, &err), &err);
		ck_ok(key_to_pem(&pem, arena, key, &err), &err);
		ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, key_native(key), NULL, NULL, 0,
							       NULL, NULL),
				 1);
		len = BIO_get_mem_data(bio, &text);
		ck_assert_uint_eq((size_t)len, pem.len);
		ck_assert_mem_eq(text, pem.data, pem.len);
		BIO_free(bio);
		key_free(key);
	}
}
END_TEST

START_TEST(key_types_have_names)
{
	enum key_alg alg;
	struct err err = {0};

	ck_ok(key_alg_parse(&alg, "rsa4096", &err), &err);
	ck_assert_int_eq(alg, KEY_RSA4096);
	ck_assert_int_eq(key_alg_parse(&alg, "rsa409", &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "'rsa409' is no key type");
	ck_assert_str_eq(err.hint, "did you mean rsa4096?");
	ck_assert_int_eq(key_alg_parse(&alg, "dilithium-and-more", &err), ERR_USAGE);
	ck_contains(err.hint, "use rsa4096,");
}
END_TEST

static const struct {
	const char *argv[10];
	const char *label;
	const char *kind;
} old_forms_are_read_rows[] = {
	{{"openssl", "genrsa", "-traditional", "-out", NULL, "2048"},
	 "BEGIN RSA PRIVATE KEY",
	 "RSA-2048"},
	{{"openssl", "ecparam", "-genkey", "-name", "prime256v1", "-out", NULL},
	 "BEGIN EC PRIVATE KEY",
	 "ECDSA P-256"},
	{{"openssl", "genpkey", "-algorithm", "ED25519", "-out", NULL},
	 "BEGIN PRIVATE KEY",
	 "Ed25519"},
	{{"openssl", "ecparam", "-genkey", "-name", "secp521r1", "-out", NULL},
	 "BEGIN EC PARAMETERS",
	 "EC-521"},
};

START_TEST(old_forms_are_read)
{
	const char *argv[11] = {NULL};
	char *path = test_path("made.pem");
	struct key *key = NULL;
	struct secret pem;
	struct err err = {0};

	for (size_t i = 0; i < 10; i++) {
		argv[i] = old_forms_are_read_rows[_i].argv[i];
		if (i && !argv[i] && !strcmp(argv[i - 1], "-out")) {
			argv[i] = path;
			argv[i + 1] = old_forms_are_read_rows[_i].argv[i + 1];
			break;
		}
	}
	pem = openssl_key(argv);
	ck_contains(pem.data, old_forms_are_read_rows[_i].label);
	ck_ok(key_from_pem(&key, &pem, "t", &err), &err);
	ck_assert_str_eq(key_kind(key), old_forms_are_read_rows[_i].kind);
	key_free(key);
	free(path);
}
END_TEST

START_TEST(encrypted_keys_are_refused)
{
	char *path = test_path("made.pem");
	const char *modern[] = {"openssl", "genpkey", "-algorithm", "ED25519", "-aes256",
				"-pass",   "pass:x",  "-out",	    path,      NULL};
	const char *legacy[] = {"openssl", "genrsa", "-traditional", "-aes128", "-passout",
				"pass:x",  "-out",   path,	     "2048",	NULL};
	struct key *key = NULL;
	struct secret pem;
	struct err err = {0};

	pem = openssl_key(_i ? legacy : modern);
	ck_assert_int_eq(key_from_pem(&key, &pem, "keys.yml: server.db1", &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "keys.yml: server.db1: the private key (line 1) is encrypted "
				  "with a password");
	ck_contains(err.hint, "store it without one");
	ck_assert_ptr_null(key);
	free(path);
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} junk_is_no_key_rows[] = {
	{"", "t: no private key in it"},
	{"hello\n", "t: no private key in it"},
	{"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n", "is truncated"},
	{"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	 "t: the private key (line 1) cannot be read"},
	{"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "is empty"},
	{"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
	 "is in OpenSSH's form"},
	{"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
	 "BEGIN and END name different things"},
};

START_TEST(junk_is_no_key)
{
	struct secret pem = {(char *)junk_is_no_key_rows[_i].text,
			     strlen(junk_is_no_key_rows[_i].text)};
	struct key *key = NULL;
	struct err err = {0};

	ck_assert_int_eq(key_from_pem(&key, &pem, "t", &err), ERR_FAIL);
	ck_contains(err.msg, junk_is_no_key_rows[_i].message);
	ck_assert_ptr_null(strstr(err.msg, "AAAA"));
	ck_assert_ptr_null(key);
}
END_TEST

START_TEST(two_keys_in_one_text_are_refused)
{
	struct secret pem = {NULL, 0}, both = {NULL, 0};
	struct key *key = NULL, *other = NULL;
	struct secret_buf buf;
	struct err err = {0};

	ck_ok(key_generate(&key, KEY_ED25519, &err), &err);
	ck_ok(key_to_pem(&pem, arena, key, &err), &err);
	secret_buf_init(&buf, arena);
	secret_buf_add(&buf, pem.data, pem.len);
	secret_buf_add(&buf, pem.data, pem.len);
	ck_ok(secret_buf_done(&both, &buf, "both", &err), &err);
	ck_assert_int_eq(key_from_pem(&other, &both, "t", &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "t: a second private key (line 4)");
	key_free(key);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* Searches the heap for the needle, which is kept xored so as not to find itself. */
static bool heap_has(const unsigned char *needle, size_t len)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[512];

	ck_assert_ptr_nonnull(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (!strstr(line, "[heap]") || sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		for (const unsigned char *at = (const unsigned char *)from;
		     at + len <= (const unsigned char *)to && !found; at++) {
			size_t i = 0;

			while (i < len && at[i] == (needle[i] ^ 0x5a))
				i++;
			found = i == len;
		}
	}
	(void)fclose(maps);
	return found;
}

static unsigned base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return (unsigned)(strchr(digits, c) - digits);
}

START_TEST(no_copy_of_a_key_stays_on_the_heap)
{
	unsigned char text[32], der[24];
	struct secret pem = {NULL, 0};
	struct key *key = NULL, *again = NULL;
	struct err err = {0};
	const char *from;
	char *there;

	ck_ok(key_generate(&key, algs[_i].alg, &err), &err);
	ck_ok(key_to_pem(&pem, arena, key, &err), &err);
	ck_ok(key_from_pem(&again, &pem, "t", &err), &err);
	/* the 24th character of a line in the middle: past what is public, and whole bytes */
	from = pem.data + strlen("-----BEGIN PRIVATE KEY-----\n") + pem.len / 130 / 2 * 65 + 24;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)from[i] ^ 0x5a;
	for (size_t i = 0; i < sizeof(der); i++) {
		size_t bit = i * 8;
		unsigned pair = base64_value(from[bit / 6]) << 6 | base64_value(from[bit / 6 + 1]);

		der[i] = (unsigned char)(pair >> (4 - bit % 6)) ^ 0x5a;
	}
	there = malloc(sizeof(text));
	ck_assert_ptr_nonnull(there);
	memcpy(there, from, sizeof(text));
	ck_assert_msg(heap_has(text, sizeof(text)), "the search itself does not work");
	explicit_bzero(there, sizeof(text));
	free(there);
	ck_assert(!heap_has(text, sizeof(text)));
	key_free(key);
	key_free(again);
	ck_assert(!heap_has(text, sizeof(text)));
	ck_assert(!heap_has(der, sizeof(der)));
}
END_TEST
#endif

struct count {
	size_t calls;
	size_t last;
	size_t stop_at; /* 0: never */
};

static int count_up(void *ctx, size_t done, size_t total)
{
	struct count *count = ctx;

	ck_assert_uint_le(done, total);
	ck_assert_uint_ge(done, count->last);
	count->calls++;
	count->last = done;
	return count->stop_at && done >= count->stop_at;
}

START_TEST(many_keys_at_once)
{
	enum key_alg wanted[20];
	struct key *keys[20];
	struct count count = {0, 0, 0};
	struct err err = {0};

	for (size_t i = 0; i < 20; i++)
		wanted[i] = i % 2 ? KEY_ED25519 : KEY_ECDSA_P256;
	ck_ok(keys_generate(keys, wanted, 20, (unsigned)_i, count_up, &count, &err), &err);
	for (size_t i = 0; i < 20; i++) {
		ck_assert_int_eq(key_algorithm(keys[i]), wanted[i]);
		for (size_t j = 0; j < i; j++)
			ck_assert(!key_equal(keys[i], keys[j]));
	}
	ck_assert_uint_eq(count.last, 20);
	for (size_t i = 0; i < 20; i++)
		key_free(keys[i]);
}
END_TEST

START_TEST(making_keys_stops_when_told)
{
	enum key_alg wanted[200];
	struct key *keys[200];
	struct count count = {0, 0, 1};
	struct err err = {0};

	/* 199 RSA-4096 keys would take minutes: the one under way is given up too */
	for (size_t i = 0; i < 200; i++)
		wanted[i] = i ? KEY_RSA4096 : KEY_ED25519;
	ck_assert_int_eq(keys_generate(keys, wanted, 200, 2, count_up, &count, &err), ERR_STOPPED);
	ck_contains(err.msg, "stopped");
	for (size_t i = 0; i < 200; i++)
		ck_assert_ptr_null(keys[i]);
}
END_TEST

START_TEST(a_failure_among_many_keys_is_told)
{
	enum key_alg wanted[3] = {KEY_ED25519, KEY_ALG__MAX, KEY_ED25519};
	struct key *keys[3];
	struct err err = {0};

	ck_assert_int_eq(keys_generate(keys, wanted, 3, 0, NULL, NULL, &err), ERR_USAGE);
	ck_contains(err.msg, "unknown key type");
	ck_assert_ptr_null(keys[0]);
	ck_ok(keys_generate(NULL, NULL, 0, 0, NULL, NULL, &err), &err);
}
END_TEST

START_TEST(a_full_arena_is_an_error)
{
	struct arena *small = arena_new(64);
	struct secret pem = {NULL, 0};
	struct key *key = NULL;
	struct err err = {0};

	ck_ok(key_generate(&key, KEY_ECDSA_P256, &err), &err);
	ck_assert_int_eq(key_to_pem(&pem, small, key, &err), ERR_FAIL);
	ck_contains(err.msg, "no room left");
	ck_assert_ptr_null(pem.data);
	key_free(key);
	arena_free(small);
}
END_TEST

Suite *key_suite(void)
{
	Suite *suite = suite_create("key");
	TCase *tcase = tcase_create("key");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, every_kind_survives_its_text, 0, ROWS(algs));
	tcase_add_loop_test(tcase, text_is_as_openssl_writes_it, 0, ROWS(algs));
	tcase_add_test(tcase, key_types_have_names);
	tcase_add_loop_test(tcase, old_forms_are_read, 0, ROWS(old_forms_are_read_rows));
	tcase_add_loop_test(tcase, encrypted_keys_are_refused, 0, 2);
	tcase_add_loop_test(tcase, junk_is_no_key, 0, ROWS(junk_is_no_key_rows));
	tcase_add_test(tcase, two_keys_in_one_text_are_refused);
#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
	!defined(__SANITIZE_THREAD__) /* they have heaps of their own */
	tcase_add_loop_test(tcase, no_copy_of_a_key_stays_on_the_heap, 0, ROWS(algs));
#endif
	tcase_add_loop_test(tcase, many_keys_at_once, 0, 3);
	tcase_add_test(tcase, making_keys_stops_when_told);
	tcase_add_test(tcase, a_failure_among_many_keys_is_told);
	tcase_add_test(tcase, a_full_arena_is_an_error);
	suite_add_tcase(suite, tcase);
	return suite;
}
