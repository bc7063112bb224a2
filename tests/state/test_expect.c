/* SPDX-License-Identifier: PostgreSQL */
/* The table of expectations, the pauses between looks, and the figures from before a phase. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "state/target.h"
#include "state/verify.h"
#include "tests/state/suites.h"

/* The table as a person would write it down. */
static const struct {
	enum state state;
	const char *leaf, *names, *old_client, *new_client;
} rows[] = {
	{STATE_IDLE, "new", "new", "out", "in"},
	{STATE_GENERATED, "old", "old", "in", "nothing"},
	{STATE_TRUSTED, "old", "both", "in", "in"},
	{STATE_SERVERS_SWITCHED, "new", "both", "in", "in"},
	{STATE_CLIENTS_SWITCHED, "new", "both", "in", "in"},
};

START_TEST(each_state_has_its_row)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum state state = rows[i].state;

		ck_assert_str_eq(want_name(expect(state, CHECK_LEAF)), rows[i].leaf);
		ck_assert_str_eq(want_name(expect(state, CHECK_CA_NAMES)), rows[i].names);
		ck_assert_str_eq(want_name(expect(state, CHECK_OLD_CLIENT)), rows[i].old_client);
		ck_assert_str_eq(want_name(expect(state, CHECK_NEW_CLIENT)), rows[i].new_client);
		ck_assert_int_eq(expect(state, CHECK_NO_CLIENT), WANT_OUT);
		ck_assert_int_eq(expect(state, CHECK_ENDPOINT), WANT_YES);
	}
	for (int c = 0; c < CHECK__MAX; c++)
		ck_assert_int_eq(expect(STATE_ABSENT, (enum check)c), WANT_NOTHING);
}
END_TEST

/* Whatever is expected can be said, and the table agrees with what the inventory holds. */
START_TEST(the_table_is_whole)
{
	for (int s = 0; s < STATE__MAX; s++) {
		const struct target_row *row = target_row((enum state)s);

		for (int c = 0; c < CHECK__MAX; c++) {
			enum want want = expect((enum state)s, (enum check)c);

			ck_assert_int_eq(want != WANT_NOTHING,
					 expect_text((enum check)c, want) != NULL);
			ck_assert_ptr_nonnull(check_name((enum check)c));
		}
		if (!state_is_middle((enum state)s))
			continue;
		ck_assert_int_eq(expect((enum state)s, CHECK_LEAF),
				 row->servers == PICK_NEW ? WANT_NEW : WANT_OLD);
		ck_assert_int_eq(expect((enum state)s, CHECK_CA_NAMES),
				 row->bundles == PICK_BOTH ? WANT_BOTH : WANT_OLD);
	}
}
END_TEST

START_TEST(pauses_grow_and_spread)
{
	int64_t before = 0;

	for (unsigned round = 1; round < 20; round++) {
		int64_t least = verify_pause_ms(round, 0), most = 0;

		for (unsigned random = 0; random < 6000; random++) {
			int64_t pause = verify_pause_ms(round, random);

			ck_assert_int_ge(pause, least);
			most = pause > most ? pause : most;
		}
		ck_assert_int_eq(most, 2 * least);
		ck_assert_int_ge(least, before);
		before = least;
	}
	ck_assert_int_eq(verify_pause_ms(1, 0), 125);
	ck_assert_int_eq(before, 2500);
}
END_TEST

static const char evidence_text[] =
	"{\"logins\": [{\"endpoint\": \"db1:5432\", \"archive_failures\": 3, \"archive_fails\": "
	"true, \"standbys_streaming\": 2}, {\"endpoint\": \"db2:5432\", \"outcome\": "
	"\"timeout\"}]}";

START_TEST(figures_are_kept_for_one_phase)
{
	const struct baseline_figures *figures;
	struct json *evidence;
	struct baseline got;
	struct err err = {0};
	char *path;

	test_mkdir();
	path = test_path("before.json");
	ck_assert_int_eq(baseline_read(&got, path, "r/trust/forward", &err), ERR_NOENT);
	ck_ok(js_parse(&evidence, evidence_text, strlen(evidence_text), "evidence", &err), &err);
	ck_ok(baseline_write(path, "r/trust/forward", evidence, &err), &err);
	ck_ok(baseline_read(&got, path, "r/trust/forward", &err), &err);
	figures = baseline_find(&got, "db1:5432");
	ck_assert_ptr_nonnull(figures);
	ck_assert_int_eq(figures->archive_failures, 3);
	ck_assert(figures->archive_fails);
	ck_assert_int_eq(figures->standbys_streaming, 2);
	ck_assert_ptr_null(baseline_find(&got, "db2:5432"));
	baseline_release(&got);
	ck_assert_int_eq(baseline_read(&got, path, "r/servers/forward", &err), ERR_NOENT);
	ck_contains(err.msg, "no figures from before this phase");
	test_write(path, "{\"version\": 1, \"key\": \"r/tr");
	ck_assert_int_eq(baseline_read(&got, path, "r/trust/forward", &err), ERR_NOENT);
	js_free(evidence);
	free(path);
	test_rmdir();
}
END_TEST

Suite *expect_suite(void)
{
	Suite *suite = suite_create("expect");
	TCase *tc = tcase_create("expect");

	tcase_add_test(tc, each_state_has_its_row);
	tcase_add_test(tc, the_table_is_whole);
	tcase_add_test(tc, pauses_grow_and_spread);
	tcase_add_test(tc, figures_are_kept_for_one_phase);
	suite_add_tcase(suite, tc);
	return suite;
}
