/* SPDX-License-Identifier: PostgreSQL */
/* A canary from its wait to the end: a clock that leaps, and a playbook that says what it is told.
 */
#include <stdlib.h>
#include <string.h>

#include "state/canary.h"
#include "tests/state/scene.h"

#define KEY "key/1"

static struct err err;
static struct session session;
static struct sys leaping;
static int64_t leapt;
static struct plan plan;
static char playbook[] = "rollout_new_certs.yml", rotation[] = "20261121T013000Z-7f3a";
static struct rollout_step step = {.playbook = playbook, .canary = 60};

static int64_t leap(struct sys *sys)
{
	(void)sys;
	leapt += 100;
	return INT64_C(1795224600) + leapt;
}

static void setup(void)
{
	scene_setup();
	scene_configure(SCENE_QUIET "  git: {push: false}\n"
				    "  rollout: {check: [{playbook: rollout_new_certs.yml}]}\n");
	err_clear(&err);
	ck_ok(session_open(&session, &scene_options, &err), &err);
	leaping = *session.sys;
	leaping.now = leap;
	session.sys = &leaping;
	plan = (struct plan){.row = *table_find(STATE_GENERATED, EVENT_NEXT), .rotation = rotation};
}

static void teardown(void)
{
	session_close(&session);
	scene_teardown();
}

/* What both hosts' logs hold. */
static void hosts_say(const char *log)
{
	struct buf script;

	buf_init(&script, BUF_TEXT_MAX);
	buf_addf(&script,
		 "for host in db1 db2; do echo '{\"version\": 1, \"clusters\": [{\"ssl\": true, "
		 "\"log\": %s, \"failures\": []}]}' >\"$report/$host.example.com.json\"; done\n",
		 log);
	scene_ansible(script.data);
	buf_release(&script);
}

static int watch(struct json *run)
{
	err_clear(&err);
	return canary_watch(&session, &plan, &step, KEY, run, &err);
}

START_TEST(a_canary_that_says_nothing_halts_and_the_next_one_passes)
{
	hosts_say("{\"read\": false, \"why\": \"it has no log file\"}");
	ck_assert_int_eq(watch(NULL), ERR_GATE);
	ck_assert_str_eq(err.msg,
			 "trust: the canary says nothing: db1.example.com: it has no log file, "
			 "db2.example.com: it has no log file");
	ck_contains(err.hint, "the rest is not rolled out: see to it that the log can be read");
	ck_contains(err.hint, "log_line_prefix with %m and %h");
	ck_contains(scene_log(), "canary: the new files are on all hosts; the rest waits 60 s");
	ck_assert_str_eq(session.journal.last_mark, "fail");
	ck_assert_int_eq(scene_plays(), 1);
	hosts_say("{\"read\": true}");
	ck_ok(watch(NULL), &err);
	ck_assert_str_eq(session.journal.last_mark, "end");
	ck_assert_int_eq(scene_plays(), 2);
	/* One that was passed is not waited for again. */
	ck_ok(watch(NULL), &err);
	ck_assert_int_eq(scene_plays(), 2);
}
END_TEST

START_TEST(what_a_canary_saw_is_in_the_evidence)
{
	struct json *run = NULL;
	static const char text[] = "{\"hosts\": [\"db1.example.com\", \"localhost\"], \"at\": "
				   "1795224600, \"ms\": 2000}";

	ck_ok(js_parse(&run, text, sizeof(text) - 1, "run", &err), &err);
	hosts_say("{\"read\": true}");
	ck_ok(watch(run), &err);
	ck_contains(scene_log(),
		    "canary: the new files are on db1.example.com; the rest waits 60 s");
	ck_assert_int_eq(js_int(js_get(run, "canary"), "seconds", 0), 60);
	ck_assert_int_eq(js_int(js_get(run, "canary"), "new_failures", -1), 0);
	js_free(run);
}
END_TEST

START_TEST(where_there_is_no_canary_nobody_waits)
{
	struct rollout_step without = {.playbook = playbook};

	ck_ok(canary_watch(&session, &plan, &without, KEY, NULL, &err), &err);
	plan.row.direction = DIRECTION_BACK;
	ck_ok(watch(NULL), &err);
	plan.row.direction = DIRECTION_FORWARD;
	plan.row.phase = PHASE_EMERGENCY;
	ck_ok(watch(NULL), &err);
	ck_assert_int_eq(scene_plays(), 0);
}
END_TEST

Suite *canary_suite(void)
{
	Suite *suite = suite_create("canary");
	TCase *tc = tcase_create("canary");

	tcase_set_timeout(tc, 30);
	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_canary_that_says_nothing_halts_and_the_next_one_passes);
	tcase_add_test(tc, what_a_canary_saw_is_in_the_evidence);
	tcase_add_test(tc, where_there_is_no_canary_nobody_waits);
	suite_add_tcase(suite, tc);
	return suite;
}
