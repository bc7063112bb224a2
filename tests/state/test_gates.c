/* SPDX-License-Identifier: PostgreSQL */
/* Words of applications, who outlives an emergency, and what a host holds that was left behind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/behind.h"
#include "state/gates.h"
#include "tests/state/scene.h"

static struct err err;
static struct findings found;

static void clear(void)
{
	err_clear(&err);
	found = (struct findings)FINDINGS_INIT;
}

/* ---- words */

static int ack(const char *app, enum phase *phase)
{
	enum direction direction;
	bool known;

	err_clear(&err);
	return runner_ack(&scene_options, app, NULL, phase, &direction, &known, &err);
}

static void acks_are_configured(void)
{
	clear();
	scene_configure(SCENE_QUIET "applications:\n  shop: {users: [application]}\n"
				    "  ghost: {users: [ghost, phantom]}\n");
}

START_TEST(who_has_nobody_here_has_nothing_to_confirm)
{
	enum phase phase;

	acks_are_configured();
	scene_to(STATE_TRUSTED);
	ck_assert_int_eq(ack("ghost", &phase), ERR_USAGE);
	ck_assert_str_eq(err.msg, "application ghost has no client certificate in poc");
	ck_assert_str_eq(err.hint, "its users in certrotate.yml are ghost, phantom");
	ck_ok(ack("shop", &phase), &err);
	ck_assert_int_eq(phase, PHASE_TRUST);
}
END_TEST

/* "SUBJECT: REASON (ADVICE)" of all that is said of applications' users. */
static const char *strangers(const char *applications)
{
	static char text[1024];
	struct session session;
	struct generation gen;

	clear();
	scene_configure(applications);
	ck_ok(session_open(&session, &scene_options, &err), &err);
	ck_ok(session_load(&session, &err), &err);
	ck_ok(session_generation(&gen, &session, "g1", false, &err), &err);
	ck_ok(gates_strangers(&found, session.config, "poc", &gen, &err), &err);
	text[0] = '\0';
	for (size_t i = 0; i < found.count; i++) {
		const struct finding *f = &found.items[i];
		size_t at = strlen(text);

		ck_assert_str_eq(f->check, "application-user");
		(void)snprintf(text + at, sizeof(text) - at, "%s%s: %s (%s)\n",
			       f->severity == SEVERITY_WARNING ? "" : "info ", f->subject,
			       f->reason, f->advice);
	}
	findings_release(&found);
	generation_release(&gen);
	session_close(&session);
	return text;
}

START_TEST(a_user_for_whom_nobody_waits_is_named)
{
	scene_to(STATE_IDLE);
	ck_assert_str_eq(strangers(SCENE_QUIET "applications:\n  shop: {users: [application]}\n"),
			 "");
	ck_assert_str_eq(
		strangers(SCENE_QUIET "applications:\n  shop: {users: [aplication]}\n"
				      "  ghost: {users: [application, xyz]}\n"),
		"application shop: its user 'aplication' has no client certificate in poc: nobody "
		"waits for it (did you mean 'application'?)\n"
		"application ghost: its user 'xyz' has no client certificate in poc: nobody waits "
		"for it (see applications.ghost.users in certrotate.yml, and the clients of the "
		"chain's description)\n");
}
END_TEST

START_TEST(nothing_is_confirmed_while_a_phase_is_under_way)
{
	enum phase phase;

	acks_are_configured();
	scene_ansible("exit 1\n");
	ck_assert_int_eq(scene_run(EVENT_NEXT, STATE__MAX, &err), ERR_FAIL);
	ck_assert_int_eq(ack("shop", &phase), ERR_USAGE);
	ck_assert_str_eq(err.msg, "trust is under way in poc: nothing can be confirmed yet");
	ck_assert_str_eq(err.hint, "type 'certrotate next' to end it, then confirm");
	ck_assert_int_eq(phase, PHASE__MAX);
}
END_TEST

START_TEST(a_word_about_a_damaged_generation_is_none)
{
	enum phase phase;

	acks_are_configured();
	scene_to(STATE_TRUSTED);
	scene_commit(".certrotate/poc/g2.yml", "certs: 1\n");
	ck_assert_int_eq(ack("shop", &phase), ERR_FAIL);
	ck_contains(err.msg, ".certrotate/poc/g2.yml");
	ck_assert(err.hint[0]);
}
END_TEST

