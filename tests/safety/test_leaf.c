/* SPDX-License-Identifier: PostgreSQL */
/* What can be wrong with a leaf, its key or its successor: found, with its words. */
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

START_TEST(a_new_leaf_without_the_name_blocks)
{
	env_phase(&env, PHASE_SERVERS);
	env_set_server(&env, PROOF_NEW, "db1.example.com", "db1.internal", "serverAuth");
	ck_ok(strs_add(&env.hosts[0], "db1.example.com", &env.err), &env.err);
	ck_ok(strs_add(&env.hosts[0], "10.0.4.42", &env.err), &env.err);
	env.servers[0].hosts = &env.hosts[0];
	env_set_server(&env, PROOF_OLD, "db1.example.com", "IP:10.0.4.42", "serverAuth");
	env_prove(&env);
	env_expect(&env, "host-name", SEVERITY_BLOCK, "server db1.example.com",
		   "clients that connect to 10.0.4.42 with sslmode=verify-full would refuse its "
		   "new certificate: that name is not in it");
	env_expect(&env, "leaf-names", SEVERITY_BLOCK, "server db1.example.com",
		   "the name IP:10.0.4.42 of the certificate before is missing");
}
END_TEST

START_TEST(a_name_that_was_never_there_is_a_warning)
{
	env_phase(&env, PHASE_SERVERS);
	ck_ok(strs_add(&env.hosts[0], "alias.example.com", &env.err), &env.err);
	env.servers[0].hosts = &env.hosts[0];
	env_prove(&env);
	env_expect(&env, "host-name", SEVERITY_WARNING, "server db1.example.com",
		   "clients that connect to alias.example.com with sslmode=verify-full already "
		   "today refuse its new certificate");
	ck_assert_uint_eq(findings_count(&env.result.findings, SEVERITY_BLOCK), 0);
}
END_TEST

START_TEST(a_server_without_any_san_is_a_warning)
{
	env_set_server(&env, PROOF_OLD, "db1.example.com", NULL, NULL);
	env_prove(&env);
	env_expect(&env, "no-san", SEVERITY_WARNING, "server db1.example.com",
		   "its old certificate names the host in the CN only, it has no SAN: libpq takes "
		   "that, clients in Go and newer Java do not");
	ck_assert_ptr_null(env_finding(&env, "host-name", "server db1.example.com"));
}
END_TEST

START_TEST(a_host_in_the_cn_only_is_a_warning)
{
	env_set_server(&env, PROOF_OLD, "db1.example.com", "IP:10.0.4.42", NULL);
	env_prove(&env);
	env_expect(&env, "host-name", SEVERITY_WARNING, "server db1.example.com",
		   "its old certificate has db1.example.com in the CN only");
	ck_assert_ptr_null(env_finding(&env, "no-san", "server db1.example.com"));
}
END_TEST

START_TEST(a_key_of_another_certificate_blocks)
{
	server_leaf(PROOF_NEW)->key = env.servers[1].leaves[PROOF_NEW].key;
	env_prove(&env);
	env_expect(&env, "key", SEVERITY_BLOCK, "server db1.example.com",
		   "its new key does not fit its certificate: the key belongs to another "
		   "certificate");
	server_leaf(PROOF_NEW)->key = NULL;
	server_leaf(PROOF_OLD)->key = env.servers[1].leaves[PROOF_OLD].key;
	env_prove(&env);
	env_expect(&env, "key", SEVERITY_WARNING, "server db1.example.com",
		   "its old key does not fit its certificate, as it is today");
}
END_TEST

START_TEST(a_key_that_cannot_be_read_blocks_without_showing_it)
{
	static const char text[] = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n"
				   "-----END PRIVATE KEY-----\n";
	struct secret broken;

	ck_ok(arena_copy(&broken, env.arena, text, strlen(text), &env.err), &env.err);
	server_leaf(PROOF_NEW)->key = &broken;
	env_prove(&env);
	env_expect(&env, "key", SEVERITY_BLOCK, "server db1.example.com", "its new key");
	ck_assert_ptr_null(strstr(env.result.findings.items[0].reason, "c2VjcmV0"));
}
END_TEST

START_TEST(unknown_new_keys_are_said_once)
{
	env_phase(&env, PHASE_CLIENTS);
	env.clients[0].leaves[PROOF_NEW].key = env.clients[1].leaves[PROOF_NEW].key = NULL;
	env_prove(&env);
	env_expect(&env, "key", SEVERITY_WARNING, "clients",
		   "the new keys of app, report are not known");
	ck_assert_uint_eq(env.result.findings.count, 1);
}
END_TEST

START_TEST(an_expired_leaf_fails_today_and_an_expired_successor_blocks)
{
	env_phase(&env, PHASE_SERVERS);
	env.in.now += 400 * TEST_DAY;
	env.in.end = env.in.now;
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_WARNING, "server db1.example.com",
		   "already today refuse its old certificate: O=Acme, CN=db1.example.com expired "
		   "at ");
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "would refuse its new certificate: O=Acme, CN=db1.example.com expired at ");
	env_expect(&env, "chain", SEVERITY_WARNING, "client app",
		   "(OpenSSL: certificate has "
		   "expired)");
}
END_TEST

