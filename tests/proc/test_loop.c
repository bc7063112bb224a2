/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/loop.h"
#include "tests/proc/suites.h"

#define TIMERS 5000

static struct sys machine;
static struct loop *loop;
static struct err err;

/* A clock that only the test moves: each look at it takes one millisecond. */
static int64_t fake_ms;

static int64_t fake_mono_ms(struct sys *sys)
{
	(void)sys;
	return fake_ms++;
}

static void set_up(void)
{
	err_clear(&err);
	sys_init(&machine);
	ck_ok(loop_new(&loop, &machine, NULL, &err), &err);
}

static void tear_down(void)
{
	loop_free(loop);
}

struct fired {
	struct loop_timer timer;
	int64_t due;
	bool done;
};

static int64_t last_due;
static size_t fired_count;

static void on_fire(struct loop_timer *timer, void *ctx)
{
	struct fired *fired = ctx;

	ck_assert_ptr_eq(timer, &fired->timer);
	ck_assert(!loop_timer_is_set(timer));
	ck_assert_int_ge(fired->due, last_due);
	last_due = fired->due;
	fired->done = true;
	fired_count++;
}

START_TEST(timers_fire_in_order_whatever_was_removed)
{
	struct fired *fired = calloc(TIMERS, sizeof(*fired));
	size_t removed = 0;

	machine.mono_ms = fake_mono_ms;
	srand(7);
	last_due = 0;
	fired_count = 0;
	for (size_t i = 0; i < TIMERS; i++) {
		int delay = rand() % 10000;

		loop_timer_set(loop, &fired[i].timer, delay, on_fire, &fired[i]);
		fired[i].due = fired[i].timer.at;
	}
	for (size_t i = 0; i < TIMERS; i += 3) {
		loop_timer_del(&fired[i].timer);
		removed++;
	}
	for (size_t i = 1; i < TIMERS; i += 3) { /* moved */
		loop_timer_set(loop, &fired[i].timer, rand() % 5000, on_fire, &fired[i]);
		fired[i].due = fired[i].timer.at;
	}
	fake_ms += 100000;
	ck_assert_int_eq(loop_run(loop, NULL, NULL, 10, &err), LOOP_TIMEOUT);
	ck_assert_uint_eq(fired_count, TIMERS - removed);
	for (size_t i = 0; i < TIMERS; i++)
		ck_assert_int_eq(fired[i].done, i % 3 != 0);
	free(fired);
}
END_TEST

static void on_fire_again(struct loop_timer *timer, void *ctx)
{
	int *count = ctx;

	if (++*count < 5)
		loop_timer_set(loop, timer, 0, on_fire_again, ctx);
	else
		loop_quit(loop);
}

START_TEST(timer_sets_itself_again)
{
	struct loop_timer timer = {0};
	int count = 0;

	loop_timer_set(loop, &timer, 0, on_fire_again, &count);
	ck_ok(loop_run(loop, NULL, NULL, 5000, &err), &err);
	ck_assert_int_eq(count, 5);
}
END_TEST

START_TEST(nothing_to_wait_for_is_an_error)
{
	ck_assert_int_eq(loop_run(loop, NULL, NULL, -1, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "the event loop has nothing to wait for");
	ck_assert_int_eq(loop_run(loop, NULL, NULL, 1, &err), LOOP_TIMEOUT);
}
END_TEST

struct pair {
	struct loop_fd watch;
	int fds[2];
	struct pair *other;
	int told;
};

static void make_pair(struct pair *pair)
{
	memset(pair, 0, sizeof(*pair));
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fds), 0);
}

static void close_pair(struct pair *pair)
{
	(void)close(pair->fds[0]);
	(void)close(pair->fds[1]);
}

static void on_read_removes_other(struct loop_fd *watch, unsigned events, void *ctx)
{
	struct pair *pair = ctx;

	ck_assert_uint_eq(events, LOOP_READ);
	pair->told++;
	loop_fd_del(&pair->other->watch);
	loop_fd_del(watch);
	memset(&pair->other->watch, 0xee, sizeof(pair->other->watch));
}

/* Both are ready in one round, and whoever is told first takes the other one away. */
START_TEST(removed_watch_is_never_told)
{
	struct pair a, b;

	make_pair(&a);
	make_pair(&b);
	a.other = &b;
	b.other = &a;
	ck_ok(loop_fd_set(loop, &a.watch, a.fds[0], LOOP_READ, on_read_removes_other, &a, &err),
	      &err);
	ck_ok(loop_fd_set(loop, &b.watch, b.fds[0], LOOP_READ, on_read_removes_other, &b, &err),
	      &err);
	ck_assert_int_eq(write(a.fds[1], "x", 1), 1);
	ck_assert_int_eq(write(b.fds[1], "x", 1), 1);
	ck_assert_int_eq(loop_run(loop, NULL, NULL, 20, &err), LOOP_TIMEOUT);
	ck_assert_int_eq(a.told + b.told, 1);
	close_pair(&a);
	close_pair(&b);
}
END_TEST

