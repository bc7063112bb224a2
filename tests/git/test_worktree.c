/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/git/fixture.h"

#define LOST "changes that are not committed would be lost: "

static int advance(const struct oid *from, const struct oid *to)
{
	err_clear(&err);
	return branch_advance(repo, DEV, from, to, "certrotate: trust", &err);
}

static void refused(const struct oid *from, const struct oid *to, int code, const char *message)
{
	char before[OID_SIZE];

	(void)snprintf(before, sizeof(before), "%s", sh("git -C work rev-parse dev"));
	ck_assert_int_eq(advance(from, to), code);
	ck_contains(err.msg, message);
	ck_assert_str_eq(sh("git -C work rev-parse dev"), before);
	ck_assert_int_eq(sh_code("ls work/.git/index.lock work/.git/certrotate/.locks/?* "
				 "work/.git/certrotate-index* 2>/dev/null"),
			 2);
}

static void changed_is(const char *const *prefixes, size_t count, const char *expected)
{
	struct strs found = STRS_INIT;
	char text[1024];

	ck_ok(worktree_changed(&found, repo, prefixes, count, &err), &err);
	strs_join(&found, 100, text, sizeof(text));
	ck_assert_str_eq(text, expected);
	strs_release(&found);
}

START_TEST(changes_below_the_prefixes_are_listed)
{
	static const char *const some[] = {"roles", "environments/poc", "ansible.cfg"};
	static const char *const all[] = {""};
	char *absolute = test_path("work/certs.yml");
	const char *const outside[] = {"/etc/ansible", "../x", absolute};

	changed_is(all, 1, "");
	changed_is(some, 0, "");
	(void)sh("cd work && echo x >roles/pg/main.yml && echo x >roles/pg/debug.log && "
		 "echo new >ansible.cfg && git rm -q --cached environments/poc/hosts && "
		 "echo two >certs.yml && mkdir 'roles/new dir' && echo x >'roles/new dir/a b'");
	changed_is(outside, 3, "certs.yml");
	changed_is(some, 3,
		   "ansible.cfg, environments/poc/hosts, roles/new dir/a b, roles/pg/main.yml");
	(void)sh("cd work && git add . && git reset -q --hard && git status --short");
	changed_is(all, 1, "");
	/* staged and taken back in the work tree */
	(void)sh("cd work && echo x >certs.yml && git add certs.yml && echo one >certs.yml");
	changed_is(all, 1, "certs.yml");
	free(absolute);
}
END_TEST

START_TEST(changes_that_git_was_told_to_overlook_are_listed)
{
	static const char *const roles[] = {"roles"}, *const one[] = {"role", "roles/c",
								      "roles/b/"};

	(void)sh("cd work && echo a >roles/a && echo b >roles/b && echo c >roles/c && git add . && "
		 "git commit -qm more && git update-index --assume-unchanged roles/a roles/c && "
		 "git update-index --skip-worktree roles/b");
	changed_is(roles, 1, "");
	(void)sh("cd work && echo x >roles/a && rm roles/b roles/c");
	changed_is(roles, 1, "roles/a, roles/c");
	changed_is(one, 2, "roles/c");
	changed_is(one, 1, "");
	changed_is(one, 3, "roles/c");
	(void)sh("cd work && echo x >roles/b");
	changed_is(roles, 1, "roles/a, roles/b, roles/c");
}
END_TEST

START_TEST(changes_inside_a_submodule_are_listed)
{
	static const char *const roles[] = {"roles"};

	(void)sh(
		"git init -q sub && cd sub && git config user.name x && git config user.email x && "
		"echo a >a && git add . && git commit -qm s && cd ../work && "
		"git -c protocol.file.allow=always submodule --quiet add ../sub roles/sub && "
		"git commit -qm sub");
	changed_is(roles, 1, "");
	(void)sh("echo x >work/roles/sub/a");
	changed_is(roles, 1, "roles/sub");
}
END_TEST

/* The user's other work: every kind of change that git knows. */
static void disturb(void)
{
	(void)sh("cd work && mkdir d && for f in staged unstaged both deleted removed mode assumed "
		 "skipped ita; do echo $f >d/$f; done && rm d/ita && ln -s d link && git add . && "
		 "git commit -qm more && git push -q origin dev && "
		 "echo x >d/staged && git add d/staged && echo x >d/unstaged && "
		 "echo x >d/both && git add d/both && echo y >d/both && rm d/deleted && "
		 "git rm -q d/removed && chmod +x d/mode && git update-index --assume-unchanged "
		 "d/assumed && git update-index --skip-worktree d/skipped && echo ita >d/ita && "
		 "git add -N d/ita && echo u >untracked && echo l >ignored.log && "
		 "echo n >added && git add added");
}

