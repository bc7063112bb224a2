/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/child.h"
#include "tests/proc/suites.h"

static struct err err;
static struct buf out;
static struct child_result result;
static struct child_spec spec;

static void set_up(void)
{
	err_clear(&err);
	test_mkdir();
	buf_init(&out, 100000);
	memset(&spec, 0, sizeof(spec));
	spec.out.buf = &out;
	spec.deadline_ms = 20000;
}

static void tear_down(void)
{
	buf_release(&out);
	test_rmdir();
}

START_TEST(output_code_and_arguments)
{
	spec.argv = SH("printf '%s|' \"$0\" \"$1\"; echo oops >&2; exit 3", "a b", "$HOME");
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_str_eq(out.data, "a b|$HOME|");
	ck_assert_int_eq(result.end, CHILD_EXITED);
	ck_assert_int_eq(result.code, 3);
	ck_assert_str_eq(result.tail, "oops\n");
	ck_assert_int_eq(child_check(&result, "sh", &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "sh: exit code 3: oops");
}
END_TEST

START_TEST(environment_directory_and_umask)
{
	const char *set[] = {"CERTROTATE_A=1", "CERTROTATE_B=x=y", NULL};
	const char *unset[] = {"CERTROTATE_C", NULL};

	ck_assert_int_eq(setenv("CERTROTATE_A", "0", 1), 0);
	ck_assert_int_eq(setenv("CERTROTATE_C", "0", 1), 0);
	ck_assert_int_eq(setenv("CERTROTATE_D", "kept", 1), 0);
	spec.argv = SH("echo $CERTROTATE_A $CERTROTATE_B ${CERTROTATE_C-none} $CERTROTATE_D; "
		       "env | grep -c CERTROTATE_A=; umask; pwd; cat");
	spec.env_set = set;
	spec.env_unset = unset;
	spec.cwd = "/usr";
	spec.umask = 027;
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_str_eq(out.data, "1 x=y none kept\n1\n0027\n/usr\n");
}
END_TEST

START_TEST(no_descriptor_of_ours_is_left_open)
{
	int leaked = open("/dev/null", O_RDONLY); /* as a library does, without O_CLOEXEC */

	ck_assert_int_ge(leaked, 3);
	spec.argv = SH("ls /proc/$$/fd");
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_str_eq(out.data, "0\n1\n2\n");
	(void)close(leaked);
}
END_TEST

START_TEST(works_without_standard_descriptors)
{
	int saved[3];

	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		(void)close(i);
	}
	spec.argv = SH("cat; echo err >&2");
	spec.input = "in";
	spec.input_len = 2;
	(void)child_run(&result, &spec, &err);
	for (int i = 0; i < 3; i++) {
		(void)dup2(saved[i], i);
		(void)close(saved[i]);
	}
	ck_assert_str_eq(out.data, "in");
	ck_assert_str_eq(result.tail, "err\n");
}
END_TEST

START_TEST(signals_are_as_a_shell_gives_them)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	sigset_t set;

	(void)sigaction(SIGPIPE, &ignore, &before);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	spec.argv = SH("sed -nE '/Sig(Blk|Ign)/s/.*(....)/\\1/p' /proc/self/status; ps -o "
		       "pgid=,sid= -p $$ | "
		       "grep -c \"$$ *$$\"");
	ck_ok(child_run(&result, &spec, &err), &err);
	(void)sigaction(SIGPIPE, &before, NULL);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	ck_assert_str_eq(out.data, "0000\n0000\n1\n");
}
END_TEST

START_TEST(input_larger_than_a_pipe)
{
	size_t len = 3000000;
	char *input = malloc(len);

	memset(input, 'k', len);
	spec.argv = SH("sleep 0.05; wc -c");
	spec.input = input;
	spec.input_len = len;
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_int_eq(atoi(out.data), 3000000);
	buf_reset(&out);
	spec.argv = SH("exec <&-; echo done"); /* reads nothing: no SIGPIPE for us */
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_str_eq(out.data, "done\n");
	free(input);
}
END_TEST

START_TEST(secret_in_and_out)
{
	struct arena *arena = arena_new((size_t)1 << 20);
	struct secret input = {0};

	ck_ok(arena_copy(&input, arena, "s3cret", 6, &err), &err);
	spec.argv = SH("cat; cat >&2 /dev/null");
	spec.input = input.data;
	spec.input_len = input.len;
	spec.out.buf = NULL;
	spec.out.arena = arena;
	spec.out.secret_max = 6;
	spec.err_to_out = true;
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert(secret_equal(&result.secret, &input));
	ck_assert_str_eq(result.tail, "");
	spec.out.secret_max = 5;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "sh: its output is larger than expected");
	arena_free(arena);
}
END_TEST

