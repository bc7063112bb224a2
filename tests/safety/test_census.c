/* SPDX-License-Identifier: PostgreSQL */
#include "tests/safety/safety_tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "safety/census.h"

#define HOUR 3600
#define NOW  INT64_C(1795250000)

static struct err err;
static struct test_chain chains[2];
static struct cert *app[2], *report[2];
static struct census_index *census_index;
static struct census census;

static struct cert *client(struct test_chain *chain, const char *user)
{
	struct key *key = NULL;
	struct cert *cert = test_client(chain, &key, user);

	key_free(key);
	return cert;
}

static void setup(void)
{
	static const char *const names[] = {"g1", "g2"};

	err_clear(&err);
	census = (struct census)CENSUS_INIT;
	ck_ok(census_index_new(&census_index, &err), &err);
	for (size_t g = 0; g < 2; g++) {
		test_chain_init(&chains[g], names[g]);
		app[g] = client(&chains[g], "app");
		report[g] = client(&chains[g], "report");
		ck_ok(census_index_add(census_index, names[g], "app", app[g], &err), &err);
		ck_ok(census_index_add(census_index, names[g], "report", report[g], &err), &err);
	}
}

static void teardown(void)
{
	census_release(&census);
	census_index_free(census_index);
	for (size_t g = 0; g < 2; g++) {
		cert_free(app[g]);
		cert_free(report[g]);
		test_chain_release(&chains[g]);
	}
}

static struct census_session session_of(const char *user, const char *serial, int64_t since)
{
	return (struct census_session){.user = user,
				       .application = "web",
				       .address = "10.0.0.7",
				       .database = "shop",
				       .backend = "client backend",
				       .serial = serial,
				       .tls = true,
				       .since = since};
}

static void see(const struct census_session *session)
{
	ck_ok(census_add(&census, census_index, "db1", session, &err), &err);
}

static void see_user(const char *user, const char *serial, int64_t since)
{
	struct census_session session = session_of(user, serial, since);

	see(&session);
}

static void begin(int64_t at)
{
	ck_ok(census_begin(&census, at, &err), &err);
}

static const struct census_sample *last(void)
{
	return &census.samples[census.sample_count - 1];
}

/* The record as its file has it; free() it. */
static char *dump(const struct census *what)
{
	struct json *root = census_json(what);
	struct buf text;
	char *out;

	ck_assert_ptr_nonnull(root);
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(js_dump(&text, root, false, &err), &err);
	out = buf_detach(&text);
	js_free(root);
	return out;
}

START_TEST(a_serial_tells_the_generation)
{
	begin(NOW);
	see_user("app", cert_serial_decimal(app[0]), NOW - HOUR);
	see_user("app", cert_serial_decimal(app[0]), NOW - 2 * HOUR);
	see_user("report", cert_serial_decimal(report[1]), NOW - HOUR);
	see_user("stranger", "4711", NOW - HOUR);
	ck_assert_uint_eq(census.sighting_count, 3);
	ck_assert_str_eq(census.sightings[0].generation, "g1");
	ck_assert_str_eq(census.sightings[0].leaf, "app");
	ck_assert_uint_eq(census.sightings[0].sessions, 2);
	ck_assert_int_eq(census.sightings[0].oldest_since, NOW - 2 * HOUR);
	ck_assert_int_eq(census.sightings[0].newest_since, NOW - HOUR);
	ck_assert_str_eq(census.sightings[1].generation, "g2");
	ck_assert_str_eq(census.sightings[2].generation, CENSUS_UNKNOWN);
	ck_assert_str_eq(census.sightings[2].leaf, "");
	ck_assert_str_eq(census.sightings[2].serial, "4711");
	ck_assert_uint_eq(last()->by_old, 2);
	ck_assert_uint_eq(last()->by_new, 1);
	ck_assert_uint_eq(last()->by_unknown, 1);
	ck_assert_uint_eq(last()->count_count, 2);
	ck_assert_str_eq(last()->counts[0].generation, "g1");
	ck_assert_uint_eq(last()->counts[0].sessions, 2);
	ck_assert_uint_eq(last()->counts[1].sessions, 1);
}
END_TEST

