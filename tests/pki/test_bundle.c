/* SPDX-License-Identifier: PostgreSQL */
#include "tests/pki/suites.h"

#include <stdlib.h>
#include <string.h>

static struct test_chain older, newer;
static struct buf text;

static void setup(void)
{
	struct err err = {0};

	test_chain_init(&older, "server");
	test_chain_init(&newer, "server G2");
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(bundle_to_pem(&text, &older.bundle, &err), &err);
}

static void teardown(void)
{
	buf_release(&text);
	test_chain_release(&older);
	test_chain_release(&newer);
}

START_TEST(a_bundle_survives_its_text)
{
	struct bundle again = BUNDLE_INIT;
	struct err err = {0};
	struct buf buf;

	ck_ok(bundle_from_pem(&again, text.data, text.len, "t", &err), &err);
	ck_assert_uint_eq(again.count, 2);
	ck_assert(bundle_equal(&again, &older.bundle));
	ck_assert(cert_equal(again.items[0], older.ca));
	buf_init(&buf, BUF_TEXT_MAX);
	ck_ok(bundle_to_pem(&buf, &again, &err), &err);
	ck_assert_str_eq(buf.data, text.data);
	buf_release(&buf);
	bundle_release(&again);
}
END_TEST

START_TEST(what_is_known_is_not_made_again)
{
	struct bundle again = BUNDLE_INIT;
	struct err err = {0};

	ck_ok(bundle_from_pem_known(&again, text.data, text.len, "t", older.ca, &err), &err);
	ck_assert_ptr_eq(again.items[0], older.ca);
	ck_assert_ptr_ne(again.items[1], older.root);
	ck_assert(bundle_equal(&again, &older.bundle));
	bundle_release(&again);
	ck_ok(bundle_from_pem_known(&again, text.data, text.len, "t", newer.ca, &err), &err);
	ck_assert_ptr_ne(again.items[0], newer.ca);
	ck_assert(bundle_equal(&again, &older.bundle));
	bundle_release(&again);
	text.data[text.len - 20] = '?';
	ck_assert_int_eq(bundle_from_pem_known(&again, text.data, text.len, "t", older.ca, &err),
			 ERR_FAIL);
	ck_assert_uint_eq(again.count, 0);
}
END_TEST

/* One text with "%1" and "%2" replaced by the certificates' base64 lines (with a newline). */
static void compose(struct buf *out, const char *format)
{
	const char *mark = "-----BEGIN CERTIFICATE-----\n";
	const char *first = strstr(text.data, mark) + strlen(mark);
	const char *second = strstr(first, mark) + strlen(mark);

	buf_init(out, BUF_TEXT_MAX);
	for (; *format; format++) {
		const char *body = format[1] == '1' ? first : second;

		if (*format == '%') {
			buf_add(out, body, (size_t)(strstr(body, "-----END") - body));
			format++;
		} else {
			buf_addc(out, *format);
		}
	}
}

#define B "-----BEGIN CERTIFICATE-----"
#define E "-----END CERTIFICATE-----"

static const char *const what_stands_around_blocks_is_passed_over_rows[] = {
	B "\n%1" E "\n" B "\n%2" E,
	"# the server's chain\n" B "\n%1" E "\nsubject=CN = x\n\n" B "\n%2" E "\nend\n",
	B "  \r\n%1" E "\t\r\n\r\n" B "\n%2" E "\r\n",
	"- dashes -- and ---\n" B "\n%1" E "\n" B "\n%2" E "\n",
};

