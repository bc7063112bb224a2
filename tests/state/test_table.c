/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "state/table.h"
#include "tests/state/suites.h"

START_TEST(every_pair_has_exactly_one_row)
{
	const struct transition *rows;
	size_t count;
	int seen[STATE__MAX][EVENT__MAX] = {{0}};

	rows = table_rows(&count);
	ck_assert_uint_eq(count, (size_t)STATE__MAX * EVENT__MAX);
	for (size_t i = 0; i < count; i++) {
		ck_assert_int_lt(rows[i].from, STATE__MAX);
		ck_assert_int_lt(rows[i].event, EVENT__MAX);
		ck_assert_msg(!seen[rows[i].from][rows[i].event]++, "two rows for %s and %s",
			      state_name(rows[i].from), event_name(rows[i].event));
	}
}
END_TEST

START_TEST(rows_are_a_transition_or_a_refusal)
{
	const struct transition *rows;
	size_t count;

	rows = table_rows(&count);
	for (size_t i = 0; i < count; i++) {
		const struct transition *row = &rows[i];

		if (row->refusal) {
			ck_assert_ptr_nonnull(row->hint);
			ck_assert_int_eq(row->to, STATE__MAX);
			continue;
		}
		ck_assert_int_lt(row->to, STATE__MAX);
		ck_assert_int_lt(row->phase, PHASE__MAX);
		ck_assert_int_lt(row->direction, DIRECTION__MAX);
		ck_assert_ptr_eq(table_find(row->from, row->event), row);
		ck_assert_ptr_eq(table_find_phase(row->from, row->phase, row->direction), row);
	}
}
END_TEST

START_TEST(every_state_can_be_reached_and_left)
{
	bool reached[STATE__MAX] = {[STATE_ABSENT] = true};
	const struct transition *rows;
	size_t count;

	rows = table_rows(&count);
	for (int round = 0; round < STATE__MAX; round++) {
		for (size_t i = 0; i < count; i++) {
			if (!rows[i].refusal && reached[rows[i].from])
				reached[rows[i].to] = true;
		}
	}
	for (int state = 0; state < STATE__MAX; state++)
		ck_assert_msg(reached[state], "%s is never reached", state_name((enum state)state));
}
END_TEST

START_TEST(every_phase_of_a_rotation_has_its_way_back)
{
	enum state at = STATE_IDLE;

	for (int i = 0; i < 4; i++) {
		const struct transition *go = table_find(at, EVENT_NEXT);
		const struct transition *back = table_find(go->to, EVENT_REVERT);

		ck_assert_ptr_null(go->refusal);
		ck_assert_ptr_null(back->refusal);
		ck_assert_int_eq(back->to, at);
		ck_assert_int_eq(back->phase, go->phase);
		ck_assert_int_eq(back->direction, DIRECTION_BACK);
		at = go->to;
	}
	ck_assert_int_eq(at, STATE_CLIENTS_SWITCHED);
	ck_assert_int_eq(table_find(at, EVENT_NEXT)->to, STATE_IDLE);
	ck_assert_int_eq(table_find(STATE_IDLE, EVENT_REVERT_PRUNE)->to, at);
}
END_TEST

START_TEST(an_emergency_leads_to_idle_from_everywhere_but_absent)
{
	for (int state = STATE_IDLE; state < STATE__MAX; state++) {
		const struct transition *row = table_find((enum state)state, EVENT_EMERGENCY);

		ck_assert_ptr_null(row->refusal);
		ck_assert_int_eq(row->to, STATE_IDLE);
	}
	ck_assert_ptr_nonnull(table_find(STATE_ABSENT, EVENT_EMERGENCY)->refusal);
	ck_assert_ptr_null(table_find(STATE__MAX, EVENT_EMERGENCY));
}
END_TEST

START_TEST(names_are_unique_and_parse_back)
{
	for (int i = 0; i < STATE__MAX; i++)
		ck_assert_int_eq(state_parse(state_name((enum state)i)), i);
	for (int i = 0; i < PHASE__MAX; i++)
		ck_assert_int_eq(phase_parse(phase_name((enum phase)i)), i);
	for (int i = 0; i < DIRECTION__MAX; i++)
		ck_assert_int_eq(direction_parse(direction_name((enum direction)i)), i);
	ck_assert_int_eq(state_parse("2"), STATE__MAX);
	ck_assert_int_eq(state_parse(NULL), STATE__MAX);
	ck_assert_int_eq(phase_parse(""), PHASE__MAX);
}
END_TEST

Suite *table_suite(void)
{
	Suite *suite = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_add_test(tc, every_pair_has_exactly_one_row);
	tcase_add_test(tc, rows_are_a_transition_or_a_refusal);
	tcase_add_test(tc, every_state_can_be_reached_and_left);
	tcase_add_test(tc, every_phase_of_a_rotation_has_its_way_back);
	tcase_add_test(tc, an_emergency_leads_to_idle_from_everywhere_but_absent);
	tcase_add_test(tc, names_are_unique_and_parse_back);
	suite_add_tcase(suite, tc);
	return suite;
}
