/* SPDX-License-Identifier: PostgreSQL */
/* What servers answer about their rules, their own clients and their sessions, good or not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/access_internal.h"
#include "state/census_internal.h"
#include "tests/state/suites.h"

#define NOW INT64_C(1795250000)

static struct err err;
static struct pg_rows rows[ASK__MAX];
static struct access_notes notes;
static struct findings found;
static const struct access_answer answer = {
	.server = "db1", .login = "dba", .version = 150000, .rows = rows, .first = ASK_RULES};

static void setup(void)
{
	err_clear(&err);
	memset(rows, 0, sizeof(rows));
	memset(&notes, 0, sizeof(notes));
	found = (struct findings)FINDINGS_INIT;
}

static void rows_release(struct pg_rows *from)
{
	strs_release(&from->cells);
	free(from->error);
	*from = (struct pg_rows){.error = NULL};
}

static void teardown(void)
{
	for (size_t i = 0; i < ASK__MAX; i++)
		rows_release(&rows[i]);
	access_notes_release(&notes);
	findings_release(&found);
}

/* A row more; cells up to the first NULL. */
static void row(struct pg_rows *to, const char *const *cells)
{
	to->columns = 0;
	for (; cells[to->columns]; to->columns++)
		ck_ok(strs_add(&to->cells, cells[to->columns], &err), &err);
	to->rows++;
}

#define ROW(to, ...) row(to, (const char *const[]){__VA_ARGS__, NULL})

static void fails(struct pg_rows *query, const char *sqlstate, const char *message)
{
	query->error = strdup(message);
	ck_assert_ptr_nonnull(query->error);
	(void)snprintf(query->sqlstate, sizeof(query->sqlstate), "%s", sqlstate);
}

static void is_finding(size_t at, const char *check, enum severity severity, const char *subject,
		       const char *reason, const char *advice)
{
	ck_assert_uint_gt(found.count, at);
	ck_assert_str_eq(found.items[at].check, check);
	ck_assert_int_eq(found.items[at].severity, severity);
	ck_assert_str_eq(found.items[at].subject, subject);
	ck_assert_str_eq(found.items[at].reason, reason);
	ck_assert_str_eq(found.items[at].advice, advice);
}

/* ---- notes */

START_TEST(what_holds_for_many_servers_is_said_once)
{
	char server[16];

	for (int i = 1; i <= 7; i++) {
		(void)snprintf(server, sizeof(server), "db%d", i);
		ck_ok(access_note_add(&notes, "hidden-client", "key", server, i == 1 ? "do" : NULL,
				      &err, "not known of %s", server),
		      &err);
	}
	for (int i = 1; i <= 2; i++)
		ck_ok(access_note_add(&notes, "hidden-client", "other", i == 1 ? "db1" : "db7",
				      NULL, &err, "another thing"),
		      &err);
	ck_ok(access_notes_findings(&found, &notes, &err), &err);
	ck_assert_uint_eq(found.count, 2);
	is_finding(0, "hidden-client", SEVERITY_INFO, "server db1",
		   "not known of db1 (the same on db1, db2, db3, db4, db5 and 2 more)", "do");
	is_finding(1, "hidden-client", SEVERITY_INFO, "server db1",
		   "another thing (the same on db1, db7)", "");
}
END_TEST

/* ---- rules of access */

static void read_rules(const char *reason, const char *advice)
{
	struct access *access = NULL;
	enum proof_scram scram = PROOF_SCRAM_USED;

	ck_ok(access_rules_read(&access, &scram, &notes, &answer, &err), &err);
	ck_assert_ptr_null(access);
	ck_assert_int_eq(scram, PROOF_SCRAM_UNKNOWN);
	ck_assert_str_eq(err.msg, "");
	ck_ok(access_notes_findings(&found, &notes, &err), &err);
	ck_assert_uint_eq(found.count, 1);
	is_finding(0, "client-mapping", SEVERITY_INFO, "server db1", reason, advice);
}

START_TEST(rules_that_cannot_be_read_are_said_to_be_unknown)
{
	fails(&rows[ASK_ROLES], "57014", "canceling statement due to statement timeout");
	read_rules("whether users get in with their new certificates is not known: canceling "
		   "statement due to statement timeout",
		   "");
}
END_TEST

START_TEST(rules_that_are_too_many_are_said_to_be_unknown)
{
	rows[ASK_RULES].cut = true;
	read_rules("whether users get in with their new certificates is not known: it has more "
		   "rules or roles than are read",
		   "");
}
END_TEST

/* Somebody reloads the server between two of the queries: a server that is not judged. */
START_TEST(rules_that_change_meanwhile_are_said_to_be_unknown)
{
	ROW(&rows[ASK_RULES], "/d/pg_hba.conf", "1", "hostssl", "all", "", "cert", "", "f");
	ROW(&rows[ASK_WORDS], "0", "d", "all");
	ROW(&rows[ASK_WORDS], "1", "d", "all");
	read_rules("whether users get in with their new certificates is not known: its rules "
		   "changed while they were read",
		   "type the same again");
}
END_TEST

