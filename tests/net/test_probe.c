/* SPDX-License-Identifier: PostgreSQL */
/* Probes of a real PostgreSQL. */
#include <stdlib.h>
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

static struct probe_target target_of(const struct identity *identity, const char *user)
{
	return (struct probe_target){.name = "db1.example.com",
				     .address = "127.0.0.1",
				     .port = fx.pg.port,
				     .protocol = PROBE_POSTGRES,
				     .cert_pem = identity ? identity->pem : NULL,
				     .key = identity ? &identity->key : NULL,
				     .trust_pem = fx.ours_pem,
				     .user = user};
}

static struct probe_result *probe(struct probe_target target)
{
	struct err err = {0};

	probe_results_release(&results);
	ck_ok(probe_run(&results, loop, &target, 1, NULL, &err), &err);
	ck_assert_uint_eq(results.count, 1);
	return &results.items[0];
}

static void reload_with(const char *settings)
{
	struct pgserver_tls tls = fx.pg_tls;
	struct err err = {0};

	tls.settings = settings;
	ck_ok(pgserver_reload(&fx.pg, &tls, &err), &err);
}

START_TEST(served_leaf_and_announced_cas_are_seen)
{
	struct probe_result *result = probe(target_of(NULL, NULL));

	ck_assert_msg(result->outcome == PROBE_CONNECTED, "%s", result->message);
	ck_assert_ptr_nonnull(result->leaf);
	ck_assert(cert_equal(result->leaf, fx.server.cert));
	ck_assert_uint_eq(result->chain.count, 2);
	ck_assert(cert_equal(result->chain.items[1], fx.ours.ca));
	ck_assert_str_eq(result->version, "TLSv1.3");
	ck_assert_str_eq(result->address, "127.0.0.1");
	ck_assert(result->trusted);
	ck_assert_str_eq(result->verify_error, "");
	ck_assert(result->name_matches);
	ck_assert(result->client_asked);
	ck_assert_int_eq(result->client, PROBE_CLIENT_NONE);
	ck_assert_uint_eq(result->ca_names.count, 2);
	ck_assert(strs_has(&result->ca_names, cert_subject(fx.ours.ca)));
	ck_assert(strs_has(&result->ca_names, cert_subject(fx.ours.root)));
	ck_assert_uint_gt(result->ca_ders[1].len, 10);
	ck_assert_int_eq(result->ca_ders[1].der[0], 0x30);
}
END_TEST

START_TEST(client_of_the_trusted_ca_is_accepted)
{
	struct probe_result *result = probe(target_of(&fx.alice, "alice"));

	ck_assert_msg(result->outcome == PROBE_CONNECTED, "%s", result->message);
	ck_assert_int_eq(result->client, PROBE_CLIENT_ACCEPTED);
	ck_assert_int_eq(result->login, PROBE_LOGIN_OK);
	ck_assert_int_eq(result->stage, PROBE_STAGE_DONE);
	ck_contains(result->message, "db1.example.com:");
	ck_contains(result->message, " (127.0.0.1): TLSv1.3, client certificate accepted");
	ck_assert_str_eq(result->reason, "TLSv1.3, client certificate accepted");
}
END_TEST

START_TEST(client_of_another_ca_is_refused_in_tls_1_3)
{
	struct probe_result *result = probe(target_of(&fx.alice_of_other, "alice"));

	ck_assert_msg(result->outcome == PROBE_ALERT, "%s", result->message);
	ck_assert_int_eq(result->client, PROBE_CLIENT_REFUSED);
	ck_assert_str_eq(result->alert, "unknown ca");
	ck_assert_str_eq(result->version, "TLSv1.3");
	ck_assert_int_eq(result->login, PROBE_LOGIN_NONE);
	ck_contains(result->message, "client certificate refused: unknown ca (alert 48)");
	ck_assert(cert_equal(result->leaf, fx.server.cert));
}
END_TEST

START_TEST(client_of_another_ca_is_refused_without_a_login_too)
{
	struct probe_result *result = probe(target_of(&fx.alice_of_other, NULL));

	ck_assert_msg(result->outcome == PROBE_ALERT, "%s", result->message);
	ck_assert_int_eq(result->client, PROBE_CLIENT_REFUSED);
}
END_TEST

