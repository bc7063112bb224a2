/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "outside/template.h"
#include "tests/outside/suites.h"

static const struct template_word words[] = {
	{"text", "it \"fails\":\n\tC:\\new \xe2\x80\xa6 \x01"},
	{"environment", "poc"},
	{"next", NULL},
	{"who", "<!channel> \"a\" & <https://b|c> &amp;"},
};
#define WORDS (sizeof(words) / sizeof(words[0]))

static const struct {
	const char *text, *filled;
} fills[] = {
	{"{\"text\": \"{text}\"}",
	 "{\"text\": \"it \\\"fails\\\":\\n\\tC:\\\\new \xe2\x80\xa6 \\u0001\"}"},
	{"{\"a\": \"{environment}{environment} {next}!\"}", "{\"a\": \"pocpoc !\"}"},
	{"[{}, {\"{environment}\": {}}, \"{ text}\", \"{1}\", \"{\", \"{te-xt}\"]",
	 "[{}, {\"poc\": {}}, \"{ text}\", \"{1}\", \"{\", \"{te-xt}\"]"},
	{"{\"a\": \"{{environment}}\"}\n", "{\"a\": \"{poc}\"}\n"},
	{"{}", "{}"},
	{"[\"{who}\", \"{next|slack}{environment|slack}\"]",
	 "[\"<!channel> \\\"a\\\" & <https://b|c> &amp;\", \"poc\"]"},
	{"[\"{who|slack}\"]",
	 "[\"&lt;!channel&gt; \\\"a\\\" &amp; &lt;https://b|c&gt; &amp;amp;\"]"},
	{"[\"x{|slack}{who|slack|slack}{who|sl ack}\"]",
	 "[\"x{|slack}{who|slack|slack}{who|sl ack}\"]"},
};

START_TEST(words_become_their_values)
{
	struct err err = {0};
	struct buf out;

	buf_init(&out, 4096);
	ck_ok(template_fill(&out, fills[_i].text, strlen(fills[_i].text), "t.json", words, WORDS,
			    &err),
	      &err);
	ck_assert_str_eq(out.data, fills[_i].filled);
	buf_release(&out);
}
END_TEST

static const struct {
	const char *text, *message, *hint;
} refused[] = {
	{"{\n\"a\": \"{enviroment}\"}", "t.json:2: '{enviroment}' stands for nothing",
	 "did you mean '{environment}'?"},
	{"{\"a\": \"{zzzzzz}\"}", "t.json:1: '{zzzzzz}' stands for nothing",
	 "there are {text}, {environment}, {next}, {who}"},
	{"{\"a\": \"{who|}\"}", "t.json:1: '|' stands for nothing", "there is {who|slack}"},
	{"{\"a\":\n \"{who|slak}\"}", "t.json:2: '|slak' stands for nothing",
	 "there is {who|slack}, and {who}"},
	{"{\"a\": {environment}}", "t.json:1: ", "they stand between quotes"},
	{"{\"a\": 1,\n \"b\": }", "t.json:2: ", "a JSON text once its words are replaced"},
	{"", "t.json", "a JSON text"},
	{"{\"a\": 1} trailing", "t.json:1: ", "a JSON text"},
};

START_TEST(what_is_no_template_is_refused)
{
	struct err err = {0};
	struct buf out;

	buf_init(&out, 4096);
	ck_assert_int_eq(template_fill(&out, refused[_i].text, strlen(refused[_i].text), "t.json",
				       words, WORDS, &err),
			 ERR_USAGE);
	ck_assert_msg(!strncmp(err.msg, refused[_i].message, strlen(refused[_i].message)), "%s",
		      err.msg);
	ck_contains(err.hint, refused[_i].hint);
	ck_assert_uint_eq(out.len, 0);
	buf_release(&out);
}
END_TEST

START_TEST(what_grows_too_large_is_said)
{
	struct err err = {0};
	struct buf out;

	buf_init(&out, 30);
	ck_assert_int_eq(template_fill(&out, "\"{text}{text}\"", 14, "t.json", words, WORDS, &err),
			 ERR_FAIL);
	ck_contains(err.msg, "t.json");
	buf_release(&out);
}
END_TEST

Suite *template_suite(void)
{
	Suite *suite = suite_create("template");
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, words_become_their_values, 0,
			    (int)(sizeof(fills) / sizeof(fills[0])));
	tcase_add_loop_test(tcase, what_is_no_template_is_refused, 0,
			    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tcase, what_grows_too_large_is_said);
	suite_add_tcase(suite, tcase);
	return suite;
}
