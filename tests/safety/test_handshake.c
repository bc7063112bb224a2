/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "net/handshake.h"
#include "tests/safety/safety_tests.h"

/* A server and a client of one chain, and a verifier for each of two chains. */
static struct test_chain ours, theirs;
static struct verifier *trusts_ours, *trusts_theirs;
static struct cert *server_cert, *client_cert;
static struct key *server_key, *client_key;
static struct handshaker *handshaker;
static struct handshake_result result;
static struct err err;

static void setup(void)
{
	memset(&ours, 0, sizeof(ours));
	memset(&theirs, 0, sizeof(theirs));
	test_chain_init(&ours, "ours");
	test_chain_init(&theirs, "theirs");
	ck_ok(verifier_new(&trusts_ours, &ours.bundle, VERIFY_LEVEL_DEFAULT, &err), &err);
	ck_ok(verifier_new(&trusts_theirs, &theirs.bundle, VERIFY_LEVEL_DEFAULT, &err), &err);
	server_cert = test_server(&ours, &server_key, "db1.example.com");
	client_cert = test_client(&ours, &client_key, "app");
	ck_ok(handshaker_new(&handshaker, VERIFY_LEVEL_DEFAULT, ours.sys.now(&ours.sys), &err),
	      &err);
}

static void teardown(void)
{
	handshaker_free(handshaker);
	cert_free(server_cert);
	cert_free(client_cert);
	key_free(server_key);
	key_free(client_key);
	verifier_free(trusts_ours);
	verifier_free(trusts_theirs);
	test_chain_release(&ours);
	test_chain_release(&theirs);
}

static void shake(const struct verifier *server_trusts, const struct verifier *client_trusts,
		  bool with_client_cert, bool tls12)
{
	struct handshake_peer server = {
		.leaf = server_cert, .key = server_key, .trusted = server_trusts};
	struct handshake_peer client = {.trusted = client_trusts};

	if (with_client_cert) {
		client.leaf = client_cert;
		client.key = client_key;
	}
	ck_ok(handshake_run(&result, handshaker, &server, &client, tls12, &err), &err);
}

START_TEST(both_versions_connect)
{
	shake(trusts_ours, trusts_ours, true, false);
	ck_assert_msg(result.ok, "%s", result.reason);
	ck_assert_str_eq(result.version, "TLSv1.3");
	shake(trusts_ours, trusts_ours, true, true);
	ck_assert_msg(result.ok, "%s", result.reason);
	ck_assert_str_eq(result.version, "TLSv1.2");
}
END_TEST

START_TEST(a_server_that_is_not_trusted_is_refused)
{
	shake(NULL, trusts_theirs, false, _i != 0);
	ck_assert(!result.ok);
	ck_assert_str_eq(result.reason, "the client refuses the server's certificate: unable to "
					"get local issuer certificate");
}
END_TEST

/* In TLS 1.3 only after the client's side has succeeded. */
START_TEST(a_client_that_is_not_trusted_is_refused)
{
	shake(trusts_theirs, trusts_ours, true, _i != 0);
	ck_assert(!result.ok);
	ck_assert_str_eq(result.reason, "the server refuses the client's certificate: unable to "
					"get local issuer certificate");
}
END_TEST

START_TEST(a_client_without_a_certificate_is_refused)
{
	shake(trusts_ours, trusts_ours, false, _i != 0);
	ck_assert(!result.ok);
	ck_assert_str_eq(result.reason, "the server ends the handshake: peer did not return a "
					"certificate");
}
END_TEST

START_TEST(a_key_of_another_certificate_cannot_be_used)
{
	struct handshake_peer server = {.leaf = server_cert, .key = client_key};
	struct handshake_peer client = {.trusted = trusts_ours};

	ck_ok(handshake_run(&result, handshaker, &server, &client, false, &err), &err);
	ck_assert(!result.ok);
	ck_assert_str_eq(result.reason, "the server cannot use its certificate and key: key values "
					"mismatch");
}
END_TEST

START_TEST(the_given_time_counts)
{
	struct handshaker *later = NULL;
	struct handshake_peer server = {.leaf = server_cert, .key = server_key};
	struct handshake_peer client = {.trusted = trusts_ours};

	ck_ok(handshaker_new(&later, VERIFY_LEVEL_DEFAULT, ours.sys.now(&ours.sys) + 400 * TEST_DAY,
			     &err),
	      &err);
	ck_ok(handshake_run(&result, later, &server, &client, false, &err), &err);
	ck_assert(!result.ok);
	ck_contains(result.reason, "certificate has expired");
	handshaker_free(later);
}
END_TEST

START_TEST(intermediates_are_sent_along)
{
	struct bundle root = BUNDLE_INIT, chain = BUNDLE_INIT;
	struct verifier *trusts_root = NULL;
	struct handshake_peer server = {.leaf = server_cert, .key = server_key};
	struct handshake_peer client = {0};

	ck_ok(bundle_add(&root, ours.root, &err), &err);
	ck_ok(bundle_add(&chain, ours.ca, &err), &err);
	ck_ok(verifier_new(&trusts_root, &root, VERIFY_LEVEL_DEFAULT, &err), &err);
	client.trusted = trusts_root;
	ck_ok(handshake_run(&result, handshaker, &server, &client, false, &err), &err);
	ck_assert(!result.ok);
	server.chain = &chain;
	ck_ok(handshake_run(&result, handshaker, &server, &client, false, &err), &err);
	ck_assert_msg(result.ok, "%s", result.reason);
	verifier_free(trusts_root);
	bundle_release(&chain);
	bundle_release(&root);
}
END_TEST

Suite *handshake_suite(void)
{
	Suite *suite = suite_create("handshake");
	TCase *tc = tcase_create("in memory");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, both_versions_connect);
	tcase_add_loop_test(tc, a_server_that_is_not_trusted_is_refused, 0, 2);
	tcase_add_loop_test(tc, a_client_that_is_not_trusted_is_refused, 0, 2);
	tcase_add_loop_test(tc, a_client_without_a_certificate_is_refused, 0, 2);
	tcase_add_test(tc, a_key_of_another_certificate_cannot_be_used);
	tcase_add_test(tc, the_given_time_counts);
	tcase_add_test(tc, intermediates_are_sent_along);
	suite_add_tcase(suite, tc);
	return suite;
}