START_TEST(counts_begin_with_the_oldest_generation)
{
	struct cert *tenth = client(&chains[1], "tenth");

	ck_ok(census_index_add(census_index, "g10", "tenth", tenth, &err), &err);
	begin(NOW);
	see_user("tenth", cert_serial_decimal(tenth), NOW);
	see_user("app", cert_serial_decimal(app[1]), NOW);
	see_user("app", cert_serial_decimal(app[0]), NOW);
	see_user("app", cert_serial_decimal(app[1]), NOW);
	ck_assert_uint_eq(last()->count_count, 3);
	ck_assert_str_eq(last()->counts[0].generation, "g1");
	ck_assert_str_eq(last()->counts[1].generation, "g2");
	ck_assert_uint_eq(last()->counts[1].sessions, 2);
	ck_assert_str_eq(last()->counts[2].generation, "g10");
	ck_assert_uint_eq(last()->by_new, 1);
	ck_assert_uint_eq(last()->by_old, 3);
	cert_free(tenth);
}
END_TEST

START_TEST(kinds_are_kept_apart)
{
	static const struct {
		const char *serial, *address;
		bool tls;
		enum census_kind kind;
		const char *name;
	} cases[] = {
		{"4711", "10.0.0.7", true, CENSUS_CERTIFICATE, "certificate"},
		{"", "10.0.0.7", true, CENSUS_NO_CERTIFICATE, "no-certificate"},
		{"", "10.0.0.7", false, CENSUS_NO_TLS, "no-tls"},
		{"", "", false, CENSUS_LOCAL, "local"},
	};
	struct census_session walsender = session_of("app", cert_serial_decimal(app[1]), NOW);

	begin(NOW);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct census_session session = session_of("app", cases[i].serial, NOW);

		session.address = cases[i].address;
		session.tls = cases[i].tls;
		see(&session);
		ck_assert_int_eq(census.sightings[i].kind, cases[i].kind);
		ck_assert_str_eq(census_kind_name(cases[i].kind), cases[i].name);
		ck_assert(!census.sightings[i].replication);
	}
	walsender.backend = "walsender";
	see(&walsender);
	ck_assert(census.sightings[4].replication);
	ck_assert_uint_eq(last()->without, 2);
	ck_assert_uint_eq(last()->local, 1);
	ck_assert_str_eq(census.sightings[3].generation, "");
	ck_assert_str_eq(census_kind_name(CENSUS_KIND__MAX), "unknown");
}
END_TEST

START_TEST(later_samples_update_what_is_alike)
{
	const char *old = cert_serial_decimal(app[0]);

	begin(NOW);
	see_user("app", old, NOW - HOUR);
	see_user("app", old, NOW - HOUR);
	ck_ok(census_answered(&census, "db1", &err), &err);
	begin(NOW + HOUR);
	see_user("app", old, NOW + 60);
	ck_ok(census_answered(&census, "db1", &err), &err);
	ck_ok(census_missed(&census, "db2", "connection refused", &err), &err);
	ck_assert_uint_eq(census.sighting_count, 1);
	ck_assert_uint_eq(census.sightings[0].sessions, 1);
	ck_assert_int_eq(census.sightings[0].first_seen, NOW);
	ck_assert_int_eq(census.sightings[0].last_seen, NOW + HOUR);
	ck_assert_int_eq(census.sightings[0].oldest_since, NOW + 60);
	ck_assert_uint_eq(census.sample_count, 2);
	ck_assert_uint_eq(last()->servers, 2);
	ck_assert_uint_eq(last()->answered, 1);
	ck_assert_str_eq(last()->missed.items[0], "db2: connection refused");
}
END_TEST

