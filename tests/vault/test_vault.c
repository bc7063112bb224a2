/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vault/vault_tests.h"

static void check_opens(struct vault_test *t, const char *text, size_t len, const char *plain,
			size_t plain_len)
{
	struct secret out = {NULL, 0};

	ck_ok(vault_decrypt(&out, NULL, t->arena, text, len, "keys.yml", &t->passwords, &t->err),
	      &t->err);
	ck_assert_uint_eq(out.len, plain_len);
	ck_assert_int_eq(memcmp(out.data, plain, plain_len), 0);
	ck_assert_int_eq(out.data[out.len], '\0');
}

static void check_refused(struct vault_test *t, const char *text, const char *message)
{
	struct secret out = {NULL, 0};

	ck_assert_int_eq(vault_decrypt(&out, NULL, t->arena, text, strlen(text), "keys.yml",
				       &t->passwords, &t->err),
			 ERR_FAIL);
	ck_assert_str_eq(t->err.msg, message);
	ck_assert_ptr_null(out.data);
}

/* around the cipher's block, and around a line of the text */
START_TEST(every_length_comes_back)
{
	static const size_t lengths[] = {0, 1, 14, 15, 16, 17, 19, 20, 21, 31, 32, 33, 70};
	char plain[70];
	struct vault_test t;

	vt_open(&t);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t text_len;
		char *text;

		memset(plain, (int)i, sizeof(plain));
		text = vt_encrypt(&t, plain, lengths[i], NULL, &text_len);
		ck_assert(vault_is(text, text_len));
		check_opens(&t, text, text_len, plain, lengths[i]);
		free(text);
	}
	vt_close(&t);
}
END_TEST

START_TEST(lines_are_as_ansible_vault_writes_them)
{
	struct vault_test t;
	size_t len;
	char *text, *line, *save = NULL;

	vt_open(&t);
	text = vt_encrypt(&t, "abc", 3, "default", &len);
	ck_assert_int_eq(text[len - 1], '\n');
	line = strtok_r(text, "\n", &save);
	ck_assert_str_eq(line, "$ANSIBLE_VAULT;1.1;AES256");
	/* hex of: 64 digits and a newline, twice, and 32 digits */
	for (size_t left = (65 + 65 + 32) * (size_t)2; left; left -= left < 80 ? left : 80) {
		line = strtok_r(NULL, "\n", &save);
		ck_assert_ptr_nonnull(line);
		ck_assert_uint_eq(strlen(line), left < 80 ? left : 80);
		ck_assert_uint_eq(strspn(line, "0123456789abcdef"), strlen(line));
	}
	ck_assert_ptr_null(strtok_r(NULL, "\n", &save));
	free(text);
	vt_close(&t);
}
END_TEST

START_TEST(label_and_password_are_told)
{
	struct vault_used used;
	struct vault_test t;
	struct secret out;
	size_t len;
	char *text;

	vt_open(&t);
	text = vt_encrypt(&t, "abc", 3, "poc", &len);
	ck_assert_int_eq(strncmp(text, "$ANSIBLE_VAULT;1.2;AES256;poc\n", 30), 0);
	vt_add(&t, "another", "poc");
	ck_ok(vault_decrypt(&out, &used, t.arena, text, len, "keys.yml", &t.passwords, &t.err),
	      &t.err);
	ck_assert_str_eq(used.label, "poc");
	ck_assert_uint_eq(used.password, 0);
	ck_assert_str_eq(out.data, "abc");
	free(text);
	vt_close(&t);
}
END_TEST

START_TEST(id_match_tries_the_label_alone)
{
	struct vault_test t;
	struct secret out;
	size_t len;
	char *text;

	vt_open(&t);
	text = vt_encrypt(&t, "abc", 3, "poc", &len);
	t.passwords.id_match = true;
	ck_assert_int_eq(
		vault_decrypt(&out, NULL, t.arena, text, len, "keys.yml", &t.passwords, &t.err),
		ERR_FAIL);
	ck_assert_str_eq(t.err.msg, "keys.yml: there is no vault password with the label 'poc'");
	vt_add(&t, PASSWORD, "poc");
	ck_ok(vault_decrypt(&out, NULL, t.arena, text, len, "keys.yml", &t.passwords, &t.err),
	      &t.err);
	free(text);
	vt_close(&t);
}
END_TEST

START_TEST(salt_comes_from_sys_and_differs)
{
	struct vault_test t;
	size_t len;
	char *a, *b;

	vt_open(&t);
	a = vt_encrypt(&t, "abc", 3, NULL, &len);
	b = vt_encrypt(&t, "abc", 3, NULL, &len);
	ck_assert_str_ne(a, b);
	free(a);
	free(b);
	vt_close(&t);
}
END_TEST

