/* SPDX-License-Identifier: PostgreSQL */
/* Hooks of applications: in which order, how often, with which key, and how they are taken back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/hooks.h"
#include "state/survey.h"
#include "tests/state/hooking.h"

static struct err err;

static void configure(const char *text)
{
	scene_configure(text);
}

static void fails(enum event event, int code, const char *message)
{
	hooking_fails(&err, event, code, message);
}

static void does(const char *script)
{
	hooks_do(script);
}

static const char *state(const char *expression)
{
	return hooking_state("dev", expression);
}

START_TEST(hooks_run_by_wave_and_application_and_once)
{
	configure(WAVES("trust"));
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward shop b\n"
				   "trust forward late c");
	ck_assert_str_eq(scene_says("sort -u keys | wc -l"), "3");
	ck_assert_str_eq(
		state("[(h[\"application\"], h[\"hook\"], h[\"outcome\"], h[\"exit\"]) for h "
		      "in d[\"history\"][-1][\"hooks\"]]"),
		"[('shop', 'exec 1', 'ended', 0), ('shop', 'reload', 'ended', 0), "
		"('late', 'exec 1', 'ended', 0)]");
	/* a program that did its work is its application's word, so the servers may switch */
	ck_assert_str_eq(state("[(a[\"app\"], a[\"by\"]) for a in d[\"acks\"]]"),
			 "[('shop', 'hook exec 1'), ('late', 'hook exec 1')]");
	scene_to(STATE_SERVERS_SWITCHED);
	ck_assert_str_eq(hooked(), "");
}
END_TEST

START_TEST(a_hook_knows_what_it_is_about)
{
	scene_to(STATE_SERVERS_SWITCHED);
	configure(WAVES("clients"));
	scene_to(STATE_CLIENTS_SWITCHED);
	ck_contains(scene_says("cat given"), "CERTROTATE_APPLICATION=late\n");
	ck_contains(scene_says("cat given"), "CERTROTATE_DIRECTION=forward\n");
	ck_contains(scene_says("cat given"), "CERTROTATE_ENVIRONMENT=poc\n");
	ck_contains(scene_says("cat given"), "CERTROTATE_PHASE=clients\n");
	ck_contains(scene_says("cat given"), "CERTROTATE_ROTATION=2");
	ck_contains(scene_says("cat given"), "CERTROTATE_USERS=pgquartz");
	ck_contains(scene_says("cat files"), "root.crt");
	ck_assert_str_eq(scene_says("cat mode"), "700");
	/* the passphrase of the keys, on its input alone */
	ck_assert_str_eq(scene_says("wc -l <input"), "1");
	ck_assert_str_eq(scene_says("grep -rlF --exclude=input -e \"$(cat input)\" . || true"), "");
	/* and its files have gone with it */
	scene_sh("! [ -e \"$(sed -n 's/^CERTROTATE_FILES=//p' given)\" ]");
}
END_TEST

START_TEST(a_passphrase_that_a_hook_prints_is_kept_nowhere)
{
	scene_to(STATE_SERVERS_SWITCHED);
	configure(WAVES("clients"));
	does("sed 's/^/pass=/' ../input >&2; exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "./hook: exit code 1: pass=[passphrase removed]");
	ck_assert_str_eq(scene_says("wc -l <input"), "1");
	ck_assert_str_eq(scene_says("grep -rlF --exclude=input -e \"$(cat input)\" . || true"), "");
}
END_TEST

START_TEST(a_hook_that_fails_is_run_again_and_those_before_it_are_not)
{
	configure(WAVES("trust"));
	does("[ $1 != b ] || { echo 'the shop is closed' >&2; exit 7; }");
	fails(EVENT_NEXT, ERR_FAIL,
	      "hook 'reload' of application shop (wave 1) failed: ./hook: exit code 7: the shop is "
	      "closed");
	ck_contains(err.hint, "its output is in ");
	ck_contains(err.hint, "-hook-shop-reload.log; shop@example.com knows; trust is unfinished: "
			      "'certrotate next' runs it again, 'certrotate revert --wave 1' takes "
			      "its wave back, 'certrotate revert' the phase");
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward shop b");
	fails(EVENT_NEXT, ERR_FAIL, "hook 'reload'");
	does(":");
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), "trust forward shop b\ntrust forward shop b\n"
				   "trust forward late c");
	/* the same key each time, so that the other side can know it again */
	ck_assert_str_eq(scene_says("grep -c '^b ' keys"), "3");
	ck_assert_str_eq(scene_says("grep '^b ' keys | sort -u | wc -l"), "1");
}
END_TEST

