/* SPDX-License-Identifier: PostgreSQL */
/* Logins at a real PostgreSQL through libpq. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/net/suites.h"

static struct loop *loop;
static struct pg_results results;

static void setup(void)
{
	loop = fixture_loop();
}

static void teardown(void)
{
	pg_results_release(&results);
	loop_free(loop);
}

static struct pg_item item_of(const struct identity *identity, const char *user)
{
	return (struct pg_item){.name = "db1.example.com",
				.address = "127.0.0.1",
				.port = fx.pg.port,
				.user = user,
				.cert_pem = identity ? identity->pem : NULL,
				.key = identity ? &identity->key : NULL,
				.roots_pem = fx.ours_pem};
}

static struct pg_result *login(struct pg_item item)
{
	struct pg_options options = {.deadline_ms = 5000, .statement_ms = 300};
	struct err err = {0};

	pg_results_release(&results);
	ck_ok(pg_logins_run(&results, loop, &item, 1, &options, &err), &err);
	ck_assert_uint_eq(results.count, 1);
	return &results.items[0];
}

START_TEST(a_login_gives_the_servers_state)
{
	const char *const queries[] = {pg_status_query()};
	struct pg_item item = item_of(&fx.alice, "alice");
	struct pg_status status;
	struct pg_result *result;
	struct err err = {0};

	item.queries = queries;
	item.query_count = 1;
	result = login(item);
	ck_assert_msg(result->outcome == PG_ACCEPTED, "%s", result->message);
	ck_assert_int_eq(result->server_version / 10000, 15);
	ck_ok(pg_status_read(&status, &result->rows[0], &err), &err);
	ck_assert_str_eq(status.client_serial, cert_serial_decimal(fx.alice.cert));
	ck_assert_str_eq(status.tls_version, "TLSv1.3");
	ck_assert(!status.in_recovery);
	ck_assert(!status.streaming);
	ck_assert(status.full_view);
	ck_assert_uint_eq(status.replicas, 0);
	ck_assert_str_eq(status.sender_host, "");
	ck_contains(result->message, "db1.example.com:");
	ck_contains(result->message, " (127.0.0.1) as alice: logged in");
	ck_assert_str_eq(result->reason, "logged in");
	ck_assert_int_eq(status.archive_failures, 0);
	ck_assert(!status.archive_fails);
	ck_assert_int_eq(status.archive_failed_ago, -1);
}
END_TEST

/* A pooler gives the connection to somebody else afterwards: nothing of ours may stay in it. */
START_TEST(settings_end_with_their_query)
{
	static const char *const queries[] = {
		"SELECT current_setting('transaction_read_only'),"
		" current_setting('default_transaction_read_only'),"
		" current_setting('statement_timeout'), current_setting('search_path')",
		"SELECT setting, reset_val FROM pg_settings WHERE name LIKE 'default%read_only'",
		"COMMIT",
		"SELECT 1",
	};
	struct pg_item item = item_of(&fx.alice, "alice");
	struct pg_result *result;

	item.queries = queries;
	item.query_count = sizeof(queries) / sizeof(queries[0]);
	result = login(item);
	ck_assert_msg(result->outcome == PG_ACCEPTED, "%s", result->message);
	ck_assert_str_eq(pg_cell(&result->rows[0], 0, 0), "on");
	ck_assert_str_eq(pg_cell(&result->rows[0], 0, 1), "off");
	ck_assert_str_eq(pg_cell(&result->rows[0], 0, 2), "300ms");
	ck_assert_str_eq(pg_cell(&result->rows[0], 0, 3), "pg_catalog");
	ck_assert_str_eq(pg_cell(&result->rows[1], 0, 0), "off");
	ck_assert_str_eq(pg_cell(&result->rows[3], 0, 0), "1");
}
END_TEST

START_TEST(queries_give_rows_and_errors)
{
	static const char *const queries[] = {
		"SELECT 1, NULL, 'a' UNION ALL SELECT 2, 'x', repeat('y', 100000)",
		"SELECT nonsense",
		"SELECT generate_series(1, 30000)",
		"SELECT pg_sleep(20)",
		"CREATE TABLE t (a int)",
		"COPY (SELECT 1) TO STDOUT",
		"SELECT 7",
	};
	struct pg_item item = item_of(&fx.alice, "alice");
	struct pg_result *result;

	item.queries = queries;
	item.query_count = sizeof(queries) / sizeof(queries[0]);
	result = login(item);
	ck_assert_msg(result->outcome == PG_ACCEPTED, "%s", result->message);
	ck_assert_uint_eq(result->row_sets, item.query_count);
	ck_assert_uint_eq(result->rows[0].rows, 2);
	ck_assert_uint_eq(result->rows[0].columns, 3);
	ck_assert_str_eq(pg_cell(&result->rows[0], 0, 1), "");
	ck_assert_str_eq(pg_cell(&result->rows[0], 1, 1), "x");
	ck_assert_uint_eq(strlen(pg_cell(&result->rows[0], 1, 2)), PG_CELL_MAX);
	ck_assert_ptr_null(pg_cell(&result->rows[0], 2, 0));
	ck_assert_ptr_null(pg_cell(&result->rows[0], 0, 3));
	ck_assert_str_eq(result->rows[1].sqlstate, "42703");
	ck_contains(result->rows[1].error, "column \"nonsense\" does not exist");
	ck_assert_uint_eq(result->rows[2].rows, PG_ROWS_MAX);
	ck_assert(result->rows[2].cut);
	ck_assert_str_eq(result->rows[3].sqlstate, "57014");
	ck_contains(result->rows[3].error, "statement timeout");
	ck_contains(result->rows[4].error, "read-only transaction");
	/* COPY is no query that gives rows: the session ends there, and says so */
	ck_assert_ptr_nonnull(result->rows[5].error);
	ck_assert_ptr_nonnull(result->rows[6].error);
}
END_TEST

