/* SPDX-License-Identifier: PostgreSQL */
/* Programs of applications: how they are found, what they get, and how each of them can end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outside/exec_hook.h"
#include "tests/outside/suites.h"

#define INPUT "correct horse battery staple\n"

static struct err err;
static const char *root;
static char *log_path;
static struct exec_hook_result result;
static struct strs command, env;
static struct secret hidden;

static void setup(void)
{
	root = test_mkdir();
	log_path = test_path("log");
	err_clear(&err);
	command = env = (struct strs)STRS_INIT;
	hidden = (struct secret){.data = NULL};
}

static void teardown(void)
{
	strs_release(&command);
	strs_release(&env);
	free(log_path);
	test_rmdir();
}

static void program(const char *name, const char *text, mode_t mode)
{
	char *path = test_path(name);

	test_write(path, text);
	ck_assert_int_eq(chmod(path, mode), 0);
	free(path);
}

/* ---- where it is */

static const struct {
	const char *name, *message, *hint;
} lost[] = {
	{"/nowhere/hook", "/nowhere/hook: No such file or directory", "an absolute path"},
	{"hooks/none", "hooks/none: No such file or directory", "a path in the repository"},
	{"../hook", "'../hook' leaves the repository", ""},
	{"./hooks", "./hooks: not a program: no regular file", "PATH"},
	{"./plain", "./plain: not executable", "chmod +x ./plain"},
	{"no-such-program-anywhere", "no-such-program-anywhere", ""},
};

START_TEST(a_program_that_cannot_be_run_is_refused)
{
	char *found = NULL, *folder = test_path("hooks");

	ck_assert_int_eq(mkdir(folder, 0700), 0);
	program("plain", "#!/bin/sh\n", 0644);
	ck_assert_int_eq(exec_hook_find(&found, lost[_i].name, root, &err), ERR_USAGE);
	ck_contains(err.msg, lost[_i].message);
	ck_contains(err.hint, lost[_i].hint);
	ck_assert_ptr_null(found);
	free(folder);
}
END_TEST

START_TEST(a_program_is_found)
{
	char *found = NULL;

	program("hook", "#!/bin/sh\n", 0755);
	ck_ok(exec_hook_find(&found, "./hook", root, &err), &err);
	ck_assert(found && !access(found, X_OK));
	free(found);
	ck_ok(exec_hook_find(&found, "/bin/sh", root, &err), &err);
	ck_assert_str_eq(found, "/bin/sh");
	free(found);
	ck_ok(exec_hook_find(&found, "sh", root, &err), &err);
	ck_assert_int_eq(found[0], '/');
	free(found);
}
END_TEST

/* ---- what it gets, and what comes of it */

static int run(const char *script, int64_t deadline)
{
	struct exec_hook hook = {.program = "/bin/sh",
				 .command = &command,
				 .directory = root,
				 .env = &env,
				 .input = INPUT,
				 .input_len = strlen(INPUT),
				 .secret = hidden,
				 .deadline_s = deadline,
				 .log_path = log_path};

	err_clear(&err);
	ck_ok(strs_add(&command, "announce", &err), &err);
	ck_ok(strs_add(&command, "-c", &err), &err);
	ck_ok(strs_add(&command, script, &err), &err);
	ck_ok(strs_add(&command, "hook", &err), &err);
	ck_ok(strs_add(&command, "an $argument; `true`", &err), &err);
	return exec_hook_run(&result, &hook, &err);
}

