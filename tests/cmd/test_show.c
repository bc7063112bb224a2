/* SPDX-License-Identifier: PostgreSQL */
/* What a difference shows in place of certificates. */
#include <stdlib.h>
#include <string.h>

#include "cmd/show.h"
#include "tests/cmd/suites.h"
#include "tests/support/pki.h"

static struct test_chain older, newer;
static struct err err;

static void setup(void)
{
	test_chain_init(&older, "server");
	test_chain_init(&newer, "server G2");
	err_clear(&err);
}

static void teardown(void)
{
	test_chain_release(&older);
	test_chain_release(&newer);
}

/* "WORD: |" and the certificate, indented by two. */
static void add_value(struct buf *out, const char *word, const struct cert *cert)
{
	struct buf pem;
	char *save = NULL;

	buf_init(&pem, BUF_TEXT_MAX);
	ck_ok(cert_to_pem(&pem, cert, &err), &err);
	buf_addf(out, "%s: |\n", word);
	for (char *line = strtok_r(pem.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		buf_addf(out, "  %s\n", line);
	buf_release(&pem);
}

START_TEST(equal_certificates_have_one_mark_and_are_told_by_name)
{
	struct shown shown = SHOWN_INIT;
	struct buf text, marked, out;

	buf_init(&text, BUF_TEXT_MAX);
	buf_init(&marked, BUF_TEXT_MAX);
	buf_init(&out, BUF_TEXT_MAX);
	add_value(&text, "a", older.ca);
	add_value(&text, "b", newer.ca);
	add_value(&text, "c", older.ca);
	buf_adds(&text,
		 "d: |\n  -----BEGIN CERTIFICATE-----\n  junk\n  -----END CERTIFICATE-----\n");
	ck_assert(shown_can_mark(text.data, text.len));
	ck_ok(shown_mark(&marked, &shown, text.data, text.len, &err), &err);
	ck_assert_uint_eq(shown.texts.count, 3);
	ck_assert_ptr_null(strstr(marked.data, "BEGIN"));
	ck_assert(!shown_can_mark(marked.data, marked.len));
	ck_ok(shown_expand(&out, &shown, marked.data, marked.len, &err), &err);
	ck_assert_ptr_nonnull(strstr(out.data, "a: |\n  [CN=server by CN=server root, until "));
	ck_assert_ptr_nonnull(strstr(out.data, "b: |\n  [CN=server G2 by CN=server G2 root, "));
	ck_assert_ptr_nonnull(strstr(out.data, "c: |\n  [CN=server by CN=server root, until "));
	ck_assert_ptr_nonnull(strstr(out.data, "d: |\n  -----BEGIN CERTIFICATE-----\n  junk\n"));
	buf_release(&text);
	buf_release(&marked);
	buf_release(&out);
	shown_release(&shown);
}
END_TEST

START_TEST(a_mark_that_was_not_made_stays)
{
	static const char text[] = "a \xff"
				   "7\xff b";
	struct shown shown = SHOWN_INIT;
	struct buf out;

	buf_init(&out, BUF_TEXT_MAX);
	ck_ok(shown_expand(&out, &shown, text, sizeof(text) - 1, &err), &err);
	ck_assert_str_eq(out.data, text);
	ck_assert(shown_can_mark(NULL, 0));
	buf_release(&out);
}
END_TEST

Suite *show_suite(void)
{
	Suite *suite = suite_create("show");
	TCase *tcase = tcase_create("show");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, equal_certificates_have_one_mark_and_are_told_by_name);
	tcase_add_test(tcase, a_mark_that_was_not_made_stays);
	suite_add_tcase(suite, tcase);
	return suite;
}