START_TEST(output_is_bounded)
{
	spec.argv = SH("head -c 200000000 /dev/zero | tr '\\0' x; echo; echo last >&2; exit 0");
	out.max = 1000;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "sh: its output is larger than expected");
	ck_assert(result.out_cut);
	ck_assert_uint_eq(out.len, 1000);
	ck_assert_int_eq(result.end, CHILD_EXITED);
	ck_assert_str_eq(result.tail, "last\n");
}
END_TEST

START_TEST(missing_program_says_what_to_install)
{
	const char *argv[] = {"ansible-playbook-nowhere", NULL};

	spec.argv = argv;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "ansible-playbook-nowhere was not found in PATH");
	ck_contains(err.hint, "apt install ansible");
	spec.hint = "set ansible in certrotate.yml";
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_NOENT);
	ck_assert_str_eq(err.hint, "set ansible in certrotate.yml");
	argv[0] = "/nowhere/git";
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "cannot start /nowhere/git: No such file or directory");
}
END_TEST

START_TEST(what_execve_says_is_reported)
{
	char *path = test_path("script");
	const char *argv[] = {path, NULL};

	test_write(path, "#!/nowhere/interpreter\n");
	spec.argv = argv;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_FAIL);
	ck_contains(err.msg, ": Permission denied");
	ck_assert_int_eq(chmod(path, 0700), 0);
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_NOENT);
	ck_assert_str_eq(err.hint, "the interpreter in its first line is missing");
	test_write(path, "echo no first line\n");
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_FAIL);
	ck_assert_str_eq(err.hint, "a script needs a first line such as #!/bin/sh");
	spec.argv = SH("true");
	spec.cwd = "/nowhere";
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "cannot start /bin/sh: cannot enter /nowhere: No such file or "
				  "directory");
	free(path);
}
END_TEST

START_TEST(path_entries_of_the_repository_are_not_searched)
{
	char *path = test_path("certrotate-tool");
	const char *dir = path;
	char *found = NULL;

	test_write(path, "#!/bin/sh\n");
	ck_assert_int_eq(chmod(path, 0700), 0);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(setenv("PATH", ".::/usr/bin", 1), 0);
	ck_assert_int_eq(child_find(&found, "certrotate-tool", &err), ERR_NOENT);
	ck_assert_int_eq(setenv("PATH", dir, 1), 0);
	ck_ok(child_find(&found, "certrotate-tool", &err), &err);
	ck_contains(found, "/certrotate-tool");
	free(found);
	free(path);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(keys_on_stderr_stay_out_of_messages)
{
	spec.argv = SH(
		"{ echo 'fatal: bad key'; echo '-----BEGIN RSA PRIVATE KEY-----'; "
		"for i in 1 2 3 4 5 6 7 8 9 10; do "
		"for j in 1 2 3 4 5 6 7 8 9; do echo MIIEvQIBADANBgkqhkiG9w0BAQEFAASC; done; "
		"done; echo '-----END RSA PRIVATE KEY-----'; "
		"printf '\\033[31mgive another\\033[0m\\n'; } >&2; exit 1");
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_int_eq(child_check(&result, "openssl", &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "openssl: exit code 1: fatal: bad key; [private key removed]; "
				  "give another");
}
END_TEST

Suite *child_suite(void)
{
	Suite *suite = suite_create("proc/child");
	TCase *tc = tcase_create("child");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, output_code_and_arguments);
	tcase_add_test(tc, environment_directory_and_umask);
	tcase_add_test(tc, no_descriptor_of_ours_is_left_open);
	tcase_add_test(tc, works_without_standard_descriptors);
	tcase_add_test(tc, signals_are_as_a_shell_gives_them);
	tcase_add_test(tc, input_larger_than_a_pipe);
	tcase_add_test(tc, secret_in_and_out);
	tcase_add_test(tc, output_is_bounded);
	tcase_add_test(tc, missing_program_says_what_to_install);
	tcase_add_test(tc, what_execve_says_is_reported);
	tcase_add_test(tc, path_entries_of_the_repository_are_not_searched);
	tcase_add_test(tc, keys_on_stderr_stay_out_of_messages);
	suite_add_tcase(suite, tc);
	return suite;
}