START_TEST(tls_1_2_gives_the_same_verdicts)
{
	struct probe_result *result;

	reload_with("ssl_max_protocol_version = 'TLSv1.2'\n");
	result = probe(target_of(&fx.alice_of_other, "alice"));
	ck_assert_msg(result->outcome == PROBE_ALERT, "%s", result->message);
	ck_assert_int_eq(result->client, PROBE_CLIENT_REFUSED);
	ck_assert_int_eq(result->stage, PROBE_STAGE_HANDSHAKE);
	ck_assert_str_eq(result->alert, "unknown ca");
	ck_assert_ptr_nonnull(result->leaf);
	ck_assert(cert_equal(result->leaf, fx.server.cert));
	ck_assert(strs_has(&result->ca_names, cert_subject(fx.ours.ca)));
	result = probe(target_of(&fx.alice, "alice"));
	ck_assert_msg(result->outcome == PROBE_CONNECTED, "%s", result->message);
	ck_assert_str_eq(result->version, "TLSv1.2");
	ck_assert_int_eq(result->client, PROBE_CLIENT_ACCEPTED);
	ck_assert_int_eq(result->login, PROBE_LOGIN_OK);
	result = probe(target_of(&fx.alice, NULL));
	ck_assert_int_eq(result->client, PROBE_CLIENT_ACCEPTED);
}
END_TEST

START_TEST(no_pg_hba_entry_counts_as_accepted)
{
	struct probe_result *result = probe(target_of(&fx.stranger, "stranger"));

	ck_assert_msg(result->outcome == PROBE_CONNECTED, "%s", result->message);
	ck_assert_int_eq(result->client, PROBE_CLIENT_ACCEPTED);
	ck_assert_int_eq(result->login, PROBE_LOGIN_ERROR);
	ck_assert_str_eq(result->sqlstate, "28000");
	ck_contains(result->server_message, "no pg_hba.conf entry");
	ck_contains(result->message, "PostgreSQL says: no pg_hba.conf entry");
}
END_TEST

START_TEST(a_wanted_password_counts_as_accepted)
{
	struct probe_result *result = probe(target_of(&fx.bob, "bob"));

	ck_assert_int_eq(result->client, PROBE_CLIENT_ACCEPTED);
	ck_assert_int_eq(result->login, PROBE_LOGIN_CONTINUE);
}
END_TEST

START_TEST(a_missing_client_certificate_is_postgresqls_error)
{
	struct probe_result *result = probe(target_of(NULL, "alice"));

	ck_assert_int_eq(result->outcome, PROBE_CONNECTED);
	ck_assert_int_eq(result->client, PROBE_CLIENT_NONE);
	ck_assert_int_eq(result->login, PROBE_LOGIN_ERROR);
	ck_contains(result->server_message, "valid client certificate");
}
END_TEST

START_TEST(a_server_without_ca_asks_for_none)
{
	struct pgserver_tls tls = fx.pg_tls;
	struct probe_result *result;
	struct err err = {0};

	tls.ca_pem = NULL;
	ck_ok(pgserver_reload(&fx.pg, &tls, &err), &err);
	result = probe(target_of(&fx.alice, "alice"));
	ck_assert_msg(result->outcome == PROBE_CONNECTED, "%s", result->message);
	ck_assert_int_eq(result->client, PROBE_CLIENT_NOT_ASKED);
	ck_assert_uint_eq(result->ca_names.count, 0);
	ck_contains(result->message, "asks for no client certificate");
}
END_TEST

START_TEST(a_server_without_tls_is_named)
{
	struct pgserver_tls tls = {0};
	struct probe_result *result;
	struct err err = {0};

	ck_ok(pgserver_reload(&fx.pg, &tls, &err), &err);
	result = probe(target_of(&fx.alice, "alice"));
	ck_assert_int_eq(result->outcome, PROBE_NOT_TLS);
	ck_assert_int_eq(result->client, PROBE_CLIENT_NONE);
	ck_assert_ptr_null(result->leaf);
	ck_contains(result->message, "the server offers no TLS (ssl is off)");
}
END_TEST

START_TEST(a_wrong_name_and_a_wrong_chain_are_reported)
{
	struct probe_target target = target_of(NULL, NULL);
	struct probe_result *result;

	target.name = "db2.example.com";
	target.trust_pem = fx.other_pem;
	result = probe(target);
	ck_assert_int_eq(result->outcome, PROBE_CONNECTED);
	ck_assert(!result->name_matches);
	ck_assert(!result->trusted);
	ck_assert_str_ne(result->verify_error, "");
	target.trust_pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
	result = probe(target);
	ck_assert_int_eq(result->outcome, PROBE_CONNECTED);
	ck_assert(!result->trusted);
	ck_contains(result->verify_error, "trusted bundle");
}
END_TEST

