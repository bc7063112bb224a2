/* SPDX-License-Identifier: PostgreSQL */
#include "tests/support/support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

static char top[64]; /* one for all tests: made before check forks them, removed behind the last */
static char dir[96];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_all(char *path)
{
	if (path[0])
		(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	path[0] = '\0';
}

const char *test_mkdir(void)
{
	(void)snprintf(dir, sizeof(dir), "%s/XXXXXX", top[0] ? top : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	return dir;
}

void test_rmdir(void)
{
	remove_all(dir);
}

char *test_path(const char *name)
{
	char *path = path_join(dir, name);

	ck_assert_ptr_nonnull(path);
	return path;
}

void test_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

char *test_read(const char *path, size_t *len)
{
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, BUF_TEXT_MAX);
	ck_ok(file_read(&buf, path, BUF_TEXT_MAX, &err), &err);
	if (len)
		*len = buf.len;
	return buf_detach(&buf);
}

int test_main(Suite *(*const *suites)(void))
{
	SRunner *runner = srunner_create(NULL);
	int failed;

	(void)snprintf(top, sizeof(top), "/tmp/certrotate-test-XXXXXX");
	if (!mkdtemp(top)) {
		perror(top);
		return EXIT_FAILURE;
	}
	for (; *suites; suites++)
		srunner_add_suite(runner, (*suites)());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	/* also what a test that failed or was ended had no time for */
	remove_all(top);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
