/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strs.h"
#include "inventory/repopath.h"
#include "tests/inventory/suites.h"

static char *root;
static struct err err;

static void setup(void)
{
	char *path;

	root = realpath(test_mkdir(), NULL);
	err_clear(&err);
	path = test_path("a/b");
	ck_ok(file_mkdirs(path, 0755, &err), &err);
	free(path);
	path = test_path("a/file");
	test_write(path, "x");
	free(path);
	path = test_path("link");
	ck_assert_int_eq(symlink("a/b", path), 0);
	free(path);
	path = test_path("up");
	ck_assert_int_eq(symlink("a/../..", path), 0);
	free(path);
	path = test_path("here");
	ck_assert_int_eq(symlink(".", path), 0);
	free(path);
}

static void teardown(void)
{
	free(root);
	test_rmdir();
}

static const struct {
	const char *path, *plain, *real; /* NULL: refused */
} rows[] = {
	{"a/file", "a/file", "a/file"},
	{"./a//b/./", "a/b", "a/b"},
	{"link/x/y", "link/x/y", "a/b/x/y"},
	{"link", "link", "a/b"},
	{"new", "new", "new"},
	{"new/deep/er", "new/deep/er", "new/deep/er"},
	{"a/file/below", "a/file/below", "a/file/below"},
	{".", ".", "."},
	{"./", ".", "."},
	{"here", "here", "."},
	{"here/new", "here/new", "new"},
	{"...", "...", "..."},
	{"a/..b", "a/..b", "a/..b"},
	{"", NULL, NULL},
	{"/a", NULL, NULL},
	{"..", NULL, NULL},
	{"a/..", NULL, NULL},
	{"a/../b", NULL, NULL},
	{"up", NULL, NULL},
	{"up/x", NULL, NULL},
};

START_TEST(paths_stay_inside)
{
	char *plain = NULL, *real = NULL;
	int rc = repo_path(&plain, root, rows[_i].path, &err);
	int rc_real = repo_path_real(&real, root, rows[_i].path, &err);

	if (rows[_i].plain) {
		ck_assert_msg(rc == 0 && rc_real == 0, "%s: %s", rows[_i].path, err.msg);
		ck_assert_str_eq(plain, rows[_i].plain);
		ck_assert_str_eq(real, rows[_i].real);
	} else {
		ck_assert_int_eq(rc, ERR_USAGE);
		ck_assert_int_eq(rc_real, ERR_USAGE);
		ck_assert_ptr_null(plain);
		ck_assert_ptr_null(real);
		ck_contains(err.msg, "leaves the repository");
	}
	free(plain);
	free(real);
}
END_TEST

START_TEST(a_sibling_with_the_same_beginning_is_outside)
{
	char *sibling = str_fmt("%s-other", root), *path = test_path("out"), *out = NULL;

	ck_assert_int_eq(symlink(sibling, path), 0);
	ck_ok(file_mkdirs(sibling, 0755, &err), &err);
	ck_assert_int_eq(repo_path(&out, root, "out/x", &err), ERR_USAGE);
	ck_contains(err.msg, "'out/x' leaves the repository through a symbolic link, to ");
	ck_contains(err.msg, sibling);
	ck_assert_int_eq(rmdir(sibling), 0);
	free(sibling);
	free(path);
}
END_TEST

START_TEST(the_root_may_be_written_in_any_way)
{
	char *odd = str_fmt("%s/a/..//", root), *out = NULL;

	ck_ok(repo_path_real(&out, odd, "link/x", &err), &err);
	ck_assert_str_eq(out, "a/b/x");
	free(out);
	free(odd);
	ck_ok(repo_path(&out, "tests/data/chainsmith-python", "environments/poc/hosts", &err),
	      &err);
	ck_assert_str_eq(out, "environments/poc/hosts");
	free(out);
	ck_assert_int_eq(repo_path(&out, "/nonexistent", "a", &err), ERR_NOENT);
	ck_assert_str_eq(err.msg, "/nonexistent: No such file or directory");
}
END_TEST

Suite *repopath_suite(void)
{
	Suite *suite = suite_create("repopath");
	TCase *tc = tcase_create("repopath");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, paths_stay_inside, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, the_root_may_be_written_in_any_way);
	tcase_add_test(tc, a_sibling_with_the_same_beginning_is_outside);
	suite_add_tcase(suite, tc);
	return suite;
}