/* ---- servers that are clients */

START_TEST(each_database_that_cannot_be_looked_into_is_named)
{
	struct hidden_clients clients = {.items = NULL};

	fails(&rows[ASK_FOREIGN], "42501", "permission denied for view pg_user_mappings");
	ROW(&rows[ASK_STANDBY], "", "", "", "", "", "f");
	for (int i = 0; i < 2; i++)
		ck_ok(hidden_read_foreign(&clients, &notes, "db1", i ? "crm" : "shop", "dba",
					  &rows[ASK_FOREIGN], &err),
		      &err);
	rows_release(&rows[ASK_FOREIGN]);
	ROW(&rows[ASK_FOREIGN], "far", "db9", "", "", "", "", "t");
	for (int i = 0; i < 2; i++)
		ck_ok(hidden_read_foreign(&clients, &notes, "db1", i ? "crm" : "shop", "dba",
					  &rows[ASK_FOREIGN], &err),
		      &err);
	ck_assert_uint_eq(clients.count, 0);
	ck_ok(access_notes_findings(&found, &notes, &err), &err);
	ck_assert_uint_eq(found.count, 2);
	is_finding(0, "hidden-client", SEVERITY_INFO, "server db1 (database shop)",
		   "its foreign servers are not shown: permission denied for view "
		   "pg_user_mappings (the same on db1 (database shop), db1 (database crm))",
		   "");
	is_finding(1, "hidden-client", SEVERITY_INFO, "server db1 (database shop)",
		   "user mappings of its foreign servers are not shown to user dba: they may name "
		   "certificates (the same on db1 (database shop), db1 (database crm))",
		   "as a superuser there: SELECT srvname, usename, umoptions FROM "
		   "pg_user_mappings; or make \"dba\" a member of the servers' owner");
	hidden_clients_release(&clients);
}
END_TEST

START_TEST(a_crowd_of_hidden_clients_is_counted)
{
	struct hidden_clients clients = {.items = NULL};
	char name[16];

	for (int i = 1; i <= 103; i++) {
		(void)snprintf(name, sizeof(name), "s%d", i);
		ROW(&rows[ASK_FOREIGN], name, "db9", "app", "/c.crt", "", "", "f");
	}
	ck_ok(hidden_read_foreign(&clients, &notes, "db1", "shop", "dba", &rows[ASK_FOREIGN], &err),
	      &err);
	ck_assert_uint_eq(clients.count, 103);
	ck_ok(hidden_findings(&found, &clients, PHASE_CLIENTS, &err), &err);
	ck_assert_uint_eq(found.count, 101);
	is_finding(99, "hidden-client", SEVERITY_WARNING, "server db1",
		   "foreign server 's100' (database shop) logs in to db9 as app with /c.crt",
		   "see that the rollout of 'clients' brings the new certificate to /c.crt and its "
		   "key there: it is taken with the next connection");
	is_finding(100, "hidden-client", SEVERITY_WARNING, "others",
		   "3 more servers, subscriptions and foreign servers log in elsewhere",
		   "'certrotate census --json' has them all");
	hidden_clients_release(&clients);
}
END_TEST

/* ---- sessions */

#define ENDPOINTS "start it, or name the right address and port in certrotate.yml's endpoints"

static const struct {
	enum pg_outcome outcome;
	const char *advice;
} outcomes[] = {
	{PG_REFUSED_SERVER, "let login.user (census --record: census.user) in from here in "
			    "pg_hba.conf, or ask through Ansible: census.playbook in "
			    "certrotate.yml"},
	{PG_REFUSED_TLS, "see with 'certrotate verify' whether the server has taken its CA bundle"},
	{PG_NOT_TRUSTED, "see with 'certrotate verify' which certificate it serves"},
	{PG_NAME_MISMATCH, "see with 'certrotate verify' which certificate it serves"},
	{PG_NOT_TLS, "nobody shows it a certificate: set ssl = on, or take it out of the "
		     "endpoints"},
	{PG_NO_ADDRESS, ENDPOINTS},
	{PG_UNREACHABLE, ENDPOINTS},
	{PG_TIMEOUT, ENDPOINTS},
	{PG_TLS_FAILED, ENDPOINTS},
	{PG_CLOSED, ENDPOINTS},
};

static struct census_asked asked;
static struct test_chain chain;
static struct cert *leaf;
static struct census_login login;

static void asked_setup(void)
{
	struct key *key = NULL;

	setup();
	asked = (struct census_asked){.items = NULL};
	ck_assert_ptr_nonnull(census_new_server(&asked, "db1", NULL, 5432));
	test_chain_init(&chain, "g1");
	leaf = test_client(&chain, &key, "dba");
	login = (struct census_login){.user = "dba", .cert = leaf};
	key_free(key);
}

