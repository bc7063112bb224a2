/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/vault/vault_tests.h"

/* Each test is a process of its own: what it sets in the environment dies with it. */
static struct vault_test t;
static struct vault_passwords found;
static char repo[64];

static void setup(void)
{
	memset(&t, 0, sizeof(t));
	t.arena = arena_new(1 << 20);
	sys_init(&t.sys);
	(void)snprintf(repo, sizeof(repo), "%s", test_mkdir());
	unsetenv("ANSIBLE_CONFIG");
	unsetenv("ANSIBLE_VAULT_PASSWORD_FILE");
	unsetenv("ANSIBLE_VAULT_IDENTITY_LIST");
	unsetenv("ANSIBLE_VAULT_IDENTITY");
	unsetenv("ANSIBLE_VAULT_ENCRYPT_IDENTITY");
	unsetenv("ANSIBLE_VAULT_ID_MATCH");
	ck_assert_int_eq(setenv("HOME", "/nonexistent", 1), 0);
	memset(&found, 0, sizeof(found));
}

static void teardown(void)
{
	vault_passwords_release(&found);
	arena_free(t.arena);
	test_rmdir();
}

static void write_file(const char *name, const char *text)
{
	char *path = test_path(name);

	test_write(path, text);
	free(path);
}

static void make_dir(const char *name)
{
	char *path = test_path(name);

	ck_assert_int_eq(mkdir(path, 0755), 0);
	free(path);
}

static int find(const char *explicit_path)
{
	return vault_passwords_find(&found, t.arena, repo, explicit_path, NULL, &t.sys, NULL,
				    &t.err);
}

static void check_item(size_t i, const char *text, const char *label, const char *file)
{
	char path[128];

	ck_assert_uint_lt(i, found.count);
	(void)snprintf(path, sizeof(path), "%s/%s", repo, file);
	ck_assert_str_eq(found.items[i].text.data, text);
	ck_assert_str_eq(found.items[i].label, label);
	ck_assert_str_eq(found.items[i].path, path);
}

START_TEST(nothing_configured_lists_the_places)
{
	ck_assert_int_eq(find(NULL), ERR_USAGE);
	ck_assert_str_eq(t.err.msg, "no vault password is configured");
	ck_contains(t.err.hint, "vault_password in certrotate.yml");
	ck_contains(t.err.hint, repo);
	ck_contains(t.err.hint, "/ansible.cfg (not there)");
	ck_contains(t.err.hint, "/nonexistent/.ansible.cfg (not there)");
	ck_contains(t.err.hint, "ANSIBLE_VAULT_IDENTITY_LIST");
}
END_TEST

START_TEST(a_cfg_that_does_not_set_it_is_named)
{
	write_file("ansible.cfg", "[defaults]\nforks = 5\n");
	ck_assert_int_eq(find(NULL), ERR_USAGE);
	ck_contains(t.err.hint, "/ansible.cfg (sets neither)");
}
END_TEST

START_TEST(environment_names_a_file)
{
	write_file("pass", " \t secret \r\n\n");
	ck_assert_int_eq(setenv("ANSIBLE_VAULT_PASSWORD_FILE", "./x/../pass", 1), 0);
	ck_ok(find(NULL), &t.err);
	ck_assert_uint_eq(found.count, 1);
	check_item(0, "secret", "default", "pass");
	ck_contains(found.items[0].origin, "/pass (ANSIBLE_VAULT_PASSWORD_FILE)");
	ck_assert_uint_eq(found.ansible_args.count, 0);
	ck_assert_uint_eq(found.passed_over.count, 0);
}
END_TEST

START_TEST(cfg_of_the_repository_names_a_file)
{
	write_file("ansible.cfg", "# a comment\n[ssh_connection]\nvault_password_file = no\n"
				  "[defaults]\nforks=5\nVault_Password_File : pass ; here\n");
	write_file("pass", "secret\n");
	ck_ok(find(NULL), &t.err);
	check_item(0, "secret", "default", "pass");
	ck_contains(found.items[0].origin, "(vault_password_file in ");
}
END_TEST

