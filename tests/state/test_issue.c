/* SPDX-License-Identifier: PostgreSQL */
/* Descriptions from which no chain can be made, or not as it stands there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/issue.h"
#include "tests/state/suites.h"

#define USUAL                                                                                      \
	"  - {name: server, servers: {db1.example.com: []}}\n"                                     \
	"  - {name: client, clients: [app]}\n"
#define LONG "a123456789b123456789c123456789d123456789e123456789f123456789.abc"

static struct sys sys;
static struct arena *arena;
static struct chain_desc *chain;
static struct generation gen;
static struct findings findings;
static struct err err;

static void setup(void)
{
	err_clear(&err);
	sys_init(&sys);
	arena = arena_new((size_t)64 << 20);
	ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
	findings_release(&findings);
	chain_free(chain);
	chain = NULL;
	arena_free(arena);
}

/* Line 3 is the first authority's. */
static void describe(const char *first, const char *intermediates)
{
	char text[2048];

	(void)snprintf(text, sizeof(text), "%s\nintermediates:\n%s", first, intermediates);
	chain_free(chain);
	ck_ok(chain_parse(&chain, text, strlen(text), "chain.yml", "/", NULL, &err), &err);
}

static int issue(struct generation *out, const char *id, const struct generation *old_gen)
{
	struct issue_options options = {
		.id = id, .chain = chain, .old_gen = old_gen, .arena = arena, .sys = &sys};

	return generation_issue(out, &options, &err);
}

static const struct {
	const char *first;
	const char *intermediates;
	const char *message;
	const char *hint;
} cases[] = {
	{"subject: {C: NLD, CN: postgres}", USUAL, "chain.yml:1: subject: C 'NLD': string too long",
	 "C has exactly 2 characters"},
	{"subject: {Color: red, CN: postgres}", USUAL,
	 "chain.yml:1: 'Color' is no attribute of a subject", "a dotted OID"},
	{"subject: {CN: " LONG "}", USUAL,
	 "chain.yml: the root: subject: CN '" LONG " G1': string too long",
	 "CN has at most 64 characters"},
	{"key: ecdsa-p256",
	 "  - {name: server, servers: {db1.example.com: []}}\n"
	 "  - {name: " LONG ", clients: [app]}\n",
	 "chain.yml:4: subject: CN '" LONG " G1': string too long", "CN has at most 64 characters"},
};

