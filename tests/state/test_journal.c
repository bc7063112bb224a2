/* SPDX-License-Identifier: PostgreSQL */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
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

/* Notes a mark about a playbook. */
static void note(const char *step, const char *mark, const char *key)
{
	struct journal journal;
	struct err err = {0};

	ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
	ck_ok(journal_write(&journal, "r", "trust", "forward", step, mark, key, "a.yml", &err),
	      &err);
	journal_release(&journal);
}

static void read_journal(struct buf *out)
{
	struct err err = {0};

	buf_init(out, BUF_TEXT_MAX);
	ck_ok(file_read(out, journal_path, BUF_TEXT_MAX, &err), &err);
}

static off_t file_size(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

/* The journal with that text in its file. */
static void open_as(struct journal *journal, const char *data, size_t len)
{
	struct err err = {0};

	ck_ok(file_replace(journal_path, NULL, data, len, 0600, &err), &err);
	ck_ok(journal_open(journal, journal_path, &sys, &err), &err);
}

START_TEST(a_torn_line_is_ignored_and_does_not_swallow_the_next)
{
	struct journal journal;
	struct err err = {0};
	struct buf text;
	size_t first;

	note("rollout", "end", "k0");
	read_journal(&text);
	first = text.len;
	buf_release(&text);
	note("rollout", "end", "k1");
	read_journal(&text);
	/* The last line cut anywhere: what it says is not known, what came before it is. */
	for (size_t len = first; len < text.len - 1; len++) {
		open_as(&journal, text.data, len);
		ck_assert(journal_ended(&journal, "k0"));
		/* Without its newline it is still whole. */
		ck_assert_int_eq(journal_ended(&journal, "k1"), len == text.len - 1);
		ck_assert_uint_eq(journal.damaged, 0);
		journal_release(&journal);
		note("rollout", "end", "k2");
		ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
		ck_assert(journal_ended(&journal, "k0"));
		ck_assert(journal_ended(&journal, "k2"));
		ck_assert_uint_eq(journal.damaged, 0);
		journal_release(&journal);
	}
	buf_release(&text);
}
END_TEST

START_TEST(a_line_that_a_full_disk_cut_does_not_swallow_the_next)
{
	struct journal journal;
	struct err err = {0};
	struct rlimit limit, all;
	int rc;

	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &all), 0);
	ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
	ck_ok(journal_write(&journal, "r", "trust", "forward", "rollout", "end", "k0", NULL, &err),
	      &err);
	limit = all;
	limit.rlim_cur = (rlim_t)file_size(journal_path) + 100;
	/* check writes files of its own: nothing is asserted under the limit. */
	rc = setrlimit(RLIMIT_FSIZE, &limit) ? 0
					     : journal_write(&journal, "r", "trust", "forward",
							     "rollout", "begin", "k1", NULL, &err);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
	ck_assert_int_eq(rc, ERR_FAIL);
	ck_contains(err.msg, journal_path);
	ck_assert(!journal_knows(&journal, "k1"));
	ck_ok(journal_write(&journal, "r", "trust", "forward", "rollout", "end", "k2", NULL, &err),
	      &err);
	journal_release(&journal);
	ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
	ck_assert(journal_ended(&journal, "k0"));
	ck_assert(journal_ended(&journal, "k2"));
	ck_assert(!journal_knows(&journal, "k1"));
	ck_assert_uint_eq(journal.damaged, 0);
	journal_release(&journal);
}
END_TEST

START_TEST(nothing_noted_before_a_damaged_line_counts)
{
	struct journal journal;
	struct buf text;
	char *begun;

	note("rollout", "begin", "k0");
	note("rollout", "end", "k0");
	note("rollout", "begin", "k0");
	note("rollout", "end", "k1");
	read_journal(&text);
	begun = strchr(strchr(text.data, '\n') + 1, '\n') + 1;
	/* That k0 was begun anew is in the line that is damaged: an older end says nothing. */
	for (char *at = begun; *at != '\n'; at++) {
		*at ^= 1;
		open_as(&journal, text.data, text.len);
		ck_assert_uint_eq(journal.damaged, 1);
		ck_assert_uint_eq(journal.damaged_line, 3);
		ck_assert(!journal_knows(&journal, "k0"));
		ck_assert(journal_ended(&journal, "k1"));
		journal_release(&journal);
		*at ^= 1;
	}
	/* What a file system leaves where a machine lost power. */
	memset(begun, 0, strlen(begun));
	open_as(&journal, text.data, text.len);
	ck_assert_uint_eq(journal.damaged, 1);
	ck_assert(!journal_knows(&journal, "k0"));
	journal_release(&journal);
	note("rollout", "end", "k2");
	note("settle", "begin", NULL);
	{
		struct err err = {0};

		ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
		ck_assert_uint_eq(journal.damaged, 1);
		ck_assert(journal_ended(&journal, "k2"));
		ck_ok(journal_write(&journal, "r", "trust", "forward", "settle", "end", NULL, NULL,
				    &err),
		      &err);
		/* The next phase has nothing to do with it. */
		ck_assert_uint_eq(journal.damaged, 0);
		journal_release(&journal);
		ck_ok(journal_open(&journal, journal_path, &sys, &err), &err);
		ck_assert_uint_eq(journal.damaged, 0);
		journal_release(&journal);
	}
	buf_release(&text);
}
END_TEST

/* Whatever the file ends in, the last line is the one that all of it gives. */
START_TEST(a_glance_has_the_last_line)
{
	static const char *const ends[] = {"", "{\"at\":\"2026", "garbage\n", "{}\n", "\n"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct journal whole, glance;
		struct err err = {0};

		(void)unlink(journal_path);
		ck_ok(journal_glance(&glance, journal_path, &sys, &err), &err);
		ck_assert_ptr_null(glance.last_step);
		journal_release(&glance);
		err_clear(&err);
		ck_ok(journal_open(&whole, journal_path, &sys, &err), &err);
		ck_ok(journal_write(&whole, "r", "trust", "forward", "publish", "begin", "k1", NULL,
				    &err),
		      &err);
		ck_ok(journal_write(&whole, "r", "servers", "back", "rollout", "fail", "k2",
				    "a.yml", &err),
		      &err);
		journal_release(&whole);
		ck_ok(file_append_sync(journal_path, ends[i], strlen(ends[i]), &err), &err);
		ck_ok(journal_open(&whole, journal_path, &sys, &err), &err);
		ck_ok(journal_glance(&glance, journal_path, &sys, &err), &err);
		ck_assert_pstr_eq(glance.last_step, whole.last_step);
		ck_assert_pstr_eq(glance.last_mark, whole.last_mark);
		ck_assert_pstr_eq(glance.last_note, whole.last_note);
		ck_assert_pstr_eq(glance.last_phase, whole.last_phase);
		ck_assert_pstr_eq(glance.last_direction, whole.last_direction);
		ck_assert_int_eq(i || !journal_knows(&glance, "k1"), true);
		journal_release(&whole);
		journal_release(&glance);
	}
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
	tcase_add_test(tc, a_line_that_a_full_disk_cut_does_not_swallow_the_next);
	tcase_add_test(tc, nothing_noted_before_a_damaged_line_counts);
	tcase_add_test(tc, a_glance_has_the_last_line);
	tcase_add_test(tc, a_held_lock_names_its_holder);
	suite_add_tcase(suite, tc);
	return suite;
}
