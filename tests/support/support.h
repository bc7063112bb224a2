/* SPDX-License-Identifier: PostgreSQL */
/* What every suite shares: a fresh temporary directory, and a main for a room's suites. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <check.h>
#include <stddef.h>
#include "base/err.h"

/* A new empty directory, removed with all below it by test_rmdir. The path is borrowed. */
const char *test_mkdir(void);
void test_rmdir(void);
/* "DIR/name" below test_mkdir's directory; free() it. */
char *test_path(const char *name);
void test_write(const char *path, const char *text);
/* free() it */
char *test_read(const char *path, size_t *len);

/* Runs the suites (NULL-terminated list of constructors); for a room's main(). */
int test_main(Suite *(*const *suites)(void));

/* Fails the test with the error's own message where rc is not 0. */
#define ck_ok(call, err) ck_assert_msg((call) == 0, "%s: %s", #call, (err)->msg)
#define ck_contains(text, part)                                                                    \
	ck_assert_msg(strstr((text), (part)) != NULL, "'%s' does not contain '%s'", (text), (part))

#endif