static void asked_teardown(void)
{
	census_asked_release(&asked);
	cert_free(leaf);
	test_chain_release(&chain);
	teardown();
}

/* Two answers, as to a census: what the role may see, and the sessions. */
static struct census_server *answers(enum pg_outcome outcome, const char *message)
{
	const struct pg_result result = {
		.outcome = outcome, .message = (char *)(uintptr_t)message, .rows = rows};

	ck_ok(census_take_answer(&asked.items[0], &result, &login, NOW, &err), &err);
	return &asked.items[0];
}

static void is_missed(const struct census_server *server, const char *why, const char *advice)
{
	ck_assert_ptr_nonnull(server->why);
	ck_assert_str_eq(server->why, why);
	ck_assert_uint_eq(server->count, 0);
	if (advice)
		ck_assert_str_eq(server->advice, advice);
	else
		ck_assert_ptr_null(server->advice);
}

static void may_see_all(void)
{
	ROW(&rows[0], "t", cert_serial_decimal(leaf));
}

START_TEST(why_a_server_was_not_asked_says_what_to_do)
{
	is_missed(answers(outcomes[_i].outcome, "db1:5432: no"), "db1:5432: no",
		  outcomes[_i].advice);
}
END_TEST

START_TEST(who_does_not_say_what_we_may_see_is_missed)
{
	fails(&rows[0], "42501", "permission denied for view pg_stat_ssl");
	is_missed(answers(PG_ACCEPTED, ""),
		  "what user dba may see: permission denied for view pg_stat_ssl", NULL);
}
END_TEST

START_TEST(an_empty_answer_is_none)
{
	is_missed(answers(PG_ACCEPTED, ""), "it does not say what user dba may see", NULL);
}
END_TEST

START_TEST(sessions_that_are_not_shown_are_missed)
{
	may_see_all();
	fails(&rows[1], "42501", "permission denied for view pg_stat_activity");
	is_missed(answers(PG_ACCEPTED, ""),
		  "pg_stat_activity: permission denied for view pg_stat_activity", NULL);
}
END_TEST

START_TEST(sessions_that_are_too_many_are_missed)
{
	may_see_all();
	ROW(&rows[1], "app", "web", "10.0.0.7", "shop", "client backend", "4711", "t", "60");
	rows[1].cut = true;
	is_missed(answers(PG_ACCEPTED, ""), "it has more than 1 sessions, too many to count", NULL);
}
END_TEST

START_TEST(an_answer_of_another_form_is_missed)
{
	may_see_all();
	ROW(&rows[1], "app", "web");
	is_missed(answers(PG_ACCEPTED, ""), "pg_stat_activity: the answer has 2 columns", NULL);
}
END_TEST

START_TEST(sessions_are_counted)
{
	const struct census_server *server;

	may_see_all();
	ROW(&rows[1], "app", "web", "10.0.0.7", "shop", "client backend", "4711", "t", "60");
	server = answers(PG_ACCEPTED, "");
	ck_assert_ptr_null(server->why);
	ck_assert_uint_eq(server->count, 1);
	ck_assert_str_eq(server->sessions[0].serial, "4711");
	ck_assert(server->sessions[0].tls);
	ck_assert_int_eq(server->sessions[0].since, NOW - 60);
}
END_TEST

Suite *asked_suite(void)
{
	Suite *suite = suite_create("asked");
	TCase *tc = tcase_create("rules and clients"), *sessions = tcase_create("sessions");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_holds_for_many_servers_is_said_once);
	tcase_add_test(tc, rules_that_cannot_be_read_are_said_to_be_unknown);
	tcase_add_test(tc, rules_that_are_too_many_are_said_to_be_unknown);
	tcase_add_test(tc, rules_that_change_meanwhile_are_said_to_be_unknown);
	tcase_add_test(tc, each_database_that_cannot_be_looked_into_is_named);
	tcase_add_test(tc, a_crowd_of_hidden_clients_is_counted);
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(sessions, asked_setup, asked_teardown);
	tcase_add_loop_test(sessions, why_a_server_was_not_asked_says_what_to_do, 0,
			    sizeof(outcomes) / sizeof(outcomes[0]));
	tcase_add_test(sessions, who_does_not_say_what_we_may_see_is_missed);
	tcase_add_test(sessions, an_empty_answer_is_none);
	tcase_add_test(sessions, sessions_that_are_not_shown_are_missed);
	tcase_add_test(sessions, sessions_that_are_too_many_are_missed);
	tcase_add_test(sessions, an_answer_of_another_form_is_missed);
	tcase_add_test(sessions, sessions_are_counted);
	suite_add_tcase(suite, sessions);
	return suite;
}
