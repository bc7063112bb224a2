/* SPDX-License-Identifier: PostgreSQL */
/* How ansible-playbook is started, so that nothing of what it prints is kept back. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "proc/ansible.h"
#include "proc/ansible_args.h"
#include "tests/proc/suites.h"

static struct err err;

static void set_up(void)
{
	err_clear(&err);
	(void)test_mkdir();
}

static void tear_down(void)
{
	test_rmdir();
}

#define PYTHON "/usr/bin/python3"

static const struct {
	const char *first_line;
	const char *call; /* before the script's path; NULL: the script itself */
} scripts[] = {
	{"#!" PYTHON "\nimport sys\n", PYTHON ", -u"},
	{"#! \t" PYTHON " -sP \t\r\n", PYTHON ", -sP, -u"},
	{"#!/usr/bin/env python3\n", "/usr/bin/env, python3, -u"},
	{"#!/bin/sh\nexec python3\n", NULL},
	{"#!/bin/sh /usr/bin/python3\n", NULL},
	{"#!/nowhere/bin/python3\n", NULL},
	{"#!" PYTHON, NULL}, /* a line that has no end */
	{"#!\n", NULL},
	{"\177ELF\2\1\1", NULL},
	{"", NULL},
};

START_TEST(python_is_told_not_to_wait)
{
	char *path = test_path("ansible-playbook"), said[512], *wanted;
	struct strs args = STRS_INIT, call = STRS_INIT, set = STRS_INIT;
	const char *before = scripts[_i].call;

	test_write(path, scripts[_i].first_line);
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_ok(strs_add(&args, path, &err), &err);
	ck_ok(strs_add(&args, "-i", &err), &err);
	ck_ok(ansible_program(&call, &set, &args, &err), &err);
	strs_join(&call, call.count, said, sizeof(said));
	wanted = before ? str_fmt("%s, %s, -i", before, path) : str_fmt("%s, -i", path);
	ck_assert_str_eq(said, wanted);
	ck_assert_uint_eq(set.count, before ? 0 : 1);
	if (!before)
		ck_assert_str_eq(set.items[0], "PYTHONUNBUFFERED=1");
	strs_release(&call);
	strs_release(&set);
	/* what the caller has set is not set again */
	ck_ok(strs_add(&set, "PYTHONUNBUFFERED=0", &err), &err);
	ck_ok(ansible_program(&call, &set, &args, &err), &err);
	ck_assert_uint_eq(set.count, 1);
	strs_release(&args);
	strs_release(&call);
	strs_release(&set);
	free(wanted);
	free(path);
}
END_TEST

/* One host waits for what the other one's result sets off. */
static void on_output(void *ctx, const char *data, unsigned long len)
{
	struct buf *shown = ctx;
	char *path = test_path("seen");

	buf_add(shown, data, len);
	if (strstr(shown->data, "ok: [db1]"))
		test_write(path, "");
	free(path);
}

static void on_line(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

START_TEST(output_comes_at_once_and_nobody_inherits_it)
{
	struct buf shown;
	struct log report = {.line = on_line, .output = on_output, .ctx = &shown};
	struct ansible_spec spec = {.directory = test_path(""),
				    .inventory = "hosts",
				    .playbook = "play.yml",
				    .deadline_s = 60,
				    .log = &report};
	struct ansible_result result;
	char *hosts = test_path("hosts"), *play = test_path("play.yml");

	ck_assert_msg(system("command -v ansible-playbook >/dev/null") == 0,
		      "ansible-playbook is missing: apt install ansible-core");
	buf_init(&shown, BUF_TEXT_MAX);
	test_write(hosts, "[all]\ndb1\ndb2\n[all:vars]\nansible_connection=local\n"
			  "ansible_python_interpreter=" PYTHON "\n");
	test_write(play, "- hosts: all\n"
			 "  gather_facts: false\n"
			 "  tasks:\n"
			 "  - wait_for:\n"
			 "      path: \"{{ playbook_dir }}/{{ inventory_hostname == 'db1'\n"
			 "             and 'hosts' or 'seen' }}\"\n"
			 "      timeout: 20\n"
			 "  - command: printenv PYTHONUNBUFFERED\n"
			 "    register: inherited\n"
			 "    failed_when: inherited.rc == 0\n");
	(void)unsetenv("PYTHONUNBUFFERED");
	ck_ok(ansible_run(&result, &spec, &err), &err);
	ck_assert_uint_eq(result.hosts[0].ok, 2);
	ansible_result_release(&result);
	buf_release(&shown);
	free(hosts);
	free(play);
	free((char *)(uintptr_t)spec.directory);
}
END_TEST

Suite *ansible_program_suite(void)
{
	Suite *suite = suite_create("proc/ansible_program");
	TCase *tc = tcase_create("ansible_program");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, python_is_told_not_to_wait, 0,
			    (int)(sizeof(scripts) / sizeof(scripts[0])));
	tcase_add_test(tc, output_comes_at_once_and_nobody_inherits_it);
	suite_add_tcase(suite, tc);
	return suite;
}