START_TEST(a_certificate_of_another_ca_is_refused_by_tls)
{
	struct pg_result *result = login(item_of(&fx.alice_of_other, "alice"));

	ck_assert_msg(result->outcome == PG_REFUSED_TLS, "%s", result->message);
	ck_assert_str_eq(result->alert, "unknown ca");
	ck_contains(result->message, "client certificate refused: unknown ca");
	ck_assert_ptr_null(result->rows);
}
END_TEST

START_TEST(tls_1_2_is_refused_likewise)
{
	struct pgserver_tls tls = fx.pg_tls;
	struct pg_result *result;
	struct err err = {0};

	tls.settings = "ssl_max_protocol_version = 'TLSv1.2'\n";
	ck_ok(pgserver_reload(&fx.pg, &tls, &err), &err);
	result = login(item_of(&fx.alice_of_other, "alice"));
	ck_assert_msg(result->outcome == PG_REFUSED_TLS, "%s", result->message);
	ck_assert_str_eq(result->alert, "unknown ca");
	ck_assert_int_eq(login(item_of(&fx.alice, "alice"))->outcome, PG_ACCEPTED);
}
END_TEST

START_TEST(errors_of_postgresql_come_after_the_certificate)
{
	struct pg_result *result = login(item_of(&fx.stranger, "stranger"));

	ck_assert_msg(result->outcome == PG_REFUSED_SERVER, "%s", result->message);
	ck_assert_str_eq(result->sqlstate, "28000");
	ck_contains(result->server_message, "no pg_hba.conf entry");
	ck_contains(result->message, "client certificate accepted, PostgreSQL refuses the login: "
				     "no pg_hba.conf entry");
	ck_contains(result->message, "SQLSTATE 28000");
	result = login(item_of(&fx.alice, "bob"));
	ck_assert_msg(result->outcome == PG_REFUSED_SERVER, "%s", result->message);
	ck_contains(result->message, "asks for a password");
	result = login(item_of(&fx.alice, "postgres"));
	ck_assert_int_eq(result->outcome, PG_REFUSED_SERVER);
	ck_contains(result->server_message, "certificate authentication failed");
	result = login(item_of(NULL, "alice"));
	ck_assert_int_eq(result->outcome, PG_REFUSED_SERVER);
	ck_contains(result->server_message, "valid client certificate");
	ck_assert_ptr_null(strstr(result->message, "accepted"));
}
END_TEST

START_TEST(the_server_must_be_trusted_and_named)
{
	struct pg_item item = item_of(&fx.alice, "alice");

	item.roots_pem = fx.other_pem;
	ck_assert_int_eq(login(item)->outcome, PG_NOT_TRUSTED);
	ck_contains(results.items[0].message, "server certificate not trusted");
	item = item_of(&fx.alice, "alice");
	item.name = "db2.example.com";
	ck_assert_int_eq(login(item)->outcome, PG_NAME_MISMATCH);
	ck_contains(results.items[0].message, "db2.example.com");
	item.roots_pem = NULL;
	ck_assert_int_eq(login(item)->outcome, PG_LOCAL);
}
END_TEST

START_TEST(unusable_material_is_not_tried)
{
	struct pg_item item = item_of(&fx.alice, "alice");

	item.key = &fx.bob.key;
	ck_assert_msg(login(item)->outcome == PG_LOCAL, "%s", results.items[0].message);
	item.key = NULL;
	ck_assert_msg(login(item)->outcome == PG_LOCAL, "%s", results.items[0].message);
	ck_contains(results.items[0].message, "login could not be tried");
}
END_TEST

START_TEST(unreachable_and_misbehaving_servers_are_named)
{
	static const struct {
		enum listener_kind kind;
		enum pg_outcome outcome;
		const char *message;
	} rows[] = {
		{LISTENER_SILENT, PG_TIMEOUT, "no answer within"},
		{LISTENER_S_SILENT, PG_TIMEOUT, "no answer within"},
		{LISTENER_NO_TLS, PG_NOT_TLS, "server does not support SSL"},
		{LISTENER_GARBAGE, PG_NOT_TLS, "invalid response to SSL negotiation"},
		{LISTENER_S_GARBAGE, PG_CLOSED, "before TLS was up"},
		{LISTENER_ERROR, PG_NOT_TLS, "no TLS"},
		{LISTENER_S_CLOSE, PG_CLOSED, "before TLS was up"},
	};
	struct pg_options options = {.deadline_ms = 400};
	struct err err = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pg_item item = item_of(&fx.alice, "alice");

		item.port = listener_start(rows[i].kind);
		pg_results_release(&results);
		ck_ok(pg_logins_run(&results, loop, &item, 1, &options, &err), &err);
		ck_assert_msg(results.items[0].outcome == rows[i].outcome, "row %zu: %s: %s", i,
			      pg_outcome_name(results.items[0].outcome), results.items[0].message);
		ck_contains(results.items[0].message, rows[i].message);
	}
}
END_TEST

