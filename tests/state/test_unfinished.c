/* SPDX-License-Identifier: PostgreSQL */
/* What status says of a phase that did not come to its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/unfinished.h"
#include "tests/state/suites.h"

#define ROTATION "20261121T013000Z-7f3a"
#define SINCE	 "2026-11-21T01:30:00Z"

static struct sys clocks;
static struct session session;
static struct findings found;
static char host[] = "jump1:/home/ada/inventory";
static struct err err;

static void setup(void)
{
	char *path;

	sys_init(&clocks);
	test_mkdir();
	path = test_path("journal");
	session = (struct session){.sys = &clocks, .host = host};
	ck_ok(journal_open(&session.journal, path, &clocks, &err), &err);
	ck_ok(store_init(&session.store, "poc", STATE_GENERATED, &err), &err);
	ck_ok(store_set(&session.store.rotation, ROTATION, &err), &err);
	free(path);
}

static void teardown(void)
{
	findings_release(&found);
	journal_release(&session.journal);
	store_release(&session.store);
	test_rmdir();
}

static void begin(enum state from, enum event event, const char *where)
{
	struct under_way *under_way = &session.store.under_way;

	ck_ok(store_begin(&session.store, table_find(from, event), "Ada <ada@example.com>", where,
			  0, NULL, &err),
	      &err);
	ck_ok(store_set(&under_way->since, SINCE, &err), &err);
}

static void mark(const char *step, const char *what, const char *note)
{
	const struct under_way *under_way = &session.store.under_way;

	ck_ok(journal_write(&session.journal, ROTATION, phase_name(under_way->phase),
			    direction_name(under_way->direction), step, what, "key", note, &err),
	      &err);
}

/* Of the one finding: "SUBJECT: REASON; ADVICE" */
static const char *said(void)
{
	static char text[2048];

	findings_release(&found);
	ck_ok(unfinished_note(&found, &session, &err), &err);
	ck_assert_uint_eq(found.count, 1);
	ck_assert_str_eq(found.items[0].check, "unfinished");
	ck_assert_int_eq(found.items[0].severity, SEVERITY_BLOCK);
	(void)snprintf(text, sizeof(text), "%s: %s; %s", found.items[0].subject,
		       found.items[0].reason, found.items[0].advice);
	return text;
}

#define UNDER_WAY "it is under way since " SINCE ", by Ada <ada@example.com>"
#define EITHER	  "; 'certrotate next' goes on, 'certrotate revert' takes it back"

START_TEST(how_far_it_came_is_what_the_journal_says_last)
{
	static const struct {
		const char *step, *mark, *note, *said;
	} lines[] = {
		{"publish", "begin", NULL, "; it is published, and nothing is rolled out yet"},
		{"publish", "end", NULL, "; it is published, and nothing is rolled out yet"},
		{"rollout", "begin", "rollout.yml",
		 "; it is published; rollout.yml was begun, and its end is not known"},
		{"rollout", "fail", "db2 is full", "; it stopped: db2 is full"},
		{"rollout", "end", "rollout.yml", "; rollout.yml has run to its end"},
		{"verify", "begin", NULL, "; it is rolled out, and not looked at yet"},
		{"verify", "fail", "db1 does not hold", "; it stopped: db1 does not hold"},
		{"verify", "end", NULL, "; all is done but its record"},
		{"settle", "begin", NULL, "; all is done but its record"},
		{"settle", "end", NULL, "; all is done but its record"},
	};
	char want[512];

	begin(STATE_GENERATED, EVENT_NEXT, host);
	ck_assert_str_eq(said(), "trust: " UNDER_WAY EITHER);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		mark(lines[i].step, lines[i].mark, lines[i].note);
		(void)snprintf(want, sizeof(want), "trust: " UNDER_WAY "%s" EITHER, lines[i].said);
		ck_assert_str_eq(said(), want);
	}
}
END_TEST

START_TEST(a_phase_that_rolls_nothing_out_is_recorded)
{
	begin(STATE_IDLE, EVENT_NEXT, host);
	mark("publish", "end", NULL);
	ck_assert_str_eq(said(), "generate: " UNDER_WAY
				 "; it is published, and nothing is recorded yet" EITHER);
}
END_TEST

