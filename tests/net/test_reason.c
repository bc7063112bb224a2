/* SPDX-License-Identifier: PostgreSQL */
/* What libpq's texts mean, and PostgreSQL's first messages, also cut and damaged. */
#include <stdlib.h>
#include <string.h>

#include "net/alert.h"
#include "net/pg_impl.h"
#include "net/probe_impl.h"
#include "tests/net/suites.h"

#define FAILED "connection to server at \"db1\" (10.0.4.42), port 5432 failed: "

/* Texts as libpq 13 to 18 writes them (fe-connect.c, fe-secure-openssl.c, fe-misc.c). */
static const struct {
	const char *text;
	bool tls_up;
	bool has_cert;
	enum pg_outcome outcome;
	const char *message;
} rows[] = {
	{FAILED "FATAL:  28000: no pg_hba.conf entry for host \"10.0.0.1\"\nLOCATION:  x, y.c:1\n",
	 true, true, PG_REFUSED_SERVER,
	 "db1: client certificate accepted, PostgreSQL refuses the login: no pg_hba.conf entry for "
	 "host \"10.0.0.1\", SQLSTATE 28000"},
	{FAILED "FATAAL:  53300: te veel verbindingen\n", true, true, PG_REFUSED_SERVER,
	 "te veel verbindingen, SQLSTATE 53300"},
	{"FATAL:  28P01: password authentication failed for user \"x\"\n", true, false,
	 PG_REFUSED_SERVER, "db1: PostgreSQL refuses the login: password authentication failed"},
	{FAILED "FATAL:  53300: sorry, too many clients already\n", false, true, PG_NOT_TLS,
	 "db1: no TLS: FATAL:  53300: sorry"},
	{FAILED "SSL error: tlsv1 alert unknown ca\n", true, true, PG_REFUSED_TLS,
	 "db1: client certificate refused: unknown ca"},
	{FAILED "SSL error: sslv3 alert certificate expired\n", true, true, PG_REFUSED_TLS,
	 "db1: client certificate refused: certificate expired"},
	{FAILED "SSL error: ssl/tls alert bad certificate\n", true, true, PG_REFUSED_TLS,
	 "db1: client certificate refused: bad certificate"},
	{FAILED "SSL error: tlsv13 alert certificate required\n", true, false, PG_REFUSED_TLS,
	 "db1: refused without a client certificate: certificate required"},
	{FAILED "SSL error: tlsv1 alert internal error\n", true, true, PG_TLS_FAILED,
	 "db1: SSL error: tlsv1 alert internal error"},
	{FAILED "SSL error: tlsv1 alert protocol version\n", false, true, PG_TLS_FAILED,
	 "alert protocol version"},
	{FAILED "SSL error: unsupported protocol\n", false, true, PG_TLS_FAILED,
	 "unsupported protocol"},
	{FAILED "SSL error: certificate verify failed\n", false, true, PG_NOT_TRUSTED,
	 "db1: server certificate not trusted: SSL error: certificate verify failed"},
	{FAILED "server certificate for \"db2\" (and 2 other names) does not match host name "
		"\"db1\"\n",
	 false, true, PG_NAME_MISMATCH, "db1: wrong name: server certificate for \"db2\""},
	{FAILED "server does not support SSL, but SSL was required\n", false, true, PG_NOT_TLS,
	 "db1: no TLS: server does not support SSL"},
	{FAILED "server sent an error response during SSL exchange\n", false, true, PG_NOT_TLS,
	 "error response during SSL exchange"},
	{"could not connect to server: Connection refused\n\tIs the server running?\n", false, true,
	 PG_UNREACHABLE, "db1: cannot connect: could not connect to server: Connection refused"},
	{FAILED "No route to host\n\tIs the server running on that host?\n", false, true,
	 PG_UNREACHABLE, "db1: cannot connect: No route to host"},
	{FAILED "server closed the connection unexpectedly\n\tThis probably means\n", true, true,
	 PG_CLOSED, "and it is not known whether the client certificate was accepted"},
	{FAILED "SSL SYSCALL error: EOF detected\n", false, true, PG_CLOSED, "before TLS was up"},
	{FAILED "could not receive data from server: Connection reset by peer\n", true, true,
	 PG_CLOSED, "Connection reset by peer"},
	{FAILED "private key file \"/proc/self/fd/9\" has group or world access\n", false, true,
	 PG_LOCAL, "db1: login could not be tried: "},
	{FAILED "a text nobody has \x1b[31mheard of\n", true, true, PG_CLOSED,
	 "a text nobody has \\x1b[31mheard of"},
	{"", false, true, PG_CLOSED, "db1: connection lost"},
};

START_TEST(libpqs_texts_are_understood)
{
	struct pg_result result = {0};
	struct pg_failure failure = {
		.text = rows[_i].text, .tls_up = rows[_i].tls_up, .has_cert = rows[_i].has_cert};
	struct err err = {0};

	ck_ok(pg_reason(&result, &failure, "db1", &err), &err);
	ck_assert_msg(result.outcome == rows[_i].outcome, "row %d: %s: %s", _i,
		      pg_outcome_name(result.outcome), result.message);
	ck_contains(result.message, rows[_i].message);
	ck_assert_ptr_null(strchr(result.message, '\n'));
	free(result.message);
	free(result.server_message);
}
END_TEST

