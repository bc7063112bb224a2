/* SPDX-License-Identifier: PostgreSQL */
/* What a playbook leaves about each host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/reports.h"
#include "state/verify_hosts.h"
#include "tests/state/scene.h"

static struct session session;
static struct reports reports;
static struct err err;

static void setup(void)
{
	scene_setup();
	ck_ok(runner_look(&session, &scene_options, &err), &err);
}

static void teardown(void)
{
	reports_release(&reports);
	session_close(&session);
	scene_teardown();
}

static int run(const char *const *vars)
{
	static char playbook[] = "rollout_new_certs.yml";
	const struct rollout_step step = {.playbook = playbook};
	const struct reports_spec spec = {.step = &step, .vars = vars, .title = "check"};

	return reports_run(&reports, &session, &spec, &err);
}

static const char *why(const char *host)
{
	const struct report *report = reports_find(&reports, host);

	ck_assert_ptr_nonnull(report);
	ck_assert_ptr_null(report->value);
	return report->why;
}

START_TEST(why_there_is_no_report_is_said_of_each_host)
{
	scene_ansible(
		"cd \"$report\"\n"
		"echo '{\"version\": 1}' >good.json\n"
		"echo '[1]' >list.json\n"
		"echo '{\"version\": ' >half.json\n"
		"echo 'fatal: [down]: UNREACHABLE! => {\"changed\": false, \"msg\": \"no route\", "
		"\"unreachable\": true}'\n"
		"printf '\\nPLAY RECAP ****\\n'\n"
		"for host in ../work/good good half list silent; do\n"
		"	echo \"$host : ok=1 changed=0 unreachable=0 failed=0\"\n"
		"done\n"
		"echo 'down : ok=0 changed=0 unreachable=1 failed=0'\n"
		"exit 4\n");
	ck_ok(run(NULL), &err);
	ck_assert_uint_eq(reports.count, 6);
	ck_assert_uint_eq(reports.missing, 5);
	ck_assert_int_eq(js_int(reports_find(&reports, "good")->value, "version", 0), 1);
	ck_assert_str_eq(why("../work/good"), "a file cannot have this name");
	ck_assert_str_eq(why("down"), "unreachable: no route");
	ck_contains(why("half"), "its report");
	ck_assert_str_eq(why("list"), "its report is not a JSON object");
	ck_assert_str_eq(why("silent"), "the playbook left no report about it");
	ck_assert_ptr_null(reports_find(&reports, "nobody"));
}
END_TEST

START_TEST(only_so_many_variables_are_passed)
{
	const char *vars[26];

	for (size_t i = 0; i < 25; i++)
		vars[i] = "a=b";
	vars[25] = NULL;
	ck_assert_int_eq(run(vars), ERR_FAIL);
	ck_assert_str_eq(err.msg, "rollout_new_certs.yml: too many variables");
	ck_assert_int_eq(scene_plays(), 0);
}
END_TEST

/* Where one of the check's playbooks does not come to any host, nothing is judged. */
START_TEST(a_check_that_does_not_run_is_no_answer)
{
	struct environment env = *session.env;
	char first[] = "rollout_new_certs.yml", second[] = "second.yml";
	struct rollout_step steps[] = {{.playbook = first}, {.playbook = second}};

	env.check = (struct rollout){.items = steps, .count = 2};
	session.env = &env;
	scene_ansible("case $* in *second.yml*) echo 'ERROR! no such task'; exit 1 ;; esac\n");
	ck_assert_int_eq(hosts_ask(&reports, &session, "trust", NULL, NULL, NULL, &err), ERR_FAIL);
	ck_contains(err.msg, "no such task");
	ck_assert_uint_eq(reports.count, 0);
	ck_assert_int_eq(scene_plays(), 2);
}
END_TEST

/* text NULL: none, for that reason */
static void add(struct reports *list, const char *host, const char *text, const char *reason)
{
	struct report *item;

	list->items = realloc(list->items, (list->count + 1) * sizeof(*list->items));
	ck_assert_ptr_nonnull(list->items);
	item = &list->items[list->count++];
	*item = (struct report){.host = strdup(host), .why = reason ? strdup(reason) : NULL};
	list->missing += text == NULL;
	if (text)
		ck_ok(js_parse(&item->value, text, strlen(text), host, &err), &err);
}

START_TEST(of_two_playbooks_the_one_that_has_a_report_counts)
{
	struct reports more = {.items = NULL, .ms = 7};

	reports.ms = 5;
	add(&reports, "db1", "{\"n\": 1}", NULL);
	add(&reports, "db2", NULL, "no report");
	add(&reports, "db3", NULL, "no report");
	add(&more, "db0", "{\"n\": 2}", NULL);
	add(&more, "db1", "{\"n\": 2}", NULL);
	add(&more, "db2", "{\"n\": 2}", NULL);
	add(&more, "db3", NULL, "unreachable");
	ck_ok(reports_merge(&reports, &more, &err), &err);
	reports_release(&more);
	ck_assert_uint_eq(reports.count, 4);
	ck_assert_uint_eq(reports.missing, 1);
	ck_assert_int_eq(reports.ms, 12);
	ck_assert_int_eq(js_int(reports_find(&reports, "db0")->value, "n", 0), 2);
	ck_assert_int_eq(js_int(reports_find(&reports, "db1")->value, "n", 0), 1);
	ck_assert_int_eq(js_int(reports_find(&reports, "db2")->value, "n", 0), 2);
	ck_assert_ptr_null(reports_find(&reports, "db2")->why);
	ck_assert_str_eq(why("db3"), "no report");
}
END_TEST

Suite *reports_suite(void)
{
	Suite *suite = suite_create("reports");
	TCase *tc = tcase_create("reports");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, why_there_is_no_report_is_said_of_each_host);
	tcase_add_test(tc, only_so_many_variables_are_passed);
	tcase_add_test(tc, a_check_that_does_not_run_is_no_answer);
	tcase_add_test(tc, of_two_playbooks_the_one_that_has_a_report_counts);
	suite_add_tcase(suite, tc);
	return suite;
}
