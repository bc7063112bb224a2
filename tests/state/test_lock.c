/* SPDX-License-Identifier: PostgreSQL */
/* A lock that cannot be had, a journal that cannot be read, and what is said of other operators. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/journal.h"
#include "state/lock.h"
#include "state/login.h"
#include "state/others.h"
#include "tests/state/suites.h"

#define WHO "DBA One <one@example.com>"

static struct sys sys;
static struct err err;
static char *path;

static void setup(void)
{
	err_clear(&err);
	sys_init(&sys);
	(void)test_mkdir();
	path = test_path("lock");
}

static void teardown(void)
{
	free(path);
	test_rmdir();
}

/* One of its system calls fails: in this test's process, for good. False without such a process. */
static bool refuse_call(long number, unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (strcmp(getenv("CK_FORK") ? getenv("CK_FORK") : "yes", "no") == 0)
		return false;
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	return true;
}

static void not_taken(int code, const char *message)
{
	ck_assert_int_eq(lock_take(path, WHO, &sys, &err), code);
	ck_contains(err.msg, path);
	ck_assert_str_eq(strstr(err.msg, path) + strlen(path), message);
}

START_TEST(a_file_system_without_locks_is_named)
{
	if (!refuse_call(SYS_flock, ENOLCK))
		return;
	not_taken(ERR_FAIL, ": No locks available");
	ck_contains(err.hint, "use a clone on a local disk");
	ck_assert_int_eq(lock_take(path, WHO, &sys, NULL), ERR_FAIL);
}
END_TEST

START_TEST(a_lock_that_fails_otherwise_is_named)
{
	if (!refuse_call(SYS_flock, EINVAL))
		return;
	not_taken(ERR_FAIL, ": Invalid argument");
	ck_assert_str_eq(err.hint, "");
}
END_TEST

START_TEST(a_lock_that_cannot_be_looked_at_is_not_taken)
{
	if (!refuse_call(SYS_newfstatat, EIO) || !refuse_call(SYS_fstat, EIO))
		return;
	not_taken(ERR_MACHINE, ": Input/output error");
	ck_contains(err.msg, "cannot look at the lock ");
}
END_TEST

START_TEST(a_lock_that_cannot_say_whose_it_is_is_not_taken)
{
	if (!refuse_call(SYS_ftruncate, EIO))
		return;
	not_taken(ERR_MACHINE, ": Input/output error");
	ck_assert_str_eq(err.msg + strlen("cannot write "), strstr(err.msg, path));
}
END_TEST

START_TEST(a_lock_that_is_no_file_is_refused)
{
	struct stat st;
	char *missing = test_path("none/lock");

	ck_assert_int_eq(lock_take(missing, WHO, &sys, &err), ERR_NOENT);
	ck_contains(err.msg, "cannot open the lock ");
	free(missing);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	not_taken(ERR_FAIL, ": Too many levels of symbolic links");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	not_taken(ERR_FAIL, " is no lock but another kind of file");
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
}
END_TEST

/* Whoever holds the lock wrote that text, or is another machine over a shared disk. */
static void holder_says(const char *text)
{
	int fds[2], status;
	char byte = 0;
	pid_t child;

	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		int fd = lock_take(path, WHO, &sys, NULL);

		if (fd < 0)
			_exit(1);
		(void)!truncate(path, 0);
		(void)!pwrite(fd, text, strlen(text), 0);
		(void)!write(fds[1], "y", 1);
		(void)pause();
		_exit(0);
	}
	(void)close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	ck_assert_int_eq(lock_take(path, WHO, &sys, &err), ERR_LOCK);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}

START_TEST(a_holder_is_told_as_it_says)
{
	holder_says("Eve on sea <eve@example.com> on elsewhere, process 1, since today\n");
	ck_assert_str_eq(err.msg, "another certrotate is at work on this environment: Eve on sea "
				  "<eve@example.com> on elsewhere, process 1, since today");
	holder_says("");
	ck_assert_str_eq(err.msg, "another certrotate is at work on this environment: it has not "
				  "said who it is");
}
END_TEST

/* A holder that was killed between fork and exec: its child has the lock for a moment more. */
START_TEST(the_child_of_a_dead_holder_is_waited_for)
{
	int fds[2], held, status;
	char byte = 0;
	pid_t holder;

	ck_assert_int_eq(pipe(fds), 0);
	holder = fork();
	if (holder == 0) {
		int fd = lock_take(path, WHO, &sys, NULL);

		if (fork() > 0)
			_exit(fd < 0 ? 1 : 0);
		(void)!write(fds[1], "y", 1);
		(void)usleep(250000);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(holder, &status, 0), holder);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	held = lock_take(path, WHO, &sys, &err);
	ck_assert_msg(held >= 0, "%s", err.msg);
	(void)close(held);
}
END_TEST

