/* SPDX-License-Identifier: PostgreSQL */
/* Secrets of one line: what is taken from files and variables, and that no message shows any. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret/source.h"
#include "tests/support/support.h"

#define WORD "hunter2-and-more"

static struct arena *arena;
static struct secret secret;
static struct err err;
static char *path;

static void setup(void)
{
	(void)test_mkdir();
	path = test_path("word");
	arena = arena_new((size_t)1 << 20);
	secret = (struct secret){0};
	err_clear(&err);
}

static void teardown(void)
{
	arena_free(arena);
	free(path);
	test_rmdir();
}

static void write_word(const char *text, mode_t mode)
{
	test_write(path, text);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static const struct {
	const char *text, *secret;
} good[] = {
	{WORD, WORD},
	{WORD "\n", WORD},
	{WORD "\r\n", WORD},
	{WORD "\n\n", WORD},
	{" with blanks ", " with blanks "},
	{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
};

START_TEST(a_line_is_taken_without_its_end)
{
	write_word(good[_i].text, 0600);
	ck_ok(secret_from_file(&secret, arena, path, &err), &err);
	ck_assert_str_eq(secret.data, good[_i].secret);
	ck_assert_uint_eq(secret.len, strlen(good[_i].secret));
	write_word(good[_i].text, 0400);
	ck_ok(secret_from_file(&secret, arena, path, &err), &err);
	(void)setenv("A_WORD", good[_i].text, 1);
	ck_ok(secret_from_env(&secret, arena, "A_WORD", &err), &err);
	ck_assert_str_eq(secret.data, good[_i].secret);
}
END_TEST

static const struct {
	const char *text, *message;
} bad[] = {
	{"", " is empty"},
	{"\n\n", " is empty"},
	{WORD "\n" WORD "\n", " has more than one line"},
	{WORD "\t" WORD, " has control characters in it"},
	{"\033[31m" WORD, " has control characters in it"},
};

START_TEST(what_is_no_line_is_refused)
{
	write_word(bad[_i].text, 0600);
	ck_assert_int_eq(secret_from_file(&secret, arena, path, &err), ERR_USAGE);
	ck_assert(!strncmp(err.msg, path, strlen(path)));
	ck_contains(err.msg, bad[_i].message);
	ck_assert_ptr_null(strstr(err.msg, "hunter2"));
	(void)setenv("A_WORD", bad[_i].text, 1);
	ck_assert_int_eq(secret_from_env(&secret, arena, "A_WORD", &err), ERR_USAGE);
	ck_contains(err.msg, "the environment variable A_WORD");
	ck_assert_ptr_null(strstr(err.msg, "hunter2"));
}
END_TEST

START_TEST(what_others_can_read_is_refused)
{
	static const mode_t modes[] = {0604, 0640, 0602, 0620, 0777, 0601};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		write_word(WORD, modes[i]);
		ck_assert_int_eq(secret_from_file(&secret, arena, path, &err), ERR_USAGE);
		ck_contains(err.msg, " can be read by others (mode 0");
		ck_contains(err.hint, "chmod 0600 ");
	}
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
	char *large;

	ck_assert_int_eq(secret_from_file(&secret, arena, path, &err), ERR_USAGE);
	ck_contains(err.msg, "No such file");
	ck_assert_int_eq(mkfifo(path, 0600), 0); /* nobody writes: it must not be waited for */
	ck_assert_int_eq(secret_from_file(&secret, arena, path, &err), ERR_USAGE);
	ck_contains(err.msg, "not a regular file");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(secret_from_file(&secret, arena, path, &err), ERR_USAGE);
	ck_contains(err.msg, "not a regular file");
	ck_assert_int_eq(rmdir(path), 0);
	large = malloc(SECRET_SOURCE_MAX + 2);
	ck_assert_ptr_nonnull(large);
	memset(large, 'x', SECRET_SOURCE_MAX + 1);
	large[SECRET_SOURCE_MAX + 1] = '\0';
	write_word(large, 0600);
	ck_assert_int_eq(secret_from_file(&secret, arena, path, &err), ERR_USAGE);
	ck_contains(err.msg, "is larger than 16384 bytes");
	free(large);
}
END_TEST

START_TEST(a_variable_that_is_not_set_is_said)
{
	(void)unsetenv("A_WORD");
	ck_assert_int_eq(secret_from_env(&secret, arena, "A_WORD", &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "the environment variable A_WORD is not set");
}
END_TEST

/* Two that grow in turn, with small pieces beside them: each keeps its own. */
START_TEST(texts_grow_and_keep_what_they_hold)
{
	struct arena *large = arena_new((size_t)64 << 20);
	struct secret_buf bufs[2];
	struct secret texts[2] = {{0}}, small[64];
	char line[1000];

	ck_assert_ptr_nonnull(large);
	for (int i = 0; i < 2; i++)
		secret_buf_init(&bufs[i], large);
	for (int round = 0; round < 6000; round++) {
		for (int i = 0; i < 2; i++) {
			memset(line, 'a' + (round + i) % 26, sizeof(line));
			secret_buf_add(&bufs[i], line, sizeof(line));
		}
		if (round % 100 == 0)
			ck_ok(arena_copy(&small[round / 100], large, WORD, strlen(WORD), &err),
			      &err);
	}
	for (int i = 0; i < 2; i++) {
		ck_ok(secret_buf_done(&texts[i], &bufs[i], "text", &err), &err);
		ck_assert_uint_eq(texts[i].len, 6000 * sizeof(line));
		for (size_t round = 0; round < 6000; round++) {
			memset(line, 'a' + ((int)round + i) % 26, sizeof(line));
			ck_assert_mem_eq(texts[i].data + round * sizeof(line), line, sizeof(line));
		}
		ck_assert_int_eq(texts[i].data[texts[i].len], '\0');
	}
	for (int i = 0; i < 60; i++)
		ck_assert_str_eq(small[i].data, WORD);
	arena_free(large);
}
END_TEST

START_TEST(no_text_grows_beyond_its_arena)
{
	struct secret_buf buf;
	char line[1000];

	memset(line, 'a', sizeof(line));
	secret_buf_init(&buf, arena);
	for (int round = 0; round < 2000; round++)
		secret_buf_add(&buf, line, sizeof(line));
	ck_assert(buf.failed);
	ck_assert_int_eq(secret_buf_done(&secret, &buf, "the text", &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "the text is too large: secrets take up to 1048576 bytes");
}
END_TEST

static Suite *source_suite(void)
{
	Suite *suite = suite_create("source");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_line_is_taken_without_its_end, 0,
			    (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(tcase, what_is_no_line_is_refused, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tcase, what_others_can_read_is_refused);
	tcase_add_test(tcase, what_is_no_file_is_refused);
	tcase_add_test(tcase, a_variable_that_is_not_set_is_said);
	tcase_add_test(tcase, texts_grow_and_keep_what_they_hold);
	tcase_add_test(tcase, no_text_grows_beyond_its_arena);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	Suite *(*const suites[])(void) = {source_suite, NULL};

	return test_main(suites);
}
