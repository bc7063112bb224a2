/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/config.h"
#include "tests/inventory/suites.h"

static const char *dir;
static struct err err;

static void setup(void)
{
	dir = test_mkdir();
	err_clear(&err);
}

static void teardown(void)
{
	test_rmdir();
}

static int load(const char *text)
{
	struct config *config = NULL;
	char *path = test_path("certrotate.yml");
	int rc;

	test_write(path, text);
	free(path);
	rc = config_load(&config, dir, NULL, &err);
	ck_assert_ptr_null(config);
	return rc;
}

/* Every text follows "version: 1\n", so its own first line is line 2. */
static const struct {
	const char *text, *message, *hint;
} wrong[] = {
	{"defaults:\n  endpoint: []\n", "certrotate.yml:3: unknown key 'endpoint' in defaults",
	 "did you mean 'endpoints'?"},
	{"environment: {}\n", "certrotate.yml:2: unknown key 'environment'",
	 "did you mean 'environments'?"},
	{"defaults:\n  git:\n    zzzzzz: 1\n",
	 "certrotate.yml:4: unknown key 'zzzzzz' in defaults.git",
	 "valid are: flow, base, remote, push, forge"},
	{"environments:\n  poc:\n    rollout: {trust: [{playbok: x.yml}]}\n",
	 "certrotate.yml:4: unknown key 'playbok' in environments.poc.rollout.trust[0]",
	 "did you mean 'playbook'?"},
	{"defaults: []\n", "certrotate.yml:2: defaults: expected a mapping", ""},
	{"defaults:\n  endpoints: db1\n", "certrotate.yml:3: defaults.endpoints: expected a list",
	 ""},
	{"defaults:\n  endpoints:\n    - db1\n",
	 "certrotate.yml:4: defaults.endpoints[0]: expected a mapping", ""},
	{"defaults:\n  endpoints: [{port: 1}]\n",
	 "certrotate.yml:3: defaults.endpoints[0]: 'name' is missing", ""},
	{"defaults:\n  endpoints: [{name: a, port: 70000}]\n",
	 "certrotate.yml:3: defaults.endpoints[0].port: expected a number from 1 to 65535, not "
	 "70000",
	 ""},
	{"defaults:\n  endpoints: [{name: a, port: pg}]\n",
	 "certrotate.yml:3: defaults.endpoints[0].port: expected a number", ""},
	{"defaults:\n  endpoints: [{name: a, protocol: postgre}]\n",
	 "certrotate.yml:3: defaults.endpoints[0].protocol: expected postgres, tls or "
	 "postgres-direct, not 'postgre'",
	 "did you mean 'postgres'?"},
	{"environments:\n  poc: {endpoints: [{name: a}, {name: a}]}\n",
	 "certrotate.yml:3: environments.poc.endpoints[1]: 'a:5432' is listed twice", ""},
	{"environments:\n  poc: {endpoints: [{name: 'a b'}]}\n",
	 "certrotate.yml:3: environments.poc.endpoints[0]: name and address are a host name or an "
	 "address each",
	 ""},
	{"defaults:\n  census: {quiet: 5 days}\n",
	 "certrotate.yml:3: defaults.census.quiet: expected a duration like 90s, 15m, 24h or 7d, "
	 "not '5 days'",
	 ""},
	{"defaults:\n  census: {quiet: [1]}\n",
	 "certrotate.yml:3: defaults.census.quiet: expected a duration like 90s, 15m, 24h or 7d",
	 ""},
	{"defaults:\n  census: {quiet: 400d}\n",
	 "certrotate.yml:3: defaults.census.quiet: expected a duration from 0 s to 366 days, not "
	 "400d",
	 ""},
	{"defaults:\n  census: {samples: -1}\n",
	 "certrotate.yml:3: defaults.census.samples: expected a number from 0 to 10000, not -1",
	 ""},
	{"environments:\n  poc: {census: {certificate: /etc/a.crt}}\n",
	 "certrotate.yml:3: environments.poc.census.certificate: census.certificate and census.key "
	 "are "
	 "given "
	 "together",
	 ""},
	{"environments:\n  poc: {census: {playbook: ../a.yml}}\n",
	 "certrotate.yml:3: environments.poc.census.playbook: '../a.yml' leaves the repository",
	 "paths are relative to the repository and stay inside it"},
	{"defaults:\n  ca_keys: kept\n",
	 "certrotate.yml:3: defaults.ca_keys: expected keep or discard, not 'kept'",
	 "did you mean 'keep'?"},
	{"defaults:\n  git: {flow: pull}\n",
	 "certrotate.yml:3: defaults.git.flow: expected direct or merge_request, not 'pull'", ""},
	{"defaults:\n  git: {push: maybe}\n",
	 "certrotate.yml:3: defaults.git.push: expected true or false", ""},
	{"environments:\n  poc: {git: {base: --force}}\n",
	 "certrotate.yml:3: environments.poc.git.base: '--force' is no name of a branch", ""},
	{"environments:\n  poc: {git: {flow: merge_request, push: false}}\n",
	 "certrotate.yml:3: environments.poc.git.push: flow merge_request needs push: true", ""},
	{"environments:\n  poc: {certs: /etc/passwd}\n",
	 "certrotate.yml:3: environments.poc.certs: '/etc/passwd' leaves the repository",
	 "paths are relative to the repository and stay inside it"},
	{"defaults:\n  keys: a/../../b\nenvironments: {poc: }\n",
	 "certrotate.yml:3: defaults.keys: 'a/../../b' leaves the repository",
	 "paths are relative to the repository and stay inside it"},
	{"environments:\n  poc: {vault_password: ../pass}\n",
	 "certrotate.yml:3: environments.poc.vault_password: '../pass' leaves the repository",
	 "paths are relative to the repository and stay inside it"},
	{"environments:\n  poc: {certs: 'x/{environment}.yml'}\n",
	 "certrotate.yml:3: environments.poc.certs: 'x/{environment}.yml': only {env} is replaced "
	 "in a path",
	 ""},
	{"environments:\n  poc: {certs: ''}\n",
	 "certrotate.yml:3: environments.poc.certs: must not be empty", ""},
	{"environments:\n  poc: {certs: \"a\\nb\"}\n",
	 "certrotate.yml:3: environments.poc.certs: must not hold control characters", ""},
	{"environments:\n  poc: {certs: [a]}\n",
	 "certrotate.yml:3: environments.poc.certs: expected a text", ""},
	{"environments:\n  poc: {keys: !vault x}\n",
	 "certrotate.yml:3: environments.poc.keys: a tag cannot be used here", ""},
	{"environments: [poc]\n", "certrotate.yml:2: environments: expected a mapping by name", ""},
	{"environments:\n  -poc: {}\n",
	 "certrotate.yml:3: environments.-poc: is not a name that can be used",
	 "letters, digits, '.', '_' and '-', not beginning with a dot or dash, at most 64"},
	{"environments:\n  a/b: {}\n",
	 "certrotate.yml:3: environments.a/b: is not a name that can be used",
	 "letters, digits, '.', '_' and '-', not beginning with a dot or dash, at most 64"},
	{"environments:\n  a: {rollout: {trust: [{tags: x}]}}\n",
	 "certrotate.yml:3: environments.a.rollout.trust[0]: 'playbook' is missing", ""},
	{"environments:\n  a: {rollout: {trust: [{playbook: x, tags: {}}]}}\n",
	 "certrotate.yml:3: environments.a.rollout.trust[0].tags: expected a text or a list of "
	 "texts",
	 ""},
	{"environments:\n  a: {rollout: {trust: [{playbook: x, extra_args: -v}]}}\n",
	 "certrotate.yml:3: environments.a.rollout.trust[0].extra_args: expected a list", ""},
	{"environments:\n  a: {rollout: {trust: [{playbook: x, extra_args: [-v, --check]}]}}\n",
	 "certrotate.yml:3: environments.a.rollout.trust[0].extra_args[1]: --check cannot be used "
	 "here: the rollout would change nothing",
	 ""},
	{"environments:\n  a: {rollout: {trust: [{playbook: x, extra_args: [--diff]}]}}\n",
	 "certrotate.yml:3: environments.a.rollout.trust[0].extra_args[0]: --diff cannot be used "
	 "here: private keys would be printed",
	 ""},
	{"environments:\n  a: {rollout: {trust: [{playbook: x, deadline: 0s}]}}\n",
	 "certrotate.yml:3: environments.a.rollout.trust[0].deadline: expected a duration from 1 s "
	 "to 7 days, not 0s",
	 ""},
	{"environments:\n  a: {certs: x.yml, keys: '{env}.yml'}\n  b: {certs: x.yml}\n",
	 "certrotate.yml: environment 'b' has x.yml for its certs, and so has 'a'",
	 "each environment needs files of its own: '{env}' stands for its name"},
	{"defaults: &d {}\nenvironments: {poc: *d}\n",
	 "certrotate.yml:2: defaults: ", "'defaults' is there for what environments share"},
	{"applications:\n  shop:\n", "certrotate.yml:3: applications.shop: expected a mapping", ""},
	{"applications:\n  shop: {contact: x}\n",
	 "certrotate.yml:3: applications.shop: 'users' is missing", ""},
	{"applications:\n  shop: {users: []}\n",
	 "certrotate.yml:3: applications.shop.users: must not be empty", ""},
	{"applications:\n  shop: {users: shop}\n",
	 "certrotate.yml:3: applications.shop.users: expected a list", ""},
	{"applications:\n  shop: {users: [a, a]}\n",
	 "certrotate.yml:3: applications.shop.users[1]: user 'a' is listed twice", ""},
	{"applications:\n  shop: {users: [a], trust: [{command: [x]}]}\n",
	 "certrotate.yml:3: applications.shop.trust[0]: 'kind' is missing", ""},
	{"applications:\n  shop: {users: [a], trust: [{kind: exec}]}\n",
	 "certrotate.yml:3: applications.shop.trust[0]: 'command' is missing for kind exec", ""},
	{"applications:\n  shop: {users: [a], trust: [{kind: exec, command: []}]}\n",
	 "certrotate.yml:3: applications.shop.trust[0].command: must not be empty", ""},
	{"applications:\n  shop: {users: [a], trust: [{kind: exec, command: [x], url: x}]}\n",
	 "certrotate.yml:3: applications.shop.trust[0].url: does not go with kind exec", ""},
	{"applications:\n  shop: {users: [a], trust: [{kind: webhook, url: 'ftp://x'}]}\n",
	 "certrotate.yml:3: applications.shop.trust[0].url: expected an https:// or http:// "
	 "address",
	 ""},
	{"applications:\n  shop: {users: [a], trust: [{kind: manual, text: x, deadline: 1h}]}\n",
	 "certrotate.yml:3: applications.shop.trust[0].deadline: does not go with kind manual", ""},
	{"applications:\n  shop: {users: [a], trust: [{kind: manual, name: n, text: x}, "
	 "{kind: manual, name: n, text: y}]}\n",
	 "certrotate.yml:3: applications.shop.trust[1]: another hook is called 'n' already", ""},
	{"applications:\n  shop: {users: [a], prune: [{kind: ansible, playbook: '{env}.yml'}]}\n",
	 "certrotate.yml:3: applications.shop.prune[0].playbook: '{env}.yml': only {env} is "
	 "replaced in a path, and only in an environment's",
	 ""},
	{"version: 1\n", "certrotate.yml:2: ", ""},
	{"a: [\n", "certrotate.yml:", ""},
};

