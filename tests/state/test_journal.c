/* SPDX-License-Identifier: PostgreSQL */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/journal.h"
#include "state/lock.h"
#include "tests/state/suites.h"

static char *journal_path;
static struct sys sys;

static void setup(void)
{
	test_mkdir();
	journal_path = test_path("journal");
	sys_init(&sys);
}

static void teardown(void)
{
	free(journal_path);
	test_rmdir();
}

START_TEST(ended_steps_are_remembered)
{
	struct journal journal;
	struct err err = {0};

	ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
	ck_assert(!journal_ended(&journal, "k1"));
	ck_ok(journal_write(&journal, "r", "trust", "forward", "rollout", "begin", "k1", "a.yml",
			    &err),
	      &err);
	ck_assert(!journal_ended(&journal, "k1"));
	ck_ok(journal_write(&journal, "r", "trust", "forward", "rollout", "end", "k1", NULL, &err),
	      &err);
	ck_assert(journal_ended(&journal, "k1"));
	journal_release(&journal);
	ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
	ck_assert(journal_ended(&journal, "k1"));
	ck_assert_str_eq(journal.last_step, "rollout");
	ck_assert_str_eq(journal.last_mark, "end");
	journal_release(&journal);
}
END_TEST

START_TEST(a_step_that_is_begun_again_has_not_ended)
{
	static const char *const marks[] = {"begin", "end", "begin", "fail"};
	struct journal journal;
	struct err err = {0};

	ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		ck_ok(journal_write(&journal, "r", "trust", "forward", "rollout", marks[i], "k1",
				    NULL, &err),
		      &err);
		ck_assert_int_eq(journal_ended(&journal, "k1"), i == 1);
	}
	journal_release(&journal);
	ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
	ck_assert(!journal_ended(&journal, "k1"));
	journal_release(&journal);
}
END_TEST

START_TEST(a_torn_line_is_ignored_and_does_not_swallow_the_next)
{
	struct journal journal;
	struct err err = {0};

	test_write(journal_path, "{\"step\":\"publish\",\"mark\":\"end\",\"key\":\"k0\"}\n"
				 "{\"step\":\"rollout\",\"mark\":\"end\",\"ke");
	ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
	ck_assert(journal_ended(&journal, "k0"));
	ck_ok(journal_write(&journal, "r", "trust", "forward", "rollout", "end", "k1", NULL, &err),
	      &err);
	journal_release(&journal);
	ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
	ck_assert(journal_ended(&journal, "k0"));
	ck_assert(journal_ended(&journal, "k1"));
	journal_release(&journal);
}
END_TEST

START_TEST(a_held_lock_names_its_holder)
{
	struct err err = {0};
	char *path = test_path("lock");
	int fds[2], status, held;
	pid_t child;

	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		int fd = lock_take(path, "DBA One <one@example.com>", &sys, NULL);

		(void)!write(fds[1], fd >= 0 ? "y" : "n", 1);
		/* Held until the parent kills us. */
		(void)pause();
		_exit(0);
	}
	{
		char byte = 0;

		ck_assert_int_eq(read(fds[0], &byte, 1), 1);
		ck_assert_int_eq(byte, 'y');
	}
	ck_assert_int_eq(lock_take(path, "DBA Two <two@example.com>", &sys, &err), ERR_LOCK);
	ck_contains(err.msg, "DBA One <one@example.com> on ");
	ck_contains(err.hint, "lock");
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	held = lock_take(path, "DBA Two <two@example.com>", &sys, &err);
	ck_assert_msg(held >= 0, "a dead holder still holds the lock: %s", err.msg);
	(void)close(held);
	free(path);
}
END_TEST

Suite *journal_suite(void)
{
	Suite *suite = suite_create("journal and lock");
	TCase *tc = tcase_create("journal and lock");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ended_steps_are_remembered);
	tcase_add_test(tc, a_step_that_is_begun_again_has_not_ended);
	tcase_add_test(tc, a_torn_line_is_ignored_and_does_not_swallow_the_next);
	tcase_add_test(tc, a_held_lock_names_its_holder);
	suite_add_tcase(suite, tc);
	return suite;
}
