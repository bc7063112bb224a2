/* SPDX-License-Identifier: PostgreSQL */
/* What the proof is given: who was left behind with what, and by which names servers are known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/behind.h"
#include "state/prove.h"
#include "tests/state/suites.h"

#define DB1 "db1.example.com"
#define DB3 "db3.example.com"

static struct sys clocks;
static struct arena *arena;
static struct environment environment;
static struct session session;
static struct plan plan;
static struct err err;

static void make(struct generation *gen, const char *id)
{
	struct test_chain chain = {0};

	fixture_generation(gen, arena, &chain, id, (const char *const[]){"all", NULL});
	fixture_add_leaf(gen, arena, &chain, "all", DB1, LEAF_SERVER);
	fixture_add_leaf(gen, arena, &chain, "all", DB3, LEAF_SERVER);
	fixture_add_leaf(gen, arena, &chain, "all", "app", LEAF_CLIENT);
	fixture_add_leaf(gen, arena, &chain, "all", "report", LEAF_CLIENT);
	test_chain_release(&chain);
}

static void setup(void)
{
	sys_init(&clocks);
	memset(&err, 0, sizeof(err));
	memset(&session, 0, sizeof(session));
	memset(&environment, 0, sizeof(environment));
	memset(&plan, 0, sizeof(plan));
	arena = arena_new(1 << 20);
	environment.name = (char *)"poc";
	environment.census_quiet = 86400;
	session.sys = &clocks;
	session.env = &environment;
	ck_ok(store_init(&session.store, "poc", STATE_IDLE, &err), &err);
	ck_ok(store_set(&session.store.rotation, "r2", &err), &err);
	make(&plan.old_gen, "g1");
	make(&plan.new_gen, "g2");
	plan.has_old = plan.has_new = true;
}

static void teardown(void)
{
	plan_release(&plan);
	chain_free(session.chain);
	store_release(&session.store);
	arena_free(arena);
}

/* A phase that has ended; host NULL: nobody was left out. */
static void add_history(const char *rotation, const char *phase, const char *from, const char *host)
{
	struct json *entry = js_new_object(), *waivers = js_new_array(), *waiver = js_new_object();

	ck_assert_int_eq(js_set_str(entry, "rotation", rotation), 0);
	(void)js_set_str(entry, "phase", phase);
	(void)js_set_str(entry, "from", from);
	(void)js_set_str(waiver, "gate", "hosts");
	(void)js_set_str(waiver, "subject", host ? host : "db9.example.com");
	(void)js_push(waivers, waiver);
	(void)js_set(entry, "waivers", waivers);
	ck_assert_int_eq(js_push(session.store.history, entry), 0);
}

static void prove(enum state from, enum event event)
{
	enum state to;

	plan.row = *table_find(from, event);
	to = plan.row.to;
	ck_ok(target_init(&plan.from, from, &plan.old_gen, &plan.new_gen, &err), &err);
	if (to == STATE_IDLE)
		ck_ok(target_init(&plan.to, to, &plan.new_gen, NULL, &err), &err);
	else
		ck_ok(target_init(&plan.to, to, &plan.old_gen, &plan.new_gen, &err), &err);
	ck_ok(prove_transition(&plan, &session, &err), &err);
}

static void expect(enum severity severity, const char *check, const char *subject, const char *part)
{
	for (size_t i = 0; i < plan.findings.count; i++) {
		const struct finding *f = &plan.findings.items[i];

		if (f->severity == severity && !strcmp(f->check, check) &&
		    !strcmp(f->subject, subject) && strstr(f->reason, part))
			return;
	}
	for (size_t i = 0; i < plan.findings.count; i++)
		(void)fprintf(stderr, "%s %s: %s\n", plan.findings.items[i].check,
			      plan.findings.items[i].subject, plan.findings.items[i].reason);
	ck_abort_msg("no finding %s about %s with '%s'", check, subject, part);
}

START_TEST(a_phase_that_leaves_nobody_out_is_proven)
{
	prove(STATE_GENERATED, EVENT_NEXT);
	ck_assert_uint_eq(plan.findings.count, 0);
	/* four old leaves and two bundles; a handshake each, and TLS 1.2 once for each side */
	ck_assert_uint_eq(plan.proof.leaves, 4);
	ck_assert_uint_eq(plan.proof.pairs, 8);
	ck_assert_uint_eq(plan.proof.handshakes, 6);
	ck_assert_int_ge(plan.proof.ms, 0);
}
END_TEST

