/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "cmd/wrap.h"
#include "tests/cmd/suites.h"

static const struct {
	const char *text;
	size_t width, indent;
	const char *wrapped;
} cases[] = {
	/* as it is */
	{"", 40, 2, ""},
	{"one two\n", 40, 2, "one two\n"},
	{"a line that no terminal ever sees\n", 0, 2, "a line that no terminal ever sees\n"},
	{"a terminal that is hardly one at all\n", 12, 2, "a terminal that is hardly one at all\n"},
	/* exactly as wide as the terminal, and one more */
	{"1234567890 1234567890 12\n", 24, 2, "1234567890 1234567890 12\n"},
	{"1234567890 1234567890 123\n", 24, 2, "1234567890 1234567890\n  123\n"},
	/* again below the indentation, which counts */
	{"1234567890 1234567890 1234567890 1234567890 12\n", 24, 4,
	 "1234567890 1234567890\n    1234567890\n    1234567890 12\n"},
	/* a word of its own width stays whole, whether it is the first or not */
	{"123456789012345678901234567890 12\n", 24, 2, "123456789012345678901234567890\n  12\n"},
	{"12 123456789012345678901234567890\n", 24, 2, "12\n  123456789012345678901234567890\n"},
	{"    123456789012345678901234567890\n", 24, 2, "    123456789012345678901234567890\n"},
	/* columns keep their spaces */
	{"name      value\n", 40, 10, "name      value\n"},
	/* every line for itself */
	{"1234567890 1234567890 123\nshort\n", 24, 2, "1234567890 1234567890\n  123\nshort\n"},
	/* colours take no room, characters of several bytes one column */
	{"\033[1m1234567890\033[0m 1234567890 12", 24, 2, "\033[1m1234567890\033[0m 1234567890 12"},
	{"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 1234567890 12345678", 24, 2,
	 "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 1234567890 12345678"},
	/* spaces at the end are no reason to break */
	{"1234567890 1234567890 12   ", 24, 2, "1234567890 1234567890 12   "},
};

START_TEST(lines_break_between_words)
{
	struct buf out;

	buf_init(&out, BUF_TEXT_MAX);
	wrap_add(&out, cases[_i].text, cases[_i].width, cases[_i].indent);
	ck_assert_str_eq(out.data, cases[_i].wrapped);
	buf_release(&out);
}
END_TEST

START_TEST(colours_are_known_from_other_sequences)
{
	ck_assert_uint_eq(wrap_color_len("\033[31mred"), 5);
	ck_assert_uint_eq(wrap_color_len("\033[1;31mred"), 7);
	ck_assert_uint_eq(wrap_color_len("\033[m"), 3);
	ck_assert_uint_eq(wrap_color_len("\033[2J"), 0);
	ck_assert_uint_eq(wrap_color_len("\033]0;title\a"), 0);
	ck_assert_uint_eq(wrap_color_len("\033[31"), 0);
	ck_assert_uint_eq(wrap_color_len("\033"), 0);
	ck_assert_uint_eq(wrap_color_len("m"), 0);
	ck_assert_uint_eq(wrap_color_len(""), 0);
}
END_TEST

Suite *wrap_suite(void)
{
	Suite *suite = suite_create("wrap");
	TCase *tc = tcase_create("wrap");

	tcase_add_loop_test(tc, lines_break_between_words, 0,
			    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, colours_are_known_from_other_sequences);
	suite_add_tcase(suite, tc);
	return suite;
}
