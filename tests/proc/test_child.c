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

#define SH(...)                                                                                    \
	(const char *const[])                                                                      \
	{                                                                                          \
		"/bin/sh", "-c", __VA_ARGS__, NULL                                                 \
	}

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
	spec.argv = SH("head -c 1000000000 /dev/zero | tr '\\0' x; echo; echo last >&2; exit 0");
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

/* The process group that the script wrote down is empty, zombies apart. */
static void check_group_is_gone(const char *name)
{
	char *path = test_path(name);
	char *text = test_read(path, NULL);
	char command[128];

	(void)snprintf(command, sizeof(command),
		       "! ps -eo pgid=,stat= | grep -v Z | grep -q '^ *%d '", atoi(text));
	ck_assert_int_gt(atoi(text), 1);
	for (int i = 0; i < 50 && system(command); i++)
		(void)usleep(20000);
	ck_assert_int_eq(system(command), 0);
	free(text);
	free(path);
}

START_TEST(deadline_ends_the_group)
{
	char *dir = test_path(".");

	spec.argv = SH("echo $$ >pgid; sleep 300 & sleep 300");
	spec.cwd = dir;
	spec.deadline_ms = 150;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_FAIL);
	ck_assert_int_eq(result.end, CHILD_TIMED_OUT);
	ck_assert_int_eq(result.code, 128 + SIGTERM);
	ck_assert_str_eq(err.msg, "sh: not done after 0 s, ended");
	ck_assert_int_lt(result.ms, 2000);
	check_group_is_gone("pgid");
	free(dir);
}
END_TEST

START_TEST(deadline_kills_what_ignores_sigterm)
{
	char *dir = test_path(".");

	spec.argv = SH("trap '' TERM; echo $$ >pgid; (while :; do sleep 0.05; done) & "
		       "while :; do sleep 0.05; done");
	spec.cwd = dir;
	spec.deadline_ms = 150;
	spec.grace_ms = 150;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_FAIL);
	ck_assert_int_eq(result.end, CHILD_TIMED_OUT);
	ck_assert_int_eq(result.code, 128 + SIGKILL);
	ck_assert_int_ge(result.ms, 300);
	check_group_is_gone("pgid");
	free(dir);
}
END_TEST

/* The leader obeys, a member of its group closed the pipes and does not. */
START_TEST(deadline_kills_the_rest_of_the_group)
{
	char *dir = test_path(".");

	spec.argv = SH("echo $$ >pgid; (trap '' TERM; exec >/dev/null 2>&1; "
		       "while :; do sleep 0.05; done) & sleep 300");
	spec.cwd = dir;
	spec.deadline_ms = 200;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_FAIL);
	check_group_is_gone("pgid");
	free(dir);
}
END_TEST

START_TEST(grandchild_that_holds_the_pipe_does_not_hang_us)
{
	char *dir = test_path(".");

	spec.argv = SH("echo $$ >pgid; sleep 300 & echo out; exit 4");
	spec.cwd = dir;
	spec.linger_ms = 100;
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_int_eq(result.code, 4);
	ck_assert(result.lingered);
	ck_assert_str_eq(out.data, "out\n");
	ck_assert_int_lt(result.ms, 3000);
	check_group_is_gone("pgid");
	buf_reset(&out);
	/* One that left the group cannot be killed with it, but its pipe is closed on our side. */
	spec.argv = SH("setsid sleep 3 & exit 0");
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert(result.lingered);
	ck_assert_int_lt(result.ms, 2500);
	free(dir);
}
END_TEST

START_TEST(death_by_signal_is_said)
{
	spec.argv = SH("echo 'about to die' >&2; kill -SEGV $$");
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_FAIL);
	ck_assert_int_eq(result.end, CHILD_SIGNALED);
	ck_assert_int_eq(result.code, SIGSEGV);
	ck_assert_str_eq(err.msg, "sh: killed by signal 11 (Segmentation fault): about to die");
}
END_TEST

static struct loop_stop stop;

static void on_alarm(int sig)
{
	(void)sig;
	loop_stop_request(&stop);
}

