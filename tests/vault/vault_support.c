/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "tests/vault/vault_tests.h"

void vt_open(struct vault_test *t)
{
	memset(t, 0, sizeof(*t));
	t->arena = arena_new((size_t)64 << 20);
	ck_assert_ptr_nonnull(t->arena);
	sys_init(&t->sys);
	(void)test_mkdir();
	vt_add(t, PASSWORD, NULL);
}

void vt_close(struct vault_test *t)
{
	vault_passwords_release(&t->passwords);
	arena_free(t->arena);
	test_rmdir();
}

void vt_add(struct vault_test *t, const char *password, const char *label)
{
	ck_ok(vault_passwords_add(&t->passwords, t->arena, password, strlen(password), label,
				  label ? label : "the first file", &t->err),
	      &t->err);
}

char *vt_encrypt(struct vault_test *t, const char *plain, size_t len, const char *label,
		 size_t *out_len)
{
	struct secret text;
	struct buf out;

	buf_init(&out, VAULT_TEXT_MAX);
	ck_ok(arena_copy(&text, t->arena, plain, len, &t->err), &t->err);
	ck_ok(vault_encrypt(&out, &text, &t->passwords.items[0], label, &t->sys, &t->err), &t->err);
	*out_len = out.len;
	return buf_detach(&out);
}
