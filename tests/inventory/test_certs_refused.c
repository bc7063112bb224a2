/* SPDX-License-Identifier: PostgreSQL */
/* What is refused, when it is read and when it is edited. */
#include <string.h>

#include "inventory/certs.h"
#include "inventory/splice.h"
#include "tests/inventory/suites.h"

struct row {
	const char *text;
	const char *message;
};

static const struct row unreadable[] = {
	{"- a\n", "c.yml:1: has to be a mapping with certs: or private_keys:"},
	{"certs\n", "c.yml:1: has to be a mapping with certs: or private_keys:"},
	{"certs: x\n", "c.yml:1: certs: has to be a mapping of authorities"},
	{"certs: [a]\n", "c.yml:1: certs: has to be a mapping of authorities"},
	{"certs:\n  server: |\n    x\n",
	 "c.yml:2: certs.server: has to be a mapping of certificates"},
	{"private_keys:\n  server: x\n",
	 "c.yml:2: private_keys.server: has to be a mapping of private keys"},
	{"private_keys: !vault |\n  $ANSIBLE_VAULT\n",
	 "c.yml:1: private_keys: is one inline vault, which can't be read in parts"},
	{"certs:\n  server:\n    db1: {cert: x}\n",
	 "c.yml:3: certs.server.db1: is a mapping, and has to be a text"},
	{"certs:\n  server:\n    chain: [x]\n",
	 "c.yml:3: certs.server.chain: is a list, and has to be a text"},
	{"x: &a\n  y\ncerts:\n  server:\n    db1: *a\n",
	 "c.yml:5: certs.server.db1: an alias (*) can't be used here"},
	{"x: &a {}\ncerts: *a\n", "c.yml:2: certs: an alias (*) can't be used here"},
	{"x: &a {}\ncerts:\n  server:\n    <<: *a\n",
	 "c.yml:4: certs.server.<<: a merge key (<<) can't be used here"},
	{"x: &a {}\n<<: *a\n", "c.yml:2: <<: a merge key (<<) can't be used here"},
	{"certs:\n  \"a\\0b\":\n    x: y\n", "c.yml:2: certs.a\\x00b: a NUL character in the key"},
	{"certs:\n  server:\n    db1: x\n    db1: y\n",
	 "c.yml:4: certs.server.db1: the key stands here twice, first in line 3"},
	{"certs: {}\n---\ncerts: {}\n", "c.yml:2: a second document begins; one file holds one"},
	{"certs:\n  server:\n    db1: |\n      x\n  \xc2\x85    db2: y\n",
	 "c.yml:5: U+0085, which ends a line for YAML alone"},
	{"certs:\n  server:\n    db1: 'a\xe2\x80\xa8 b'\n",
	 "c.yml:3: U+2028, which ends a line for YAML alone"},
};

START_TEST(what_cannot_be_read_is_refused)
{
	const struct row *row = &unreadable[_i];
	struct certs *certs = NULL;
	struct err err = {0};

	ck_assert_int_eq(certs_open(&certs, row->text, strlen(row->text), "c.yml", NULL, &err),
			 ERR_FAIL);
	ck_assert_str_eq(err.msg, row->message);
	ck_assert_ptr_null(certs);
}
END_TEST

/* Each can be read; db1 can be neither set nor removed. */
static const struct row uneditable[] = {
	{"certs:\n  server:\n    db1: &a |\n      x\n",
	 "c.yml:3: certs.server.db1: can't be changed: an anchor (&) stands on it"},
	{"certs:\n  server: &a\n    db1: |\n      x\nother: *a\n",
	 "c.yml:3: certs.server.db1: can't be changed: an anchor (&) stands above it"},
	{"certs:\n  &a server:\n    db1: x\n",
	 "c.yml:3: certs.server.db1: can't be changed: an anchor (&) stands above it"},
	{"certs:\n  server:\n    db1: \"{{ lookup('file', 'x') }}\"\n",
	 "c.yml:3: certs.server.db1: can't be changed: it holds a template"},
	{"certs:\n  server:\n    db1: |\n      x\n      {% if y %}\n",
	 "c.yml:3: certs.server.db1: can't be changed: it holds a template"},
	{"certs:\n  server:\n    db1: !!binary eA==\n",
	 "c.yml:3: certs.server.db1: can't be changed: its tag is tag:yaml.org,2002:binary"},
};

static int edit_one(const struct certs *certs, struct certs_change change, struct err *err)
{
	struct buf out;
	int rc;

	buf_init(&out, 10000);
	rc = certs_edit(&out, certs, &change, 1, err);
	ck_assert_uint_eq(out.len != 0, rc == 0);
	buf_release(&out);
	return rc;
}

