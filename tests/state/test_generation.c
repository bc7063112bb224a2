/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "pki/verify.h"
#include "state/issue.h"
#include "tests/state/suites.h"

static const char description[] = "subject: {C: NL/postalCode=3721 MA, O: Acme, CN: postgres}\n"
				  "key: ecdsa-p256\n"
				  "intermediates:\n"
				  "  - name: server\n"
				  "    servers:\n"
				  "      db1.example.com: [10.0.4.42]\n"
				  "      db2.example.com: []\n"
				  "    keyUsages: [keyEncipherment, digitalSignature]\n"
				  "    extendedKeyUsages: [serverAuth]\n"
				  "  - name: client\n"
				  "    clients: [postgres, \"app\\\"x\"]\n"
				  "    extendedKeyUsages: [clientAuth]\n";

static struct sys sys;
static struct arena *arena;
static struct chain_desc *chain;

static void setup(void)
{
	struct err err = {0};

	sys_init(&sys);
	arena = arena_new((size_t)64 << 20);
	ck_assert_ptr_nonnull(arena);
	ck_ok(chain_parse(&chain, description, strlen(description), "chain.yml", "/", NULL, &err),
	      &err);
}

static void teardown(void)
{
	chain_free(chain);
	arena_free(arena);
}

static void issue(struct generation *gen, const char *id, const struct generation *old_gen)
{
	struct issue_options options = {
		.id = id, .chain = chain, .old_gen = old_gen, .arena = arena, .sys = &sys};
	struct err err = {0};

	ck_ok(generation_issue(gen, &options, &err), &err);
}

static void check_leaf(const struct generation *gen, const struct gen_leaf *leaf)
{
	const struct gen_authority *authority = generation_authority(gen, leaf->authority);
	enum verify_purpose purpose = leaf->kind == LEAF_SERVER ? VERIFY_SERVER : VERIFY_CLIENT;
	struct verdict verdict;
	struct err err = {0};
	struct key *key = NULL;

	ck_ok(chain_verify(&verdict, &authority->bundle, NULL, leaf->cert, purpose, sys.now(&sys),
			   VERIFY_LEVEL_DEFAULT, &err),
	      &err);
	ck_assert_msg(verdict.ok, "%s: %s", leaf->name, verdict.reason);
	ck_ok(key_from_pem(&key, &leaf->key, leaf->name, &err), &err);
	ck_assert(key_matches(key, leaf->cert));
	key_free(key);
}

START_TEST(a_first_generation_verifies)
{
	struct generation gen;

	issue(&gen, "g1", NULL);
	ck_assert_uint_eq(gen.authority_count, 2);
	ck_assert_uint_eq(gen.leaf_count, 4);
	for (size_t i = 0; i < gen.leaf_count; i++)
		check_leaf(&gen, &gen.leaves[i]);
	ck_assert_str_eq(cert_common_name(gen.authorities[0].bundle.items[0]), "server G1");
	ck_assert_str_eq(cert_common_name(gen.authorities[0].bundle.items[1]), "postgres G1");
	ck_assert_int_eq(
		host_matches(generation_leaf(&gen, "server", "db1.example.com")->cert, "10.0.4.42"),
		HOST_MATCH_ADDRESS);
	ck_assert_int_eq(host_matches(generation_leaf(&gen, "server", "db2.example.com")->cert,
				      "db2.example.com"),
			 HOST_MATCH_NAME);
	generation_release(&gen);
}
END_TEST

START_TEST(a_successor_covers_what_its_predecessor_had)
{
	struct generation old_gen, new_gen;
	struct findings findings = FINDINGS_INIT;
	struct err err = {0};

	issue(&old_gen, "g1", NULL);
	issue(&new_gen, "g2", &old_gen);
	ck_assert_str_eq(cert_common_name(new_gen.authorities[1].bundle.items[0]), "client G2");
	for (size_t i = 0; i < old_gen.leaf_count; i++) {
		const struct gen_leaf *older = &old_gen.leaves[i];
		const struct gen_leaf *newer = generation_leaf(&new_gen, older->authority,
							       older->name);

		ck_assert_ptr_nonnull(newer);
		check_leaf(&new_gen, newer);
		ck_assert(cert_same_subject(newer->cert, older->cert));
		ck_ok(cert_covers(&findings, newer->cert, older->cert, older->name, &err), &err);
	}
	ck_assert_uint_eq(findings.count, 0);
	findings_release(&findings);
	generation_release(&old_gen);
	generation_release(&new_gen);
}
END_TEST