START_TEST(long_texts_are_cut)
{
	struct pg_result result = {0};
	char text[20000] = "FATAL:  28000: ";
	struct pg_failure failure = {.text = text, .tls_up = true};
	struct err err = {0};

	memset(text + 15, '\x01', sizeof(text) - 16);
	ck_ok(pg_reason(&result, &failure, "db1", &err), &err);
	ck_assert_int_eq(result.outcome, PG_REFUSED_SERVER);
	ck_assert_uint_eq(strlen(result.server_message), 4 * PG_TEXT_MAX);
	free(result.message);
	free(result.server_message);
}
END_TEST

START_TEST(alerts_have_texts)
{
	ck_assert_str_eq(alert_text(48), "unknown ca");
	ck_assert_str_eq(alert_text(116), "certificate required");
	ck_assert_str_eq(alert_text(255), "an alert without a name");
	ck_assert_int_eq(alert_number("unknown ca"), 48);
	ck_assert_int_eq(alert_number("nothing"), -1);
	ck_assert(alert_refuses(46));
	ck_assert(!alert_refuses(80));
	ck_assert(!alert_refuses(-1));
}
END_TEST

static void answer_of(struct probe_conn *conn, struct probe_result *result, const void *data,
		      size_t len)
{
	memset(result, 0, sizeof(*result));
	memset(conn, 0, sizeof(*conn));
	conn->result = result;
	ck_assert_uint_le(len, sizeof(conn->answer));
	memcpy(conn->answer, data, len);
	conn->answer_len = len;
}

static const unsigned char error_answer[] = "E\0\0\0\x34SFATAL\0VFATAL\0C28000\0Mno entry for "
					    "you\0Fauth.c\0";

START_TEST(an_error_is_waited_for_until_it_is_whole)
{
	static struct probe_conn conn;
	struct probe_result result;

	for (size_t len = 0; len < sizeof(error_answer); len++) {
		answer_of(&conn, &result, error_answer, len);
		ck_assert_msg(!probe_answer_read(&conn, false), "%zu", len);
		ck_assert_ptr_null(result.server_message);
		/* the connection ends here: what came is read as far as it goes */
		(void)probe_answer_read(&conn, true);
		free(result.server_message);
	}
	answer_of(&conn, &result, error_answer, sizeof(error_answer));
	ck_assert(probe_answer_read(&conn, false));
	ck_assert_int_eq(result.login, PROBE_LOGIN_ERROR);
	ck_assert_str_eq(result.sqlstate, "28000");
	ck_assert_str_eq(result.server_message, "no entry for you");
	free(result.server_message);
}
END_TEST

START_TEST(authentication_requests_are_told_apart)
{
	static const unsigned char ok[] = {'R', 0, 0, 0, 8, 0, 0, 0, 0};
	static const unsigned char scram[] = {'R', 0, 0, 0, 23, 0, 0, 0, 10};
	static const unsigned char other[] = {'H', 'T', 'T', 'P'};
	static struct probe_conn conn;
	struct probe_result result;

	answer_of(&conn, &result, ok, sizeof(ok) - 1);
	ck_assert(!probe_answer_read(&conn, false));
	answer_of(&conn, &result, ok, sizeof(ok));
	ck_assert(probe_answer_read(&conn, false));
	ck_assert_int_eq(result.login, PROBE_LOGIN_OK);
	answer_of(&conn, &result, scram, sizeof(scram));
	ck_assert(probe_answer_read(&conn, false));
	ck_assert_int_eq(result.login, PROBE_LOGIN_CONTINUE);
	answer_of(&conn, &result, other, sizeof(other));
	ck_assert(probe_answer_read(&conn, false));
	ck_assert_int_eq(result.login, PROBE_LOGIN_NONE);
}
END_TEST

/* Each byte damaged in a few ways: no read beyond what came (the sanitizers look), no hang. */
START_TEST(damaged_answers_are_harmless)
{
	static const unsigned char values[] = {0, 1, 'E', 'M', 0x7f, 0x80, 0xff};
	static struct probe_conn conn;
	unsigned char damaged[sizeof(error_answer)];
	struct probe_result result;

	for (size_t at = 0; at < sizeof(error_answer); at++) {
		for (size_t v = 0; v < sizeof(values); v++) {
			memcpy(damaged, error_answer, sizeof(damaged));
			damaged[at] = values[v];
			answer_of(&conn, &result, damaged, sizeof(damaged));
			(void)probe_answer_read(&conn, false);
			(void)probe_answer_read(&conn, true);
			ck_assert_uint_le(strlen(result.sqlstate), 5);
			free(result.server_message);
		}
	}
}
END_TEST

START_TEST(a_state_that_is_no_row_is_an_error)
{
	struct pg_rows rows_none = {0};
	struct pg_status status;
	struct err err = {0};

	ck_assert_int_eq(pg_status_read(&status, &rows_none, &err), ERR_FAIL);
	ck_contains(err.msg, "0 rows of 0 columns");
	rows_none.error = (char[]){"permission denied"};
	ck_assert_int_eq(pg_status_read(&status, &rows_none, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "state of the server: permission denied");
}
END_TEST

Suite *reason_suite(void)
{
	Suite *suite = suite_create("reason");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, libpqs_texts_are_understood, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, long_texts_are_cut);
	tcase_add_test(tc, alerts_have_texts);
	tcase_add_test(tc, an_error_is_waited_for_until_it_is_whole);
	tcase_add_test(tc, authentication_requests_are_told_apart);
	tcase_add_test(tc, damaged_answers_are_harmless);
	tcase_add_test(tc, a_state_that_is_no_row_is_an_error);
	suite_add_tcase(suite, tc);
	return suite;
}
