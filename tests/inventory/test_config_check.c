/* SPDX-License-Identifier: PostgreSQL */
/* rollout.check and canaries: what looks at the hosts, and where it is known from. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "inventory/config.h"
#include "tests/inventory/suites.h"

static const char *dir;
static struct err err;

static void put(const char *name, const char *text)
{
	char *path = test_path(name);

	test_write(path, text);
	free(path);
}

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

static struct config *load(const struct environment **env)
{
	struct config *config = NULL;

	ck_ok(config_load(&config, dir, NULL, &err), &err);
	ck_ok(config_find(env, config, "poc", &err), &err);
	return config;
}

START_TEST(the_hosts_are_looked_at_where_the_playbook_is_there)
{
	const struct environment *env;
	struct config *config = load(&env);

	ck_assert_uint_eq(env->check.count, 0);
	config_free(config);
	put("check_certs.yml", "[]\n");
	config = load(&env);
	ck_assert_uint_eq(env->check.count, 1);
	ck_assert_str_eq(env->check.items[0].playbook, "check_certs.yml");
	ck_assert_int_eq(env->check.items[0].deadline, 3600);
	ck_assert_int_eq(env->check.items[0].canary, 0);
	config_free(config);
	put("certrotate.yml", "version: 1\ndefaults: {rollout: {check: []}}\n");
	config = load(&env);
	ck_assert_uint_eq(env->check.count, 0);
	config_free(config);
}
END_TEST

START_TEST(another_playbook_can_be_named)
{
	const struct environment *env;
	struct config *config;

	put("certrotate.yml", "version: 1\n"
			      "defaults:\n"
			      "  rollout:\n"
			      "    check: [{playbook: look.yml, limit: db, deadline: 2m}]\n"
			      "    servers:\n"
			      "      - {playbook: go.yml, limit: standby, canary: 10m}\n"
			      "      - {playbook: go.yml}\n");
	config = load(&env);
	ck_assert_uint_eq(env->check.count, 1);
	ck_assert_str_eq(env->check.items[0].playbook, "look.yml");
	ck_assert_str_eq(env->check.items[0].limit, "db");
	ck_assert_int_eq(env->check.items[0].deadline, 120);
	ck_assert_uint_eq(env->rollout[ROLLOUT_SERVERS].count, 2);
	ck_assert_int_eq(env->rollout[ROLLOUT_SERVERS].items[0].canary, 600);
	ck_assert_int_eq(env->rollout[ROLLOUT_SERVERS].items[1].canary, 0);
	config_free(config);
}
END_TEST

START_TEST(a_check_that_is_missing_is_told_when_it_is_needed)
{
	const struct environment *env;
	struct config *config;
	char *path = test_path("config");

	ck_ok(file_mkdirs(path, 0755, &err), &err);
	free(path);
	put("config/chainsmith.yml", "x\n");
	put("certrotate.yml", "version: 1\ndefaults: {rollout: {check: [{playbook: look.yml}]}}\n");
	config = load(&env);
	ck_assert_int_eq(environment_check_files(config, env, false, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "a playbook of environment 'poc': look.yml: No such file or "
				  "directory");
	ck_assert_str_eq(err.hint, "'rollout.check' in certrotate.yml says where it is");
	config_free(config);
	put("certrotate.yml", "version: 1\ndefaults: {census: {playbook: count.yml}}\n");
	config = load(&env);
	ck_assert_int_eq(environment_check_files(config, env, false, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "a playbook of environment 'poc': count.yml: No such file or "
				  "directory");
	ck_assert_str_eq(err.hint, "'census.playbook' in certrotate.yml says where it is");
	config_free(config);
}
END_TEST

START_TEST(a_canary_needs_somebody_who_looks)
{
	struct config *config = NULL;

	put("certrotate.yml", "version: 1\n"
			      "environments:\n"
			      "  poc:\n"
			      "    rollout:\n"
			      "      servers: [{playbook: go.yml, canary: 10m}]\n");
	ck_assert_int_eq(config_load(&config, dir, NULL, &err), ERR_USAGE);
	ck_assert_ptr_null(config);
	ck_assert_str_eq(err.msg, "certrotate.yml:5: environments.poc.rollout.servers[0].canary: a "
				  "canary needs a playbook that reads the servers' logs, and "
				  "environment 'poc' has none");
	ck_assert_str_eq(err.hint, "bring check_certs.yml into the repository, or name another "
				   "with rollout.check");
	err_clear(&err);
	put("certrotate.yml", "version: 1\n"
			      "defaults: {rollout: {check: [{playbook: a.yml, canary: 10m}]}}\n");
	ck_assert_int_eq(config_load(&config, dir, NULL, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "certrotate.yml:2: unknown key 'canary' in "
				  "defaults.rollout.check[0]");
}
END_TEST

Suite *config_check_suite(void)
{
	Suite *suite = suite_create("config_check");
	TCase *tc = tcase_create("check");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_hosts_are_looked_at_where_the_playbook_is_there);
	tcase_add_test(tc, another_playbook_can_be_named);
	tcase_add_test(tc, a_check_that_is_missing_is_told_when_it_is_needed);
	tcase_add_test(tc, a_canary_needs_somebody_who_looks);
	suite_add_tcase(suite, tc);
	return suite;
}
