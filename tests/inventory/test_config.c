/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "inventory/chain.h"
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

static void folder(const char *name)
{
	char *path = test_path(name);

	ck_ok(file_mkdirs(path, 0755, &err), &err);
	free(path);
}

static void file(const char *name, const char *text)
{
	char *path = test_path(name), *slash = strrchr(path, '/');

	*slash = '\0';
	ck_ok(file_mkdirs(path, 0755, &err), &err);
	*slash = '/';
	test_write(path, text);
	free(path);
}

static struct config *load(const char *text)
{
	struct config *config = NULL;

	if (text)
		file("certrotate.yml", text);
	ck_ok(config_load(&config, dir, NULL, &err), &err);
	return config;
}

static const struct environment *find(const struct config *config, const char *name)
{
	const struct environment *env = NULL;

	ck_ok(config_find(&env, config, name, &err), &err);
	return env;
}

START_TEST(a_repository_in_the_usual_layout_needs_no_file)
{
	struct config *config;
	const struct environment *env;

	folder("environments/prod");
	folder("environments/poc");
	folder("environments/.git");
	file("environments/README.md", "x");
	config = load(NULL);
	ck_assert(!config->file_exists);
	ck_assert_str_eq(config->file, "certrotate.yml");
	ck_assert_uint_eq(config->environment_count, 2);
	ck_assert_str_eq(config->environments[0].name, "poc");
	ck_assert_str_eq(config->environments[1].name, "prod");
	ck_assert_uint_eq(config->application_count, 0);
	env = find(config, "poc");
	ck_assert_str_eq(env->inventory, "environments/poc");
	ck_assert_str_eq(env->chain, "config/chainsmith_poc.yml");
	ck_assert_str_eq(env->certs, "environments/poc/group_vars/all/certs.yml");
	ck_assert_str_eq(env->keys, "environments/poc/group_vars/all/certs.vault.yml");
	ck_assert_ptr_null(env->vault_password);
	ck_assert_int_eq(env->ca_keys, CA_KEYS_KEEP);
	ck_assert_int_eq(env->flow, FLOW_DIRECT);
	ck_assert_str_eq(env->base, "dev");
	ck_assert_str_eq(env->remote, "origin");
	ck_assert(env->push);
	for (int i = 0; i < ROLLOUT__MAX; i++) {
		ck_assert_uint_eq(env->rollout[i].count, 1);
		ck_assert_str_eq(env->rollout[i].items[0].playbook, "rollout_new_certs.yml");
		ck_assert_ptr_null(env->rollout[i].items[0].tags);
		ck_assert_ptr_null(env->rollout[i].items[0].skip_tags);
		ck_assert_ptr_null(env->rollout[i].items[0].limit);
		ck_assert_uint_eq(env->rollout[i].items[0].extra_args.count, 0);
		ck_assert_int_eq(env->rollout[i].items[0].deadline, 3600);
	}
	ck_assert(!env->endpoints_given);
	ck_assert_uint_eq(env->endpoints.count, 0);
	ck_assert_str_eq(env->login_user, "postgres");
	ck_assert_str_eq(env->login_database, "postgres");
	ck_assert_int_eq(env->census_quiet, 86400);
	ck_assert_uint_eq(env->census_samples, 4);
	ck_assert_ptr_null(env->census_user);
	ck_assert_ptr_null(env->census_certificate);
	ck_assert_ptr_null(env->census_key);
	ck_assert_ptr_null(env->census_playbook);
	config_free(config);
}
END_TEST

