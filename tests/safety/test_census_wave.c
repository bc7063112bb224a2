/* SPDX-License-Identifier: PostgreSQL */
/* Whether the users of a wave were seen switched, and what is said of those who were not. */
#include <string.h>

#include "safety/census_wave.h"
#include "tests/safety/safety_tests.h"

#define BEGUN INT64_C(1795000000) /* 2026-11-18T11:06:40Z */
#define ENDED (BEGUN + 60)
#define NOW   (BEGUN + 600) /* of the newest sample */

#define TEXT(text) ((char *)(uintptr_t)(text))

static struct sighting sightings[4];
static struct census_sample samples[1];
static struct census census;
static struct findings found;
static struct err err;

static const struct census_wave_user users[] = {
	{"app", "shop", BEGUN, ENDED},
	{"report", "reports", BEGUN, ENDED},
};

static void setup(void)
{
	samples[0] = (struct census_sample){.at = NOW};
	census = (struct census){.samples = samples, .sample_count = 1, .sightings = sightings};
	found = (struct findings)FINDINGS_INIT;
	err_clear(&err);
}

static void teardown(void)
{
	findings_release(&found);
}

/* A session of a user that logged in then, and was seen last at another time. */
static struct sighting *saw(const char *user, const char *generation, int64_t login, int64_t last)
{
	struct sighting *sighting = &sightings[census.sighting_count++];

	*sighting = (struct sighting){.server = TEXT("db1.example.com"),
				      .user = TEXT(user),
				      .leaf = TEXT(user),
				      .application = TEXT("web"),
				      .address = TEXT("10.0.4.7"),
				      .generation = TEXT(generation),
				      .serial = TEXT("1"),
				      .kind = generation[0] ? CENSUS_CERTIFICATE
							    : CENSUS_NO_CERTIFICATE,
				      .sessions = 1,
				      .first_seen = login,
				      .last_seen = last,
				      .oldest_since = login,
				      .newest_since = login};
	return sighting;
}

static void check(size_t count)
{
	const struct census_wave wave = {
		.census = &census, .users = users, .count = count, .keep = "g2", .now = NOW};

	findings_release(&found);
	ck_ok(census_wave_check(&found, &wave, &err), &err);
}

static void switched(void)
{
	check(1);
	ck_assert_msg(!found.count, "%s", found.items[0].reason);
}

static void unseen(const char *reason)
{
	check(1);
	ck_assert_uint_eq(found.count, 1);
	ck_assert_str_eq(found.items[0].check, "wave-unseen");
	ck_assert_int_eq(found.items[0].severity, SEVERITY_BLOCK);
	ck_assert_str_eq(found.items[0].subject, "client app");
	ck_assert_str_eq(found.items[0].reason, reason);
	ck_assert_str_eq(found.items[0].advice,
			 "see what application shop does; where the census cannot see it, "
			 "'certrotate ack --app shop' confirms it");
}

START_TEST(who_logs_in_with_the_new_one_has_switched)
{
	(void)saw("app", "g2", BEGUN + 5, NOW);
	switched();
}
END_TEST

/* The playbook may have brought it before the hook was asked. */
START_TEST(a_session_from_before_that_is_still_open_counts)
{
	(void)saw("app", "g2", BEGUN - 5, NOW);
	switched();
}
END_TEST

START_TEST(who_was_seen_with_the_new_one_only_before_has_not)
{
	(void)saw("app", "g2", BEGUN - 500, BEGUN - 1);
	unseen("was not seen with its certificate of g2 since it was given it "
	       "(2026-11-18T11:06:40Z), nor with any other");
}
END_TEST