START_TEST(a_host_left_behind_holds_what_its_first_missed_phase_started_from)
{
	ck_assert_int_eq(behind_state(&session.store, DB3), STATE__MAX);
	add_history("r2", "trust", "generated", NULL);
	ck_assert_int_eq(behind_state(&session.store, DB3), STATE__MAX);
	add_history("r2", "servers", "trusted", "db3");
	add_history("r2", "clients", "servers-switched", DB3);
	ck_assert_int_eq(behind_state(&session.store, DB3), STATE_TRUSTED);
	ck_assert_int_eq(behind_state(&session.store, DB1), STATE__MAX);
	/* a name that only begins alike is another host's */
	ck_assert_int_eq(behind_state(&session.store, "db30.example.com"), STATE__MAX);
}
END_TEST

START_TEST(a_host_left_behind_in_an_earlier_rotation_has_the_old_chain)
{
	add_history("r1", "trust", "trusted", DB3);
	add_history("r2", "trust", "generated", DB3);
	ck_assert_int_eq(behind_state(&session.store, DB3), STATE_GENERATED);
	add_history("r2", "emergency", "trusted", DB3);
	ck_assert_int_eq(behind_state(&session.store, DB3), STATE__MAX);
}
END_TEST

START_TEST(what_a_host_has_that_is_left_out_again_is_proven)
{
	ck_ok(strs_add(&session.store.behind, DB3, &err), &err);
	ck_ok(strs_add(&plan.skip, DB3, &err), &err);
	add_history("r2", "trust", "generated", DB3);
	add_history("r2", "servers", "trusted", DB3);
	prove(STATE_SERVERS_SWITCHED, EVENT_NEXT);
	expect(SEVERITY_BLOCK, "behind", "host " DB3,
	       "left behind, it still has the bundle from before and would refuse the new "
	       "certificates of 2 clients (app, report): the bundle lacks the issuer of");
	/* clients on it hold that bundle, too: they refuse the servers that have switched */
	expect(SEVERITY_WARNING, "behind", "host " DB3,
	       "left behind, clients on it still have the bundle from before and already today "
	       "refuse the new certificates of 2 servers (" DB1 ", " DB3 ")");
	ck_assert_uint_eq(plan.findings.count, 2);
}
END_TEST

START_TEST(a_prune_with_a_host_behind_blocks_and_names_it)
{
	ck_ok(strs_add(&session.store.behind, DB3, &err), &err);
	ck_ok(strs_add(&plan.skip, DB3, &err), &err);
	add_history("r2", "trust", "generated", NULL);
	add_history("r2", "servers", "trusted", DB3);
	add_history("r2", "clients", "servers-switched", DB3);
	prove(STATE_CLIENTS_SWITCHED, EVENT_NEXT);
	expect(SEVERITY_BLOCK, "behind", "host " DB3,
	       "left behind, it still has its old certificate, which clients that hold the bundle "
	       "'new' would refuse: the bundle lacks the issuer of");
	expect(SEVERITY_WARNING, "behind", "clients",
	       "what was left behind (" DB3 ") may still hold the old certificates of 2 clients");
	expect(SEVERITY_WARNING, "behind", "host " DB3,
	       "it is given up: it goes on trusting the old chain");
	ck_assert_uint_eq(findings_count(&plan.findings, SEVERITY_BLOCK), 1);
}
END_TEST

START_TEST(two_hosts_left_behind_together_have_the_same)
{
	ck_ok(strs_add(&session.store.behind, DB1, &err), &err);
	ck_ok(strs_add(&session.store.behind, DB3, &err), &err);
	ck_ok(strs_copy(&plan.skip, &session.store.behind, &err), &err);
	add_history("r2", "trust", "generated", DB1);
	add_history("r2", "trust", "generated", DB3);
	prove(STATE_TRUSTED, EVENT_NEXT);
	for (int i = 0; i < 2; i++)
		expect(SEVERITY_BLOCK, "behind", i ? "host " DB3 : "host " DB1,
		       "clients on it still have the bundle from before and would refuse the new "
		       "certificates of 2 servers");
}
END_TEST

/* An intermediate that the old chain did not have comes with a host in the middle of a rotation. */
START_TEST(an_authority_of_the_new_chain_alone_has_no_bundle_yet)
{
	struct test_chain chain = {0};
	struct buf text;

	test_chain_init(&chain, "more");
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(bundle_to_pem(&text, &chain.bundle, &err), &err);
	ck_ok(generation_add_authority(&plan.new_gen, "more", text.data, text.len, NULL, 0, &err),
	      &err);
	fixture_add_leaf(&plan.new_gen, arena, &chain, "more", "db9.example.com", LEAF_SERVER);
	prove(STATE_GENERATED, EVENT_NEXT);
	ck_assert_uint_eq(plan.findings.count, 0);
	buf_release(&text);
	test_chain_release(&chain);
}
END_TEST

