/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "safety/census_gate.h"
#include "tests/safety/safety_tests.h"

#define SERVERS ((int64_t)1795000000) /* when the servers were switched */
#define CLIENTS (SERVERS + 7200)      /* and the clients */
#define HOUR	3600
#define DB1	"db1.example.com"
#define DB2	"db2.example.com"

/* Two generations of the users app and report, and what the census has seen of them. */
static struct world {
	struct test_chain chains[2];
	struct cert *leaves[2][2];
	struct census_index *index;
	struct census census;
	struct strs users;
	struct strmap confirmed;
	struct findings findings;
	struct census_gate gate;
	struct err err;
} world;

static const char *const names[] = {"app", "report"};

static void open_world(void)
{
	struct key *key;

	memset(&world, 0, sizeof(world));
	ck_ok(census_index_new(&world.index, &world.err), &world.err);
	for (size_t g = 0; g < 2; g++) {
		test_chain_init(&world.chains[g], g ? "client G2" : "client");
		for (size_t u = 0; u < 2; u++) {
			world.leaves[g][u] = test_client(&world.chains[g], &key, names[u]);
			key_free(key);
			ck_ok(census_index_add(world.index, g ? "g2" : "g1", names[u],
					       world.leaves[g][u], &world.err),
			      &world.err);
		}
	}
	for (size_t u = 0; u < 2; u++)
		ck_ok(strs_add(&world.users, names[u], &world.err), &world.err);
	world.gate = (struct census_gate){.census = &world.census,
					  .users = &world.users,
					  .keep = "g2",
					  .since = CLIENTS,
					  .servers_since = SERVERS,
					  .now = CLIENTS + 25 * HOUR,
					  .quiet = 24 * HOUR,
					  .samples = 4,
					  .confirmed = &world.confirmed,
					  .env = "poc"};
}

static void close_world(void)
{
	for (size_t g = 0; g < 2; g++) {
		test_chain_release(&world.chains[g]);
		for (size_t u = 0; u < 2; u++)
			cert_free(world.leaves[g][u]);
	}
	census_index_free(world.index);
	census_release(&world.census);
	strs_release(&world.users);
	strmap_release(&world.confirmed);
	findings_release(&world.findings);
}

static void begin(int64_t at)
{
	ck_ok(census_begin(&world.census, at, &world.err), &world.err);
	ck_ok(census_answered(&world.census, DB1, &world.err), &world.err);
	ck_ok(census_answered(&world.census, DB2, &world.err), &world.err);
}

static void add(const struct census_session *session)
{
	ck_ok(census_add(&world.census, world.index, DB1, session, &world.err), &world.err);
}

/* A session of a user with that generation's certificate; without one where generation is 0. */
static struct census_session session_of(int generation, size_t user, int64_t since)
{
	return (struct census_session){
		.user = names[user],
		.application = "psql",
		.address = "10.0.4.7",
		.database = "postgres",
		.backend = "client backend",
		.serial = generation ? cert_serial_decimal(world.leaves[generation - 1][user]) : "",
		.tls = true,
		.since = since};
}

static void seen(int generation, size_t user, int64_t since)
{
	struct census_session session = session_of(generation, user, since);

	add(&session);
}

static void check_gate(void)
{
	findings_release(&world.findings);
	ck_ok(census_gate_check(&world.findings, &world.gate, &world.err), &world.err);
	for (size_t i = 0; i < world.findings.count; i++)
		ck_assert_int_eq(world.findings.items[i].severity, SEVERITY_BLOCK);
}

static const struct finding *found(const char *check, const char *subject)
{
	for (size_t i = 0; i < world.findings.count; i++) {
		const struct finding *finding = &world.findings.items[i];

		if (!strcmp(finding->check, check) && !strcmp(finding->subject, subject))
			return finding;
	}
	ck_abort_msg("no finding %s about %s among %zu, the first: %s", check, subject,
		     world.findings.count,
		     world.findings.count ? world.findings.items[0].reason : "-");
	return NULL;
}

static void nothing_in_the_way(void)
{
	ck_assert_msg(!world.findings.count, "%s: %s: %s", world.findings.items[0].check,
		      world.findings.items[0].subject, world.findings.items[0].reason);
}

/* Both users with their new certificates, in enough looks. */
static void all_is_well(void)
{
	for (int i = 1; i <= 5; i++) {
		begin(CLIENTS + i * 5 * HOUR);
		seen(2, 0, CLIENTS + HOUR);
		seen(2, 1, CLIENTS + i * 5 * HOUR - 3);
	}
}

START_TEST(who_was_seen_with_the_new_one_lets_the_old_one_go)
{
	all_is_well();
	check_gate();
	nothing_in_the_way();
}
END_TEST