START_TEST(stop_request_ends_the_group)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct sys machine;
	char *dir = test_path(".");

	sys_init(&machine);
	ck_ok(loop_stop_init(&stop, &err), &err);
	(void)sigaction(SIGUSR1, &action, NULL);
	spec.argv = SH("echo $$ >pgid; (sleep 0.2; kill -USR1 $PPID) & exec sleep 300");
	spec.cwd = dir;
	spec.stop = &stop;
	spec.sys = &machine;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_STOPPED);
	ck_assert_str_eq(err.msg, "sh: stopped");
	ck_assert_int_eq(result.end, CHILD_STOPPED);
	check_group_is_gone("pgid");
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_STOPPED);
	ck_assert_str_eq(err.msg, "stopped before /bin/sh was started");
	loop_stop_release(&stop);
	free(dir);
}
END_TEST

START_TEST(second_stop_request_kills_at_once)
{
	char *dir = test_path(".");
	struct sigaction action = {.sa_handler = on_alarm};

	ck_ok(loop_stop_init(&stop, &err), &err);
	(void)sigaction(SIGUSR1, &action, NULL);
	spec.argv = SH("trap '' TERM; echo $$ >pgid; kill -USR1 $PPID; sleep 0.2; "
		       "kill -USR1 $PPID; while :; do sleep 0.05; done");
	spec.cwd = dir;
	spec.stop = &stop;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_STOPPED);
	ck_assert_int_eq(result.code, 128 + SIGKILL);
	ck_assert_int_lt(result.ms, 3000);
	check_group_is_gone("pgid");
	loop_stop_release(&stop);
	free(dir);
}
END_TEST

static size_t ended;

static void on_done(struct child *child, void *ctx)
{
	struct child **slot = ctx;

	ck_assert_ptr_eq(*slot, child);
	ck_assert_int_eq(child_result(child)->code, 0);
	child_free(child);
	*slot = NULL;
	ended++;
}

static bool all_ended(void *ctx)
{
	return ended == *(const size_t *)ctx;
}

START_TEST(many_at_once_on_one_loop)
{
	struct child *children[20] = {0};
	size_t count = 20;
	struct sys machine;
	struct loop *loop;

	sys_init(&machine);
	ck_ok(loop_new(&loop, &machine, NULL, &err), &err);
	spec.argv = SH("sleep 0.1");
	ended = 0;
	for (size_t i = 0; i < count; i++)
		ck_ok(child_start(&children[i], loop, &spec, on_done, &children[i], &err), &err);
	ck_ok(loop_run(loop, all_ended, &count, 10000, &err), &err);
	ck_assert_uint_eq(ended, count);
	loop_free(loop);
}
END_TEST

START_TEST(child_free_kills_a_running_one)
{
	struct child *child;
	struct sys machine;
	struct loop *loop;
	pid_t pid;

	sys_init(&machine);
	ck_ok(loop_new(&loop, &machine, NULL, &err), &err);
	spec.argv = SH("sleep 300");
	ck_ok(child_start(&child, loop, &spec, on_done, &child, &err), &err);
	pid = child_pid(child);
	ck_assert_int_eq(kill(pid, 0), 0);
	child_free(child);
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
	loop_free(loop);
}
END_TEST

/* A process that runs the spec, killed as soon as the script has written its group down. */
static void kill_parent_of_script(void)
{
	char *dir = test_path(".");
	char *path = test_path("pgid");
	pid_t middle = fork();

	if (middle == 0) {
		spec.cwd = dir;
		(void)child_run(&result, &spec, &err);
		_exit(0);
	}
	while (access(path, F_OK))
		(void)usleep(10000);
	(void)usleep(50000); /* the guard has been started by then, or is not needed */
	(void)kill(middle, SIGKILL);
	(void)waitpid(middle, NULL, 0);
	free(path);
	free(dir);
}

START_TEST(child_ends_with_its_parent)
{
	spec.argv = SH("echo $$ >tmp; mv tmp pgid; exec sleep 300");
	kill_parent_of_script();
	check_group_is_gone("pgid");
}
END_TEST