/* The order of a phase is: whoever is behind first. Nothing of it is this transition's then. */
START_TEST(a_host_that_will_be_brought_up_to_date_is_named)
{
	ck_ok(strs_add(&session.store.behind, DB3, &err), &err);
	add_history("r2", "trust", "generated", DB3);
	prove(STATE_TRUSTED, EVENT_NEXT);
	expect(SEVERITY_WARNING, "behind", "host " DB3, "it is brought up to date first");
	ck_assert_uint_eq(plan.findings.count, 1);
}
END_TEST

START_TEST(where_the_history_does_not_tell_both_are_proven)
{
	ck_ok(strs_add(&session.store.behind, DB3, &err), &err);
	ck_ok(strs_add(&plan.skip, DB3, &err), &err);
	prove(STATE_SERVERS_SWITCHED, EVENT_NEXT);
	expect(SEVERITY_WARNING, "behind", "host " DB3, "the history does not tell");
	expect(SEVERITY_BLOCK, "behind", "host " DB3, "would refuse the new certificates");
}
END_TEST

START_TEST(a_revert_with_a_host_left_behind_is_proven)
{
	ck_ok(strs_add(&session.store.behind, DB3, &err), &err);
	ck_ok(strs_add(&plan.skip, DB3, &err), &err);
	add_history("r2", "clients", "clients-switched", DB3);
	add_history("r2", "servers", "servers-switched", DB3);
	plan.row = *table_find(STATE_TRUSTED, EVENT_REVERT);
	ck_ok(target_init(&plan.from, STATE_TRUSTED, &plan.old_gen, &plan.new_gen, &err), &err);
	ck_ok(target_init(&plan.to, STATE_GENERATED, &plan.old_gen, &plan.new_gen, &err), &err);
	ck_ok(prove_transition(&plan, &session, &err), &err);
	expect(SEVERITY_BLOCK, "behind", "host " DB3,
	       "it still has its new certificate, which clients that hold the bundle 'old' would "
	       "refuse");
}
END_TEST

static void describe(const char *names)
{
	char *text = str_fmt("subject: {O: Acme, CN: x}\nintermediates:\n- name: all\n  servers:\n"
			     "    " DB1 ": [%s]\n    " DB3 ": [10.0.0.3]\n",
			     names);

	ck_ok(chain_parse(&session.chain, text, strlen(text), "chain.yml", ".", NULL, &err), &err);
	free(text);
}

START_TEST(names_of_the_description_are_what_clients_connect_to)
{
	describe("pgvip.example.com, '*.db.example.com', 10.0.0.1");
	prove(STATE_TRUSTED, EVENT_NEXT);
	expect(SEVERITY_WARNING, "host-name", "server " DB1,
	       "clients that connect to pgvip.example.com with sslmode=verify-full already today "
	       "refuse its new certificate: that name is not in it");
	/* neither wildcards nor addresses are what somebody connects to for sure */
	ck_assert_uint_eq(plan.findings.count, 2);
}
END_TEST

START_TEST(names_of_endpoints_are_what_clients_connect_to)
{
	struct endpoint items[] = {{.name = (char *)DB1, .address = (char *)"10.0.0.1"},
				   {.name = (char *)"vip", .address = (char *)"10.0.0.3"},
				   {.name = (char *)"10.0.0.3"},
				   {.name = (char *)"other"}};

	describe("");
	environment.endpoints.items = items;
	environment.endpoints.count = 4;
	prove(STATE_TRUSTED, EVENT_NEXT);
	expect(SEVERITY_WARNING, "host-name", "server " DB3, "clients that connect to vip with");
	expect(SEVERITY_WARNING, "host-name", "server " DB3, "connect to 10.0.0.3 with");
	/* of the old leaf and the new one */
	ck_assert_uint_eq(plan.findings.count, 4);
}
END_TEST

Suite *prove_suite(void)
{
	Suite *suite = suite_create("prove");
	TCase *tc = tcase_create("prove");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_phase_that_leaves_nobody_out_is_proven);
	tcase_add_test(tc, a_host_left_behind_holds_what_its_first_missed_phase_started_from);
	tcase_add_test(tc, a_host_left_behind_in_an_earlier_rotation_has_the_old_chain);
	tcase_add_test(tc, what_a_host_has_that_is_left_out_again_is_proven);
	tcase_add_test(tc, a_prune_with_a_host_behind_blocks_and_names_it);
	tcase_add_test(tc, a_host_that_will_be_brought_up_to_date_is_named);
	tcase_add_test(tc, where_the_history_does_not_tell_both_are_proven);
	tcase_add_test(tc, a_revert_with_a_host_left_behind_is_proven);
	tcase_add_test(tc, names_of_the_description_are_what_clients_connect_to);
	tcase_add_test(tc, names_of_endpoints_are_what_clients_connect_to);
	tcase_add_test(tc, two_hosts_left_behind_together_have_the_same);
	tcase_add_test(tc, an_authority_of_the_new_chain_alone_has_no_bundle_yet);
	suite_add_tcase(suite, tc);
	return suite;
}