START_TEST(what_cannot_be_edited_is_refused)
{
	const struct row *row = &uneditable[_i];
	struct certs_change change = {.verb = CERTS_SET,
				      .kind = CERTS_LEAF,
				      .authority = "server",
				      .name = "db1",
				      .text = "new\n",
				      .len = 4};
	const struct certs_entry *entry;
	struct certs *certs = NULL;
	struct err err = {0};

	ck_ok(certs_open(&certs, row->text, strlen(row->text), "c.yml", NULL, &err), &err);
	entry = certs_find(certs, CERTS_LEAF, "server", "db1");
	ck_assert_int_eq(certs_editable(certs, entry, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, row->message);
	err_clear(&err);
	ck_assert_int_eq(edit_one(certs, change, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, row->message);
	err_clear(&err);
	change.verb = CERTS_REMOVE;
	ck_assert_int_eq(edit_one(certs, change, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, row->message);
	/* What it holds already is no change. */
	change.verb = CERTS_SET;
	change.text = entry->value;
	change.len = entry->len;
	if (!strchr(entry->value, '{'))
		ck_ok(edit_one(certs, change, &err), &err);
	certs_close(certs);
}
END_TEST

START_TEST(changes_that_make_no_sense_are_refused)
{
	static const char text[] = "certs:\n  server:\n    db1: x\n  client: &a\n    u: y\n  "
				   "flow: {v}\n  \"e\": !!null\n";
	static const struct {
		struct certs_change change;
		int code;
		const char *message;
	} rows[] = {
		{{CERTS_SET, CERTS_LEAF, "server", "db2", "n", 1, NULL, 0, false},
		 ERR_NOENT,
		 "c.yml: certs.server.db2: there is no such entry"},
		{{CERTS_SET, CERTS_KEY, "server", "db1", "n", 1, NULL, 0, false},
		 ERR_NOENT,
		 "c.yml: private_keys.server.db1: there is no such entry"},
		{{CERTS_REMOVE, CERTS_CHAIN, "server", NULL, NULL, 0, NULL, 0, false},
		 ERR_NOENT,
		 "c.yml: certs.server.chain: there is no such entry"},
		{{CERTS_INSERT, CERTS_LEAF, "server", "db1", "n", 1, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml: certs.server.db1: is there already"},
		{{CERTS_INSERT, CERTS_LEAF, "server", "chain", "n", 1, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml: certs.server.chain: is no name for an entry"},
		{{CERTS_INSERT, CERTS_LEAF, "server", "", "n", 1, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml: certs.server.: is no name for an entry"},
		{{CERTS_INSERT, CERTS_LEAF, "server", "<<", "n", 1, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml: certs.server.<<: is no name for an entry"},
		{{CERTS_SET, CERTS_LEAF, "server", "db1", "\xff", 1, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml: certs.server.db1: the new text is not UTF-8"},
		{{CERTS_SET, CERTS_LEAF, "server", "db1", "a\0b", 3, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml: certs.server.db1: the new text is not UTF-8"},
		{{CERTS_SET, CERTS_LEAF, "server", "db1", "{{ x }}", 7, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml: certs.server.db1: the new text holds a template"},
		{{CERTS_INSERT, CERTS_LEAF, "client", "w", "n", 1, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml:4: certs.client: can't be changed: an anchor (&) stands on it"},
		{{CERTS_INSERT, CERTS_LEAF, "e", "w", "n", 1, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml:7: certs.e: can't be changed: its tag is tag:yaml.org,2002:null"},
		{{CERTS_SET, CERTS_LEAF, "flow", "v", "n", 1, NULL, 0, false},
		 ERR_FAIL,
		 "c.yml:6: certs.flow.v: can't be changed: no colon stands behind the key"},
	};
	struct certs *certs = NULL;
	struct err err = {0};

	ck_ok(certs_open(&certs, text, sizeof(text) - 1, "c.yml", NULL, &err), &err);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(edit_one(certs, rows[i].change, &err), rows[i].code);
		ck_assert_str_eq(err.msg, rows[i].message);
	}
	certs_close(certs);
}
END_TEST

START_TEST(one_entry_is_changed_once)
{
	static const char text[] = "certs:\n  server:\n    db1: x\n";
	struct certs_change changes[2] = {
		{CERTS_SET, CERTS_LEAF, "server", "db1", "n", 1, NULL, 0, false},
		{CERTS_REMOVE, CERTS_LEAF, "server", "db1", NULL, 0, NULL, 0, false}};
	struct certs *certs = NULL;
	struct err err = {0};
	struct buf out;

	buf_init(&out, 1000);
	ck_ok(certs_open(&certs, text, sizeof(text) - 1, "c.yml", NULL, &err), &err);
	ck_assert_int_eq(certs_edit(&out, certs, changes, 2, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "c.yml: certs.server.db1: is to be changed twice");
	changes[0].verb = changes[1].verb = CERTS_INSERT;
	changes[0].name = changes[1].name = "db2";
	changes[1].text = "";
	ck_assert_int_eq(certs_edit(&out, certs, changes, 2, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "c.yml: certs.server.db2: is to be changed twice");
	ck_assert_uint_eq(out.len, 0);
	certs_close(certs);
	buf_release(&out);
}
END_TEST

START_TEST(a_result_that_reads_otherwise_is_refused)
{
	/* Explicit keys: the new entry's column would be that of the keys' texts. */
	static const char text[] = "certs:\n  server:\n    ? db1\n    : x\n";
	struct certs_change change = {CERTS_INSERT, CERTS_LEAF, "server", "db2", "n", 1,
				      NULL,	    0,		false};
	struct certs *certs = NULL;
	struct err err = {0};

	ck_ok(certs_open(&certs, text, sizeof(text) - 1, "c.yml", NULL, &err), &err);
	ck_assert_int_eq(edit_one(certs, change, &err), ERR_FAIL);
	ck_contains(err.msg, "the changed text can't be read: c.yml:5: ");
	certs_close(certs);
}
END_TEST

START_TEST(a_raw_text_that_reads_otherwise_is_encoded)
{
	static const char text[] = "certs:\n  server:\n    db1: |\n      x\n    db2: |\n      y\n";
	static const char *const raws[] = {
		"|\n      other",
		"|\n  new",
		"|\n    new\n    db9: x",
		"|\n      new\n    db9: |\n      z",
		"\"new",
		"new\nz: 1",
		"*a",
		"&a new",
		"!vault |\n      new",
		"{a: new}",
		"|\n      new\n",
		"new # c",
		"",
	};
	struct certs_change change = {CERTS_RESTORE, CERTS_LEAF, "server", "db1", "new\n", 4,
				      NULL,	     0,		 false};
	struct certs *certs = NULL;
	struct err err = {0};

	ck_ok(certs_open(&certs, text, sizeof(text) - 1, "c.yml", NULL, &err), &err);
	for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++) {
		struct buf out;

		buf_init(&out, 1000);
		change.raw = raws[i];
		change.raw_len = strlen(raws[i]);
		ck_ok(certs_edit(&out, certs, &change, 1, &err), &err);
		ck_assert_str_eq(out.data, "certs:\n  server:\n    db1: |\n      new\n    db2: |\n"
					   "      y\n");
		buf_release(&out);
	}
	certs_close(certs);
}
END_TEST

START_TEST(splices_that_overlap_are_refused)
{
	struct replacement list[] = {{4, 6, "yz", 2, 0},
				     {1, 3, "x", 1, 0},
				     {1, 1, "2", 1, 2},
				     {1, 1, "1", 1, 1},
				     {6, 6, "!", 1, 0}};
	struct err err = {0};
	struct buf out;

	buf_init(&out, 100);
	ck_ok(splice(&out, "abcdef", 6, list, 5, &err), &err);
	ck_assert_str_eq(out.data, "a12xdyz!");
	buf_reset(&out);
	list[0] = (struct replacement){2, 4, "", 0, 0};
	list[1] = (struct replacement){1, 3, "", 0, 0};
	ck_assert_int_eq(splice(&out, "abcdef", 6, list, 2, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "two changes overlap at byte 2");
	list[0] = (struct replacement){6, 7, "", 0, 0};
	ck_assert_int_eq(splice(&out, "abcdef", 6, list, 1, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "a change of bytes 6 to 7 is outside of 6 bytes");
	ck_assert_uint_eq(out.len, 0);
	buf_release(&out);
}
END_TEST

Suite *certs_refused_suite(void)
{
	Suite *suite = suite_create("certs_refused");
	TCase *tc = tcase_create("certs_refused");

	tcase_add_loop_test(tc, what_cannot_be_read_is_refused, 0,
			    sizeof(unreadable) / sizeof(unreadable[0]));
	tcase_add_loop_test(tc, what_cannot_be_edited_is_refused, 0,
			    sizeof(uneditable) / sizeof(uneditable[0]));
	tcase_add_test(tc, changes_that_make_no_sense_are_refused);
	tcase_add_test(tc, one_entry_is_changed_once);
	tcase_add_test(tc, a_result_that_reads_otherwise_is_refused);
	tcase_add_test(tc, a_raw_text_that_reads_otherwise_is_encoded);
	tcase_add_test(tc, splices_that_overlap_are_refused);
	suite_add_tcase(suite, tc);
	return suite;
}
