/* SPDX-License-Identifier: PostgreSQL */
/* Who is told of a phase, once, and that nothing waits for it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "state/notify.h"
#include "tests/state/bed.h"
#include "tests/state/suites.h"
#include "tests/support/httpd.h"

#define ALL "{text}|{event}|{environment}|{phase}|{direction}|{by}|{at}|{message}|{next}"

static struct httpd httpd;
static struct err err;

static void start(void)
{
	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	if (!httpd.pid)
		ck_ok(httpd_start(&httpd, &err), &err);
}

void notify_suite_end(void)
{
	if (httpd.pid)
		httpd_stop(&httpd);
}

static void setup(void)
{
	err_clear(&err);
	httpd_script(&httpd, "{}");
}

/* notify: the list's items; apps: an application's hooks of trust, or NULL. */
static void configure(const char *notify, const char *hooks)
{
	char text[4096];

	(void)snprintf(text, sizeof(text),
		       "version: 1\ndefaults:\n  vault_password: .git/pass\n"
		       "  git: {base: main, push: false}\n  endpoints: []\n  census: {samples: 0}\n"
		       "  rollout: {trust: [], servers: [], clients: [], prune: []}\n"
		       "  notify:\n%s"
		       "environments: {poc: {}}\n",
		       notify);
	if (hooks)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
			       "applications:\n  shop: {users: [app], trust: [%s]}\n", hooks);
	bed_write("certrotate.yml", text);
	bed_commit();
}

/* To the server, with a template that has all the words. */
static const char *to_all(const char *more)
{
	static char text[512];

	bed_write("all.json", "{\"all\": \"" ALL "\"}\n");
	(void)snprintf(
		text, sizeof(text),
		"    - {url: 'http://127.0.0.1:%u/hooks/secret-path', template: all.json%s}\n",
		httpd.plain, more);
	return text;
}

/* What arrived: "EVENT PHASE DIRECTION" a line each; free() it. */
static char *told(void)
{
	struct json *requests = httpd_requests(&httpd), *body;
	struct buf out;
	char *text;

	buf_init(&out, 65536);
	for (size_t i = 0; i < js_count(requests); i++) {
		const char *got = js_str(js_at(requests, i), "body", "");
		char *all, *rest, *parts[9];

		ck_ok(js_parse(&body, got, strlen(got), "body", &err), &err);
		all = strdup(js_str(body, "all", "||||||||"));
		rest = all;
		for (size_t k = 0; k < 9; k++)
			parts[k] = strsep(&rest, "|");
		ck_assert(!rest && parts[8]);
		ck_assert_str_eq(parts[2], "poc");
		ck_assert_str_eq(parts[5], "Ada <ada@example.com>");
		ck_assert_str_eq(parts[6], "2026-11-20T01:30:00Z");
		buf_addf(&out, "%s%s %s %s", i ? "\n" : "", parts[1], parts[3], parts[4]);
		free(all);
		js_free(body);
	}
	js_free(requests);
	text = buf_detach(&out);
	buf_release(&out);
	ck_assert_ptr_nonnull(text);
	return text;
}

#define ck_told(expected)                                                                          \
	do {                                                                                       \
		char *was = told();                                                                \
		ck_assert_str_eq(was, expected);                                                   \
		free(was);                                                                         \
	} while (0)

/* A member of the nth body as it came. */
static void check_body(size_t index, const char *key, const char *expected)
{
	struct json *requests = httpd_requests(&httpd), *body;
	const char *got = js_str(js_at(requests, index), "body", "");

	ck_ok(js_parse(&body, got, strlen(got), "body", &err), &err);
	ck_assert_str_eq(js_str(body, key, ""), expected);
	js_free(body);
	js_free(requests);
}

