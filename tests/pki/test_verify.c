/* SPDX-License-Identifier: PostgreSQL */
#include "tests/pki/suites.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pki/native.h"

static struct test_chain chain, other;
static struct cert *server, *client;
static struct key *server_key, *client_key;
static int64_t now;

static void setup(void)
{
	test_chain_init(&chain, "server");
	test_chain_init(&other, "server G2");
	server = test_server(&chain, &server_key, "db1.example.com");
	client = test_client(&chain, &client_key, "app");
	now = chain.sys.now(&chain.sys);
	test_mkdir();
}

static void teardown(void)
{
	test_rmdir();
	cert_free(server);
	cert_free(client);
	key_free(server_key);
	key_free(client_key);
	test_chain_release(&chain);
	test_chain_release(&other);
}

static void check(struct verdict *out, const struct bundle *trusted, const struct cert *leaf,
		  enum verify_purpose purpose, int64_t at)
{
	struct err err = {0};

	ck_ok(chain_verify(out, trusted, NULL, leaf, purpose, at, VERIFY_LEVEL_DEFAULT, &err),
	      &err);
}

/* Whether the openssl program accepts the leaf, with its output in out. */
static bool openssl_accepts(char *out, size_t size, const struct bundle *trusted, struct cert *leaf,
			    const char *purpose, const char *host)
{
	char *ca = write_certs("ca.pem", trusted->items, trusted->count);
	char *path = write_certs("leaf.pem", &leaf, 1);
	const char *argv[] = {"openssl",
			      "verify",
			      "-no-CApath",
			      "-no-CAstore",
			      "-auth_level",
			      "2",
			      "-CAfile",
			      ca,
			      "-purpose",
			      purpose,
			      host ? "-verify_hostname" : path,
			      host,
			      path,
			      NULL};
	int rc;

	rc = run_openssl(out, size, argv);
	free(ca);
	free(path);
	return rc == 0;
}

START_TEST(good_leaves_pass_here_and_in_openssl)
{
	struct verdict verdict;
	char out[4096];

	check(&verdict, &chain.bundle, server, VERIFY_SERVER, now);
	ck_assert_msg(verdict.ok, "%s", verdict.reason);
	ck_assert_msg(openssl_accepts(out, sizeof(out), &chain.bundle, server, "sslserver",
				      "db1.example.com"),
		      "%s", out);
	ck_assert(!openssl_accepts(out, sizeof(out), &chain.bundle, server, "sslserver",
				   "db2.example.com"));
	ck_contains(out, "hostname mismatch");
	check(&verdict, &chain.bundle, client, VERIFY_CLIENT, now);
	ck_assert_msg(verdict.ok, "%s", verdict.reason);
	ck_assert_msg(openssl_accepts(out, sizeof(out), &chain.bundle, client, "sslclient", NULL),
		      "%s", out);
}
END_TEST

START_TEST(the_wrong_purpose_is_refused)
{
	struct verdict verdict;
	char out[4096];

	check(&verdict, &chain.bundle, server, VERIFY_CLIENT, now);
	ck_assert(!verdict.ok);
	ck_assert_int_eq(verdict.code, X509_V_ERR_INVALID_PURPOSE);
	ck_assert_int_eq(verdict.depth, 0);
	ck_assert_str_eq(verdict.at, "O=Acme, CN=db1.example.com");
	ck_assert_str_eq(verdict.reason, "O=Acme, CN=db1.example.com may not be used as a client: "
					 "its usages forbid it");
	ck_assert(!openssl_accepts(out, sizeof(out), &chain.bundle, server, "sslclient", NULL));
	ck_contains(out, verdict.openssl);
	check(&verdict, &chain.bundle, client, VERIFY_SERVER, now);
	ck_assert(!verdict.ok);
}
END_TEST

