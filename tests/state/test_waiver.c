/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "state/plan.h"
#include "tests/state/suites.h"

START_TEST(a_waiver_covers_its_gate_and_subject_only)
{
	struct findings list = FINDINGS_INIT;
	struct waivers waivers = {0};
	struct err err = {0};

	ck_ok(findings_add(&list, "endpoint", SEVERITY_BLOCK, "db3", NULL, &err, "down"), &err);
	ck_ok(findings_add(&list, "endpoint", SEVERITY_BLOCK, "db2", NULL, &err, "down"), &err);
	ck_ok(findings_add(&list, "chain", SEVERITY_BLOCK, "server db3", NULL, &err, "x"), &err);
	ck_ok(waivers_add(&waivers, "endpoint=db3:power: supply", &err), &err);
	ck_assert_str_eq(waivers.items[0].reason, "power: supply");
	waivers_apply(&waivers, &list, false);
	ck_assert(list.items[0].waived);
	ck_assert(!list.items[1].waived);
	ck_assert(!list.items[2].waived);
	ck_assert(waivers.items[0].used);
	ck_ok(waivers_add(&waivers, "endpoints=db2:a slip", &err), &err);
	ck_ok(waivers_add(&waivers, "chain=db3:known", &err), &err);
	ck_ok(waivers_add(&waivers, "endpoint:all of them", &err), &err);
	waivers_apply(&waivers, &list, false);
	ck_assert_uint_eq(findings_count(&list, SEVERITY_BLOCK), 0);
	ck_assert(!waivers.items[1].used);
	waivers_release(&waivers);
	findings_release(&list);
}
END_TEST

START_TEST(hosts_are_waived_by_name)
{
	struct waivers waivers = {0};
	struct strs hosts = STRS_INIT;
	struct err err = {0};

	ck_ok(waivers_add(&waivers, "hosts=db3.example.com:in repair", &err), &err);
	ck_ok(waivers_subjects(&hosts, &waivers, "hosts", &err), &err);
	ck_assert_uint_eq(hosts.count, 1);
	ck_assert_str_eq(hosts.items[0], "db3.example.com");
	ck_ok(waivers_add(&waivers, "hosts:in repair", &err), &err);
	ck_assert_int_eq(waivers_subjects(&hosts, &waivers, "hosts", &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "--waive hosts needs a name");
	strs_release(&hosts);
	waivers_release(&waivers);
}
END_TEST

START_TEST(a_waiver_for_all_is_not_enough_where_names_are_wanted)
{
	struct findings list = FINDINGS_INIT;
	struct waivers waivers = {0};
	struct err err = {0};

	ck_ok(findings_add(&list, "replication", SEVERITY_BLOCK, "db1", NULL, &err, "stands"),
	      &err);
	ck_ok(waivers_add(&waivers, "replication:known", &err), &err);
	waivers_apply(&waivers, &list, true);
	ck_assert_uint_eq(findings_count(&list, SEVERITY_BLOCK), 1);
	ck_ok(waivers_add(&waivers, "replication=db1:known", &err), &err);
	waivers_apply(&waivers, &list, true);
	ck_assert_uint_eq(findings_count(&list, SEVERITY_BLOCK), 0);
	waivers_release(&waivers);
	findings_release(&list);
}
END_TEST

START_TEST(a_short_name_becomes_the_server_s)
{
	char names[][20] = {"db1.example.com", "db3.example.com", "db3.example.org", "db1"};
	struct gen_leaf leaves[] = {{.name = names[0], .kind = LEAF_SERVER},
				    {.name = names[1], .kind = LEAF_SERVER},
				    {.name = names[2], .kind = LEAF_SERVER},
				    {.name = names[3], .kind = LEAF_CLIENT}};
	struct generation gen = {.leaves = leaves, .leaf_count = 4};
	struct strs hosts = STRS_INIT;
	struct err err = {0};

	ck_ok(strs_add(&hosts, "db1", &err), &err);
	ck_ok(strs_add(&hosts, "db3.example.org", &err), &err);
	ck_ok(strs_add(&hosts, "app1", &err), &err);
	ck_ok(plan_full_names(&hosts, &gen, &err), &err);
	ck_assert_str_eq(hosts.items[0], "db1.example.com");
	ck_assert_str_eq(hosts.items[1], "db3.example.org");
	ck_assert_str_eq(hosts.items[2], "app1");
	ck_ok(strs_add(&hosts, "db3", &err), &err);
	ck_assert_int_eq(plan_full_names(&hosts, &gen, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg,
			 "'db3' may be db3.example.com or db3.example.org: write it whole");
	strs_release(&hosts);
}
END_TEST

START_TEST(a_waiver_without_a_reason_is_none)
{
	static const char *const bad[] = {"hosts", "hosts=db3", "hosts=db3:", ":why", "hosts: "};
	struct waivers waivers = {0};
	struct err err = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(waivers_add(&waivers, bad[i], &err), ERR_USAGE);
		ck_contains(err.msg, "is not of the form GATE[=SUBJECT]:REASON");
	}
	ck_assert_uint_eq(waivers.count, 0);
}
END_TEST

START_TEST(waivers_outlive_the_command_that_gave_them_but_for_hosts)
{
	struct findings list = FINDINGS_INIT;
	struct waivers given = {0}, kept = {0};
	struct err err = {0};
	struct json *array;

	ck_ok(waivers_add(&given, "census-unseen=report:retired: ticket 7", &err), &err);
	ck_ok(waivers_add(&given, "hosts=db3:in repair", &err), &err);
	ck_ok(waivers_add(&given, "endpoint:all known", &err), &err);
	array = waivers_json(&given, "DBA <dba@x>", 1795000000);
	ck_assert_uint_eq(js_count(array), 2);
	ck_assert_str_eq(js_str(js_at(array, 0), "by", ""), "DBA <dba@x>");
	ck_ok(waivers_from_json(&kept, array, &err), &err);
	ck_assert_uint_eq(kept.count, 2);
	ck_assert_str_eq(kept.items[0].reason, "retired: ticket 7");
	ck_assert_str_eq(kept.items[1].subject, "");
	ck_ok(findings_add(&list, "census-unseen", SEVERITY_BLOCK, "client report", NULL, &err,
			   "x"),
	      &err);
	waivers_apply(&kept, &list, false);
	ck_assert(list.items[0].waived);
	js_free(array);
	waivers_release(&given);
	waivers_release(&kept);
	findings_release(&list);
}
END_TEST

Suite *waiver_suite(void)
{
	Suite *suite = suite_create("waiver");
	TCase *tc = tcase_create("waiver");

	tcase_add_test(tc, a_waiver_covers_its_gate_and_subject_only);
	tcase_add_test(tc, hosts_are_waived_by_name);
	tcase_add_test(tc, a_waiver_for_all_is_not_enough_where_names_are_wanted);
	tcase_add_test(tc, a_short_name_becomes_the_server_s);
	tcase_add_test(tc, a_waiver_without_a_reason_is_none);
	tcase_add_test(tc, waivers_outlive_the_command_that_gave_them_but_for_hosts);
	suite_add_tcase(suite, tc);
	return suite;
}