START_TEST(a_phase_tells_its_start_and_its_end)
{
	char notify[256];
	struct json *requests;

	bed_reach(STATE_GENERATED);
	(void)snprintf(notify, sizeof(notify), "    - {url: 'http://127.0.0.1:%u/x'}\n",
		       httpd.plain);
	configure(notify, NULL);
	bed_run(EVENT_NEXT, STATE__MAX);
	check_body(0, "text", "poc: trust begins, by Ada");
	check_body(1, "text", "poc: trust is complete; now trusted");
	bed_run(EVENT_REVERT, STATE__MAX);
	check_body(2, "text", "poc: the revert of trust begins, by Ada");
	requests = httpd_requests(&httpd);
	ck_assert_uint_eq(js_count(requests), 4);
	for (size_t i = 0; i < 4; i++) {
		const char *key = js_str(js_get(js_at(requests, i), "headers"), "idempotency-key",
					 "");

		ck_assert_uint_eq(strlen(key), 32);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(key, js_str(js_get(js_at(requests, k), "headers"),
						     "idempotency-key", ""));
	}
	js_free(requests);
	ck_assert_str_eq(bed_logged()[0] ? strstr(bed_logged(), "told") ? "told" : "" : "", "");
}
END_TEST

START_TEST(only_the_events_that_were_asked_for)
{
	bed_reach(STATE_GENERATED);
	configure(to_all(", events: [end, failure]"), NULL);
	bed_run(EVENT_NEXT, STATE__MAX);
	ck_told("end trust forward");
}
END_TEST

static void fails(const char *message)
{
	ck_assert_int_eq(bed_try(EVENT_NEXT, STATE__MAX, NULL, &err), ERR_FAIL);
	ck_contains(err.msg, message);
}

START_TEST(a_failure_is_told_once_for_each_reason)
{
	bed_reach(STATE_GENERATED);
	bed_sh("printf '#!/bin/sh\\ncat .git/says >&2; exit 3\\n' >hook; chmod +x hook");
	configure(to_all(""), "{kind: exec, command: [./hook]}");
	bed_sh("echo no route to host >.git/says");
	fails("no route");
	ck_told("start trust forward\nfailure trust forward");
	fails("no route");
	ck_told("start trust forward\nfailure trust forward");
	bed_sh("echo disk is full >.git/says");
	fails("disk is full");
	ck_told("start trust forward\nfailure trust forward\nfailure trust forward");
	bed_sh("printf '#!/bin/sh\\nexit 0\\n' >hook");
	bed_sh("git commit -qam mended");
	bed_run(EVENT_NEXT, STATE__MAX);
	ck_told("start trust forward\nfailure trust forward\nfailure trust forward\n"
		"end trust forward");
}
END_TEST

START_TEST(waiting_is_told_once)
{
	bed_reach(STATE_GENERATED);
	configure(to_all(""), "{kind: manual, text: 'load it'}");
	ck_assert_int_eq(bed_try(EVENT_NEXT, STATE__MAX, NULL, &err), ERR_GATE);
	ck_assert_int_eq(bed_try(EVENT_NEXT, STATE__MAX, NULL, &err), ERR_GATE);
	ck_told("start trust forward\nwaiting trust forward");
}
END_TEST

/* A gate before anything begins: numbers in its words (how many, how long) make no other event. */
START_TEST(a_gate_that_counts_is_told_once)
{
	struct transition row = {.phase = PHASE_PRUNE, .direction = DIRECTION_FORWARD};
	const char *const messages[] = {"3 users were not seen for 12 h",
					"2 users were not seen for 13 h", "db3 was not seen",
					"db4 was not seen"};
	struct notify_phase phase;
	struct session session;
	struct err why;

	bed_reach(STATE_GENERATED);
	configure(to_all(""), NULL);
	bed_open(&session);
	notify_phase(&phase, &session, &row);
	for (size_t i = 0; i < 4; i++) {
		err_set(&why, ERR_GATE, "%s", messages[i]);
		notify_stopped(&session, &phase, false, &why);
	}
	/* what is no failure of the phase, or not its own */
	err_set(&why, ERR_FAIL, "no network");
	notify_stopped(&session, &phase, false, &why);
	err_set(&why, ERR_STOPPED, "stopped");
	notify_stopped(&session, &phase, true, &why);
	err_set(&why, ERR_LOCK, "another operator");
	notify_stopped(&session, &phase, true, &why);
	err_set(&why, ERR_USAGE, "a slip");
	notify_stopped(&session, &phase, true, &why);
	session_close(&session);
	ck_told("waiting prune forward\nwaiting prune forward\nwaiting prune forward");
}
END_TEST

