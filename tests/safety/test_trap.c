/* SPDX-License-Identifier: PostgreSQL */
/* Each trap that a rotation can fall into: found, with its words. */
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

static struct proof_leaf *server_leaf(enum proof_generation g)
{
	return &env.servers[0].leaves[g];
}

/* "-----END CERTIFICATE----------BEGIN CERTIFICATE-----" */
static const char *glue(const char *pem)
{
	char *text = strdup(pem);
	char *at = strstr(text, "-----\n-----");

	ck_assert_ptr_nonnull(at);
	memmove(at + 5, at + 6, strlen(at + 6) + 1);
	return env_keep(&env, text);
}

START_TEST(a_glued_bundle_blocks)
{
	env_set_bundle(&env, 1, 1, "old and new", glue(env.held[1][1].pem), false);
	env_prove(&env);
	env_expect(&env, "pem-text", SEVERITY_BLOCK, "bundle of the servers 'old and new'",
		   "block 1 (line 1): something is glued to its END line (line ");
	ck_contains(env_finding(&env, "pem-text", "bundle of the servers 'old and new'")->advice,
		    "does not start again");
}
END_TEST

START_TEST(a_live_bundle_that_cannot_be_read_blocks_too)
{
	env_set_bundle(&env, 0, 0, "old", glue(env.held[0][0].pem), true);
	env_prove(&env);
	env_expect(&env, "pem-text", SEVERITY_BLOCK, "bundle of the clients 'old'",
		   "(today already)");
}
END_TEST

START_TEST(a_glued_leaf_blocks_unless_it_is_live)
{
	struct proof_leaf *leaf = server_leaf(PROOF_NEW);
	char *text = str_fmt("%s%s", leaf->pem, leaf->pem);

	leaf->pem = glue(env_keep(&env, text));
	leaf->len = strlen(leaf->pem);
	env_prove(&env);
	env_expect(&env, "pem-text", SEVERITY_BLOCK, "server db1.example.com",
		   "its new certificate cannot be read: block 1 (line 1): something is glued");
	*server_leaf(PROOF_OLD) = *leaf;
	env_prove(&env);
	env_expect(&env, "pem-text", SEVERITY_WARNING, "server db1.example.com",
		   "its old certificate cannot be read, as it is today: block 1");
}
END_TEST

START_TEST(a_private_key_in_a_bundle_blocks_and_is_not_shown)
{
	const char *key = server_leaf(PROOF_NEW)->key->data;
	char *text = str_fmt("%s%s", env.held[0][1].pem, key);

	env_set_bundle(&env, 0, 1, "old and new", env_keep(&env, text), false);
	env_prove(&env);
	env_expect(&env, "pem-text", SEVERITY_BLOCK, "bundle of the clients 'old and new'",
		   "is a private key, not a certificate");
	ck_assert_ptr_null(strstr(env.result.findings.items[0].reason, "BEGIN"));
}
END_TEST

START_TEST(a_missing_intermediate_blocks)
{
	env_only_bundle(&env, env.chains[PROOF_OLD].root, NULL, false);
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "clients that hold the bundle 'changed' would refuse its old certificate: the "
		   "bundle lacks the issuer of O=Acme, CN=db1.example.com: O=Acme, CN=private");
}
END_TEST

/* What the leaf's own text brings along, the bundle need not have. */
START_TEST(an_intermediate_sent_along_is_enough)
{
	for (size_t i = 0; i < 2; i++) {
		struct proof_leaf *leaf = &env.servers[i].leaves[PROOF_OLD];
		char *text = str_fmt("%s%s", leaf->pem, env_pem(&env, env.chains[PROOF_OLD].ca));

		leaf->pem = env_keep(&env, text);
		leaf->len = strlen(text);
	}
	env_only_bundle(&env, env.chains[PROOF_OLD].root, NULL, false);
	env_prove(&env);
	env_expect_none(&env);
}
END_TEST

START_TEST(a_missing_root_blocks)
{
	env_only_bundle(&env, env.chains[PROOF_OLD].ca, NULL, false);
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "the bundle lacks the issuer of O=Acme, CN=private: O=Acme, CN=private root");
}
END_TEST

START_TEST(what_fails_today_is_a_warning)
{
	env_only_bundle(&env, env.chains[PROOF_OLD].root, NULL, true);
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_WARNING, "server db1.example.com",
		   "clients that hold the bundle 'changed' already today refuse its old "
		   "certificate: the bundle lacks the issuer of");
	ck_assert_uint_eq(findings_count(&env.result.findings, SEVERITY_BLOCK), 0);
}
END_TEST

