/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/git/fixture.h"

static int build_one(struct oid *out, const struct oid *parent, const char *path, const char *text)
{
	struct change change = {.path = path, .data = text, .len = text ? strlen(text) : 0};

	err_clear(&err);
	return commit_build(out, repo, parent, &change, 1, "subject\n", &test_sys, &err);
}

START_TEST(only_the_given_paths_change)
{
	struct oid parent, oid;
	struct change changes[] = {
		{.path = "certs.yml", .data = "two\n", .len = 4},
		{.path = ".certrotate/poc/g1.yml", .data = "g\n", .len = 2},
		{.path = "bin/hook", .data = "#!\n", .len = 3, .executable = true},
		{.path = "environments/poc/hosts"},
		{.path = "was/never/here"},
		{.path = "run.sh", .data = "new\n", .len = 4},
	};

	(void)sh("git init -q sub && git -C sub -c user.name=x -c user.email=x commit -q "
		 "--allow-empty -m s && "
		 "cd work && git -c protocol.file.allow=always submodule --quiet add ../sub mod && "
		 "ln -s ../x link && echo old >run.sh && chmod +x run.sh && git add . && "
		 "git commit -qm more");
	parent = rev("dev");
	ck_ok(commit_build(&oid, repo, &parent, changes, 6, "poc: trust\n\nbody\n", &test_sys,
			   &err),
	      &err);
	ck_assert_str_eq(
		sh("cd work && git diff-tree -r --name-status dev %s", oid.hex),
		"A\t.certrotate/poc/g1.yml\nA\tbin/hook\nM\tcerts.yml\nD\tenvironments/poc/hosts\n"
		"M\trun.sh");
	ck_contains(sh("git -C work ls-tree %s run.sh bin/hook", oid.hex), "100755 blob");
	ck_contains(sh("git -C work ls-tree -r %s", oid.hex), "100755 blob");
	ck_assert_str_eq(sh("git -C work ls-tree %s mod link", oid.hex),
			 sh("git -C work ls-tree dev mod link"));
	ck_assert_int_eq(
		sh_code("git -C work ls-tree --name-only -d %s | grep -q environments", oid.hex),
		1);
	ck_assert_str_eq(
		sh("git -C work log -1 --format='%%an <%%ae> %%cn %%at %%ct %%P%%n%%B' %s",
		   oid.hex),
		sh("echo 'Ada <ada@example.com> Ada %d %d %s'; printf 'poc: trust\n\nbody\n'", WHEN,
		   WHEN, parent.hex));
	(void)sh("cd work && git fsck --strict");
	ck_assert_str_eq(sh("git -C work status --porcelain"), "");
}
END_TEST

START_TEST(a_commit_that_changes_nothing_is_told)
{
	struct oid parent = rev("dev"), oid;

	ck_assert_int_eq(build_one(&oid, &parent, "certs.yml", "one\n"), ERR_NOENT);
	ck_assert_str_eq(err.msg, "nothing to commit: all files are so already");
	ck_assert_int_eq(build_one(&oid, &parent, "none.yml", NULL), ERR_NOENT);
	ck_assert(oid_is_none(&oid));
}
END_TEST

START_TEST(private_keys_are_not_committed)
{
	static const char *const kinds[] = {"", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "};
	struct oid parent = rev("dev"), oid;
	char text[200];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		(void)snprintf(text, sizeof(text),
			       "a: -----BEGIN CERTIFICATE-----\n  k: |\n    -----BEGIN %sPRIVATE "
			       "KEY-----\n    x\n",
			       kinds[i]);
		ck_assert_int_eq(build_one(&oid, &parent, "roles/k.yml", text), ERR_FAIL);
		ck_assert_str_eq(
			err.msg,
			"roles/k.yml:3: would hold a private key in the clear: not committed");
		ck_contains(err.hint, "ansible-vault");
	}
	ck_ok(build_one(&oid, &parent, "k", "-----BEGIN CERTIFICATE-----\nno PRIVATE KEY\n"), &err);
	ck_assert_int_eq(sh_code("git -C work log --all -p | grep -q BEGIN"), 1);
}
END_TEST