/* The first phase has no rotation yet: next year's is another one. */
START_TEST(a_gate_of_another_rotation_is_told)
{
	struct transition row = {.phase = PHASE_GENERATE, .direction = DIRECTION_FORWARD};
	struct notify_phase phase;
	struct session session;
	struct json *entry;
	struct err why;

	bed_reach(STATE_IDLE);
	configure(to_all(""), NULL);
	bed_open(&session);
	err_set(&why, ERR_GATE, "a host is down");
	for (int year = 2027; year < 2029; year++) {
		char at[32];

		(void)snprintf(at, sizeof(at), "%d-01-01T00:00:00Z", year);
		entry = js_new_object();
		(void)js_set_str(entry, "at", at);
		(void)js_push(session.store.history, entry);
		for (int i = 0; i < 2; i++) {
			notify_phase(&phase, &session, &row);
			notify_stopped(&session, &phase, false, &why);
		}
	}
	session_close(&session);
	ck_told("waiting generate forward\nwaiting generate forward");
}
END_TEST

START_TEST(an_expiry_is_told_once_for_each_threshold)
{
	struct session session;
	int64_t when;

	bed_reach(STATE_IDLE);
	configure(to_all(""), NULL);
	bed_open(&session);
	when = session.sys->now(session.sys) + INT64_C(29) * 86400;
	notify_expiring(&session, "server db1.example.com", when, "warning");
	notify_expiring(&session, "server db1.example.com", when, "warning");
	notify_expiring(&session, "server db1.example.com", when, "critical");
	notify_expiring(&session, "server db1.example.com", when + 86400, "warning");
	notify_expiring(&session, "server db2.example.com", when, "warning");
	session_close(&session);
	ck_told("expiring  \nexpiring  \nexpiring  \nexpiring  ");
	check_body(
		0, "all",
		"poc: server db1.example.com expires in 29 days, at 2026-12-19T01:30:00Z|expiring|"
		"poc|||Ada <ada@example.com>|2026-11-20T01:30:00Z|poc: server db1.example.com "
		"expires in 29 days, at 2026-12-19T01:30:00Z|certrotate next --env poc");
}
END_TEST

/* What an application calls itself may stand in a message. */
START_TEST(nobody_is_called_by_a_text)
{
	struct transition row = {.phase = PHASE_PRUNE, .direction = DIRECTION_FORWARD};
	struct notify_phase phase;
	struct session session;
	struct err why;
	char notify[256];

	bed_reach(STATE_GENERATED);
	(void)snprintf(notify, sizeof(notify), "    - {url: 'http://127.0.0.1:%u/x'}\n",
		       httpd.plain);
	configure(notify, NULL);
	bed_open(&session);
	notify_phase(&phase, &session, &row);
	err_set(&why, ERR_GATE, "<!channel> & <https://b|c> was seen");
	notify_stopped(&session, &phase, false, &why);
	session_close(&session);
	check_body(0, "text",
		   "poc: prune waits: &lt;!channel&gt; &amp; &lt;https://b|c&gt; was seen");
}
END_TEST

/* A receiver that wants to know something else takes none of the time. */
START_TEST(the_time_is_for_those_who_are_told)
{
	struct transition row = {.phase = PHASE_PRUNE, .direction = DIRECTION_FORWARD};
	struct notify_phase phase;
	struct session session;
	struct buf notify;

	bed_reach(STATE_GENERATED);
	buf_init(&notify, 4096);
	buf_addf(&notify, "    - {url: 'http://127.0.0.1:%u/x', events: [start]}\n", httpd.plain);
	for (int i = 0; i < 9; i++)
		buf_addf(&notify, "    - {url: 'http://127.0.0.1:%u/x', events: [end]}\n",
			 httpd.plain);
	configure(notify.data, NULL);
	buf_release(&notify);
	httpd_script(&httpd, "{\"*\": [{\"wait\": 1}]}");
	bed_open(&session);
	notify_phase(&phase, &session, &row);
	notify_start(&session, &phase);
	session_close(&session);
	ck_assert_ptr_null(strstr(bed_logged(), "nobody was told"));
}
END_TEST

