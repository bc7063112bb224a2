/* SPDX-License-Identifier: PostgreSQL */
/*
 * A state file with each bit of each byte flipped, a generation with one bit of each, and both cut:
 * refused, with a message that names the file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "state/store.h"
#include "tests/state/suites.h"

#define BITS 8

static const char *const authorities[] = {"server", "client", NULL};

/* One with something in every member. */
static void write_state(struct buf *out)
{
	struct store store;
	struct json *entry = NULL;
	struct err err = {0};
	static const char text[] =
		"{\"rotation\": \"20261121T013000Z-7f3a\", \"phase\": \"generate\","
		" \"direction\": \"forward\", \"outcome\": \"completed\", \"by\": \"Ren\xc3\xa9\","
		" \"findings\": [{\"check\": \"orphan\", \"waived\": true}], \"probes\": null}";

	ck_ok(store_init(&store, "poc", STATE_GENERATED, &err), &err);
	ck_ok(store_set(&store.old_gen, "g1", &err), &err);
	ck_ok(store_set(&store.new_gen, "g2", &err), &err);
	ck_ok(store_set(&store.last_gen, "g2", &err), &err);
	ck_ok(store_set(&store.rotation, "20261121T013000Z-7f3a", &err), &err);
	ck_ok(strs_add(&store.host_set, "db1.example.com", &err), &err);
	ck_ok(strs_add(&store.behind, "db3", &err), &err);
	ck_ok(store_begin(&store, table_find(STATE_GENERATED, EVENT_NEXT), "DBA <dba@x>",
			  "laptop:/home/dba", 1795224600, NULL, &err),
	      &err);
	ck_ok(js_parse(&entry, text, sizeof(text) - 1, "entry", &err), &err);
	ck_ok(js_push(store.history, entry), &err);
	ck_ok(store_add_ack(&store, "billing", PHASE_TRUST, DIRECTION_FORWARD, "Ann", "DBA",
			    1795224600, &err),
	      &err);
	buf_init(out, BUF_TEXT_MAX);
	ck_ok(store_dump(out, &store, &err), &err);
	store_release(&store);
}

/* Whether it was read, and then as the same state. */
static bool reads_as(const char *text, size_t len, const struct buf *good)
{
	struct store store;
	struct err err = {0};
	struct buf again;

	if (store_parse(&store, text, len, "dev:state.json", "poc", &err)) {
		ck_assert_int_eq(err.code, ERR_FAIL);
		ck_assert_int_eq(strncmp(err.msg, "dev:state.json:", 15), 0);
		ck_assert_str_ne(err.hint, "");
		return false;
	}
	buf_init(&again, BUF_TEXT_MAX);
	ck_ok(store_dump(&again, &store, &err), &err);
	ck_assert_str_eq(again.data, good->data);
	buf_release(&again);
	store_release(&store);
	return true;
}

START_TEST(a_state_with_a_flipped_bit_is_refused)
{
	struct buf good;
	char *copy;

	write_state(&good);
	copy = malloc(good.len);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, good.data, good.len);
	for (size_t i = 0; i < good.len * BITS; i++) {
		copy[i / BITS] = (char)(copy[i / BITS] ^ 1 << i % BITS);
		ck_assert_msg(!reads_as(copy, good.len, &good), "bit %zu of byte %zu", i % BITS,
			      i / BITS);
		copy[i / BITS] = good.data[i / BITS];
	}
	ck_assert(reads_as(copy, good.len, &good));
	free(copy);
	buf_release(&good);
}
END_TEST

START_TEST(a_state_cut_at_any_length_is_refused)
{
	struct buf good;

	write_state(&good);
	/* without the last newline it is whole */
	for (size_t len = 0; len <= good.len; len++) {
		char *cut = malloc(len ? len : 1);

		ck_assert_ptr_nonnull(cut);
		memcpy(cut, good.data, len);
		ck_assert_int_eq(reads_as(cut, len, &good), len + 1 >= good.len);
		free(cut);
	}
	buf_release(&good);
}
END_TEST

/* ---- a generation's file */

static void write_generation(struct buf *out, struct arena *arena)
{
	struct test_chain chain = {0};
	struct generation gen;
	struct err err = {0};

	fixture_generation(&gen, arena, &chain, "g1", authorities);
	fixture_add_leaf(&gen, arena, &chain, "server", "db1", LEAF_SERVER);
	fixture_add_leaf(&gen, arena, &chain, "client", "app", LEAF_CLIENT);
	gen.leaves[0].raw = strdup("|-\r\n  x \"y\"");
	buf_init(out, BUF_TEXT_MAX);
	ck_ok(generation_dump(out, &gen, &err), &err);
	generation_release(&gen);
	test_chain_release(&chain);
}

static bool loads(struct arena *arena, const char *text, size_t len)
{
	struct generation gen;
	struct err err = {0};

	if (!generation_load(&gen, "g1", arena, text, len, "g1.yml", NULL, NULL, &err)) {
		generation_release(&gen);
		return true;
	}
	ck_assert_int_eq(err.code, ERR_FAIL);
	ck_assert_int_eq(strncmp(err.msg, "g1.yml:", 7), 0);
	return false;
}

START_TEST(a_damaged_generation_is_refused)
{
	struct arena *arena = arena_new((size_t)16 << 20);
	struct buf good;
	char *copy;

	write_generation(&good, arena);
	ck_assert(loads(arena, good.data, good.len));
	copy = malloc(good.len);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, good.data, good.len);
	for (size_t i = 0; i < good.len; i++) {
		copy[i] = (char)(copy[i] ^ 1 << i % BITS);
		ck_assert_msg(!loads(arena, copy, good.len), "byte %zu", i);
		copy[i] = good.data[i];
		/* Where a line ends is where a cut could be taken for the end. */
		if (good.data[i] == '\n' || i % BITS == 0)
			ck_assert_msg(!loads(arena, copy, i), "cut at %zu", i);
	}
	free(copy);
	buf_release(&good);
	arena_free(arena);
}
END_TEST

Suite *damage_suite(void)
{
	Suite *suite = suite_create("damage");
	TCase *tc = tcase_create("damage");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_state_with_a_flipped_bit_is_refused);
	tcase_add_test(tc, a_state_cut_at_any_length_is_refused);
	tcase_add_test(tc, a_damaged_generation_is_refused);
	suite_add_tcase(suite, tc);
	return suite;
}