/* A message is kept as long as a file: a reason that somebody pasted, say. */
START_TEST(private_keys_are_not_in_a_message)
{
	static const char message[] = "trust\n\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n";
	struct change change = {.path = "certs.yml", .data = "two\n", .len = 4};
	struct oid parent = rev("dev"), oid;

	ck_assert_int_eq(commit_build(&oid, repo, &parent, &change, 1, message, &test_sys, &err),
			 ERR_FAIL);
	ck_assert_str_eq(err.msg, "the message of a commit:3: would hold a private key in the "
				  "clear: not committed");
}
END_TEST

START_TEST(paths_that_are_not_plain_files_are_refused)
{
	static const char *const bad[] = {"/etc/passwd", "../x",     "a/../b", "",  "a//b",
					  ".git/config", "a/.GIT/x", "./a",    "a/"};
	struct change twice[] = {{.path = "a", .data = "1", .len = 1},
				 {.path = "a", .data = "2", .len = 1}};
	struct oid parent, oid;

	(void)sh("cd work && ln -s certs.yml link && ln -s roles linked && git add . && "
		 "git commit -qm links");
	parent = rev("dev");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(build_one(&oid, &parent, bad[i], "x"), ERR_FAIL);
		ck_contains(err.msg, "is no path that git can check out");
	}
	ck_assert_int_eq(build_one(&oid, &parent, "link", "x"), ERR_FAIL);
	ck_assert_str_eq(err.msg,
			 "link is a symbolic link, a submodule or a folder in git: not changed");
	ck_assert_int_eq(build_one(&oid, &parent, "roles", "x"), ERR_FAIL);
	ck_assert_int_eq(build_one(&oid, &parent, "linked/pg/main.yml", "x"), ERR_FAIL);
	ck_contains(err.msg, "linked/pg/main.yml: linked is no folder in git");
	ck_assert_int_eq(build_one(&oid, &parent, "certs.yml/x", "x"), ERR_FAIL);
	ck_assert_int_eq(commit_build(&oid, repo, &parent, twice, 2, "s\n", &test_sys, &err),
			 ERR_FAIL);
	ck_assert_str_eq(err.msg, "a is changed twice");
}
END_TEST

START_TEST(filtered_files_are_refused)
{
	struct oid parent = rev("dev"), oid;

	(void)sh("echo '*.vault.yml filter=git-crypt' >work/.gitattributes");
	ck_assert_int_eq(build_one(&oid, &parent, "a.vault.yml", "x"), ERR_FAIL);
	ck_assert_str_eq(err.msg, "a.vault.yml has the git attribute filter=git-crypt, which is "
				  "not supported");
	ck_contains(err.hint, ".gitattributes");
	(void)sh("echo 'certs.yml working-tree-encoding=UTF-16' >work/.gitattributes");
	reopen();
	ck_assert_int_eq(build_one(&oid, &parent, "certs.yml", "x"), ERR_FAIL);
	ck_contains(err.msg, "working-tree-encoding=UTF-16");
}
END_TEST

START_TEST(a_name_is_needed)
{
	struct oid parent = rev("dev"), oid;

	(void)sh("cd work && git config --unset user.name && git config --unset user.email");
	ck_assert_int_eq(build_one(&oid, &parent, "certs.yml", "x"), ERR_USAGE);
	ck_assert_str_eq(err.msg, "git does not know your name and mail address");
	(void)setenv("GIT_AUTHOR_NAME", "A", 1);
	(void)setenv("GIT_AUTHOR_EMAIL", "a@x", 1);
	(void)setenv("GIT_COMMITTER_NAME", "C", 1);
	(void)setenv("GIT_COMMITTER_EMAIL", "c@x", 1);
	ck_ok(build_one(&oid, &parent, "certs.yml", "x"), &err);
	ck_assert_str_eq(sh("git -C work log -1 --format='%%an %%ae %%cn %%ce' %s", oid.hex),
			 "A a@x C c@x");
}
END_TEST

