/* SPDX-License-Identifier: PostgreSQL */
/* What is said of each way in which the inventory is not what the state says. */
#include <stdlib.h>
#include <string.h>

#include "state/drift.h"
#include "tests/state/bed.h"
#include "tests/state/suites.h"

static struct err err;
static struct session session;
static struct generation old_gen, new_gen;
static struct target target;
static struct holdings holdings;
static struct strmap spared;
static struct findings found;

/* Once: what follows changes no file. */
static void prepare(void)
{
	bed_make();
	bed_reach(STATE_TRUSTED);
}

/* Secrets do not survive a fork: each test opens them itself. */
static void setup(void)
{
	err_clear(&err);
	spared = (struct strmap)STRMAP_INIT;
	found = (struct findings)FINDINGS_INIT;
	bed_open(&session);
	ck_ok(session_generation(&old_gen, &session, "g1", true, &err), &err);
	ck_ok(session_generation(&new_gen, &session, "g2", true, &err), &err);
	ck_ok(target_init(&target, STATE_TRUSTED, &old_gen, &new_gen, &err), &err);
	ck_ok(holdings_load(&holdings, &session, &session.base, true, &err), &err);
	/* The keys as a text like any other, so that one edit does for both files. */
	certs_close(holdings.keys.certs);
	ck_ok(certs_open(&holdings.keys.certs, holdings.keys.clear.data, holdings.keys.clear.len,
			 holdings.keys.path, NULL, &err),
	      &err);
}

static void teardown(void)
{
	findings_release(&found);
	strmap_release(&spared);
	holdings_release(&holdings);
	target_release(&target);
	generation_release(&new_gen);
	generation_release(&old_gen);
	session_close(&session);
}

/* What somebody does by hand. */
static void change(enum certs_verb verb, enum certs_kind kind, const char *authority,
		   const char *name, const char *text)
{
	struct holding *holding = kind == CERTS_KEY ? &holdings.keys : &holdings.certs;
	const struct certs_change by_hand = {.verb = verb,
					     .kind = kind,
					     .authority = authority,
					     .name = name,
					     .text = text,
					     .len = text ? strlen(text) : 0};
	struct buf edited;

	buf_init(&edited, BUF_TEXT_MAX);
	ck_ok(certs_edit(&edited, holding->certs, &by_hand, 1, &err), &err);
	certs_close(holding->certs);
	buf_release(&holding->text);
	holding->text = edited;
	ck_ok(certs_open(&holding->certs, holding->text.data, holding->text.len, holding->path,
			 NULL, &err),
	      &err);
}

static void set(enum certs_kind kind, const char *authority, const char *name, const char *text)
{
	change(CERTS_SET, kind, authority, name, text);
}

static void look(void)
{
	const struct drift_input in = {
		.session = &session, .holdings = &holdings, .target = &target, .spared = &spared};

	ck_ok(drift_look(&found, &in, &err), &err);
}

static void is_finding(size_t at, const char *subject, const char *reason, const char *advice)
{
	ck_assert_uint_gt(found.count, at);
	ck_assert_str_eq(found.items[at].check, "drift");
	ck_assert_int_eq(found.items[at].severity, SEVERITY_BLOCK);
	ck_assert_str_eq(found.items[at].subject, subject);
	ck_contains(found.items[at].reason, reason);
	ck_contains(found.items[at].advice, advice);
}

/* The one value that is not right, and why. */
static void drifts(const char *subject, const char *reason)
{
	look();
	ck_assert_uint_eq(found.count, 1);
	is_finding(0, subject, reason, "take the value back ('git log -p -- environments/poc/");
	findings_release(&found);
}

static char *joined(const char *first, const char *second)
{
	char *text = str_fmt("%s%s%s", first, str_ends(first, "\n") ? "" : "\n", second);

	ck_assert_ptr_nonnull(text);
	return text;
}

static const struct gen_leaf *app(const struct generation *gen)
{
	return generation_leaf(gen, "client", "app");
}

START_TEST(what_is_right_is_no_drift)
{
	look();
	ck_assert_uint_eq(found.count, 0);
	ck_ok(drift_refuse(&found, &err), &err);
}
END_TEST

START_TEST(a_certificate_is_told_by_what_it_is)
{
	char *more = joined(app(&old_gen)->pem, generation_authority(&old_gen, "client")->chain);

	set(CERTS_LEAF, "client", "app", more);
	drifts("certs.client.app",
	       "not what the state says it is: generation g1's certificate, with other ones around "
	       "it (state trusted)");
	set(CERTS_LEAF, "client", "app", app(&new_gen)->pem);
	drifts("certs.client.app",
	       "generation g2's certificate, where the state says the other one's");
	set(CERTS_LEAF, "client", "app", "nothing");
	drifts("certs.client.app", "no list of certificates: ");
	free(more);
}
END_TEST