START_TEST(who_was_never_seen_is_named)
{
	for (int i = 1; i <= 5; i++) {
		begin(CLIENTS + i * 5 * HOUR);
		seen(2, 0, CLIENTS + HOUR);
	}
	check_gate();
	ck_assert_uint_eq(world.findings.count, 1);
	ck_contains(found("census-unseen", "client report")->reason,
		    "was never seen with its certificate of g2");
	ck_contains(found("census-unseen", "client report")->advice, "certrotate ack --app NAME");
	ck_ok(strmap_put(&world.confirmed, "report", 1, &world.err), &world.err);
	check_gate();
	nothing_in_the_way();
}
END_TEST

START_TEST(who_was_seen_before_the_phase_was_not_seen)
{
	begin(CLIENTS - 10);
	seen(2, 0, CLIENTS - 20);
	seen(2, 1, CLIENTS - 20);
	check_gate();
	(void)found("census-unseen", "client app");
	(void)found("census-unseen", "client report");
	(void)found("census-samples", "poc");
}
END_TEST

START_TEST(who_still_logs_in_with_the_old_one_is_named)
{
	all_is_well();
	begin(world.gate.now - 120);
	seen(1, 1, world.gate.now - 130);
	check_gate();
	ck_assert_uint_eq(world.findings.count, 2);
	ck_assert_str_eq(found("census-old", "client report")->reason,
			 "still logs in with its certificate of g1 (application 'psql' from "
			 "10.0.4.7 on db1.example.com, seen 2 min 0 s ago)");
	ck_contains(found("census-quiet", "poc")->reason, "the old certificates were seen last");
	/* A word does not make it untrue. */
	ck_ok(strmap_put(&world.confirmed, "report", 1, &world.err), &world.err);
	check_gate();
	(void)found("census-old", "client report");
	/* Once it is quiet for long enough, it is. */
	for (int i = 0; i < 5; i++) {
		begin(world.gate.now + i * 6 * HOUR);
		seen(2, 0, CLIENTS + HOUR);
		seen(2, 1, world.gate.now + 60);
	}
	world.gate.now += 25 * HOUR;
	check_gate();
	nothing_in_the_way();
}
END_TEST

START_TEST(a_certificate_that_nobody_knows_is_named)
{
	struct census_session session = session_of(1, 0, world.gate.now - 60);

	all_is_well();
	session.serial = "4711";
	begin(world.gate.now - 30);
	add(&session);
	check_gate();
	ck_contains(found("census-unknown", "client app")->reason,
		    "logs in with a certificate of no known generation");
	ck_contains(found("census-unknown", "client app")->advice, "find out who issued it");
}
END_TEST

START_TEST(the_quiet_period_counts_from_the_phase)
{
	world.gate.now = CLIENTS + HOUR;
	world.gate.samples = 1;
	begin(CLIENTS + 10);
	seen(2, 0, CLIENTS + 1);
	seen(2, 1, CLIENTS + 1);
	check_gate();
	ck_assert_uint_eq(world.findings.count, 1);
	ck_contains(found("census-quiet", "poc")->reason,
		    "the clients have their new certificates since");
	ck_contains(found("census-quiet", "poc")->reason, "the quiet period of 24 h ends at");
}
END_TEST

START_TEST(runs_in_a_heap_are_one_look)
{
	for (int i = 0; i < 9; i++) {
		begin(world.gate.now - 30 + i);
		seen(2, 0, CLIENTS + HOUR);
		seen(2, 1, CLIENTS + HOUR);
	}
	check_gate();
	ck_assert_uint_eq(world.findings.count, 1);
	ck_assert_str_eq(found("census-samples", "poc")->reason,
			 "1 of 4 runs of the census in the last 24 h reached every server");
}
END_TEST

START_TEST(a_server_that_was_missed_spoils_the_look)
{
	struct strs given_up = STRS_INIT;

	for (int i = 1; i <= 5; i++) {
		ck_ok(census_begin(&world.census, CLIENTS + i * 5 * HOUR, &world.err), &world.err);
		ck_ok(census_answered(&world.census, DB1, &world.err), &world.err);
		ck_ok(census_missed(&world.census, DB2, "connection refused", &world.err),
		      &world.err);
		seen(2, 0, CLIENTS + HOUR);
		seen(2, 1, CLIENTS + HOUR);
	}
	check_gate();
	ck_assert_uint_eq(world.findings.count, 1);
	ck_contains(found("census-samples", "poc")->reason,
		    "0 of 4 runs of the census in the last 24 h reached every server; at ");
	ck_contains(found("census-samples", "poc")->reason, "db2.example.com: connection refused");
	ck_ok(strs_add(&given_up, DB2, &world.err), &world.err);
	world.gate.given_up = &given_up;
	check_gate();
	nothing_in_the_way();
	strs_release(&given_up);
}
END_TEST