/* The bundle before lacked the intermediate, and the next one does, too. */
START_TEST(what_goes_on_failing_in_the_same_way_is_a_warning)
{
	const char *root = env_pem(&env, env.chains[PROOF_OLD].root);
	char *twice = str_fmt("%s%s", root, env_pem(&env, env.chains[PROOF_NEW].root));

	env_set_bundle(&env, 0, 0, "old", root, true);
	env_set_bundle(&env, 0, 1, "old and new", env_keep(&env, twice), false);
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_WARNING, "server db1.example.com",
		   "clients that hold the bundle 'old and new' already today refuse");
	ck_assert_uint_eq(findings_count(&env.result.findings, SEVERITY_BLOCK), 0);
}
END_TEST

START_TEST(a_leaf_of_the_wrong_purpose_blocks)
{
	env_phase(&env, PHASE_SERVERS);
	env_set_server(&env, PROOF_NEW, "db1.example.com", "db1.example.com", "clientAuth");
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "O=Acme, CN=db1.example.com may not be used as a server: its usages forbid it");
	env_expect(&env, "leaf-usage", SEVERITY_BLOCK, "server db1.example.com", "serverAuth");
	ck_contains(env_finding(&env, "chain", "server db1.example.com")->advice,
		    "extendedKeyUsages");
}
END_TEST

START_TEST(a_ca_without_ca_true_blocks)
{
	struct cert *ca = env_reissue_ca(&env, &env.chains[PROOF_OLD], false, 0,
					 env.in.now + 300 * TEST_DAY);

	env_only_bundle(&env, ca, env.chains[PROOF_OLD].root, false);
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com", "CN=private");
	env_expect(&env, "bundle-ca", SEVERITY_WARNING, "bundle of the clients 'changed'",
		   "O=Acme, CN=private in it is no CA: nothing that it signed is accepted");
	cert_free(ca);
}
END_TEST

/* A root that allows no CA below it. */
START_TEST(a_path_length_that_is_exceeded_blocks)
{
	struct test_chain *chain = &env.chains[PROOF_OLD];
	struct issue_spec spec = {.sys = &chain->sys,
				  .key = chain->root_key,
				  .subject_from = chain->root,
				  .is_ca = true,
				  .pathlen = 0,
				  .not_after = env.in.now + 3000 * TEST_DAY};
	struct cert *root = NULL;

	ck_ok(cert_issue(&root, &spec, &env.err), &env.err);
	env_only_bundle(&env, chain->ca, root, false);
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "there are more CAs below O=Acme, CN=private");
	cert_free(root);
}
END_TEST

/* Level 4 wants 192 bits of security, which P-256 has not: as 1024-bit RSA at level 2. */
START_TEST(a_key_too_short_for_the_security_level_blocks)
{
	env_phase(&env, PHASE_SERVERS);
	env.in.level = 4;
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "too short for the TLS security level (OpenSSL: EE certificate key too weak)");
	env_expect(&env, "chain", SEVERITY_WARNING, "server db1.example.com", "already today");
	ck_assert_str_eq(env_finding(&env, "chain", "server db1.example.com")->advice,
			 "issue it anew with a key of 2048 bits or more and SHA-256");
}
END_TEST

/* db2 was down when servers switched: what db1 may lose, db2 still shows. */
START_TEST(a_host_that_is_behind_is_proven_with_its_old_leaf)
{
	env_phase(&env, PHASE_PRUNE);
	env.servers[1].behind[PROOF_OLD] = true;
	env_prove(&env);
	env_expect(&env, "behind", SEVERITY_BLOCK, "host db2.example.com",
		   "left behind, it still has its old certificate, which clients that hold the "
		   "bundle 'new' would refuse: the bundle lacks the issuer of O=Acme, "
		   "CN=db2.example.com");
	ck_assert_str_eq(env.result.findings.items[0].advice,
			 "bring it up to date first, as 'certrotate next' does unless a waiver "
			 "leaves it out; or accept that by name: --waive "
			 "'behind=db2.example.com:REASON'");
	ck_assert_uint_eq(env.result.findings.count, 1);
}
END_TEST

