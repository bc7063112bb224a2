/* SPDX-License-Identifier: PostgreSQL */
/* Hooks where a merge request comes between, where somebody else takes over, and stops. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/state/hooking.h"

#define BY_MERGE SCENE_QUIET "  git: {flow: merge_request}\n" HOOKING_MANUAL_APPS

static struct err err;

static void fails(enum event event, int code, const char *message)
{
	hooking_fails(&err, event, code, message);
}

static void ack(const char *app)
{
	bool known;

	ck_ok(hooking_ack(&err, app, &known), &err);
	ck_assert(!known);
}

static const char *branches(void)
{
	return scene_says("git -C origin.git for-each-ref --format='%%(refname:lstrip=3)' "
			  "'refs/heads/certrotate/poc-*' | sed 's/-r[0-9]*$//'");
}

/* As people do: the base gets it, and the branch is gone. */
static void merge(void)
{
	scene_sh("cd origin.git && ref=$(git for-each-ref --format='%%(refname)' "
		 "'refs/heads/certrotate/poc-*') && "
		 "new=$(git commit-tree -p dev -m 'all at once' $ref'^{tree}') && "
		 "git update-ref refs/heads/dev $new && git update-ref -d $ref");
}

static int run(enum event event, bool take_over)
{
	const struct run_options options = {
		.event = event, .to = STATE__MAX, .take_over = take_over};

	err_clear(&err);
	return runner_run(&scene_options, &options, &err);
}

/* Another clone beside the first one: for the program that is another machine. */
static void on_other_machine(bool other)
{
	static char here[512], there[512];

	if (!here[0]) {
		(void)snprintf(here, sizeof(here), "%s", scene_options.dir);
		(void)snprintf(there, sizeof(there), "%s/other", scene_says("pwd"));
		scene_sh("git clone -q -b dev origin.git other");
	}
	scene_options.dir = other ? there : here;
}

/* ---- merge requests */

START_TEST(hooks_run_behind_the_merge)
{
	scene_configure(BY_MERGE);
	fails(EVENT_NEXT, ERR_GATE, "waiting for the merge of certrotate/poc-trust-r");
	ck_assert_str_eq(hooked(), "");
	merge();
	fails(EVENT_NEXT, ERR_GATE, "trust waits for the word of shop: load the bundle");
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward other o");
	ack("shop");
	/* it goes where the evidence goes, and nobody has to merge it */
	ck_assert_str_eq(hooking_state("certrotate/poc", "[a[\"app\"] for a in d[\"acks\"]]"),
			 "['shop']");
	ck_assert_str_eq(hooking_state("dev", "d[\"acks\"]"), "[]");
	ck_assert_str_eq(branches(), "");
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), "trust forward shop b");
	ck_assert_str_eq(hooking_state("certrotate/poc",
				       "(d[\"state\"], [a[\"app\"] for a in d[\"acks\"]])"),
			 "('trusted', ['shop', 'other'])");
}
END_TEST

START_TEST(a_merge_turns_round_what_was_begun)
{
	scene_configure(BY_MERGE);
	fails(EVENT_NEXT, ERR_GATE, "waiting for the merge");
	merge();
	fails(EVENT_NEXT, ERR_GATE, "waits for the word of shop");
	ack("shop");
	hooks_do("[ $1 != b ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application shop");
	(void)hooked();
	hooks_do(":");
	fails(EVENT_REVERT, ERR_GATE, "waiting for the merge of certrotate/poc-revert-trust-r");
	ck_assert_str_eq(hooked(), "");
	merge();
	fails(EVENT_REVERT, ERR_GATE, "the revert of trust waits for the word of shop");
	ack("shop");
	ck_ok(scene_run(EVENT_REVERT, STATE_GENERATED, &err), &err);
	ck_assert_str_eq(hooked(), "trust back shop a\ntrust back other o\ntrust back shop b");
	ck_assert_str_eq(hooking_state("certrotate/poc", "(d[\"state\"], d[\"acks\"])"),
			 "('generated', [])");
}
END_TEST

