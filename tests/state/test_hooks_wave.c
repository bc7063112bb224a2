/* SPDX-License-Identifier: PostgreSQL */
/* Waves: how one is taken back alone, and when the next may begin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "pki/sum.h"
#include "safety/census.h"
#include "tests/state/hooking.h"

#define SERIAL "openssl x509 -noout -serial -in \"$CERTROTATE_CERTIFICATE\" >>../serials; "

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

static int wave_back(unsigned wave)
{
	return hooking_wave_back(&err, wave);
}

static const char *state(const char *expression)
{
	return hooking_state("dev", expression);
}

static int ack(const char *app, bool *known)
{
	return hooking_ack(&err, app, known);
}

static void is_said(const char *check, const char *subject, const char *part)
{
	hooking_is_said(&err, check, subject, part);
}

/* ---- a wave alone */

START_TEST(a_wave_is_taken_back_alone_and_done_again)
{
	scene_to(STATE_SERVERS_SWITCHED);
	configure(WAVES("clients"));
	does(SERIAL "[ $1 != c ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "hook 'exec 1' of application late (wave 2) failed");
	ck_contains(scene_log(), "wave 2 begins without a look at those before it: the samples of "
				 "'census' are 0\n");
	(void)hooked();
	does(SERIAL);
	ck_ok(wave_back(2), &err);
	ck_assert_str_eq(hooked(), "clients back late c");
	/* what it gets is what it had, and neither what it was given nor another one's */
	ck_assert_str_eq(scene_says("sort -u serials | wc -l"), "3");
	ck_assert_str_eq(state("d[\"under_way\"][\"phase\"]"), "clients");
	is_said("unfinished", "clients", "; wave 2 is taken back");
	ck_assert_int_eq(wave_back(2), ERR_USAGE);
	ck_assert_str_eq(err.msg, "wave 2 of clients has not begun: there is nothing to take back");
	scene_to(STATE_CLIENTS_SWITCHED);
	ck_assert_str_eq(hooked(), "clients forward late c");
	/* forward, back, forward again: three actions */
	ck_assert_str_eq(scene_says("grep '^c ' keys | sort -u | wc -l"), "3");
	ck_assert_str_eq(
		state("[(h[\"hook\"], h[\"direction\"], h[\"outcome\"]) for h in "
		      "d[\"history\"][-1][\"hooks\"] if h[\"wave\"] == 2]"),
		"[('exec 1', 'forward', 'failed'), ('exec 1', 'back', 'ended'), ('exec 1', "
		"'forward', 'ended')]");
}
END_TEST

START_TEST(half_of_a_wave_does_not_go_forward_on_its_way_back)
{
	configure(WAVES("trust"));
	does("[ $1 != c ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application late");
	does("[ $1 != b ] || exit 1");
	(void)hooked();
	ck_assert_int_eq(wave_back(1), ERR_FAIL);
	ck_contains(err.hint, "'certrotate revert --wave 1' goes on, 'certrotate revert' takes "
			      "back the phase");
	fails(EVENT_NEXT, ERR_GATE, "wave 1 is being taken back, and that has not ended");
	does(":");
	ck_ok(wave_back(1), &err);
	ck_assert_str_eq(hooked(), "trust back shop a\ntrust back shop b\ntrust back shop b");
	scene_to(STATE_TRUSTED);
	ck_assert_str_eq(hooked(), "trust forward shop a\ntrust forward shop b\n"
				   "trust forward late c");
}
END_TEST

START_TEST(only_a_wave_that_was_begun_can_be_taken_back)
{
	configure(WAVES("trust"));
	ck_assert_int_eq(wave_back(1), ERR_USAGE);
	ck_assert_str_eq(err.msg, "no phase with waves is under way in poc");
	does("exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application shop");
	ck_assert_int_eq(wave_back(2), ERR_USAGE);
	ck_assert_str_eq(err.msg, "wave 2 of trust has not begun: there is nothing to take back");
	ck_assert_int_eq(wave_back(3), ERR_USAGE);
	ck_assert_str_eq(err.msg, "no application with hooks for trust is in wave 3");
}
END_TEST

START_TEST(a_word_goes_with_the_wave_that_is_taken_back)
{
	bool known;

	configure(MANUAL);
	fails(EVENT_NEXT, ERR_GATE, "trust waits for the word of shop");
	ck_ok(ack("shop", &known), &err);
	does("[ $1 != b ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application shop");
	does(":");
	ck_ok(wave_back(1), &err);
	ck_contains(scene_log(), "(shop@example.com): take back: load the bundle\n");
	ck_assert_str_eq(state("d[\"acks\"]"), "[]");
	fails(EVENT_NEXT, ERR_GATE, "trust waits for the word of shop");
	ck_ok(ack("shop", &known), &err);
	ck_assert(!known);
	scene_to(STATE_TRUSTED);
}
END_TEST

START_TEST(what_waited_does_not_wait_behind_its_wave)
{
	configure(MANUAL);
	fails(EVENT_NEXT, ERR_GATE, "trust waits for the word of shop");
	ck_ok(wave_back(1), &err);
	is_said("hook-waits", "application shop", "");
	fails(EVENT_NEXT, ERR_GATE, "trust waits for the word of shop");
	is_said("hook-waits", "application shop", "trust waits for its word since 2");
}
END_TEST

/* Also on the way back hooks are what the team has seen. */
START_TEST(a_wave_is_not_taken_back_by_what_is_not_committed)
{
	configure(WAVES("trust"));
	does("[ $1 != b ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application shop");
	(void)hooked();
	scene_sh("cd work && git rm -q --cached hook && echo /hook >.gitignore && git add -A && "
		 "git commit -q -m gone && git push -q origin HEAD:dev");
	ck_assert_int_eq(wave_back(1), ERR_USAGE);
	ck_assert_str_eq(err.msg,
			 "hook 'exec 1' of application shop: ./hook: not in the branch dev");
	ck_assert_str_eq(hooked(), "");
}
END_TEST

static bool see_plan(void *ctx, const struct plan *plan)
{
	strs_join(&plan->hooks, 10, ctx, 512);
	return false;
}

START_TEST(only_its_own_hooks_are_announced)
{
	char shown[512] = "";
	const struct run_options options = {
		.event = EVENT_REVERT, .to = STATE__MAX, .confirm = see_plan, .ctx = shown};

	configure(WAVES("trust"));
	does("[ $1 != c ] || exit 1");
	fails(EVENT_NEXT, ERR_FAIL, "of application late");
	ck_assert_int_eq(runner_revert_wave(&scene_options, 2, &options, &err), ERR_STOPPED);
	ck_assert_str_eq(shown, "wave 2: late: exec ./hook c");
}
END_TEST

/* ---- waves as the census sees them */

#define FAR 100000 /* seconds: later than all that this test does */

static struct sighting sighting(const char *generation, const char *place, int64_t login)
{
	int64_t now = scene_options.sys->now(scene_options.sys);

#define TEXT(text) ((char *)(uintptr_t)(text))
	return (struct sighting){.server = TEXT("db1.example.com"),
				 .user = TEXT("application"),
				 .leaf = TEXT("application"),
				 .application = TEXT("web"),
				 .address = TEXT(place),
				 .generation = TEXT(generation),
				 .serial = TEXT("1"),
				 .kind = CENSUS_CERTIFICATE,
				 .sessions = 1,
				 .first_seen = now,
				 .last_seen = now + FAR,
				 .oldest_since = login,
				 .newest_since = login};
#undef TEXT
}

/* A census that saw the user with its new certificate, and from elsewhere with the old one. */
static void see(void)
{
	int64_t now = scene_options.sys->now(scene_options.sys);
	struct sighting seen[] = {sighting("g2", "10.0.4.7", now),
				  sighting("g1", "10.0.4.8", now + FAR)};
	struct census_sample sample = {.at = now, .servers = 1, .answered = 1};
	const struct census census = {
		.samples = &sample, .sample_count = 1, .sightings = seen, .sighting_count = 2};
	struct json *root = census_json(&census);
	char *path = test_path("work/.git/certrotate/poc/census.json");
	struct buf text;

	buf_init(&text, 65536);
	ck_ok(sum_add(root, &err), &err);
	ck_ok(js_dump(&text, root, false, &err), &err);
	test_write(path, text.data);
	buf_release(&text);
	js_free(root);
	free(path);
}

static const struct {
	const char *apps;
	const char *refusal; /* "" for none */
} shared[] = {
	{"  one: {users: [application], clients: [" EXEC("a") "]}\n", "logged in with that of g1"},
	/* the old one's place may be the other application's, whose turn has not come */
	{"  one: {users: [application], clients: [" EXEC(
		 "a") "]}\n"
		      "  two: {users: [application], wave: 3, clients: [" EXEC("d") "]}\n",
	 ""},
};

START_TEST(a_user_of_a_later_wave_as_well_is_no_refusal)
{
	char text[1024];

	scene_to(STATE_SERVERS_SWITCHED);
	(void)snprintf(text, sizeof(text),
		       "  endpoints: []\n  census: {samples: 1}\napplications:\n%s"
		       "  late: {users: [pgquartz], wave: 2, clients: [" EXEC("c") "]}\n",
		       shared[_i].apps);
	configure(text);
	does("[ $1 != c ] || exit 1");
	fails(EVENT_NEXT, ERR_GATE, "clients: wave 1 has not switched");
	see();
	fails(EVENT_NEXT, shared[_i].refusal[0] ? ERR_GATE : ERR_FAIL,
	      shared[_i].refusal[0] ? shared[_i].refusal : "hook 'exec 1' of application late");
}
END_TEST

Suite *hooks_wave_suite(void)
{
	Suite *suite = suite_create("hooks_wave");
	TCase *waves = tcase_create("waves");

	tcase_set_timeout(waves, 60);
	tcase_add_unchecked_fixture(waves, scene_prepare, NULL);
	tcase_add_checked_fixture(waves, hooking_setup, scene_teardown);
	tcase_add_test(waves, a_wave_is_taken_back_alone_and_done_again);
	tcase_add_test(waves, half_of_a_wave_does_not_go_forward_on_its_way_back);
	tcase_add_test(waves, only_a_wave_that_was_begun_can_be_taken_back);
	tcase_add_test(waves, a_word_goes_with_the_wave_that_is_taken_back);
	tcase_add_test(waves, what_waited_does_not_wait_behind_its_wave);
	tcase_add_test(waves, a_wave_is_not_taken_back_by_what_is_not_committed);
	tcase_add_test(waves, only_its_own_hooks_are_announced);
	tcase_add_loop_test(waves, a_user_of_a_later_wave_as_well_is_no_refusal, 0,
			    sizeof(shared) / sizeof(shared[0]));
	suite_add_tcase(suite, waves);
	return suite;
}