/* The phase goes on, and the next one is told what the first was not. */
START_TEST(a_receiver_that_is_down_is_a_warning)
{
	char notify[1024];

	bed_reach(STATE_GENERATED);
	(void)snprintf(notify, sizeof(notify),
		       "    - {url: 'https://127.0.0.1:1/hooks/secret-path', events: [end]}\n%s",
		       to_all(", events: [end]"));
	configure(notify, NULL);
	bed_run(EVENT_NEXT, STATE__MAX);
	ck_contains(bed_logged(), "nobody was told that poc: trust is complete; now trusted");
	ck_contains(bed_logged(), "(notify[0]): POST https://127.0.0.1:1/…: cannot connect");
	ck_assert_ptr_null(strstr(bed_logged(), "secret-path"));
	ck_told("end trust forward");
}
END_TEST

static const struct {
	const char *template, *message;
} templates[] = {
	{"{\n  \"text\": \"{txt}\"\n}\n", "all.json:2: '{txt}' stands for nothing"},
	{"{\"text\": {message}}", "all.json:1: "},
	{"{\"text\": ", "all.json"},
	{NULL, "all.json: No such file"},
};

START_TEST(a_template_that_is_none_stops_the_phase_before_it_begins)
{
	struct session session;
	const char *notify = to_all("");
	struct plan plan;
	char *before;

	bed_reach(STATE_GENERATED);
	if (templates[_i].template)
		bed_write("all.json", templates[_i].template);
	configure(notify, NULL);
	ck_assert_int_eq(bed_plan(&plan, &session, EVENT_NEXT, true, &err), ERR_USAGE);
	session_close(&session);
	ck_contains(err.msg, "certrotate.yml: notify[0]: ");
	ck_contains(err.msg, templates[_i].message);
	before = bed_read(".certrotate/poc/state.json");
	ck_assert_int_eq(bed_try(EVENT_NEXT, STATE__MAX, NULL, &err), ERR_USAGE);
	ck_contains(err.msg, templates[_i].message);
	ck_contains(before, "\"state\": \"generated\"");
	ck_told("");
	free(before);
}
END_TEST

/* Nor may it keep one from its end: the base may need a colleague's merge to be mended. */
START_TEST(a_template_that_is_none_stops_no_phase_that_has_begun)
{
	const struct finding *finding;
	struct session session;
	struct plan plan;

	bed_reach(STATE_GENERATED);
	configure(to_all(""), "{kind: manual, text: 'load it'}");
	ck_assert_int_eq(bed_try(EVENT_NEXT, STATE__MAX, NULL, &err), ERR_GATE);
	bed_write("all.json", "{\"text\": \"{txt}\"}\n");
	bed_commit();
	ck_ok(bed_plan(&plan, &session, EVENT_NEXT, true, &err), &err);
	finding = bed_finding(&plan.findings, "notify", "notify[0]");
	ck_assert_ptr_nonnull(finding);
	ck_assert_int_eq(finding->severity, SEVERITY_WARNING);
	ck_contains(finding->reason, "nobody will be told: all.json:1: '{txt}' stands for nothing");
	plan_release(&plan);
	session_close(&session);
	ck_assert_int_eq(bed_try(EVENT_REVERT, STATE__MAX, NULL, &err), ERR_GATE);
	ck_contains(bed_logged(), "(notify[0]): all.json:1: '{txt}' stands for nothing");
}
END_TEST