START_TEST(ipv6_and_names_are_probed)
{
	struct probe_target target = target_of(&fx.alice, "alice");
	struct err err = {0};

	target.name = target.address = "::1";
	ck_assert_msg(probe(target)->client == PROBE_CLIENT_ACCEPTED, "%s",
		      results.items[0].message);
	ck_assert_str_eq(results.items[0].address, "::1");
	ck_assert(results.items[0].name_matches);
	ck_contains(results.items[0].message, "[::1]:");
	target.name = "localhost";
	target.address = NULL;
	probe_results_release(&results);
	ck_ok(probe_run(&results, loop, &target, 1, NULL, &err), &err);
	ck_assert_uint_ge(results.count, 1);
	for (size_t i = 0; i < results.count; i++) {
		ck_assert_msg(results.items[i].client == PROBE_CLIENT_ACCEPTED, "%s",
			      results.items[i].message);
		ck_contains(results.items[i].message, "localhost:");
	}
}
END_TEST

START_TEST(direct_tls_needs_a_newer_postgresql)
{
	struct probe_target target = target_of(&fx.alice, "alice");

	target.protocol = PROBE_POSTGRES_DIRECT;
	ck_assert_int_eq(probe(target)->outcome, PROBE_CLOSED);
	ck_contains(results.items[0].message, "TLS at once needs PostgreSQL 17 or later");
}
END_TEST

START_TEST(unusable_client_material_is_not_tried)
{
	struct probe_target target = target_of(&fx.alice, "alice");

	target.key = &fx.bob.key;
	ck_assert_int_eq(probe(target)->outcome, PROBE_LOCAL);
	ck_contains(results.items[0].message, "client key does not belong to the certificate");
	ck_contains(results.items[0].message, "CN=alice");
	target.key = NULL;
	ck_assert_int_eq(probe(target)->outcome, PROBE_LOCAL);
	ck_contains(results.items[0].message, "client certificate without its key");
	target.key = &fx.alice.key;
	target.cert_pem = "nothing";
	ck_assert_int_eq(probe(target)->outcome, PROBE_LOCAL);
	ck_contains(results.items[0].message, "client certificate");
}
END_TEST

START_TEST(a_hundred_at_once)
{
	struct probe_target targets[100];
	/* Long: what is looked at here is not how fast the machine is. */
	struct probe_options options = {.limit = 100, .deadline_ms = 60000};
	struct err err = {0};

	for (size_t i = 0; i < 100; i++)
		targets[i] = i % 3 == 0	  ? target_of(&fx.alice, "alice")
			     : i % 3 == 1 ? target_of(&fx.alice_of_other, "alice")
					  : target_of(NULL, NULL);
	ck_ok(probe_run(&results, loop, targets, 100, &options, &err), &err);
	ck_assert_uint_eq(results.count, 100);
	for (size_t i = 0; i < 100; i++) {
		struct probe_result *result = &results.items[i];

		ck_assert_uint_eq(result->target, i);
		ck_assert_msg(result->client == (i % 3 == 0   ? PROBE_CLIENT_ACCEPTED
						 : i % 3 == 1 ? PROBE_CLIENT_REFUSED
							      : PROBE_CLIENT_NONE),
			      "%zu: %s", i, result->message);
		ck_assert(cert_equal(result->leaf, fx.server.cert));
	}
}
END_TEST

Suite *probe_suite(void)
{
	Suite *suite = suite_create("probe");
	TCase *tc = tcase_create("postgresql");
	TCase *reload = tcase_create("reload");

	tcase_set_timeout(tc, 30);
	tcase_set_timeout(reload, 30);
	tcase_add_unchecked_fixture(tc, fixture_start, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_unchecked_fixture(reload, fixture_start, fixture_restore);
	tcase_add_checked_fixture(reload, setup, teardown);
	tcase_add_test(tc, served_leaf_and_announced_cas_are_seen);
	tcase_add_test(tc, client_of_the_trusted_ca_is_accepted);
	tcase_add_test(tc, client_of_another_ca_is_refused_in_tls_1_3);
	tcase_add_test(tc, client_of_another_ca_is_refused_without_a_login_too);
	tcase_add_test(tc, no_pg_hba_entry_counts_as_accepted);
	tcase_add_test(tc, a_wanted_password_counts_as_accepted);
	tcase_add_test(tc, a_missing_client_certificate_is_postgresqls_error);
	tcase_add_test(tc, a_wrong_name_and_a_wrong_chain_are_reported);
	tcase_add_test(tc, ipv6_and_names_are_probed);
	tcase_add_test(tc, direct_tls_needs_a_newer_postgresql);
	tcase_add_test(tc, unusable_client_material_is_not_tried);
	tcase_add_test(tc, a_hundred_at_once);
	tcase_add_test(reload, tls_1_2_gives_the_same_verdicts);
	tcase_add_test(reload, a_server_without_ca_asks_for_none);
	tcase_add_test(reload, a_server_without_tls_is_named);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, reload);
	return suite;
}
