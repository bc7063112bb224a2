/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/git/fixture.h"

static void refuses(const char *name, int code, const char *message, const char *hint)
{
	char *path = test_path(name);
	struct repo *other = NULL;

	err_clear(&err);
	ck_assert_int_eq(repo_open(&other, path, &err), code);
	ck_assert_ptr_null(other);
	ck_contains(err.msg, message);
	ck_contains(err.hint, hint);
	free(path);
}

START_TEST(open_finds_the_root_from_below)
{
	char *root = test_path("work"), *below = test_path("work/roles/pg");
	struct repo *other;

	ck_ok(repo_open(&other, below, &err), &err);
	ck_assert_str_eq(repo_root(other), root);
	ck_assert_str_eq(repo_common_dir(other), sh("echo $PWD/work/.git"));
	ck_assert_str_eq(repo_git_dir(other), sh("echo $PWD/work/.git"));
	repo_close(other);
	free(root);
	free(below);
}
END_TEST

START_TEST(open_refuses_what_it_cannot_work_on)
{
	(void)sh("mkdir empty && git init -q --object-format=sha256 sha && "
		 "git init -q wtc && cd wtc && git config extensions.worktreeConfig true && "
		 "git config core.repositoryFormatVersion 1");
	refuses("empty", ERR_USAGE, "empty: not in a git repository", "-C");
	refuses("nowhere", ERR_USAGE, "nowhere: not in a git repository", "-C");
	refuses("origin.git", ERR_USAGE, "a bare git repository", "checked-out files");
	refuses("sha", ERR_USAGE, "SHA-256 ids are not supported", "SHA-1");
	refuses("wtc", ERR_USAGE, "worktreeconfig", "plain clone");
}
END_TEST

START_TEST(open_refuses_the_clone_of_another_user)
{
	if (geteuid() != 0)
		return;
	(void)sh("git init -q theirs && chown -R 12345 theirs");
	refuses("theirs", ERR_USAGE, "belongs to another user", "safe.directory");
}
END_TEST

START_TEST(open_serves_a_linked_work_tree)
{
	char *linked;
	struct head head;

	(void)sh("cd work && git worktree add -q -b side ../linked");
	linked = test_path("linked");
	repo_close(repo);
	ck_ok(repo_open(&repo, linked, &err), &err);
	ck_assert_str_eq(repo_root(repo), linked);
	ck_assert_str_eq(repo_common_dir(repo), sh("echo $PWD/work/.git"));
	ck_assert_str_eq(repo_git_dir(repo), sh("echo $PWD/work/.git/worktrees/linked"));
	ck_ok(repo_head(&head, repo, &err), &err);
	ck_assert_str_eq(head.branch, "side");
	head_release(&head);
	free(linked);
}
END_TEST

