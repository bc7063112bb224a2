/* SPDX-License-Identifier: PostgreSQL */
/* Servers that are down, silent, hostile or something else. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/net/suites.h"

#define DEADLINE_MS 400

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

static unsigned closed_port(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	(void)close(fd);
	return ntohs(addr.sin_port);
}

static struct probe_target target_at(unsigned port, enum probe_protocol protocol)
{
	return (struct probe_target){.name = "127.0.0.1",
				     .port = port,
				     .protocol = protocol,
				     .cert_pem = fx.alice.pem,
				     .key = &fx.alice.key,
				     .user = "alice"};
}

static struct probe_result *probe(unsigned port, enum probe_protocol protocol)
{
	struct probe_target target = target_at(port, protocol);
	struct probe_options options = {.deadline_ms = DEADLINE_MS};
	struct err err = {0};

	probe_results_release(&results);
	ck_ok(probe_run(&results, loop, &target, 1, &options, &err), &err);
	ck_assert_uint_eq(results.count, 1);
	return &results.items[0];
}

static const struct {
	enum listener_kind kind;
	enum probe_protocol protocol;
	enum probe_outcome outcome;
	enum probe_stage stage;
	const char *message;
} rows[] = {
	{LISTENER_SILENT, PROBE_POSTGRES, PROBE_TIMEOUT, PROBE_STAGE_SSLREQUEST, "(SSLRequest)"},
	{LISTENER_SILENT, PROBE_TLS, PROBE_TIMEOUT, PROBE_STAGE_HANDSHAKE, "(TLS handshake)"},
	{LISTENER_NO_TLS, PROBE_POSTGRES, PROBE_NOT_TLS, PROBE_STAGE_SSLREQUEST, "offers no TLS"},
	{LISTENER_GARBAGE, PROBE_POSTGRES, PROBE_NOT_TLS, PROBE_STAGE_SSLREQUEST,
	 "0x48: not PostgreSQL"},
	{LISTENER_GARBAGE, PROBE_TLS, PROBE_NOT_TLS, PROBE_STAGE_HANDSHAKE, "is not TLS"},
	{LISTENER_GARBAGE, PROBE_POSTGRES_DIRECT, PROBE_NOT_TLS, PROBE_STAGE_HANDSHAKE,
	 "is not TLS"},
	{LISTENER_CLOSE, PROBE_POSTGRES, PROBE_CLOSED, PROBE_STAGE_SSLREQUEST,
	 "closed after the SSLRequest"},
	{LISTENER_CLOSE, PROBE_TLS, PROBE_CLOSED, PROBE_STAGE_HANDSHAKE,
	 "lost during the TLS handshake: closed by the server"},
	{LISTENER_RESET, PROBE_POSTGRES, PROBE_CLOSED, PROBE_STAGE_SSLREQUEST,
	 "Connection reset by peer"},
	{LISTENER_RESET, PROBE_TLS, PROBE_CLOSED, PROBE_STAGE_HANDSHAKE,
	 "handshake: Connection reset by peer"},
	{LISTENER_ERROR, PROBE_POSTGRES, PROBE_NOT_TLS, PROBE_STAGE_SSLREQUEST,
	 "an error instead of TLS: sorry, too many \\x1b[2Jclients"},
	{LISTENER_OLD_ERROR, PROBE_POSTGRES, PROBE_NOT_TLS, PROBE_STAGE_SSLREQUEST,
	 "an error instead of TLS: could not fork new process"},
	{LISTENER_S_GARBAGE, PROBE_POSTGRES, PROBE_NOT_TLS, PROBE_STAGE_HANDSHAKE, "is not TLS"},
	{LISTENER_S_SILENT, PROBE_POSTGRES, PROBE_TIMEOUT, PROBE_STAGE_HANDSHAKE,
	 "(TLS handshake)"},
	{LISTENER_S_CLOSE, PROBE_POSTGRES, PROBE_CLOSED, PROBE_STAGE_HANDSHAKE,
	 "lost during the TLS handshake"},
	{LISTENER_SLOW, PROBE_POSTGRES, PROBE_TIMEOUT, PROBE_STAGE_HANDSHAKE, "(TLS handshake)"},
	{LISTENER_FLOOD, PROBE_POSTGRES, PROBE_TLS_FAILED, PROBE_STAGE_HANDSHAKE, "TLS failed"},
};

START_TEST(misbehaviour_is_bounded_and_named)
{
	struct probe_result *result = probe(listener_start(rows[_i].kind), rows[_i].protocol);

	ck_assert_msg(result->outcome == rows[_i].outcome && result->stage == rows[_i].stage,
		      "row %d: %s, %s: %s", _i, probe_outcome_name(result->outcome),
		      probe_stage_name(result->stage), result->message);
	ck_contains(result->message, rows[_i].message);
	ck_contains(result->message, "127.0.0.1:");
	ck_assert_int_eq(result->client, PROBE_CLIENT_NONE);
	ck_assert_ptr_null(result->leaf);
	ck_assert_int_lt(result->elapsed_ms, DEADLINE_MS + 400);
}
END_TEST

START_TEST(a_closed_port_is_refused)
{
	struct probe_result *result = probe(closed_port(), PROBE_POSTGRES);

	ck_assert_int_eq(result->outcome, PROBE_REFUSED);
	ck_assert_int_eq(result->stage, PROBE_STAGE_CONNECT);
	ck_contains(result->message, ": connection refused");
}
END_TEST

START_TEST(a_name_without_address_is_named)
{
	struct probe_target targets[] = {target_at(5432, PROBE_POSTGRES),
					 target_at(5432, PROBE_POSTGRES)};
	struct err err = {0};

	targets[0].name = "db1.invalid";
	targets[1].name = "db1.example.com";
	targets[1].address = "not a name";
	ck_ok(probe_run(&results, loop, targets, 2, NULL, &err), &err);
	ck_assert_uint_eq(results.count, 2);
	ck_assert_int_eq(results.items[0].outcome, PROBE_NO_ADDRESS);
	ck_contains(results.items[0].message, "db1.invalid:5432: no address: ");
	ck_assert_str_eq(results.items[0].address, "");
	ck_assert_int_eq(results.items[1].outcome, PROBE_NO_ADDRESS);
	ck_assert_str_eq(results.items[1].message, "db1.example.com:5432 (not a name): no address: "
						   "not a host name or address");
}
END_TEST

/* One silent server must not delay the others, nor more of them than the limit add up. */
START_TEST(deadlines_run_at_the_same_time)
{
	unsigned silent = listener_start(LISTENER_SILENT);
	struct probe_target targets[60];
	struct probe_options options = {.limit = 64, .deadline_ms = DEADLINE_MS};
	struct err err = {0};
	int64_t began = loop_now(loop);

	for (size_t i = 0; i < 60; i++)
		targets[i] = target_at(silent, PROBE_POSTGRES);
	ck_ok(probe_run(&results, loop, targets, 60, &options, &err), &err);
	for (size_t i = 0; i < 60; i++)
		ck_assert_int_eq(results.items[i].outcome, PROBE_TIMEOUT);
	ck_assert_int_lt(loop_now(loop) - began, 3 * DEADLINE_MS);
}
END_TEST

