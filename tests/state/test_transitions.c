/* SPDX-License-Identifier: PostgreSQL */
/* Plans about a repository that is not as it should be, or not as it was. */
#include <stdlib.h>
#include <string.h>

#include "tests/state/bed.h"
#include "tests/state/suites.h"

static struct session session;
static struct plan plan;
static struct err err;

static void setup(void)
{
	err_clear(&err);
	bed_make();
}

static void teardown(void)
{
	bed_remove();
}

START_TEST(x_rotates)
{
	bed_reach(STATE_CLIENTS_SWITCHED);
	bed_run(EVENT_NEXT, STATE_IDLE);
	ck_ok(bed_plan(&plan, &session, EVENT_NEXT, false, &err), &err);
	plan_release(&plan);
	session_close(&session);
}
END_TEST

Suite *transitions_suite(void)
{
	Suite *suite = suite_create("transitions");
	TCase *tc = tcase_create("transitions");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, x_rotates);
	suite_add_tcase(suite, tc);
	return suite;
}
