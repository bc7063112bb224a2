/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "state/target.h"
#include "tests/state/suites.h"

static struct arena *arena;
static struct generation old_gen, new_gen;

static void make(struct generation *gen, const char *id, bool extra)
{
	struct test_chain chain = {0};

	fixture_generation(gen, arena, &chain, id, BOTH_AUTHORITIES);
	fixture_add_leaf(gen, arena, &chain, "server", "db1.example.com", LEAF_SERVER);
	fixture_add_leaf(gen, arena, &chain, "client", "postgres", LEAF_CLIENT);
	if (extra)
		fixture_add_leaf(gen, arena, &chain, "client", "added", LEAF_CLIENT);
	test_chain_release(&chain);
}

static void setup(void)
{
	arena = arena_new((size_t)16 << 20);
	make(&old_gen, "g1", false);
	make(&new_gen, "g2", true);
}

static void teardown(void)
{
	generation_release(&old_gen);
	generation_release(&new_gen);
	arena_free(arena);
}

/* Which generation a state takes each value from: the table of phases, spelled out once more. */
static const struct {
	enum state state;
	bool both, new_servers, new_clients;
} rows[] = {
	{STATE_IDLE, false, false, false},	    {STATE_GENERATED, false, false, false},
	{STATE_TRUSTED, true, false, false},	    {STATE_SERVERS_SWITCHED, true, true, false},
	{STATE_CLIENTS_SWITCHED, true, true, true},
};

START_TEST(each_state_takes_each_value_from_its_generation)
{
	const struct generation *servers = rows[_i].new_servers ? &new_gen : &old_gen;
	const struct generation *clients = rows[_i].new_clients ? &new_gen : &old_gen;
	struct target_value chain;
	struct target target;
	struct bundle bundle = BUNDLE_INIT;
	struct err err = {0};

	ck_ok(target_init(&target, rows[_i].state, &old_gen, &new_gen, &err), &err);
	ck_assert_str_eq(target_leaf(&target, "server", "db1.example.com").text,
			 generation_leaf(servers, "server", "db1.example.com")->pem);
	ck_assert_str_eq(target_key(&target, "server", "db1.example.com").text,
			 generation_leaf(servers, "server", "db1.example.com")->key.data);
	ck_assert_str_eq(target_leaf(&target, "client", "postgres").text,
			 generation_leaf(clients, "client", "postgres")->pem);
	ck_assert_int_eq(target_leaf(&target, "client", "added").present, rows[_i].both);
	ck_assert(!target_leaf(&target, "client", "nobody").present);
	chain = target_chain(&target, "client");
	ck_ok(bundle_from_pem(&bundle, chain.text, chain.len, "chain", &err), &err);
	ck_assert_uint_eq(bundle.count, rows[_i].both ? 4 : 2);
	if (rows[_i].both) {
		ck_assert(cert_equal(bundle.items[0], new_gen.authorities[1].bundle.items[0]));
		ck_assert(cert_equal(bundle.items[2], old_gen.authorities[1].bundle.items[0]));
	} else {
		ck_assert_str_eq(chain.text, old_gen.authorities[1].chain);
	}
	bundle_release(&bundle);
	target_release(&target);
}
END_TEST

START_TEST(after_the_prune_the_new_generation_stands_alone)
{
	struct target target;
	struct err err = {0};

	ck_ok(target_init(&target, STATE_IDLE, &new_gen, NULL, &err), &err);
	ck_assert_str_eq(target_chain(&target, "server").text, new_gen.authorities[0].chain);
	ck_assert(target_leaf(&target, "client", "added").present);
	target_release(&target);
}
END_TEST

START_TEST(who_comes_with_a_transition_was_not_there_before_it)
{
	struct strmap came = STRMAP_INIT;
	struct target target;
	struct err err = {0};

	ck_ok(strmap_put(&came, "client/added", 1, &err), &err);
	ck_ok(target_init(&target, STATE_TRUSTED, &old_gen, &new_gen, &err), &err);
	target.absent = &came;
	ck_assert(!target_leaf(&target, "client", "added").present);
	ck_assert(!target_key(&target, "client", "added").present);
	ck_assert_ptr_null(target_pick(&target, "client", "added"));
	ck_assert_ptr_eq(target_pick(&target, "client", "postgres"),
			 generation_leaf(&old_gen, "client", "postgres"));
	target_release(&target);
	strmap_release(&came);
}
END_TEST

START_TEST(a_generation_without_an_authority_cannot_follow)
{
	struct generation other;
	struct test_chain chain = {0};
	struct target target;
	struct err err = {0};

	fixture_generation(&other, arena, &chain, "g3", (const char *const[]){"server", NULL});
	ck_ok(target_init(&target, STATE_GENERATED, &old_gen, &other, &err), &err);
	target_release(&target);
	ck_assert_int_eq(target_init(&target, STATE_TRUSTED, &old_gen, &other, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "generation g3 has no authority 'client'");
	ck_assert_uint_eq(target.count, 0);
	generation_release(&other);
	test_chain_release(&chain);
}
END_TEST

Suite *target_suite(void)
{
	Suite *suite = suite_create("target");
	TCase *tc = tcase_create("target");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, each_state_takes_each_value_from_its_generation, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, after_the_prune_the_new_generation_stands_alone);
	tcase_add_test(tc, who_comes_with_a_transition_was_not_there_before_it);
	tcase_add_test(tc, a_generation_without_an_authority_cannot_follow);
	suite_add_tcase(suite, tc);
	return suite;
}