/* Indented as below a "!vault |", with CR LF, with upper-case digits, all at once. */
START_TEST(inline_text_with_blanks_and_crlf_is_read)
{
	struct vault_test t;
	struct buf changed;
	size_t len;
	char *text, *line, *save = NULL;

	vt_open(&t);
	text = vt_encrypt(&t, "inline text", 11, NULL, &len);
	buf_init(&changed, 1 << 16);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		for (char *c = line; line != text && *c; c++)
			if (*c >= 'a' && *c <= 'f')
				*c = (char)(*c - 'a' + 'A');
		buf_addf(&changed, " \t    %s\r\n", line);
	}
	ck_assert(vault_is(changed.data, changed.len));
	check_opens(&t, changed.data, changed.len, "inline text", 11);
	buf_release(&changed);
	free(text);
	vt_close(&t);
}
END_TEST

/* Whole bytes are read at once where they stand in one line, and digit by digit elsewhere. */
START_TEST(lines_of_any_width_are_read)
{
	static const char *const ends[] = {"\n", "\r", "\r\n"};
	static const size_t widths[] = {1, 2, 3, 4, 5, 7, 79, 81, 83, 4096};
	char plain[300];
	struct vault_test t;
	struct buf changed;
	size_t len, header;
	char *text;

	vt_open(&t);
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (char)(i * 7);
	text = vt_encrypt(&t, plain, sizeof(plain), NULL, &len);
	header = (size_t)(strchr(text, '\n') - text) + 1;
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]) * 3; i++) {
		size_t column = 0;

		buf_init(&changed, 1 << 16);
		buf_add(&changed, text, header);
		for (const char *c = text + header; *c; c++) {
			if (*c == '\n')
				continue;
			buf_addc(&changed, *c);
			if (++column % widths[i / 3] == 0)
				buf_adds(&changed, ends[i % 3]);
		}
		check_opens(&t, changed.data, changed.len, plain, sizeof(plain));
		buf_release(&changed);
	}
	free(text);
	vt_close(&t);
}
END_TEST

START_TEST(a_wrong_password_names_its_origin)
{
	struct vault_test t, other;
	size_t len;
	char *text;

	vt_open(&t);
	text = vt_encrypt(&t, "abc", 3, NULL, &len);
	vault_passwords_release(&t.passwords);
	vt_add(&t, "wrong", NULL);
	vt_add(&t, "also wrong", "poc");
	check_refused(&t, text, "keys.yml: wrong password, or the file was changed");
	ck_assert_str_eq(t.err.hint, "the password came from the first file, poc");
	free(text);
	vt_close(&t);
	vt_open(&other);
	vault_passwords_release(&other.passwords);
	check_refused(&other, "$ANSIBLE_VAULT;1.1;AES256\n", "keys.yml: the vault is cut short");
	vt_close(&other);
}
END_TEST

START_TEST(no_password_at_all_is_said)
{
	struct vault_test t;
	size_t len;
	char *text;

	vt_open(&t);
	text = vt_encrypt(&t, "abc", 3, NULL, &len);
	vault_passwords_release(&t.passwords);
	check_refused(&t, text, "keys.yml: there is no vault password");
	ck_contains(t.err.hint, "ANSIBLE_VAULT_PASSWORD_FILE");
	free(text);
	vt_close(&t);
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} refused[] = {
	{"", "keys.yml: not an Ansible vault"},
	{"certs:\n", "keys.yml: not an Ansible vault"},
	{"$ANSIBLE_VAULTS;1.1;AES256\n", "keys.yml: not an Ansible vault"},
	{"$ANSIBLE_VAULT", "keys.yml: unsupported vault version (1.1 and 1.2 are read)"},
	{"$ANSIBLE_VAULT;1.0;AES\n00",
	 "keys.yml: unsupported vault version (1.1 and 1.2 are read)"},
	{"$ANSIBLE_VAULT;1.1", "keys.yml: unsupported vault cipher (AES256 is read)"},
	{"$ANSIBLE_VAULT;1.1;AES128\n00", "keys.yml: unsupported vault cipher (AES256 is read)"},
	{"$ANSIBLE_VAULT;1.2;AES256;p\x01\n00",
	 "keys.yml: the vault's label holds other than ASCII characters"},
	{"$ANSIBLE_VAULT;1.1;AES256\n6162\n63\n6g\n", "keys.yml: bad hex at line 4 of the vault"},
	{"$ANSIBLE_VAULT;1.1;AES256\r\n6162\r\n63 64\r\n",
	 "keys.yml: bad hex at line 3 of the vault"},
	{"$ANSIBLE_VAULT;1.1;AES256\n61620a\n0a\n", "keys.yml: bad hex at line 3 of the vault"},
	{"$ANSIBLE_VAULT;1.1;AES256\n0a\n", "keys.yml: bad hex at line 2 of the vault"},
	{"$ANSIBLE_VAULT;1.1;AES256\n61620a6162\n", "keys.yml: the vault is cut short"},
	{"$ANSIBLE_VAULT;1.1;AES256\n616\n", "keys.yml: the vault is cut short"},
};

