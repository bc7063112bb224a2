/* SPDX-License-Identifier: PostgreSQL */
/* A generation's files that are not what they should be, though their sum may be right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/sum.h"
#include "tests/state/suites.h"

#define HEAD "version: 1\ngeneration: \"g1\"\n"

static struct arena *arena;
static struct generation gen, again;
static struct test_chain chain;
static struct err err;

static void setup(void)
{
	err_clear(&err);
	arena = arena_new((size_t)16 << 20);
	ck_assert_ptr_nonnull(arena);
	fixture_generation(&gen, arena, &chain, "g1", BOTH_AUTHORITIES);
	fixture_add_leaf(&gen, arena, &chain, "server", "db1", LEAF_SERVER);
}

static void teardown(void)
{
	generation_release(&gen);
	test_chain_release(&chain);
	arena_free(arena);
}

static void refused(const char *text, const struct secret *keys, const char *why)
{
	ck_assert_int_eq(generation_load(&again, "g1", arena, text, strlen(text), "g1.yml", keys,
					 "g1.vault.yml", &err),
			 ERR_FAIL);
	ck_assert_str_eq(err.msg, why);
	ck_assert_ptr_null(again.id);
}

/* Who edits the file by hand may make the sum anew. */
static void refused_with_sum(const char *text, const char *why)
{
	char sum[SUM_SIZE], whole[4096];

	ck_ok(sum_text(sum, text, strlen(text), &err), &err);
	(void)snprintf(whole, sizeof(whole), "%ssum: \"%s\"\n", text, sum);
	refused(whole, NULL, why);
}

START_TEST(what_is_no_generation_is_refused)
{
	refused_with_sum("version: 2\ngeneration: \"g1\"\ncerts: {}\n",
			 "g1.yml: not a generation of version 1");
	refused_with_sum("version: 1\ngeneration: [g1]\n", "g1.yml: not generation g1");
	refused_with_sum(HEAD, "g1.yml: no certificates");
	refused_with_sum(HEAD "certs: none\n", "g1.yml: no certificates");
	refused_with_sum(HEAD "certs: [server, client]\n", "g1.yml: no certificates");
	refused_with_sum(HEAD "certs: {}\n", "g1.yml: no certificates");
	refused_with_sum(HEAD "certs:\n  server: {db1: x}\n", "g1.yml:4: certs.server: no chain");
	refused_with_sum(HEAD "certs:\n  server: [chain]\n", "g1.yml:4: certs.server: no chain");
	refused_with_sum(HEAD "certs:\n  server:\n    chain: [x]\n",
			 "g1.yml:4: certs.server: no chain");
	refused_with_sum(HEAD "clients:\n  server: [[app]]\ncerts:\n  server: {chain: x}\n",
			 "g1.yml:4: clients.server[0]: no name");
	refused_with_sum(HEAD "certs:\n  server:\n    chain: x\n",
			 "g1.yml:5: certs.server.chain: no certificate in it");
}
END_TEST

/* The file of gen, with one change, and its sum made anew. */
static void refused_changed(const char *from, const char *to, const char *why)
{
	struct buf text;
	char *at, *sum;
	char head[4096];

	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(generation_dump(&text, &gen, &err), &err);
	at = strstr(text.data, from);
	sum = strstr(text.data, "sum: ");
	ck_assert(at != NULL && sum != NULL);
	(void)snprintf(head, sizeof(head), "%.*s%s%.*s", (int)(at - text.data), text.data, to,
		       (int)(sum - at) - (int)strlen(from), at + strlen(from));
	refused_with_sum(head, why);
	buf_release(&text);
}

START_TEST(what_is_no_certificate_is_named_by_its_line)
{
	refused_changed("    \"db1\": |", "    \"db1\": []\n    \"db2\": |",
			"g1.yml:33: certs.server.db1: not a certificate");
	refused_changed("    \"db1\": |", "    \"db1\": x\n    \"db2\": |",
			"g1.yml:33: certs.server.db1: no certificate in it");
}
END_TEST