START_TEST(commits_are_signed_as_configured)
{
	struct oid parent = rev("dev"), oid;

	(void)setenv("TZ", "Europe/Amsterdam", 1);
	(void)sh("ssh-keygen -q -t ed25519 -N '' -C ada -f key && cd work && "
		 "git config gpg.format ssh && git config user.signingKey \"$PWD/../key\" && "
		 "echo \"ada@example.com $(cat ../key.pub)\" >../allowed && "
		 "git config gpg.ssh.allowedSignersFile \"$PWD/../allowed\" && "
		 "git config commit.gpgSign true");
	ck_ok(build_one(&oid, &parent, "certs.yml", "two\n"), &err);
	ck_contains(sh("git -C work verify-commit -v %s", oid.hex),
		    "Good \"git\" signature for ada");
	ck_assert_str_eq(
		sh("git -C work log -1 --format='%%an %%at %%ad %%s %%P' --date=raw %s", oid.hex),
		sh("echo 'Ada %d %d +0100 subject %s'", WHEN, WHEN, parent.hex));
	(void)sh("git -C work config user.signingKey \"$PWD/none\"");
	ck_assert_int_eq(build_one(&oid, &parent, "certs.yml", "three\n"), ERR_FAIL);
	ck_contains(err.msg, "git commit-tree: ");
	ck_contains(err.hint, "commit.gpgSign is set");
}
END_TEST

