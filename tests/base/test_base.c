/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/finding.h"
#include "base/json.h"
#include "base/lazy.h"
#include "base/strs.h"
#include "base/sys.h"
#include "tests/support/support.h"

START_TEST(err_keeps_code_message_and_hint)
{
	struct err err = {0};

	ck_assert_int_eq(err_set(&err, ERR_GATE, "db%d refused", 1), ERR_GATE);
	err_hint(&err, "start it");
	ck_assert_int_eq(err_hint_default(&err, "or not"), ERR_GATE);
	err_prefix(&err, "phase %s", "trust");
	ck_assert_str_eq(err.msg, "phase trust: db1 refused");
	ck_assert_str_eq(err.hint, "start it");
	ck_assert_int_eq(err_exit_code(err.code), 3);
	ck_assert_int_eq(err_exit_code(ERR_NOENT), 1);
	ck_assert_int_eq(err_sys(&err, ENOENT, "x"), ERR_NOENT);
	ck_assert_int_eq(err_hint_default(&err, "look in %s", "y"), ERR_NOENT);
	ck_assert_str_eq(err.hint, "look in y");
}
END_TEST

START_TEST(buf_stops_at_its_maximum)
{
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, 8);
	buf_addf(&buf, "%d-%s", 12, "abc");
	ck_assert_str_eq(buf.data, "12-abc");
	buf_adds(&buf, "xyz");
	ck_assert(buf.failed);
	ck_assert_int_eq(buf_check(&buf, "a name", &err), ERR_FAIL);
	ck_contains(err.msg, "a name");
	ck_assert_ptr_null(buf_detach(&buf));
	buf_release(&buf);
}
END_TEST

START_TEST(buf_makes_control_characters_harmless)
{
	struct buf buf;

	buf_init(&buf, 100);
	buf_add_safe(&buf, "a\x1b[31m\xc2\x9b\xc3\xa9", 10);
	ck_assert_str_eq(buf.data, "a\\x1b[31m\\x9b\xc3\xa9");
	buf_reset(&buf);
	/* the direction turned round, no UTF-8 (also too long a form, a half surrogate, cut off) */
	buf_add_safe(&buf, "x\u202ey\xff\xc0\xaf\xed\xa0\x80\u200b\U000e0041\xe2\x80", 20);
	ck_assert_str_eq(buf.data,
			 "x\\u202ey\\xff\\xc0\\xaf\\xed\\xa0\\x80\\u200b\\ue0041\\xe2\\x80");
	buf_release(&buf);
}
END_TEST

START_TEST(json_shows_no_harmful_character)
{
	static const char *const texts[] = {"\033[2J\x7f\xc2\x9b", "a\u202e\u2066b\U000e0041",
					    "caf\xc3\xa9 \xf0\x9f\x94\x91"};
	struct json *list = js_new_array(), *again;
	struct err err = {0};
	struct buf text;

	buf_init(&text, 1000);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(js_push_str(list, texts[i]), 0);
	ck_assert_int_eq(js_push_str(list, "\xff"
					   "caf\xc3\xa9\xc3"),
			 0);
	ck_ok(js_dump(&text, list, false, &err), &err);
	ck_assert_str_eq(text.data,
			 "[\"\\u001B[2J\\u007f\\u009b\",\"a\\u202e\\u2066b\\udb40\\udc41\","
			 "\"caf\xc3\xa9 \xf0\x9f\x94\x91\",\"?caf\xc3\xa9?\"]");
	ck_ok(js_parse(&again, text.data, text.len, "x", &err), &err);
	ck_assert(js_equal(list, again));
	js_free(again);
	js_free(list);
	buf_release(&text);
}
END_TEST

