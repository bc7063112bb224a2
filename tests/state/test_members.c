/* SPDX-License-Identifier: PostgreSQL */
/* Who comes and goes in the middle of a rotation, and who cannot. */
#include <stdlib.h>
#include <string.h>

#include "pki/verify.h"
#include "state/holdings_match.h"
#include "tests/state/bed.h"
#include "tests/state/suites.h"

#define SERVERS "  - {name: server, servers: {db1.example.com: [], db2.example.com: []"
#define CLIENTS "  - {name: client, clients: [app, postgres"

static struct session session;
static struct plan plan;
static struct err err;

static void release(void)
{
	plan_release(&plan);
	session_close(&session);
}

static void edit_file(const struct holding *holding, const struct certs_change *change)
{
	struct secret_buf clear;
	struct secret text;
	struct buf out;

	buf_init(&out, BUF_TEXT_MAX);
	if (!holding->vault) {
		ck_ok(certs_edit(&out, holding->certs, change, 1, &err), &err);
	} else {
		secret_buf_init(&clear, session.arena);
		ck_ok(certs_edit_secret(&clear, holding->certs, change, 1, &err), &err);
		ck_ok(secret_buf_done(&text, &clear, "keys", &err), &err);
		ck_ok(vault_encrypt(&out, &text, &session.passwords.items[0], NULL, session.sys,
				    &err),
		      &err);
		secret_wipe(&text);
	}
	bed_write(holding->path, out.data);
	buf_release(&out);
}

/* What a colleague does by hand; text NULL takes the value out. */
static void put_value(enum certs_kind kind, const char *authority, const char *name,
		      const char *text)
{
	struct certs_change change = {.verb = text ? CERTS_INSERT : CERTS_REMOVE,
				      .kind = kind,
				      .authority = authority,
				      .name = name,
				      .text = text,
				      .len = text ? strlen(text) : 0};
	struct holdings holdings;

	bed_open(&session);
	ck_ok(holdings_load(&holdings, &session, &session.base, true, &err), &err);
	edit_file(kind == CERTS_KEY ? &holdings.keys : &holdings.certs, &change);
	holdings_release(&holdings);
	session_close(&session);
	bed_commit();
}

static void take_out(const char *authority, const char *name)
{
	put_value(CERTS_LEAF, authority, name, NULL);
	put_value(CERTS_KEY, authority, name, NULL);
}

/* A certificate with the extended usages of the authority's, signed by that generation; and its
 * key. */
static void put_leaf(const char *id, const char *authority, const char *name,
		     const char *const *usages)
{
	struct generation gen;
	const struct gen_authority *signer;
	struct key *key = NULL, *ca_key = NULL;
	struct cert *cert = NULL;
	struct strs ext_usages = STRS_INIT;
	struct dn subject = DN_INIT;
	struct issue_spec spec = {.subject = &subject, .ext_usages = &ext_usages};
	struct secret pem_key;
	struct buf pem;

	bed_open(&session);
	ck_ok(session_generation(&gen, &session, id, true, &err), &err);
	ck_ok(session_ca_keys(&gen, &session, &err), &err);
	signer = generation_authority(&gen, authority);
	ck_ok(key_from_pem(&ca_key, &signer->ca_key, authority, &err), &err);
	ck_ok(key_generate(&key, KEY_ECDSA_P256, &err), &err);
	ck_ok(dn_set_cn(&subject, name, &err), &err);
	for (; *usages; usages++)
		ck_ok(strs_add(&ext_usages, *usages, &err), &err);
	spec.sys = session.sys;
	spec.key = key;
	spec.issuer = signer->bundle.items[0];
	spec.issuer_key = ca_key;
	spec.not_after = session.sys->now(session.sys) + TEST_DAY;
	ck_ok(cert_issue(&cert, &spec, &err), &err);
	buf_init(&pem, BUF_TEXT_MAX);
	ck_ok(cert_to_pem(&pem, cert, &err), &err);
	ck_ok(key_to_pem(&pem_key, session.arena, key, &err), &err);
	{
		struct holdings holdings;
		struct certs_change change = {.verb = CERTS_INSERT,
					      .kind = CERTS_LEAF,
					      .authority = authority,
					      .name = name,
					      .text = pem.data,
					      .len = pem.len};

		ck_ok(holdings_load(&holdings, &session, &session.base, true, &err), &err);
		edit_file(&holdings.certs, &change);
		change.kind = CERTS_KEY;
		change.text = pem_key.data;
		change.len = pem_key.len;
		edit_file(&holdings.keys, &change);
		holdings_release(&holdings);
	}
	buf_release(&pem);
	cert_free(cert);
	key_free(key);
	key_free(ca_key);
	dn_release(&subject);
	strs_release(&ext_usages);
	generation_release(&gen);
	session_close(&session);
	bed_commit();
}

