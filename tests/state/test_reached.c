/* SPDX-License-Identifier: PostgreSQL */
/* Whether a phase's playbooks reached every host, also after a resume. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "state/reached.h"
#include "tests/state/suites.h"

static char inventory_path[] = "hosts.yml";
static struct environment environment = {.inventory = inventory_path};
static struct session session;
static struct plan plan;
static struct verify_result seen;
static struct json *rollout;
static struct err err;

static const char inventory_text[] = "all:\n  hosts: {db1: {}, db2: {}, db3: {}, db4: {}}\n";

static void setup(void)
{
	static const char *const hosts[] = {"db1", "db2", "db3", "db4", "elsewhere"};
	const char *root = test_mkdir();
	char *inventory, command[256];

	(void)snprintf(command, sizeof(command), "git init -q '%s'", root);
	ck_assert_int_eq(system(command), 0);
	inventory = test_path(inventory_path);
	test_write(inventory, inventory_text);
	free(inventory);
	ck_ok(repo_open(&session.repo, root, &err), &err);
	session.env = &environment;
	session.local_dir = test_path(".git");
	plan.row = (struct transition){.from = STATE_GENERATED, .to = STATE_TRUSTED};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		ck_ok(strs_add(&plan.store.host_set, hosts[i], &err), &err);
	rollout = js_new_array();
}

static void teardown(void)
{
	repo_close(session.repo);
	free(session.local_dir);
	strs_release(&plan.store.host_set);
	strs_release(&plan.skip);
	verify_release(&seen);
	js_free(rollout);
	test_rmdir();
}

/* A run's evidence, with names and a blank behind each. */
static struct json *run_of(const char *names)
{
	struct json *run = js_new_object(), *hosts = js_new_array();
	char text[128], *save = NULL;

	(void)snprintf(text, sizeof(text), "%s", names);
	for (char *name = strtok_r(text, " ", &save); name; name = strtok_r(NULL, " ", &save))
		ck_assert_int_eq(js_push_str(hosts, name), 0);
	ck_assert_int_eq(js_set_str(run, "playbook", "rollout.yml"), 0);
	ck_assert_int_eq(js_set(run, "hosts", hosts), 0);
	return run;
}

/* What verify saw: these places answered, and there is something to mend at the host bad. */
static void see(const char *places, const char *bad)
{
	char text[256];
	struct json *leaves = js_new_array();
	char *save = NULL;

	(void)snprintf(text, sizeof(text), "%s", places);
	for (char *at = strtok_r(text, " ", &save); at; at = strtok_r(NULL, " ", &save)) {
		struct json *leaf = js_new_object();

		ck_assert_int_eq(js_set_str(leaf, "endpoint", at), 0);
		ck_assert_int_eq(js_push(leaves, leaf), 0);
	}
	seen.evidence = js_new_object();
	ck_assert_int_eq(js_set(seen.evidence, "leaves", leaves), 0);
	ck_ok(findings_add(&seen.findings, "leaf-served", SEVERITY_BLOCK, bad, NULL, &err, "old"),
	      &err);
}

static const char *said(void)
{
	static char text[1024];
	size_t len = 0;

	ck_ok(reached_judge(&seen, &session, &plan, rollout, &err), &err);
	text[0] = '\0';
	for (size_t i = 1; i < seen.findings.count; i++) {
		const struct finding *finding = &seen.findings.items[i];

		ck_assert_str_eq(finding->check, "rollout-host");
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s: %s\n",
					severity_name(finding->severity), finding->subject,
					finding->reason);
	}
	return text;
}

START_TEST(who_was_not_reached_is_named)
{
	see("db1:5432 db2:5432 db3:5432", "db2");
	ck_assert_int_eq(js_push(rollout, run_of("db1")), 0);
	ck_assert_str_eq(
		said(), "block db2: no playbook of this phase reached it\n"
			"warning db3: no playbook of this phase reached it, although what is seen "
			"of it is right\n"
			"block db4: no playbook of this phase reached it, and no endpoint of it is "
			"looked at\n"
			"info elsewhere: is no host of the inventory: nothing is known about who "
			"brings it its certificate\n");
}
END_TEST

START_TEST(several_playbooks_and_left_out_hosts_count)
{
	see("db1:5432", "db1");
	ck_assert_int_eq(js_push(rollout, run_of("db1 db2")), 0);
	ck_assert_int_eq(js_push(rollout, run_of("db4 elsewhere")), 0);
	ck_ok(strs_add(&plan.skip, "db3", &err), &err);
	ck_assert_str_eq(said(), "");
}
END_TEST