START_TEST(identity_comes_from_the_configuration_or_is_asked_for)
{
	struct identity who;

	ck_ok(repo_identity(&who, repo, &err), &err);
	ck_assert_str_eq(who.name, "Ada");
	ck_assert_str_eq(who.email, "ada@example.com");
	identity_release(&who);
	(void)setenv("GIT_AUTHOR_NAME", "Grace Hopper", 1);
	ck_ok(repo_identity(&who, repo, &err), &err);
	ck_assert_str_eq(who.name, "Grace Hopper");
	identity_release(&who);
	(void)unsetenv("GIT_AUTHOR_NAME");
	(void)sh("cd work && git config --unset user.name && git config --unset user.email");
	reopen();
	ck_assert_int_eq(repo_identity(&who, repo, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "git does not know your name and mail address");
	ck_contains(err.hint, "user.email");
	ck_assert_ptr_null(who.name);
}
END_TEST

/* Whatever is configured: what "git var" says. */
static void identity_is_gits(const char *configure)
{
	char text[512];
	struct identity who;

	(void)sh("cd work && { git config --remove-section author; git config --remove-section "
		 "user; "
		 "} 2>/dev/null; git config user.name Ada; git config user.email ada@example.com; "
		 "%s",
		 configure);
	reopen();
	ck_ok(repo_identity(&who, repo, &err), &err);
	(void)snprintf(text, sizeof(text), "%s <%s>", who.name, who.email);
	ck_assert_str_eq(text, sh("git -C work var GIT_AUTHOR_IDENT | sed 's/>.*/>/'"));
	identity_release(&who);
}

START_TEST(an_identity_is_what_git_says)
{
	identity_is_gits(":");
	identity_is_gits("git config author.name 'Grace Hopper'");
	identity_is_gits("git config author.email grace@example.com; git config author.name ''");
	identity_is_gits("git config --add user.name Second; git config --add user.name Third");
	identity_is_gits("git config user.name ' .Ada Jr., '");
	identity_is_gits("git config user.name 'A<d>a'");
	identity_is_gits("printf '[user]\\n\\tname = \"\\303\\204da Lovelace\" ; x\\n' >more; "
			 "git config include.path ../more; git config user.email '<a@b>'");
	identity_is_gits("git config --unset user.name; git config --unset include.path; "
			 "git config includeIf.gitdir:**/work/.git.path ../more");
	(void)setenv("GIT_CONFIG_COUNT", "1", 1);
	(void)setenv("GIT_CONFIG_KEY_0", "user.name", 1);
	(void)setenv("GIT_CONFIG_VALUE_0", "From Outside", 1);
	identity_is_gits(":");
	(void)unsetenv("GIT_CONFIG_COUNT");
	(void)setenv("GIT_AUTHOR_EMAIL", "", 1);
	identity_is_gits(":");
	(void)unsetenv("GIT_AUTHOR_EMAIL");
}
END_TEST

START_TEST(head_is_a_branch_with_a_commit)
{
	struct head head;
	struct oid tip = rev("HEAD");

	ck_ok(repo_head(&head, repo, &err), &err);
	ck_assert_str_eq(head.ref, DEV);
	ck_assert_str_eq(head.branch, "dev");
	ck_assert(oid_equal(&head.tip, &tip));
	head_release(&head);
	(void)sh("cd work && git checkout -q --orphan fresh");
	ck_assert_int_eq(repo_head(&head, repo, &err), ERR_USAGE);
	ck_contains(err.msg, "branch fresh has no commit yet");
	(void)sh("cd work && git checkout -q -f dev && git checkout -q --detach");
	ck_assert_int_eq(repo_head(&head, repo, &err), ERR_USAGE);
	ck_contains(err.msg, "HEAD is detached");
	ck_contains(err.hint, "git switch");
}
END_TEST

START_TEST(a_merge_under_way_is_named)
{
	ck_ok(repo_check_quiet(repo, &err), &err);
	(void)sh("cd work && git switch -q -c side && echo side >certs.yml && git commit -qam side "
		 "&& "
		 "git switch -q dev && echo dev >certs.yml && git commit -qam dev");
	ck_assert_int_ne(sh_code("cd work && git merge -q side"), 0);
	ck_assert_int_eq(repo_check_quiet(repo, &err), ERR_USAGE);
	ck_contains(err.msg, "a git merge is under way");
	ck_assert_str_eq(err.hint, "end it first: git merge --continue, or git merge --abort");
	(void)sh("cd work && git merge --abort");
	ck_assert_int_ne(sh_code("cd work && git rebase -q side"), 0);
	ck_assert_int_eq(repo_check_quiet(repo, &err), ERR_USAGE);
	ck_contains(err.msg, "a git rebase is under way");
	(void)sh("cd work && git rebase --abort");
	ck_assert_int_ne(sh_code("cd work && git cherry-pick side"), 0);
	ck_assert_int_eq(repo_check_quiet(repo, &err), ERR_USAGE);
	ck_contains(err.msg, "a git cherry-pick is under way");
}
END_TEST

START_TEST(references_are_resolved_or_named)
{
	struct oid oid, tip = rev("dev");
	struct strs refs = STRS_INIT;

	ck_ok(repo_ref(&oid, repo, DEV, &err), &err);
	ck_assert(oid_equal(&oid, &tip));
	ck_ok(repo_ref(&oid, repo, "refs/remotes/origin/dev", &err), &err);
	ck_assert_int_eq(repo_ref(&oid, repo, "refs/heads/main", &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "there is no branch named main");
	ck_contains(err.hint, "git.base");
	ck_assert_int_eq(repo_ref(&oid, repo, "refs/remotes/origin/x/y", &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "remote origin has no branch named x/y (as last fetched)");
	ck_assert(repo_ref_exists(repo, DEV));
	ck_assert(!repo_ref_exists(repo, "refs/heads/main"));
	(void)sh("cd work && git branch certrotate/poc && git branch certrotate/acc && git "
		 "pack-refs --all");
	ck_ok(repo_refs_below(&refs, repo, "refs/heads/certrotate/", &err), &err);
	ck_assert_uint_eq(refs.count, 2);
	ck_assert_str_eq(refs.items[0], "refs/heads/certrotate/acc");
	strs_release(&refs);
	ck_assert_int_eq(oid_parse(&oid, "12\x1b[31m", &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "not the id of a commit (40 hex digits): '12\\x1b[31m'");
}
END_TEST

START_TEST(ancestry_is_known)
{
	struct oid first = rev("dev"), second, side, none;
	size_t ahead, behind;
	bool yes;

	(void)sh("cd work && echo 2 >certs.yml && git commit -qam two && "
		 "git switch -q -c side HEAD~1 && echo 3 >x && git add x && git commit -qm three");
	second = rev("dev");
	side = rev("side");
	ck_ok(repo_is_ancestor(&yes, repo, &first, &second, &err), &err);
	ck_assert(yes);
	ck_ok(repo_is_ancestor(&yes, repo, &second, &second, &err), &err);
	ck_assert(yes);
	ck_ok(repo_is_ancestor(&yes, repo, &second, &first, &err), &err);
	ck_assert(!yes);
	ck_ok(repo_is_ancestor(&yes, repo, &side, &second, &err), &err);
	ck_assert(!yes);
	ck_ok(repo_ahead_behind(&ahead, &behind, repo, &side, &second, &err), &err);
	ck_assert_uint_eq(ahead, 1);
	ck_assert_uint_eq(behind, 1);
	ck_ok(repo_parent(&none, repo, &second, &err), &err);
	ck_assert(oid_equal(&none, &first));
	ck_ok(repo_parent(&none, repo, &first, &err), &err);
	ck_assert(oid_is_none(&none));
	ck_ok(oid_parse(&none, "0123456789012345678901234567890123456789", &err), &err);
	ck_assert(!repo_has_commit(repo, &none));
	ck_assert_int_eq(repo_is_ancestor(&yes, repo, &none, &second, &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "commit 0123456789 is not in this clone");
}
END_TEST

START_TEST(files_are_read_from_commits)
{
	struct oid first = rev("dev"), oid, again;
	struct strs names = STRS_INIT;
	struct buf text;

	(void)sh("cd work && ln -s certs.yml link && git add link && echo two >certs.yml && "
		 "git commit -qam two");
	buf_init(&text, 1000);
	ck_ok(repo_read(&text, repo, &first, "certs.yml", 100, &err), &err);
	ck_assert_str_eq(text.data, "one\n");
	ck_assert_int_eq(repo_read(&text, repo, &first, "certs.yml", 3, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "certs.yml is larger than 3 bytes");
	ck_assert_int_eq(repo_read(&text, repo, &first, "roles/none", 9, &err), ERR_NOENT);
	ck_contains(err.msg, "has no roles/none");
	ck_assert_int_eq(repo_read(&text, repo, &first, "../certs.yml", 9, &err), ERR_NOENT);
	ck_assert_int_eq(repo_read(&text, repo, &first, "roles", 9, &err), ERR_FAIL);
	oid = rev("dev");
	ck_assert_int_eq(repo_read(&text, repo, &oid, "link", 99, &err), ERR_FAIL);
	ck_contains(err.msg, "link is no regular file in commit");
	ck_ok(repo_path_oid(&again, repo, &first, "roles/pg", &err), &err);
	ck_assert_str_eq(again.hex, sh("git -C work rev-parse dev:roles/pg"));
	ck_ok(repo_list(&names, repo, &first, "environments", &err), &err);
	ck_ok(repo_list(&names, repo, &first, "", &err), &err);
	ck_assert_uint_eq(names.count, 5);
	ck_assert_str_eq(names.items[0], ".gitignore");
	ck_assert_str_eq(names.items[2], "environments/");
	ck_assert_str_eq(names.items[3], "poc/");
	strs_release(&names);
	ck_ok(repo_changed_between(&names, repo, &first, &oid, &err), &err);
	ck_assert_uint_eq(names.count, 2);
	ck_assert_str_eq(names.items[0], "certs.yml");
	ck_assert_str_eq(names.items[1], "link");
	strs_release(&names);
	buf_release(&text);
}
END_TEST

/* Files that become folders and the other way round, names around '/', modes, submodules. */
START_TEST(what_differs_is_what_git_says)
{
	struct oid before, after;
	struct strs names = STRS_INIT;
	char text[1024];

	(void)sh("cd work && mkdir -p a/b/c d && echo 1 >a/b/c/f && echo 1 >a.x && echo 1 >a0 && "
		 "echo 1 >d/e && echo 1 >gone && echo 1 >x && ln -s x link && git add -A && "
		 "git commit -qm before");
	before = rev("dev");
	(void)sh("cd work && rm -r a d gone && echo 2 >a && mkdir -p gone/x && echo 2 >gone/x/y && "
		 "echo 2 >d && chmod +x x && rm link && echo x >link && mkdir new && echo 1 >new/n "
		 "&& "
		 "git add -A && git update-index --add --cacheinfo 160000,%s,module && "
		 "git commit -qm after",
		 before.hex);
	after = rev("dev");
	ck_ok(repo_changed_between(&names, repo, &before, &after, &err), &err);
	strs_join(&names, 100, text, sizeof(text));
	ck_assert_str_eq(text, "a, a/b/c/f, d, d/e, gone, gone/x/y, link, module, new/n, x");
	ck_assert_str_eq(text, sh("git -C work diff-tree -r --no-renames --name-only %s %s | sort |"
				  " paste -sd , | sed 's/,/, /g'",
				  before.hex, after.hex));
	strs_release(&names);
	ck_ok(repo_changed_between(&names, repo, &after, &after, &err), &err);
	ck_assert_uint_eq(names.count, 0);
}
END_TEST

/* As after a power cut: the commit is there, the object of one of its folders is not. */
START_TEST(a_folder_that_is_lost_is_no_missing_file)
{
	struct oid oid, head = rev("HEAD");
	struct buf text;

	(void)sh("cd work && id=$(git rev-parse HEAD:roles/pg) && "
		 "rm -f .git/objects/$(echo $id | cut -c 1-2)/$(echo $id | cut -c 3-)");
	reopen();
	buf_init(&text, BUF_TEXT_MAX);
	ck_assert_int_eq(repo_read(&text, repo, &head, "roles/pg/main.yml", 100, &err), ERR_FAIL);
	ck_contains(err.msg, "cannot find roles/pg/main.yml in commit");
	ck_assert_int_eq(repo_path_oid(&oid, repo, &head, "roles/pg/main.yml", &err), ERR_FAIL);
	ck_assert_int_eq(repo_path_oid(&oid, repo, &head, "roles/none/main.yml", &err), ERR_NOENT);
	ck_assert_int_eq(repo_path_oid(&oid, repo, &head, "certs.yml/x/y", &err), ERR_NOENT);
	buf_release(&text);
}
END_TEST

START_TEST(history_remembers_what_was_removed_on_a_side_branch)
{
	struct oid tip, where;
	struct buf text;
	bool held;

	(void)sh("cd work && git switch -q -c side && echo x >'old[1].yml' && git add . && "
		 "git commit -qm add && git rm -q 'old[1].yml' && git commit -qm remove && "
		 "git switch -q dev && echo y >y && git add y && git commit -qm y && "
		 "git merge -q -m merge side");
	tip = rev("dev");
	ck_ok(repo_ever_held(&held, &where, repo, &tip, "old[1].yml", &err), &err);
	ck_assert(held);
	buf_init(&text, 100);
	ck_ok(repo_read(&text, repo, &where, "old[1].yml", 100, &err), &err);
	ck_assert_str_eq(text.data, "x\n");
	buf_release(&text);
	ck_ok(repo_ever_held(&held, &where, repo, &tip, "certs.yml", &err), &err);
	ck_assert(held);
	ck_ok(repo_ever_held(&held, NULL, repo, &tip, "old1.yml", &err), &err);
	ck_assert(!held);
	(void)sh("echo %s >work/.git/shallow", tip.hex);
	reopen();
	ck_assert_int_eq(repo_ever_held(&held, NULL, repo, &tip, "old1.yml", &err), ERR_FAIL);
	ck_contains(err.msg, "a shallow clone does not know its whole history");
	ck_assert_str_eq(err.hint, "git fetch --unshallow");
}
END_TEST

Suite *repo_suite(void)
{
	Suite *suite = suite_create("git/repo");
	TCase *tcase = tcase_create("repo");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_add_test(tcase, open_finds_the_root_from_below);
	tcase_add_test(tcase, open_refuses_what_it_cannot_work_on);
	tcase_add_test(tcase, open_refuses_the_clone_of_another_user);
	tcase_add_test(tcase, open_serves_a_linked_work_tree);
	tcase_add_test(tcase, identity_comes_from_the_configuration_or_is_asked_for);
	tcase_add_test(tcase, an_identity_is_what_git_says);
	tcase_add_test(tcase, head_is_a_branch_with_a_commit);
	tcase_add_test(tcase, a_merge_under_way_is_named);
	tcase_add_test(tcase, references_are_resolved_or_named);
	tcase_add_test(tcase, ancestry_is_known);
	tcase_add_test(tcase, files_are_read_from_commits);
	tcase_add_test(tcase, what_differs_is_what_git_says);
	tcase_add_test(tcase, a_folder_that_is_lost_is_no_missing_file);
	tcase_add_test(tcase, history_remembers_what_was_removed_on_a_side_branch);
	suite_add_tcase(suite, tcase);
	return suite;
}