static void drifts(enum event event, const char *subject, const char *reason, const char *advice)
{
	err_clear(&err);
	ck_assert_int_eq(bed_plan(&plan, &session, event, true, &err), ERR_DRIFT);
	ck_contains(err.msg, subject);
	ck_contains(err.msg, reason);
	ck_contains(err.hint, advice);
	session_close(&session);
}

static void added(const char *subject, const char *reason)
{
	const struct finding *finding = bed_finding(&plan.findings, "leaf-added", subject);

	ck_assert_msg(finding != NULL, "nothing is said of %s", subject);
	ck_assert_int_eq(finding->severity, SEVERITY_WARNING);
	ck_contains(finding->reason, reason);
}

static const char *const client_only[] = {"clientAuth", NULL};
static const char *const server_only[] = {"serverAuth", NULL};
static const char *const both[] = {"serverAuth", "clientAuth", NULL};

/* One that only the old chain's CA has signed gets its successor; what it is for is in it. */
START_TEST(who_comes_with_a_certificate_is_taken_in_as_what_it_is)
{
	bed_reach(STATE_GENERATED);
	put_leaf("g2", "client", "early", client_only);
	drifts(EVENT_NEXT, "certs.client.early",
	       "came with a certificate of the new chain, which nobody trusts yet",
	       "take it out of " BED_CERTS " again");
	take_out("client", "early");
	put_leaf("g1", "client", "late", client_only);
	put_leaf("g1", "client", "odd", both);
	put_leaf("g1", "server", "db3.example.com", both);
	put_leaf("g1", "server", "db4.example.com", server_only);
	bed_describe(SERVERS ", db4.example.com: [10.0.0.4]}}\n" CLIENTS ", late]}\n");
	bed_commit();
	ck_ok(bed_plan(&plan, &session, EVENT_NEXT, false, &err), &err);
	added("client late", "it is taken in, and gets its successor");
	ck_assert_int_eq(generation_leaf(&plan.new_gen, "client", "late")->kind, LEAF_CLIENT);
	ck_assert_int_eq(generation_leaf(&plan.new_gen, "client", "odd")->kind, LEAF_CLIENT);
	ck_assert_int_eq(generation_leaf(&plan.new_gen, "server", "db3.example.com")->kind,
			 LEAF_SERVER);
	ck_assert_int_eq(generation_leaf(&plan.new_gen, "server", "db4.example.com")->kind,
			 LEAF_SERVER);
	ck_assert_int_eq(
		host_matches(generation_leaf(&plan.new_gen, "server", "db4.example.com")->cert,
			     "10.0.0.4"),
		HOST_MATCH_ADDRESS);
	release();
}
END_TEST

