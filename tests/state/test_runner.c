/* SPDX-License-Identifier: PostgreSQL */
/* Whole phases in a clone, and what stands in their way: every refusal's words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/scene.h"

static struct err err;

START_TEST(a_phase_runs_once)
{
	ck_assert_int_eq(scene_plays(), 0);
	ck_ok(scene_run(EVENT_NEXT, STATE__MAX, &err), &err);
	ck_assert_int_eq(scene_plays(), 1);
	ck_ok(scene_run(EVENT_NEXT, STATE_TRUSTED, &err), &err);
	ck_assert_int_eq(scene_plays(), 1);
}
END_TEST

Suite *runner_suite(void)
{
	Suite *suite = suite_create("runner");
	TCase *tc = tcase_create("phases");

	tcase_set_timeout(tc, 30);
	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_checked_fixture(tc, scene_setup, scene_teardown);
	tcase_add_test(tc, a_phase_runs_once);
	suite_add_tcase(suite, tc);
	return suite;
}
