/* SPDX-License-Identifier: PostgreSQL */
/* Plain TLS and direct TLS, against a server of libssl. */
#include <openssl/ssl.h>
#include <string.h>

#include "tests/net/suites.h"

static struct loop *loop;
static struct probe_results results;

static void setup(void)
{
	loop = fixture_loop();
}

static void teardown(void)
{
	probe_results_release(&results);
	loop_free(loop);
}

static struct probe_result *probe(const struct tls_server *server, enum probe_protocol protocol,
				  const struct identity *identity)
{
	struct probe_target target = {.name = "127.0.0.1",
				      .port = tls_server_start(server),
				      .protocol = protocol,
				      .cert_pem = identity ? identity->pem : NULL,
				      .key = identity ? &identity->key : NULL,
				      .trust_pem = fx.ours_pem,
				      .user = "alice"};
	struct probe_options options = {.deadline_ms = 5000, .grace_ms = 200};
	struct err err = {0};

	ck_ok(probe_run(&results, loop, &target, 1, &options, &err), &err);
	ck_assert_uint_eq(results.count, 1);
	return &results.items[0];
}

static const struct {
	const char *what;
	bool asks;
	bool tickets;
	bool close;
	int version;
	bool of_other; /* whose certificate is shown */
	bool none;
	enum probe_outcome outcome;
	enum probe_client client;
	const char *alert;
} rows[] = {
	{"asks for none", false, false, false, 0, false, false, PROBE_CONNECTED,
	 PROBE_CLIENT_NOT_ASKED, ""},
	{"accepted, by a ticket", true, true, false, 0, false, false, PROBE_CONNECTED,
	 PROBE_CLIENT_ACCEPTED, ""},
	{"accepted, but silent", true, false, false, 0, false, false, PROBE_CONNECTED,
	 PROBE_CLIENT_UNKNOWN, ""},
	{"accepted, but closes", true, false, true, 0, false, false, PROBE_CONNECTED,
	 PROBE_CLIENT_UNKNOWN, ""},
	{"refused", true, true, false, 0, true, false, PROBE_ALERT, PROBE_CLIENT_REFUSED,
	 "unknown ca"},
	{"none shown", true, true, false, 0, false, true, PROBE_ALERT, PROBE_CLIENT_NONE,
	 "certificate required"},
	{"1.2 accepted", true, false, false, TLS1_2_VERSION, false, false, PROBE_CONNECTED,
	 PROBE_CLIENT_ACCEPTED, ""},
	{"1.2 accepted and closed", true, false, true, TLS1_2_VERSION, false, false,
	 PROBE_CONNECTED, PROBE_CLIENT_ACCEPTED, ""},
	{"1.2 refused", true, false, false, TLS1_2_VERSION, true, false, PROBE_ALERT,
	 PROBE_CLIENT_REFUSED, "unknown ca"},
	{"1.2 none shown", true, false, false, TLS1_2_VERSION, false, true, PROBE_ALERT,
	 PROBE_CLIENT_NONE, "handshake failure"},
};

START_TEST(plain_tls_verdicts)
{
	struct tls_server server = {.identity = &fx.server,
				    .client_ca_pem = rows[_i].asks ? fx.ours_pem : NULL,
				    .tickets = rows[_i].tickets,
				    .close = rows[_i].close,
				    .max_version = rows[_i].version};
	struct probe_result *result = probe(&server, PROBE_TLS,
					    rows[_i].none	? NULL
					    : rows[_i].of_other ? &fx.alice_of_other
								: &fx.alice);

	ck_assert_msg(result->outcome == rows[_i].outcome && result->client == rows[_i].client,
		      "%s: %s, %s: %s", rows[_i].what, probe_outcome_name(result->outcome),
		      probe_client_name(result->client), result->message);
	ck_assert_str_eq(result->alert, rows[_i].alert);
	ck_assert_ptr_nonnull(result->leaf);
	ck_assert(cert_equal(result->leaf, fx.server.cert));
	ck_assert_int_lt(result->elapsed_ms, 2000);
}
END_TEST

START_TEST(direct_tls_speaks_postgresql)
{
	struct tls_server server = {.identity = &fx.server,
				    .client_ca_pem = fx.ours_pem,
				    .alpn = "postgresql",
				    .say = "E"};
	struct probe_result *result;

	server.close = true;
	result = probe(&server, PROBE_POSTGRES_DIRECT, &fx.alice);
	ck_assert_msg(result->outcome == PROBE_CONNECTED, "%s", result->message);
	ck_assert_int_eq(result->client, PROBE_CLIENT_UNKNOWN);
	ck_contains(result->message, "not known whether the client certificate was accepted");
}
END_TEST

START_TEST(an_answer_that_is_not_postgresqls_is_said)
{
	struct tls_server server = {.identity = &fx.server,
				    .client_ca_pem = fx.ours_pem,
				    .alpn = "postgresql",
				    .say = "* OK IMAP4rev1"};
	struct probe_result *result = probe(&server, PROBE_POSTGRES_DIRECT, &fx.alice);

	ck_assert_int_eq(result->client, PROBE_CLIENT_ACCEPTED);
	ck_assert_int_eq(result->login, PROBE_LOGIN_NONE);
	ck_contains(result->message, "the answer is not PostgreSQL's");
}
END_TEST

START_TEST(another_alpn_is_refused_by_name)
{
	struct tls_server server = {.identity = &fx.server, .alpn = "h2"};
	struct probe_result *result = probe(&server, PROBE_POSTGRES_DIRECT, &fx.alice);

	ck_assert_int_eq(result->outcome, PROBE_ALERT);
	ck_assert_int_eq(result->client, PROBE_CLIENT_NONE);
	ck_assert_str_eq(result->alert, "no application protocol");
}
END_TEST

Suite *tls_suite(void)
{
	Suite *suite = suite_create("tls");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 30);
	tcase_add_unchecked_fixture(tc, fixture_start, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, plain_tls_verdicts, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, direct_tls_speaks_postgresql);
	tcase_add_test(tc, an_answer_that_is_not_postgresqls_is_said);
	tcase_add_test(tc, another_alpn_is_refused_by_name);
	suite_add_tcase(suite, tc);
	return suite;
}