START_TEST(environment_wins_over_cfg)
{
	write_file("ansible.cfg", "[defaults]\nvault_password_file = pass\n");
	write_file("pass", "from cfg\n");
	write_file("other", "from env\n");
	ck_assert_int_eq(setenv("ANSIBLE_VAULT_PASSWORD_FILE", "other", 1), 0);
	ck_ok(find(NULL), &t.err);
	ck_assert_uint_eq(found.count, 1);
	check_item(0, "from env", "default", "other");
}
END_TEST

/* vault_password_file starts at the cfg's folder, the identity list at Ansible's. */
START_TEST(relative_paths_start_where_ansible_says)
{
	make_dir("etc");
	write_file("etc/my.cfg", "[defaults]\nvault_password_file = pass\n"
				 "vault_identity_list = poc@pass,\n  prod@second\n");
	write_file("etc/pass", "in etc\n");
	write_file("pass", "in repo\n");
	write_file("second", "second in repo\n");
	ck_assert_int_eq(setenv("ANSIBLE_CONFIG", "etc/my.cfg", 1), 0);
	ck_ok(find(NULL), &t.err);
	ck_assert_uint_eq(found.count, 3);
	check_item(0, "in repo", "poc", "pass");
	check_item(1, "second in repo", "prod", "second");
	check_item(2, "in etc", "default", "etc/pass");
}
END_TEST

START_TEST(ansible_config_may_be_a_folder)
{
	make_dir("etc");
	write_file("etc/ansible.cfg", "[defaults]\nvault_password_file = pass\n");
	write_file("etc/pass", "in etc\n");
	ck_assert_int_eq(setenv("ANSIBLE_CONFIG", "etc", 1), 0);
	ck_ok(find(NULL), &t.err);
	check_item(0, "in etc", "default", "etc/pass");
}
END_TEST

START_TEST(ansible_config_that_is_not_there_is_passed_over)
{
	write_file("ansible.cfg", "[defaults]\nvault_password_file = pass\n");
	write_file("pass", "secret\n");
	ck_assert_int_eq(setenv("ANSIBLE_CONFIG", "/nonexistent/x.cfg", 1), 0);
	ck_ok(find(NULL), &t.err);
	check_item(0, "secret", "default", "pass");
}
END_TEST

START_TEST(world_writable_repository_is_passed_over)
{
	write_file("ansible.cfg", "[defaults]\nvault_password_file = pass\n");
	write_file("pass", "secret\n");
	ck_assert_int_eq(chmod(repo, 0777), 0);
	ck_assert_int_eq(find(NULL), ERR_USAGE);
	ck_contains(t.err.hint, "everybody may write to the folder");
	ck_assert_int_eq(setenv("ANSIBLE_CONFIG", "ansible.cfg", 1), 0);
	ck_ok(find(NULL), &t.err);
	check_item(0, "secret", "default", "pass");
}
END_TEST

START_TEST(home_and_variables_are_expanded)
{
	make_dir("home");
	write_file("home/pass", "at home\n");
	write_file("home/.ansible.cfg", "[defaults]\nvault_password_file = ~/${NAME}\n");
	ck_assert_int_eq(setenv("NAME", "pass", 1), 0);
	{
		char *home = test_path("home/");

		ck_assert_int_eq(setenv("HOME", home, 1), 0);
		free(home);
	}
	ck_ok(find(NULL), &t.err);
	check_item(0, "at home", "default", "home/pass");
}
END_TEST

START_TEST(explicit_path_stands_alone_and_is_handed_to_ansible)
{
	char path[128];

	write_file("ansible.cfg", "[defaults]\nvault_password_file = pass\n");
	write_file("pass", "from cfg\n");
	write_file("own", "own\n");
	ck_ok(find("own"), &t.err);
	ck_assert_uint_eq(found.count, 1);
	check_item(0, "own", "default", "own");
	ck_contains(found.items[0].origin, "vault_password in certrotate.yml");
	(void)snprintf(path, sizeof(path), "%s/own", repo);
	ck_assert_uint_eq(found.ansible_args.count, 2);
	ck_assert_str_eq(found.ansible_args.items[0], "--vault-password-file");
	ck_assert_str_eq(found.ansible_args.items[1], path);
}
END_TEST

