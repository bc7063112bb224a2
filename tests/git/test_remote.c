/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "tests/git/fixture.h"

static const struct oid none;

static void colleague_pushes(const char *file)
{
	(void)sh("rm -rf other && git clone -q origin.git other && cd other && "
		 "git config user.name Bob && git config user.email b@x && echo b >'%s' && "
		 "git add . && git commit -qm bob && git push -q origin dev",
		 file);
}

static const char *on_remote(const char *ref)
{
	return sh("git -C origin.git rev-parse --verify -q %s || true", ref);
}

START_TEST(fetch_brings_base_and_own_branches)
{
	struct oid before = rev("origin/dev"), after;

	colleague_pushes("b");
	(void)sh(
		"cd other && git push -q origin dev:certrotate/poc/trust dev:unrelated && "
		"git tag t && git push -q origin t && cd ../work && "
		"git config remote.origin.fetch +refs/heads/nothing:refs/remotes/origin/nothing && "
		"git update-ref refs/remotes/origin/certrotate/gone dev && "
		"git update-ref refs/remotes/origin/unpruned dev");
	ck_ok(remote_fetch(repo, "origin", "dev", &err), &err);
	after = rev("origin/dev");
	ck_assert(!oid_equal(&before, &after));
	ck_assert_str_eq(after.hex, on_remote("dev"));
	ck_assert(repo_ref_exists(repo, "refs/remotes/origin/certrotate/poc/trust"));
	ck_assert(!repo_ref_exists(repo, "refs/remotes/origin/certrotate/gone"));
	ck_assert(repo_ref_exists(repo, "refs/remotes/origin/unpruned"));
	ck_assert(!repo_ref_exists(repo, "refs/remotes/origin/unrelated"));
	ck_assert(!repo_ref_exists(repo, "refs/tags/t"));
}
END_TEST

START_TEST(fetch_says_what_is_missing)
{
	ck_assert_int_eq(remote_fetch(repo, "upstream", "dev", &err), ERR_USAGE);
	ck_contains(err.msg, "there is no remote named upstream");
	ck_contains(err.hint, "git remote add upstream URL");
	ck_assert_int_eq(remote_fetch(repo, "origin", "main", &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "remote origin has no branch named main");
	(void)sh("mv origin.git away.git");
	ck_assert_int_eq(remote_fetch(repo, "origin", "dev", &err), ERR_FAIL);
	ck_contains(err.msg, "git fetch: ");
	ck_contains(err.msg, "does not appear to be a git repository");
	ck_contains(err.hint, "git fetch origin");
}
END_TEST

START_TEST(passwords_never_reach_a_message)
{
	char *url;

	(void)sh("git -C work remote set-url origin https://ada:hunter2@127.0.0.1:1/x.git");
	ck_ok(remote_url(&url, repo, "origin", &err), &err);
	ck_assert_str_eq(url, "https://ada:hunter2@127.0.0.1:1/x.git");
	free(url);
	ck_assert_int_eq(remote_fetch(repo, "origin", "dev", &err), ERR_FAIL);
	ck_contains(err.msg, "127.0.0.1:1/x.git");
	ck_assert_ptr_null(strstr(err.msg, "hunter2"));
	ck_assert_int_eq(remote_push(repo, "origin", &(struct oid){"x"}, DEV, &none, NULL, &err),
			 ERR_FAIL);
	ck_assert_ptr_null(strstr(err.msg, "hunter2"));
}
END_TEST

START_TEST(push_is_a_compare_and_swap)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n"), mine;

	ck_ok(remote_push(repo, "origin", &to, DEV, &from, NULL, &err), &err);
	ck_assert_str_eq(on_remote("dev"), to.hex);
	ck_assert_str_eq(rev("origin/dev").hex, to.hex);
	ck_ok(remote_push(repo, "origin", &to, DEV, &from, NULL, &err), &err);
	colleague_pushes("b");
	mine = commit_file(&to, "certs.yml", "three\n");
	ck_assert_int_eq(remote_push(repo, "origin", &mine, DEV, &to, NULL, &err), ERR_LOCK);
	ck_assert_str_eq(err.msg, "refs/heads/dev on remote origin has moved on: not pushed");
	ck_contains(err.hint, "run it again");
	ck_ok(remote_fetch(repo, "origin", "dev", &err), &err);
	from = rev("origin/dev");
	ck_assert_int_eq(remote_push(repo, "origin", &mine, DEV, &from, NULL, &err), ERR_FAIL);
	ck_contains(err.msg, " does not follow ");
	ck_assert_str_eq(on_remote("dev"), from.hex);
	ck_assert_int_eq(remote_push(repo, "origin", &mine, "dev", &to, NULL, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "'dev' is no full name of a reference");
	ck_assert_int_eq(remote_push(repo, "nowhere", &mine, DEV, &to, NULL, &err), ERR_USAGE);
}
END_TEST

START_TEST(a_rewritten_remote_is_not_overwritten)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");

	(void)sh("git -C origin.git update-ref refs/heads/dev $(git -C origin.git -c user.name=x "
		 "-c user.email=x commit-tree -m rewritten dev^{tree})");
	ck_assert_int_eq(remote_push(repo, "origin", &to, DEV, &from, NULL, &err), ERR_LOCK);
	ck_assert_str_eq(sh("git -C origin.git log --format=%%s dev"), "rewritten");
}
END_TEST