START_TEST(a_session_from_before_the_phase_is_told_apart)
{
	struct census_session held = session_of(1, 1, CLIENTS - HOUR);

	all_is_well();
	held.application = "billing";
	begin(world.gate.now);
	seen(2, 0, CLIENTS + HOUR);
	seen(2, 1, CLIENTS + HOUR);
	add(&held);
	check_gate();
	ck_assert_uint_eq(world.findings.count, 1);
	ck_contains(found("census-held", "client report")->reason,
		    "holds a session from before it was given its other certificate, with that of "
		    "g1 (application 'billing' from 10.0.4.7");
	ck_contains(found("census-held", "client report")->advice, "pg_terminate_backend");
	/* The same program logged in with the new one as well: the session is only a rest. */
	held = session_of(2, 1, CLIENTS + 2 * HOUR);
	held.application = "billing";
	add(&held);
	check_gate();
	nothing_in_the_way();
}
END_TEST

START_TEST(a_session_from_before_the_phase_may_be_confirmed)
{
	all_is_well();
	begin(world.gate.now);
	seen(2, 1, CLIENTS + HOUR);
	seen(1, 0, CLIENTS - HOUR);
	world.census.sightings[world.census.sighting_count - 1].application[0] = 'q';
	check_gate();
	(void)found("census-held", "client app");
	ck_ok(strmap_put(&world.confirmed, "app", 1, &world.err), &world.err);
	check_gate();
	nothing_in_the_way();
}
END_TEST

START_TEST(without_a_certificate_a_login_since_the_servers_shows_trust)
{
	all_is_well();
	begin(world.gate.now);
	seen(0, 0, SERVERS + 1);
	check_gate();
	nothing_in_the_way();
}
END_TEST

START_TEST(without_a_certificate_an_older_session_is_unclear)
{
	all_is_well();
	begin(world.gate.now);
	seen(0, 0, SERVERS - 1);
	check_gate();
	ck_assert_uint_eq(world.findings.count, 1);
	ck_contains(found("census-unclear", "client app")->reason,
		    "holds a session without a certificate from before the servers were switched");
	ck_ok(strmap_put(&world.confirmed, "app", 1, &world.err), &world.err);
	check_gate();
	nothing_in_the_way();
}
END_TEST

START_TEST(one_certificate_for_several_users_is_a_pooler)
{
	struct census_session session = session_of(2, 0, CLIENTS + HOUR);

	all_is_well();
	begin(world.gate.now);
	seen(2, 1, CLIENTS + HOUR);
	seen(2, 0, CLIENTS + HOUR);
	session.user = "somebody";
	add(&session);
	check_gate();
	ck_assert_uint_eq(world.findings.count, 1);
	ck_contains(found("census-pooler", "client app")->reason,
		    "carries the sessions of several users");
	ck_ok(strmap_put(&world.confirmed, "app", 1, &world.err), &world.err);
	check_gate();
	nothing_in_the_way();
}
END_TEST

START_TEST(many_are_named_and_the_rest_counted)
{
	char name[32];

	all_is_well();
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		ck_ok(strs_add(&world.users, name, &world.err), &world.err);
	}
	check_gate();
	ck_assert_uint_eq(world.findings.count, 31);
	ck_contains(found("census-unseen", "poc")->reason, "70 more users were never seen");
}
END_TEST

START_TEST(nobody_with_a_server_can_be_asked)
{
	world.users.count = 0;
	ck_ok(census_begin(&world.census, world.gate.now, &world.err), &world.err);
	check_gate();
	ck_contains(found("census-samples", "poc")->reason,
		    "no PostgreSQL server is among the endpoints");
	world.users.count = 2;
}
END_TEST

Suite *census_gate_suite(void)
{
	Suite *suite = suite_create("safety/census_gate");
	TCase *tcase = tcase_create("gate");

	tcase_add_checked_fixture(tcase, open_world, close_world);
	tcase_add_test(tcase, who_was_seen_with_the_new_one_lets_the_old_one_go);
	tcase_add_test(tcase, who_was_never_seen_is_named);
	tcase_add_test(tcase, who_was_seen_before_the_phase_was_not_seen);
	tcase_add_test(tcase, who_still_logs_in_with_the_old_one_is_named);
	tcase_add_test(tcase, a_certificate_that_nobody_knows_is_named);
	tcase_add_test(tcase, the_quiet_period_counts_from_the_phase);
	tcase_add_test(tcase, runs_in_a_heap_are_one_look);
	tcase_add_test(tcase, a_server_that_was_missed_spoils_the_look);
	tcase_add_test(tcase, a_session_from_before_the_phase_is_told_apart);
	tcase_add_test(tcase, a_session_from_before_the_phase_may_be_confirmed);
	tcase_add_test(tcase, without_a_certificate_a_login_since_the_servers_shows_trust);
	tcase_add_test(tcase, without_a_certificate_an_older_session_is_unclear);
	tcase_add_test(tcase, one_certificate_for_several_users_is_a_pooler);
	tcase_add_test(tcase, many_are_named_and_the_rest_counted);
	tcase_add_test(tcase, nobody_with_a_server_can_be_asked);
	suite_add_tcase(suite, tcase);
	return suite;
}
