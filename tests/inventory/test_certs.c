/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/certs.h"
#include "inventory/splice.h"
#include "tests/inventory/suites.h"

#define NEW	  "-----BEGIN-----\nAa+/=\n-----END-----\n"
#define MAX	  ((size_t)1 << 20)
#define FILE_NAME "certs.yml"

static struct certs *open_text(const char *text)
{
	struct certs *certs = NULL;
	struct err err = {0};

	ck_ok(certs_open(&certs, text, strlen(text), FILE_NAME, NULL, &err), &err);
	return certs;
}

/* The edited text; free() it. */
static char *edit(const char *text, const struct certs_change *changes, size_t count)
{
	struct certs *certs = open_text(text);
	struct err err = {0};
	struct buf out;
	int rc;

	buf_init(&out, MAX);
	rc = certs_edit(&out, certs, changes, count, &err);
	ck_assert_msg(rc == 0, "%s in:\n%s", err.msg, text);
	certs_close(certs);
	return buf_detach(&out);
}

static struct certs_change change_of(enum certs_verb verb, const char *name, const char *text)
{
	return (struct certs_change){
		.verb = verb,
		.kind = strcmp(name, CHAIN_NAME) ? CERTS_LEAF : CERTS_CHAIN,
		.authority = "server",
		.name = name,
		.text = text,
		.len = text ? strlen(text) : 0,
	};
}

struct row {
	const char *before;
	const char *after;
};