START_TEST(what_is_no_good_vault_is_refused)
{
	struct vault_test t;

	vt_open(&t);
	check_refused(&t, refused[_i].text, refused[_i].message);
	vt_close(&t);
}
END_TEST

START_TEST(a_header_with_a_long_label_is_refused)
{
	char text[VAULT_LABEL_SIZE + 64];
	struct vault_test t;
	int at = snprintf(text, sizeof(text), "$ANSIBLE_VAULT;1.2;AES256;");

	vt_open(&t);
	memset(text + at, 'x', VAULT_LABEL_SIZE);
	text[at + VAULT_LABEL_SIZE] = '\0';
	check_refused(&t, text, "keys.yml: the vault's label is longer than 255 bytes");
	vt_close(&t);
}
END_TEST

START_TEST(a_label_that_would_break_the_header_is_not_written)
{
	static const char *const labels[] = {"a;b", "a\nb", "a b", "\xc3\xa9"};
	struct vault_test t;
	struct secret plain;
	struct buf out;

	vt_open(&t);
	buf_init(&out, 1 << 16);
	ck_ok(arena_copy(&plain, t.arena, "abc", 3, &t.err), &t.err);
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		ck_assert_int_eq(vault_encrypt(&out, &plain, &t.passwords.items[0], labels[i],
					       &t.sys, &t.err),
				 ERR_USAGE);
		ck_contains(t.err.msg, "cannot be a vault's label");
	}
	ck_assert_uint_eq(out.len, 0);
	vt_close(&t);
}
END_TEST

START_TEST(a_new_vault_gets_the_label_of_its_password)
{
	struct vault_test t;
	struct secret plain;
	struct buf out;

	vt_open(&t);
	vt_add(&t, "another", "prod");
	buf_init(&out, 1 << 16);
	ck_ok(arena_copy(&plain, t.arena, "abc", 3, &t.err), &t.err);
	ck_ok(vault_encrypt(&out, &plain, &t.passwords.items[1], NULL, &t.sys, &t.err), &t.err);
	ck_assert_int_eq(strncmp(out.data, "$ANSIBLE_VAULT;1.2;AES256;prod\n", 31), 0);
	buf_reset(&out);
	ck_ok(vault_encrypt(&out, &plain, &t.passwords.items[1], "", &t.sys, &t.err), &t.err);
	ck_assert_int_eq(strncmp(out.data, "$ANSIBLE_VAULT;1.1;AES256\n", 26), 0);
	buf_release(&out);
	vt_close(&t);
}
END_TEST

START_TEST(nothing_to_encrypt_with_is_an_error)
{
	struct vault_test t;
	struct secret plain;
	struct buf out;

	vt_open(&t);
	buf_init(&out, 1 << 16);
	t.passwords.encrypt_label = strdup("nobody's");
	ck_ok(arena_copy(&plain, t.arena, "abc", 3, &t.err), &t.err);
	ck_assert_int_eq(vault_encrypt(&out, &plain, vault_passwords_for_new(&t.passwords), NULL,
				       &t.sys, &t.err),
			 ERR_USAGE);
	ck_assert_str_eq(t.err.msg, "there is no vault password to encrypt with");
	ck_contains(t.err.hint, "vault_encrypt_identity");
	vt_close(&t);
}
END_TEST

START_TEST(a_vault_is_not_encrypted_again)
{
	static const char vault[] = "$ANSIBLE_VAULT;1.1;AES256\n6162\n";
	struct vault_test t;
	struct secret plain;
	struct buf out;

	vt_open(&t);
	buf_init(&out, 1 << 16);
	ck_ok(arena_copy(&plain, t.arena, vault, strlen(vault), &t.err), &t.err);
	ck_assert_int_eq(vault_encrypt(&out, &plain, &t.passwords.items[0], NULL, &t.sys, &t.err),
			 ERR_FAIL);
	ck_assert_str_eq(t.err.msg, "the text is a vault already");
	vt_close(&t);
}
END_TEST

