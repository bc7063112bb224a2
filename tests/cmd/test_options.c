/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/options.h"
#include "tests/cmd/suites.h"

#define ARGS_MAX 64

struct parsed {
	struct options options;
	const struct command *command;
	struct err err;
	int rc;
};

/* words: the arguments, separated by '|', so that one may hold spaces or be empty. */
static void parse(struct parsed *out, char *words)
{
	char name[] = "certrotate";
	char *argv[ARGS_MAX + 1] = {name};
	int argc = 1;

	*out = (struct parsed){.rc = 0};
	while (words && argc < ARGS_MAX)
		argv[argc++] = strsep(&words, "|");
	ck_assert_ptr_null(words);
	out->rc = options_parse(&out->options, &out->command, argc, argv, &out->err);
}

static const struct {
	const char *words, *message, *hint;
} refused[] = {
	/* unknown names, with the nearest that is known */
	{"nxt", "unknown command 'nxt'", "did you mean 'next'?"},
	{"Status", "unknown command 'Status'", "did you mean 'status'?"},
	{"frobnicate", "unknown command 'frobnicate'", "see 'certrotate --help'"},
	{"", "unknown command ''", "see 'certrotate --help'"},
	{"-", "unknown command '-'", "see 'certrotate --help'"},
	{"next|--evn|poc", "unknown option '--evn'", "did you mean '--env'?"},
	{"next|--take-ovr", "unknown option '--take-ovr'", "did you mean '--take-over'?"},
	{"next|--waivee=x", "unknown option '--waivee'", "did you mean '--waive'?"},
	{"next|--frobnicate", "unknown option '--frobnicate'", "see 'certrotate --help'"},
	{"next|-env", "unknown option '-env'", "did you mean '--env'?"},
	{"next|-x", "unknown option '-x'", "see 'certrotate --help'"},
	{"next|--", "unknown option '--'", "see 'certrotate --help'"},
	/* a name is a whole name */
	{"next|--wai|x", "unknown option '--wai'", "did you mean '--waive'?"},
	/* values */
	{"next|--to", "--to needs a value: --to STATE", ""},
	{"next|--waive", "--waive needs a value: --waive GATE[=SUBJECT]:REASON", ""},
	{"status|-C", "--directory needs a value: --directory DIR", ""},
	{"next|--yes=no", "--yes takes no value", ""},
	{"next|-yes", "--yes takes no value", ""},
	{"check|--warning|soon", "--warning takes a number of days, not 'soon'", ""},
	{"check|--warning|", "--warning takes a number of days, not ''", ""},
	{"check|--critical=-1", "--critical takes a number of days, not '-1'", ""},
	{"check|--critical|7d", "--critical takes a number of days, not '7d'", ""},
	{"check|--critical|99999999999999999999",
	 "--critical takes a number of days, not '99999999999999999999'", ""},
	{"revert|--wave|first", "--wave takes the number of a wave, not 'first'", ""},
	{"revert|--wave=0", "--wave takes the number of a wave, not '0'", ""},
	{"revert|--wave|99999999999999999999",
	 "--wave takes the number of a wave, not '99999999999999999999'", ""},
	/* another command's option, wherever it stands */
	{"status|--yes", "'status' has no option --yes", "see 'certrotate status --help'"},
	{"--yes|status", "'status' has no option --yes", "see 'certrotate status --help'"},
	{"plan|--to|idle", "'plan' has no option --to", "see 'certrotate plan --help'"},
	{"next|--wave|1", "'next' has no option --wave", "see 'certrotate next --help'"},
	{"next|--prune", "'next' has no option --prune", "see 'certrotate next --help'"},
	{"revert|--emergency|x", "'revert' has no option --emergency",
	 "see 'certrotate revert --help'"},
	{"check|--dot", "'check' has no option --dot", "see 'certrotate check --help'"},
	{"log|-v|--json|--prometheus", "'log' has no option --prometheus",
	 "see 'certrotate log --help'"},
	/* one command */
	{"next|poc", "unexpected argument 'poc'",
	 "an environment is named with --env, a repository with -C; see 'certrotate next --help'"},
	{"plan|next", "unexpected argument 'next'",
	 "an environment is named with --env, a repository with -C; see 'certrotate plan --help'"},
	{"revert|generated", "unexpected argument 'generated'", "did you mean '--to generated'?"},
};

START_TEST(mistakes_are_named)
{
	char *words = strdup(refused[_i].words);
	struct parsed parsed;

	ck_assert_ptr_nonnull(words);
	parse(&parsed, words);
	ck_assert_int_eq(parsed.rc, ERR_USAGE);
	ck_assert_int_eq(err_exit_code(parsed.rc), 2);
	ck_assert_str_eq(parsed.err.msg, refused[_i].message);
	ck_assert_str_eq(parsed.err.hint, refused[_i].hint);
	free(words);
}
END_TEST

/* Every spelling of an option gives the same. */
static const char *const spellings[] = {
	"next|-C|/srv/repo|--env|poc|-y",	   "next|-C/srv/repo|--env=poc|--yes",
	"-C/srv/repo|--env=poc|-y|next",	   "--directory=/srv/repo|next|--yes|--env|poc",
	"--directory|/srv/repo|-y|next|--env=poc",
};