START_TEST(an_advance_leaves_everything_else_alone)
{
	struct oid from, to;
	char *before;

	disturb();
	from = rev("dev");
	to = commit_file(&from, "certs.yml", "two\n");
	before = strdup(everything_else());
	ck_ok(advance(&from, &to), &err);
	ck_assert_str_eq(everything_else(), before);
	ck_assert_str_eq(sh("git -C work rev-parse HEAD dev"), sh("echo '%s\n%s'", to.hex, to.hex));
	ck_assert_str_eq(sh("cat work/certs.yml"), "two");
	ck_assert_str_eq(
		sh("cd work && git status --porcelain certs.yml; git diff-files certs.yml; "
		   "git diff-index HEAD certs.yml"),
		"");
	ck_assert_str_eq(sh("git -C work log -g -1 --format='%%gs %%gn' HEAD"),
			 "certrotate: trust Ada");
	ck_assert_str_eq(sh("git -C work log -g -1 --format=%%gs dev"), "certrotate: trust");
	ck_assert_int_eq(
		sh_code("ls work/.git/index.lock work/.git/certrotate/.locks/?* 2>/dev/null"), 2);
	/* once more changes nothing, not even the index */
	free(before);
	before = strdup(sh("sha1sum work/.git/index; stat -c %%i work/certs.yml"));
	ck_ok(advance(&from, &to), &err);
	ck_assert_str_eq(sh("sha1sum work/.git/index; stat -c %%i work/certs.yml"), before);
	free(before);
}
END_TEST

START_TEST(files_come_go_and_keep_their_modes)
{
	struct oid from, to;
	struct change changes[] = {
		{.path = ".certrotate/poc/g2.yml", .data = "g\n", .len = 2},
		{.path = "environments/poc/hosts"},
		{.path = "certs.yml", .data = "two\n", .len = 4},
		{.path = "bin/x y", .data = "#!\n", .len = 3, .executable = true}};

	(void)sh("chmod 0640 work/certs.yml && chmod 0755 work");
	from = rev("dev");
	ck_ok(commit_build(&to, repo, &from, changes, 4, "s\n", &test_sys, &err), &err);
	ck_ok(advance(&from, &to), &err);
	ck_assert_str_eq(sh("git -C work status --porcelain"), "");
	ck_assert_str_eq(sh("cd work && stat -c %%a certs.yml .certrotate/poc/g2.yml 'bin/x y'"),
			 "640\n644\n755");
	ck_assert_int_eq(sh_code("ls work/environments 2>/dev/null"), 2);
	ck_ok(commit_build(&from, repo, &to, &(struct change){.path = ".certrotate/poc/g2.yml"}, 1,
			   "s\n", &test_sys, &err),
	      &err);
	ck_ok(advance(&to, &from), &err);
	ck_assert_int_eq(sh_code("ls -d work/.certrotate 2>/dev/null"), 2);
	ck_assert_str_eq(sh("git -C work status --porcelain"), "");
}
END_TEST

START_TEST(own_paths_with_changes_are_named)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n"), new_file;

	(void)sh("echo mine >work/certs.yml");
	refused(&from, &to, ERR_FAIL, LOST "certs.yml");
	ck_contains(err.hint, "git status");
	ck_assert_str_eq(sh("cat work/certs.yml"), "mine");
	(void)sh("cd work && git add certs.yml && echo one >certs.yml");
	refused(&from, &to, ERR_FAIL, LOST "certs.yml");
	(void)sh("cd work && git reset -q && rm certs.yml");
	refused(&from, &to, ERR_FAIL, LOST "certs.yml");
	(void)sh("cd work && ln -s other certs.yml");
	refused(&from, &to, ERR_FAIL, LOST "certs.yml");
	(void)sh("cd work && git checkout -q certs.yml && git rm -q --cached certs.yml");
	refused(&from, &to, ERR_FAIL, LOST "certs.yml");
	(void)sh("cd work && git reset -q && echo u >new.yml");
	new_file = commit_file(&from, "new.yml", "n\n");
	refused(&from, &new_file, ERR_FAIL, LOST "new.yml");
	ck_assert_str_eq(sh("cat work/new.yml"), "u");
	(void)sh("cd work && rm new.yml && echo u >.certrotate");
	to = commit_file(&from, ".certrotate/poc/g1.yml", "g\n");
	refused(&from, &to, ERR_FAIL, "/.certrotate is no folder");
	(void)sh("cd work && rm .certrotate && ln -s /tmp .certrotate");
	refused(&from, &to, ERR_FAIL, "/.certrotate is no folder");
	(void)sh("cd work && git update-index --skip-worktree certs.yml");
	to = commit_file(&from, "certs.yml", "two\n");
	refused(&from, &to, ERR_FAIL, "certs.yml is outside the sparse checkout");
}
END_TEST