/* db2 and db3 were down for trust: they know nothing of the new clients. */
START_TEST(hosts_that_are_behind_refuse_with_their_old_bundle)
{
	struct proof_bundle held[3];

	env_phase(&env, PHASE_CLIENTS);
	held[0] = env.in.clients.bundles[0];
	held[1] = held[2] = env.held[1][0];
	held[1].label = held[2].label = "what they still have";
	held[1].holder = "db2.example.com";
	held[2].holder = "db3.example.com";
	env.in.clients.bundles = held;
	env.in.clients.bundle_count = 3;
	env_prove(&env);
	env_expect(&env, "behind", SEVERITY_BLOCK, "host db2.example.com",
		   "left behind, it still has the bundle from before and would refuse the new "
		   "certificates of 2 clients (app, report): the bundle lacks the issuer of");
	env_expect(&env, "behind", SEVERITY_BLOCK, "host db3.example.com", "(app, report)");
	ck_assert_uint_eq(env.result.findings.count, 2);
	ck_assert_uint_eq(env.result.bundles, 3);
	/* once clients have switched it is so already */
	env.in.clients.live[PROOF_NEW] = true;
	env_prove(&env);
	env_expect(&env, "behind", SEVERITY_WARNING, "host db2.example.com",
		   "it still has the bundle from before and already today refuses the new");
}
END_TEST

START_TEST(clients_on_a_host_that_is_behind_are_named)
{
	struct strs behind = STRS_INIT;

	ck_ok(strs_add(&behind, "db2.example.com", &env.err), &env.err);
	env_phase(&env, PHASE_PRUNE);
	env.in.behind = &behind;
	env.in.clients.stray[PROOF_OLD] = true;
	env_prove(&env);
	env_expect(&env, "behind", SEVERITY_WARNING, "clients",
		   "what was left behind (db2.example.com) may still hold the old certificates of "
		   "2 clients (app, report), which servers that hold the bundle 'new' would "
		   "refuse: the bundle lacks the issuer of");
	ck_assert_uint_eq(env.result.findings.count, 1);
	strs_release(&behind);
}
END_TEST

/* The way back is not barred by what is wrong with the generation that is left. */
START_TEST(a_revert_does_not_mind_a_bad_new_generation)
{
	env_set_server(&env, PROOF_NEW, "other", "other.example.com", "serverAuth");
	env.clients[0].leaves[PROOF_NEW].key = env.clients[1].leaves[PROOF_NEW].key;
	env.clients[1].leaves[PROOF_NEW] = (struct proof_leaf){.pem = NULL};
	env.servers[1].leaves[PROOF_NEW].pem = "junk";
	env.servers[1].leaves[PROOF_NEW].len = 4;
	env.held[0][0].live = env.held[1][0].live = false;
	env.held[0][1].live = env.held[1][1].live = true;
	env_prove(&env);
	ck_assert_uint_ge(findings_count(&env.result.findings, SEVERITY_BLOCK), 4);
	env.in.reverting = true;
	env_prove(&env);
	env_expect_none(&env);
}
END_TEST

/* From servers-switched back to trusted, with an old chain that went out of the bundles. */
START_TEST(a_revert_is_proven_like_any_other_transition)
{
	struct proof_side *servers = &env.in.servers;

	env_phase(&env, PHASE_SERVERS);
	env.in.reverting = true;
	servers->live[PROOF_OLD] = false;
	servers->live[PROOF_NEW] = true;
	env.servers[0].leaves[PROOF_OLD].key = NULL;
	env_prove(&env);
	env_expect(&env, "key", SEVERITY_WARNING, "servers",
		   "the old keys of db1.example.com are not known");
	ck_assert_uint_eq(env.result.findings.count, 1);
	servers->bundles = &env.held[0][2];
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "clients that hold the bundle 'new' would refuse its old certificate");
}
END_TEST

START_TEST(two_cas_of_one_subject_without_aki_are_told_apart_by_chance)
{
	struct env twins;

	env_open_with(&twins, true, true);
	env_prove(&twins);
	/* the bundle has the new CA first: every old leaf fails with it */
	env_expect(&twins, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "would refuse its old certificate: O=Acme, CN=db1.example.com is not signed by "
		   "the first CA in the bundle with its issuer's subject, O=Acme, CN=private "
		   "(OpenSSL: certificate signature failure)");
	ck_assert_str_eq(
		env_finding(&twins, "chain", "server db1.example.com")->advice,
		"tell the CAs apart by subject (as certrotate issues them) or by authority "
		"key identifiers, or put the right one first");
	env_expect(&twins, "ca-same-subject", SEVERITY_WARNING,
		   "bundle of the clients 'old and new'",
		   "several CAs in it have the subject O=Acme, CN=private, and certificates that "
		   "name it as issuer have no authority key identifier (old db1.example.com, old "
		   "db2.example.com): OpenSSL tries the first CA only, other programs another one; "
		   "it would refuse old db1.example.com, old db2.example.com");
	env_close(&twins);
}
END_TEST