START_TEST(files_are_found_by_either_name)
{
	struct config *config;

	folder("environments/acc");
	file("config/chainsmith.yml", "x");
	file("config/chainsmith_poc.yml", "x");
	file("environments/poc/group_vars/all/certsvault.yml", "x");
	file("environments/prod/group_vars/all/certsvault.yml", "x");
	file("environments/prod/group_vars/all/certs.vault.yml", "x");
	config = load(NULL);
	ck_assert_str_eq(find(config, "poc")->chain, "config/chainsmith_poc.yml");
	ck_assert_str_eq(find(config, "acc")->chain, "config/chainsmith.yml");
	ck_assert_str_eq(find(config, "poc")->keys,
			 "environments/poc/group_vars/all/certsvault.yml");
	ck_assert_str_eq(find(config, "prod")->keys,
			 "environments/prod/group_vars/all/certs.vault.yml");
	ck_assert_str_eq(find(config, "acc")->keys,
			 "environments/acc/group_vars/all/certs.vault.yml");
	config_free(config);
}
END_TEST

START_TEST(the_defaults_of_the_manual_are_the_programs)
{
	struct config *with, *without;

	folder("environments/poc");
	without = load(NULL);
	with = load("version: 1\n"
		    "defaults:\n"
		    "  inventory: environments/{env}\n"
		    "  chain: config/chainsmith_{env}.yml\n"
		    "  certs: environments/{env}/group_vars/all/certs.yml\n"
		    "  keys: environments/{env}/group_vars/all/certs.vault.yml\n"
		    "  vault_password: null\n"
		    "  ca_keys: keep\n"
		    "  git: {flow: direct, base: dev, remote: origin, push: true}\n"
		    "  rollout:\n"
		    "    trust:   [{playbook: rollout_new_certs.yml}]\n"
		    "    servers: [{playbook: rollout_new_certs.yml}]\n"
		    "    clients: [{playbook: rollout_new_certs.yml}]\n"
		    "    prune:   [{playbook: rollout_new_certs.yml}]\n"
		    "  login: {user: postgres, database: postgres}\n"
		    "  census: {quiet: 24h, samples: 4}\n"
		    "applications: {}\n");
	ck_assert(with->file_exists);
	for (int i = 0; i < 2; i++) {
		const struct environment *env = find(i ? with : without, NULL);

		ck_assert_str_eq(env->inventory, "environments/poc");
		ck_assert_str_eq(env->chain, "config/chainsmith_poc.yml");
		ck_assert_str_eq(env->certs, "environments/poc/group_vars/all/certs.yml");
		ck_assert_str_eq(env->keys, "environments/poc/group_vars/all/certs.vault.yml");
		ck_assert_ptr_null(env->vault_password);
		ck_assert_str_eq(env->base, "dev");
		ck_assert_uint_eq(env->rollout[ROLLOUT_PRUNE].count, 1);
		ck_assert_int_eq(env->census_quiet, 86400);
		ck_assert(!env->endpoints_given);
	}
	config_free(with);
	config_free(without);
}
END_TEST

static const char full[] =
	"version: 1\n"
	"defaults:\n"
	"  inventory: inv/{env}/hosts\n"
	"  vault_password: /etc/vault/{env}\n"
	"  ca_keys: discard\n"
	"  git: {base: main, push: no}\n"
	"  rollout:\n"
	"    trust:\n"
	"      - playbook: plays/trust.yml\n"
	"        tags: [certs, ca]\n"
	"        skip_tags: slow\n"
	"        limit: 'db*:!db9'\n"
	"        extra_args: [-e, 'env={env}', -e, 'x={{env}}']\n"
	"        deadline: 15m\n"
	"      - playbook: ./plays//second.yml\n"
	"    prune: []\n"
	"  endpoints:\n"
	"    - {name: db1.example.com, address: 10.0.4.42, port: 6432, protocol: tls}\n"
	"    - {name: db2.example.com}\n"
	"  login: {user: 12, database: on}\n"
	"  census: {quiet: 7d, samples: 0, user: watch, certificate: '/etc/{env}.crt',\n"
	"           key: './keys//{env}.key', playbook: census.yml}\n"
	"environments:\n"
	"  prod: {git: {flow: merge_request, push: true}, census: {quiet: 90s}, endpoints: [],\n"
	"         vault_password: null, rollout: {trust: [{playbook: other.yml}]}}\n"
	"  poc:\n"
	"applications:\n"
	"  webshop:\n"
	"    users: [shop, shop_batch]\n"
	"    contact: shop@example.com\n"
	"    wave: 2\n"
	"    trust:\n"
	"      - {kind: exec, command: [bin/push, --app, webshop], deadline: 90s}\n"
	"      - {kind: webhook, url: 'https://example.com/hook', secret_file: /etc/hook}\n"
	"      - {kind: ansible, name: reload, playbook: app.yml, tags: a, limit: app1}\n"
	"      - {kind: manual, text: \"restart it\\nand tell us\"}\n";