START_TEST(a_branch_that_moved_or_is_locked_is_told)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");
	struct oid other = commit_file(&from, "x", "x\n"), later;

	(void)sh("cd work && echo y >y && git add y && git commit -qm y");
	refused(&from, &to, ERR_LOCK, "refs/heads/dev has moved: it is at ");
	later = rev("dev");
	refused(&later, &to, ERR_FAIL, " does not follow ");
	refused(&to, &other, ERR_FAIL, " does not follow ");
	to = commit_file(&later, "certs.yml", "two\n");
	(void)sh("touch work/.git/index.lock");
	ck_assert_int_eq(advance(&later, &to), ERR_LOCK);
	ck_contains(err.msg, "another git process holds ");
	ck_contains(err.msg, "/work/.git/index.lock");
	ck_contains(err.hint, "remove the file");
	ck_assert_int_eq(sh_code("rm work/.git/index.lock"), 0);
	(void)sh("touch work/.git/refs/heads/dev.lock");
	refused(&later, &to, ERR_LOCK, "/work/.git/refs/heads/dev.lock");
	ck_assert_int_eq(sh_code("rm work/.git/refs/heads/dev.lock"), 0);
	ck_assert_str_eq(sh("cat work/certs.yml"), "one");
	ck_ok(advance(&later, &to), &err);
}
END_TEST

START_TEST(line_ends_are_those_of_a_checkout)
{
	struct oid from, to;

	(void)sh("cd work && printf 'certs.yml text eol=crlf\nroles/** ident\n' >.gitattributes && "
		 "git add . && git commit -qm attributes && rm certs.yml && git checkout -q "
		 "certs.yml");
	ck_assert_str_eq(sh("od -An -c work/certs.yml"), "   o   n   e  \\r  \\n");
	from = rev("dev");
	to = commit_file(&from, "certs.yml", "two\n");
	ck_ok(advance(&from, &to), &err);
	ck_assert_str_eq(sh("od -An -c work/certs.yml"), "   t   w   o  \\r  \\n");
	ck_assert_str_eq(sh("git -C work status --porcelain; git -C work diff-files"), "");
	/* the attribute came after the file: what lies there is the blob as it is */
	(void)sh("cd work && rm .gitattributes && git add -u && git commit -qm none && "
		 "git config core.autocrlf true");
	reopen();
	from = rev("dev");
	to = commit_file(&from, "roles/pg/main.yml", "a\r\nb\n");
	ck_ok(advance(&from, &to), &err);
	ck_assert_str_eq(sh("od -An -c work/roles/pg/main.yml"), "   a  \\r  \\n   b  \\n");
	from = rev("dev");
	to = commit_file(&from, "certs.yml", "three\n");
	ck_ok(advance(&from, &to), &err);
	ck_assert_str_eq(sh("od -An -c work/certs.yml"), "   t   h   r   e   e  \\r  \\n");
	ck_assert_str_eq(sh("git -C work status --porcelain certs.yml"), "");
}
END_TEST