START_TEST(a_bundle_is_told_by_what_it_has)
{
	const char *older = generation_authority(&old_gen, "client")->chain;
	const char *newer = generation_authority(&new_gen, "client")->chain;
	char *turned = joined(older, newer), *other;
	struct test_chain stranger = {0};
	struct buf pem;

	set(CERTS_CHAIN, "client", NULL, newer);
	drifts("certs.client.chain",
	       "a bundle that lacks 'O=Acme, CN=client G1' and 1 more (state trusted)");
	set(CERTS_CHAIN, "client", NULL, turned);
	drifts("certs.client.chain",
	       "a bundle that has its certificates in another order, or twice (state trusted)");
	test_chain_init(&stranger, "stranger");
	buf_init(&pem, BUF_TEXT_MAX);
	ck_ok(bundle_to_pem(&pem, &stranger.bundle, &err), &err);
	other = joined(newer, pem.data);
	set(CERTS_CHAIN, "client", NULL, other);
	drifts("certs.client.chain",
	       "a bundle that lacks 'O=Acme, CN=client G1' and 1 more and has "
	       "in addition 'O=Acme, CN=stranger' and 1 more (state trusted)");
	buf_release(&pem);
	test_chain_release(&stranger);
	free(other);
	free(turned);
}
END_TEST

START_TEST(a_key_is_told_by_what_it_opens)
{
	char *commented = joined("the key of app", app(&old_gen)->key.data);

	set(CERTS_KEY, "client", "app", "nothing");
	drifts("private_keys.client.app", "not what the state says it is: no private key (state");
	set(CERTS_KEY, "client", "app", app(&new_gen)->key.data);
	drifts("private_keys.client.app",
	       "generation g2's key, where the state says the other one's");
	set(CERTS_KEY, "client", "app", commented);
	drifts("private_keys.client.app", "the right key, written in another form");
	set(CERTS_KEY, "client", "app", generation_leaf(&old_gen, "client", "postgres")->key.data);
	drifts("private_keys.client.app", "another key, put there by hand");
	free(commented);
}
END_TEST

START_TEST(what_is_added_or_missing_is_named)
{
	change(CERTS_INSERT, CERTS_LEAF, "client", "late", "nothing yet");
	change(CERTS_INSERT, CERTS_CHAIN, "replica", NULL, old_gen.authorities[0].chain);
	change(CERTS_REMOVE, CERTS_CHAIN, "server", NULL, NULL);
	change(CERTS_REMOVE, CERTS_LEAF, "server", "db2.example.com", NULL);
	look();
	ck_assert_uint_eq(found.count, 4);
	is_finding(0, "certs.client.late", "added while a rotation is under way (state trusted)",
		   "put the host or user into " BED_CHAIN ": then it gets its certificates");
	is_finding(1, "certs.replica.chain", "added while a rotation is under way",
		   "take replica out until the rotation has ended: a new authority is for the next "
		   "one");
	is_finding(2, "certs.server.chain", "the inventory has no bundle for it any more",
		   "take the value back");
	is_finding(3, "certs.server.db2.example.com",
		   "the rotation under way has it, the inventory does not",
		   "where the host or user is to go, take it out of " BED_CHAIN);
}
END_TEST

START_TEST(many_values_are_counted)
{
	ck_ok(strmap_put(&spared, "server/db1.example.com", 1, &err), &err);
	for (size_t i = 0; i < old_gen.leaf_count; i++) {
		const struct gen_leaf *leaf = &old_gen.leaves[i];

		set(CERTS_LEAF, leaf->authority, leaf->name, "nothing");
		set(CERTS_KEY, leaf->authority, leaf->name, "nothing");
	}
	look();
	ck_assert_uint_eq(found.count, 6);
	is_finding(5, BED_CERTS, "1 more value is not what the state says",
		   "'git log -p' shows them all");
	set(CERTS_CHAIN, "client", NULL, old_gen.authorities[0].chain);
	findings_release(&found);
	look();
	is_finding(5, BED_CERTS, "2 more values are not what the state says", "git log");
	ck_assert_int_eq(drift_refuse(&found, &err), ERR_DRIFT);
	ck_contains(err.msg, "certs.server.db2.example.com: " BED_CERTS);
	ck_contains(err.msg,
		    "; and others: certs.client.chain, certs.client.app, certs.client.postgres, "
		    "private_keys.server.db2.example.com, " BED_CERTS);
	ck_contains(err.hint, "take the value back");
}
END_TEST

Suite *drift_suite(void)
{
	Suite *suite = suite_create("drift");
	TCase *tc = tcase_create("drift");

	tcase_add_unchecked_fixture(tc, prepare, bed_remove);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_right_is_no_drift);
	tcase_add_test(tc, a_certificate_is_told_by_what_it_is);
	tcase_add_test(tc, a_bundle_is_told_by_what_it_has);
	tcase_add_test(tc, a_key_is_told_by_what_it_opens);
	tcase_add_test(tc, what_is_added_or_missing_is_named);
	tcase_add_test(tc, many_values_are_counted);
	suite_add_tcase(suite, tc);
	return suite;
}