START_TEST(file_replace_keeps_mode_and_leaves_no_temporary)
{
	struct err err = {0};
	char *path, *link, *text, *root;
	struct stat st;

	test_mkdir();
	path = test_path("certs.yml");
	link = test_path("link.yml");
	test_write(path, "old");
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(symlink("certs.yml", link), 0);
	root = test_path(".");
	ck_ok(file_replace(link, root, "new text", 8, 0600, &err), &err);
	text = test_read(path, NULL);
	ck_assert_str_eq(text, "new text");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(lstat(link, &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(file_replace("/nonexistent/x", NULL, "", 0, 0600, &err), ERR_FAIL);
	ck_contains(err.msg, "/nonexistent/x");
	free(text);
	free(root);
	free(path);
	free(link);
	test_rmdir();
}
END_TEST

START_TEST(file_replace_goes_through_no_link_that_leads_out)
{
	static const struct {
		const char *target, *root, *said;
	} cases[] = {
		{"../outside", "in", "it leads out of"},
		{"inside", NULL, "it is a symbolic link"},
		{"../outside", NULL, "it is a symbolic link"},
		{"nowhere", "in", "cannot follow the symbolic link"},
		{"nowhere", NULL, "it is a symbolic link"},
		{".", "in", "not a regular file"},
		{"pipe", "in", "not a regular file"},
	};
	struct err err = {0};
	char *dir, *inside, *outside, *pipe, *link;

	test_mkdir();
	dir = test_path("in");
	outside = test_path("outside");
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	inside = test_path("in/inside");
	link = test_path("in/link");
	pipe = test_path("in/pipe");
	test_write(inside, "one");
	test_write(outside, "two");
	ck_assert_int_eq(mkfifo(pipe, 0600), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text;

		ck_assert_int_eq(symlink(cases[i].target, link), 0);
		ck_assert_int_eq(file_replace(link, cases[i].root ? dir : NULL, "x", 1, 0600, &err),
				 ERR_FAIL);
		ck_contains(err.msg, cases[i].said);
		ck_assert_int_eq(unlink(link), 0);
		text = test_read(inside, NULL);
		ck_assert_str_eq(text, "one");
		free(text);
		text = test_read(outside, NULL);
		ck_assert_str_eq(text, "two");
		free(text);
	}
	ck_assert_int_eq(file_replace(pipe, NULL, "x", 1, 0600, &err), ERR_FAIL);
	ck_assert_int_eq(file_append_sync(pipe, "x", 1, &err), ERR_FAIL);
	free(dir);
	free(inside);
	free(outside);
	free(pipe);
	free(link);
	test_rmdir();
}
END_TEST

START_TEST(private_folders_are_real_and_ours)
{
	struct err err = {0};
	const char *base = test_mkdir();
	char *first = test_path("certrotate"), *link = test_path("link"), *file = test_path("file");
	struct stat st;

	ck_ok(file_private_dirs(base, "certrotate/poc/logs", &err), &err);
	ck_assert_int_eq(chmod(first, 0755), 0);
	ck_ok(file_private_dirs(base, "certrotate/poc", &err), &err);
	ck_assert_int_eq(stat(first, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(symlink("/tmp", link), 0);
	ck_assert_int_eq(file_private_dirs(base, "link/poc", &err), ERR_FAIL);
	ck_contains(err.msg, "link is a symbolic link");
	ck_assert_int_eq(file_private_dirs("/nonexistent", "a", &err), ERR_FAIL);
	test_write(file, "");
	ck_assert_int_eq(file_private_dirs(base, "file", &err), ERR_FAIL);
	ck_contains(err.msg, "file is no directory");
	free(first);
	free(link);
	free(file);
	test_rmdir();
}
END_TEST

static void write_aged(const char *name, time_t age)
{
	char *path = test_path(name);
	struct timespec times[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};

	test_write(path, "x");
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
}

START_TEST(file_sweep_takes_what_is_old_and_ours)
{
	static const char *const names[] = {".state.json.certrotate-a1B2c3", "state.json",
					    ".new.certrotate-a1B2c3", ".gitignore"};
	char *path;

	test_mkdir();
	for (size_t i = 0; i < 4; i++)
		write_aged(names[i], i == 2 ? 60 : 7200);
	path = test_path("");
	file_sweep(path, ".", FILE_TEMPORARY_PART);
	file_sweep("/nonexistent", ".", "");
	free(path);
	for (size_t i = 0; i < 4; i++) {
		path = test_path(names[i]);
		ck_assert_msg(file_exists(path) == (i != 0), "%s", names[i]);
		free(path);
	}
	test_rmdir();
}
END_TEST

START_TEST(file_read_is_bounded)
{
	struct err err = {0};
	struct buf buf;
	char *path;

	test_mkdir();
	path = test_path("f");
	test_write(path, "12345");
	buf_init(&buf, 100);
	ck_assert_int_eq(file_read(&buf, path, 4, &err), ERR_FAIL);
	ck_contains(err.msg, "larger than 4 bytes");
	buf_reset(&buf);
	ck_ok(file_read(&buf, path, 5, &err), &err);
	ck_assert_str_eq(buf.data, "12345");
	ck_assert_int_eq(file_read(&buf, "/tmp", 5, &err), ERR_FAIL);
	ck_assert_int_eq(file_read(&buf, "/nonexistent", 5, &err), ERR_NOENT);
	buf_release(&buf);
	free(path);
	test_rmdir();
}
END_TEST

START_TEST(paths_outside_are_recognised)
{
	static const struct {
		const char *path;
		bool inside;
	} rows[] = {{"a/b.yml", true},	  {"..a/b", true},   {"a..", true}, {"../x", false},
		    {"a/../../x", false}, {"/etc/x", false}, {"", false},   {"a/..", false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(path_is_inside(rows[i].path) == rows[i].inside, "%s", rows[i].path);
}
END_TEST

START_TEST(strmap_finds_what_was_put)
{
	struct strmap map = STRMAP_INIT;
	struct err err = {0};
	size_t value;

	for (size_t i = 0; i < 1000; i++) {
		char *key = str_fmt("key%zu", i);

		ck_ok(strmap_put(&map, key, i, &err), &err);
		free(key);
	}
	ck_assert(strmap_get(&map, "key777", &value));
	ck_assert_uint_eq(value, 777);
	ck_assert(!strmap_get(&map, "other", &value));
	strmap_release(&map);
}
END_TEST

START_TEST(nearest_names_are_offered)
{
	static const char *const names[] = {"inventory", "endpoints", "census"};

	ck_assert_str_eq(str_nearest("endpoint", names, 3), "endpoints");
	ck_assert_ptr_null(str_nearest("xyz", names, 3));
}
END_TEST

START_TEST(times_and_durations)
{
	struct err err = {0};
	char text[SYS_TIME_SIZE];
	int64_t when;

	sys_time_text(1795224600, text);
	ck_ok(sys_time_parse(text, &when, &err), &err);
	ck_assert_int_eq(when, 1795224600);
	ck_assert_int_eq(sys_time_parse("26-11-21T01:30:00Z", &when, &err), ERR_FAIL);
	ck_assert_int_eq(sys_time_parse("2026-11-31T01:30:00Z", &when, &err), ERR_FAIL);
	ck_assert_int_eq(sys_time_parse("2026-11- 1T01:30:00Z", &when, &err), ERR_FAIL);
	ck_contains(err.msg, "'2026-11- 1T01:30:00Z' is not a time like 2026-11-21T01:30:00Z");
	ck_ok(sys_duration_parse("7d", &when, &err), &err);
	ck_assert_int_eq(when, 7 * 86400);
	ck_assert_int_eq(sys_duration_parse("7", &when, &err), ERR_USAGE);
	ck_assert_int_eq(sys_duration_parse("d", &when, &err), ERR_USAGE);
	ck_assert_int_eq(sys_duration_parse("-1d", &when, &err), ERR_USAGE);
	ck_contains(err.msg, "'-1d' is not a duration");
}
END_TEST

START_TEST(json_round_trip_and_duplicates)
{
	struct err err = {0};
	struct json *value = NULL;
	struct buf buf;

	buf_init(&buf, 1000);
	ck_ok(js_parse(&value, "{\"b\":1,\"a\":[true,\"x\"]}", 22, "t", &err), &err);
	ck_ok(js_dump(&buf, value, false, &err), &err);
	ck_assert_str_eq(buf.data, "{\"b\":1,\"a\":[true,\"x\"]}");
	js_free(value);
	ck_assert_int_eq(js_parse(&value, "{\"b\":1,\n\"b\":2}", 15, "state.json", &err), ERR_FAIL);
	ck_contains(err.msg, "state.json:2");
	buf_release(&buf);
}
END_TEST

static void add(struct findings *list, enum severity severity, const char *subject,
		const char *reason)
{
	struct err err = {0};

	ck_ok(findings_add(list, "leaf-served", severity, subject, "do", &err, "%s", reason), &err);
}

START_TEST(findings_of_many_that_say_the_same_are_one_group)
{
	struct findings list = FINDINGS_INIT;
	struct finding_groups groups;
	struct err err = {0};

	for (int i = 0; i < 1000; i++) {
		char subject[16];

		(void)snprintf(subject, sizeof(subject), "db%d", i);
		add(&list, SEVERITY_BLOCK, subject, "serves the old certificate");
		if (i % 500 == 0)
			add(&list, SEVERITY_WARNING, subject, "serves the old certificate");
	}
	add(&list, SEVERITY_BLOCK, "db7", "serves the old certificate");
	add(&list, SEVERITY_BLOCK, "db7", "connection refused");
	list.items[0].waived = true;
	ck_ok(findings_group(&groups, &list, &err), &err);
	ck_assert_uint_eq(groups.count, 4);
	ck_assert_uint_eq(groups.items[0].subjects.count, 1);
	ck_assert_str_eq(groups.items[0].subjects.items[0], "db0");
	ck_assert(groups.items[0].first->waived);
	ck_assert_uint_eq(groups.items[1].subjects.count, 2);
	ck_assert_str_eq(groups.items[1].subjects.items[1], "db500");
	ck_assert_uint_eq(groups.items[2].subjects.count, 999);
	ck_assert_str_eq(groups.items[3].first->reason, "connection refused");
	findings_group_release(&groups);
	findings_release(&list);
}
END_TEST

START_TEST(findings_move_from_one_list_to_another)
{
	struct findings to = FINDINGS_INIT, from = FINDINGS_INIT;
	struct err err = {0};

	add(&to, SEVERITY_INFO, "a", "first");
	for (int i = 0; i < 40; i++)
		add(&from, SEVERITY_INFO, "b", "later");
	ck_ok(findings_take(&to, &from, &err), &err);
	ck_assert_uint_eq(to.count, 41);
	ck_assert_str_eq(to.items[0].subject, "a");
	ck_assert_str_eq(to.items[40].subject, "b");
	ck_assert_uint_eq(from.count, 0);
	ck_ok(findings_take(&to, &from, &err), &err);
	ck_assert_uint_eq(to.count, 41);
	findings_release(&to);
}
END_TEST

START_TEST(libraries_are_opened_when_needed)
{
	static const char *const there[] = {"strlen", "strcmp"};
	static const char *const not_there[] = {"strlen", "no_such_function"};
	struct {
		size_t (*strlen)(const char *text);
		int (*strcmp)(const char *a, const char *b);
	} table;
	struct lazy library = {.file = "libc.so.6",
			       .package = "libc6",
			       .names = not_there,
			       .count = 2,
			       .table = &table};
	struct err err = {0};

	ck_assert_int_eq(lazy_load(&library, &err), ERR_FAIL);
	ck_contains(err.msg, "cannot use libc.so.6: ");
	ck_contains(err.msg, "undefined symbol: no_such_function");
	ck_contains(err.hint, "package libc6");
	library.names = there;
	ck_ok(lazy_load(&library, &err), &err);
	ck_assert_uint_eq(table.strlen("four"), 4);
	ck_assert_int_eq(table.strcmp(there[0], library.names[0]), 0);
	library.loaded = false;
	library.file = "libno-such-library.so.7";
	ck_assert_int_eq(lazy_load(&library, &err), ERR_FAIL);
	ck_contains(err.msg, "cannot use libno-such-library.so.7: ");
	ck_contains(err.msg, "No such file or directory");
}
END_TEST

START_TEST(findings_count_and_sort)
{
	struct findings list = FINDINGS_INIT;
	struct err err = {0};

	ck_ok(findings_add(&list, "a", SEVERITY_INFO, "s", NULL, &err, "i"), &err);
	ck_ok(findings_add(&list, "b", SEVERITY_BLOCK, "s", "do", &err, "r %d", 2), &err);
	findings_sort(&list);
	ck_assert_str_eq(list.items[0].reason, "r 2");
	ck_assert_uint_eq(findings_count(&list, SEVERITY_BLOCK), 1);
	list.items[0].waived = true;
	ck_assert_uint_eq(findings_count(&list, SEVERITY_BLOCK), 0);
	findings_release(&list);
}
END_TEST

static Suite *base_suite(void)
{
	Suite *suite = suite_create("base");
	TCase *tc = tcase_create("base");

	tcase_add_test(tc, err_keeps_code_message_and_hint);
	tcase_add_test(tc, buf_stops_at_its_maximum);
	tcase_add_test(tc, buf_makes_control_characters_harmless);
	tcase_add_test(tc, json_shows_no_harmful_character);
	tcase_add_test(tc, file_replace_keeps_mode_and_leaves_no_temporary);
	tcase_add_test(tc, file_replace_goes_through_no_link_that_leads_out);
	tcase_add_test(tc, private_folders_are_real_and_ours);
	tcase_add_test(tc, file_sweep_takes_what_is_old_and_ours);
	tcase_add_test(tc, file_read_is_bounded);
	tcase_add_test(tc, paths_outside_are_recognised);
	tcase_add_test(tc, strmap_finds_what_was_put);
	tcase_add_test(tc, nearest_names_are_offered);
	tcase_add_test(tc, times_and_durations);
	tcase_add_test(tc, json_round_trip_and_duplicates);
	tcase_add_test(tc, libraries_are_opened_when_needed);
	tcase_add_test(tc, findings_count_and_sort);
	tcase_add_test(tc, findings_of_many_that_say_the_same_are_one_group);
	tcase_add_test(tc, findings_move_from_one_list_to_another);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	static Suite *(*const suites[])(void) = {base_suite, NULL};

	return test_main(suites);
}