/* Each row: db1 becomes NEW, and then its raw text of before again. */
static const struct row styles[] = {
	/* literal: indicators, comment, blank lines and comments behind it stay */
	{"certs:\n  server:\n    db1: |\n      OLD\n    db2: |\n      X\n",
	 "certs:\n  server:\n    db1: |\n      -----BEGIN-----\n      Aa+/=\n      -----END-----\n"
	 "    db2: |\n      X\n"},
	{"certs:\n  server:\n    db1: |-  # é\n      OLD\n\n      # text\n\n   # low\n\nx: é\n",
	 "certs:\n  server:\n    db1: |-  # é\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\n\n   # low\n\nx: é\n"},
	{"certs:\n  server:\n    db1: |+\n      OLD\n\n\nx: 1\n",
	 "certs:\n  server:\n    db1: |+\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\n\n\nx: 1\n"},
	{"certs:\n server:\n  db1: |3-\n      OLD\n  db2: x\n",
	 "certs:\n server:\n  db1: |3-\n     -----BEGIN-----\n     Aa+/=\n     -----END-----\n"
	 "  db2: x\n"},
	{"certs:\n  server:\n    db1:\n      |\n     OLD",
	 "certs:\n  server:\n    db1:\n      |\n     -----BEGIN-----\n     Aa+/=\n"
	 "     -----END-----"},
	{"certs:\r\n  server:\r\n    db1: |\r\n        OLD\r\n        OLD\r\n\r\n    db2: |\r\n    "
	 " X\r\n",
	 "certs:\r\n  server:\r\n    db1: |\r\n        -----BEGIN-----\r\n        Aa+/=\r\n"
	 "        -----END-----\r\n\r\n    db2: |\r\n     X\r\n"},
	{"\xef\xbb\xbf"
	 "certs:\n  server:\n    \"é\": 'ü'\n    db1: !!str |\n      OLD\n",
	 "\xef\xbb\xbf"
	 "certs:\n  server:\n    \"é\": 'ü'\n    db1: !!str |\n      -----BEGIN-----\n"
	 "      Aa+/=\n      -----END-----\n"},
	{"certs:\n  server:\n    db1: |\n    db2: |\n       X\n",
	 "certs:\n  server:\n    db1: |\n       -----BEGIN-----\n       Aa+/=\n"
	 "       -----END-----\n    db2: |\n       X\n"},
	/* double-quoted: in one line, with the line ends at the end that it had */
	{"certs:\n  server:\n    db1: \"OLD\\n\" # c\n",
	 "certs:\n  server:\n    db1: \"-----BEGIN-----\\nAa+/=\\n-----END-----\\n\" # c\n"},
	{"certs:\n  server:\n    db1: \"OLD\\n\\\n      OLD\"\n    db2: x\n",
	 "certs:\n  server:\n    db1: \"-----BEGIN-----\\nAa+/=\\n-----END-----\"\n    db2: x\n"},
	/* flow: double-quoted whatever it was */
	{"certs: {server: {db1: OLD, db2: x}} # c\n",
	 "certs: {server: {db1: \"-----BEGIN-----\\nAa+/=\\n-----END-----\\n\", db2: x}} # c\n"},
	{"{\"certs\": {\"server\": {\"db1\":\"OLD\\n\",\n\"db2\":'x'}}}",
	 "{\"certs\": {\"server\": {\"db1\":\"-----BEGIN-----\\nAa+/=\\n-----END-----\\n\",\n"
	 "\"db2\":'x'}}}"},
	{"certs: {server: {db1: 'OLD', db2: x}}\n",
	 "certs: {server: {db1: \"-----BEGIN-----\\nAa+/=\\n-----END-----\\n\", db2: x}}\n"},
	{"certs: {server: {db1: , db2: x}}\n",
	 "certs: {server: {db1: \"-----BEGIN-----\\nAa+/=\\n-----END-----\\n\", db2: x}}\n"},
	/* folded, single-quoted, plain, null in a block: literal */
	{"certs:\n  server:\n    db1: >- # c\n      OLD\n\n    db2: x\n",
	 "certs:\n  server:\n    db1: |- # c\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\n\n    db2: x\n"},
	{"certs:\n    server:\n        db1: 'OLD\n\n          y' # c\n        db2: x\n",
	 "certs:\n    server:\n        db1: | # c\n            -----BEGIN-----\n            Aa+/=\n"
	 "            -----END-----\n        db2: x\n"},
	{"certs:\n  server:\n    db1: OLD\n    db2: |\n         X\n",
	 "certs:\n  server:\n    db1: |\n         -----BEGIN-----\n         Aa+/=\n"
	 "         -----END-----\n    db2: |\n         X\n"},
	{"certs:\n  server:\n    db1: OLD  ",
	 "certs:\n  server:\n    db1: |  \n"
	 "      -----BEGIN-----\n      Aa+/=\n      -----END-----"},
	{"certs:\n  server:\n    db1:\n    db2: x\n",
	 "certs:\n  server:\n    db1: |\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\n    db2: x\n"},
	{"certs:\n  server:\n    db1: # c\n    db2: x\n",
	 "certs:\n  server:\n    db1: | # c\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\n    db2: x\n"},
	{"certs:\n  server:\n    db1: ~\n", "certs:\n  server:\n    db1: |\n      "
					    "-----BEGIN-----\n      Aa+/=\n      -----END-----\n"},
	{"certs:\n  server:\n    ? db1\n    : |\n      OLD\n    ? db2\n    : x\n",
	 "certs:\n  server:\n    ? db1\n    : |\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\n    ? db2\n    : x\n"},
};

START_TEST(a_value_is_set_in_its_style_and_restored)
{
	const struct row *row = &styles[_i];
	struct certs *certs = open_text(row->before);
	const struct certs_entry *old = certs_find(certs, CERTS_LEAF, "server", "db1");
	struct certs_change change = change_of(CERTS_SET, "db1", NEW);
	char *after = edit(row->before, &change, 1);
	struct certs *changed = open_text(after);
	const struct certs_entry *entry = certs_find(changed, CERTS_LEAF, "server", "db1");
	char *back;

	ck_assert_str_eq(after, row->after);
	ck_assert(certs_same(entry->value, entry->len, NEW, strlen(NEW)));
	change.verb = CERTS_RESTORE;
	change.text = old->value;
	change.len = old->len;
	change.raw = old->raw;
	change.raw_len = old->raw_len;
	back = edit(after, &change, 1);
	ck_assert_str_eq(back, row->before);
	certs_close(certs);
	certs_close(changed);
	free(after);
	free(back);
}
END_TEST

