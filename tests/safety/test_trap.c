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

/* A certificate of an authority's key and subject that differs from the authority's own. */
static struct cert *reissue_ca(struct test_chain *chain, bool is_ca, int pathlen, int64_t not_after)
{
	struct issue_spec spec = {.sys = &chain->sys,
				  .key = chain->ca_key,
				  .issuer = chain->root,
				  .issuer_key = chain->root_key,
				  .subject_from = chain->ca,
				  .is_ca = is_ca,
				  .pathlen = pathlen,
				  .not_after = not_after};
	struct cert *cert = NULL;

	ck_ok(cert_issue(&cert, &spec, &env.err), &env.err);
	return cert;
}

/* Clients hold one bundle alone, of these certificates. */
static void only_client_bundle(const struct cert *first, const struct cert *second, bool live)
{
	struct bundle bundle = BUNDLE_INIT;

	ck_ok(bundle_add(&bundle, first, &env.err), &env.err);
	if (second)
		ck_ok(bundle_add(&bundle, second, &env.err), &env.err);
	env_set_bundle(&env, 0, 0, "changed", env_bundle_pem(&env, &bundle), live);
	env.in.servers.bundle_count = 1;
	bundle_release(&bundle);
}

/* Issues a leaf for db1 with everything given. */
static struct cert *issue_leaf(struct test_chain *chain, const struct key *key, const char *cn,
			       const char *name, const char *ext_usage, int64_t not_after)
{
	struct issue_spec spec = {.sys = &chain->sys,
				  .key = key,
				  .issuer = chain->ca,
				  .issuer_key = chain->ca_key,
				  .not_after = not_after};
	struct strs names = STRS_INIT, usages = STRS_INIT;
	struct cert *cert = NULL;
	struct dn dn = DN_INIT;

	ck_ok(dn_add(&dn, "O", "Acme", &env.err), &env.err);
	ck_ok(dn_add(&dn, "CN", cn, &env.err), &env.err);
	if (name)
		ck_ok(strs_add(&names, name, &env.err), &env.err);
	if (ext_usage)
		ck_ok(strs_add(&usages, ext_usage, &env.err), &env.err);
	spec.subject = &dn;
	spec.names = &names;
	spec.ext_usages = &usages;
	ck_ok(cert_issue(&cert, &spec, &env.err), &env.err);
	strs_release(&names);
	strs_release(&usages);
	dn_release(&dn);
	return cert;
}

static void set_server(enum proof_generation g, const char *cn, const char *name,
		       const char *ext_usage)
{
	struct key *key = NULL;
	struct cert *cert;

	ck_ok(key_generate(&key, KEY_ECDSA_P256, &env.err), &env.err);
	cert = issue_leaf(&env.chains[g], key, cn, name, ext_usage, env.in.now + 300 * TEST_DAY);
	env_set_leaf(&env, &env.servers[0], g, cert, key);
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
	only_client_bundle(env.chains[PROOF_OLD].root, NULL, false);
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
	only_client_bundle(env.chains[PROOF_OLD].root, NULL, false);
	env_prove(&env);
	env_expect_none(&env);
}
END_TEST

START_TEST(a_missing_root_blocks)
{
	only_client_bundle(env.chains[PROOF_OLD].ca, NULL, false);
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "the bundle lacks the issuer of O=Acme, CN=private: O=Acme, CN=private root");
}
END_TEST

START_TEST(what_fails_today_is_a_warning)
{
	only_client_bundle(env.chains[PROOF_OLD].root, NULL, true);
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
	set_server(PROOF_NEW, "db1.example.com", "db1.example.com", "clientAuth");
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "O=Acme, CN=db1.example.com may not be used as a server: its usages forbid it");
	env_expect(&env, "leaf-usage", SEVERITY_BLOCK, "server db1.example.com", "serverAuth");
	ck_contains(env_finding(&env, "chain", "server db1.example.com")->advice,
		    "extendedKeyUsages");
}
END_TEST

START_TEST(a_new_leaf_without_the_name_blocks)
{
	env_phase(&env, PHASE_SERVERS);
	set_server(PROOF_NEW, "db1.example.com", "db1.internal", "serverAuth");
	ck_ok(strs_add(&env.hosts[0], "db1.example.com", &env.err), &env.err);
	ck_ok(strs_add(&env.hosts[0], "10.0.4.42", &env.err), &env.err);
	env.servers[0].hosts = &env.hosts[0];
	set_server(PROOF_OLD, "db1.example.com", "IP:10.0.4.42", "serverAuth");
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
	set_server(PROOF_OLD, "db1.example.com", NULL, NULL);
	env_prove(&env);
	env_expect(&env, "no-san", SEVERITY_WARNING, "server db1.example.com",
		   "its old certificate names the host in the CN only, it has no SAN: libpq takes "
		   "that, clients in Go and newer Java do not");
	ck_assert_ptr_null(env_finding(&env, "host-name", "server db1.example.com"));
}
END_TEST