START_TEST(it_gets_its_arguments_environment_input_and_folder)
{
	struct stat st;
	char *text;
	size_t len;

	ck_ok(strs_add(&env, "CERTROTATE_PHASE=trust", &err), &err);
	ck_ok(run("read -r line; echo \"$1|$CERTROTATE_PHASE|$line|$(pwd)\"; echo bad >&2", 10),
	      &err);
	text = test_read(log_path, &len);
	ck_contains(text, "# /bin/sh -c ");
	ck_contains(text, "an $argument; `true`|trust|correct horse battery staple|");
	ck_contains(text, root);
	ck_contains(text, "\nbad\n");
	ck_assert_int_eq(result.code, 0);
	ck_assert_int_eq(stat(log_path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	free(text);
}
END_TEST

START_TEST(one_that_does_not_read_its_input_is_fine)
{
	ck_ok(run("exec <&-; sleep 0.1", 10), &err);
}
END_TEST

START_TEST(a_failure_says_its_exit_code_and_last_lines)
{
	ck_assert_int_eq(run("echo fine; echo 'the shop is closed' >&2; exit 7", 10), ERR_FAIL);
	ck_assert_str_eq(err.msg, "announce: exit code 7: fine; the shop is closed");
	ck_contains(err.hint, "its output is in ");
	ck_contains(err.hint, log_path);
	ck_assert_int_eq(result.code, 7);
}
END_TEST

/* Its children as well: the pipe would be held open for a minute else. */
START_TEST(the_deadline_ends_it_with_all_that_it_started)
{
	ck_assert_int_eq(run("echo waiting; sleep 60 & sleep 60", 1), ERR_FAIL);
	ck_contains(err.msg, ": not done after ");
	ck_contains(err.msg, "ended: waiting");
}
END_TEST

START_TEST(a_signal_is_said)
{
	ck_assert_int_eq(run("kill -KILL $$", 10), ERR_FAIL);
	ck_contains(err.msg, "killed by signal 9");
}
END_TEST

START_TEST(output_without_end_is_cut)
{
	struct stat st;
	char *text;
	size_t len;

	ck_assert_int_eq(
		run("head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last; exit 1", 60),
		ERR_FAIL);
	ck_assert_str_eq(err.msg, "announce: exit code 1: last");
	ck_assert_uint_eq(result.printed, 50000006);
	ck_assert_int_eq(stat(log_path, &st), 0);
	ck_assert_uint_le((size_t)st.st_size, EXEC_HOOK_LOG_MAX + 1024);
	ck_assert_uint_gt((size_t)st.st_size, EXEC_HOOK_LOG_MAX / 2);
	text = test_read(log_path, &len);
	ck_assert_ptr_nonnull(strstr(text, "[the rest of the output is not kept]"));
	free(text);
}
END_TEST

START_TEST(a_key_that_it_prints_is_taken_out)
{
	char *text;
	size_t len;

	ck_assert_int_eq(run("printf -- '-----BEGIN PRIVATE %s-----\\nMIIsecret\\n-----END "
			     "PRIVATE KEY-----\\n' KEY; exit 1",
			     10),
			 ERR_FAIL);
	text = test_read(log_path, &len);
	ck_assert_ptr_null(strstr(text + strcspn(text, "\n"), "MIIsecret"));
	ck_assert_ptr_null(strstr(err.msg, "MIIsecret"));
	ck_assert_uint_eq(result.keys_removed, 1);
	free(text);
}
END_TEST

/* As "sh -x" does it. */
START_TEST(the_passphrase_that_it_prints_is_taken_out)
{
	char *text;
	size_t len;

	hidden = (struct secret){(char *)(uintptr_t)INPUT, strlen(INPUT) - 1};
	ck_assert_int_eq(run("read -r pass; echo \"+ pass=$pass\"; exit 1", 10), ERR_FAIL);
	ck_assert_str_eq(err.msg, "announce: exit code 1: + pass=[passphrase removed]");
	text = test_read(log_path, &len);
	ck_contains(text, "+ pass=[passphrase removed]\n");
	ck_assert_ptr_null(strstr(text, "battery"));
	free(text);
}
END_TEST

START_TEST(a_log_that_cannot_be_written_stops_it)
{
	char *done = test_path("done");

	ck_assert_int_eq(mkfifo(log_path, 0600), 0);
	ck_assert_int_eq(run("echo done >done", 10), ERR_FAIL);
	ck_contains(err.msg, "cannot write the log");
	ck_assert_int_ne(access(done, F_OK), 0);
	free(done);
}
END_TEST

Suite *exec_hook_suite(void)
{
	Suite *suite = suite_create("exec hooks");
	TCase *all = tcase_create("programs");

	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_loop_test(all, a_program_that_cannot_be_run_is_refused, 0,
			    sizeof(lost) / sizeof(lost[0]));
	tcase_add_test(all, a_program_is_found);
	tcase_add_test(all, it_gets_its_arguments_environment_input_and_folder);
	tcase_add_test(all, one_that_does_not_read_its_input_is_fine);
	tcase_add_test(all, a_failure_says_its_exit_code_and_last_lines);
	tcase_add_test(all, the_deadline_ends_it_with_all_that_it_started);
	tcase_add_test(all, a_signal_is_said);
	tcase_add_test(all, output_without_end_is_cut);
	tcase_add_test(all, a_key_that_it_prints_is_taken_out);
	tcase_add_test(all, the_passphrase_that_it_prints_is_taken_out);
	tcase_add_test(all, a_log_that_cannot_be_written_stops_it);
	suite_add_tcase(suite, all);
	return suite;
}
