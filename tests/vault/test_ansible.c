/* SPDX-License-Identifier: PostgreSQL */
/* The real ansible-vault reads what is written here, and the other way round. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/vault/vault_tests.h"

#define ANSIBLE_VAULT "/usr/bin/ansible-vault"
#define FIXTURE	      "tests/data/chainsmith-python"

/* Runs a shell line in the test's folder. */
static void run(const char *line)
{
	char *dir = test_path(".");
	char *command = NULL;

	ck_assert_msg(access(ANSIBLE_VAULT, X_OK) == 0,
		      ANSIBLE_VAULT " is missing: install the package ansible-core");
	ck_assert_int_ge(
		asprintf(&command, "cd %s && export HOME=. LC_ALL=C.UTF-8 && %s", dir, line), 0);
	ck_assert_msg(system(command) == 0, "%s", command);
	free(command);
	free(dir);
}

static void both_ways(const char *plain, size_t len, const char *label)
{
	struct vault_test t;
	struct vault_used used;
	struct secret out;
	size_t text_len, back_len;
	char *vault, *pass, *back, *text;

	vt_open(&t);
	vault = test_path("vault.yml");
	pass = test_path("pass");
	back = test_path("back");
	text = vt_encrypt(&t, plain, len, label, &text_len);
	test_write(vault, text);
	test_write(pass, PASSWORD "\n");
	free(text);
	run(ANSIBLE_VAULT " decrypt --vault-id pass --output back vault.yml 2>/dev/null");
	text = test_read(back, &back_len);
	ck_assert_uint_eq(back_len, len);
	ck_assert_int_eq(memcmp(text, plain, len), 0);
	free(text);
	if (label[0])
		run(ANSIBLE_VAULT " encrypt --vault-id poc@pass back 2>/dev/null");
	else
		run(ANSIBLE_VAULT " encrypt --vault-id pass back 2>/dev/null");
	text = test_read(back, &text_len);
	ck_ok(vault_decrypt(&out, &used, t.arena, text, text_len, back, &t.passwords, &t.err),
	      &t.err);
	ck_assert_str_eq(used.label, label);
	ck_assert_uint_eq(out.len, len);
	ck_assert_int_eq(memcmp(out.data, plain, len), 0);
	free(text);
	free(vault);
	free(pass);
	free(back);
	vt_close(&t);
}

START_TEST(format_1_1_both_ways)
{
	both_ways("private_keys:\n  server: \xc3\xa9\n", 27, "");
}
END_TEST

START_TEST(format_1_2_both_ways)
{
	both_ways("exactly 16 bytes", 16, "poc");
}
END_TEST

START_TEST(a_large_vault_both_ways)
{
	size_t len = (size_t)1 << 20;
	char *plain = malloc(len);

	ck_assert_ptr_nonnull(plain);
	for (size_t i = 0; i < len; i++)
		plain[i] = (char)('a' + i % 26);
	both_ways(plain, len, "poc");
	free(plain);
}
END_TEST

/* ansible-vault indents an inline value, and Ansible reads one of ours. */
START_TEST(an_inline_value_both_ways)
{
	struct vault_test t;
	struct secret out;
	size_t len;
	char *path, *text, *vault, *line, *save = NULL;
	struct buf play;

	vt_open(&t);
	path = test_path("pass");
	test_write(path, PASSWORD);
	free(path);
	run(ANSIBLE_VAULT " encrypt_string --vault-id poc@pass --name key 'inline value' > out.yml "
			  "2>/dev/null");
	path = test_path("out.yml");
	text = test_read(path, &len);
	vault = strchr(text, '\n') + 1;
	ck_ok(vault_decrypt(&out, NULL, t.arena, vault, strlen(vault), path, &t.passwords, &t.err),
	      &t.err);
	ck_assert_str_eq(out.data, "inline value");
	free(text);
	free(path);

	buf_init(&play, 1 << 16);
	buf_adds(&play, "key: !vault |\n");
	text = vt_encrypt(&t, "from here", 9, "", &len);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		buf_addf(&play, "  %s\n", line);
	path = test_path("vars.yml");
	test_write(path, play.data);
	run("ansible localhost --vault-id pass -e @vars.yml -e ansible_python_interpreter=/usr/bin/"
	    "python3 -m debug -a var=key 2>/dev/null | grep -q '\"key\": \"from here\"'");
	free(path);
	free(text);
	buf_release(&play);
	vt_close(&t);
}
END_TEST