START_TEST(a_host_in_the_cn_only_is_a_warning)
{
	set_server(PROOF_OLD, "db1.example.com", "IP:10.0.4.42", NULL);
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
	struct cert *ca = reissue_ca(&env.chains[PROOF_OLD], true, 0, env.in.now + 10 * TEST_DAY);

	only_client_bundle(ca, env.chains[PROOF_OLD].root, false);
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
	struct cert *ca = reissue_ca(&env.chains[PROOF_NEW], true, 0, env.in.now + TEST_DAY);
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

START_TEST(a_ca_without_ca_true_blocks)
{
	struct cert *ca = reissue_ca(&env.chains[PROOF_OLD], false, 0, env.in.now + 300 * TEST_DAY);

	only_client_bundle(ca, env.chains[PROOF_OLD].root, false);
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
	only_client_bundle(chain->ca, root, false);
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
		   "its new certificate is signed with Ed25519: logins with SCRAM passwords fail");
	env.in.servers.live[PROOF_NEW] = true;
	env_prove(&env);
	env_expect(&env, "ed25519", SEVERITY_WARNING, "server db1.example.com", "already today");
}
END_TEST

START_TEST(a_leaf_without_a_successor_blocks)
{
	env.clients[1].leaves[PROOF_NEW] = (struct proof_leaf){NULL, 0, NULL};
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
	cert = issue_leaf(&env.chains[PROOF_NEW], key, "other", NULL, "clientAuth",
			  env.in.now + 300 * TEST_DAY);
	env_set_leaf(&env, &env.clients[0], PROOF_NEW, cert, key);
	set_server(PROOF_OLD, "db1.example.com", "old-name.example.com", "serverAuth");
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

/* db2 was down when servers switched: what db1 may lose, db2 still shows. */
START_TEST(a_host_that_is_behind_is_proven_with_its_old_leaf)
{
	env_phase(&env, PHASE_PRUNE);
	env.servers[1].behind[PROOF_OLD] = true;
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db2.example.com",
		   "clients that hold the bundle 'new' would refuse its old certificate");
	ck_assert_uint_eq(env.result.findings.count, 1);
}
END_TEST

/* The way back is not barred by what is wrong with the generation that is left. */
START_TEST(a_revert_does_not_mind_a_bad_new_generation)
{
	set_server(PROOF_NEW, "other", "other.example.com", "serverAuth");
	env.clients[0].leaves[PROOF_NEW].key = env.clients[1].leaves[PROOF_NEW].key;
	env.clients[1].leaves[PROOF_NEW] = (struct proof_leaf){NULL, 0, NULL};
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
		   "would refuse its old certificate: ");
	env_expect(&twins, "ca-same-subject", SEVERITY_WARNING,
		   "bundle of the clients 'old and new'",
		   "several CAs in it have the subject O=Acme, CN=private, and certificates that "
		   "name it as issuer have no authority key identifier (db1.example.com, "
		   "db2.example.com)");
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
	cert = issue_leaf(&env.chains[PROOF_NEW], key, "db1.example.com", "db1.example.com",
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

START_TEST(leaves_without_any_bundle_block)
{
	env.in.clients.bundle_count = 0;
	env_prove(&env);
	env_expect(&env, "chain", SEVERITY_BLOCK, "servers",
		   "there is no bundle to verify the clients' certificates with");
}
END_TEST

static void add_text_and_chain_tests(TCase *tc)
{
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
	tcase_add_test(tc, two_cas_of_one_subject_with_aki_are_fine);
	tcase_add_test(tc, leaves_without_any_bundle_block);
	tcase_add_test(tc, a_host_that_is_behind_is_proven_with_its_old_leaf);
	tcase_add_test(tc, a_revert_does_not_mind_a_bad_new_generation);
	tcase_add_test(tc, a_revert_is_proven_like_any_other_transition);
}

static void add_leaf_tests(TCase *tc)
{
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
}

Suite *trap_suite(void)
{
	Suite *suite = suite_create("traps");
	TCase *tc = tcase_create("traps");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_text_and_chain_tests(tc);
	add_leaf_tests(tc);
	suite_add_tcase(suite, tc);
	return suite;
}
