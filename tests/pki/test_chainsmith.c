/* SPDX-License-Identifier: PostgreSQL */
/* Certificates as the Python chainsmith 0.2.0 made them (tests/data/chainsmith-python). */
#include "tests/pki/suites.h"

#include <stdlib.h>
#include <string.h>
#include "pki/verify.h"

#define FILE_NAME "tests/data/chainsmith-python/environments/poc/group_vars/all/certs.yml"
#define IN_2027	  1798761600 /* 2027-01-01: the certificates are valid then */

static char *yaml;

static void setup(void)
{
	yaml = test_read(FILE_NAME, NULL);
}

static void teardown(void)
{
	free(yaml);
}

/* The block scalar of "KEY" below "AUTHORITY", unindented; YAML enough for this one file. */
static void value(struct buf *out, const char *authority, const char *key)
{
	char *part = str_fmt("\n  \"%s\":\n", authority), *name = str_fmt("\n    \"%s\": |\n", key);
	const char *at;

	ck_assert(part && name);
	at = strstr(yaml, part);
	ck_assert_ptr_nonnull(at);
	at = strstr(at, name);
	ck_assert_ptr_nonnull(at);
	buf_init(out, BUF_TEXT_MAX);
	for (at += strlen(name); !strncmp(at, "      ", 6); at = strchr(at, '\n') + 1)
		buf_add(out, at + 6, strcspn(at + 6, "\n") + 1);
	free(part);
	free(name);
}

static struct cert *leaf_of(const char *authority, const char *key)
{
	struct cert *cert = NULL;
	struct err err = {0};
	struct buf pem;

	value(&pem, authority, key);
	ck_ok(cert_from_pem(&cert, pem.data, pem.len, key, &err), &err);
	buf_release(&pem);
	return cert;
}

static void chain_of(struct bundle *out, const char *authority)
{
	struct err err = {0};
	struct buf pem, again;

	value(&pem, authority, "chain");
	ck_ok(bundle_from_pem(out, pem.data, pem.len, authority, &err), &err);
	/* what is written is what was read, byte for byte */
	buf_init(&again, BUF_TEXT_MAX);
	ck_ok(bundle_to_pem(&again, out, &err), &err);
	ck_assert_str_eq(again.data, pem.data);
	buf_release(&again);
	buf_release(&pem);
}

START_TEST(chains_are_intermediate_and_root)
{
	struct bundle server = BUNDLE_INIT, client = BUNDLE_INIT;

	chain_of(&server, "server");
	chain_of(&client, "client");
	ck_assert_uint_eq(server.count, 2);
	ck_assert_uint_eq(client.count, 2);
	ck_assert_str_eq(cert_common_name(server.items[0]), "server");
	ck_assert_str_eq(cert_common_name(client.items[0]), "client");
	ck_assert_str_eq(cert_common_name(server.items[1]), "postgres");
	ck_assert(cert_equal(server.items[1], client.items[1]));
	ck_assert(cert_is_ca(server.items[0]) && cert_is_ca(server.items[1]));
	ck_assert(cert_is_self_issued(server.items[1]));
	ck_assert(cert_issued_by(server.items[0], server.items[1]));
	ck_assert_str_eq(cert_key_kind(server.items[0]), "RSA-4096");
	bundle_release(&server);
	bundle_release(&client);
}
END_TEST

START_TEST(leaves_verify)
{
	struct bundle server = BUNDLE_INIT, client = BUNDLE_INIT;
	struct cert *db1 = leaf_of("server", "db1.example.com");
	struct cert *app = leaf_of("client", "application");
	struct verdict verdict;
	struct err err = {0};

	chain_of(&server, "server");
	chain_of(&client, "client");
	ck_ok(chain_verify(&verdict, &server, NULL, db1, VERIFY_SERVER, IN_2027,
			   VERIFY_LEVEL_DEFAULT, &err),
	      &err);
	ck_assert_msg(verdict.ok, "%s", verdict.reason);
	ck_ok(chain_verify(&verdict, &client, NULL, app, VERIFY_CLIENT, IN_2027,
			   VERIFY_LEVEL_DEFAULT, &err),
	      &err);
	ck_assert_msg(verdict.ok, "%s", verdict.reason);
	ck_ok(chain_verify(&verdict, &server, NULL, app, VERIFY_CLIENT, IN_2027,
			   VERIFY_LEVEL_DEFAULT, &err),
	      &err);
	ck_assert(!verdict.ok);
	ck_contains(verdict.reason, "lacks the issuer");
	ck_assert_int_eq(host_matches(db1, "db1.example.com"), HOST_MATCH_NAME);
	ck_assert_int_eq(host_matches(db1, "10.0.4.42"), HOST_MATCH_ADDRESS);
	cert_free(db1);
	cert_free(app);
	bundle_release(&server);
	bundle_release(&client);
}
END_TEST

START_TEST(a_successor_covers_its_predecessor)
{
	static const char *const leaves[][2] = {{"server", "db1.example.com"},
						{"server", "db2.example.com"},
						{"client", "postgres"}};
	struct cert *older = leaf_of(leaves[_i][0], leaves[_i][1]), *newer = NULL;
	struct strs names = STRS_INIT, key_usages = STRS_INIT, ext_usages = STRS_INIT;
	struct findings found = FINDINGS_INIT;
	struct key *key = NULL;
	struct test_chain chain = {0};
	struct err err = {0};

	test_chain_init(&chain, "server G2");
	ck_ok(key_generate(&key, KEY_RSA2048, &err), &err);
	ck_ok(cert_names(&names, older, &err), &err);
	ck_ok(cert_key_usages(&key_usages, older, &err), &err);
	ck_ok(cert_ext_usages(&ext_usages, older, &err), &err);
	ck_ok(cert_issue(&newer,
			 &(struct issue_spec){.sys = &chain.sys,
					      .key = key,
					      .issuer = chain.ca,
					      .issuer_key = chain.ca_key,
					      .subject_from = older,
					      .names = &names,
					      .key_usages = &key_usages,
					      .ext_usages = &ext_usages,
					      .not_after = chain.sys.now(&chain.sys) + TEST_DAY},
			 &err),
	      &err);
	ck_ok(cert_covers(&found, newer, older, "it", &err), &err);
	ck_assert_msg(found.count == 0, "%s", found.count ? found.items[0].reason : "");
	ck_assert(cert_same_subject(newer, older));
	if (_i < 2) /* also where the older one had the name in its CN only */
		ck_assert_int_eq(host_matches(newer, leaves[_i][1]), HOST_MATCH_NAME);
	findings_release(&found);
	strs_release(&names);
	strs_release(&key_usages);
	strs_release(&ext_usages);
	cert_free(older);
	cert_free(newer);
	key_free(key);
	test_chain_release(&chain);
}
END_TEST

Suite *chainsmith_suite(void)
{
	Suite *suite = suite_create("chainsmith");
	TCase *tcase = tcase_create("chainsmith");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, chains_are_intermediate_and_root);
	tcase_add_test(tcase, leaves_verify);
	tcase_add_loop_test(tcase, a_successor_covers_its_predecessor, 0, 3);
	suite_add_tcase(suite, tcase);
	return suite;
}
