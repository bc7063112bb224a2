/* SPDX-License-Identifier: PostgreSQL */
/* Every byte of a small vault changed, and the vault cut at every length. */
#include <stdlib.h>
#include <string.h>

#include "tests/vault/vault_tests.h"

#define PLAIN	   "key"
#define HEADER_LEN 30 /* "$ANSIBLE_VAULT;1.2;AES256;poc\n" */

/* The result is an error, or the very plain text. Returns whether it opened. */
static bool check_harmless(struct vault_test *t, const char *text, size_t len)
{
	struct arena *arena = arena_new(1 << 20);
	struct secret out = {NULL, 0};
	int rc = vault_decrypt(&out, NULL, arena, text, len, "keys.yml", &t->passwords, &t->err);

	if (rc == 0) {
		ck_assert_str_eq(out.data, PLAIN);
	} else {
		ck_assert_int_eq(rc, ERR_FAIL);
		ck_contains(t->err.msg, "keys.yml: ");
		ck_assert_ptr_null(out.data);
	}
	arena_free(arena);
	return rc == 0;
}

/* Format 1.2 with a label, 1.1, and as the value of an inline !vault stands in its file. */
enum form { LABEL, NO_LABEL, INLINE, FORM__MAX };

static char *encrypt(struct vault_test *t, int form, size_t *len)
{
	char *text = vt_encrypt(t, PLAIN, strlen(PLAIN), form == LABEL ? "poc" : NULL, len);
	struct buf indented;

	if (form != INLINE)
		return text;
	buf_init(&indented, BUF_TEXT_MAX);
	/* cppcheck-suppress strtokCalled ; one thread */
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		buf_addf(&indented, "          %s\n", line);
	free(text);
	*len = indented.len;
	return buf_detach(&indented);
}

START_TEST(a_flipped_bit_never_gives_another_text)
{
	struct vault_test t;
	size_t len, opened = 0;
	char *text;

	vt_open(&t);
	text = encrypt(&t, _i, &len);
	for (size_t i = 0; i < len; i++) {
		char flip = (char)(1 << (i % 8));

		text[i] = (char)(text[i] ^ flip);
		opened += check_harmless(&t, text, len);
		text[i] = (char)(text[i] ^ flip);
	}
	/* the label, and digits that only changed between a and A, outside or inside */
	ck_assert_uint_lt(opened, len / 8);
	ck_assert(check_harmless(&t, text, len));
	free(text);
	vt_close(&t);
}
END_TEST

START_TEST(a_changed_digit_is_always_found)
{
	struct vault_test t;
	size_t len;
	char *text;

	vt_open(&t);
	text = vt_encrypt(&t, PLAIN, strlen(PLAIN), "poc", &len);
	for (size_t i = HEADER_LEN; i < len; i++) {
		char was = text[i];

		if (was == '\n')
			continue;
		text[i] = was == '3' ? '4' : '3';
		ck_assert_msg(!check_harmless(&t, text, len), "digit %zu", i);
		text[i] = was;
	}
	free(text);
	vt_close(&t);
}
END_TEST

START_TEST(a_vault_cut_at_any_length_is_refused)
{
	struct vault_test t;
	size_t len;
	char *text;

	vt_open(&t);
	text = encrypt(&t, _i, &len);
	/* without the last newline it is whole */
	for (size_t i = 0; i + 1 < len; i++) {
		char *cut = malloc(i ? i : 1);

		memcpy(cut, text, i);
		ck_assert_msg(!check_harmless(&t, cut, i), "cut at %zu", i);
		free(cut);
	}
	ck_assert(check_harmless(&t, text, len - 1));
	free(text);
	vt_close(&t);
}
END_TEST

Suite *damage_suite(void)
{
	Suite *suite = suite_create("damage");
	TCase *tc = tcase_create("damage");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_flipped_bit_never_gives_another_text, 0, FORM__MAX);
	tcase_add_test(tc, a_changed_digit_is_always_found);
	tcase_add_loop_test(tc, a_vault_cut_at_any_length_is_refused, 0, FORM__MAX);
	suite_add_tcase(suite, tc);
	return suite;
}
