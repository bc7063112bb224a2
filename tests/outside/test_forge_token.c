/* SPDX-License-Identifier: PostgreSQL */
/* Where the token for a forge comes from, and what keeps it from being read. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "outside/forge.h"
#include "tests/outside/suites.h"

#define TOKEN "glpat-VERYsecret0123456789"

static struct err err;
static struct sys sys;
static struct arena *arena;

static void setup(void)
{
	sys_init(&sys);
	err_clear(&err);
	arena = arena_new((size_t)1 << 20);
	ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
	arena_free(arena);
}

static int token(const struct forge_config *config, struct secret *out)
{
	char *origin = NULL;
	const char *root = test_mkdir();
	char *path = test_path("token"), *program = test_path("bin");
	int rc;

	test_write(path, TOKEN "\n");
	ck_assert_int_eq(chmod(path, config->ca_file ? 0640 : 0600), 0);
	test_write(program, "#!/bin/sh\necho \"$1\"\necho spoken >&2\nexit \"$2\"\n");
	ck_assert_int_eq(chmod(program, 0700), 0);
	rc = forge_token(out, &origin, arena, config, root, &sys, NULL, NULL, &err);
	free(origin);
	free(path);
	free(program);
	test_rmdir();
	return rc;
}

START_TEST(a_token_is_read)
{
	char name[] = "CERTROTATE_TEST_TOKEN", file[] = "token", open_to_others[] = "";
	char *argv[] = {(char[]){"./bin"}, (char[]){TOKEN}, (char[]){"0"}, NULL};
	struct forge_config config = {.token_file = file};
	struct secret got;

	ck_ok(token(&config, &got), &err);
	ck_assert_str_eq(got.data, TOKEN);
	config.ca_file = open_to_others;
	ck_assert_int_eq(token(&config, &got), ERR_USAGE);
	ck_contains(err.msg, "the token for merge requests: ");
	ck_contains(err.msg, "/token can be read by others (mode 0640)");
	ck_contains(err.hint, "chmod 0600 ");
	config = (struct forge_config){.token_file = name};
	ck_assert_int_eq(token(&config, &got), ERR_USAGE);
	config = (struct forge_config){.token_env = name};
	ck_assert_int_eq(token(&config, &got), ERR_USAGE);
	ck_contains(err.msg, "the environment variable CERTROTATE_TEST_TOKEN is not set");
	ck_assert_int_eq(setenv(name, TOKEN "\n", 1), 0);
	ck_ok(token(&config, &got), &err);
	ck_assert_str_eq(got.data, TOKEN);
	config = (struct forge_config){.token_command = {.items = argv, .count = 3}};
	ck_ok(token(&config, &got), &err);
	ck_assert_str_eq(got.data, TOKEN);
	argv[2][0] = '3';
	ck_assert_int_eq(token(&config, &got), ERR_FAIL);
	ck_contains(err.msg, "the program of git.forge.token_command failed: ./bin: exit code 3: "
			     "spoken");
	ck_assert(!strstr(err.msg, "VERYsecret"));
	argv[2][0] = '0';
	argv[1][0] = '\0';
	ck_assert_int_eq(token(&config, &got), ERR_USAGE);
	ck_contains(err.msg, "what git.forge.token_command prints is empty");
	argv[0][2] = 'x';
	ck_assert_int_eq(token(&config, &got), ERR_USAGE);
}
END_TEST

Suite *forge_token_suite(void)
{
	Suite *suite = suite_create("forge_token");
	TCase *tc = tcase_create("forge_token");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_token_is_read);
	suite_add_tcase(suite, tc);
	return suite;
}