START_TEST(explicit_path_that_ansible_finds_too_is_not_handed_over)
{
	write_file("ansible.cfg", "[defaults]\nvault_password_file = pass\n");
	write_file("pass", "from cfg\n");
	ck_ok(find("./pass"), &t.err);
	ck_assert_uint_eq(found.count, 1);
	ck_assert_uint_eq(found.ansible_args.count, 0);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
	char message[256];

	ck_assert_int_eq(find("nowhere"), ERR_FAIL);
	(void)snprintf(message, sizeof(message), "the vault password file %s/nowhere is not there",
		       repo);
	ck_assert_str_eq(t.err.msg, message);
	ck_assert_int_eq(find("."), ERR_FAIL);
	ck_contains(t.err.msg, "is a folder");
	(void)snprintf(message, sizeof(message), "%s/loop", repo);
	ck_assert_int_eq(symlink("loop", message), 0);
	ck_assert_int_eq(find("loop"), ERR_FAIL);
	ck_contains(t.err.msg, "/loop: Too many levels of symbolic links");
}
END_TEST

START_TEST(an_empty_password_is_refused)
{
	write_file("pass", " \n\n");
	ck_assert_int_eq(find("pass"), ERR_FAIL);
	ck_contains(t.err.msg, "/pass gives is empty");
	ck_assert_int_eq(setenv("ANSIBLE_VAULT_PASSWORD_FILE", "", 1), 0);
	ck_assert_int_eq(find(NULL), ERR_USAGE);
	ck_assert_str_eq(t.err.msg, "ANSIBLE_VAULT_PASSWORD_FILE is empty");
}
END_TEST

START_TEST(a_source_that_fails_is_passed_over_beside_another)
{
	write_file("pass", "secret\n");
	ck_assert_int_eq(
		setenv("ANSIBLE_VAULT_IDENTITY_LIST", "poc@nowhere, prod@prompt, 'pass'", 1), 0);
	ck_ok(find(NULL), &t.err);
	ck_assert_uint_eq(found.count, 1);
	check_item(0, "secret", "default", "pass");
	ck_assert_uint_eq(found.passed_over.count, 2);
	ck_contains(found.passed_over.items[0], "/nowhere is not there");
	ck_contains(found.passed_over.items[1], "asks at the terminal");
}
END_TEST

START_TEST(a_prompt_alone_is_an_error)
{
	ck_assert_int_eq(setenv("ANSIBLE_VAULT_IDENTITY_LIST", "prod@prompt", 1), 0);
	ck_assert_int_eq(find(NULL), ERR_USAGE);
	ck_contains(t.err.msg, "'prod@prompt' in ANSIBLE_VAULT_IDENTITY_LIST asks at the terminal");
	ck_contains(t.err.hint, "a file or a script");
}
END_TEST

START_TEST(a_password_file_may_be_a_vault)
{
	struct secret plain;
	struct buf out;
	struct vault_passwords key = VAULT_PASSWORDS_INIT;

	ck_ok(vault_passwords_add(&key, t.arena, "first", 5, NULL, "x", &t.err), &t.err);
	ck_ok(arena_copy(&plain, t.arena, "second\n", 7, &t.err), &t.err);
	buf_init(&out, 1 << 16);
	ck_ok(vault_encrypt(&out, &plain, &key.items[0], NULL, &t.sys, &t.err), &t.err);
	write_file("locked", out.data);
	write_file("pass", "first");
	ck_assert_int_eq(setenv("ANSIBLE_VAULT_IDENTITY_LIST", "a@pass,b@locked", 1), 0);
	ck_ok(find(NULL), &t.err);
	check_item(1, "second", "b", "locked");
	buf_release(&out);
	vault_passwords_release(&key);
}
END_TEST

