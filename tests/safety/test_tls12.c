/* SPDX-License-Identifier: PostgreSQL */
/* What works with TLS 1.3 only, as the differential test found it with a real PostgreSQL. */
#include <string.h>

#include "tests/safety/safety_tests.h"

#define WRONG_CURVE "the server ends the handshake: wrong curve"

static struct env env;

static void setup(void)
{
	env_open(&env);
	env_phase(&env, PHASE_CLIENTS);
}

static void teardown(void)
{
	env_close(&env);
}

static void give_p384_until(struct proof_peer *peer, enum proof_generation g, const char *ext_usage,
			    int64_t not_after)
{
	struct key *key = NULL;
	struct cert *cert;

	ck_ok(key_generate(&key, KEY_ECDSA_P384, &env.err), &env.err);
	cert = env_issue(&env, &env.chains[g], key, peer->name, NULL, ext_usage, not_after);
	env_set_leaf(&env, peer, g, cert, key);
}

static void give_p384(struct proof_peer *peer, enum proof_generation g, const char *ext_usage)
{
	give_p384_until(peer, g, ext_usage, env.in.now + 300 * TEST_DAY);
}

START_TEST(a_client_on_another_curve_loses_tls12)
{
	give_p384(&env.clients[0], PROOF_NEW, "clientAuth");
	env_prove(&env);
	env_expect(&env, "handshake", SEVERITY_BLOCK, "client app",
		   "TLS 1.2 would fail with the new key and certificate (ECDSA P-384), TLS 1.3 "
		   "works: " WRONG_CURVE);
	ck_contains(env_finding(&env, "handshake", "client app")->advice, "ssl_ecdh_curve");
	ck_assert_uint_eq(env.result.findings.count, 1);
}
END_TEST

START_TEST(many_of_them_are_one_sentence)
{
	give_p384(&env.clients[0], PROOF_NEW, "clientAuth");
	give_p384(&env.clients[1], PROOF_NEW, "clientAuth");
	env_prove(&env);
	env_expect(&env, "handshake", SEVERITY_BLOCK, "clients",
		   "TLS 1.2 would fail with the new keys and certificates of app, report (ECDSA "
		   "P-384), TLS 1.3 works: " WRONG_CURVE);
	ck_assert_uint_eq(env.result.findings.count, 1);
}
END_TEST

/* Who has lived with it goes on living with it. */
START_TEST(what_never_spoke_tls12_is_a_warning)
{
	give_p384(&env.clients[0], PROOF_OLD, "clientAuth");
	give_p384(&env.clients[0], PROOF_NEW, "clientAuth");
	env_prove(&env);
	env_expect(&env, "handshake", SEVERITY_WARNING, "client app",
		   "TLS 1.2 fails already today with the old key and certificate (ECDSA P-384)");
	env_expect(&env, "handshake", SEVERITY_WARNING, "client app",
		   "TLS 1.2 does not work with the new key and certificate (ECDSA P-384)");
	ck_assert_uint_eq(env.result.findings.count, 2);
	env.clients[0].leaves[PROOF_OLD].key = NULL;
	env_prove(&env);
	env_expect(&env, "handshake", SEVERITY_WARNING, "client app", "TLS 1.2 does not work");
	ck_assert_uint_eq(findings_count(&env.result.findings, SEVERITY_BLOCK), 0);
}
END_TEST

/* The first of the kind is not tried at all. */
START_TEST(one_that_has_expired_does_not_stand_for_the_others)
{
	give_p384(&env.clients[0], PROOF_NEW, "clientAuth");
	give_p384(&env.clients[1], PROOF_NEW, "clientAuth");
	env.in.now += 299 * TEST_DAY;
	env_prove(&env);
	env_expect(&env, "handshake", SEVERITY_BLOCK, "clients", "of app, report");
	give_p384_until(&env.clients[0], PROOF_NEW, "clientAuth", env.sys.now(&env.sys) + TEST_DAY);
	env_prove(&env);
	env_expect(&env, "handshake", SEVERITY_BLOCK, "client report", WRONG_CURVE);
}
END_TEST

/* Clients offer all curves: a server's own key may be on any of them. */
START_TEST(a_server_on_another_curve_is_fine)
{
	env_phase(&env, PHASE_SERVERS);
	give_p384(&env.servers[0], PROOF_NEW, "serverAuth");
	env_prove(&env);
	env_expect_none(&env);
}
END_TEST

START_TEST(without_live_leaves_it_is_a_warning)
{
	give_p384(&env.clients[0], PROOF_NEW, "clientAuth");
	env.in.clients.live[PROOF_OLD] = env.in.clients.occurs[PROOF_OLD] = false;
	env_prove(&env);
	env_expect(&env, "handshake", SEVERITY_WARNING, "client app", "TLS 1.2 does not work");
	ck_assert_uint_eq(findings_count(&env.result.findings, SEVERITY_BLOCK), 0);
}
END_TEST

Suite *tls12_suite(void)
{
	Suite *suite = suite_create("TLS 1.2");
	TCase *tc = tcase_create("lost");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_client_on_another_curve_loses_tls12);
	tcase_add_test(tc, many_of_them_are_one_sentence);
	tcase_add_test(tc, what_never_spoke_tls12_is_a_warning);
	tcase_add_test(tc, one_that_has_expired_does_not_stand_for_the_others);
	tcase_add_test(tc, a_server_on_another_curve_is_fine);
	tcase_add_test(tc, without_live_leaves_it_is_a_warning);
	suite_add_tcase(suite, tc);
	return suite;
}
