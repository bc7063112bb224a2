/* SPDX-License-Identifier: PostgreSQL */
/* The files that chainsmith writes, vaults inside a file, and clear text of vaults. */
#include <stdlib.h>
#include <string.h>

#include "base/strs.h"
#include "inventory/certs.h"
#include "tests/inventory/suites.h"

#define FIXTURE "tests/data/chainsmith-python/environments/poc/group_vars/all/certs.yml"

START_TEST(the_python_chainsmiths_file_is_read_and_edited)
{
	static const char *const names[] = {"application", "avchecker",	      "chain",
					    "pgfga",	   "pgquartz",	      "postgres",
					    "chain",	   "db1.example.com", "db2.example.com"};
	struct certs_change changes[9];
	struct certs *certs = NULL, *changed = NULL;
	struct err err = {0};
	struct buf out, back;
	char *text;
	size_t len;

	text = test_read(FIXTURE, &len);
	ck_ok(certs_open(&certs, text, len, FIXTURE, NULL, &err), &err);
	ck_assert_uint_eq(certs_count(certs), 9);
	ck_assert(certs_has_root(certs, CERTS_ROOT) && !certs_has_root(certs, KEYS_ROOT));
	for (size_t i = 0; i < 9; i++) {
		const struct certs_entry *entry = certs_at(certs, i);

		ck_assert_str_eq(entry->name, names[i]);
		ck_assert_int_eq(entry->style, YAML_STYLE_LITERAL);
		ck_assert_ptr_eq(strstr(entry->value, "-----BEGIN CERTIFICATE-----\n"),
				 entry->value);
		changes[i] = (struct certs_change){CERTS_SET,	entry->kind, entry->authority,
						   entry->name, "new\n",     4,
						   NULL,	0,	     false};
	}
	ck_assert_uint_eq(certs_at(certs, 7)->line, 309);
	buf_init(&out, BUF_TEXT_MAX);
	buf_init(&back, BUF_TEXT_MAX);
	ck_ok(certs_edit(&out, certs, changes, 9, &err), &err);
	ck_contains(out.data,
		    "\n    \"db1.example.com\": |\n      new\n    \"db2.example.com\": |\n");
	ck_ok(certs_open(&changed, out.data, out.len, "changed", NULL, &err), &err);
	for (size_t i = 0; i < 9; i++) {
		const struct certs_entry *entry = certs_at(certs, i);

		changes[i].text = entry->value;
		changes[i].len = entry->len;
	}
	/* Without the raw texts: what the encoder writes is what chainsmith wrote. */
	ck_ok(certs_edit(&back, changed, changes, 9, &err), &err);
	ck_assert_str_eq(back.data, text);
	certs_close(certs);
	certs_close(changed);
	buf_release(&out);
	buf_release(&back);
	free(text);
}
END_TEST

/* One document with both roots and plain keys, as the Go chainsmith prints it. */
static const char go_form[] = "certs:\n"
			      "  client:\n"
			      "    chain: |\n"
			      "      chain of client\n"
			      "    postgres: |\n"
			      "      cert of postgres\n"
			      "  server:\n"
			      "    db1.example.com: |\n"
			      "      cert of db1\n"
			      "    chain: |\n"
			      "      chain of server\n"
			      "private_keys:\n"
			      "  client:\n"
			      "    postgres: |\n"
			      "      key of postgres\n"
			      "  server:\n"
			      "    db1.example.com: |\n"
			      "      key of db1\n";