START_TEST(an_environment_that_is_not_there_has_no_words)
{
	enum phase phase;

	clear();
	scene_options.env = "nowhere";
	ck_assert_int_eq(ack("shop", &phase), ERR_USAGE);
	ck_assert_str_eq(err.msg, "there is no environment 'nowhere'");
	ck_assert_int_eq(phase, PHASE__MAX);
}
END_TEST

/* ---- emergencies */

static int emergency(const char *reason, enum state to)
{
	const struct run_options options = {.event = EVENT_EMERGENCY, .to = to, .reason = reason};

	err_clear(&err);
	return runner_run(&scene_options, &options, &err);
}

/* That the state is the one which it ends in does not make it done. */
START_TEST(each_emergency_is_carried_out_once)
{
	clear();
	ck_ok(emergency("a leak", STATE_IDLE), &err);
	ck_assert_int_eq(scene_plays(), 1);
	ck_ok(emergency("a leak", STATE_IDLE), &err);
	ck_assert_int_eq(scene_plays(), 1);
	ck_ok(emergency("another leak", STATE_IDLE), &err);
	ck_assert_int_eq(scene_plays(), 2);
	ck_assert_int_eq(emergency("a third one", STATE_TRUSTED), ERR_USAGE);
	ck_assert_str_eq(err.msg, "'next --emergency' does not lead from idle to trusted");
	ck_assert_int_eq(scene_plays(), 2);
}
END_TEST

/* ---- survivors */

static void add_sighting(struct census *census, size_t at, const char *generation)
{
	census->sightings[at] = (struct sighting){
		.server = (char *)(uintptr_t) "db1",
		.user = (char *)(uintptr_t) "app",
		.application = (char *)(uintptr_t) "web",
		.address = (char *)(uintptr_t)(at ? "10.0.0.7" : ""),
		.generation = (char *)(uintptr_t)generation,
		.serial = (char *)(uintptr_t) "4711",
		.kind = CENSUS_CERTIFICATE,
		.sessions = at + 1,
		.last_seen = 1000};
}

static void survive(size_t count)
{
	struct sighting sightings[60];
	struct census_sample sample = {.at = 1000};
	struct census census = {.samples = &sample,
				.sample_count = 1,
				.sightings = sightings,
				.sighting_count = count + 2};
	struct census_run run = {.findings = FINDINGS_INIT};

	for (size_t i = 0; i < count; i++)
		add_sighting(&census, i, i ? "g1" : CENSUS_UNKNOWN);
	add_sighting(&census, count, "g2");
	add_sighting(&census, count + 1, "g1");
	sightings[count + 1].last_seen = 999;
	ck_ok(findings_add(&run.findings, "census-server", SEVERITY_WARNING, "db2", "start it",
			   &err, "no route to host"),
	      &err);
	ck_ok(findings_add(&run.findings, "census-pooler", SEVERITY_INFO, "db3", NULL, &err,
			   "a pooler: who is connected to it is not known"),
	      &err);
	ck_ok(gates_say_survivors(&found, &census, &run, "poc", "g2", &err), &err);
	findings_release(&run.findings);
}

static void is_survivor(size_t at, const char *subject, const char *reason)
{
	ck_assert_uint_gt(found.count, at);
	ck_assert_str_eq(found.items[at].check, "survivor");
	ck_assert_int_eq(found.items[at].severity, SEVERITY_WARNING);
	ck_assert_str_eq(found.items[at].subject, subject);
	ck_assert_str_eq(found.items[at].reason, reason);
}

START_TEST(sessions_that_outlive_an_emergency_are_named)
{
	clear();
	survive(2);
	ck_assert_uint_eq(found.count, 4);
	is_survivor(0, "client app",
		    "1 session from a socket on db1, since 1970-01-01T00:00:00Z, with a "
		    "certificate of no known generation (serial 4711)");
	is_survivor(1, "client app",
		    "2 sessions from 10.0.0.7 on db1, since 1970-01-01T00:00:00Z, with a "
		    "certificate of g1 (serial 4711)");
	is_survivor(2, "db2", "who is still connected there is not known: no route to host");
	is_survivor(3, "db3", "a pooler: who is connected to it is not known");
	findings_release(&found);
}
END_TEST