START_TEST(what_stands_around_blocks_is_passed_over)
{
	struct bundle bundle = BUNDLE_INIT;
	struct err err = {0};
	struct buf buf;

	compose(&buf, what_stands_around_blocks_is_passed_over_rows[_i]);
	ck_ok(bundle_from_pem(&bundle, buf.data, buf.len, "t", &err), &err);
	ck_assert(bundle_equal(&bundle, &older.bundle));
	bundle_release(&bundle);
	buf_release(&buf);
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} damaged_text_is_refused_rows[] = {
	{"", "f: no certificate in it"},
	{"just a comment\n", "f: no certificate in it"},
	/* the form with which PostgreSQL keeps its old files at a reload and fails at a
	   start */
	{B "\n%1" E B "\n%2" E "\n", "f: block 1 (line 1): something is glued to its END line"},
	{B "\n%1" E "# x\n", "f: block 1 (line 1): something is glued to its END line"},
	{"x " B "\n%1" E "\n", "f: line 1: the BEGIN of block 1 has no line of its own"},
	{B "\n%1" E "\n  " B "\n%2  " E "\n", "the line with dashes is indented"},
	{B "\n%1", "f: block 1 (line 1) is truncated: it has no END line"},
	{B "\n%1" B "\n%2" E "\n", "f: block 1 (line 1) is truncated: it has no END line"},
	{B "\n%1" E "\n%2" E "\n", "an END without a BEGIN"},
	{B "\n" E "\n", "f: block 1 (line 1) is empty"},
	{B "\n%1" E "\n" B "\nMIIB!!!\n" E "\n", "is not base64"},
	{B "\n\n%1" E "\n", "f: certificate 1 (line 1): line 2 is not base64"},
	{B "\nTWFu\n" E "\n", "f: certificate 1 (line 1): not a certificate"},
	{B "\n%1" E "\n" B "\nMIIB\n" E "\n", "not a certificate"},
	{B "\nA\n" E "\n", "f: certificate 1 (line 1) cannot be decoded"},
	{B "\n%1-----END X509 CRL-----\n", "BEGIN and END name different things"},
	{"-----BEGIN X509 CRL-----\nTWFu\n-----END X509 CRL-----\n",
	 "f: block 1 (line 1) is 'X509 CRL', not a certificate"},
	{"-----BEGIN \x1b[2J-----\nTWFu\n-----END \x1b[2J-----\n", "is '??2J'"},
	{"-----BEGIN TRUSTED CERTIFICATE-----\n%1-----END TRUSTED CERTIFICATE-----\n",
	 "is 'TRUSTED CERTIFICATE', not a certificate"},
	{B "\n%1" E "\n-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n"
	   "-----END EC PRIVATE KEY-----\n",
	 "block 2 (line "},
};

START_TEST(damaged_text_is_refused)
{
	struct bundle bundle = BUNDLE_INIT;
	struct err err = {0};
	struct buf buf;

	ck_ok(bundle_add(&bundle, newer.root, &err), &err);
	compose(&buf, damaged_text_is_refused_rows[_i].text);
	ck_assert_int_eq(bundle_from_pem(&bundle, buf.data, buf.len, "f", &err), ERR_FAIL);
	ck_contains(err.msg, damaged_text_is_refused_rows[_i].message);
	ck_assert_uint_eq(bundle.count, 1);
	bundle_release(&bundle);
	buf_release(&buf);
}
END_TEST

START_TEST(a_private_key_is_named_without_its_content)
{
	static const char pem[] =
		"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
	struct bundle bundle = BUNDLE_INIT;
	struct err err = {0};

	ck_assert_int_eq(bundle_from_pem(&bundle, pem, strlen(pem), "certs.yml", &err), ERR_FAIL);
	ck_assert_str_eq(err.msg,
			 "certs.yml: block 1 (line 1) is a private key, not a certificate");
	ck_contains(err.hint, "vault");
	ck_assert_ptr_null(strstr(err.hint, "c2VjcmV0"));
}
END_TEST