START_TEST(a_leaf_that_is_not_valid_yet_blocks)
{
	env_phase(&env, PHASE_SERVERS);
	env.in.now -= 2 * TEST_DAY;
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com", "is not valid before ");
	ck_assert_str_eq(env.result.findings.items[0].advice, "set the clocks right, or wait");
}
END_TEST

START_TEST(what_expires_before_the_rotation_can_end_blocks)
{
	env.in.end = env.in.now + 400 * TEST_DAY;
	env_prove(&env);
	env_expect(&env, "expires-soon", SEVERITY_BLOCK, "client app",
		   "servers that hold the bundle 'old' will refuse its old certificate before the "
		   "rotation can end (");
	/* once for each leaf, not for each bundle */
	ck_assert_uint_eq(env.result.findings.count, 4);
}
END_TEST

/* A CA in the bundle that ends does no harm where nothing needs it. */
START_TEST(a_ca_that_expires_counts_where_it_is_needed)
{
	struct cert *ca = env_reissue_ca(&env, &env.chains[PROOF_OLD], true, 0,
					 env.in.now + 10 * TEST_DAY);

	env_only_bundle(&env, ca, env.chains[PROOF_OLD].root, false);
	env_prove(&env);
	env_expect(&env, "expires-soon", SEVERITY_BLOCK, "server db1.example.com",
		   "O=Acme, CN=private expired at ");
	env_expect(&env, "outlives-ca", SEVERITY_WARNING, "server db1.example.com",
		   "but its CA O=Acme, CN=private ends at ");
	cert_free(ca);
}
END_TEST

START_TEST(an_expired_ca_in_a_bundle_is_a_warning)
{
	struct cert *ca = env_reissue_ca(&env, &env.chains[PROOF_NEW], true, 0,
					 env.in.now + TEST_DAY);
	char *text = str_fmt("%s%s", env.held[0][0].pem, env_pem(&env, ca));

	env_set_bundle(&env, 0, 0, "old and an expired one", env_keep(&env, text), true);
	env.in.now += 2 * TEST_DAY;
	env_prove(&env);
	env_expect(&env, "bundle-ca", SEVERITY_WARNING,
		   "bundle of the clients 'old and an expired one'",
		   "the CA O=Acme, CN=private G2 in it expired at ");
	ck_assert_uint_eq(env.result.findings.count, 1);
	cert_free(ca);
}
END_TEST

START_TEST(a_server_signed_with_ed25519_blocks)
{
	struct test_chain *chain = &env.chains[PROOF_NEW];
	struct key *key = NULL;
	struct cert *cert = NULL, *again;
	struct issue_spec spec = {.sys = &chain->sys,
				  .issuer = chain->root,
				  .issuer_key = chain->root_key,
				  .subject_from = chain->ca,
				  .is_ca = true,
				  .not_after = env.in.now + 900 * TEST_DAY};

	env_phase(&env, PHASE_SERVERS);
	ck_ok(key_generate(&key, KEY_ED25519, &env.err), &env.err);
	spec.key = key;
	ck_ok(cert_issue(&cert, &spec, &env.err), &env.err);
	cert_free(chain->ca);
	key_free(chain->ca_key);
	chain->ca = cert;
	chain->ca_key = key;
	key = NULL;
	again = test_server(chain, &key, "db1.example.com");
	env_set_leaf(&env, &env.servers[0], PROOF_NEW, again, key);
	env_prove(&env);
	env_expect(&env, "ed25519", SEVERITY_BLOCK, "server db1.example.com",
		   "its new certificate is signed with Ed25519: logins with SCRAM passwords would "
		   "fail "
		   "on it (channel binding), and whether pg_hba.conf asks for them is not known");
	/* The same afterwards, once the servers were asked. */
	ck_ok(proof_scram_known(&env.result.findings, PROOF_SCRAM_USED, &env.err), &env.err);
	env_expect(
		&env, "ed25519", SEVERITY_BLOCK, "server db1.example.com",
		"is signed with Ed25519: logins with SCRAM passwords, which pg_hba.conf asks for");
	env_prove(&env);
	ck_ok(proof_scram_known(&env.result.findings, PROOF_SCRAM_NOT_USED, &env.err), &env.err);
	env_expect(&env, "ed25519", SEVERITY_WARNING, "server db1.example.com",
		   "is signed with Ed25519: pg_hba.conf asks for no SCRAM passwords now");
	env.in.scram = PROOF_SCRAM_USED;
	env_prove(&env);
	env_expect(&env, "ed25519", SEVERITY_BLOCK, "server db1.example.com",
		   "logins with SCRAM passwords, which pg_hba.conf asks for, fail on it");
	env.in.scram = PROOF_SCRAM_NOT_USED;
	env_prove(&env);
	env_expect(&env, "ed25519", SEVERITY_WARNING, "server db1.example.com",
		   "pg_hba.conf asks for no SCRAM passwords now, but logins with them would fail");
	env.in.scram = PROOF_SCRAM_USED;
	env.in.servers.live[PROOF_NEW] = true;
	env_prove(&env);
	env_expect(&env, "ed25519", SEVERITY_WARNING, "server db1.example.com", "already today");
}
END_TEST