START_TEST(an_unknown_chain_is_refused)
{
	struct bundle part = BUNDLE_INIT;
	struct verdict verdict;
	struct err err = {0};
	char out[4096];

	check(&verdict, &other.bundle, server, VERIFY_SERVER, now);
	ck_assert(!verdict.ok);
	ck_assert_int_eq(verdict.code, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	ck_assert_str_eq(verdict.reason, "the bundle lacks the issuer of O=Acme, "
					 "CN=db1.example.com: O=Acme, CN=server");
	ck_assert(!openssl_accepts(out, sizeof(out), &other.bundle, server, "sslserver", NULL));
	ck_contains(out, verdict.openssl);
	/* no partial chains: an intermediate alone is no anchor */
	ck_ok(bundle_add(&part, chain.ca, &err), &err);
	check(&verdict, &part, server, VERIFY_SERVER, now);
	ck_assert(!verdict.ok);
	ck_assert_int_eq(verdict.depth, 1);
	ck_assert_str_eq(verdict.at, "O=Acme, CN=server");
	/* and with nothing at all it ends the same way */
	bundle_release(&part);
	check(&verdict, &part, server, VERIFY_SERVER, now);
	ck_assert(!verdict.ok);
}
END_TEST

START_TEST(intermediates_may_come_from_the_peer)
{
	struct bundle root = BUNDLE_INIT, sent = BUNDLE_INIT;
	struct verdict verdict;
	struct err err = {0};

	ck_ok(bundle_add(&root, chain.root, &err), &err);
	check(&verdict, &root, server, VERIFY_SERVER, now);
	ck_assert(!verdict.ok);
	ck_ok(bundle_add(&sent, chain.ca, &err), &err);
	ck_ok(chain_verify(&verdict, &root, &sent, server, VERIFY_SERVER, now, 2, &err), &err);
	ck_assert_msg(verdict.ok, "%s", verdict.reason);
	/* a root that the peer sends is not trusted for that */
	ck_ok(bundle_add(&sent, chain.root, &err), &err);
	ck_ok(chain_verify(&verdict, &other.bundle, &sent, server, VERIFY_SERVER, now, 2, &err),
	      &err);
	ck_assert(!verdict.ok);
	ck_assert_int_eq(verdict.code, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
	ck_contains(verdict.reason,
		    "ends in the root O=Acme, CN=server root, which is not in the bundle");
	bundle_release(&root);
	bundle_release(&sent);
}
END_TEST

START_TEST(time_counts)
{
	struct verdict verdict;

	check(&verdict, &chain.bundle, server, VERIFY_SERVER, now + (int64_t)366 * TEST_DAY);
	ck_assert(!verdict.ok);
	ck_assert_int_eq(verdict.code, X509_V_ERR_CERT_HAS_EXPIRED);
	ck_contains(verdict.reason, "O=Acme, CN=db1.example.com expired at 20");
	check(&verdict, &chain.bundle, server, VERIFY_SERVER, now - TEST_DAY);
	ck_assert(!verdict.ok);
	ck_contains(verdict.reason, "is not valid before 20");
	check(&verdict, &chain.bundle, server, VERIFY_SERVER, now + (int64_t)3651 * TEST_DAY);
	ck_assert(!verdict.ok);
	ck_assert_int_eq(verdict.code, X509_V_ERR_CERT_HAS_EXPIRED);
}
END_TEST

START_TEST(the_security_level_counts)
{
	struct verdict verdict;
	struct err err = {0};

	ck_ok(chain_verify(&verdict, &chain.bundle, NULL, server, VERIFY_SERVER, now, 3, &err),
	      &err);
	ck_assert_msg(verdict.ok, "%s", verdict.reason);
	/* P-256 has 128 bits, level 5 demands 256 */
	ck_ok(chain_verify(&verdict, &chain.bundle, NULL, server, VERIFY_SERVER, now, 5, &err),
	      &err);
	ck_assert(!verdict.ok);
	ck_assert_int_eq(verdict.code, X509_V_ERR_EE_KEY_TOO_SMALL);
	ck_contains(verdict.reason, "too short for the TLS security level");
}
END_TEST

START_TEST(a_merged_bundle_takes_both_generations)
{
	struct key *key = NULL;
	struct cert *newer = test_server(&other, &key, "db1.example.com");
	struct bundle merged = BUNDLE_INIT;
	struct verifier *verifier = NULL;
	struct verdict verdict;
	struct err err = {0};
	char out[4096];

	ck_ok(bundle_merge(&merged, &other.bundle, &chain.bundle, &err), &err);
	ck_ok(verifier_new(&verifier, &merged, VERIFY_LEVEL_DEFAULT, &err), &err);
	ck_ok(verifier_check(&verdict, verifier, NULL, server, VERIFY_SERVER, now, &err), &err);
	ck_assert_msg(verdict.ok, "%s", verdict.reason);
	ck_ok(verifier_check(&verdict, verifier, NULL, newer, VERIFY_SERVER, now, &err), &err);
	ck_assert_msg(verdict.ok, "%s", verdict.reason);
	ck_assert(openssl_accepts(out, sizeof(out), &merged, server, "sslserver", NULL));
	ck_assert(openssl_accepts(out, sizeof(out), &merged, newer, "sslserver", NULL));
	verifier_free(verifier);
	bundle_release(&merged);
	cert_free(newer);
	key_free(key);
}
END_TEST

/* Two chains whose CAs have the same subjects, as every generation of chainsmith's has. */
START_TEST(cas_of_one_subject_need_an_aki)
{
	struct test_chain twin[2] = {{.without_aki = _i == 0}, {.without_aki = _i == 0}};
	struct bundle merged = BUNDLE_INIT;
	struct cert *leaves[2];
	struct key *keys[2] = {NULL, NULL};
	struct verdict verdict;
	struct err err = {0};
	char out[4096];

	for (int i = 0; i < 2; i++) {
		test_chain_init(&twin[i], "server");
		leaves[i] = test_server(&twin[i], &keys[i], "db1.example.com");
	}
	ck_assert(cert_same_subject(twin[0].ca, twin[1].ca));
	ck_ok(bundle_merge(&merged, &twin[1].bundle, &twin[0].bundle, &err), &err);
	check(&verdict, &merged, leaves[1], VERIFY_SERVER, now);
	ck_assert_msg(verdict.ok, "%s", verdict.reason);
	check(&verdict, &merged, leaves[0], VERIFY_SERVER, now);
	ck_assert_int_eq(verdict.ok, _i == 1);
	ck_assert_int_eq(openssl_accepts(out, sizeof(out), &merged, leaves[0], "sslserver", NULL),
			 _i == 1);
	if (!verdict.ok) {
		ck_assert_str_eq(verdict.openssl, "certificate signature failure");
		ck_contains(out, verdict.openssl);
		ck_contains(verdict.reason, "is not signed by the first CA in the bundle with its "
					    "issuer's subject, O=Acme, CN=server");
	}
	for (int i = 0; i < 2; i++) {
		cert_free(leaves[i]);
		key_free(keys[i]);
		test_chain_release(&twin[i]);
	}
	bundle_release(&merged);
}
END_TEST

static const struct {
	const char *cn;
	const char *names[5]; /* none: without any SAN */
	const char *host;
	enum host_match match;
} host_rows[] = {
	{"db1", {"DNS:db1.example.com"}, "db1.example.com", HOST_MATCH_NAME},
	{"db1", {"DNS:db1.example.com"}, "DB1.Example.COM", HOST_MATCH_NAME},
	{"db1", {"DNS:db1.example.com"}, "db1.example.com.", HOST_MATCH_NONE},
	{"db1", {"DNS:db1.example.com"}, "db1", HOST_MATCH_NONE}, /* the CN does not count */
	{"db1", {"DNS:a", "DNS:b", "IP:10.0.4.42"}, "b", HOST_MATCH_NAME},
	{"db1", {"DNS:*.example.com"}, "db1.example.com", HOST_MATCH_NAME},
	{"db1", {"DNS:*.example.com"}, "a.db1.example.com", HOST_MATCH_NONE},
	{"db1", {"DNS:*.example.com"}, "example.com", HOST_MATCH_NONE},
	{"db1", {"DNS:*.example.com"}, ".example.com", HOST_MATCH_NONE},
	{"db1", {"DNS:*"}, "db1", HOST_MATCH_NONE},
	{"db1", {"DNS:d*.example.com"}, "db1.example.com", HOST_MATCH_NONE},
	{"db1", {"DNS:a.*.com"}, "a.example.com", HOST_MATCH_NONE},
	{"db1", {"IP:10.0.4.42"}, "10.0.4.42", HOST_MATCH_ADDRESS},
	{"db1", {"IP:10.0.4.42"}, "10.0.1066", HOST_MATCH_ADDRESS}, /* inet_aton's forms */
	{"db1", {"IP:10.0.4.42"}, "10.0.4.43", HOST_MATCH_NONE},
	{"db1", {"IP:fd00::1"}, "fd00:0::0001", HOST_MATCH_ADDRESS},
	{"db1", {"IP:fd00::1"}, "fd00::2", HOST_MATCH_NONE},
	{"db1", {"DNS:10.0.4.42"}, "10.0.4.42", HOST_MATCH_NAME},
	/* the CN counts only where the SAN has no name of the host's kind */
	{"db1.example.com", {NULL}, "db1.example.com", HOST_MATCH_CN},
	{"*.example.com", {NULL}, "db1.example.com", HOST_MATCH_CN},
	{"db1.example.com", {"IP:10.0.4.42"}, "db1.example.com", HOST_MATCH_CN},
	{"db1.example.com", {"DNS:db2.example.com"}, "db1.example.com", HOST_MATCH_NONE},
	{"10.0.4.42", {NULL}, "10.0.4.42", HOST_MATCH_CN},
	{"10.0.4.42", {"DNS:db1"}, "10.0.4.42", HOST_MATCH_CN},
	{"10.0.4.42", {"IP:10.0.4.43"}, "10.0.4.42", HOST_MATCH_NONE},
	{"db1", {"email:dba@example.com"}, "db1", HOST_MATCH_CN},
	{"db1", {"DNS:db1"}, "", HOST_MATCH_NONE},
};

START_TEST(hosts_match_as_in_libpq)
{
	struct key *key = NULL;
	/* clientAuth, so that the CN is not put into the SAN */
	struct cert *leaf = test_leaf(&chain, &key, host_rows[_i].cn, host_rows[_i].names,
				      "clientAuth");

	ck_assert_int_eq(host_matches(leaf, host_rows[_i].host), host_rows[_i].match);
	cert_free(leaf);
	key_free(key);
}
END_TEST

struct checker {
	pthread_t thread;
	const struct verifier *verifier;
	unsigned good;
	unsigned bad;
};

static void *check_often(void *arg)
{
	struct checker *checker = arg;
	struct verdict verdict;
	struct err err = {0};

	for (int i = 0; i < 50; i++) {
		const struct cert *leaf = i % 2 ? server : client;

		if (verifier_check(&verdict, checker->verifier, NULL, leaf, VERIFY_SERVER, now,
				   &err))
			return NULL;
		checker->good += verdict.ok;
		checker->bad += !verdict.ok;
	}
	return NULL;
}

START_TEST(threads_share_a_verifier)
{
	struct checker checkers[4];
	struct verifier *verifier = NULL;
	struct err err = {0};

	ck_ok(verifier_new(&verifier, &chain.bundle, VERIFY_LEVEL_DEFAULT, &err), &err);
	for (int i = 0; i < 4; i++) {
		checkers[i] = (struct checker){.verifier = verifier};
		ck_assert_int_eq(
			pthread_create(&checkers[i].thread, NULL, check_often, &checkers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(checkers[i].thread, NULL), 0);
		ck_assert_uint_eq(checkers[i].good, 25);
		ck_assert_uint_eq(checkers[i].bad, 25);
	}
	verifier_free(verifier);
	verifier_free(NULL);
}
END_TEST

Suite *verify_suite(void)
{
	Suite *suite = suite_create("verify");
	TCase *tcase = tcase_create("verify");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, good_leaves_pass_here_and_in_openssl);
	tcase_add_test(tcase, the_wrong_purpose_is_refused);
	tcase_add_test(tcase, an_unknown_chain_is_refused);
	tcase_add_test(tcase, intermediates_may_come_from_the_peer);
	tcase_add_test(tcase, time_counts);
	tcase_add_test(tcase, the_security_level_counts);
	tcase_add_test(tcase, a_merged_bundle_takes_both_generations);
	tcase_add_loop_test(tcase, cas_of_one_subject_need_an_aki, 0, 2);
	tcase_add_loop_test(tcase, hosts_match_as_in_libpq, 0, ROWS(host_rows));
	tcase_add_test(tcase, threads_share_a_verifier);
	suite_add_tcase(suite, tcase);
	return suite;
}