START_TEST(addresses_are_names_too)
{
	strs_release(&plan.store.host_set);
	ck_ok(strs_add(&plan.store.host_set, "fd00::1", &err), &err);
	see("[fd00::1]:5432", "db1");
	ck_assert_int_eq(js_push(rollout, run_of("db1")), 0);
	ck_assert_str_eq(said(), "info fd00::1: is no host of the inventory: nothing is known "
				 "about who brings it its certificate\n");
}
END_TEST

START_TEST(only_phases_that_change_servers_are_judged)
{
	see("db1:5432", "db1");
	ck_assert_str_eq(said(), "");
	ck_assert_int_eq(js_push(rollout, run_of("db1")), 0);
	plan.row = (struct transition){.from = STATE_SERVERS_SWITCHED,
				       .to = STATE_CLIENTS_SWITCHED,
				       .phase = PHASE_CLIENTS};
	ck_assert_str_eq(said(), "");
	plan.row = (struct transition){
		.from = STATE_IDLE, .to = STATE_IDLE, .phase = PHASE_EMERGENCY};
	ck_contains(said(), "db2: no playbook");
}
END_TEST

START_TEST(runs_are_kept_for_a_resume)
{
	struct json *run = run_of("db1 db2");
	char *path = test_path(".git/rollout.json");

	ck_ok(reached_recall(&session, "r/0", rollout, &err), &err);
	ck_assert_uint_eq(js_count(rollout), 0);
	ck_ok(reached_keep(&session, "r/0", true, run, &err), &err);
	ck_ok(reached_keep(&session, "r/1", false, run, &err), &err);
	ck_ok(reached_recall(&session, "r/0", rollout, &err), &err);
	ck_ok(reached_recall(&session, "r/1", rollout, &err), &err);
	ck_assert_uint_eq(js_count(rollout), 2);
	ck_assert(js_equal(js_at(rollout, 1), run));
	/* the next phase's first playbook forgets them; a damaged file counts as empty */
	ck_ok(reached_keep(&session, "s/0", true, run, &err), &err);
	ck_ok(reached_recall(&session, "r/1", rollout, &err), &err);
	ck_assert_uint_eq(js_count(rollout), 2);
	test_write(path, "{\"version\": 1, \"runs");
	ck_ok(reached_recall(&session, "s/0", rollout, &err), &err);
	ck_assert_uint_eq(js_count(rollout), 2);
	js_free(run);
	free(path);
}
END_TEST

START_TEST(a_host_that_damage_put_there_was_not_reached)
{
	struct json *run = run_of("db1 db2");
	char *path = test_path(".git/rollout.json");
	struct buf text;
	char *name;

	ck_ok(reached_keep(&session, "r/0", true, run, &err), &err);
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(file_read(&text, path, BUF_TEXT_MAX, &err), &err);
	name = strstr(text.data, "db2");
	ck_assert_ptr_nonnull(name);
	name[2] = '3';
	test_write(path, text.data);
	ck_ok(reached_recall(&session, "r/0", rollout, &err), &err);
	ck_assert_uint_eq(js_count(rollout), 0);
	name[2] = '2';
	test_write(path, text.data);
	ck_ok(reached_recall(&session, "r/0", rollout, &err), &err);
	ck_assert_uint_eq(js_count(rollout), 1);
	buf_release(&text);
	js_free(run);
	free(path);
}
END_TEST

START_TEST(without_an_inventory_that_can_be_read_every_name_is_a_host)
{
	char *inventory = test_path(inventory_path);

	ck_assert_int_eq(remove(inventory), 0);
	see("db1:5432 db2:5432 db3:5432 db4:5432", "db1");
	ck_assert_int_eq(js_push(rollout, run_of("db1 db2 db3 db4")), 0);
	ck_assert_str_eq(said(), "block elsewhere: no playbook of this phase reached it, and no "
				 "endpoint of it is looked at\n");
	free(inventory);
}
END_TEST

Suite *reached_suite(void)
{
	Suite *suite = suite_create("reached");
	TCase *tc = tcase_create("reached");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, who_was_not_reached_is_named);
	tcase_add_test(tc, several_playbooks_and_left_out_hosts_count);
	tcase_add_test(tc, addresses_are_names_too);
	tcase_add_test(tc, only_phases_that_change_servers_are_judged);
	tcase_add_test(tc, runs_are_kept_for_a_resume);
	tcase_add_test(tc, a_host_that_damage_put_there_was_not_reached);
	tcase_add_test(tc, without_an_inventory_that_can_be_read_every_name_is_a_host);
	suite_add_tcase(suite, tc);
	return suite;
}