/* Told by attributes or configuration or not: the file is what git would make of the blob. */
START_TEST(files_are_what_git_makes_of_them)
{
	static const char *const lines[] = {"",
					    "*.yml text",
					    "*.yml text eol=crlf",
					    "*.yml text=auto eol=crlf",
					    "*.yml eol=crlf",
					    "*.yml -text eol=crlf",
					    "*.yml crlf",
					    "*.yml -crlf",
					    "*.yml ident",
					    "*.yml -ident binary",
					    "*.yml working-tree-encoding=UTF-16LE",
					    "*.yml filter=upper",
					    "certs.yml text\n*.yml -text"};
	static const char *const modes[] = {"false", "true", "input"};
	struct oid from, to;

	(void)sh("cd work && git config filter.upper.smudge 'tr a-z A-Z' && "
		 "git config filter.upper.clean 'tr A-Z a-z'");
	for (size_t i = 0; i < 3 * sizeof(lines) / sizeof(lines[0]); i++) {
		char text[64];

		(void)sh("cd work && printf '%s\n' >.gitattributes && git config core.autocrlf %s "
			 "&& "
			 "rm certs.yml && git checkout -qf certs.yml",
			 lines[i / 3], modes[i % 3]);
		reopen();
		(void)snprintf(text, sizeof(text), "%s of %zu\n",
			       strstr(lines[i / 3], "ident") ? "$Id$" : "text", i);
		from = rev("dev");
		(void)sh("cd work && mv .gitattributes ..");
		to = commit_file(&from, "certs.yml", text);
		(void)sh("cd work && mv ../.gitattributes .");
		ck_ok(advance(&from, &to), &err);
		ck_assert_str_eq(
			sh("cd work && git cat-file --filters --path=certs.yml dev:certs.yml"
			   " | cmp - certs.yml 2>&1"),
			"");
		ck_assert_str_eq(sh("git -C work status --porcelain certs.yml"), "");
	}
}
END_TEST

START_TEST(the_forms_of_an_index_are_kept)
{
	struct oid from, to;

	(void)sh("cd work && git config core.splitIndex true && git update-index --split-index && "
		 "git update-index --index-version 4 && git update-index --untracked-cache && "
		 "echo u >u && git status --short");
	reopen();
	from = rev("dev");
	to = commit_file(&from, "certs.yml", "two\n");
	ck_ok(advance(&from, &to), &err);
	ck_assert_str_eq(sh("git -C work status --porcelain"), "?? u");
	ck_assert_str_eq(sh("git -C work fsck --no-progress; cat work/certs.yml"), "two");
	ck_assert_str_eq(sh("od -An -tx1 -j4 -N4 work/.git/index"), " 00 00 00 04");
}
END_TEST

START_TEST(a_damaged_index_stops_it_before_anything_moves)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");

	(void)sh("cd work && cp .git/index ../kept && head -c 150 ../kept >.git/index");
	refused(&from, &to, ERR_FAIL, LOST "certs.yml");
	(void)sh("cd work && head -c 20 ../kept >.git/index");
	refused(&from, &to, ERR_FAIL, "git ls-files: ");
	(void)sh("cd work && cp ../kept .git/index");
	ck_ok(advance(&from, &to), &err);
	ck_assert_str_eq(sh("git -C work status --short"), "");
}
END_TEST

START_TEST(a_linked_work_tree_advances_alone)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n");
	char *linked;

	(void)sh("cd work && git worktree add -q -b side ../linked");
	linked = test_path("linked");
	repo_close(repo);
	ck_ok(repo_open(&repo, linked, &err), &err);
	ck_assert_int_eq(advance(&from, &to), ERR_FAIL);
	ck_assert_str_eq(err.msg, "refs/heads/dev is checked out in another work tree");
	ck_ok(branch_advance(repo, "refs/heads/side", &from, &to, "certrotate: trust", &err), &err);
	ck_assert_str_eq(sh("cat linked/certs.yml work/certs.yml"), "two\none");
	ck_assert_str_eq(sh("git -C linked status --porcelain; git -C work status --porcelain"),
			 "");
	ck_assert_str_eq(sh("git -C linked log -g -1 --format=%%gs HEAD"), "certrotate: trust");
	ck_assert_str_eq(sh("git -C work log -g -1 --format=%%gs HEAD"), "commit (initial): start");
	free(linked);
}
END_TEST

