/* SPDX-License-Identifier: PostgreSQL */
/* A process that is killed in the middle: the next call ends what it began. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "git/internal.h"
#include "git/remote.h"
#include "tests/git/fixture.h"

#define KILLS 10

static bool branches_fail;

/* In place of the C library's, also for libgit2: while branches_fail their folder is not synced. */
int fsync(int fd)
{
	static const char folder[] = "/work/.git/refs/heads";
	char link[64], path[PATH_MAX];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = branches_fail ? readlink(link, path, sizeof(path)) : -1;
	if (len >= (ssize_t)strlen(folder) &&
	    strncmp(path + len - strlen(folder), folder, strlen(folder)) == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

START_TEST(a_move_that_ended_after_the_branch_is_finished)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");

	(void)sh("git -C work update-ref refs/heads/dev %s && "
		 "echo left >work/.certs.yml.certrotate-a1B2c3",
		 to.hex);
	ck_ok(branch_advance(repo, DEV, &from, &to, "x", &err), &err);
	ck_assert_str_eq(sh("cat work/certs.yml; git -C work status --porcelain"), "two");
	/* files written, index not */
	(void)sh("cd work && git update-index --cacheinfo 100644,$(git rev-parse %s:certs.yml),"
		 "certs.yml",
		 from.hex);
	ck_assert_str_eq(sh("git -C work status --porcelain"), "MM certs.yml");
	ck_ok(branch_advance(repo, DEV, &from, &to, "x", &err), &err);
	ck_assert_str_eq(sh("git -C work status --porcelain"), "");
}
END_TEST

/* What a process leaves that dies with the locks taken. */
static void die_with_locks(const char *lock)
{
	pid_t child = fork();
	struct strs paths = STRS_INIT;
	struct guard guard;
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		if (strs_add(&paths, lock, NULL) ||
		    guard_enter(&guard, repo, &paths, 10, NULL, NULL))
			_exit(1);
		_exit(system("touch work/.git/index.lock work/.git/refs/heads/dev.lock") ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	strs_release(&paths);
}

START_TEST(locks_of_the_dead_are_removed_those_of_others_are_not)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");
	char *lock = test_path("work/.git/index.lock");

	ck_assert_int_eq(chdir(getenv("HOME")), 0);
	die_with_locks(lock);
	ck_assert_int_eq(branch_advance(repo, DEV, &from, &to, "x", &err), ERR_LOCK);
	ck_contains(err.msg, "refs/heads/dev.lock");
	ck_assert_int_eq(sh_code("rm work/.git/refs/heads/dev.lock"), 0);
	ck_ok(branch_advance(repo, DEV, &from, &to, "x", &err), &err);
	/* a lock that came long after the note is somebody else's */
	die_with_locks(lock);
	(void)sh("rm work/.git/refs/heads/dev.lock && touch -d '+1 hour' work/.git/index.lock");
	from = to;
	to = commit_file(&from, "certs.yml", "three\n");
	ck_assert_int_eq(branch_advance(repo, DEV, &from, &to, "x", &err), ERR_LOCK);
	ck_contains(err.msg, "index.lock");
	(void)sh("rm work/.git/index.lock");
	ck_ok(branch_advance(repo, DEV, &from, &to, "x", &err), &err);
	free(lock);
}
END_TEST

START_TEST(a_lock_of_a_killed_push_is_removed)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		(void)sh("printf '#!/bin/sh\\ntouch \"%%s\"\\nkill -9 %d\\n' "
			 "\"$PWD/work/.git/refs/remotes/origin/dev.lock\" "
			 ">origin.git/hooks/post-receive && chmod +x origin.git/hooks/post-receive",
			 (int)getpid());
		_exit(remote_push(repo, "origin", &to, DEV, &from, NULL, NULL) ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)sh("rm origin.git/hooks/post-receive && ls work/.git/refs/remotes/origin/dev.lock");
	ck_ok(remote_fetch(repo, "origin", "dev", &err), &err);
	ck_assert_str_eq(rev("origin/dev").hex, to.hex);
	/* somebody else's stays, and is named */
	(void)sh("git -C origin.git update-ref refs/heads/dev %s && "
		 "touch work/.git/refs/remotes/origin/dev.lock",
		 from.hex);
	ck_assert_int_eq(remote_fetch(repo, "origin", "dev", &err), ERR_FAIL);
	ck_contains(err.msg, "refs/remotes/origin/dev.lock': File exists");
	ck_assert_ptr_null(strstr(err.msg, "Another git process"));
}
END_TEST

/* A note whose owner is dead, as branch_advance writes it. */
static void leave_note(const struct oid *from, const struct oid *to)
{
	const char *const fields[] = {DEV, from->hex, to->hex};
	struct strs paths = STRS_INIT;
	struct guard guard;

	ck_ok(guard_enter(&guard, repo, &paths, 10, fields, &err), &err);
	(void)close(guard.fd);
	free(guard.path);
}