START_TEST(an_address_that_never_could_is_refused)
{
	struct session session;
	struct plan plan;

	bed_reach(STATE_GENERATED);
	configure("    - {url: 'http://hooks.example.com/secret-path'}\n", NULL);
	ck_assert_int_eq(bed_plan(&plan, &session, EVENT_NEXT, true, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg,
			 "certrotate.yml: notify[0]: url: the address begins with http://");
	session_close(&session);
}
END_TEST

/* Another machine may have it: the rotation does not depend on it. */
START_TEST(what_this_machine_lacks_is_a_warning)
{
	const struct finding *finding;
	struct session session;
	struct plan plan;

	bed_reach(STATE_GENERATED);
	configure("    - {url_file: /nowhere/url}\n", NULL);
	ck_ok(bed_plan(&plan, &session, EVENT_NEXT, true, &err), &err);
	finding = bed_finding(&plan.findings, "notify", "notify[0]");
	ck_assert_ptr_nonnull(finding);
	ck_assert_int_eq(finding->severity, SEVERITY_WARNING);
	ck_contains(finding->reason, "nobody will be told: cannot read /nowhere/url: No such file");
	plan_release(&plan);
	session_close(&session);
	bed_run(EVENT_NEXT, STATE__MAX);
	ck_contains(bed_logged(), "(notify[0]): cannot read /nowhere/url: No such file");
}
END_TEST

/* A timer would tell it every minute. */
START_TEST(what_cannot_be_remembered_is_not_told)
{
	bed_reach(STATE_GENERATED);
	configure(to_all(", events: [end]"), NULL);
	bed_sh("mkdir -p .git/certrotate/poc/notified");
	bed_run(EVENT_NEXT, STATE__MAX);
	ck_contains(bed_logged(), "(notify[0]): cannot remember in ");
	ck_contains(bed_logged(), "/notified what was told: Is a directory");
	ck_told("");
}
END_TEST

START_TEST(the_list_of_what_was_told_stays_short)
{
	bed_reach(STATE_GENERATED);
	configure(to_all(""), NULL);
	bed_sh("mkdir -p -m 700 .git/certrotate/poc; seq -f '%032.0f 2026-11-20T01:30:00Z' 2500 "
	       ">.git/certrotate/poc/notified");
	bed_run(EVENT_NEXT, STATE__MAX);
	ck_told("start trust forward\nend trust forward");
	bed_sh("[ $(wc -l <.git/certrotate/poc/notified) = 1252 ]");
	bed_sh("tail -n 3 .git/certrotate/poc/notified | head -n 1 | grep -q 2500");
}
END_TEST

START_TEST(over_tls_with_files_of_its_own)
{
	char notify[512], text[128];
	struct json *requests;

	bed_reach(STATE_GENERATED);
	(void)snprintf(notify, sizeof(notify),
		       "    - {url_file: .git/url, secret_file: .git/word, ca_file: %s, "
		       "events: [start]}\n",
		       httpd.ca_file);
	configure(notify, NULL);
	(void)snprintf(text, sizeof(text),
		       "umask 077; echo https://localhost:%u/T >.git/url; "
		       "echo word >.git/word",
		       httpd.good);
	bed_sh(text);
	bed_run(EVENT_NEXT, STATE__MAX);
	requests = httpd_requests(&httpd);
	ck_assert_uint_eq(js_count(requests), 1);
	ck_assert_str_eq(js_str(js_at(requests, 0), "listener", ""), "good");
	ck_contains(js_str(js_get(js_at(requests, 0), "headers"), "certrotate-signature", ""),
		    "t=1795138200,v1=");
	js_free(requests);
}
END_TEST

Suite *notify_suite(void)
{
	Suite *suite = suite_create("notify");
	TCase *tcase = bed_case("notify");

	tcase_set_timeout(tcase, 120);
	tcase_add_unchecked_fixture(tcase, start, NULL);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, a_phase_tells_its_start_and_its_end);
	tcase_add_test(tcase, only_the_events_that_were_asked_for);
	tcase_add_test(tcase, a_failure_is_told_once_for_each_reason);
	tcase_add_test(tcase, waiting_is_told_once);
	tcase_add_test(tcase, a_gate_that_counts_is_told_once);
	tcase_add_test(tcase, a_gate_of_another_rotation_is_told);
	tcase_add_test(tcase, an_expiry_is_told_once_for_each_threshold);
	tcase_add_test(tcase, nobody_is_called_by_a_text);
	tcase_add_test(tcase, the_time_is_for_those_who_are_told);
	tcase_add_test(tcase, a_receiver_that_is_down_is_a_warning);
	tcase_add_loop_test(tcase, a_template_that_is_none_stops_the_phase_before_it_begins, 0,
			    (int)(sizeof(templates) / sizeof(templates[0])));
	tcase_add_test(tcase, a_template_that_is_none_stops_no_phase_that_has_begun);
	tcase_add_test(tcase, an_address_that_never_could_is_refused);
	tcase_add_test(tcase, what_this_machine_lacks_is_a_warning);
	tcase_add_test(tcase, what_cannot_be_remembered_is_not_told);
	tcase_add_test(tcase, the_list_of_what_was_told_stays_short);
	tcase_add_test(tcase, over_tls_with_files_of_its_own);
	suite_add_tcase(suite, tcase);
	return suite;
}