/* Each row: db3 is put in, and taken out again (which need not give before: see the text). */
static const struct row insertions[] = {
	{"certs:\n  server:\n    db1: |\n      X\n\n  # c\n  client:\n    u: |\n      Y\n",
	 "certs:\n  server:\n    db1: |\n      X\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\n\n  # c\n  client:\n    u: |\n      Y\n"},
	{"---\n\"certs\":\n  \"server\":\n    \"db1\": |-\n        X",
	 "---\n\"certs\":\n  \"server\":\n    \"db1\": |-\n        X\n    \"db3\": |-\n"
	 "        -----BEGIN-----\n        Aa+/=\n        -----END-----\n"},
	{"certs:\n  server:\n    db1: |\n      X",
	 "certs:\n  server:\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n      -----END-----\n"
	 "    db1: |\n      X"},
	{"certs:\n  server:\n    db1: \"X\\n\" # c\nx: 1\n",
	 "certs:\n  server:\n    db1: \"X\\n\" # c\n    db3: "
	 "\"-----BEGIN-----\\nAa+/=\\n-----END-----"
	 "\\n\"\nx: 1\n"},
	{"certs:\n  server:\n    db1: 'X' # c",
	 "certs:\n  server:\n    db1: 'X' # c\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\n"},
	{"certs: {server: {db1: 'X'}, client: {}}\n",
	 "certs: {server: {db1: 'X', db3: \"-----BEGIN-----\\nAa+/=\\n-----END-----\\n\"}, "
	 "client: {}}\n"},
	{"certs: {server: {}}\n",
	 "certs: {server: {db3: \"-----BEGIN-----\\nAa+/=\\n-----END-----\\n\"}}\n"},
	{"certs: {server: }\n",
	 "certs: {server: {db3: \"-----BEGIN-----\\nAa+/=\\n-----END-----\\n\"}}\n"},
	{"certs: {}\n", "certs: {server: {db3: \"-----BEGIN-----\\nAa+/=\\n-----END-----\\n\"}}\n"},
	{"certs:\n  server: # c\n  client:\n    u: |\n      Y\n",
	 "certs:\n  server: # c\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n      "
	 "-----END-----\n"
	 "  client:\n    u: |\n      Y\n"},
	{"certs:\n  server: ~\nx: 1\n",
	 "certs:\n  server: \n    db3: |\n      -----BEGIN-----\n      Aa+/=\n      -----END-----\n"
	 "x: 1\n"},
	{"certs:\n    'client':\n        u: |\n            Y\n# end\nx: 1\n",
	 "certs:\n    'client':\n        u: |\n            Y\n    'server':\n        db3: |\n"
	 "            -----BEGIN-----\n            Aa+/=\n            -----END-----\n# end\nx: "
	 "1\n"},
	{"\"certs\":\n  \"server\":\nx: 1\n",
	 "\"certs\":\n  \"server\":\n    \"db3\": |\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\nx: 1\n"},
	{"certs:\nx: 1\n",
	 "certs:\n  server:\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n      -----END-----\n"
	 "x: 1\n"},
	{"x: 1\n# end\n",
	 "x: 1\ncerts:\n  server:\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n"
	 "      -----END-----\n# end\n"},
	{"", "certs:\n  server:\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n      "
	     "-----END-----\n"},
	{"---", "---\ncerts:\n  server:\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n"
		"      -----END-----\n"},
	{"---\n...\n", "---\ncerts:\n  server:\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n"
		       "      -----END-----\n...\n"},
	{"# c", "# c\ncerts:\n  server:\n    db3: |\n      -----BEGIN-----\n      Aa+/=\n"
		"      -----END-----\n"},
	{"\xef\xbb\xbf", "\xef\xbb\xbf"
			 "certs:\n  server:\n    db3: |\n      -----BEGIN-----\n"
			 "      Aa+/=\n      -----END-----\n"},
	{"certs:\r\n  server:\r\n    db1: |\r\n      X\r\n",
	 "certs:\r\n  server:\r\n    db1: |\r\n      X\r\n    db3: |\r\n      -----BEGIN-----\r\n"
	 "      Aa+/=\r\n      -----END-----\r\n"},
};

START_TEST(an_entry_is_put_in_behind_the_last)
{
	const struct row *row = &insertions[_i];
	struct certs_change change = change_of(CERTS_INSERT, "db3", NEW);
	char *after = edit(row->before, &change, 1);

	ck_assert_str_eq(after, row->after);
	free(after);
}
END_TEST