START_TEST(a_leaf_that_nobody_describes_gets_a_successor_and_a_warning)
{
	struct generation old_gen, new_gen;
	struct findings findings = FINDINGS_INIT;
	struct chain_desc *shorter = NULL;
	const char text[] = "subject: {CN: postgres}\nkey: ecdsa-p256\nintermediates:\n"
			    "  - {name: server, servers: {db1.example.com: []}}\n"
			    "  - {name: client, clients: [postgres, new]}\n";
	struct err err = {0};
	struct issue_options options = {
		.id = "g2", .old_gen = &old_gen, .arena = arena, .sys = &sys};

	issue(&old_gen, "g1", NULL);
	ck_ok(chain_parse(&shorter, text, strlen(text), "chain.yml", "/", NULL, &err), &err);
	options.chain = shorter;
	ck_ok(generation_issue(&new_gen, &options, &err), &err);
	ck_assert_ptr_nonnull(generation_leaf(&new_gen, "server", "db2.example.com"));
	ck_assert_ptr_nonnull(generation_leaf(&new_gen, "client", "app\"x"));
	ck_assert_ptr_nonnull(generation_leaf(&new_gen, "client", "new"));
	ck_ok(issue_findings(&findings, shorter, &old_gen, &err), &err);
	ck_assert_uint_eq(findings_count(&findings, SEVERITY_WARNING), 2);
	ck_assert_uint_eq(findings.count, 3);
	findings_release(&findings);
	chain_free(shorter);
	generation_release(&old_gen);
	generation_release(&new_gen);
}
END_TEST

START_TEST(clients_that_get_another_curve_are_named)
{
	static const char text[] = "subject: {CN: postgres}\nkey: ecdsa-p384\nintermediates:\n"
				   "  - {name: server, servers: {db1.example.com: []}}\n"
				   "  - {name: client, clients: [app, report]}\n";
	struct generation p384_gen;
	struct findings findings = FINDINGS_INIT;
	struct chain_desc *described = chain;
	struct err err = {0};

	ck_ok(chain_parse(&chain, text, strlen(text), "chain.yml", "/", NULL, &err), &err);
	ck_ok(issue_findings(&findings, chain, NULL, &err), &err);
	ck_assert_uint_eq(findings.count, 1);
	ck_assert_str_eq(findings.items[0].check, "client-curve");
	ck_assert_int_eq(findings.items[0].severity, SEVERITY_WARNING);
	ck_assert_str_eq(findings.items[0].reason,
			 "app, report get ecdsa-p384 keys: with TLS 1.2 PostgreSQL takes clients' "
			 "keys on its own ssl_ecdh_curve only (prime256v1)");
	findings_release(&findings);
	/* who has lived with one goes on living with it */
	issue(&p384_gen, "g1", NULL);
	ck_ok(issue_findings(&findings, chain, &p384_gen, &err), &err);
	ck_assert_uint_eq(findings.count, 0);
	generation_release(&p384_gen);
	chain_free(chain);
	chain = described;
}
END_TEST