START_TEST(what_was_known_of_a_serial_stays_known)
{
	struct census_index *none = NULL;
	struct census_session session = session_of("app", cert_serial_decimal(app[0]), NOW);

	begin(NOW);
	see(&session);
	ck_ok(census_index_new(&none, &err), &err);
	begin(NOW + HOUR);
	ck_ok(census_add(&census, none, "db1", &session, &err), &err);
	ck_assert_uint_eq(census.sighting_count, 1);
	ck_assert_str_eq(census.sightings[0].generation, "g1");
	ck_assert_str_eq(census.sightings[0].leaf, "app");
	ck_assert_uint_eq(last()->by_unknown, 0);
	ck_assert_uint_eq(last()->by_old, 1);
	census_index_free(none);
}
END_TEST

START_TEST(the_users_own_leaf_counts_where_a_number_was_given_twice)
{
	/* report's leaf under app's name first: as authorities that count from 1 would have it. */
	ck_ok(census_index_add(census_index, "g1", "twin", app[0], &err), &err);
	begin(NOW);
	see_user("twin", cert_serial_decimal(app[0]), NOW);
	see_user("somebody", cert_serial_decimal(app[0]), NOW);
	ck_assert_str_eq(census.sightings[0].leaf, "twin");
	ck_assert_str_eq(census.sightings[1].leaf, "app");
}
END_TEST

START_TEST(names_with_a_number_do_not_blow_up_the_record)
{
	const char *old = cert_serial_decimal(app[0]);
	struct census_session session = session_of("app", old, NOW);
	char name[32];
	const struct sighting *others;

	for (int run = 0; run < 20; run++) {
		begin(NOW + run * HOUR);
		for (int i = 0; i < 100; i++) {
			(void)snprintf(name, sizeof(name), "job-%d", run * 100 + i);
			session.application = name;
			session.address = i % 2 ? "10.0.0.7" : "10.0.0.8";
			see(&session);
		}
		ck_assert_uint_eq(last()->by_old, 100);
	}
	ck_assert_uint_eq(census.sighting_count, CENSUS_APART_MAX + 1);
	others = &census.sightings[CENSUS_APART_MAX];
	ck_assert_str_eq(others->application, CENSUS_OTHERS);
	ck_assert_str_eq(others->address, "");
	ck_assert_str_eq(others->user, "app");
	ck_assert_str_eq(others->server, "db1");
	ck_assert_str_eq(others->generation, "g1");
	ck_assert_str_eq(others->serial, old);
	ck_assert_uint_eq(others->sessions, 100);
	ck_assert_int_eq(others->last_seen, NOW + 19 * HOUR);
	/* Another user, and another generation of the same, are not joined with them. */
	see_user("report", cert_serial_decimal(report[0]), NOW);
	see_user("app", cert_serial_decimal(app[1]), NOW);
	ck_assert_uint_eq(census.sighting_count, CENSUS_APART_MAX + 3);
}
END_TEST

START_TEST(joined_sightings_of_several_serials_have_none)
{
	char serial[32], name[32];

	begin(NOW);
	for (int i = 0; i < CENSUS_APART_MAX + 2; i++) {
		struct census_session session = session_of("app", serial, NOW);

		(void)snprintf(serial, sizeof(serial), "%d", 1000 + i);
		(void)snprintf(name, sizeof(name), "job-%d", i);
		session.application = name;
		see(&session);
	}
	ck_assert_uint_eq(census.sighting_count, CENSUS_APART_MAX + 1);
	ck_assert_str_eq(census.sightings[CENSUS_APART_MAX].serial, "");
	ck_assert_str_eq(census.sightings[CENSUS_APART_MAX].generation, CENSUS_UNKNOWN);
	ck_assert_uint_eq(census.sightings[CENSUS_APART_MAX].sessions, 2);
}
END_TEST