/* Words that were on their way already change nothing about what is merged. */
START_TEST(a_word_does_not_hide_what_waits_for_its_merge)
{
	static const char move[] = "cd origin.git && git update-ref refs/heads/%s "
				   "$(git for-each-ref --format='%%(objectname)' 'refs/heads/%s') "
				   "&& git for-each-ref --format='delete %%(refname)' "
				   "'refs/heads/%s' | git update-ref --stdin";

	scene_configure(BY_MERGE);
	fails(EVENT_NEXT, ERR_GATE, "waiting for the merge");
	merge();
	fails(EVENT_NEXT, ERR_GATE, "waits for the word of shop");
	fails(EVENT_REVERT, ERR_GATE, "waiting for the merge");
	scene_sh(move, "aside", "certrotate/poc-*", "certrotate/poc-*");
	ack("shop");
	ack("other");
	scene_sh(move, "certrotate/poc-revert-trust-r9", "aside", "aside");
	fails(EVENT_NEXT, ERR_GATE, "waiting for the merge of certrotate/poc-revert-trust-r9");
	ck_assert_str_eq(branches(), "poc-revert-trust");
	merge();
	(void)hooked();
	fails(EVENT_REVERT, ERR_GATE, "the revert of trust waits for the word of shop");
	ck_assert_str_eq(hooked(), "trust back shop a\ntrust back other o");
}
END_TEST

/* ---- somebody else */

START_TEST(who_takes_over_runs_them_again_with_the_same_keys)
{
	scene_configure(WAVES("trust"));
	hooks_do("[ $1 != b ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application shop");
	hooks_do(":");
	on_other_machine(true);
	ck_assert_int_eq(run(EVENT_NEXT, false), ERR_LOCK);
	ck_ok(run(EVENT_NEXT, true), &err);
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward shop b\n"
				   "trust forward shop a\ntrust forward shop b\n"
				   "trust forward late c");
	ck_assert_str_eq(scene_says("sort -u keys | wc -l"), "3");
	ck_assert_str_eq(hooking_state("dev", "d[\"state\"]"), "trusted");
}
END_TEST

/* Elsewhere it is not known how far the hooks have come, but whose words there have to be. */
START_TEST(what_waits_is_said_elsewhere_too)
{
	scene_configure(MANUAL);
	fails(EVENT_NEXT, ERR_GATE, "trust waits for the word of shop");
	on_other_machine(true);
	hooking_is_said(&err, "hook-waits", "application shop",
			"trust waits for its word, once it comes to its hooks: load the bundle");
	ack("shop");
	hooking_is_said(&err, "hook-waits", "application shop", "");
	on_other_machine(false);
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(),
			 "trust forward shop a\ntrust forward other o\ntrust forward shop b");
}
END_TEST

static int64_t moment;

static int64_t stand_still(struct sys *sys)
{
	(void)sys;
	return moment;
}

START_TEST(what_is_taken_back_elsewhere_is_all_of_it)
{
	/* also where it is taken over within one second */
	moment = time(NULL);
	scene_options.sys->now = stand_still;
	scene_configure(WAVES("trust"));
	hooks_do("[ $1 != b ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application shop");
	hooks_do(":");
	(void)hooked();
	on_other_machine(true);
	ck_assert_int_eq(hooking_wave_back(&err, 1), ERR_LOCK);
	/* what the other machine has begun is not known here */
	ck_ok(run(EVENT_REVERT, true), &err);
	ck_assert_str_eq(hooked(), "trust back late c\ntrust back shop a\ntrust back shop b");
	moment++;
	on_other_machine(false);
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward shop b\n"
				   "trust forward late c");
}
END_TEST

/* A receiver that knows the key again would do nothing. */
START_TEST(what_was_taken_back_elsewhere_has_other_keys)
{
	scene_configure(WAVES("trust"));
	hooks_do("[ $1 != c ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application late");
	hooks_do(":");
	ck_ok(hooking_wave_back(&err, 1), &err);
	ck_assert_str_eq(hooking_state("dev", "d[\"under_way\"][\"again\"]"), "{'1': 1}");
	on_other_machine(true);
	ck_ok(run(EVENT_NEXT, true), &err);
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward shop b\n"
				   "trust forward late c\ntrust back shop a\ntrust back shop b\n"
				   "trust forward shop a\ntrust forward shop b\n"
				   "trust forward late c");
	/* there, back and there again; what was not taken back has the same one */
	ck_assert_str_eq(scene_says("grep '^a ' keys | sort -u | wc -l"), "3");
	ck_assert_str_eq(scene_says("grep '^c ' keys | sort -u | wc -l"), "1");
	ck_assert_str_eq(hooking_state("dev", "d[\"under_way\"]"), "None");
}
END_TEST