/* By plan already, and by next before the first key is made. */
START_TEST(a_name_that_no_certificate_takes_is_refused_at_once)
{
	describe(cases[_i].first, cases[_i].intermediates);
	ck_assert_int_eq(issue_findings(&findings, chain, NULL, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, cases[_i].message);
	ck_contains(err.hint, cases[_i].hint);
	err_clear(&err);
	ck_assert_int_eq(issue(&gen, "g1", NULL), ERR_USAGE);
	ck_assert_str_eq(err.msg, cases[_i].message);
	ck_assert_ptr_null(gen.id);
}
END_TEST

START_TEST(a_user_with_the_authoritys_name_is_refused)
{
	describe("key: ecdsa-p256", "  - {name: client, clients: [app, client G1]}\n");
	ck_assert_int_eq(issue(&gen, "g1", NULL), ERR_USAGE);
	ck_assert_str_eq(err.msg, "client client G1: client G1: its subject would be the same as "
				  "its issuer's");
	ck_contains(err.hint, "give it another CN");
}
END_TEST

START_TEST(what_the_description_says_in_vain_is_a_finding)
{
	describe("key: ecdsa-p256", "  - {name: server, servers: {db1: []}, colour: red}\n"
				    "  - {name: client, clients: [app]}\n");
	ck_ok(issue_findings(&findings, chain, NULL, &err), &err);
	ck_assert_uint_eq(findings.count, 1);
	ck_assert_str_eq(findings.items[0].check, "chain-description");
	ck_assert_int_eq(findings.items[0].severity, SEVERITY_WARNING);
	ck_assert_str_eq(findings.items[0].subject, "chain.yml");
	ck_assert_str_eq(findings.items[0].reason,
			 "chain.yml:3: unknown key 'colour' is passed over");
}
END_TEST

/* Whoever has made a "server G2" by hand keeps it: peers tell CAs apart by their names. */
START_TEST(a_name_that_an_older_ca_has_is_not_given_again)
{
	struct generation other;

	describe("key: ecdsa-p256", USUAL);
	ck_ok(issue(&gen, "g2", NULL), &err);
	ck_ok(issue(&other, "g2", &gen), &err);
	ck_assert_str_eq(cert_common_name(other.authorities[0].bundle.items[0]), "server G3");
	ck_assert_str_eq(cert_common_name(other.authorities[0].bundle.items[1]), "postgres G3");
	ck_assert_str_eq(cert_common_name(other.authorities[1].bundle.items[0]), "client G3");
	generation_release(&other);
	generation_release(&gen);
	/* One of the names is enough, so that all of a generation have one number. */
	describe("subject: {CN: other}\nkey: ecdsa-p256",
		 "  - {name: client, clients: [app]}\n  - {name: server, servers: {db1: []}}\n");
	ck_ok(issue(&gen, "g4", NULL), &err);
	describe("subject: {CN: new}\nkey: ecdsa-p256",
		 "  - {name: server, servers: {db1: []}}\n  - {name: client, clients: [app]}\n");
	ck_ok(issue(&other, "g4", &gen), &err);
	ck_assert_str_eq(cert_common_name(other.authorities[0].bundle.items[1]), "new G5");
	generation_release(&other);
	generation_release(&gen);
}
END_TEST

START_TEST(an_authority_lives_longer_than_its_leaves)
{
	int64_t now = sys.now(&sys);

	describe("key: ecdsa-p256\ndays: 2650", USUAL);
	ck_ok(issue(&gen, "g1", NULL), &err);
	for (size_t i = 0; i < gen.leaf_count; i++)
		ck_assert_int_ge(cert_not_after(gen.leaves[i].cert),
				 now + (int64_t)2650 * TEST_DAY);
	for (size_t a = 0; a < gen.authority_count; a++)
		ck_assert_int_ge(cert_not_after(gen.authorities[a].bundle.items[0]),
				 now + (int64_t)2680 * TEST_DAY);
	generation_release(&gen);
}
END_TEST

START_TEST(an_authority_that_the_inventory_lacks_is_named)
{
	struct generation other;

	describe("key: ecdsa-p256", "  - {name: server, servers: {db1: []}}\n");
	ck_ok(issue(&gen, "g1", NULL), &err);
	describe("key: ecdsa-p256", USUAL);
	ck_assert_int_eq(issue(&other, "g2", &gen), ERR_USAGE);
	ck_assert_str_eq(err.msg,
			 "chain.yml:4: the authority 'client' has no chain in the inventory");
	ck_contains(err.hint, "until certs.client is there");
	generation_release(&gen);
}
END_TEST

START_TEST(what_is_made_is_counted_by_algorithm)
{
	struct buf text;

	describe("key: ecdsa-p256", "  - {name: server, key: rsa3072, servers: {db1: []}}\n"
				    "  - {name: client, clients: [app]}\n");
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(issue_summary(&text, chain, NULL, &err), &err);
	ck_assert_str_eq(text.data, "2 rsa3072, 3 ecdsa-p256");
	buf_release(&text);
}
END_TEST

Suite *issue_suite(void)
{
	Suite *suite = suite_create("issue");
	TCase *tc = tcase_create("issue");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_name_that_no_certificate_takes_is_refused_at_once, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, a_user_with_the_authoritys_name_is_refused);
	tcase_add_test(tc, what_the_description_says_in_vain_is_a_finding);
	tcase_add_test(tc, a_name_that_an_older_ca_has_is_not_given_again);
	tcase_add_test(tc, an_authority_lives_longer_than_its_leaves);
	tcase_add_test(tc, an_authority_that_the_inventory_lacks_is_named);
	tcase_add_test(tc, what_is_made_is_counted_by_algorithm);
	suite_add_tcase(suite, tc);
	return suite;
}