/* The other order: the old leaves go on, and each new one would fail. */
START_TEST(two_cas_of_one_subject_without_aki_in_the_other_order)
{
	struct env twins;
	char *text;

	env_open_with(&twins, true, true);
	text = str_fmt("%s%s", twins.held[0][0].pem, twins.held[0][2].pem);
	env_phase(&twins, PHASE_SERVERS);
	env_set_bundle(&twins, 0, 1, "old and new", env_keep(&twins, text), true);
	env_prove(&twins);
	env_expect(&twins, "chain", SEVERITY_BLOCK, "server db2.example.com",
		   "would refuse its new certificate: O=Acme, CN=db2.example.com is not signed by "
		   "the first CA in the bundle");
	env_expect(&twins, "ca-same-subject", SEVERITY_WARNING,
		   "bundle of the clients 'old and new'",
		   "already today it refuses new db1.example.com, new db2.example.com");
	env_close(&twins);
}
END_TEST

/*
 * Somebody merged the bundles by hand and switched db2 already: what the inventory holds counts as
 * old, and the proof says which of it fails today.
 */
START_TEST(a_manual_rotation_that_stopped_half_way_is_told)
{
	struct env twins;

	env_open_with(&twins, true, true);
	twins.servers[1].leaves[PROOF_OLD] = twins.servers[1].leaves[PROOF_NEW];
	env_set_bundle(&twins, 0, 0, "old", twins.held[0][1].pem, true);
	twins.in.servers.bundle_count = 1;
	env_prove(&twins);
	env_expect(&twins, "chain", SEVERITY_WARNING, "server db1.example.com",
		   "clients that hold the bundle 'old' already today refuse its old certificate: "
		   "O=Acme, CN=db1.example.com is not signed by the first CA in the bundle");
	ck_assert_ptr_null(env_finding(&twins, "chain", "server db2.example.com"));
	env_expect(&twins, "ca-same-subject", SEVERITY_WARNING, "bundle of the clients 'old'",
		   "(old db1.example.com, old db2.example.com): OpenSSL tries the first CA only, "
		   "other programs another one; already today it refuses old db1.example.com");
	env_close(&twins);
}
END_TEST

START_TEST(two_cas_of_one_subject_with_aki_are_fine)
{
	struct env twins;

	env_open_with(&twins, true, false);
	env_prove(&twins);
	env_expect_none(&twins);
	env_phase(&twins, PHASE_SERVERS);
	env_prove(&twins);
	env_expect_none(&twins);
	env_close(&twins);
}
END_TEST

START_TEST(leaves_without_any_bundle_block)
{
	env.in.clients.bundle_count = 0;
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "servers",
		   "there is no bundle to verify the clients' certificates with");
}
END_TEST

Suite *trap_suite(void)
{
	Suite *suite = suite_create("traps");
	TCase *tc = tcase_create("traps");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_glued_bundle_blocks);
	tcase_add_test(tc, a_live_bundle_that_cannot_be_read_blocks_too);
	tcase_add_test(tc, a_glued_leaf_blocks_unless_it_is_live);
	tcase_add_test(tc, a_private_key_in_a_bundle_blocks_and_is_not_shown);
	tcase_add_test(tc, a_missing_intermediate_blocks);
	tcase_add_test(tc, an_intermediate_sent_along_is_enough);
	tcase_add_test(tc, a_missing_root_blocks);
	tcase_add_test(tc, what_fails_today_is_a_warning);
	tcase_add_test(tc, what_goes_on_failing_in_the_same_way_is_a_warning);
	tcase_add_test(tc, a_leaf_of_the_wrong_purpose_blocks);
	tcase_add_test(tc, a_ca_without_ca_true_blocks);
	tcase_add_test(tc, a_path_length_that_is_exceeded_blocks);
	tcase_add_test(tc, a_key_too_short_for_the_security_level_blocks);
	tcase_add_test(tc, two_cas_of_one_subject_without_aki_are_told_apart_by_chance);
	tcase_add_test(tc, two_cas_of_one_subject_without_aki_in_the_other_order);
	tcase_add_test(tc, a_manual_rotation_that_stopped_half_way_is_told);
	tcase_add_test(tc, two_cas_of_one_subject_with_aki_are_fine);
	tcase_add_test(tc, leaves_without_any_bundle_block);
	tcase_add_test(tc, a_host_that_is_behind_is_proven_with_its_old_leaf);
	tcase_add_test(tc, hosts_that_are_behind_refuse_with_their_old_bundle);
	tcase_add_test(tc, clients_on_a_host_that_is_behind_are_named);
	tcase_add_test(tc, a_revert_does_not_mind_a_bad_new_generation);
	tcase_add_test(tc, a_revert_is_proven_like_any_other_transition);
	suite_add_tcase(suite, tc);
	return suite;
}