START_TEST(without_the_new_ca_nobody_can_be_taken_in)
{
	bed_reach(STATE_GENERATED);
	put_leaf("g1", "client", "late", client_only);
	bed_sh("git mv .certrotate/poc/g2.ca.vault.yml .certrotate/poc/kept && git commit -qm "
	       "gone");
	drifts(EVENT_NEXT, "certs.client.late",
	       "new, and it can get no certificate of generation g2: its CA key was not kept",
	       "take it out of " BED_CHAIN " and " BED_CERTS " until the rotation has ended");
	/* A CA's vault that cannot be read is no CA that was not kept. */
	bed_sh("git mv .certrotate/poc/kept .certrotate/poc/g2.ca.vault.yml");
	bed_change(".certrotate/poc/g2.ca.vault.yml", "AES256\n", "AES256\nzz");
	err_clear(&err);
	ck_assert_int_eq(bed_plan(&plan, &session, EVENT_NEXT, true, &err), ERR_FAIL);
	ck_contains(err.msg, ".certrotate/poc/g2.ca.vault.yml");
	session_close(&session);
	/* The old one's is asked for last. */
	bed_change(".certrotate/poc/g2.ca.vault.yml", "AES256\nzz", "AES256\n");
	take_out("client", "late");
	bed_describe(SERVERS "}}\n" CLIENTS ", new]}\n");
	bed_change(".certrotate/poc/g1.ca.vault.yml", "AES256\n", "AES256\nzz");
	err_clear(&err);
	ck_assert_int_eq(bed_plan(&plan, &session, EVENT_NEXT, true, &err), ERR_FAIL);
	ck_contains(err.msg, ".certrotate/poc/g1.ca.vault.yml");
	session_close(&session);
}
END_TEST

/* For the next rotation, and no business of this one. */
START_TEST(what_this_rotation_has_no_authority_for_waits)
{
	bed_reach(STATE_GENERATED);
	bed_describe(SERVERS "}}\n" CLIENTS "]}\n  - {name: spare, clients: [standby]}\n");
	bed_commit();
	ck_ok(bed_plan(&plan, &session, EVENT_NEXT, false, &err), &err);
	ck_assert_ptr_null(bed_finding(&plan.findings, "leaf-added", NULL));
	release();
	/* On the way back nobody is waited for. */
	bed_describe(SERVERS "}}\n" CLIENTS ", new]}\n");
	bed_commit();
	ck_ok(bed_plan(&plan, &session, EVENT_REVERT, false, &err), &err);
	ck_assert_ptr_null(bed_finding(&plan.findings, "leaf-added", NULL));
	release();
	ck_ok(bed_plan(&plan, &session, EVENT_NEXT, false, &err), &err);
	added("client new", "it gets certificates of the generations g1 and g2 with this phase");
	release();
	/* A value that is no certificate is drift, and no arrival. */
	put_value(CERTS_LEAF, "client", "junk", "junk\n");
	drifts(EVENT_NEXT, "certs.client.junk", "added while a rotation is under way",
	       "take it out until the rotation has ended");
}
END_TEST

/* Left behind, and then taken out of the inventory: nobody waits for it any more. */
START_TEST(who_was_left_behind_and_goes_is_forgotten)
{
	bed_reach(STATE_GENERATED);
	ck_ok(bed_try(EVENT_NEXT, STATE__MAX, "hosts=db1:down\nhosts=db2:down", &err), &err);
	bed_open(&session);
	ck_assert_uint_eq(session.store.behind.count, 2);
	session_close(&session);
	bed_describe("  - {name: server, servers: {db1.example.com: []}}\n" CLIENTS "]}\n");
	take_out("server", "db2.example.com");
	ck_ok(bed_plan(&plan, &session, EVENT_NEXT, true, &err), &err);
	ck_assert_ptr_nonnull(
		bed_finding(&plan.findings, "leaf-removed", "server db2.example.com"));
	ck_assert_uint_eq(session.store.behind.count, 1);
	ck_assert_str_eq(session.store.behind.items[0], "db1.example.com");
	release();
}
END_TEST

Suite *members_suite(void)
{
	Suite *suite = suite_create("members");
	TCase *tc = bed_case("members");

	tcase_add_test(tc, who_comes_with_a_certificate_is_taken_in_as_what_it_is);
	tcase_add_test(tc, without_the_new_ca_nobody_can_be_taken_in);
	tcase_add_test(tc, what_this_rotation_has_no_authority_for_waits);
	tcase_add_test(tc, who_was_left_behind_and_goes_is_forgotten);
	suite_add_tcase(suite, tc);
	return suite;
}
