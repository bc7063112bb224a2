/* SPDX-License-Identifier: PostgreSQL */
/* Findings of many hosts on a screen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ui.h"
#include "tests/cmd/suites.h"

static struct findings list;
static struct err err;

static void add(const char *check, enum severity severity, int number, const char *reason)
{
	char subject[16];

	(void)snprintf(subject, sizeof(subject), "db%d", number);
	ck_ok(findings_add(&list, check, severity, subject, "mend it", &err, "%s", reason), &err);
}

/* What it writes to standard error; free() it. */
static char *shown(bool verbose)
{
	char *path, *text;
	struct ui ui;
	int kept;

	(void)test_mkdir();
	path = test_path("stderr");
	test_write(path, "");
	(void)fflush(stderr);
	kept = dup(STDERR_FILENO);
	ck_assert_ptr_nonnull(freopen(path, "w", stderr));
	ui_init(&ui);
	ui.verbose = verbose;
	(void)ui_findings(&ui, &list);
	(void)fflush(stderr);
	text = test_read(path, NULL);
	(void)dup2(kept, STDERR_FILENO);
	(void)close(kept);
	free(path);
	findings_release(&list);
	test_rmdir();
	return text;
}

START_TEST(the_same_of_many_is_said_once)
{
	char *text;

	for (int i = 1; i <= 400; i++)
		add("leaf-served", SEVERITY_BLOCK, i, "serves the old certificate");
	for (int i = 1; i <= 2; i++)
		add("client-none", SEVERITY_INFO, i, "asks for a password");
	text = shown(false);
	ck_assert_str_eq(text,
			 "block leaf-served db1, db2, db3, db4, db5, db6 and 394 more: serves "
			 "the old certificate\n"
			 "  HINT: mend it\n"
			 "(-v shows 2 more that are merely worth knowing)\n");
	free(text);
}
END_TEST

START_TEST(what_differs_of_each_is_cut)
{
	char reason[32], *text;

	for (int i = 1; i <= 13; i++) {
		(void)snprintf(reason, sizeof(reason), "10.0.0.%d: refused", i);
		add("endpoint", SEVERITY_BLOCK, i, reason);
	}
	add("leaf-served", SEVERITY_WARNING, 1, "odd");
	text = shown(false);
	ck_contains(text, "block endpoint db10: 10.0.0.10: refused\n"
			  "  and 3 more of endpoint (-v and --json show all)\n"
			  "  HINT: mend it\n"
			  "warning leaf-served db1: odd\n");
	free(text);
	for (int i = 1; i <= 13; i++) {
		(void)snprintf(reason, sizeof(reason), "10.0.0.%d: refused", i);
		add("endpoint", SEVERITY_BLOCK, i, reason);
	}
	text = shown(true);
	ck_contains(text, "block endpoint db13: 10.0.0.13: refused\n  HINT: mend it\n");
	free(text);
}
END_TEST

Suite *findings_suite(void)
{
	Suite *suite = suite_create("findings");
	TCase *tc = tcase_create("findings");

	tcase_add_test(tc, the_same_of_many_is_said_once);
	tcase_add_test(tc, what_differs_of_each_is_cut);
	suite_add_tcase(suite, tc);
	return suite;
}
