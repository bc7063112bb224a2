/* SPDX-License-Identifier: PostgreSQL */
/* Playbooks of a phase: what is passed over, what runs again, what is said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/scene.h"

#define TWO                                                                                        \
	SCENE_QUIET "  rollout: {trust: [{playbook: rollout_new_certs.yml}, "                      \
		    "{playbook: second.yml, tags: pg, skip_tags: slow, limit: all, extra_args: "   \
		    "['-f', '2']}]}\n"
#define BROKEN "case $* in *second.yml*) exit 2 ;; esac\n"

static struct err err;

static void setup(void)
{
	scene_setup();
	scene_sh("cp work/rollout_new_certs.yml work/second.yml");
}

static void teardown(void)
{
	scene_progress = NULL;
	scene_teardown();
}

static void refused(int code, const char *message)
{
	int rc = scene_run(EVENT_NEXT, STATE__MAX, &err);

	ck_assert_msg(rc == code, "%d, not %d: %s", rc, code, err.msg);
	ck_contains(err.msg, message);
}

/* The second of two playbooks fails; nothing has been done about it yet. */
static void break_the_second(void)
{
	scene_configure(TWO);
	scene_ansible(BROKEN);
	refused(ERR_FAIL, "second.yml");
	ck_assert_int_eq(scene_plays(), 2);
}

START_TEST(another_playbook_in_the_place_of_one_that_ended_runs)
{
	break_the_second();
	scene_ansible(":\n");
	scene_sh("cp work/second.yml work/before.yml");
	scene_configure(SCENE_QUIET
			"  rollout: {trust: [{playbook: before.yml}, {playbook: second.yml}]}\n");
	ck_ok(scene_run(EVENT_NEXT, STATE_TRUSTED, &err), &err);
	ck_assert_int_eq(scene_plays(), 4);
	ck_contains(scene_says("tail -n 1 calls"), "second.yml");
	ck_contains(scene_says("tail -n 2 calls | head -n 1"), "before.yml");
}
END_TEST

START_TEST(what_ended_runs_again_only_where_that_is_not_known)
{
	break_the_second();
	ck_contains(scene_says("cat work/.git/certrotate/poc/journal"),
		    "/rollout/1/second.yml --tags pg --skip-tags slow --limit all -f 2\"");
	refused(ERR_FAIL, "second.yml");
	ck_assert_int_eq(scene_plays(), 3);
	/* whom it reached has to be known */
	scene_sh("rm work/.git/certrotate/poc/rollout.json");
	refused(ERR_FAIL, "second.yml");
	ck_assert_int_eq(scene_plays(), 5);
	ck_contains(scene_log(), "whom playbook 1 reached is not known any more: it runs again\n");
	/* and nothing counts before a damaged line */
	scene_sh("sed -i '$ s/\"fail\"/\"fall\"/' work/.git/certrotate/poc/journal");
	scene_ansible(":\n");
	ck_ok(scene_run(EVENT_NEXT, STATE_TRUSTED, &err), &err);
	ck_assert_int_eq(scene_plays(), 7);
	ck_contains(scene_log(), "/work/.git/certrotate/poc/journal:");
	ck_contains(scene_log(),
		    ": this line is damaged, so nothing noted before it counts: the playbooks of "
		    "this phase run again, which changes nothing where they did their work\n");
}
END_TEST

/* ---- stopping */

static void stop_in_ansible(const char *text)
{
	if (strstr(text, "Certificates") && !loop_stop_count(&scene_stop))
		loop_stop_request(&scene_stop);
}

static void stop_while_waiting(const char *text)
{
	if (strstr(text, "verify: waiting for"))
		loop_stop_request(&scene_stop);
}

static void stops(const char *where)
{
	refused(ERR_STOPPED, where);
	ck_assert_str_eq(err.hint, "trust is unfinished: 'certrotate next' goes on, 'certrotate "
				   "revert' turns round");
}

START_TEST(a_stop_waits_for_the_playbook)
{
	scene_configure(TWO);
	scene_progress = stop_in_ansible;
	stops("stopped between two playbooks, as asked");
	ck_assert_int_eq(scene_plays(), 1);
	atomic_store(&scene_stop.count, 0);
	stops("stopped behind the rollout, as asked: whether it holds is not looked at yet");
	ck_assert_int_eq(scene_plays(), 2);
}
END_TEST

