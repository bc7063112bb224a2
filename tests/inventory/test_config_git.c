/* SPDX-License-Identifier: PostgreSQL */
/* git.forge: where merge requests are opened, and where the token for that is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "inventory/config.h"
#include "tests/inventory/suites.h"

static const char *dir;
static struct err err;

static void setup(void)
{
	char *path;

	dir = test_mkdir();
	err_clear(&err);
	path = test_path("environments/poc");
	ck_ok(file_mkdirs(path, 0755, &err), &err);
	free(path);
}

static void teardown(void)
{
	test_rmdir();
}

static int load(struct config **config, const char *text)
{
	char *path = test_path("certrotate.yml");

	test_write(path, text);
	free(path);
	return config_load(config, dir, NULL, &err);
}

START_TEST(a_forge_is_merged_key_by_key)
{
	const struct environment *env;
	struct config *config = NULL;

	ck_ok(load(&config,
		   "version: 1\n"
		   "defaults:\n"
		   "  git:\n"
		   "    flow: merge_request\n"
		   "    forge: {kind: forgejo, url: 'https://git.example.com:8443/forge//',\n"
		   "            token_file: .token, ca_file: /etc/ssl/own.pem}\n"
		   "environments:\n"
		   "  poc: {git: {forge: {project: 'dba/{env}'}}}\n"
		   "  acc: {git: {forge: {token_file: null, token_command: [pass, show, "
		   "'{env}']}}}\n"
		   "  prod: {git: {forge: null}}\n"),
	      &err);
	ck_ok(config_find(&env, config, "poc", &err), &err);
	ck_assert_int_eq(env->forge.kind, FORGE_FORGEJO);
	ck_assert_str_eq(env->forge.url, "https://git.example.com:8443/forge");
	ck_assert_str_eq(env->forge.project, "dba/poc");
	ck_assert_str_eq(env->forge.ca_file, "/etc/ssl/own.pem");
	ck_assert_str_eq(env->forge.token_file, ".token");
	ck_assert_ptr_null(env->forge.token_env);
	ck_assert_uint_eq(env->forge.token_command.count, 0);
	ck_ok(config_find(&env, config, "acc", &err), &err);
	ck_assert_ptr_null(env->forge.token_file);
	ck_assert_uint_eq(env->forge.token_command.count, 3);
	ck_assert_str_eq(env->forge.token_command.items[2], "acc");
	ck_ok(config_find(&env, config, "prod", &err), &err);
	ck_assert_int_eq(env->forge.kind, FORGE__MAX);
	ck_assert_ptr_null(env->forge.url);
	ck_assert_ptr_null(env->forge.token_file);
	config_free(config);
}
END_TEST

static const struct {
	const char *forge, *message, *hint;
} wrong[] = {
	{"kind: bitbucket", "kind: expected gitlab, github or forgejo, not 'bitbucket'", ""},
	{"url: git.example.com", "url: expected an address that begins with https://", ""},
	{"url: 'http://git.example.com'", "url: expected an address that begins with https://", ""},
	{"url: 'https://git.example.com/?a'",
	 "url: expected https://HOST, with a port and a path where it has them", ""},
	{"url: 'https:///a'",
	 "url: expected https://HOST, with a port and a path where it has them", ""},
	{"url: 'https://me:secret@git.example.com'",
	 "url: a user or a password in the address is not used",
	 "name the access token in token_file, token_env or token_command"},
	{"project: inventory",
	 "project: expected the project with its owner or groups, as in dba/inventory", ""},
	{"project: '../inventory'",
	 "project: expected the project with its owner or groups, as in dba/inventory", ""},
	{"token_env: glpat-x", "token_env: expected the name of an environment variable",
	 "a token itself does not belong into a file that is committed"},
	{"token_command: []", "token_command: must not be empty", ""},
	{"token_file: a, token_env: B", "token_env: token_file and token_env are both given",
	 "one of them says where the token is; 'null' takes back what 'defaults' has"},
	{"token_env: B, token_command: [a]",
	 "token_command: token_env and token_command are both given",
	 "one of them says where the token is; 'null' takes back what 'defaults' has"},
};

START_TEST(what_is_wrong_is_said_with_its_place)
{
	struct config *config = NULL;
	char text[256], message[256];

	(void)snprintf(text, sizeof(text), "version: 1\ndefaults: {git: {forge: {%s}}}\n",
		       wrong[_i].forge);
	(void)snprintf(message, sizeof(message), "certrotate.yml:2: defaults.git.forge.%s",
		       wrong[_i].message);
	ck_assert_int_eq(load(&config, text), ERR_USAGE);
	ck_assert_str_eq(err.msg, message);
	ck_assert_str_eq(err.hint, wrong[_i].hint);
}
END_TEST

Suite *config_git_suite(void)
{
	Suite *suite = suite_create("config_git");
	TCase *tc = tcase_create("forge");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_forge_is_merged_key_by_key);
	tcase_add_loop_test(tc, what_is_wrong_is_said_with_its_place, 0,
			    (int)(sizeof(wrong) / sizeof(wrong[0])));
	suite_add_tcase(suite, tc);
	return suite;
}