START_TEST(a_real_vault_of_chainsmith_is_read)
{
	char path[] = FIXTURE "/environments/poc/group_vars/all/certs.vault.yml";
	struct vault_test t;
	struct vault_used used;
	struct secret out;
	char *text;
	size_t len;

	vt_open(&t);
	text = test_read(path, &len);
	vt_add(&t, "fixture-vault-password", "fixture");
	ck_ok(vault_decrypt(&out, &used, t.arena, text, len, path, &t.passwords, &t.err), &t.err);
	ck_assert_uint_eq(used.password, 1);
	ck_assert_str_eq(used.label, "");
	ck_assert_int_eq(strncmp(out.data, "---\n\"private_keys\":\n", 20), 0);
	ck_assert(strstr(out.data, "-----BEGIN PRIVATE KEY-----") != NULL);
	free(text);
	vt_close(&t);
}
END_TEST

/* Settings for which ansible-config says where the password file is. */
static const struct {
	const char *cfg_name;
	const char *cfg;
	const char *env_name;
	const char *env_value;
} settings[] = {
	{"ansible.cfg", "[defaults]\nvault_password_file = pass\n", "UNUSED", ""},
	{"sub/a.cfg", "[defaults]\nvault_password_file : ../sub/./pass ; no\n", "ANSIBLE_CONFIG",
	 "sub/a.cfg"},
	{"sub/ansible.cfg", "[defaults]\n# no\nVAULT_PASSWORD_FILE=${PWD_NAME}\n", "ANSIBLE_CONFIG",
	 "sub"},
	{"ansible.cfg", "[other]\nvault_password_file = no\n[defaults]\nforks = 3\n",
	 "ANSIBLE_VAULT_PASSWORD_FILE", "sub/../$PWD_NAME"},
	{"home/.ansible.cfg", "[defaults]\nvault_password_file = ~/pass\n", "UNUSED", ""},
};

START_TEST(the_password_file_is_where_ansible_finds_it)
{
	struct vault_passwords found = VAULT_PASSWORDS_INIT;
	struct vault_test t;
	char *dir, *cfg, *home, *told, *at;

	vt_open(&t);
	dir = test_path("");
	dir[strlen(dir) - 1] = '\0';
	run("mkdir sub home && echo secret | tee pass sub/pass home/pass >/dev/null");
	cfg = test_path(settings[_i].cfg_name);
	test_write(cfg, settings[_i].cfg);
	home = test_path("home");
	ck_assert_int_eq(setenv("PWD_NAME", "pass", 1), 0);
	ck_assert_int_eq(setenv(settings[_i].env_name, settings[_i].env_value, 1), 0);
	run("HOME=$PWD/home ansible-config dump > told 2>/dev/null");
	ck_assert_int_eq(setenv("HOME", home, 1), 0);
	ck_ok(vault_passwords_find(&found, t.arena, dir, NULL, NULL, &t.sys, NULL, &t.err), &t.err);
	free(home);
	home = test_path("told");
	told = test_read(home, NULL);
	at = strstr(told, "DEFAULT_VAULT_PASSWORD_FILE(");
	ck_assert_ptr_nonnull(at);
	at = strstr(at, ") = ");
	ck_assert_ptr_nonnull(at);
	at += strlen(") = ");
	at[strcspn(at, "\n")] = '\0';
	ck_assert_str_eq(found.items[0].path, at);
	vault_passwords_release(&found);
	free(told);
	free(home);
	free(cfg);
	free(dir);
	vt_close(&t);
}
END_TEST

Suite *ansible_suite(void)
{
	Suite *suite = suite_create("ansible-vault");
	TCase *tc = tcase_create("both ways");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, format_1_1_both_ways);
	tcase_add_test(tc, format_1_2_both_ways);
	tcase_add_test(tc, a_large_vault_both_ways);
	tcase_add_test(tc, an_inline_value_both_ways);
	tcase_add_test(tc, a_real_vault_of_chainsmith_is_read);
	tcase_add_loop_test(tc, the_password_file_is_where_ansible_finds_it, 0,
			    (int)(sizeof(settings) / sizeof(settings[0])));
	suite_add_tcase(suite, tc);
	return suite;
}