START_TEST(one_certificate_is_one)
{
	struct cert *cert = NULL;
	struct err err = {0};
	struct buf buf;

	ck_assert_int_eq(cert_from_pem(&cert, text.data, text.len, "db1", &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "db1: 2 certificates where one is expected");
	ck_assert_ptr_null(cert);
	compose(&buf, B "\n%2" E "\n");
	ck_ok(cert_from_pem(&cert, buf.data, buf.len, "db1", &err), &err);
	ck_assert(cert_equal(cert, older.root));
	cert_free(cert);
	buf_release(&buf);
}
END_TEST

START_TEST(merging_puts_the_newer_first_and_each_once)
{
	struct bundle merged = BUNDLE_INIT, again = BUNDLE_INIT, shared = BUNDLE_INIT;
	struct err err = {0};

	ck_ok(bundle_merge(&merged, &newer.bundle, &older.bundle, &err), &err);
	ck_assert_uint_eq(merged.count, 4);
	ck_assert(cert_equal(merged.items[0], newer.ca));
	ck_assert(cert_equal(merged.items[1], newer.root));
	ck_assert(cert_equal(merged.items[2], older.ca));
	ck_assert(cert_equal(merged.items[3], older.root));
	ck_assert(bundle_contains(&merged, older.root));
	ck_assert(!bundle_contains(&newer.bundle, older.root));
	/* merging what is merged changes nothing */
	ck_ok(bundle_merge(&again, &newer.bundle, &merged, &err), &err);
	ck_assert(bundle_equal(&again, &merged));
	/* and a root that both have stands once, with the newer */
	ck_ok(bundle_add(&shared, newer.root, &err), &err);
	ck_ok(bundle_add(&shared, older.root, &err), &err);
	ck_ok(bundle_add(&shared, older.root, &err), &err);
	bundle_release(&again);
	ck_ok(bundle_merge(&again, &shared, &older.bundle, &err), &err);
	ck_assert_uint_eq(again.count, 3);
	ck_assert(cert_equal(again.items[2], older.ca));
	bundle_release(&merged);
	bundle_release(&again);
	bundle_release(&shared);
}
END_TEST

START_TEST(bundles_have_fingerprints)
{
	char one[65], two[65], three[65];
	struct bundle turned = BUNDLE_INIT, copy = BUNDLE_INIT;
	struct err err = {0};

	ck_ok(bundle_add(&turned, older.root, &err), &err);
	ck_ok(bundle_add(&turned, older.ca, &err), &err);
	ck_ok(bundle_copy(&copy, &older.bundle, &err), &err);
	ck_ok(bundle_fingerprint(one, &older.bundle, &err), &err);
	ck_ok(bundle_fingerprint(two, &turned, &err), &err);
	ck_ok(bundle_fingerprint(three, &copy, &err), &err);
	ck_assert_uint_eq(strlen(one), 64);
	ck_assert_str_ne(one, two);
	ck_assert_str_eq(one, three);
	ck_assert(!bundle_equal(&turned, &copy));
	bundle_release(&turned);
	bundle_release(&copy);
}
END_TEST

START_TEST(the_first_to_expire_is_found)
{
	struct bundle bundle = BUNDLE_INIT;
	struct key *key = NULL;
	struct cert *leaf;
	struct err err = {0};

	ck_assert_ptr_null(bundle_first_to_expire(&bundle));
	leaf = test_server(&older, &key, "db1.example.com");
	ck_ok(bundle_copy(&bundle, &older.bundle, &err), &err);
	ck_ok(bundle_add(&bundle, leaf, &err), &err);
	ck_assert_ptr_eq(bundle_first_to_expire(&bundle), leaf);
	bundle_release(&bundle);
	cert_free(leaf);
	key_free(key);
}
END_TEST

Suite *bundle_suite(void)
{
	Suite *suite = suite_create("bundle");
	TCase *tcase = tcase_create("bundle");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_bundle_survives_its_text);
	tcase_add_test(tcase, what_is_known_is_not_made_again);
	tcase_add_loop_test(tcase, what_stands_around_blocks_is_passed_over, 0,
			    ROWS(what_stands_around_blocks_is_passed_over_rows));
	tcase_add_loop_test(tcase, damaged_text_is_refused, 0, ROWS(damaged_text_is_refused_rows));
	tcase_add_test(tcase, a_private_key_is_named_without_its_content);
	tcase_add_test(tcase, one_certificate_is_one);
	tcase_add_test(tcase, merging_puts_the_newer_first_and_each_once);
	tcase_add_test(tcase, bundles_have_fingerprints);
	tcase_add_test(tcase, the_first_to_expire_is_found);
	suite_add_tcase(suite, tcase);
	return suite;
}