START_TEST(authorities_that_do_not_fit_are_named)
{
	struct generation old_gen, new_gen;
	struct chain_desc *other = NULL;
	const char text[] = "subject: {CN: postgres}\nintermediates:\n"
			    "  - {name: server, servers: {db1.example.com: []}}\n";
	struct err err = {0};
	struct issue_options options = {
		.id = "g2", .old_gen = &old_gen, .arena = arena, .sys = &sys};

	issue(&old_gen, "g1", NULL);
	ck_ok(chain_parse(&other, text, strlen(text), "chain.yml", "/", NULL, &err), &err);
	options.chain = other;
	ck_assert_int_eq(generation_issue(&new_gen, &options, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "certs.client has no counterpart in chain.yml");
	chain_free(other);
	generation_release(&old_gen);
}
END_TEST

START_TEST(the_files_of_a_generation_read_back)
{
	struct generation gen, again;
	struct secret keys, ca_keys;
	struct buf text;
	struct err err = {0};

	issue(&gen, "g1", NULL);
	/* What an inventory may hold: another style, its source text, line ends of its own. */
	gen.leaves[0].raw = strdup("|-\r\n      -----BEGIN\r\n\t# \xc3\xa9 \"quoted\" \\");
	ck_ok(arena_copy(&gen.leaves[0].key_raw, arena, "\"a\\n\"", 5, &err), &err);
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(generation_dump(&text, &gen, &err), &err);
	ck_assert_ptr_null(strstr(text.data, "PRIVATE KEY"));
	ck_ok(generation_dump_keys(&keys, &gen, &err), &err);
	ck_ok(generation_dump_ca_keys(&ca_keys, &gen, &err), &err);
	ck_contains(ca_keys.data, "\"root\":");
	ck_ok(generation_load(&again, "g1", arena, text.data, text.len, "g1.yml", &keys,
			      "g1.vault.yml", &err),
	      &err);
	ck_assert_uint_eq(again.leaf_count, gen.leaf_count);
	for (size_t i = 0; i < gen.leaf_count; i++) {
		const struct gen_leaf *leaf = &gen.leaves[i];
		const struct gen_leaf *same = generation_leaf(&again, leaf->authority, leaf->name);

		ck_assert_ptr_nonnull(same);
		ck_assert_str_eq(same->pem, leaf->pem);
		ck_assert_int_eq(same->kind, leaf->kind);
		ck_assert(secret_equal(&same->key, &leaf->key));
	}
	ck_assert_str_eq(generation_leaf(&again, gen.leaves[0].authority, gen.leaves[0].name)->raw,
			 gen.leaves[0].raw);
	ck_assert_str_eq(again.authorities[1].chain, gen.authorities[1].chain);
	generation_release(&again);
	ck_assert_int_eq(generation_load(&again, "g2", arena, text.data, text.len, "g2.yml", NULL,
					 NULL, &err),
			 ERR_FAIL);
	ck_assert_str_eq(err.msg, "g2.yml: not generation g2");
	/* another name for a leaf is as good YAML as the right one */
	*strstr(text.data, "db1.example.com") = 'x';
	ck_assert_int_eq(generation_load(&again, "g1", arena, text.data, text.len, "g1.yml", NULL,
					 NULL, &err),
			 ERR_FAIL);
	ck_assert_str_eq(err.msg, "g1.yml: its last line is not the 'sum' of the lines before it");
	generation_release(&gen);
	buf_release(&text);
}
END_TEST

/* As it comes back from the repository: the leaves' keys, and the CA keys from a vault of theirs.
 */
static void reload(struct generation *again, const struct generation *gen, bool ca_keys)
{
	struct secret keys, cas;
	struct err err = {0};
	struct buf text;

	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(generation_dump(&text, gen, &err), &err);
	ck_ok(generation_dump_keys(&keys, gen, &err), &err);
	ck_ok(generation_dump_ca_keys(&cas, gen, &err), &err);
	ck_ok(generation_load(again, gen->id, arena, text.data, text.len, "g.yml", &keys,
			      "g.vault.yml", &err),
	      &err);
	if (ca_keys)
		ck_ok(generation_load_ca_keys(again, &cas, "g.ca.vault.yml", &err), &err);
	buf_release(&text);
}

START_TEST(one_leaf_more_is_as_good_as_the_others)
{
	struct generation first, gen, other;
	struct err err = {0};
	struct issue_options options = {.id = "g1", .chain = chain, .arena = arena, .sys = &sys};
	struct issue_one server = {.authority = &chain->authorities[0],
				   .server = &chain->authorities[0].servers[0],
				   .name = "db1.example.com",
				   .kind = LEAF_SERVER};
	struct issue_one client = {
		.authority = &chain->authorities[1], .name = "late", .kind = LEAF_CLIENT};
	struct strmap gone = STRMAP_INIT;
	size_t dropped = 0;

	issue(&first, "g1", NULL);
	ck_ok(strmap_put(&gone, "server/db1.example.com", 1, &err), &err);
	ck_ok(strmap_put(&gone, "client/nobody", 1, &err), &err);
	reload(&gen, &first, false);
	ck_assert_int_eq(generation_issue_leaf(&gen, &options, &client, &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "generation g1 has no CA key of 'client'");
	generation_release(&gen);

	reload(&gen, &first, true);
	ck_ok(generation_drop(&dropped, &gen, &gone, &err), &err);
	ck_assert_uint_eq(dropped, 1);
	ck_assert_uint_eq(gen.leaf_count, first.leaf_count - 1);
	ck_assert_ptr_null(generation_leaf(&gen, "server", "db1.example.com"));
	ck_assert_str_eq(generation_leaf(&gen, "client", "postgres")->name, "postgres");
	ck_ok(generation_issue_leaf(&gen, &options, &client, &err), &err);
	ck_ok(generation_issue_leaf(&gen, &options, &server, &err), &err);
	check_leaf(&gen, generation_leaf(&gen, "client", "late"));
	check_leaf(&gen, generation_leaf(&gen, "server", "db1.example.com"));
	ck_assert_int_eq(
		host_matches(generation_leaf(&gen, "server", "db1.example.com")->cert, "10.0.4.42"),
		HOST_MATCH_ADDRESS);
	ck_assert_int_eq(generation_issue_leaf(&gen, &options, &client, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "generation g1 has the leaf client/late twice");

	issue(&other, "g2", &first);
	ck_assert_int_eq(generation_load_ca_keys(&other, &first.root_key, "g2.ca.vault.yml", &err),
			 ERR_FAIL);
	generation_release(&other);
	generation_release(&gen);
	generation_release(&first);
	strmap_release(&gone);
}
END_TEST

Suite *generation_suite(void)
{
	Suite *suite = suite_create("generation");
	TCase *tc = tcase_create("generation");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_first_generation_verifies);
	tcase_add_test(tc, a_successor_covers_what_its_predecessor_had);
	tcase_add_test(tc, a_leaf_that_nobody_describes_gets_a_successor_and_a_warning);
	tcase_add_test(tc, clients_that_get_another_curve_are_named);
	tcase_add_test(tc, authorities_that_do_not_fit_are_named);
	tcase_add_test(tc, the_files_of_a_generation_read_back);
	tcase_add_test(tc, one_leaf_more_is_as_good_as_the_others);
	suite_add_tcase(suite, tc);
	return suite;
}