START_TEST(a_claim_that_is_lost_ends_them)
{
	scene_configure(WAVES("trust"));
	hooks_do("exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application shop");
	(void)hooked();
	/* a commit of the other machine's, which the remote gets while a hook runs here */
	scene_sh("cp -a origin.git apart.git");
	on_other_machine(true);
	scene_sh("git -C other remote set-url origin \"$PWD/apart.git\"");
	ck_assert_int_eq(run(EVENT_NEXT, true), ERR_FAIL);
	on_other_machine(false);
	scene_sh("git -C origin.git fetch -q ../apart.git dev:taken");
	hooks_do("git -C ../origin.git update-ref refs/heads/dev taken");
	(void)hooked();
	fails(EVENT_NEXT, ERR_LOCK,
	      "somebody else has taken this phase over: trust is under way on ");
	ck_assert_str_eq(hooked(), "trust forward shop a");
}
END_TEST

START_TEST(a_merge_is_gone_on_with_elsewhere)
{
	scene_configure(BY_MERGE);
	fails(EVENT_NEXT, ERR_GATE, "waiting for the merge");
	merge();
	fails(EVENT_NEXT, ERR_GATE, "waits for the word of shop");
	(void)hooked();
	on_other_machine(true);
	ck_assert_int_eq(run(EVENT_NEXT, true), ERR_GATE);
	ck_contains(err.msg, "trust waits for the word of shop");
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward other o");
	/* whoever is told of it may record it, wherever */
	on_other_machine(false);
	ack("shop");
	fails(EVENT_NEXT, ERR_LOCK, "trust is under way on ");
	on_other_machine(true);
	ck_ok(run(EVENT_NEXT, false), &err);
	ck_assert_str_eq(hooked(), "trust forward shop b");
	ck_assert_str_eq(hooking_state("certrotate/poc", "d[\"state\"]"), "trusted");
}
END_TEST

/* ---- stops */

static const char *stop_at;
static const struct log *said_to;

static void stop_there(void *ctx, enum log_level level, const char *text)
{
	if (stop_at && strstr(text, stop_at)) {
		stop_at = NULL;
		loop_stop_request(&scene_stop);
	}
	said_to->line(ctx, level, text);
}

static const struct {
	const char *at, *message, *ran, *rest;
} stops[] = {
	{"hook 'exec 1' of application shop", "stopped before a hook, as asked",
	 "trust forward shop a", "trust forward shop b\ntrust forward late c"},
	{"hook 'reload' of application shop", "stopped before a hook, as asked",
	 "trust forward shop a\ntrust forward shop b", "trust forward late c"},
};

START_TEST(a_stop_lets_the_hook_end_and_begins_no_other)
{
	struct log log = *scene_options.log;

	said_to = scene_options.log;
	log.line = stop_there;
	scene_configure(WAVES("trust"));
	scene_options.log = &log;
	stop_at = stops[_i].at;
	fails(EVENT_NEXT, ERR_STOPPED, stops[_i].message);
	ck_assert_str_eq(err.hint,
			 "trust is unfinished: 'certrotate next' goes on, 'certrotate revert' "
			 "turns round");
	ck_assert_str_eq(hooked(), stops[_i].ran);
	scene_options.log = said_to;
	loop_stop_release(&scene_stop);
	ck_ok(loop_stop_init(&scene_stop, &err), &err);
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), stops[_i].rest);
}
END_TEST

Suite *hooks_team_suite(void)
{
	Suite *suite = suite_create("hooks_team");
	TCase *merges = tcase_create("merges"), *others = tcase_create("others"),
	      *stop = tcase_create("stops");
	TCase *const cases[] = {merges, others, stop};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tcase_set_timeout(cases[i], 60);
		tcase_add_unchecked_fixture(cases[i], scene_prepare, NULL);
		tcase_add_checked_fixture(cases[i], hooking_setup, scene_teardown);
		suite_add_tcase(suite, cases[i]);
	}
	tcase_add_test(merges, hooks_run_behind_the_merge);
	tcase_add_test(merges, a_merge_turns_round_what_was_begun);
	tcase_add_test(merges, a_word_does_not_hide_what_waits_for_its_merge);
	tcase_add_test(others, who_takes_over_runs_them_again_with_the_same_keys);
	tcase_add_test(others, what_waits_is_said_elsewhere_too);
	tcase_add_test(others, what_is_taken_back_elsewhere_is_all_of_it);
	tcase_add_test(others, what_was_taken_back_elsewhere_has_other_keys);
	tcase_add_test(others, a_claim_that_is_lost_ends_them);
	tcase_add_test(others, a_merge_is_gone_on_with_elsewhere);
	tcase_add_loop_test(stop, a_stop_lets_the_hook_end_and_begins_no_other, 0,
			    sizeof(stops) / sizeof(stops[0]));
	return suite;
}