START_TEST(defaults_lie_below_each_environment)
{
	struct config *config = load(full);
	const struct environment *prod = find(config, "prod"), *poc = find(config, "poc");
	const struct rollout_step *step = &poc->rollout[ROLLOUT_TRUST].items[0];

	ck_assert_str_eq(config->environments[0].name, "prod"); /* the file's order */
	ck_assert_str_eq(poc->inventory, "inv/poc/hosts");
	ck_assert_str_eq(poc->vault_password, "/etc/vault/poc");
	ck_assert_ptr_null(prod->vault_password);
	ck_assert_int_eq(poc->ca_keys, CA_KEYS_DISCARD);
	ck_assert_str_eq(prod->base, "main");
	ck_assert_int_eq(prod->flow, FLOW_MERGE_REQUEST);
	ck_assert(prod->push);
	ck_assert_int_eq(poc->flow, FLOW_DIRECT);
	ck_assert(!poc->push);
	ck_assert_uint_eq(poc->rollout[ROLLOUT_TRUST].count, 2);
	ck_assert_str_eq(step->playbook, "plays/trust.yml");
	ck_assert_str_eq(step->tags, "certs,ca");
	ck_assert_str_eq(step->skip_tags, "slow");
	ck_assert_str_eq(step->limit, "db*:!db9");
	ck_assert_uint_eq(step->extra_args.count, 4);
	ck_assert_str_eq(step->extra_args.items[1], "env=poc");
	ck_assert_str_eq(step->extra_args.items[3], "x={{env}}");
	ck_assert_int_eq(step->deadline, 900);
	ck_assert_str_eq(poc->rollout[ROLLOUT_TRUST].items[1].playbook, "plays/second.yml");
	ck_assert_uint_eq(poc->rollout[ROLLOUT_PRUNE].count, 0);
	ck_assert_uint_eq(poc->rollout[ROLLOUT_CLIENTS].count, 1);
	ck_assert_uint_eq(prod->rollout[ROLLOUT_TRUST].count, 1); /* lists replace */
	ck_assert_str_eq(prod->rollout[ROLLOUT_TRUST].items[0].playbook, "other.yml");
	ck_assert_uint_eq(prod->rollout[ROLLOUT_PRUNE].count, 0);
	ck_assert(poc->endpoints_given);
	ck_assert_uint_eq(poc->endpoints.count, 2);
	ck_assert_str_eq(poc->endpoints.items[0].name, "db1.example.com");
	ck_assert_str_eq(poc->endpoints.items[0].address, "10.0.4.42");
	ck_assert_uint_eq(poc->endpoints.items[0].port, 6432);
	ck_assert_int_eq(poc->endpoints.items[0].protocol, ENDPOINT_TLS);
	ck_assert_ptr_null(poc->endpoints.items[1].address);
	ck_assert_uint_eq(poc->endpoints.items[1].port, 5432);
	ck_assert_int_eq(poc->endpoints.items[1].protocol, ENDPOINT_POSTGRES);
	ck_assert(prod->endpoints_given);
	ck_assert_uint_eq(prod->endpoints.count, 0);
	ck_assert_str_eq(poc->login_user, "12");
	ck_assert_str_eq(poc->login_database, "on");
	ck_assert_int_eq(poc->census_quiet, 7 * 86400);
	ck_assert_int_eq(prod->census_quiet, 90);
	ck_assert_uint_eq(prod->census_samples, 0);
	ck_assert_str_eq(poc->census_user, "watch");
	ck_assert_str_eq(poc->census_certificate, "/etc/poc.crt");
	ck_assert_str_eq(prod->census_key, "keys/prod.key");
	ck_assert_str_eq(poc->census_playbook, "census.yml");
	config_free(config);
}
END_TEST