START_TEST(the_options_for_several_ids_are_read)
{
	write_file("ansible.cfg", "[defaults]\nvault_id_match = Yes\nvault_identity = mine\n"
				  "vault_encrypt_identity = prod\n"
				  "vault_identity_list = a@one, prod@two, one\n");
	write_file("one", "1");
	write_file("two", "2");
	ck_ok(find(NULL), &t.err);
	ck_assert(found.id_match);
	check_item(1, "2", "prod", "two");
	check_item(2, "1", "mine", "one");
	ck_assert_ptr_eq(vault_passwords_for_new(&found), &found.items[1]);
}
END_TEST

START_TEST(a_new_vault_takes_the_first_password)
{
	struct vault_passwords none = VAULT_PASSWORDS_INIT;

	write_file("one", "1");
	ck_ok(find("one"), &t.err);
	ck_assert_ptr_eq(vault_passwords_for_new(&found), &found.items[0]);
	ck_assert_ptr_null(vault_passwords_for_new(&none));
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} bad_cfgs[] = {
	{"vault_password_file = x\n", "ansible.cfg:1: the first line must be a [section]"},
	{"[defaults]\n\nnonsense\n", "ansible.cfg:3: neither a section nor 'key = value'"},
	{"[defaults]\n= x\n", "ansible.cfg:2: neither a section nor 'key = value'"},
};

START_TEST(a_broken_cfg_is_refused_with_its_line)
{
	write_file("ansible.cfg", bad_cfgs[_i].text);
	ck_assert_int_eq(find(NULL), ERR_USAGE);
	ck_contains(t.err.msg, repo);
	ck_contains(t.err.msg, bad_cfgs[_i].message);
}
END_TEST

START_TEST(a_cfg_of_another_kind_is_refused)
{
	write_file("conf.yml", "x: y\n");
	ck_assert_int_eq(setenv("ANSIBLE_CONFIG", "conf.yml", 1), 0);
	ck_assert_int_eq(find(NULL), ERR_USAGE);
	ck_contains(t.err.msg, "from .cfg and .ini files only");
}
END_TEST

static void write_script(const char *name, const char *text)
{
	char *path = test_path(name);

	test_write(path, text);
	ck_assert_int_eq(chmod(path, 0755), 0);
	free(path);
}

START_TEST(a_script_gives_its_output)
{
	write_script("script", "#!/bin/sh\necho \" with blanks \"; pwd > where\n");
	ck_ok(find("script"), &t.err);
	check_item(0, " with blanks ", "default", "script");
	{
		char *where = test_path("where");
		char *text = test_read(where, NULL);

		text[strlen(text) - 1] = '\0';
		ck_assert_str_eq(text, repo);
		free(text);
		free(where);
	}
}
END_TEST

START_TEST(a_client_script_gets_the_label)
{
	write_script("get-client", "#!/bin/sh\necho \"$*\"\n");
	write_script("get-client.sh", "#!/bin/sh\necho \"$*\"\n");
	ck_assert_int_eq(setenv("ANSIBLE_VAULT_IDENTITY_LIST", "poc@get-client,./get-client.sh", 1),
			 0);
	ck_assert_int_eq(setenv("ANSIBLE_VAULT_PASSWORD_FILE", "get-client.sh", 1), 0);
	ck_ok(find(NULL), &t.err);
	ck_assert_uint_eq(found.count, 2);
	check_item(0, "--vault-id poc", "poc", "get-client");
	/* without a label it gets none, and an empty password is passed over */
	ck_assert_uint_eq(found.passed_over.count, 1);
	check_item(1, "--vault-id default", "default", "get-client.sh");
}
END_TEST

START_TEST(a_client_script_without_that_label_says_so)
{
	write_script("get-client", "#!/bin/sh\nexit 2\n");
	ck_assert_int_eq(setenv("ANSIBLE_VAULT_IDENTITY_LIST", "poc@get-client", 1), 0);
	ck_assert_int_eq(find(NULL), ERR_FAIL);
	ck_contains(t.err.msg, "/get-client knows no password for the vault id 'poc'");
}
END_TEST