START_TEST(hostile_names_do_no_harm)
{
	struct census_session session = session_of("app\x1f\x1b[2J", "12\n34", -5);
	char longest[600];
	char *text;
	struct census again;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	longest[254] = '\xc3'; /* an e with an accent, cut in the middle */
	longest[255] = '\xa9';
	session.application = "\xc2\x9b"
			      "31m\xff\xed\xa0\x80 caf\xc3\xa9";
	session.address = longest;
	begin(NOW);
	see(&session);
	session.since = INT64_MAX;
	see(&session);
	ck_assert_uint_eq(census.sighting_count, 1);
	ck_assert_str_eq(census.sightings[0].user, "app??[2J");
	ck_assert_str_eq(census.sightings[0].serial, "12?34");
	ck_assert_str_eq(census.sightings[0].application, "??31m???? caf\xc3\xa9");
	ck_assert_uint_eq(strlen(census.sightings[0].address), 254);
	ck_assert_int_eq(census.sightings[0].oldest_since, 0);
	text = dump(&census);
	ck_ok(census_parse(&again, text, strlen(text), "census.json", &err), &err);
	ck_assert_str_eq(again.sightings[0].application, census.sightings[0].application);
	census_release(&again);
	free(text);
}
END_TEST

START_TEST(a_record_comes_back_as_it_was)
{
	struct census again;
	char *text, *second;

	begin(NOW);
	see_user("app", cert_serial_decimal(app[0]), NOW - HOUR);
	see_user("report", cert_serial_decimal(report[1]), NOW - HOUR);
	see_user("nobody", "", NOW - HOUR);
	ck_ok(census_answered(&census, "db1", &err), &err);
	begin(NOW + HOUR);
	see_user("app", cert_serial_decimal(app[1]), NOW);
	ck_ok(census_missed(&census, "db1", "\"no route\"", &err), &err);
	text = dump(&census);
	ck_ok(census_parse(&again, text, strlen(text), "census.json", &err), &err);
	second = dump(&again);
	ck_assert_str_eq(text, second);
	ck_assert_uint_eq(again.sighting_count, 4);
	ck_assert_str_eq(again.samples[1].missed.items[0], "db1: \"no route\"");
	ck_assert_str_eq(again.samples[0].counts[1].generation, "g2");
	/* It goes on where it was. */
	ck_ok(census_begin(&again, NOW + 2 * HOUR, &err), &err);
	ck_ok(census_add(&again, census_index, "db1",
			 &(struct census_session){"app", "web", "10.0.0.7", "shop",
						  "client backend", cert_serial_decimal(app[1]),
						  true, NOW},
			 &err),
	      &err);
	ck_assert_uint_eq(again.sighting_count, 4);
	ck_assert_int_eq(again.sightings[3].last_seen, NOW + 2 * HOUR);
	ck_assert_int_eq(again.sightings[3].first_seen, NOW + HOUR);
	census_release(&again);
	free(text);
	free(second);
}
END_TEST