START_TEST(a_crowd_of_survivors_is_counted)
{
	clear();
	survive(51);
	ck_assert_uint_eq(found.count, 53);
	is_survivor(50, "poc", "1 more such session, by user, application and address");
	ck_assert_str_eq(found.items[50].advice, "'certrotate census' lists them");
	findings_release(&found);
	survive(53);
	is_survivor(50, "poc", "3 more such sessions, by user, application and address");
	findings_release(&found);
}
END_TEST

/* ---- left behind */

#define HOSTS_WAIVER ", \"waivers\": [{\"gate\": \"hosts\", \"subject\": \"db3\"}]}"

static const struct {
	const char *history;
	enum state holds;
} pasts[] = {
	/* Left out of all that there is. */
	{"[{\"phase\": \"trust\", \"rotation\": \"r2\", \"from\": \"generated\"" HOSTS_WAIVER "]",
	 STATE_GENERATED},
	{"[{\"phase\": \"trust\", \"rotation\": \"r2\", \"from\": \"generated\"" HOSTS_WAIVER
	 ", {\"phase\": \"servers\", \"rotation\": \"r2\", \"from\": \"trusted\"" HOSTS_WAIVER "]",
	 STATE_GENERATED},
	/* Phases that bring nothing to hosts say nothing. */
	{"[{\"phase\": \"trust\", \"rotation\": \"r2\", \"from\": \"generated\"}, "
	 "{\"phase\": \"servers\", \"rotation\": \"r2\", \"from\": \"trusted\"" HOSTS_WAIVER
	 ", {\"phase\": \"generate\"}, {\"phase\": \"another\"}]",
	 STATE_TRUSTED},
	{"[{\"phase\": \"prune\", \"rotation\": \"r1\", \"from\": \"clients-switched\"" HOSTS_WAIVER
	 "]",
	 STATE_GENERATED},
	{"[{\"phase\": \"emergency\", \"rotation\": \"r2\", \"from\": \"trusted\"" HOSTS_WAIVER "]",
	 STATE__MAX},
	{"[{\"phase\": \"trust\", \"rotation\": \"r2\", \"from\": \"elsewhere\"" HOSTS_WAIVER "]",
	 STATE__MAX},
	{"[]", STATE__MAX},
};

START_TEST(who_was_left_behind_holds_what_was_then)
{
	struct store store = {.rotation = (char *)(uintptr_t) "r2"};

	clear();
	ck_ok(js_parse(&store.history, pasts[_i].history, strlen(pasts[_i].history), "history",
		       &err),
	      &err);
	ck_assert_str_eq(state_name(behind_state(&store, "db3.example.com")),
			 state_name(pasts[_i].holds));
	js_free(store.history);
}
END_TEST

Suite *gates_suite(void)
{
	Suite *suite = suite_create("gates");
	TCase *words = tcase_create("words, emergencies"),
	      *rest = tcase_create("survivors, left behind");

	tcase_set_timeout(words, 30);
	tcase_add_unchecked_fixture(words, scene_prepare, NULL);
	tcase_add_checked_fixture(words, scene_setup, scene_teardown);
	tcase_add_test(words, who_has_nobody_here_has_nothing_to_confirm);
	tcase_add_test(words, a_user_for_whom_nobody_waits_is_named);
	tcase_add_test(words, nothing_is_confirmed_while_a_phase_is_under_way);
	tcase_add_test(words, a_word_about_a_damaged_generation_is_none);
	tcase_add_test(words, each_emergency_is_carried_out_once);
	tcase_add_test(words, an_environment_that_is_not_there_has_no_words);
	suite_add_tcase(suite, words);
	tcase_add_test(rest, sessions_that_outlive_an_emergency_are_named);
	tcase_add_test(rest, a_crowd_of_survivors_is_counted);
	tcase_add_loop_test(rest, who_was_left_behind_holds_what_was_then, 0,
			    sizeof(pasts) / sizeof(pasts[0]));
	suite_add_tcase(suite, rest);
	return suite;
}