static unsigned seen;

static void on_any(struct loop_fd *watch, unsigned events, void *ctx)
{
	(void)watch;
	(void)ctx;
	seen |= events;
	loop_quit(loop);
}

START_TEST(watch_changes_and_hangup_are_told)
{
	struct pair pair;

	make_pair(&pair);
	seen = 0;
	ck_ok(loop_fd_set(loop, &pair.watch, pair.fds[0], LOOP_WRITE, on_any, NULL, &err), &err);
	ck_ok(loop_run(loop, NULL, NULL, 5000, &err), &err);
	ck_assert_uint_eq(seen, LOOP_WRITE);
	seen = 0;
	ck_ok(loop_fd_set(loop, &pair.watch, pair.fds[0], 0, on_any, NULL, &err), &err);
	ck_assert_int_eq(write(pair.fds[1], "x", 1), 1);
	ck_assert_int_eq(loop_run(loop, NULL, NULL, 5, &err), LOOP_TIMEOUT);
	ck_assert_uint_eq(seen, 0);
	(void)close(pair.fds[1]);
	ck_ok(loop_run(loop, NULL, NULL, 5000, &err), &err);
	ck_assert_uint_eq(seen, LOOP_HANGUP);
	(void)close(pair.fds[0]);
	loop_fd_del(&pair.watch);
	ck_assert_int_eq(loop_fd_set(loop, &pair.watch, pair.fds[0], LOOP_READ, on_any, NULL, &err),
			 ERR_FAIL);
	ck_contains(err.msg, "cannot watch descriptor");
}
END_TEST

static int told_count;

static void on_stop(struct loop_stopper *stopper, int count, void *ctx)
{
	(void)ctx;
	told_count = count;
	if (count == 2)
		loop_off_stop(stopper);
	loop_quit(loop);
}

START_TEST(stop_requests_are_told_to_all_loops)
{
	struct loop_stop stop;
	struct loop_stopper stopper = {0};

	loop_free(loop);
	ck_ok(loop_stop_init(&stop, &err), &err);
	loop_stop_request(&stop);
	ck_ok(loop_new(&loop, &machine, &stop, &err), &err); /* asked for before it was made */
	loop_on_stop(loop, &stopper, on_stop, NULL);
	ck_assert(loop_stopping(loop));
	ck_ok(loop_run(loop, NULL, NULL, 5000, &err), &err);
	ck_assert_int_eq(told_count, 1);
	ck_assert_int_eq(loop_run(loop, NULL, NULL, 5, &err), LOOP_TIMEOUT);
	loop_request_stop(loop);
	ck_ok(loop_run(loop, NULL, NULL, 5000, &err), &err);
	ck_assert_int_eq(told_count, 2);
	ck_assert_int_eq(loop_stop_count(&stop), 2);
	ck_assert_int_eq(loop_stop_count(NULL), 0);
	loop_stop_release(&stop);
}
END_TEST

static void on_child(struct loop_child *child, void *ctx)
{
	int *status = ctx;

	ck_assert_int_eq(waitpid(child->pid, status, WNOHANG), child->pid);
	loop_quit(loop);
}

static void watch_one_child(void)
{
	struct loop_child child = {0};
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		(void)usleep(30000);
		_exit(7);
	}
	ck_ok(loop_child_set(loop, &child, pid, on_child, &status, &err), &err);
	ck_ok(loop_run(loop, NULL, NULL, 5000, &err), &err);
	ck_assert_int_eq(WEXITSTATUS(status), 7);
}

START_TEST(child_end_is_told)
{
	watch_one_child();
}
END_TEST

/* As on a kernel that does not know pidfd_open(2). */
START_TEST(child_end_is_told_without_pidfd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = code};

	if (strcmp(getenv("CK_FORK") ? getenv("CK_FORK") : "yes", "no") == 0)
		return; /* the filter would stay for the other tests */
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	ck_assert_int_eq((int)syscall(SYS_pidfd_open, getpid(), 0), -1);
	watch_one_child();
}
END_TEST

Suite *loop_suite(void)
{
	Suite *suite = suite_create("proc/loop");
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, timers_fire_in_order_whatever_was_removed);
	tcase_add_test(tc, timer_sets_itself_again);
	tcase_add_test(tc, nothing_to_wait_for_is_an_error);
	tcase_add_test(tc, removed_watch_is_never_told);
	tcase_add_test(tc, watch_changes_and_hangup_are_told);
	tcase_add_test(tc, stop_requests_are_told_to_all_loops);
	tcase_add_test(tc, child_end_is_told);
	tcase_add_test(tc, child_end_is_told_without_pidfd);
	suite_add_tcase(suite, tc);
	return suite;
}