START_TEST(clear_text_of_vaults_stays_in_the_arena)
{
	struct certs_change changes[] = {
		{CERTS_SET, CERTS_KEY, "server", "db1.example.com", "new\n", 4, NULL, 0, false},
		{CERTS_INSERT, CERTS_KEY, "server", "db2", "two\n", 4, NULL, 0, false},
		{CERTS_REMOVE, CERTS_LEAF, "client", "postgres", NULL, 0, NULL, 0, false},
	};
	struct arena *arena = arena_new(100000);
	const struct certs_entry *entry;
	struct certs *certs = NULL;
	struct secret_buf out;
	struct secret result = {0};
	struct err err = {0};

	ck_ok(certs_open(&certs, go_form, sizeof(go_form) - 1, "vault", arena, &err), &err);
	ck_assert_uint_eq(certs_count(certs), 6);
	entry = certs_find(certs, CERTS_KEY, "server", "db1.example.com");
	ck_assert_str_eq(entry->value, "key of db1\n");
	ck_assert_ptr_null(certs_find(certs, CERTS_LEAF, "server", "chain"));
	ck_assert_str_eq(certs_find(certs, CERTS_CHAIN, "server", NULL)->value,
			 "chain of server\n");
	secret_buf_init(&out, arena);
	ck_ok(certs_edit_secret(&out, certs, changes, 3, &err), &err);
	ck_ok(secret_buf_done(&result, &out, "x", &err), &err);
	ck_contains(result.data, "    db1.example.com: |\n      new\n    db2: |\n      two\n");
	ck_assert_ptr_null(strstr(result.data, "cert of postgres"));
	certs_close(certs);
	arena_free(arena);
}
END_TEST

START_TEST(messages_hold_no_text_of_a_value)
{
	static const char text[] = "private_keys:\n  server:\n    db1: |\n      sesame\n"
				   "     sesame\n";
	struct arena *arena = arena_new(100000);
	struct certs *certs = NULL;
	struct err err = {0};

	ck_assert_int_eq(certs_open(&certs, text, sizeof(text) - 1, "v", arena, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "v:5: private_keys.server: did not find expected key");
	ck_assert_ptr_null(strstr(err.hint, "sesame"));
	arena_free(arena);
}
END_TEST

/* db1's value by the vault flag of the change, and back. */
static const struct {
	const char *before;
	bool vault;
	const char *after;
} vaults[] = {
	{"certs:\n  server:\n    db1: !vault |\n          old\n", true,
	 "certs:\n  server:\n    db1: !vault |\n          $V\n          66\n"},
	{"certs:\n  server:\n    db1: !vault |\n          old\n", false,
	 "certs:\n  server:\n    db1: |\n          $V\n          66\n"},
	{"certs:\n  server:\n    db1: |  # c\n        old\n", true,
	 "certs:\n  server:\n    db1: !vault |  # c\n        $V\n        66\n"},
	{"certs:\n  server:\n    db1: !!str 'old' # c\n", true,
	 "certs:\n  server:\n    db1: !vault | # c\n      $V\n      66\n"},
	{"certs:\n  server:\n    db1:\n", true,
	 "certs:\n  server:\n    db1: !vault |\n      $V\n      66\n"},
	{"certs: {server: {db1: old}}\n", true, "certs: {server: {db1: !vault \"$V\\n66\\n\"}}\n"},
	{"certs: {server: {db1: !vault \"old\\n\"}}\n", false,
	 "certs: {server: {db1: \"$V\\n66\\n\"}}\n"},
};

START_TEST(inline_vaults_come_and_go)
{
	struct certs_change change = {CERTS_SET, CERTS_LEAF, "server", "db1",		"$V\n66\n",
				      6,	 NULL,	     0,	       vaults[_i].vault};
	const char *before = vaults[_i].before;
	struct certs *certs = NULL, *changed = NULL;
	const struct certs_entry *entry;
	struct err err = {0};
	struct buf out, back;

	buf_init(&out, 1000);
	buf_init(&back, 1000);
	ck_ok(certs_open(&certs, before, strlen(before), "v", NULL, &err), &err);
	ck_ok(certs_edit(&out, certs, &change, 1, &err), &err);
	ck_assert_str_eq(out.data, vaults[_i].after);
	ck_ok(certs_open(&changed, out.data, out.len, "v", NULL, &err), &err);
	ck_assert_int_eq(certs_at(changed, 0)->vault, vaults[_i].vault);
	entry = certs_at(certs, 0);
	change = (struct certs_change){CERTS_RESTORE, CERTS_LEAF,     "server",
				       "db1",	      entry->value,   entry->len,
				       entry->raw,    entry->raw_len, entry->vault};
	ck_ok(certs_edit(&back, changed, &change, 1, &err), &err);
	ck_assert_str_eq(back.data, before);
	certs_close(certs);
	certs_close(changed);
	buf_release(&out);
	buf_release(&back);
}
END_TEST

/* Texts that a literal block can't hold. */
START_TEST(odd_texts_are_escaped)
{
	static const char before[] = "certs:\n  server:\n    db1: | # c\n      old\n";
	static const struct {
		const char *text;
		const char *value;
	} rows[] = {
		{" a\n", "\" a\\n\" # c"},
		{"\ta\n", "\"\\ta\\n\" # c"},
		{"a\r\nb\r\n", "\"a\\r\\nb\\n\" # c"},
		{"a\x07\x7f\xc2\x85\xe2\x80\xa8\xef\xbb\xbf\n",
		 "\"a\\x07\\x7f\\x85\\u2028\\ufeff\\n\" # c"},
		{"", "\"\\n\" # c"},
		{"\n\na \xf0\x9f\x94\x91\n \n", "| # c\n\n\n      a \xf0\x9f\x94\x91\n       "},
	};
	struct certs *certs = NULL;
	struct err err = {0};

	ck_ok(certs_open(&certs, before, sizeof(before) - 1, "v", NULL, &err), &err);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct certs_change change = {CERTS_SET,    CERTS_LEAF,		  "server", "db1",
					      rows[i].text, strlen(rows[i].text), NULL,	    0,
					      false};
		char *wanted = str_fmt("certs:\n  server:\n    db1: %s\n", rows[i].value);
		struct buf out;

		buf_init(&out, 1000);
		ck_ok(certs_edit(&out, certs, &change, 1, &err), &err);
		ck_assert_str_eq(out.data, wanted);
		free(wanted);
		buf_release(&out);
	}
	certs_close(certs);
}
END_TEST