START_TEST(applications_and_their_hooks_are_read)
{
	struct config *config = load(full);
	const struct application *app = NULL;
	const struct hook *hooks;

	ck_ok(config_application(&app, config, "webshop", &err), &err);
	ck_assert_uint_eq(app->users.count, 2);
	ck_assert_str_eq(app->users.items[1], "shop_batch");
	ck_assert_str_eq(app->contact, "shop@example.com");
	ck_assert_uint_eq(app->wave, 2);
	ck_assert_uint_eq(app->clients.count, 0);
	ck_assert_uint_eq(app->trust.count, 4);
	hooks = app->trust.items;
	ck_assert_int_eq(hooks[0].kind, HOOK_EXEC);
	ck_assert_str_eq(hooks[0].name, "exec 1");
	ck_assert_uint_eq(hooks[0].command.count, 3);
	ck_assert_str_eq(hooks[0].command.items[2], "webshop");
	ck_assert_int_eq(hooks[0].deadline, 90);
	ck_assert_int_eq(hooks[1].kind, HOOK_WEBHOOK);
	ck_assert_str_eq(hooks[1].webhook.url, "https://example.com/hook");
	ck_assert_str_eq(hooks[1].webhook.secret_file, "/etc/hook");
	ck_assert_int_eq(hooks[1].deadline, 60);
	ck_assert_int_eq(hooks[2].kind, HOOK_ANSIBLE);
	ck_assert_str_eq(hooks[2].name, "reload");
	ck_assert_str_eq(hooks[2].play.playbook, "app.yml");
	ck_assert_str_eq(hooks[2].play.limit, "app1");
	ck_assert_int_eq(hooks[3].kind, HOOK_MANUAL);
	ck_assert_str_eq(hooks[3].text, "restart it\nand tell us");
	ck_assert_int_eq(config_application(&app, config, "webshob", &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "there is no application 'webshob'");
	ck_assert_str_eq(err.hint, "did you mean 'webshop'?");
	config_free(config);
}
END_TEST

START_TEST(another_file_can_be_named)
{
	struct config *config = NULL;
	char *path = test_path("other/my.yml");

	file("certrotate.yml", "nonsense");
	file("other/my.yml", "version: 1\nenvironments: {x: }\n");
	ck_ok(config_load(&config, dir, "other/my.yml", &err), &err);
	ck_assert_str_eq(config->file, "other/my.yml");
	ck_assert_str_eq(config->environments[0].name, "x");
	config_free(config);
	ck_ok(config_load(&config, dir, path, &err), &err);
	config_free(config);
	free(path);
	ck_assert_int_eq(config_load(&config, dir, "none.yml", &err), ERR_USAGE);
	ck_contains(err.msg, "none.yml: No such file or directory");
	ck_assert_int_eq(config_load(&config, "/nonexistent", NULL, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "/nonexistent: No such file or directory");
}
END_TEST

START_TEST(an_environment_is_found_by_name)
{
	const struct environment *env = NULL;
	struct config *config = load(NULL);

	ck_assert_int_eq(config_find(&env, config, "poc", &err), ERR_USAGE);
	ck_contains(err.msg, ": there is no environment");
	ck_assert_str_eq(err.hint,
			 "every folder of environments/ is one; -C names another repository");
	config_free(config);

	folder("environments/poc");
	config = load(NULL);
	ck_assert_str_eq(find(config, NULL)->name, "poc");
	config_free(config);

	folder("environments/prod");
	config = load(NULL);
	ck_assert_int_eq(config_find(&env, config, NULL, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "there are 2 environments: name one with --env");
	ck_assert_str_eq(err.hint, "there are poc, prod");
	ck_assert_int_eq(config_find(&env, config, "prd", &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "there is no environment 'prd'");
	ck_assert_str_eq(err.hint, "did you mean 'prod'?");
	ck_assert_ptr_null(env);
	ck_assert_int_eq(config_find(&env, config, "zzzzzzzz", &err), ERR_USAGE);
	ck_assert_str_eq(err.hint, "valid are: poc, prod");
	config_free(config);
}
END_TEST

START_TEST(a_folder_with_an_unusable_name_is_no_secret)
{
	struct config *config = NULL;

	folder("environments/my env");
	ck_assert_int_eq(config_load(&config, dir, NULL, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "environments/my env: not a name for an environment");
	ck_assert_str_eq(err.hint, "rename the folder, or list the environments in certrotate.yml");
	config = load("version: 1\nenvironments: {poc: }\n");
	config_free(config);
}
END_TEST

START_TEST(names_of_environments_are_safe)
{
	static const char *const good[] = {"poc", "a", "A_1.b-c", "9"};
	static const char *const bad[] = {"",	 ".",	"..",  ".a",	   "-a",   "a b",
					  "a/b", "a\n", "a;b", "\xc3\xa9", "a{b}", "a$b"};
	char longest[ENVIRONMENT_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(environment_name_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!environment_name_valid(bad[i]), "%s", bad[i]);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert(!environment_name_valid(longest));
	longest[ENVIRONMENT_NAME_MAX] = '\0';
	ck_assert(environment_name_valid(longest));
}
END_TEST

static void link_to(const char *target, const char *name)
{
	char *path = test_path(name);

	ck_assert_int_eq(symlink(target, path), 0);
	free(path);
}

START_TEST(symbolic_links_are_followed_and_stay_inside)
{
	struct config *config = NULL;

	folder("environments/poc/group_vars");
	file("shared/poc/certs.yml", "x");
	link_to("../../../shared/poc", "environments/poc/group_vars/all");
	config = load(NULL);
	/* git knows the file by its own path, also where it does not exist yet */
	ck_assert_str_eq(find(config, "poc")->certs, "shared/poc/certs.yml");
	ck_assert_str_eq(find(config, "poc")->keys, "shared/poc/certs.vault.yml");
	config_free(config);

	link_to("/tmp", "out");
	file("certrotate.yml", "version: 1\nenvironments: {poc: {certs: out/c.yml}}\n");
	ck_assert_int_eq(config_load(&config, dir, NULL, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "certrotate.yml:2: environments.poc.certs: 'out/c.yml' leaves "
				  "the repository through a symbolic link, to /tmp");
	link_to("/nonexistent/x", "nowhere");
	file("certrotate.yml", "version: 1\nenvironments: {poc: {certs: nowhere}}\n");
	ck_assert_int_eq(config_load(&config, dir, NULL, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "certrotate.yml:2: environments.poc.certs: 'nowhere' cannot be "
				  "followed: a symbolic link leads nowhere");
	link_to("loop", "loop");
	file("certrotate.yml", "version: 1\nenvironments: {poc: {inventory: loop/x}}\n");
	ck_assert_int_eq(config_load(&config, dir, NULL, &err), ERR_USAGE);
	ck_contains(err.msg, "'loop/x' cannot be followed: Too many levels");
}
END_TEST

START_TEST(a_default_path_may_not_leave_either)
{
	struct config *config = NULL;

	folder("environments");
	link_to("/tmp", "environments/poc");
	ck_assert_int_eq(config_load(&config, dir, NULL, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "'environments/poc' leaves the repository through a symbolic "
				  "link, to /tmp");
}
END_TEST

START_TEST(a_home_directory_is_known)
{
	struct config *config;

	ck_assert_int_eq(setenv("HOME", "/home/dba", 1), 0);
	config = load("version: 1\nenvironments: {poc: {vault_password: '~/.vault/{env}'}}\n");
	ck_assert_str_eq(find(config, "poc")->vault_password, "/home/dba/.vault/poc");
	config_free(config);
	config = load("version: 1\nenvironments: {poc: {vault_password: bin/pass}}\n");
	ck_assert_str_eq(find(config, "poc")->vault_password, "bin/pass");
	config_free(config);
}
END_TEST

START_TEST(missing_files_are_told_when_they_are_needed)
{
	static const struct {
		const char *file, *message, *hint;
	} steps[] = {
		{"config/chainsmith.yml",
		 "the chain's description of environment 'poc': config/chainsmith_poc.yml: No such "
		 "file or directory",
		 "'chain' in certrotate.yml says where it is"},
		{"rollout_new_certs.yml",
		 "a playbook of environment 'poc': rollout_new_certs.yml: No such file or "
		 "directory",
		 "'rollout.trust' in certrotate.yml says where it is"},
		{"environments/poc/group_vars/all/certs.yml",
		 "the certificates of environment 'poc': "
		 "environments/poc/group_vars/all/certs.yml: "
		 "No such file or directory",
		 "'certs' in certrotate.yml says where it is"},
		{"environments/poc/group_vars/all/certsvault.yml",
		 "the vault with the keys of environment 'poc': "
		 "environments/poc/group_vars/all/certs.vault.yml: No such file or directory",
		 "'keys' in certrotate.yml says where it is"},
	};
	struct config *config;

	folder("environments/poc");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		config = load(NULL);
		ck_assert_int_eq(environment_check_files(config, find(config, NULL), true, &err),
				 ERR_USAGE);
		ck_assert_str_eq(err.msg, steps[i].message);
		ck_assert_str_eq(err.hint, steps[i].hint);
		config_free(config);
		if (i == 2) {
			config = load(NULL);
			ck_ok(environment_check_files(config, find(config, NULL), false, &err),
			      &err);
			config_free(config);
		}
		file(steps[i].file, "x");
	}
	config = load(NULL);
	ck_ok(environment_check_files(config, find(config, NULL), true, &err), &err);
	config_free(config);
	config = load("version: 1\nenvironments: {poc: {chain: config}}\n");
	ck_assert_int_eq(environment_check_files(config, find(config, NULL), false, &err),
			 ERR_USAGE);
	ck_assert_str_eq(err.msg,
			 "the chain's description of environment 'poc': config is a folder");
	config_free(config);
}
END_TEST

START_TEST(endpoints_are_the_chains_servers_by_default)
{
	static const char text[] = "intermediates:\n"
				   "- {name: a, servers: {db1: , db2: , db3: }}\n"
				   "- {name: b, servers: {db2: , db4: }}\n";
	struct chain_desc *chain = NULL;
	struct endpoints endpoints;
	struct config *config;

	file("environments/poc/hosts",
	     "db1 ansible_host=10.0.0.1\ndb2 ansible_host=\"{{ x }}\"\ndb4 ansible_host=fd00::4\n");
	ck_ok(chain_parse(&chain, text, strlen(text), "c.yml", dir, NULL, &err), &err);
	config = load(NULL);
	ck_ok(environment_endpoints(&endpoints, config, find(config, NULL), chain, &err), &err);
	ck_assert_uint_eq(endpoints.count, 4);
	ck_assert_str_eq(endpoints.items[0].name, "db1");
	ck_assert_str_eq(endpoints.items[0].address, "10.0.0.1");
	ck_assert_uint_eq(endpoints.items[0].port, 5432);
	ck_assert_int_eq(endpoints.items[0].protocol, ENDPOINT_POSTGRES);
	ck_assert_str_eq(endpoints.items[1].address, "db2");
	ck_assert_str_eq(endpoints.items[2].address, "db3");
	ck_assert_str_eq(endpoints.items[3].name, "db4");
	ck_assert_str_eq(endpoints.items[3].address, "fd00::4");
	endpoints_release(&endpoints);
	config_free(config);

	config = load("version: 1\ndefaults: {endpoints: [{name: db1, port: 1}, "
		      "{name: db1, address: pg}]}\n");
	ck_ok(environment_endpoints(&endpoints, config, find(config, NULL), chain, &err), &err);
	ck_assert_uint_eq(endpoints.count, 2);
	ck_assert_str_eq(endpoints.items[0].address, "10.0.0.1");
	ck_assert_str_eq(endpoints.items[1].address, "pg");
	endpoints_release(&endpoints);
	config_free(config);

	config = load("version: 1\ndefaults: {endpoints: []}\n");
	ck_ok(environment_endpoints(&endpoints, config, find(config, NULL), chain, &err), &err);
	ck_assert_uint_eq(endpoints.count, 0);
	config_free(config);
	chain_free(chain);
}
END_TEST

START_TEST(every_key_can_be_listed)
{
	static const char *const some[] = {"version",
					   "defaults",
					   "defaults.git.flow",
					   "defaults.rollout.trust[].playbook",
					   "defaults.endpoints[].protocol",
					   "environments",
					   "applications.NAME.users",
					   "applications.NAME.trust[].kind"};
	struct config_key_list keys;
	struct strmap seen = STRMAP_INIT;
	size_t at;

	ck_ok(config_keys(&keys, &err), &err);
	for (size_t i = 0; i < keys.count; i++) {
		ck_assert_msg(!strmap_get(&seen, keys.items[i].path, NULL), "%s",
			      keys.items[i].path);
		ck_ok(strmap_put(&seen, keys.items[i].path, i, &err), &err);
		ck_assert_msg(keys.items[i].help && keys.items[i].help[0], "%s",
			      keys.items[i].path);
		ck_assert_ptr_null(strchr(keys.items[i].help, '\n'));
		ck_assert(keys.items[i].type[0] != '\0');
	}
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		ck_assert_msg(strmap_get(&seen, some[i], NULL), "%s", some[i]);
	ck_assert(strmap_get(&seen, "defaults.git.flow", &at));
	ck_assert_str_eq(keys.items[at].type, "direct or merge_request");
	ck_assert_str_eq(keys.items[at].fallback, "direct");
	ck_assert(!strmap_get(&seen, "environments.NAME.certs", NULL));
	strmap_release(&seen);
	config_keys_release(&keys);
}
END_TEST

Suite *config_suite(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("config");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_repository_in_the_usual_layout_needs_no_file);
	tcase_add_test(tc, files_are_found_by_either_name);
	tcase_add_test(tc, the_defaults_of_the_manual_are_the_programs);
	tcase_add_test(tc, defaults_lie_below_each_environment);
	tcase_add_test(tc, applications_and_their_hooks_are_read);
	tcase_add_test(tc, another_file_can_be_named);
	tcase_add_test(tc, an_environment_is_found_by_name);
	tcase_add_test(tc, a_folder_with_an_unusable_name_is_no_secret);
	tcase_add_test(tc, names_of_environments_are_safe);
	tcase_add_test(tc, symbolic_links_are_followed_and_stay_inside);
	tcase_add_test(tc, a_default_path_may_not_leave_either);
	tcase_add_test(tc, a_home_directory_is_known);
	tcase_add_test(tc, missing_files_are_told_when_they_are_needed);
	tcase_add_test(tc, endpoints_are_the_chains_servers_by_default);
	tcase_add_test(tc, every_key_can_be_listed);
	suite_add_tcase(suite, tc);
	return suite;
}