START_TEST(what_another_phase_left_in_the_journal_says_nothing)
{
	begin(STATE_IDLE, EVENT_NEXT, host);
	mark("settle", "end", NULL);
	begin(STATE_GENERATED, EVENT_NEXT, host);
	ck_assert_str_eq(said(), "trust: " UNDER_WAY EITHER);
}
END_TEST

START_TEST(elsewhere_it_goes_on_there)
{
	begin(STATE_GENERATED, EVENT_NEXT, "jump2:/srv/inventory");
	mark("publish", "end", NULL);
	ck_assert_str_eq(said(), "trust: " UNDER_WAY " on jump2:/srv/inventory; "
				 "it goes on there; if it does not, add --take-over here");
}
END_TEST

START_TEST(each_direction_has_its_own_ways_on)
{
	begin(STATE_TRUSTED, EVENT_REVERT, host);
	mark("rollout", "end", "rollout.yml");
	ck_assert_str_eq(said(), "trust: its revert is under way since " SINCE
				 ", by Ada <ada@example.com>; rollout.yml has run to its end; "
				 "'certrotate revert' goes on, 'certrotate next' turns round");
	begin(STATE_TRUSTED, EVENT_EMERGENCY, host);
	ck_assert_str_eq(said(), "emergency: " UNDER_WAY
				 "; 'certrotate next' goes on; it cannot be taken back");
}
END_TEST

START_TEST(nothing_that_is_not_known_is_made_up)
{
	begin(STATE_GENERATED, EVENT_NEXT, NULL);
	ck_ok(store_set(&session.store.under_way.since, NULL, &err), &err);
	ck_ok(store_set(&session.store.under_way.by, NULL, &err), &err);
	ck_assert_str_eq(said(), "trust: it is under way since ?, by ?" EITHER);
}
END_TEST

static const char *interrupted(void)
{
	static char text[1024];

	findings_release(&found);
	ck_ok(interrupted_note(&found, &session, &err), &err);
	if (!found.count)
		return "";
	ck_assert_str_eq(found.items[0].check, "interrupted");
	ck_assert_int_eq(found.items[0].severity, SEVERITY_INFO);
	ck_assert_str_eq(found.items[0].advice,
			 "type the command again: it goes on from what is there");
	(void)snprintf(text, sizeof(text), "%s: %s", found.items[0].subject, found.items[0].reason);
	return text;
}

static void settled(const char *at)
{
	struct json *entry = js_new_object();

	ck_assert_int_eq(js_set_str(entry, "at", at), 0);
	ck_assert_int_eq(js_push(session.store.history, entry), 0);
}

START_TEST(what_began_here_and_reached_nobody_is_told)
{
	char want[256];

	ck_assert_str_eq(interrupted(), "");
	begin(STATE_GENERATED, EVENT_NEXT, host);
	mark("publish", "begin", NULL);
	session.store.under_way.active = false;
	settled("2001-01-01T00:00:00Z");
	(void)snprintf(want, sizeof(want),
		       "trust: it was begun here at %s and did not end; as fetched last, nothing "
		       "of it is published",
		       session.journal.last_at);
	ck_assert_str_eq(interrupted(), want);
	begin(STATE_TRUSTED, EVENT_REVERT, host);
	mark("publish", "begin", NULL);
	(void)snprintf(want, sizeof(want),
		       "trust: its revert was begun here at %s and did not end; as fetched last, "
		       "nothing of it is published",
		       session.journal.last_at);
	ck_assert_str_eq(interrupted(), want);
	/* whoever ended something behind it knew of it */
	settled(session.journal.last_at);
	ck_assert_str_eq(interrupted(), "");
	mark("publish", "end", NULL);
	ck_assert_str_eq(interrupted(), "");
}
END_TEST

Suite *unfinished_suite(void)
{
	Suite *suite = suite_create("unfinished");
	TCase *tc = tcase_create("unfinished");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, how_far_it_came_is_what_the_journal_says_last);
	tcase_add_test(tc, a_phase_that_rolls_nothing_out_is_recorded);
	tcase_add_test(tc, what_another_phase_left_in_the_journal_says_nothing);
	tcase_add_test(tc, elsewhere_it_goes_on_there);
	tcase_add_test(tc, each_direction_has_its_own_ways_on);
	tcase_add_test(tc, nothing_that_is_not_known_is_made_up);
	tcase_add_test(tc, what_began_here_and_reached_nobody_is_told);
	suite_add_tcase(suite, tc);
	return suite;
}