START_TEST(an_inserted_entry_takes_its_raw_text)
{
	static const char before[] = "certs:\n  server:\n    db1: |\n      old\n";
	struct certs_change changes[] = {
		{CERTS_INSERT, CERTS_LEAF, "server", "db2", "a\n", 2, "|- # c\n     a", 13, false},
		{CERTS_INSERT, CERTS_LEAF, "server", "db3", "a\n", 2, "|- # c\n  a", 10, false}};
	struct certs *certs = NULL;
	struct err err = {0};
	struct buf out;

	buf_init(&out, 1000);
	ck_ok(certs_open(&certs, before, sizeof(before) - 1, "v", NULL, &err), &err);
	ck_ok(certs_edit(&out, certs, changes, 2, &err), &err);
	ck_assert_str_eq(out.data, "certs:\n  server:\n    db1: |\n      old\n    db2: |- # c\n"
				   "     a\n    db3: |\n      a\n");
	certs_close(certs);
	buf_release(&out);
}
END_TEST

Suite *certs_files_suite(void)
{
	Suite *suite = suite_create("certs_files");
	TCase *tc = tcase_create("certs_files");

	tcase_add_test(tc, the_python_chainsmiths_file_is_read_and_edited);
	tcase_add_test(tc, clear_text_of_vaults_stays_in_the_arena);
	tcase_add_test(tc, messages_hold_no_text_of_a_value);
	tcase_add_loop_test(tc, inline_vaults_come_and_go, 0, sizeof(vaults) / sizeof(vaults[0]));
	tcase_add_test(tc, odd_texts_are_escaped);
	tcase_add_test(tc, an_inserted_entry_takes_its_raw_text);
	suite_add_tcase(suite, tc);
	return suite;
}