/* An endpoint that does not answer is looked at again for a while. */
START_TEST(a_stop_ends_the_waiting_for_endpoints)
{
	struct run_options options = {.event = EVENT_NEXT, .to = STATE__MAX};
	struct waivers waivers = {.items = NULL};
	const struct json *kept;
	struct session session;

	scene_configure("  census: {samples: 0}\n  endpoints:\n"
			"    - {name: db1.example.com, address: 127.0.0.1, port: 1}\n");
	refused(ERR_GATE, "db1.example.com: ");
	ck_ok(waivers_add(&waivers, "endpoint=db1.example.com:it is moved, ticket 42", &err), &err);
	options.waivers = &waivers;
	scene_progress = stop_while_waiting;
	(void)runner_run(&scene_options, &options, &err);
	ck_assert_str_eq(err.msg, "stopped while looking at the endpoints");
	ck_assert_str_eq(err.hint, "trust is unfinished: 'certrotate next' goes on, 'certrotate "
				   "revert' turns round");
	/* given again, the waiver is in the history once */
	scene_configure(SCENE_QUIET);
	scene_progress = NULL;
	atomic_store(&scene_stop.count, 0);
	ck_ok(runner_run(&scene_options, &options, &err), &err);
	waivers_release(&waivers);
	ck_ok(runner_look(&session, &scene_options, &err), &err);
	kept = js_get(js_at(session.store.history, js_count(session.store.history) - 1), "waivers");
	ck_assert_uint_eq(js_count(kept), 1);
	ck_assert_str_eq(js_str(js_at(kept, 0), "reason", ""), "it is moved, ticket 42");
	session_close(&session);
}
END_TEST

/* ---- hosts */

static void lose_the_remote(const char *text)
{
	static int fetches;

	if (strstr(text, "fetching") && ++fetches == 2)
		scene_sh("mv origin.git away");
}

START_TEST(a_host_that_cannot_be_brought_up_to_date)
{
	struct run_options options = {.event = EVENT_NEXT, .to = STATE__MAX};
	struct waivers waivers = {.items = NULL};

	ck_ok(waivers_add(&waivers, "hosts=db2:disk", &err), &err);
	options.waivers = &waivers;
	ck_ok(runner_run(&scene_options, &options, &err), &err);
	waivers_release(&waivers);
	/* nothing rolls out to it */
	scene_ansible("printf '\\nPLAY RECAP ****\\n'; exit 0\n");
	refused(ERR_GATE, "db2.example.com is still behind: none of the playbooks rolls out to it");
	ck_assert_str_eq(err.hint, "bring it up, or leave it out once more: --waive "
				   "'hosts=db2.example.com:REASON'");
	ck_contains(scene_log(),
		    "db2.example.com was left behind: it is brought up to date first\n");
	ck_assert_int_eq(scene_plays(), 2);
	/* what keeps the state from being looked at again is not the host's fault */
	scene_progress = lose_the_remote;
	refused(ERR_FAIL, "git fetch: ");
	ck_assert_ptr_null(strstr(err.msg, "still behind"));
	ck_assert_int_eq(scene_plays(), 2);
}
END_TEST

/* What is waived is not what is named first. */
START_TEST(who_was_not_reached_and_is_not_waived_is_named)
{
	struct run_options options = {.event = EVENT_NEXT, .to = STATE__MAX};
	struct waivers waivers = {.items = NULL};

	ck_ok(waivers_add(&waivers, "rollout-host=db1.example.com:by hand", &err), &err);
	options.waivers = &waivers;
	scene_ansible("printf '\\nPLAY RECAP ****\\nother.example.com : ok=1 changed=0 "
		      "unreachable=0 failed=0\\n'; exit 0\n");
	ck_assert_int_eq(runner_run(&scene_options, &options, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg,
			 "trust is rolled out, but does not hold (1 finding): db2.example.com: no "
			 "playbook of this phase reached it, and no endpoint of it is looked at");
	waivers_release(&waivers);
}
END_TEST

START_TEST(why_an_inventory_names_nobody_is_said)
{
	scene_sh("printf '#!/bin/sh\\necho {}\\n' >work/environments/poc/hosts && "
		 "chmod 755 work/environments/poc/hosts");
	scene_ansible(":\n");
	scene_sh("sed -i 's/--list-hosts) .*/--list-hosts) echo \"ERROR! no inventory\"; exit 1 "
		 ";;/' "
		 "bin/ansible-playbook && cd work && git commit -q -a -m script && "
		 "git push -q origin HEAD:dev");
	refused(ERR_FAIL, "environments/poc/hosts: a script is only known to Ansible");
}
END_TEST

Suite *rollout_suite(void)
{
	Suite *suite = suite_create("rollout");
	TCase *tc = tcase_create("rollout");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, another_playbook_in_the_place_of_one_that_ended_runs);
	tcase_add_test(tc, what_ended_runs_again_only_where_that_is_not_known);
	tcase_add_test(tc, a_stop_waits_for_the_playbook);
	tcase_add_test(tc, a_stop_ends_the_waiting_for_endpoints);
	tcase_add_test(tc, a_host_that_cannot_be_brought_up_to_date);
	tcase_add_test(tc, who_was_not_reached_and_is_not_waived_is_named);
	tcase_add_test(tc, why_an_inventory_names_nobody_is_said);
	suite_add_tcase(suite, tc);
	return suite;
}
