/* SPDX-License-Identifier: PostgreSQL */
/* The phases of a rotation as they should be, and what is counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/safety/safety_tests.h"

static struct env env;

static void setup(void)
{
	env_open(&env);
}

static void teardown(void)
{
	env_close(&env);
}

/* distinct leaves and bundles that can occur in each phase, both sides together */
static const struct {
	size_t leaves, bundles, pairs;
} expected[] = {
	[PHASE_TRUST] = {4, 4, 8},
	[PHASE_SERVERS] = {6, 2, 6},
	[PHASE_CLIENTS] = {6, 2, 6},
	[PHASE_PRUNE] = {4, 4, 8},
};

START_TEST(each_phase_of_a_sound_rotation_is_proven)
{
	env_phase(&env, (enum test_phase)_i);
	env_prove(&env);
	env_expect_none(&env);
	ck_assert_uint_eq(env.result.leaves, expected[_i].leaves);
	ck_assert_uint_eq(env.result.bundles, expected[_i].bundles);
	ck_assert_uint_eq(env.result.pairs, expected[_i].pairs);
	/* one for each leaf, and TLS 1.2 for each kind: by chain and side */
	ck_assert_uint_gt(env.result.handshakes, expected[_i].leaves);
	ck_assert_uint_gt(env.result.checks, env.result.pairs + env.result.handshakes);
}
END_TEST

/* Leaves and bundles in one swing: what the phases are there to avoid. */
START_TEST(a_single_swing_is_refused_with_both_sides_named)
{
	env.in.servers.occurs[PROOF_NEW] = env.in.clients.occurs[PROOF_NEW] = true;
	env.held[0][1] = env.held[0][2];
	env.held[1][1] = env.held[1][2];
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "clients that hold the bundle 'new' would refuse its old certificate: the "
		   "bundle lacks the issuer of");
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db2.example.com",
		   "clients that hold the bundle 'old' would refuse its new certificate: the "
		   "bundle lacks the issuer of O=Acme, CN=db2.example.com: O=Acme, CN=private G2 "
		   "(OpenSSL: unable to get local issuer certificate)");
	env_expect(&env, "chain", SEVERITY_BLOCK, "client app",
		   "servers that hold the bundle 'new' would refuse its old certificate");
	env_expect(&env, "chain", SEVERITY_BLOCK, "client report",
		   "servers that hold the bundle 'old' would refuse its new certificate");
	ck_assert_uint_eq(findings_count(&env.result.findings, SEVERITY_INFO), 8);
	ck_assert_str_eq(env.result.findings.items[0].advice,
			 "put the missing CA certificates, up to the root, into the bundle");
}
END_TEST

START_TEST(servers_before_trust_are_refused)
{
	env_phase(&env, PHASE_SERVERS);
	env.in.servers.bundles = &env.held[0][0];
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "clients that hold the bundle 'old' would refuse its new certificate");
	ck_assert_uint_eq(env.result.findings.count, 2);
}
END_TEST

START_TEST(the_same_leaf_and_bundle_are_checked_once)
{
	env.servers[1].leaves[PROOF_OLD] = env.servers[0].leaves[PROOF_OLD];
	env.held[0][1] = env.held[0][0];
	env.held[0][1].label = "old once more";
	env_prove(&env);
	ck_assert_uint_eq(env.result.leaves, 3);
	ck_assert_uint_eq(env.result.bundles, 3);
	ck_assert_uint_eq(env.result.pairs, 1 + 2 * 2);
	/* but the name is each server's own */
	env_expect(
		&env, "host-name", SEVERITY_INFO, "server db2.example.com",
		"clients that connect to db2.example.com with sslmode=verify-full refuse its old "
		"certificate; its new one has that name");
}
END_TEST

/* A caller may go without handshakes, and the result says that there were none. */
START_TEST(handshakes_can_be_left_out)
{
	env.in.no_handshakes = true;
	env_prove(&env);
	env_expect_none(&env);
	ck_assert_uint_eq(env.result.handshakes, 0);
	ck_assert_uint_eq(env.result.pairs, 8);
}
END_TEST