START_TEST(branches_are_made_moved_and_removed)
{
	static const char ref[] = "refs/heads/certrotate/poc";
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n"), at;

	ck_ok(branch_create(repo, ref, &from, "certrotate: new", &err), &err);
	ck_ok(branch_create(repo, ref, &from, "certrotate: new", &err), &err);
	ck_assert_int_eq(branch_create(repo, ref, &to, "x", &err), ERR_LOCK);
	ck_contains(err.msg, "refs/heads/certrotate/poc has moved: it is at ");
	ck_assert_int_eq(branch_create(repo, "refs/heads/a..b", &to, "x", &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "'refs/heads/a..b' is no name of a branch");
	ck_ok(branch_advance(repo, ref, &from, &to, "certrotate: trust", &err), &err);
	ck_ok(branch_advance(repo, ref, &from, &to, "certrotate: trust", &err), &err);
	ck_ok(repo_ref(&at, repo, ref, &err), &err);
	ck_assert(oid_equal(&at, &to));
	ck_assert_str_eq(sh("git -C work status --porcelain; cat work/certs.yml"), "one");
	ck_assert_int_eq(branch_delete(repo, ref, &from, &err), ERR_LOCK);
	ck_ok(branch_delete(repo, ref, &to, &err), &err);
	ck_ok(branch_delete(repo, ref, &to, &err), &err);
	ck_assert(!repo_ref_exists(repo, ref));
	ck_assert_int_eq(branch_delete(repo, DEV, &from, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "refs/heads/dev is checked out: not removed");
}
END_TEST

START_TEST(a_checkout_is_fast_forwarded)
{
	struct oid from = rev("dev"), to = commit_file(&from, "certs.yml", "two\n"), far;
	char *before;

	disturb();
	(void)sh("git -C work update-ref refs/heads/up $(git -C work commit-tree -p dev -m up "
		 "$(GIT_INDEX_FILE=$PWD/i git -C work read-tree dev && cd work && "
		 "GIT_INDEX_FILE=$PWD/../i git update-index --cacheinfo 100644,$(echo two | "
		 "git hash-object -w --stdin),certs.yml && GIT_INDEX_FILE=$PWD/../i git "
		 "write-tree))");
	before = strdup(everything_else());
	far = rev("up");
	ck_ok(branch_fast_forward(repo, &far, &err), &err);
	ck_assert_str_eq(everything_else(), before);
	ck_assert_str_eq(sh("cat work/certs.yml; git -C work log -1 --format=%%s"), "two\nup");
	ck_ok(branch_fast_forward(repo, &from, &err), &err);
	ck_ok(branch_fast_forward(repo, &far, &err), &err);
	ck_assert_int_eq(branch_fast_forward(repo, &to, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "dev has commits that its upstream has not");
	free(before);
}
END_TEST

START_TEST(a_fast_forward_with_links_and_many_files_is_gits_own)
{
	struct oid to;

	(void)sh("cd work && git switch -q -c up && ln -s certs.yml link && mkdir many && "
		 "for i in $(seq 150); do echo $i >many/$i; done && git add . && git commit -qm up "
		 "&& "
		 "git switch -q dev && echo mine >unrelated");
	to = rev("up");
	(void)sh("cd work && echo mine >link");
	ck_assert_int_eq(branch_fast_forward(repo, &to, &err), ERR_FAIL);
	ck_contains(err.msg, "git merge --ff-only: ");
	ck_contains(err.msg, "would be overwritten by merge");
	(void)sh("cd work && rm link");
	ck_ok(branch_fast_forward(repo, &to, &err), &err);
	ck_assert_str_eq(sh("cd work && readlink link && cat many/150 && git status --porcelain"),
			 "certs.yml\n150\n?? unrelated");
}
END_TEST

Suite *worktree_suite(void)
{
	Suite *suite = suite_create("git/worktree");
	TCase *tcase = tcase_create("worktree");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_add_test(tcase, changes_below_the_prefixes_are_listed);
	tcase_add_test(tcase, changes_that_git_was_told_to_overlook_are_listed);
	tcase_add_test(tcase, changes_inside_a_submodule_are_listed);
	tcase_add_test(tcase, an_advance_leaves_everything_else_alone);
	tcase_add_test(tcase, files_come_go_and_keep_their_modes);
	tcase_add_test(tcase, own_paths_with_changes_are_named);
	tcase_add_test(tcase, a_branch_that_moved_or_is_locked_is_told);
	tcase_add_test(tcase, line_ends_are_those_of_a_checkout);
	tcase_add_test(tcase, files_are_what_git_makes_of_them);
	tcase_add_test(tcase, the_forms_of_an_index_are_kept);
	tcase_add_test(tcase, a_damaged_index_stops_it_before_anything_moves);
	tcase_add_test(tcase, a_linked_work_tree_advances_alone);
	tcase_add_test(tcase, branches_are_made_moved_and_removed);
	tcase_add_test(tcase, a_checkout_is_fast_forwarded);
	tcase_add_test(tcase, a_fast_forward_with_links_and_many_files_is_gits_own);
	suite_add_tcase(suite, tcase);
	return suite;
}