START_TEST(the_next_address_is_tried)
{
	struct pg_item item = item_of(&fx.alice, "alice");

	item.address = "localhost";
	ck_assert_msg(login(item)->outcome == PG_ACCEPTED, "%s", results.items[0].message);
	item.address = "::1";
	ck_assert_msg(login(item)->outcome == PG_ACCEPTED, "%s", results.items[0].message);
	item.address = "db1.invalid";
	ck_assert_int_eq(login(item)->outcome, PG_NO_ADDRESS);
	ck_contains(results.items[0].message, "no address: ");
	item.address = "127.0.0.1";
	item.port = 1;
	ck_assert_int_eq(login(item)->outcome, PG_UNREACHABLE);
	ck_contains(results.items[0].message, "cannot connect: Connection refused");
}
END_TEST

START_TEST(the_environment_has_no_say)
{
	static const char *const hostile[][2] = {
		{"PGSERVICE", "nonsense"},     {"PGSSLMODE", "disable"},
		{"PGTZ", "nonsense"},	       {"PGDATESTYLE", "nonsense"},
		{"PGOPTIONS", "-c x=y"},       {"PGGEQO", "nonsense"},
		{"PGHOSTADDR", "192.0.2.1"},   {"PGPASSWORD", "x"},
		{"PGREQUIRESSL", "0"},	       {"PGSSLCRL", "/dev/null"},
		{"HOME", "/nonexistent"},      {"LANGUAGE", "nl"},
		{"PGCLIENTENCODING", "x"},     {"PGSSLCERT", "/x"},
		{"PGTARGETSESSIONATTRS", "x"},
	};

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		ck_assert_int_eq(setenv(hostile[i][0], hostile[i][1], 1), 0);
	ck_assert_msg(login(item_of(&fx.alice, "alice"))->outcome == PG_ACCEPTED, "%s",
		      results.items[0].message);
	ck_assert_int_eq(login(item_of(&fx.alice, "bob"))->outcome, PG_REFUSED_SERVER);
	ck_assert_str_eq(getenv("PGSERVICE"), "nonsense");
}
END_TEST

static size_t open_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

START_TEST(forty_at_once)
{
	static const char *const queries[] = {"SELECT client_serial FROM pg_stat_ssl WHERE pid = "
					      "pg_backend_pid()"};
	struct pg_item items[40];
	struct pg_options options = {.limit = 40};
	size_t before = open_descriptors();
	struct err err = {0};

	for (size_t i = 0; i < 40; i++) {
		items[i] = item_of(i % 2 ? &fx.alice : &fx.alice_of_other, "alice");
		items[i].queries = queries;
		items[i].query_count = 1;
	}
	ck_ok(pg_logins_run(&results, loop, items, 40, &options, &err), &err);
	for (size_t i = 0; i < 40; i++) {
		ck_assert_uint_eq(results.items[i].item, i);
		ck_assert_msg(results.items[i].outcome == (i % 2 ? PG_ACCEPTED : PG_REFUSED_TLS),
			      "%zu: %s", i, results.items[i].message);
		if (i % 2)
			ck_assert_str_eq(pg_cell(&results.items[i].rows[0], 0, 0),
					 cert_serial_decimal(fx.alice.cert));
	}
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

Suite *login_suite(void)
{
	Suite *suite = suite_create("login");
	TCase *tc = tcase_create("postgresql");
	TCase *reload = tcase_create("reload");

	tcase_set_timeout(tc, 30);
	tcase_set_timeout(reload, 30);
	tcase_add_unchecked_fixture(tc, fixture_start, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_unchecked_fixture(reload, fixture_start, fixture_restore);
	tcase_add_checked_fixture(reload, setup, teardown);
	tcase_add_test(tc, a_login_gives_the_servers_state);
	tcase_add_test(tc, settings_end_with_their_query);
	tcase_add_test(tc, queries_give_rows_and_errors);
	tcase_add_test(tc, a_certificate_of_another_ca_is_refused_by_tls);
	tcase_add_test(tc, errors_of_postgresql_come_after_the_certificate);
	tcase_add_test(tc, the_server_must_be_trusted_and_named);
	tcase_add_test(tc, unusable_material_is_not_tried);
	tcase_add_test(tc, unreachable_and_misbehaving_servers_are_named);
	tcase_add_test(tc, the_next_address_is_tried);
	tcase_add_test(tc, the_environment_has_no_say);
	tcase_add_test(tc, forty_at_once);
	tcase_add_test(reload, tls_1_2_is_refused_likewise);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, reload);
	return suite;
}
