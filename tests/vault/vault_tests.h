/* SPDX-License-Identifier: PostgreSQL */
/* The suites of this room and what they share. */
#ifndef TESTS_VAULT_TESTS_H
#define TESTS_VAULT_TESTS_H

#include "base/sys.h"
#include "tests/support/support.h"
#include "vault/vault.h"

Suite *vault_suite(void);
Suite *damage_suite(void);
Suite *ansible_suite(void);
Suite *password_suite(void);
Suite *script_suite(void);

#define PASSWORD "correct horse"

/* An arena and one password, for each test. */
struct vault_test {
	struct arena *arena;
	struct vault_passwords passwords;
	struct sys sys;
	struct err err;
};

void vt_open(struct vault_test *t);
void vt_close(struct vault_test *t);
void vt_add(struct vault_test *t, const char *password, const char *label);
/* free() it */
char *vt_encrypt(struct vault_test *t, const char *plain, size_t len, const char *label,
		 size_t *out_len);

#endif