START_TEST(a_push_that_loses_a_race_is_told)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");

	colleague_pushes("b");
	(void)sh("cd origin.git && git update-ref refs/heads/won dev && "
		 "git update-ref refs/heads/dev %s && "
		 "printf '#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/dev "
		 "won\n' "
		 ">hooks/pre-receive && chmod +x hooks/pre-receive",
		 from.hex);
	ck_assert_int_eq(remote_push(repo, "origin", &to, DEV, &from, NULL, &err), ERR_LOCK);
	ck_assert_str_eq(on_remote("dev"), on_remote("won"));
}
END_TEST

START_TEST(a_remote_that_is_locked_is_waited_for_then_named)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");

	(void)sh("touch origin.git/refs/heads/dev.lock");
	ck_assert_int_eq(remote_push(repo, "origin", &to, DEV, &from, NULL, &err), ERR_LOCK);
	ck_contains(err.msg, "refs/heads/dev on remote origin is locked: not pushed: ");
	ck_contains(err.msg, "origin.git/./refs/heads/dev.lock': File exists");
	ck_contains(err.hint, "another push is at work there: run it again");
	ck_assert_str_eq(on_remote("dev"), from.hex);
	(void)sh("(sleep 0.4; rm origin.git/refs/heads/dev.lock) >/dev/null 2>&1 &");
	ck_ok(remote_push(repo, "origin", &to, DEV, &from, NULL, &err), &err);
	ck_assert_str_eq(on_remote("dev"), to.hex);
}
END_TEST

START_TEST(branches_come_and_go_on_the_remote)
{
	static const char ref[] = "refs/heads/certrotate/poc/trust";
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");
	struct oid other = commit_file(&from, "certs.yml", "other\n");

	ck_ok(remote_push(repo, "origin", &to, ref, &none, NULL, &err), &err);
	ck_ok(remote_push(repo, "origin", &to, ref, &none, NULL, &err), &err);
	ck_assert_str_eq(on_remote(ref), to.hex);
	ck_assert_int_eq(remote_push(repo, "origin", &other, ref, &none, NULL, &err), ERR_LOCK);
	ck_assert_int_eq(remote_push_delete(repo, "origin", ref, &from, &err), ERR_LOCK);
	ck_assert_str_eq(on_remote(ref), to.hex);
	ck_ok(remote_push_delete(repo, "origin", ref, &to, &err), &err);
	ck_assert_str_eq(on_remote(ref), "");
	ck_assert(!repo_ref_exists(repo, "refs/remotes/origin/certrotate/poc/trust"));
	ck_ok(remote_push_delete(repo, "origin", ref, &to, &err), &err);
}
END_TEST

START_TEST(hooks_have_their_say)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");
	struct buf said;

	(void)sh("cd origin.git/hooks && printf '#!/bin/sh\necho \"GitLab: \\033[31mprotected "
		 "branch\"\n"
		 "exit 1\n' >pre-receive && chmod +x pre-receive");
	ck_assert_int_eq(remote_push(repo, "origin", &to, DEV, &from, NULL, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg,
			 "git push: remote origin refused refs/heads/dev: [remote rejected] "
			 "(pre-receive hook declined): GitLab: \\x1b[31mprotected branch");
	ck_contains(err.hint, "merge_request");
	(void)sh("cd work/.git/hooks && printf '#!/bin/sh\necho not on fridays >&2\nexit 1\n' "
		 ">pre-push && chmod +x pre-push");
	ck_assert_int_eq(remote_push(repo, "origin", &to, DEV, &from, NULL, &err), ERR_FAIL);
	ck_contains(err.msg, "git push: not on fridays");
	(void)sh("rm work/.git/hooks/pre-push && cd origin.git/hooks && "
		 "printf '#!/bin/sh\necho\necho to create a merge request, visit\n' >pre-receive");
	buf_init(&said, 1000);
	ck_ok(remote_push(repo, "origin", &to, DEV, &from, &said, &err), &err);
	ck_assert_str_eq(said.data, "to create a merge request, visit\n");
	buf_release(&said);
}
END_TEST

START_TEST(the_environment_does_not_lead_elsewhere)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");

	(void)setenv("GIT_DIR", "/nonexistent", 1);
	(void)setenv("GIT_INDEX_FILE", "/nonexistent", 1);
	(void)setenv("LC_ALL", "de_DE.UTF-8", 1);
	ck_ok(branch_advance(repo, DEV, &from, &to, "x", &err), &err);
	ck_ok(remote_push(repo, "origin", &to, DEV, &from, NULL, &err), &err);
	(void)unsetenv("GIT_DIR");
	(void)unsetenv("GIT_INDEX_FILE");
	ck_assert_str_eq(on_remote("dev"), to.hex);
	ck_assert_str_eq(sh("git -C work status --porcelain"), "");
}
END_TEST

Suite *remote_suite(void)
{
	Suite *suite = suite_create("git/remote");
	TCase *tcase = tcase_create("remote");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_add_test(tcase, fetch_brings_base_and_own_branches);
	tcase_add_test(tcase, fetch_says_what_is_missing);
	tcase_add_test(tcase, passwords_never_reach_a_message);
	tcase_add_test(tcase, push_is_a_compare_and_swap);
	tcase_add_test(tcase, a_rewritten_remote_is_not_overwritten);
	tcase_add_test(tcase, a_push_that_loses_a_race_is_told);
	tcase_add_test(tcase, a_remote_that_is_locked_is_waited_for_then_named);
	tcase_add_test(tcase, branches_come_and_go_on_the_remote);
	tcase_add_test(tcase, hooks_have_their_say);
	tcase_add_test(tcase, the_environment_does_not_lead_elsewhere);
	suite_add_tcase(suite, tcase);
	return suite;
}