START_TEST(a_journal_that_cannot_be_read_is_named)
{
	struct journal journal;

	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(journal_open(&journal, path, &sys, &err), ERR_FAIL);
	ck_contains(err.msg, path);
	ck_assert_ptr_null(journal.path);
}
END_TEST

START_TEST(another_operator_is_named)
{
	static const char last[] = "{\"phase\": \"trust\", \"outcome\": \"completed\", \"host\": "
				   "\"b:/r\", \"at\": \"2026-11-21T01:30:00Z\", \"since\": "
				   "\"2026-11-21T01:00:00Z\", \"by\": \"Ben\"}";
	struct under_way under_way = {
		.active = true, .phase = PHASE_TRUST, .direction = DIRECTION_BACK};
	struct store store;
	struct json *entry = NULL;

	ck_ok(store_init(&store, "poc", STATE_TRUSTED, &err), &err);
	ck_assert_int_eq(others_took_over(&store, &err), ERR_LOCK);
	ck_assert_str_eq(err.msg, "somebody else has taken this phase over: the state is trusted "
				  "now");
	ck_contains(err.hint, "nothing more is rolled out or pushed from here");
	ck_assert_int_eq(others_were_faster(&store, "a:/r", &err), ERR_LOCK);
	ck_assert_str_eq(err.msg, "somebody else was faster: the state is trusted now");
	ck_contains(err.hint, "set aside");

	store.under_way = under_way;
	ck_assert_int_eq(others_were_faster(&store, "a:/r", &err), ERR_LOCK);
	ck_assert_str_eq(err.msg,
			 "somebody else was faster: the revert of trust is under way on an "
			 "unknown machine since an unknown time, by somebody");
	store.under_way.host = strdup("a:/r");
	ck_assert_int_eq(others_were_faster(&store, "a:/r", &err), ERR_LOCK);
	ck_contains(err.msg, "an earlier call from this clone was faster: the revert of trust is "
			     "under way on a:/r since ");
	ck_contains(err.hint, "run it again");
	store.under_way.active = false;

	ck_ok(js_parse(&entry, last, strlen(last), "entry", &err), &err);
	ck_assert_int_eq(js_push(store.history, entry), 0);
	ck_assert_int_eq(others_took_over(&store, &err), ERR_LOCK);
	ck_assert_str_eq(err.msg, "somebody else has taken this phase over: the state is trusted "
				  "now: trust was completed on b:/r at 2026-11-21T01:30:00Z (since "
				  "2026-11-21T01:00:00Z), by Ben");
	store_release(&store);
}
END_TEST

/* A server that no generation knows shows whatever the chain's servers show. */
START_TEST(without_a_servers_leaf_no_bundle_is_known)
{
	struct arena *arena = arena_new((size_t)1 << 20);
	struct generation gen;
	struct test_chain chain = {0};
	struct target target;

	fixture_generation(&gen, arena, &chain, "g1", BOTH_AUTHORITIES);
	fixture_add_leaf(&gen, arena, &chain, "client", "app", LEAF_CLIENT);
	ck_ok(target_init(&target, STATE_IDLE, &gen, NULL, &err), &err);
	ck_assert_ptr_null(login_bundle(&target, "db1"));
	ck_assert_ptr_null(login_served(&target, "app"));
	fixture_add_leaf(&gen, arena, &chain, "server", "db1", LEAF_SERVER);
	ck_assert_str_eq(login_bundle(&target, "db1"), gen.authorities[0].chain);
	ck_assert_str_eq(login_bundle(&target, "db2"), gen.authorities[0].chain);
	target_release(&target);
	generation_release(&gen);
	test_chain_release(&chain);
	arena_free(arena);
}
END_TEST

Suite *lock_suite(void)
{
	Suite *suite = suite_create("lock and others");
	TCase *tc = tcase_create("lock and others");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_file_system_without_locks_is_named);
	tcase_add_test(tc, a_lock_that_fails_otherwise_is_named);
	tcase_add_test(tc, a_lock_that_cannot_be_looked_at_is_not_taken);
	tcase_add_test(tc, a_lock_that_cannot_say_whose_it_is_is_not_taken);
	tcase_add_test(tc, a_lock_that_is_no_file_is_refused);
	tcase_add_test(tc, a_holder_is_told_as_it_says);
	tcase_add_test(tc, the_child_of_a_dead_holder_is_waited_for);
	tcase_add_test(tc, a_journal_that_cannot_be_read_is_named);
	tcase_add_test(tc, another_operator_is_named);
	tcase_add_test(tc, without_a_servers_leaf_no_bundle_is_known);
	suite_add_tcase(suite, tc);
	return suite;
}