START_TEST(what_is_wrong_is_said_with_its_place)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "version: 1\n%s", wrong[_i].text);
	ck_assert_msg(load(text) == ERR_USAGE, "%s: %s", text, err.msg);
	ck_assert_int_eq(err.code, ERR_USAGE);
	/* where the words are libyaml's or the index's, only the place is ours */
	if (str_ends(wrong[_i].message, ":") || str_ends(wrong[_i].message, ": ")) {
		ck_assert_msg(str_starts(err.msg, wrong[_i].message), "%s", err.msg);
	} else {
		ck_assert_str_eq(err.msg, wrong[_i].message);
		ck_assert_str_eq(err.hint, wrong[_i].hint);
	}
}
END_TEST

START_TEST(the_version_comes_first)
{
	static const struct {
		const char *text, *message, *hint;
	} rows[] = {
		{"version: 2\nnew_key: 1\n", "certrotate.yml:1: version: expected 1, not 2",
		 "this certrotate reads version 1 of the format"},
		{"defaults: {}\n", "certrotate.yml: 'version' is missing",
		 "put 'version: 1' at the top"},
		{"", "certrotate.yml: 'version' is missing", "put 'version: 1' at the top"},
		{"version: one\n", "certrotate.yml:1: version: expected a number", ""},
		{"- version\n", "certrotate.yml:1: expected a mapping", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(load(rows[i].text), ERR_USAGE);
		ck_assert_str_eq(err.msg, rows[i].message);
		ck_assert_str_eq(err.hint, rows[i].hint);
	}
}
END_TEST

Suite *config_errors_suite(void)
{
	Suite *suite = suite_create("config errors");
	TCase *tc = tcase_create("config errors");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_is_wrong_is_said_with_its_place, 0,
			    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, the_version_comes_first);
	suite_add_tcase(suite, tc);
	return suite;
}