START_TEST(another_hook_in_the_place_of_one_that_ended_runs)
{
	configure(WAVES("trust"));
	does("[ $1 != b ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "hook 'reload'");
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward shop b");
	scene_sh("cd work && sed -i 's/hook, a/hook, x/' certrotate.yml && git commit -qam x && "
		 "git push -q origin HEAD:dev");
	does(":");
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), "trust forward shop x\ntrust forward shop b\n"
				   "trust forward late c");
}
END_TEST

START_TEST(what_is_not_known_to_have_ended_runs_again)
{
	configure(WAVES("trust"));
	does("[ $1 != c ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "hook 'exec 1' of application late");
	(void)hooked();
	does(":");
	scene_sh("sed -i '$ s/\"fail\"/\"fall\"/' work/.git/certrotate/poc/journal && "
		 "rm work/.git/certrotate/poc/hooks.json");
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward shop b\n"
				   "trust forward late c");
}
END_TEST

static const struct {
	const char *hook, *prepare, *message;
} unusable[] = {
	{"{kind: exec, command: [./none]}", ":", "./none: No such file or directory"},
	{"{kind: exec, command: [./plain]}", "echo >plain", "./plain: not executable"},
	{"{kind: exec, command: [no-such-program-here]}", ":", "no-such-program-here"},
	{"{kind: exec, command: [./ignored]}", "cp hook ignored && echo /ignored >.gitignore",
	 "./ignored: not in the branch dev"},
	{"{kind: ansible, playbook: none.yml}", ":", "none.yml: not in the branch dev"},
	{"{kind: webhook, url: 'http://hooks.example.com/x'}", ":",
	 "the address begins with http://"},
	{"{kind: webhook, url_file: none}", ":", "cannot read "},
	{"{kind: webhook, url: 'https://hooks.example.com/x', secret_env: NO_SUCH_SECRET}", ":",
	 "the environment variable NO_SUCH_SECRET is not set"},
	{"{kind: webhook, url: 'https://hooks.example.com/x', ca_file: none.pem}", ":",
	 "none.pem: No such file"},
};

START_TEST(a_hook_that_cannot_run_is_found_before_anything_is_changed)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		       SCENE_QUIET "applications:\n  shop: {users: [application], trust: [%s]}\n",
		       unusable[_i].hook);
	scene_sh("cd work && %s", unusable[_i].prepare);
	configure(text);
	fails(EVENT_NEXT, ERR_USAGE, unusable[_i].message);
	ck_contains(err.msg, "of application shop: ");
	ck_assert_str_eq(state("d[\"under_way\"]"), "None");
	ck_assert_int_eq(scene_plays(), 0);
}
END_TEST

START_TEST(a_program_that_is_not_as_committed_is_not_run)
{
	configure(WAVES("trust"));
	scene_sh("echo 'echo mine' >>work/hook");
	fails(EVENT_NEXT, ERR_FAIL, "changes that are not committed: hook");
}
END_TEST

/* Whoever writes a hook, a playbook or git's own hooks need not be told the token. */
START_TEST(no_child_gets_a_secret_of_the_environment)
{
	static const char *const secrets[] = {"OUR_TOKEN", "OUR_NOTIFY", "OUR_HOOK"};

	scene_sh("cd work && sed -i '1a echo vault >>../seen; env >>../seen' bin/vault-password");
	configure(SCENE_QUIET
		  "  git: {forge: {token_env: OUR_TOKEN}}\n"
		  "  notify: [{url: 'http://127.0.0.1:9/', events: [expiring], secret_env: "
		  "OUR_NOTIFY}]\n"
		  "applications:\n"
		  "  shop: {users: [application], trust: [" EXEC(
			  "a") "], prune: [{kind: webhook, url: 'http://127.0.0.1:9/', "
			       "secret_env: OUR_HOOK}]}\n");
	does("echo hook >>../seen; env >>../seen");
	scene_ansible("echo ansible >>../seen; env >>../seen\n");
	scene_at_push("echo push >>../seen; env >>../seen");
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		ck_assert_int_eq(setenv(secrets[i], "hunter2", 1), 0);
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(scene_says("grep -x -e ansible -e hook -e push -e vault seen | sort -u"),
			 "ansible\nhook\npush\nvault");
	ck_assert_str_eq(scene_says("grep ^OUR_ seen || true"), "");
}
END_TEST