START_TEST(a_leaf_without_a_successor_blocks)
{
	env.clients[1].leaves[PROOF_NEW] = (struct proof_leaf){.pem = NULL};
	env_prove(&env);
	env_expect(&env, "no-successor", SEVERITY_BLOCK, "client report",
		   "it has a certificate, but none in the new generation");
	ck_assert_uint_eq(env.result.findings.count, 1);
}
END_TEST

START_TEST(a_successor_that_loses_a_name_or_its_subject_blocks_before_trust)
{
	struct key *key = NULL;
	struct cert *cert;

	ck_ok(key_generate(&key, KEY_ECDSA_P256, &env.err), &env.err);
	cert = env_issue(&env, &env.chains[PROOF_NEW], key, "other", NULL, "clientAuth",
			 env.in.now + 300 * TEST_DAY);
	env_set_leaf(&env, &env.clients[0], PROOF_NEW, cert, key);
	env_set_server(&env, PROOF_OLD, "db1.example.com", "old-name.example.com", "serverAuth");
	env_prove(&env);
	env_expect(&env, "leaf-names", SEVERITY_BLOCK, "server db1.example.com",
		   "the name DNS:old-name.example.com of the certificate before is missing");
	env_expect(&env, "leaf-subject", SEVERITY_BLOCK, "client app",
		   "the subject was O=Acme, CN=app and would be O=Acme, CN=other");
	env_expect(&env, "client-name", SEVERITY_BLOCK, "client app",
		   "its new certificate has the CN 'other': PostgreSQL takes that for the user's "
		   "name");
}
END_TEST

/* A curve that certificates may have, but TLS 1.3 has no signature scheme for. */
START_TEST(a_key_that_tls_cannot_use_fails_in_the_handshake)
{
	char text[2048];
	struct secret pem;
	struct key *key = NULL;
	struct cert *cert;
	FILE *pipe = popen("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 "
			   "-pkeyopt ec_param_enc:named_curve",
			   "r");
	size_t len;

	ck_assert_ptr_nonnull(pipe);
	len = fread(text, 1, sizeof(text), pipe);
	ck_assert_msg(pclose(pipe) == 0, "openssl is missing: install the package openssl");
	ck_ok(arena_copy(&pem, env.arena, text, len, &env.err), &env.err);
	ck_ok(key_from_pem(&key, &pem, "key", &env.err), &env.err);
	cert = env_issue(&env, &env.chains[PROOF_NEW], key, "db1.example.com", "db1.example.com",
			 "serverAuth", env.in.now + 300 * TEST_DAY);
	env_set_leaf(&env, &env.servers[0], PROOF_NEW, cert, key);
	env_phase(&env, PHASE_SERVERS);
	env_prove(&env);
	env_expect(&env, "handshake", SEVERITY_BLOCK, "server db1.example.com",
		   "a TLS handshake with its new key and certificate, and the bundle 'old and new' "
		   "on the other side, fails: the server ends the handshake: ");
	ck_assert_ptr_null(env_finding(&env, "chain", "server db1.example.com"));
}
END_TEST

Suite *leaf_suite(void)
{
	Suite *suite = suite_create("leaves");
	TCase *tc = tcase_create("leaves");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_new_leaf_without_the_name_blocks);
	tcase_add_test(tc, a_name_that_was_never_there_is_a_warning);
	tcase_add_test(tc, a_server_without_any_san_is_a_warning);
	tcase_add_test(tc, a_host_in_the_cn_only_is_a_warning);
	tcase_add_test(tc, a_key_of_another_certificate_blocks);
	tcase_add_test(tc, a_key_that_cannot_be_read_blocks_without_showing_it);
	tcase_add_test(tc, unknown_new_keys_are_said_once);
	tcase_add_test(tc, an_expired_leaf_fails_today_and_an_expired_successor_blocks);
	tcase_add_test(tc, a_leaf_that_is_not_valid_yet_blocks);
	tcase_add_test(tc, what_expires_before_the_rotation_can_end_blocks);
	tcase_add_test(tc, a_ca_that_expires_counts_where_it_is_needed);
	tcase_add_test(tc, an_expired_ca_in_a_bundle_is_a_warning);
	tcase_add_test(tc, a_server_signed_with_ed25519_blocks);
	tcase_add_test(tc, a_leaf_without_a_successor_blocks);
	tcase_add_test(tc, a_successor_that_loses_a_name_or_its_subject_blocks_before_trust);
	tcase_add_test(tc, a_key_that_tls_cannot_use_fails_in_the_handshake);
	suite_add_tcase(suite, tc);
	return suite;
}