static void ask_to_stop(struct loop_timer *timer, void *ctx)
{
	(void)timer;
	loop_request_stop(ctx);
}

START_TEST(a_stop_request_ends_it)
{
	struct probe_target target = target_at(listener_start(LISTENER_SILENT), PROBE_TLS);
	struct loop_timer timer = {0};
	struct err err = {0};
	int64_t began = loop_now(loop);

	loop_timer_set(loop, &timer, 20, ask_to_stop, loop);
	ck_assert_int_eq(probe_run(&results, loop, &target, 1, NULL, &err), ERR_STOPPED);
	ck_assert_uint_eq(results.count, 0);
	ck_assert_int_lt(loop_now(loop) - began, 2000);
	ck_contains(err.msg, "stopped");
}
END_TEST

START_TEST(nothing_to_probe_is_fine)
{
	struct err err = {0};

	ck_ok(probe_run(&results, loop, NULL, 0, NULL, &err), &err);
	ck_assert_uint_eq(results.count, 0);
}
END_TEST

START_TEST(protocols_have_names)
{
	enum probe_protocol protocol;
	struct err err = {0};

	for (int i = 0; i < PROBE_PROTOCOL__MAX; i++) {
		ck_ok(probe_protocol_parse(&protocol, probe_protocol_name((enum probe_protocol)i),
					   &err),
		      &err);
		ck_assert_int_eq(protocol, i);
	}
	ck_assert_int_eq(probe_protocol_parse(&protocol, "ftp", &err), ERR_USAGE);
	ck_contains(err.msg, "unknown protocol ftp");
	for (int i = 0; i < PROBE_OUTCOME__MAX; i++)
		ck_assert_ptr_nonnull(probe_outcome_name((enum probe_outcome)i));
	for (int i = 0; i < PROBE_CLIENT__MAX; i++)
		ck_assert_ptr_nonnull(probe_client_name((enum probe_client)i));
}
END_TEST

Suite *listener_suite(void)
{
	Suite *suite = suite_create("listeners");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 30);
	tcase_add_unchecked_fixture(tc, fixture_start, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, misbehaviour_is_bounded_and_named, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, a_closed_port_is_refused);
	tcase_add_test(tc, a_name_without_address_is_named);
	tcase_add_test(tc, deadlines_run_at_the_same_time);
	tcase_add_test(tc, a_stop_request_ends_it);
	tcase_add_test(tc, nothing_to_probe_is_fine);
	tcase_add_test(tc, protocols_have_names);
	suite_add_tcase(suite, tc);
	return suite;
}