/* Nobody is waited for, and no wave for another. */
START_TEST(an_emergency_gives_out_everything_at_once)
{
	const struct run_options options = {
		.event = EVENT_EMERGENCY, .to = STATE__MAX, .reason = "a leak"};

	configure(
		SCENE_QUIET
		"applications:\n"
		"  late: {users: [pgquartz], wave: 2, clients: [" EXEC(
			"c") "]}\n"
			     "  shop: {users: [application], trust: [" EXEC(
				     "t") "], clients: "
					  "[{kind: manual, text: take the new certificate}, " EXEC(
						  "a") "]}\n");
	err_clear(&err);
	ck_ok(runner_run(&scene_options, &options, &err), &err);
	ck_assert_str_eq(hooked(), "emergency forward shop a\nemergency forward late c");
	ck_contains(scene_log(), "application shop: take the new certificate\n");
	ck_contains(scene_says("cat files"), "pgquartz");
}
END_TEST

START_TEST(an_emergency_goes_on_without_who_fails)
{
	const struct run_options options = {
		.event = EVENT_EMERGENCY, .to = STATE__MAX, .reason = "a leak"};

	configure(WAVES("clients"));
	does("[ $1 != a ] || exit 7");
	err_clear(&err);
	ck_assert_int_eq(runner_run(&scene_options, &options, &err), ERR_FAIL);
	ck_contains(err.msg, "hook 'exec 1' of application shop (wave 1) failed: ");
	ck_contains(err.hint, "the emergency is unfinished: 'certrotate next' goes on");
	/* its own next hook needs the one before it, everybody else needs their certificates */
	ck_assert_str_eq(hooked(), "emergency forward shop a\nemergency forward late c");
	does("exit 1");
	ck_assert_int_eq(runner_run(&scene_options, &options, &err), ERR_FAIL);
	does(":");
	err_clear(&err);
	ck_ok(runner_run(&scene_options, &options, &err), &err);
	ck_assert_str_eq(hooked(), "emergency forward shop a\nemergency forward shop a\n"
				   "emergency forward shop b");
}
END_TEST

/* ---- words */

static int ack(const char *app, bool *known)
{
	return hooking_ack(&err, app, known);
}

static void is_said(const char *check, const char *subject, const char *part)
{
	hooking_is_said(&err, check, subject, part);
}

START_TEST(a_phase_waits_for_a_word_and_goes_on_from_there)
{
	bool known;

	configure(MANUAL);
	fails(EVENT_NEXT, ERR_GATE, "trust waits for the word of shop: load the bundle");
	ck_assert_str_eq(err.hint, "shop@example.com does it; 'certrotate ack --app shop --by WHO' "
				   "records it; then 'certrotate next' goes on");
	/* nobody else has to wait */
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward other o");
	ck_contains(scene_log(), "application shop (shop@example.com): load the bundle\n");
	is_said("hook-waits", "application shop", "trust waits for its word since 2");
	is_said("hook-waits", "application shop", ": load the bundle");
	fails(EVENT_NEXT, ERR_GATE, "waits for the word of shop");
	ck_assert_str_eq(hooked(), "");
	ck_ok(ack("shop", &known), &err);
	ck_assert(!known);
	ck_ok(ack("shop", &known), &err);
	ck_assert(known);
	is_said("hook-waits", "application shop", "");
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), "trust forward shop b");
	ck_assert_str_eq(
		state("[(a[\"app\"], a[\"who\"], a[\"by\"].split()[0]) for a in d[\"acks\"]]"),
		"[('shop', 'Ann', 'Ada'), ('other', '', 'hook')]");
	ck_assert_str_eq(state("[h[\"by\"] for h in d[\"history\"][-1][\"hooks\"] if \"by\" in h]"),
			 "['Ann']");
	scene_to(STATE_SERVERS_SWITCHED);
}
END_TEST

START_TEST(what_is_taken_back_is_confirmed_as_well)
{
	bool known;

	configure(MANUAL);
	fails(EVENT_NEXT, ERR_GATE, "trust waits for the word of shop");
	ck_ok(ack("shop", &known), &err);
	scene_to(STATE_TRUSTED);
	(void)hooked();
	fails(EVENT_REVERT, ERR_GATE, "the revert of trust waits for the word of shop");
	ck_contains(err.hint, "'certrotate revert' goes on");
	ck_ok(ack("shop", &known), &err);
	ck_assert(!known);
	ck_ok(scene_run(EVENT_REVERT, STATE_GENERATED, &err), &err);
	ck_assert_str_eq(hooked(), "trust back shop a\ntrust back other o\ntrust back shop b");
	ck_assert_str_eq(state("d[\"acks\"]"), "[]");
	/* and the word of then does not count the next time */
	fails(EVENT_NEXT, ERR_GATE, "trust waits for the word of shop");
}
END_TEST