static const struct {
	const char *text, *message, *hint;
} refused[] = {
	{"{", "census.json:1: not valid JSON: ", "the record is damaged: remove the file"},
	{"[]", "census.json: version 0 of the record; this certrotate reads 1",
	 "another certrotate"},
	{"{\"version\": 2}", "census.json: version 2 of the record; this certrotate reads 1",
	 "it was written by another certrotate: use that one"},
	{"{\"version\": 1, \"texts\": [], \"samples\": []}",
	 "census.json: 'texts', 'samples' and 'sightings' are not three lists",
	 "only sightings are lost, and the quiet time begins anew"},
	{"{\"version\": 1, \"texts\": [], \"samples\": [[1,1,1,0,0,0,0,0,[]]], \"sightings\": []}",
	 "census.json: samples[0] is not a sample", "remove the file"},
	{"{\"version\": 1, \"texts\": [], \"samples\": [[1,1,-1,0,0,0,0,0,[],[]]], \"sightings\": "
	 "[]}",
	 "census.json: samples[0] is not a sample", "remove the file"},
	{"{\"version\": 1, \"texts\": [], \"samples\": [[2,1,1,0,0,0,0,0,[],[]],"
	 "[2,1,1,0,0,0,0,0,[],[]]], \"sightings\": []}",
	 "census.json: samples[1] is not later than the one before", "remove the file"},
	{"{\"version\": 1, \"texts\": [], \"samples\": [[1,1,0,0,0,0,0,0,[],[0]]], \"sightings\": "
	 "[]}",
	 "census.json: samples[0] names no server that was missed", "remove the file"},
	{"{\"version\": 1, \"texts\": [\"g1\"], \"samples\": [[1,1,0,0,0,0,0,0,[[0,\"x\"]],[]]],"
	 " \"sightings\": []}",
	 "census.json: samples[0] has no generation in its counts", "remove the file"},
	{"{\"version\": 1, \"texts\": [\"a\"], \"samples\": [],"
	 " \"sightings\": [[0,0,0,0,0,0,0,9,0,1,1,1,1,1]]}",
	 "census.json: sightings[0] is not a sighting", "remove the file"},
	{"{\"version\": 1, \"texts\": [\"a\"], \"samples\": [],"
	 " \"sightings\": [[0,0,0,0,0,0,1,0,0,1,1,1,1,1]]}",
	 "census.json: sightings[0] has no text where one belongs", "remove the file"},
	{"{\"version\": 1, \"texts\": [\"a\\u001b\"], \"samples\": [],"
	 " \"sightings\": [[0,0,0,0,0,0,0,0,0,1,1,1,1,1]]}",
	 "census.json: sightings[0] has no text where one belongs", "remove the file"},
	{"{\"version\": 1, \"texts\": [\"a\"], \"samples\": [],"
	 " \"sightings\": [[0,0,0,0,0,0,0,0,0,1,1,1,1,1],[0,0,0,0,0,0,0,0,0,1,1,1,1,1]]}",
	 "census.json: sightings[1]: a sighting is there twice (user a on a)", "remove the file"},
};

START_TEST(a_damaged_record_is_refused)
{
	const char *text = refused[_i].text;
	struct census out;

	ck_assert_int_eq(census_parse(&out, text, strlen(text), "census.json", &err), ERR_FAIL);
	ck_contains(err.msg, refused[_i].message);
	ck_contains(err.hint, refused[_i].hint);
	ck_assert_uint_eq(out.sample_count + out.sighting_count, 0);
	ck_assert_ptr_null(out.sightings);
}
END_TEST

START_TEST(what_is_old_is_forgotten)
{
	begin(NOW);
	see_user("app", cert_serial_decimal(app[0]), NOW);
	see_user("report", cert_serial_decimal(report[0]), NOW);
	begin(NOW + HOUR);
	see_user("report", cert_serial_decimal(report[0]), NOW);
	ck_ok(census_forget(&census, NOW + 1, &err), &err);
	ck_assert_uint_eq(census.sample_count, 1);
	ck_assert_uint_eq(census.sighting_count, 1);
	ck_assert_str_eq(census.sightings[0].user, "report");
	ck_assert_int_eq(census.sightings[0].first_seen, NOW);
	/* What is left is still found, and what is gone comes anew. */
	see_user("report", cert_serial_decimal(report[0]), NOW);
	see_user("app", cert_serial_decimal(app[0]), NOW);
	ck_assert_uint_eq(census.sighting_count, 2);
	ck_assert_uint_eq(census.sightings[0].sessions, 2);
}
END_TEST

START_TEST(a_clock_that_goes_back_hides_nothing)
{
	begin(NOW);
	see_user("app", cert_serial_decimal(app[0]), NOW);
	/* Twice in one second: two samples. */
	begin(NOW);
	begin(NOW);
	ck_assert_uint_eq(census.sample_count, 3);
	ck_assert_int_eq(last()->at, NOW + 2);
	begin(NOW - 24 * HOUR);
	ck_assert_uint_eq(census.sample_count, 1);
	ck_assert_int_eq(last()->at, NOW - 24 * HOUR);
	ck_assert_int_eq(census.sightings[0].last_seen, NOW - 24 * HOUR);
	ck_assert_int_eq(census.sightings[0].first_seen, NOW - 24 * HOUR);
}
END_TEST

