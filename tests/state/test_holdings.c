/* SPDX-License-Identifier: PostgreSQL */
/* The inventory's files as they may stand: missing, empty, with each key in a vault of its own. */
#include <stdlib.h>
#include <string.h>

#include "state/holdings_match.h"
#include "tests/state/bed.h"
#include "tests/state/suites.h"

static struct session session;
static struct err err;

/* What holdings_load says of the files as they are committed now. */
static void refused(int code, const char *message, const char *hint)
{
	struct holdings holdings;

	bed_open(&session);
	ck_assert_int_eq(holdings_load(&holdings, &session, &session.base, true, &err), code);
	ck_assert_str_eq(err.msg, message);
	ck_contains(err.hint, hint);
	session_close(&session);
}

START_TEST(a_file_that_is_not_there_is_named)
{
	struct holdings holdings;

	refused(ERR_USAGE, BED_CERTS " is not in the branch main",
		"commit it, or set 'certs' in certrotate.yml");
	bed_write(BED_CERTS, "certs: {}\n");
	bed_commit();
	refused(ERR_USAGE, BED_KEYS " is not in the branch main",
		"commit it, or set 'keys' in certrotate.yml");
	/* A clone that lost an object is no inventory that lost a file. */
	bed_sh("rm -f .git/objects/$(git rev-parse HEAD:" BED_CERTS " | sed 's|^..|&/|')");
	bed_open(&session);
	ck_assert_int_eq(holdings_load(&holdings, &session, &session.base, true, &err), ERR_FAIL);
	ck_contains(err.msg, "cannot read " BED_CERTS " in commit ");
	ck_contains(err.msg, "object not found");
	ck_contains(err.hint, "git fsck");
	session_close(&session);
}
END_TEST