START_TEST(recovery_finishes_what_the_branch_shows)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");

	/* an object that was not written to its end, which git itself would keep for ever */
	(void)sh("cd work/.git/objects && touch -d '-2 hours' tmp_object_git2_0123456789abcdef && "
		 "touch tmp_object_git2_0123456789abcdee");
	ck_ok(branch_recover(repo, &err), &err);
	ck_assert_str_eq(sh("cd work/.git/objects && ls -d tmp* && rm tmp*"),
			 "tmp_object_git2_0123456789abcdee");
	leave_note(&from, &to);
	ck_ok(branch_recover(repo, &err), &err);
	ck_assert_str_eq(sh("cat work/certs.yml; git -C work rev-parse dev; "
			    "ls work/.git/certrotate/.locks"),
			 sh("echo one; echo %s", from.hex));
	(void)sh("git -C work update-ref refs/heads/dev %s", to.hex);
	leave_note(&from, &to);
	(void)sh("echo mine >work/certs.yml");
	ck_assert_int_eq(branch_recover(repo, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "changes that are not committed would be lost: certs.yml");
	(void)sh("echo one >work/certs.yml");
	ck_ok(branch_recover(repo, &err), &err);
	ck_assert_str_eq(sh("cat work/certs.yml; git -C work status --porcelain; "
			    "ls work/.git/certrotate/.locks"),
			 "two");
}
END_TEST

START_TEST(a_full_disk_leaves_what_recovery_needs)
{
	struct rlimit small = {4096, RLIM_INFINITY}, wide = {RLIM_INFINITY, RLIM_INFINITY};
	struct oid from, to;

	(void)sh(
		"cd work && mkdir d && for i in $(seq 200); do echo $i >d/$i; done && git add d && "
		"git commit -qm many");
	from = rev("dev");
	to = commit_file(&from, "certs.yml", "two\n");
	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_eq(branch_advance(repo, DEV, &from, &to, "x", &err), ERR_FAIL);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &wide), 0);
	ck_contains(err.msg, "File too large");
	ck_assert_str_eq(sh("git -C work rev-parse dev && git -C work status --porcelain && "
			    "ls work/.git/*.lock work/.git/certrotate-* 2>/dev/null | wc -l"),
			 sh("echo %s; echo 'MM certs.yml'; echo 0", to.hex));
	ck_ok(branch_recover(repo, &err), &err);
	ck_assert_str_eq(sh("git -C work status --porcelain; ls work/.git/certrotate/.locks"), "");
}
END_TEST

START_TEST(a_branch_that_moved_in_spite_of_an_error_is_recovered)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");

	branches_fail = true;
	ck_assert_int_eq(branch_advance(repo, DEV, &from, &to, "x", &err), ERR_MACHINE);
	branches_fail = false;
	ck_contains(err.msg, "refs/heads");
	ck_assert_str_eq(rev("dev").hex, to.hex);
	ck_ok(branch_recover(repo, &err), &err);
	ck_assert_str_eq(sh("cat work/certs.yml; git -C work status --porcelain; "
			    "ls work/.git/certrotate/.locks"),
			 "two");
}
END_TEST

START_TEST(a_kill_at_any_instant_is_recovered)
{
	struct change changes[] = {{.path = ".certrotate/poc/state.json", .len = 2},
				   {.path = "certs.yml", .len = 2}};
	char text[KILLS][12];
	struct oid from, to;
	char *before;

	(void)sh("cd work && echo x >untracked && echo x >>roles/pg/main.yml");
	before = strdup(everything_else());
	for (int i = 0; i < KILLS; i++) {
		pid_t child;

		(void)snprintf(text[i], sizeof(text[i]), "%02d", i % 100);
		changes[0].data = changes[1].data = text[i];
		from = rev("dev");
		ck_ok(commit_build(&to, repo, &from, changes, 2, "s\n", &test_sys, &err), &err);
		child = fork();
		if (!child)
			_exit(branch_advance(repo, DEV, &from, &to, "x", NULL) ? 1 : 0);
		(void)usleep((useconds_t)(i * 6000));
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		ck_assert_int_eq(waitpid(child, NULL, 0), child);
		/* nobody remembers the two commits: what the branch shows has to be whole */
		ck_ok(branch_recover(repo, &err), &err);
		ck_assert_str_eq(sh("cd work && git status --porcelain certs.yml .certrotate; "
				    "git ls-files --others --exclude=untracked"),
				 "");
		ck_ok(branch_advance(repo, DEV, &from, &to, "x", &err), &err);
		ck_assert_str_eq(sh("cat work/certs.yml"), text[i]);
		ck_assert_str_eq(rev("dev").hex, to.hex);
		ck_assert_str_eq(everything_else(), before);
		ck_assert_str_eq(sh("cd work && git status --porcelain certs.yml .certrotate; "
				    "ls .git/*.lock .git/certrotate-* 2>/dev/null; "
				    "ls .git/certrotate/.locks"),
				 "");
	}
	free(before);
}
END_TEST

Suite *crash_suite(void)
{
	Suite *suite = suite_create("git/crash");
	TCase *tcase = tcase_create("crash");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_add_test(tcase, a_move_that_ended_after_the_branch_is_finished);
	tcase_add_test(tcase, locks_of_the_dead_are_removed_those_of_others_are_not);
	tcase_add_test(tcase, a_lock_of_a_killed_push_is_removed);
	tcase_add_test(tcase, recovery_finishes_what_the_branch_shows);
	tcase_add_test(tcase, a_full_disk_leaves_what_recovery_needs);
	tcase_add_test(tcase, a_branch_that_moved_in_spite_of_an_error_is_recovered);
	tcase_add_test(tcase, a_kill_at_any_instant_is_recovered);
	suite_add_tcase(suite, tcase);
	return suite;
}