START_TEST(old_samples_and_reasons_make_way)
{
	char server[32];

	for (int i = 0; i < CENSUS_SAMPLES_MAX + 5; i++) {
		begin(NOW + i);
		for (int s = 0; i < 2 && s < CENSUS_MISSED_MAX + 5; s++) {
			(void)snprintf(server, sizeof(server), "db%d", s);
			ck_ok(census_missed(&census, server, "down", &err), &err);
		}
		if (!i) {
			ck_assert_uint_eq(last()->missed.count, CENSUS_MISSED_MAX);
			ck_assert_uint_eq(last()->servers, CENSUS_MISSED_MAX + 5);
			ck_assert_uint_eq(last()->answered, 0);
		}
		if (i == 3000)
			ck_assert_uint_eq(census.samples[1].missed.count, 3);
	}
	ck_assert_uint_eq(census.sample_count, CENSUS_SAMPLES_MAX);
	ck_assert_int_eq(census.samples[0].at, NOW + 5);
}
END_TEST

/* 1,000 servers of 60 users each: more than are kept apart. */
START_TEST(a_full_record_joins_and_stays_readable)
{
	char user[80], server[80], application[80];
	struct census again;
	char *text;
	size_t sessions = 0;

	begin(NOW);
	for (int s = 0; s < 1000; s++) {
		(void)snprintf(server, sizeof(server), "%040d.example.com", s);
		for (int u = 0; u < 60; u++) {
			struct census_session session = session_of(user, "4711", NOW);

			(void)snprintf(user, sizeof(user), "%063d", u);
			(void)snprintf(application, sizeof(application), "%030d%033d", s, u);
			session.application = application;
			ck_ok(census_add(&census, census_index, server, &session, &err), &err);
		}
	}
	ck_assert_uint_eq(census.sighting_count, CENSUS_SIGHTINGS_MAX + 60);
	ck_assert_str_eq(census.sightings[CENSUS_SIGHTINGS_MAX].server, CENSUS_OTHERS);
	ck_assert_str_eq(census.sightings[CENSUS_SIGHTINGS_MAX].application, CENSUS_OTHERS);
	for (size_t i = 0; i < census.sighting_count; i++)
		sessions += census.sightings[i].sessions;
	ck_assert_uint_eq(sessions, 60000);
	text = dump(&census);
	ck_ok(census_parse(&again, text, strlen(text), "census.json", &err), &err);
	ck_assert_uint_eq(again.sighting_count, census.sighting_count);
	census_release(&again);
	free(text);
}
END_TEST

Suite *census_suite(void)
{
	Suite *suite = suite_create("census");
	TCase *tcase = tcase_create("record");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_serial_tells_the_generation);
	tcase_add_test(tcase, counts_begin_with_the_oldest_generation);
	tcase_add_test(tcase, kinds_are_kept_apart);
	tcase_add_test(tcase, later_samples_update_what_is_alike);
	tcase_add_test(tcase, what_was_known_of_a_serial_stays_known);
	tcase_add_test(tcase, the_users_own_leaf_counts_where_a_number_was_given_twice);
	tcase_add_test(tcase, names_with_a_number_do_not_blow_up_the_record);
	tcase_add_test(tcase, joined_sightings_of_several_serials_have_none);
	tcase_add_test(tcase, hostile_names_do_no_harm);
	tcase_add_test(tcase, a_record_comes_back_as_it_was);
	tcase_add_loop_test(tcase, a_damaged_record_is_refused, 0,
			    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tcase, what_is_old_is_forgotten);
	tcase_add_test(tcase, a_clock_that_goes_back_hides_nothing);
	tcase_add_test(tcase, old_samples_and_reasons_make_way);
	tcase_add_test(tcase, a_full_record_joins_and_stays_readable);
	suite_add_tcase(suite, tcase);
	return suite;
}