START_TEST(one_generation_alone_needs_no_successors)
{
	for (size_t i = 0; i < 2; i++) {
		env.servers[i].leaves[PROOF_NEW] = (struct proof_leaf){.pem = NULL};
		env.clients[i].leaves[PROOF_NEW] = (struct proof_leaf){.pem = NULL};
	}
	env.in.servers.bundle_count = env.in.clients.bundle_count = 1;
	env_prove(&env);
	env_expect_none(&env);
}
END_TEST

START_TEST(no_peers_and_no_bundles_is_no_error)
{
	env.in.servers.count = env.in.clients.count = 0;
	env.in.servers.bundle_count = env.in.clients.bundle_count = 0;
	env_prove(&env);
	env_expect_none(&env);
	ck_assert_uint_eq(env.result.checks, 0);
}
END_TEST

/* Cost grows with leaves and with bundles, not with servers times clients. */
START_TEST(many_users_cost_one_check_for_each_bundle)
{
	enum { USERS = 300 };
	struct proof_peer *peers = calloc(USERS, sizeof(*peers));
	char(*names)[16] = calloc(USERS, sizeof(*names));
	struct strs texts = STRS_INIT;
	struct key *key = NULL;
	struct buf buf;

	buf_init(&buf, BUF_TEXT_MAX);
	for (size_t i = 0; i < USERS; i++) {
		struct cert *cert;

		(void)snprintf(names[i], sizeof(names[i]), "user%zu", i);
		cert = test_client(&env.chains[PROOF_OLD], &key, names[i]);
		buf_reset(&buf);
		ck_ok(cert_to_pem(&buf, cert, &env.err), &env.err);
		ck_ok(strs_add(&texts, buf.data, &env.err), &env.err);
		peers[i].name = names[i];
		peers[i].leaves[PROOF_OLD].pem = texts.items[i];
		peers[i].leaves[PROOF_OLD].len = buf.len;
		key_free(key);
		cert_free(cert);
	}
	env.in.servers.count = 0;
	env.in.clients.peers = peers;
	env.in.clients.count = USERS;
	env_prove(&env);
	env_expect_none(&env);
	ck_assert_uint_eq(env.result.pairs, (size_t)USERS * 2);
	/* and one finding, where they are all refused for the same reason */
	env.held[1][1] = env.held[1][2];
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "bundle of the servers 'new'",
		   "servers that hold it would refuse the old certificates of 300 clients (user0, "
		   "user1, user2 and 297 more); the first because the bundle lacks the issuer of "
		   "O=Acme, CN=user0: O=Acme, CN=private (OpenSSL: unable to get local issuer "
		   "certificate)");
	env.in.now += 2000 * TEST_DAY;
	env.in.end = env.in.now;
	env_prove(&env);
	/* the leaves' own fault now: no bundle is named */
	env_expect(
		&env, "chain", SEVERITY_WARNING, "clients",
		"servers already today refuse the old certificates of 300 clients (user0, user1, "
		"user2 and 297 more); the first because O=Acme, CN=user0 expired at ");
	buf_release(&buf);
	strs_release(&texts);
	free(names);
	free(peers);
}
END_TEST

Suite *proof_suite(void)
{
	Suite *suite = suite_create("proof");
	TCase *tc = tcase_create("phases");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, each_phase_of_a_sound_rotation_is_proven, PHASE_TRUST,
			    PHASE_PRUNE + 1);
	tcase_add_test(tc, a_single_swing_is_refused_with_both_sides_named);
	tcase_add_test(tc, servers_before_trust_are_refused);
	tcase_add_test(tc, the_same_leaf_and_bundle_are_checked_once);
	tcase_add_test(tc, handshakes_can_be_left_out);
	tcase_add_test(tc, one_generation_alone_needs_no_successors);
	tcase_add_test(tc, no_peers_and_no_bundles_is_no_error);
	tcase_add_test(tc, many_users_cost_one_check_for_each_bundle);
	suite_add_tcase(suite, tc);
	return suite;
}