/* ---- the way back */

START_TEST(the_way_back_begins_with_the_last_wave)
{
	configure(WAVES("trust"));
	scene_to(STATE_TRUSTED);
	(void)hooked();
	ck_ok(scene_run(EVENT_REVERT, STATE_GENERATED, &err), &err);
	ck_assert_str_eq(hooked(), "trust back late c\ntrust back shop a\ntrust back shop b");
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward shop b\n"
				   "trust forward late c");
	ck_assert_str_eq(scene_says("sort -u keys | wc -l"), "9");
}
END_TEST

START_TEST(turning_round_takes_back_what_was_begun)
{
	configure(WAVES("trust"));
	does("[ $1 != b ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "hook 'reload'");
	(void)hooked();
	does("[ $1 != a ] || exit 1");
	fails(EVENT_REVERT, ERR_FAIL, "hook 'exec 1' of application shop (wave 1) failed");
	ck_contains(err.hint, "the revert is unfinished: 'certrotate revert' goes on");
	does(":");
	ck_ok(scene_run(EVENT_REVERT, STATE_GENERATED, &err), &err);
	ck_assert_str_eq(hooked(), "trust back shop a\ntrust back shop a\ntrust back shop b");
}
END_TEST

START_TEST(nothing_is_taken_back_where_no_hook_was_begun)
{
	configure(WAVES("trust"));
	scene_ansible("exit 1\n");
	fails(EVENT_NEXT, ERR_FAIL, "rollout_new_certs.yml");
	scene_ansible(":\n");
	ck_ok(scene_run(EVENT_REVERT, STATE_GENERATED, &err), &err);
	ck_assert_str_eq(hooked(), "");
}
END_TEST

/* ---- texts */

START_TEST(an_address_is_shown_without_its_secret)
{
	const struct hook webhook = {
		.kind = HOOK_WEBHOOK,
		.webhook = {
			.url = (char *)(uintptr_t) "https://me:pw@hooks.example.com:8443/s/T/B"}};
	char *text = hook_text(&webhook);

	ck_assert_str_eq(text, "webhook https://hooks.example.com:8443");
	free(text);
}
END_TEST

Suite *hooks_suite(void)
{
	Suite *suite = suite_create("hooks");
	TCase *run = tcase_create("run"), *words = tcase_create("words"),
	      *back = tcase_create("back");
	TCase *const cases[] = {run, words, back};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tcase_set_timeout(cases[i], 60);
		tcase_add_unchecked_fixture(cases[i], scene_prepare, NULL);
		tcase_add_checked_fixture(cases[i], hooking_setup, scene_teardown);
		suite_add_tcase(suite, cases[i]);
	}
	tcase_add_test(run, hooks_run_by_wave_and_application_and_once);
	tcase_add_test(run, a_hook_knows_what_it_is_about);
	tcase_add_test(run, a_passphrase_that_a_hook_prints_is_kept_nowhere);
	tcase_add_test(run, a_hook_that_fails_is_run_again_and_those_before_it_are_not);
	tcase_add_test(run, another_hook_in_the_place_of_one_that_ended_runs);
	tcase_add_test(run, what_is_not_known_to_have_ended_runs_again);
	tcase_add_loop_test(run, a_hook_that_cannot_run_is_found_before_anything_is_changed, 0,
			    sizeof(unusable) / sizeof(unusable[0]));
	tcase_add_test(run, a_program_that_is_not_as_committed_is_not_run);
	tcase_add_test(run, no_child_gets_a_secret_of_the_environment);
	tcase_add_test(run, an_emergency_gives_out_everything_at_once);
	tcase_add_test(run, an_emergency_goes_on_without_who_fails);
	tcase_add_test(run, an_address_is_shown_without_its_secret);
	tcase_add_test(words, a_phase_waits_for_a_word_and_goes_on_from_there);
	tcase_add_test(words, what_is_taken_back_is_confirmed_as_well);
	tcase_add_test(back, the_way_back_begins_with_the_last_wave);
	tcase_add_test(back, turning_round_takes_back_what_was_begun);
	tcase_add_test(back, nothing_is_taken_back_where_no_hook_was_begun);
	return suite;
}