static void refused_keys(const char *text, const char *why)
{
	struct secret keys;
	struct buf file;

	buf_init(&file, BUF_TEXT_MAX);
	ck_ok(generation_dump(&file, &gen, &err), &err);
	ck_ok(arena_copy(&keys, arena, text, strlen(text), &err), &err);
	refused(file.data, &keys, why);
	secret_wipe(&keys);
	buf_release(&file);
}

START_TEST(keys_that_belong_to_nothing_are_refused)
{
	refused_keys("version: 3\n", "g1.vault.yml: not a generation of version 1");
	refused_keys("version: 1\ngeneration: g2\n", "g1.vault.yml: not generation g1");
	refused_keys(HEAD "private_keys:\n  server:\n    db2: x\n",
		     "g1.vault.yml:5: private_keys.server.db2 has no certificate");
	refused_keys(HEAD "private_keys:\n  server: [x]\n",
		     "g1.vault.yml:4: private_keys.server: no private keys");
	refused_keys(HEAD "private_keys:\n  server:\n    db1: [x]\n",
		     "g1.vault.yml:5: private_keys.server.db1: no private key");
	refused_keys(HEAD "private_keys: [{db1: x}]\n",
		     "g1.vault.yml:3: private_keys: no private keys");
}
END_TEST

START_TEST(nothing_is_in_a_generation_twice)
{
	const struct gen_authority *authority = &gen.authorities[0];
	const struct gen_leaf *leaf = &gen.leaves[0];

	ck_assert_int_eq(generation_add_authority(&gen, "server", authority->chain,
						  strlen(authority->chain), NULL, 0, &err),
			 ERR_FAIL);
	ck_assert_str_eq(err.msg, "generation g1 has the authority 'server' twice");
	ck_assert_int_eq(generation_add_leaf(&gen, "server", "db1", LEAF_SERVER, leaf->pem,
					     strlen(leaf->pem), NULL, 0, &err),
			 ERR_FAIL);
	ck_assert_str_eq(err.msg, "generation g1 has the leaf server/db1 twice");
}
END_TEST

/* The inventory's own spelling of each value, and a CA whose key was not kept. */
START_TEST(odd_source_texts_and_lacking_ca_keys_read_back)
{
	static const char *const raws[] = {" leading\n",  "a\n\nb\n", "a\n \n",
					   "tab\there\n", "a\n",      "line one\nline two\n"};
	struct secret keys, ca_keys;
	struct buf text;

	buf_init(&text, BUF_TEXT_MAX);
	for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++) {
		buf_reset(&text);
		free(gen.leaves[0].raw);
		gen.leaves[0].raw = strdup(raws[i]);
		ck_ok(generation_dump(&text, &gen, &err), &err);
		ck_ok(generation_load(&again, "g1", arena, text.data, text.len, "g1.yml", NULL,
				      NULL, &err),
		      &err);
		ck_assert_str_eq(again.leaves[0].raw, raws[i]);
		generation_release(&again);
	}
	ck_ok(arena_copy(&gen.authorities[1].ca_key, arena, "key", 3, &err), &err);
	ck_ok(generation_dump_keys(&keys, &gen, &err), &err);
	ck_ok(generation_dump_ca_keys(&ca_keys, &gen, &err), &err);
	ck_ok(generation_load(&again, "g1", arena, text.data, text.len, "g1.yml", &keys,
			      "g1.vault.yml", &err),
	      &err);
	ck_ok(generation_load_ca_keys(&again, &ca_keys, "g1.ca.vault.yml", &err), &err);
	ck_assert_ptr_null(again.authorities[0].ca_key.data);
	ck_assert_str_eq(again.authorities[1].ca_key.data, "key");
	generation_release(&again);
	buf_release(&text);
}
END_TEST

Suite *genfile_suite(void)
{
	Suite *suite = suite_create("generation files");
	TCase *tc = tcase_create("generation files");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_no_generation_is_refused);
	tcase_add_test(tc, what_is_no_certificate_is_named_by_its_line);
	tcase_add_test(tc, keys_that_belong_to_nothing_are_refused);
	tcase_add_test(tc, nothing_is_in_a_generation_twice);
	tcase_add_test(tc, odd_source_texts_and_lacking_ca_keys_read_back);
	suite_add_tcase(suite, tc);
	return suite;
}
