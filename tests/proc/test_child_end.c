/* SPDX-License-Identifier: PostgreSQL */
/* However a child ends, and whoever ends it: nothing is left, and nobody waits for ever. */
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
	spec.deadline_ms = 28000;
}

static void tear_down(void)
{
	buf_release(&out);
	test_rmdir();
}

/* The process group that the script wrote down is empty, zombies apart. */
static void check_group_is_gone(const char *name)
{
	char *path = test_path(name);
	char *text = test_read(path, NULL);
	char command[128];

	(void)snprintf(command, sizeof(command),
		       "! ps -eo pgid=,stat= | grep -v Z | grep -q '^ *%d '", atoi(text));
	ck_assert_int_gt(atoi(text), 1);
	for (int i = 0; i < 250 && system(command); i++)
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
	ck_assert_int_lt(result.ms, 15000);
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
	ck_assert_int_lt(result.ms, 15000);
	check_group_is_gone("pgid");
	buf_reset(&out);
	/* One that left the group cannot be killed with it, but its pipe is closed on our side. */
	spec.argv = SH("setsid sleep 30 & exit 0");
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert(result.lingered);
	ck_assert_int_lt(result.ms, 15000);
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

/* The request comes while it runs, and before the second one is started. */
START_TEST(what_finishes_is_not_stopped_by_the_first_request)
{
	struct sigaction action = {.sa_handler = on_alarm};

	ck_ok(loop_stop_init(&stop, &err), &err);
	(void)sigaction(SIGUSR1, &action, NULL);
	spec.stop = &stop;
	spec.finishes = true;
	spec.argv = SH("kill -USR1 $PPID; sleep 0.3; echo whole");
	ck_ok(child_run(&result, &spec, &err), &err);
	ck_assert_str_eq(out.data, "whole\n");
	ck_assert_int_eq(loop_stop_count(&stop), 1);
	spec.argv = SH("kill -USR1 $PPID; exec sleep 300");
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_STOPPED);
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_STOPPED);
	ck_assert_str_eq(err.msg, "stopped before /bin/sh was started");
	loop_stop_release(&stop);
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
	spec.grace_ms = 25000;
	spec.stop = &stop;
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_STOPPED);
	ck_assert_int_eq(result.code, 128 + SIGKILL);
	ck_assert_int_lt(result.ms, 15000);
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
	(void)usleep(200000); /* the guard has been started by then, or is not needed */
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
	char *folder = test_path("scratch"), *file = test_path("scratch/key");

	spec.argv = SH("trap '' TERM; echo $$ >tmp; mv tmp pgid; "
		       "(while :; do sleep 0.05; done) & while :; do sleep 0.05; done");
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	test_write(file, "secret");
	spec.guard = true;
	spec.guard_removes = folder;
	spec.grace_ms = 1000;
	kill_parent_of_script();
	(void)sleep(1);
	(void)usleep(200000);
	check_group_is_gone("pgid");
	for (int tries = 0; tries < 200 && !access(folder, F_OK); tries++)
		(void)usleep(10000);
	ck_assert_int_eq(access(folder, F_OK), -1);
	free(folder);
	free(file);
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
	spec.deadline_ms = 20000;
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

/* Answers the question, and presses Ctrl-C once the script says that it has read the answer. */
static bool answer_and_interrupt(int master)
{
	char seen[256] = "";
	size_t len = 0;
	ssize_t got;

	if (write(master, "go\n", 3) != 3)
		return false;
	while (!strstr(seen, "ready") && len < sizeof(seen) - 1) {
		got = read(master, seen + len, sizeof(seen) - 1 - len);
		if (got <= 0)
			return false;
		len += (size_t)got;
		seen[len] = '\0';
	}
	return write(master, "\003", 1) == 1;
}

static void interrupt_on_terminal(void)
{
	int master = take_terminal();
	struct loop_stop asked;

	ck_ok(loop_stop_init(&asked, &err), &err);
	spec.argv = SH("read -r word </dev/tty; echo ready >/dev/tty; exec sleep 300");
	spec.terminal = true;
	spec.stop = &asked;
	if (fork() == 0)
		_exit(answer_and_interrupt(master) ? 0 : 1);
	ck_assert_int_eq(child_run(&result, &spec, &err), ERR_STOPPED);
	ck_assert_str_eq(err.msg, "sh: stopped");
	ck_assert_int_eq(result.end, CHILD_STOPPED);
	ck_assert_int_eq(loop_stop_count(&asked), 1); /* the operator wants the whole to stop */
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

Suite *child_end_suite(void)
{
	Suite *suite = suite_create("proc/child_end");
	TCase *tc = tcase_create("child_end");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, deadline_ends_the_group);
	tcase_add_test(tc, deadline_kills_what_ignores_sigterm);
	tcase_add_test(tc, deadline_kills_the_rest_of_the_group);
	tcase_add_test(tc, grandchild_that_holds_the_pipe_does_not_hang_us);
	tcase_add_test(tc, death_by_signal_is_said);
	tcase_add_test(tc, stop_request_ends_the_group);
	tcase_add_test(tc, second_stop_request_kills_at_once);
	tcase_add_test(tc, what_finishes_is_not_stopped_by_the_first_request);
	tcase_add_test(tc, many_at_once_on_one_loop);
	tcase_add_test(tc, child_free_kills_a_running_one);
	tcase_add_test(tc, child_ends_with_its_parent);
	tcase_add_test(tc, guarded_group_ends_with_the_parent);
	tcase_add_test(tc, guard_goes_with_its_child);
	tcase_add_test(tc, terminal_is_lent);
	tcase_add_test(tc, interrupt_at_the_lent_terminal_stops);
	suite_add_tcase(suite, tc);
	return suite;
}