START_TEST(what_was_seen_instead_is_said)
{
	saw("app", "g1", BEGUN - 500, NOW - 60)->address = TEXT("10.0.4.1");
	(void)saw("app", "g1", BEGUN - 500, NOW);
	unseen("was not seen with its certificate of g2 since it was given it "
	       "(2026-11-18T11:06:40Z), but with that of g1 (application 'web' from 10.0.4.7 on "
	       "db1.example.com, at 2026-11-18T11:16:40Z)");
	census.sighting_count = 0;
	saw("app", CENSUS_UNKNOWN, BEGUN - 500, NOW)->application = TEXT("");
	unseen("was not seen with its certificate of g2 since it was given it "
	       "(2026-11-18T11:06:40Z), but with a certificate of no known generation (from "
	       "10.0.4.7 on db1.example.com, at 2026-11-18T11:16:40Z)");
	census.sighting_count = 0;
	(void)saw("app", "", BEGUN - 500, NOW);
	unseen("was not seen with its certificate of g2 since it was given it "
	       "(2026-11-18T11:06:40Z), but without a certificate (application 'web' from "
	       "10.0.4.7 on db1.example.com, at 2026-11-18T11:16:40Z)");
}
END_TEST

START_TEST(a_later_login_with_the_old_one_is_no_switch)
{
	(void)saw("app", "g2", BEGUN + 5, NOW);
	saw("app", "g1", ENDED + 1, NOW)->address = TEXT("10.0.4.8");
	unseen("logged in with that of g1 (application 'web' from 10.0.4.8 on db1.example.com, at "
	       "2026-11-18T11:16:40Z), although it has that of g2 since 2026-11-18T11:07:40Z");
	/* until the same place is seen with the new one */
	saw("app", "g2", ENDED + 2, NOW)->address = TEXT("10.0.4.8");
	switched();
}
END_TEST

START_TEST(older_sessions_are_no_reason_to_wait)
{
	(void)saw("app", "g2", BEGUN + 5, NOW);
	saw("app", "g1", ENDED, NOW)->address = TEXT("10.0.4.8");	  /* while it was done */
	saw("app", "g1", ENDED + 1, NOW - 1)->address = TEXT("10.0.4.9"); /* and ended since */
	switched();
}
END_TEST

START_TEST(each_user_of_the_wave_is_asked_for)
{
	(void)saw("app", "g2", BEGUN + 5, NOW);
	check(2);
	ck_assert_uint_eq(found.count, 1);
	ck_assert_str_eq(found.items[0].subject, "client report");
	(void)saw("report", "g2", BEGUN + 5, NOW);
	check(2);
	ck_assert_uint_eq(found.count, 0);
	/* and nobody where no census was taken at all */
	census = (struct census){.sample_count = 0};
	check(2);
	ck_assert_uint_eq(found.count, 2);
}
END_TEST

/* Of several applications: it is seen once, and has all the time that they had. */
START_TEST(a_user_of_two_applications_is_one)
{
	const struct census_wave_user both[] = {{"app", "shop", BEGUN, ENDED},
						{"app", "reports", BEGUN - 30, ENDED + 30}};
	const struct census_wave wave = {
		.census = &census, .users = both, .count = 2, .keep = "g2", .now = NOW};

	(void)saw("app", "g1", BEGUN - 500, BEGUN - 400);
	ck_ok(census_wave_check(&found, &wave, &err), &err);
	ck_assert_uint_eq(found.count, 1);
	ck_contains(found.items[0].advice, "see what application shop does");
	findings_release(&found);
	(void)saw("app", "g2", BEGUN - 20, BEGUN - 20);
	saw("app", "g1", ENDED + 20, NOW)->address = TEXT("10.0.4.8");
	ck_ok(census_wave_check(&found, &wave, &err), &err);
	ck_assert_uint_eq(found.count, 0);
}
END_TEST

Suite *census_wave_suite(void)
{
	Suite *suite = suite_create("census wave");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, who_logs_in_with_the_new_one_has_switched);
	tcase_add_test(all, a_user_of_two_applications_is_one);
	tcase_add_test(all, a_session_from_before_that_is_still_open_counts);
	tcase_add_test(all, who_was_seen_with_the_new_one_only_before_has_not);
	tcase_add_test(all, what_was_seen_instead_is_said);
	tcase_add_test(all, a_later_login_with_the_old_one_is_no_switch);
	tcase_add_test(all, older_sessions_are_no_reason_to_wait);
	tcase_add_test(all, each_user_of_the_wave_is_asked_for);
	suite_add_tcase(suite, all);
	return suite;
}