START_TEST(a_script_that_fails_is_named)
{
	write_script("script", "#!/bin/sh\necho no agent >&2\nexit 3\n");
	ck_assert_int_eq(find("script"), ERR_FAIL);
	ck_contains(t.err.msg, "the vault password script failed");
	ck_contains(t.err.msg, "/script");
	ck_contains(t.err.msg, "no agent");
	ck_contains(t.err.hint, "execute bit");
}
END_TEST

START_TEST(a_file_that_is_no_program_has_a_hint)
{
	write_script("pass", "just a password\n");
	ck_assert_int_lt(find("pass"), 0);
	ck_contains(t.err.msg, "/pass");
	ck_contains(t.err.hint, "take its execute bit away");
}
END_TEST

static char seen[256];

static void collect(void *ctx, const char *data, unsigned long len)
{
	(void)ctx;
	(void)strncat(seen, data, len);
}

START_TEST(what_a_script_says_on_stderr_is_shown)
{
	struct log log = {.output = collect};

	write_script("script", "#!/bin/sh\necho 'asking the agent' >&2\necho secret\n");
	ck_ok(vault_passwords_find(&found, t.arena, repo, "script", NULL, &t.sys, &log, &t.err),
	      &t.err);
	check_item(0, "secret", "default", "script");
	ck_assert_str_eq(seen, "asking the agent\n");
}
END_TEST

Suite *password_suite(void)
{
	Suite *suite = suite_create("vault passwords");
	TCase *tc = tcase_create("found");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_configured_lists_the_places);
	tcase_add_test(tc, a_cfg_that_does_not_set_it_is_named);
	tcase_add_test(tc, environment_names_a_file);
	tcase_add_test(tc, cfg_of_the_repository_names_a_file);
	tcase_add_test(tc, environment_wins_over_cfg);
	tcase_add_test(tc, relative_paths_start_where_ansible_says);
	tcase_add_test(tc, ansible_config_may_be_a_folder);
	tcase_add_test(tc, ansible_config_that_is_not_there_is_passed_over);
	tcase_add_test(tc, world_writable_repository_is_passed_over);
	tcase_add_test(tc, home_and_variables_are_expanded);
	tcase_add_test(tc, explicit_path_stands_alone_and_is_handed_to_ansible);
	tcase_add_test(tc, explicit_path_that_ansible_finds_too_is_not_handed_over);
	tcase_add_test(tc, a_missing_file_is_named);
	tcase_add_test(tc, an_empty_password_is_refused);
	tcase_add_test(tc, a_source_that_fails_is_passed_over_beside_another);
	tcase_add_test(tc, a_prompt_alone_is_an_error);
	tcase_add_test(tc, a_password_file_may_be_a_vault);
	tcase_add_test(tc, the_options_for_several_ids_are_read);
	tcase_add_test(tc, a_new_vault_takes_the_first_password);
	tcase_add_loop_test(tc, a_broken_cfg_is_refused_with_its_line, 0,
			    (int)(sizeof(bad_cfgs) / sizeof(bad_cfgs[0])));
	tcase_add_test(tc, a_cfg_of_another_kind_is_refused);
	suite_add_tcase(suite, tc);
	return suite;
}

Suite *script_suite(void)
{
	Suite *suite = suite_create("vault password scripts");
	TCase *tc = tcase_create("scripts");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_script_gives_its_output);
	tcase_add_test(tc, a_client_script_gets_the_label);
	tcase_add_test(tc, a_client_script_without_that_label_says_so);
	tcase_add_test(tc, a_script_that_fails_is_named);
	tcase_add_test(tc, a_file_that_is_no_program_has_a_hint);
	tcase_add_test(tc, what_a_script_says_on_stderr_is_shown);
	suite_add_tcase(suite, tc);
	return suite;
}