START_TEST(messages_carry_trailers)
{
	struct trailers trailers = {
		.environment = (char *)"poc", .rotation = (char *)"r1", .phase = (char *)"trust"};
	struct trailers bad = {.environment = (char *)"a\nSigned-off-by: x"};
	struct trailers found;
	struct oid parent = rev("dev"), oid;
	struct change change = {.path = "certs.yml", .data = "2", .len = 1};
	struct buf text;

	buf_init(&text, 1000);
	ck_ok(commit_message(&text, "poc: trust", "Two lines\nof why\n\n", &trailers, &err), &err);
	ck_assert_str_eq(text.data, "poc: trust\n\nTwo lines\nof why\n\n"
				    "Certrotate-Environment: poc\nCertrotate-Rotation: r1\n"
				    "Certrotate-Phase: trust\n");
	ck_ok(commit_build(&oid, repo, &parent, &change, 1, text.data, &test_sys, &err), &err);
	ck_assert_str_eq(sh("git -C work log -1 --format='%%(trailers:key=Certrotate-Phase,"
			    "valueonly)' %s",
			    oid.hex),
			 "trust");
	ck_ok(commit_trailers(&found, repo, &oid, &err), &err);
	ck_assert_str_eq(found.environment, "poc");
	ck_assert_str_eq(found.rotation, "r1");
	ck_assert_str_eq(found.phase, "trust");
	ck_assert_ptr_null(found.reverts);
	trailers_release(&found);
	ck_ok(commit_trailers(&found, repo, &parent, &err), &err);
	ck_assert_ptr_null(found.environment);
	buf_reset(&text);
	ck_assert_int_eq(commit_message(&text, "a\nb", NULL, &trailers, &err), ERR_FAIL);
	/* git takes what follows such a line for a patch */
	buf_reset(&text);
	ck_ok(commit_message(&text, "poc: trust", "why\n---\nnot", &trailers, &err), &err);
	ck_contains(text.data, "why\n ---\nnot\n");
	ck_ok(trailers_parse(&found, text.data, &err), &err);
	ck_assert_str_eq(found.environment, trailers.environment);
	trailers_release(&found);
	ck_assert_str_eq(err.msg, "the subject of a commit has to be one line");
	ck_assert_int_eq(commit_message(&text, "a", NULL, &bad, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "Certrotate-Environment has to be one line");
	buf_release(&text);
}
END_TEST

static struct oid add_marked(const char *environment, const char *rotation, const char *phase)
{
	(void)sh("cd work && git commit -q --allow-empty -m '%s' -m 'Certrotate-Environment: %s\n"
		 "Certrotate-Rotation: %s\nCertrotate-Phase: %s'",
		 phase, environment, rotation, phase);
	return rev("dev");
}

START_TEST(commits_are_found_by_their_trailers)
{
	struct oid first, second, third, before = rev("dev");
	struct marks marks;

	first = add_marked("poc", "r1", "generate");
	second = add_marked("acc", "r9", "generate");
	(void)sh("cd work && git commit -q --allow-empty -m 'Certrotate-Environment talk'");
	third = add_marked("poc", "r1", "trust");
	ck_ok(commit_find(&marks, repo, &third, "poc", NULL, 0, 0, &err), &err);
	ck_assert_uint_eq(marks.count, 2);
	ck_assert(oid_equal(&marks.items[0].commit, &third));
	ck_assert_str_eq(marks.items[0].subject, "trust");
	ck_assert_str_eq(marks.items[0].trailers.phase, "trust");
	ck_assert(oid_equal(&marks.items[1].commit, &first));
	ck_assert(oid_equal(&marks.items[1].parent, &before));
	ck_assert_int_gt(marks.items[1].time, 0);
	marks_release(&marks);
	ck_ok(commit_find(&marks, repo, &third, NULL, "r9", 0, 0, &err), &err);
	ck_assert_uint_eq(marks.count, 1);
	ck_assert(oid_equal(&marks.items[0].commit, &second));
	marks_release(&marks);
	ck_ok(commit_find(&marks, repo, &third, NULL, NULL, 0, 1, &err), &err);
	ck_assert_uint_eq(marks.count, 1);
	marks_release(&marks);
	ck_ok(commit_find(&marks, repo, &third, NULL, NULL, 3, 0, &err), &err);
	ck_assert_uint_eq(marks.count, 2);
	marks_release(&marks);
}
END_TEST

/* The commits of people since the program's own; names are theirs to choose. */
START_TEST(who_changed_a_file_is_told)
{
	struct oid tip = rev("dev");
	struct buf text;

	buf_init(&text, 4096);
	(void)sh("cd work && echo 1 >>certs.yml && git commit -qam 'certrotate poc: trust\n\n"
		 "Certrotate-Environment: poc\n' -m 'Certrotate-Environment: poc'");
	tip = rev("dev");
	ck_ok(commit_who_changed(&text, repo, &tip, "certs.yml", &err), &err);
	ck_assert_str_eq(text.data ? text.data : "", "");
	(void)sh("cd work && echo 2 >>certs.yml && git commit -qam two "
		 "--author=\"$(printf 'Ev\\033[31mil') <e@example.com>\" && "
		 "echo other >other.yml && git add other.yml && git commit -qm other");
	tip = rev("dev");
	ck_ok(commit_who_changed(&text, repo, &tip, "certs.yml", &err), &err);
	ck_assert_str_eq(text.data, sh("git -C work log -1 --skip=1 --abbrev=10 --date=short "
				       "--format='Ev\\x1b[31mil in %%h (%%cd)'"));
	buf_release(&text);
	(void)sh("cd work && for i in 3 4 5 6; do echo $i >>certs.yml && git commit -qam $i; "
		 "done");
	tip = rev("dev");
	ck_ok(commit_who_changed(&text, repo, &tip, "certs.yml", &err), &err);
	ck_contains(text.data, "Ada in ");
	ck_contains(text.data, " and 2 more commits");
	buf_release(&text);
	/* No pattern, and a file that never was. */
	ck_ok(commit_who_changed(&text, repo, &tip, "*.yml", &err), &err);
	ck_assert_uint_eq(text.len, 0);
	buf_release(&text);
}
END_TEST

Suite *commit_suite(void)
{
	Suite *suite = suite_create("git/commit");
	TCase *tcase = tcase_create("commit");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_add_test(tcase, only_the_given_paths_change);
	tcase_add_test(tcase, a_commit_that_changes_nothing_is_told);
	tcase_add_test(tcase, private_keys_are_not_committed);
	tcase_add_test(tcase, private_keys_are_not_in_a_message);
	tcase_add_test(tcase, paths_that_are_not_plain_files_are_refused);
	tcase_add_test(tcase, filtered_files_are_refused);
	tcase_add_test(tcase, a_name_is_needed);
	tcase_add_test(tcase, commits_are_signed_as_configured);
	tcase_add_test(tcase, messages_carry_trailers);
	tcase_add_test(tcase, commits_are_found_by_their_trailers);
	tcase_add_test(tcase, who_changed_a_file_is_told);
	suite_add_tcase(suite, tcase);
	return suite;
}
