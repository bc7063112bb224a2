/* SPDX-License-Identifier: PostgreSQL */
/* What needs no repository: cleaned messages, diffs. */
#include <stdio.h>
#include <string.h>

#include "tests/git/fixture.h"

START_TEST(passwords_and_control_characters_are_cleaned)
{
	static const struct {
		const char *text, *clean;
	} cases[] = {
		{"fatal: 'https://u:pw@h/x': no", "fatal: 'https://***@h/x': no"},
		{"https://token@h/x and http://a:b@c@d/", "https://***@h/x and http://***@d/"},
		{"https://u:p'<w>\"@h/x", "https://***@h/x"},
		{"ssh://git@h/x", "ssh://git@h/x"},
		{"ssh://git:pw@h/x", "ssh://***@h/x"},
		{"https://h/x?mail=a@b", "https://h/x?mail=a@b"},
		{"https://h:8080/x", "https://h:8080/x"},
		{"a\x1b]0;t\x07z", "a\\x1b]0;t\\x07z"},
		{"://", "://"},
		{"", ""},
	};
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		remote_add_clean(&out, cases[i].text, strlen(cases[i].text));
		ck_assert_str_eq(out.data, cases[i].clean);
	}
	buf_release(&out);
}
END_TEST

static const char *diff(const char *old, const char *new, diff_mask *mask)
{
	static char shown[4096];
	struct buf out;

	buf_init(&out, 4000);
	ck_ok(diff_text(&out, "a/certs.yml", old, old ? strlen(old) : 0, new, new ? strlen(new) : 0,
			mask, NULL, &err),
	      &err);
	(void)snprintf(shown, sizeof(shown), "%s", out.data);
	buf_release(&out);
	return shown;
}

static void hide_words(void *ctx, const char *line, size_t len, struct buf *out)
{
	(void)ctx;
	if (memmem(line, len, "drop", 4))
		return;
	if (memmem(line, len, "secret", 6))
		buf_adds(out, "…");
	else
		buf_add(out, line, len);
}

START_TEST(diffs_are_unified)
{
	ck_assert_str_eq(diff("a\n", "a\n", NULL), "");
	ck_assert_str_eq(diff(NULL, NULL, NULL), "");
	ck_assert_str_eq(diff("a\nb\n", "a\nc", NULL),
			 "--- a/a/certs.yml\n+++ b/a/certs.yml\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
			 "\\ No newline at end of file\n");
	ck_assert_str_eq(diff(NULL, "x\n", NULL),
			 "--- /dev/null\n+++ b/a/certs.yml\n@@ -0,0 +1,1 @@\n+x\n");
	ck_assert_str_eq(diff("x\n", NULL, NULL),
			 "--- a/a/certs.yml\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-x\n");
	ck_assert_str_eq(diff("a\nsecret 1\ndrop 1\n", "a\nsecret 2\ndrop 2\n", hide_words),
			 "--- a/a/certs.yml\n+++ b/a/certs.yml\n@@ -1,3 +1,3 @@\n a\n-…\n+…\n");
}
END_TEST

START_TEST(diffs_show_neither_vaults_nor_keys)
{
	static const char vault[] = "k: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n"
				    "  6162636465666768696a6b6c6d6e6f\n"
				    "  6162636465666768696a6b6c6d6e6f\nx: 1\n";
	static const char vault2[] = "k: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n"
				     "  7162636465666768696a6b6c6d6e6f\n"
				     "  7162636465666768696a6b6c6d6e6f\nx: 1\n";

	ck_assert_str_eq(
		diff("$ANSIBLE_VAULT;1.1;AES256\n61\n", "$ANSIBLE_VAULT;1.1;AES256\n62\n", NULL),
		"--- a/a/certs.yml\n+++ b/a/certs.yml\nvault content changes\n");
	ck_assert_str_eq(
		diff(vault, vault2, NULL),
		"--- a/a/certs.yml\n+++ b/a/certs.yml\n@@ -1,5 +1,5 @@\n k: !vault |\n"
		"   $ANSIBLE_VAULT;1.1;AES256\n-(vault content)\n+(vault content)\n x: 1\n");
	/* the hunk begins in the middle of the key */
	ck_assert_str_eq(diff("-----BEGIN RSA PRIVATE KEY-----\nA1\nA2\nA3\nA4\nA5\n"
			      "-----END RSA PRIVATE KEY-----\nx\n",
			      "-----BEGIN RSA PRIVATE KEY-----\nA1\nA2\nA3\nA4\nA5\n"
			      "-----END RSA PRIVATE KEY-----\ny\n",
			      NULL),
			 "--- a/a/certs.yml\n+++ b/a/certs.yml\n@@ -5,4 +5,4 @@\n (private key)\n"
			 "-x\n+y\n");
}
END_TEST

Suite *text_suite(void)
{
	Suite *suite = suite_create("git/text");
	TCase *tcase = tcase_create("text");

	tcase_add_test(tcase, passwords_and_control_characters_are_cleaned);
	tcase_add_test(tcase, diffs_are_unified);
	tcase_add_test(tcase, diffs_show_neither_vaults_nor_keys);
	suite_add_tcase(suite, tcase);
	return suite;
}