START_TEST(options_are_spelled_in_several_ways)
{
	char *words = strdup(spellings[_i]);
	struct parsed parsed;

	ck_assert_ptr_nonnull(words);
	parse(&parsed, words);
	ck_ok(parsed.rc, &parsed.err);
	ck_assert_str_eq(parsed.command->name, "next");
	ck_assert_str_eq(parsed.options.dir, "/srv/repo");
	ck_assert_str_eq(parsed.options.env, "poc");
	ck_assert(parsed.options.yes);
	ck_assert(!parsed.options.json);
	options_release(&parsed.options);
	free(words);
}
END_TEST

START_TEST(values_may_hold_anything)
{
	char words[] = "next|--waive|hosts=db3:power, --yes|--waive=endpoint:a=b|--emergency=--to";
	struct parsed parsed;

	parse(&parsed, words);
	ck_ok(parsed.rc, &parsed.err);
	ck_assert_uint_eq(parsed.options.waive.count, 2);
	ck_assert_str_eq(parsed.options.waive.items[0], "hosts=db3:power, --yes");
	ck_assert_str_eq(parsed.options.waive.items[1], "endpoint:a=b");
	ck_assert_str_eq(parsed.options.emergency, "--to");
	ck_assert_ptr_null(parsed.options.to);
	ck_assert(!parsed.options.yes);
	options_release(&parsed.options);
}
END_TEST

START_TEST(what_is_not_said_has_its_default)
{
	char words[] = "check";
	struct parsed parsed;

	ck_assert_int_eq(unsetenv("CERTROTATE_ENV"), 0);
	parse(&parsed, words);
	ck_ok(parsed.rc, &parsed.err);
	ck_assert_str_eq(parsed.options.dir, ".");
	ck_assert_ptr_null(parsed.options.env);
	ck_assert_ptr_null(parsed.options.config_file);
	ck_assert_int_eq(parsed.options.warning_days, 30);
	ck_assert_int_eq(parsed.options.critical_days, 7);
	options_release(&parsed.options);
}
END_TEST

START_TEST(the_environment_names_the_environment)
{
	char named[] = "status", both[] = "status|--env|poc", empty[] = "status";
	struct parsed parsed;

	ck_assert_int_eq(setenv("CERTROTATE_ENV", "acc", 1), 0);
	parse(&parsed, named);
	ck_assert_str_eq(parsed.options.env, "acc");
	parse(&parsed, both);
	ck_assert_str_eq(parsed.options.env, "poc");
	ck_assert_int_eq(setenv("CERTROTATE_ENV", "", 1), 0);
	parse(&parsed, empty);
	ck_assert_ptr_null(parsed.options.env);
	ck_assert_int_eq(unsetenv("CERTROTATE_ENV"), 0);
}
END_TEST

START_TEST(days_are_read)
{
	char words[] = "check|--warning=60|--critical|0|--prometheus";
	struct parsed parsed;

	parse(&parsed, words);
	ck_ok(parsed.rc, &parsed.err);
	ck_assert_int_eq(parsed.options.warning_days, 60);
	ck_assert_int_eq(parsed.options.critical_days, 0);
	ck_assert(parsed.options.prometheus);
	options_release(&parsed.options);
}
END_TEST

START_TEST(help_and_version_need_no_command)
{
	char help[] = "--help", version[] = "-V", of_one[] = "revert|-h";
	struct parsed parsed;

	parse(&parsed, help);
	ck_ok(parsed.rc, &parsed.err);
	ck_assert(parsed.options.help);
	ck_assert_ptr_null(parsed.command);
	parse(&parsed, version);
	ck_ok(parsed.rc, &parsed.err);
	ck_assert(parsed.options.version);
	parse(&parsed, of_one);
	ck_ok(parsed.rc, &parsed.err);
	ck_assert_str_eq(parsed.command->name, "revert");
}
END_TEST

START_TEST(an_option_may_come_often)
{
	struct parsed parsed;
	struct buf words;
	char *text;

	buf_init(&words, 1024);
	buf_adds(&words, "next");
	for (int i = 0; i < 50; i++)
		buf_adds(&words, "|-v");
	buf_adds(&words, "|--dot");
	text = buf_detach(&words);
	ck_assert_ptr_nonnull(text);
	parse(&parsed, text);
	ck_assert_int_eq(parsed.rc, ERR_USAGE);
	ck_assert_str_eq(parsed.err.msg, "'next' has no option --dot");
	free(text);
}
END_TEST

Suite *options_suite(void)
{
	Suite *suite = suite_create("options");
	TCase *tc = tcase_create("options");

	tcase_add_loop_test(tc, mistakes_are_named, 0, (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_loop_test(tc, options_are_spelled_in_several_ways, 0,
			    (int)(sizeof(spellings) / sizeof(spellings[0])));
	tcase_add_test(tc, values_may_hold_anything);
	tcase_add_test(tc, what_is_not_said_has_its_default);
	tcase_add_test(tc, the_environment_names_the_environment);
	tcase_add_test(tc, days_are_read);
	tcase_add_test(tc, help_and_version_need_no_command);
	tcase_add_test(tc, an_option_may_come_often);
	suite_add_tcase(suite, tc);
	return suite;
}