START_TEST(an_inventory_without_a_chain_is_no_generation)
{
	struct holdings holdings;
	struct generation gen;

	bed_write(BED_CERTS, "certs:\n  server: {}\n");
	bed_write(BED_KEYS, "private_keys: {}\n");
	bed_commit();
	bed_open(&session);
	ck_ok(holdings_load(&holdings, &session, &session.base, true, &err), &err);
	ck_assert_int_eq(holdings_snapshot(&gen, &holdings, "g1", NULL, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, BED_CERTS ": no authority with a chain in it");
	ck_assert_str_eq(err.hint, "expected certs.server.chain and certs.client.chain");
	ck_assert_ptr_null(gen.id);
	holdings_release(&holdings);
	session_close(&session);
}
END_TEST

#define CONFIG                                                                                     \
	"version: 1\ndefaults:\n  git: {base: main, push: false}\n  endpoints: []\n"               \
	"  census: {samples: 0}\n  rollout: {trust: [], servers: [], clients: [], prune: []}\n"    \
	"environments: {poc: {}}\n"

START_TEST(without_a_password_no_vault_is_begun)
{
	bed_sh("rm .git/pass");
	ck_assert_int_eq(bed_try(EVENT_FIRST, STATE__MAX, NULL, &err), ERR_FAIL);
	ck_contains(err.msg, "/.git/pass");
	ck_assert_str_ne(err.hint, "");
	bed_sh("echo secret >.git/other");
	bed_write("certrotate.yml", CONFIG);
	bed_write("ansible.cfg", "[defaults]\nvault_identity_list = other@.git/other\n"
				 "vault_encrypt_identity = prod\n");
	bed_commit();
	err_clear(&err);
	ck_assert_int_eq(bed_try(EVENT_FIRST, STATE__MAX, NULL, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "there is no vault password for vault_encrypt_identity 'prod'");
	ck_contains(err.hint, "vault_identity_list");
}
END_TEST

/* The keys file with each key as "!vault |", as a colleague of ansible-vault encrypt_string has it.
 */
static void encrypt_each(void)
{
	struct holdings holdings;
	struct buf file, vault;
	const char *authority = "";
	char *rest;

	bed_open(&session);
	ck_ok(holdings_load(&holdings, &session, &session.base, true, &err), &err);
	buf_init(&file, BUF_TEXT_MAX);
	buf_init(&vault, BUF_TEXT_MAX);
	buf_adds(&file, "---\n# each for itself\nprivate_keys:\n");
	for (size_t i = 0; i < certs_count(holdings.keys.certs); i++) {
		const struct certs_entry *entry = certs_at(holdings.keys.certs, i);
		struct secret pem;

		ck_ok(arena_copy(&pem, session.arena, entry->value, entry->len, &err), &err);
		buf_reset(&vault);
		ck_ok(vault_encrypt(&vault, &pem, &session.passwords.items[0], NULL, session.sys,
				    &err),
		      &err);
		if (strcmp(authority, entry->authority) != 0)
			buf_addf(&file, "  %s:\n", entry->authority);
		authority = entry->authority;
		buf_addf(&file, "    %s: !vault |\n", entry->name);
		for (char *line = strtok_r(vault.data, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			buf_addf(&file, "        %s\n", line);
	}
	bed_write(BED_KEYS, file.data);
	holdings_release(&holdings);
	buf_release(&file);
	buf_release(&vault);
	session_close(&session);
	bed_commit();
}

/* Whether the keys that the inventory holds fit its certificates. */
static void keys_fit(size_t count)
{
	struct holdings holdings;
	struct generation gen;

	bed_open(&session);
	ck_ok(holdings_load(&holdings, &session, &session.base, true, &err), &err);
	ck_ok(holdings_snapshot(&gen, &holdings, "g9", NULL, &err), &err);
	ck_assert_uint_eq(gen.leaf_count, count);
	for (size_t i = 0; i < gen.leaf_count; i++) {
		struct key *key = NULL;

		ck_ok(key_from_pem(&key, &gen.leaves[i].key, gen.leaves[i].name, &err), &err);
		ck_assert(key_matches(key, gen.leaves[i].cert));
		key_free(key);
	}
	generation_release(&gen);
	holdings_release(&holdings);
	session_close(&session);
}

/* How often a text occurs. */
static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
		count++;
	return count;
}

START_TEST(keys_in_vaults_of_their_own_come_and_go)
{
	char *before, *switched, *after;

	bed_reach(STATE_IDLE);
	/* As an inventory that certrotate has not seen yet. */
	bed_sh("git rm -qr .certrotate");
	encrypt_each();
	keys_fit(4);
	before = bed_read(BED_KEYS);
	bed_run(EVENT_NEXT, STATE_TRUSTED);
	after = bed_read(BED_KEYS);
	ck_assert(!strcmp(after, before));
	free(after);
	/* One that comes gets a vault of its own as well. */
	bed_change(BED_CHAIN, "db2.example.com: []", "db2.example.com: [], db3.example.com: []");
	bed_run(EVENT_NEXT, STATE_SERVERS_SWITCHED);
	keys_fit(5);
	switched = bed_read(BED_KEYS);
	ck_assert_uint_eq(count_of(switched, "!vault |"), 5);
	ck_assert_ptr_null(strstr(switched, "PRIVATE"));
	ck_assert(!strcmp(strstr(switched, "  client:"), strstr(before, "  client:")));
	/* Back again: each vault is the very text that it was. */
	bed_change(BED_CHAIN, ", db3.example.com: []", "");
	bed_run(EVENT_REVERT, STATE_TRUSTED);
	keys_fit(5);
	after = bed_read(BED_KEYS);
	ck_assert(!strcmp(strstr(after, "  client:"), strstr(before, "  client:")));
	*strstr(after, "    db3.example.com: ") = '\0';
	*strstr(before, "  client:") = '\0';
	ck_assert(!strcmp(after, before));
	free(before);
	free(switched);
	free(after);
}
END_TEST

/* A whole file's keys have no vault to be given back: they get a new one. */
START_TEST(a_file_that_was_split_into_vaults_is_gone_on_with)
{
	char *text;

	bed_reach(STATE_SERVERS_SWITCHED);
	encrypt_each();
	bed_run(EVENT_REVERT, STATE_TRUSTED);
	keys_fit(4);
	text = bed_read(BED_KEYS);
	ck_assert_uint_eq(count_of(text, "!vault |"), 4);
	free(text);
}
END_TEST

Suite *holdings_suite(void)
{
	Suite *suite = suite_create("holdings");
	TCase *tc = bed_case("holdings");

	tcase_add_test(tc, a_file_that_is_not_there_is_named);
	tcase_add_test(tc, an_inventory_without_a_chain_is_no_generation);
	tcase_add_test(tc, without_a_password_no_vault_is_begun);
	tcase_add_test(tc, keys_in_vaults_of_their_own_come_and_go);
	tcase_add_test(tc, a_file_that_was_split_into_vaults_is_gone_on_with);
	suite_add_tcase(suite, tc);
	return suite;
}
