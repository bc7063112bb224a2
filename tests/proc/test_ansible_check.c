/* SPDX-License-Identifier: PostgreSQL */
/* What ansible-playbook says of a playbook before it runs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/ansible.h"
#include "tests/proc/suites.h"

static struct err err;
static struct ansible_spec spec;

static void write_file(const char *name, const char *text)
{
	char *path = test_path(name);

	test_write(path, text);
	free(path);
}

static void set_up(void)
{
	ck_assert_msg(system("command -v ansible-playbook >/dev/null") == 0,
		      "ansible-playbook is missing: apt install ansible-core");
	err_clear(&err);
	spec = (struct ansible_spec){
		.directory = test_mkdir(), .inventory = "hosts", .playbook = "play.yml"};
	write_file("hosts", "[db]\ndb1 ansible_connection=local\n[gone]\n");
}

static void tear_down(void)
{
	test_rmdir();
}

START_TEST(nothing_is_run)
{
	char *path = test_path("touched");

	write_file("play.yml", "- hosts: db\n  gather_facts: false\n  tasks:\n"
			       "  - command: touch touched\n");
	ck_ok(ansible_check(&spec, &err), &err);
	ck_assert_int_ne(access(path, F_OK), 0);
	free(path);
}
END_TEST

static const struct {
	const char *play;
	const char *message;
	const char *hint;
} bad[] = {
	{"- hosts: db\n  tasks: [\n}\n", "play.yml:3: ansible-playbook refuses play.yml: ",
	 "ansible-playbook -i hosts --list-hosts play.yml"},
	{"- hosts: db\n  tasks:\n  - no_such_module: {}\n",
	 "play.yml:3: ansible-playbook refuses play.yml: couldn't resolve module/action "
	 "'no_such_module'",
	 "ansible-playbook -i hosts --list-hosts play.yml"},
	{"- hosts: gone\n  tasks: []\n- hosts: nobody\n  tasks: []\n",
	 "play.yml: it has no host of hosts", "ansible-inventory -i hosts --graph"},
};

START_TEST(what_ansible_refuses_is_named)
{
	write_file("play.yml", bad[_i].play);
	ck_assert_int_eq(ansible_check(&spec, &err), ERR_FAIL);
	ck_contains(err.msg, bad[_i].message);
	ck_contains(err.hint, bad[_i].hint);
}
END_TEST

START_TEST(a_password_is_not_asked_for)
{
	static const char *const asking[] = {"--ask-become-pass", "-K", "-bK", "-k", "-J"};

	write_file("play.yml", "- hosts: [\n");
	for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++) {
		struct strs extra = STRS_INIT;

		ck_ok(strs_add(&extra, asking[i], &err), &err);
		spec.extra_args = &extra;
		ck_ok(ansible_check(&spec, &err), &err);
		strs_release(&extra);
	}
}
END_TEST

Suite *ansible_check_suite(void)
{
	Suite *suite = suite_create("proc/ansible_check");
	TCase *tc = tcase_create("ansible_check");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, nothing_is_run);
	tcase_add_loop_test(tc, what_ansible_refuses_is_named, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, a_password_is_not_asked_for);
	suite_add_tcase(suite, tc);
	return suite;
}