START_TEST(guarded_group_ends_with_the_parent)
{
	spec.argv = SH("trap '' TERM; echo $$ >tmp; mv tmp pgid; "
		       "(while :; do sleep 0.05; done) & while :; do sleep 0.05; done");
	spec.guard = true;
	spec.grace_ms = 1000;
	kill_parent_of_script();
	(void)usleep(1200000);
	check_group_is_gone("pgid");
}
END_TEST

START_TEST(guard_goes_with_its_child)
{
	char *pids = NULL;

	spec.argv = SH("sleep 0.1; pgrep -P $PPID -f certrotate-guard");
	spec.guard = true;
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_int_eq(result.code, 0);
	pids = out.data;
	ck_assert_int_gt(atoi(pids), 1);
	ck_assert_int_eq(kill(atoi(pids), 0), -1);
	ck_assert_int_eq(errno, ESRCH);
}
END_TEST

/* A terminal of its own, in whose foreground we are. Returns its other side. */
static int take_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int slave;

	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	ck_assert_int_gt(setsid(), 0);
	slave = open(ptsname(master), O_RDWR | O_CLOEXEC); /* becomes the controlling one */
	ck_assert_int_ge(slave, 0);
	ck_assert_int_eq(tcgetpgrp(slave), getpgrp());
	return master;
}

/* Runs test in a process of its own, which alone can become a session's leader. */
static void in_new_process(void (*test)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		test();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void ask_on_terminal(void)
{
	int master = take_terminal();
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);

	spec.argv = SH("read -r word </dev/tty && echo \"got $word\"");
	spec.deadline_ms = 5000;
	ck_assert_int_eq(write(master, "hello\n", 6), 6);
	spec.terminal = true;
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_str_eq(out.data, "got hello\n");
	ck_assert_int_eq(tcgetpgrp(tty), getpgrp());
	/* Not allowed to: it fails at once instead of being stopped until the deadline. */
	buf_reset(&out);
	spec.terminal = false;
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_int_ne(result.code, 0);
	ck_contains(result.tail, "/dev/tty");
}

static void interrupt_on_terminal(void)
{
	int master = take_terminal();

	spec.argv = SH("(sleep 0.1; echo ready >/dev/tty) & exec sleep 300");
	spec.terminal = true;
	if (fork() == 0) {
		char ready[16];

		_exit(read(master, ready, sizeof(ready)) > 0 && write(master, "\003", 1) == 1 ? 0
											      : 1);
	}
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_STOPPED);
	ck_assert_str_eq(err.msg, "sh: stopped");
	ck_assert_int_eq(result.end, CHILD_STOPPED);
}

START_TEST(terminal_is_lent)
{
	in_new_process(ask_on_terminal);
}
END_TEST

START_TEST(interrupt_at_the_lent_terminal_stops)
{
	in_new_process(interrupt_on_terminal);
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
	tcase_add_test(tc, deadline_ends_the_group);
	tcase_add_test(tc, deadline_kills_what_ignores_sigterm);
	tcase_add_test(tc, deadline_kills_the_rest_of_the_group);
	tcase_add_test(tc, grandchild_that_holds_the_pipe_does_not_hang_us);
	tcase_add_test(tc, death_by_signal_is_said);
	tcase_add_test(tc, stop_request_ends_the_group);
	tcase_add_test(tc, second_stop_request_kills_at_once);
	tcase_add_test(tc, many_at_once_on_one_loop);
	tcase_add_test(tc, child_free_kills_a_running_one);
	tcase_add_test(tc, child_ends_with_its_parent);
	tcase_add_test(tc, guarded_group_ends_with_the_parent);
	tcase_add_test(tc, guard_goes_with_its_child);
	tcase_add_test(tc, terminal_is_lent);
	tcase_add_test(tc, interrupt_at_the_lent_terminal_stops);
	tcase_add_test(tc, keys_on_stderr_stay_out_of_messages);
	suite_add_tcase(suite, tc);
	return suite;
}