static const struct row removals[] = {
	{"certs:\n  server:\n    chain: |\n      C\n    # db1\n    db1: | # c\n      X\n\n    db2: "
	 "|\n      Y\n",
	 "certs:\n  server:\n    chain: |\n      C\n    # db1\n\n    db2: |\n      Y\n"},
	{"certs:\n  server:\n    chain: |+\n      C\n    db1: |\n      X\n\n \n    db2: |\n      "
	 "Y\n",
	 "certs:\n  server:\n    chain: |+\n      C\n    db2: |\n      Y\n"},
	{"certs:\n  server:\n    db1: \"X\" # c\n    db2: Y\n", "certs:\n  server:\n    db2: Y\n"},
	{"certs:\n  server:\n    db2: Y\n    db1: |\n      X", "certs:\n  server:\n    db2: Y\n"},
	{"certs:\n  server:\n    db1: |\n      X\nx: 1\n", "certs:\n  server:\nx: 1\n"},
	{"certs: {server: {db1: X, db2: Y}}\n", "certs: {server: {db2: Y}}\n"},
	{"certs: {server: {db2: Y, db1: X}}\n", "certs: {server: {db2: Y, }}\n"},
	{"certs: {server: {db1: X}}\n", "certs: {server: {}}\n"},
	{"certs:\n  server:\n    ? db1\n    : X\n    ? db2\n    : Y\n",
	 "certs:\n  server:\n    ? db2\n    : Y\n"},
};

START_TEST(an_entry_is_taken_out)
{
	const struct row *row = &removals[_i];
	struct certs_change change = change_of(CERTS_REMOVE, "db1", NULL);
	char *after = edit(row->before, &change, 1);

	ck_assert_str_eq(after, row->after);
	free(after);
}
END_TEST

START_TEST(several_changes_go_together)
{
	static const char before[] =
		"certs:\n  server:\n    chain: |\n      C\n    db1: |\n      X\n"
		"    db2: |\n      Y\n";
	struct certs_change changes[] = {
		change_of(CERTS_INSERT, "db3", "Z\n"),	 change_of(CERTS_REMOVE, "db1", NULL),
		change_of(CERTS_SET, CHAIN_NAME, "D\n"), change_of(CERTS_INSERT, "on", "Z\n"),
		change_of(CERTS_INSERT, "u", "Z\n"),	 change_of(CERTS_INSERT, "db3", "K\n"),
		change_of(CERTS_SET, "db2", "N\n"),
	};
	char *text;

	changes[4].authority = "client";
	changes[5].kind = CERTS_KEY;
	text = edit(before, changes, 7);
	/* db2 is the last that stays: the new ones stand behind it */
	ck_assert_str_eq(text, "certs:\n  server:\n    chain: |\n      D\n    db2: |\n      N\n"
			       "    db3: |\n      Z\n    \"on\": |\n      Z\n"
			       "  client:\n    u: |\n      Z\n"
			       "private_keys:\n  server:\n    db3: |\n      K\n");
	free(text);
	changes[6].verb = CERTS_REMOVE;
	changes[2].verb = CERTS_REMOVE;
	text = edit(before, changes, 7);
	ck_assert_str_eq(text, "certs:\n  server:\n    db3: |\n      Z\n    \"on\": |\n      Z\n"
			       "  client:\n    u: |\n      Z\n"
			       "private_keys:\n  server:\n    db3: |\n      K\n");
	free(text);
}
END_TEST

Suite *certs_suite(void)
{
	Suite *suite = suite_create("certs");
	TCase *tc = tcase_create("certs");

	tcase_add_loop_test(tc, a_value_is_set_in_its_style_and_restored, 0,
			    sizeof(styles) / sizeof(styles[0]));
	tcase_add_loop_test(tc, an_entry_is_put_in_behind_the_last, 0,
			    sizeof(insertions) / sizeof(insertions[0]));
	tcase_add_loop_test(tc, an_entry_is_taken_out, 0, sizeof(removals) / sizeof(removals[0]));
	tcase_add_test(tc, several_changes_go_together);
	suite_add_tcase(suite, tc);
	return suite;
}