struct pieces {
	struct buf text;
	size_t count, fail_at;
};

static int keep_piece(void *ctx, const char *text, size_t len, struct err *err)
{
	struct pieces *pieces = ctx;

	if (++pieces->count == pieces->fail_at)
		return err_set(err, ERR_STOPPED, "no more room");
	buf_add(&pieces->text, text, len);
	return 0;
}

START_TEST(a_large_vault_comes_in_pieces)
{
	struct pieces pieces = {.count = 0};
	size_t len = 300000 + (size_t)_i;
	struct secret plain, opened;
	struct vault_test t;

	vt_open(&t);
	buf_init(&pieces.text, VAULT_TEXT_MAX);
	plain.data = arena_alloc(t.arena, len);
	plain.len = len;
	ck_ok(t.sys.random(&t.sys, plain.data, len, &t.err), &t.err);
	ck_ok(vault_encrypt_to(keep_piece, &pieces, &plain, &t.passwords.items[0], NULL, &t.sys,
			       &t.err),
	      &t.err);
	ck_assert_uint_gt(pieces.count, 10);
	ck_ok(vault_decrypt(&opened, NULL, t.arena, pieces.text.data, pieces.text.len, "pieces",
			    &t.passwords, &t.err),
	      &t.err);
	ck_assert_uint_eq(opened.len, len);
	ck_assert_mem_eq(opened.data, plain.data, len);
	/* whoever takes them ends it at any of them */
	pieces.fail_at = pieces.count + 1 + (size_t)_i % 3;
	ck_assert_int_eq(vault_encrypt_to(keep_piece, &pieces, &plain, &t.passwords.items[0], NULL,
					  &t.sys, &t.err),
			 ERR_STOPPED);
	ck_assert_str_eq(t.err.msg, "no more room");
	ck_assert_uint_eq(pieces.count, pieces.fail_at);
	buf_release(&pieces.text);
	vt_close(&t);
}
END_TEST

START_TEST(too_small_an_output_or_arena_is_an_error)
{
	struct vault_test t;
	struct secret plain, opened;
	struct arena *small;
	struct buf out;
	size_t len;
	char *text;

	vt_open(&t);
	buf_init(&out, 100);
	ck_ok(arena_copy(&plain, t.arena, "abc", 3, &t.err), &t.err);
	ck_assert_int_eq(vault_encrypt(&out, &plain, &t.passwords.items[0], NULL, &t.sys, &t.err),
			 ERR_FAIL);
	ck_contains(t.err.msg, "the vault");
	buf_release(&out);
	text = vt_encrypt(&t, "abc", 3, NULL, &len);
	small = arena_new(16);
	ck_assert_int_eq(
		vault_decrypt(&opened, NULL, small, text, len, "keys.yml", &t.passwords, &t.err),
		ERR_FAIL);
	ck_contains(t.err.msg, "keys.yml: out of memory for");
	arena_free(small);
	free(text);
	vt_close(&t);
}
END_TEST

Suite *vault_suite(void)
{
	Suite *suite = suite_create("vault");
	TCase *tc = tcase_create("text");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_length_comes_back);
	tcase_add_test(tc, lines_are_as_ansible_vault_writes_them);
	tcase_add_test(tc, label_and_password_are_told);
	tcase_add_test(tc, id_match_tries_the_label_alone);
	tcase_add_test(tc, salt_comes_from_sys_and_differs);
	tcase_add_test(tc, inline_text_with_blanks_and_crlf_is_read);
	tcase_add_test(tc, lines_of_any_width_are_read);
	tcase_add_test(tc, a_wrong_password_names_its_origin);
	tcase_add_test(tc, no_password_at_all_is_said);
	tcase_add_loop_test(tc, what_is_no_good_vault_is_refused, 0,
			    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tc, a_header_with_a_long_label_is_refused);
	tcase_add_test(tc, a_label_that_would_break_the_header_is_not_written);
	tcase_add_test(tc, a_vault_is_not_encrypted_again);
	tcase_add_test(tc, a_new_vault_gets_the_label_of_its_password);
	tcase_add_test(tc, nothing_to_encrypt_with_is_an_error);
	tcase_add_loop_test(tc, a_large_vault_comes_in_pieces, 0, 17);
	tcase_add_test(tc, too_small_an_output_or_arena_is_an_error);
	suite_add_tcase(suite, tc);
	return suite;
}
