/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "cmd/census_view.h"
#include "tests/cmd/suites.h"

#define NOW  INT64_C(1795250000)
#define HOUR INT64_C(3600)
#define DAY  (24 * HOUR)

static struct err err;
static struct census census;

static void setup(void)
{
	census = (struct census)CENSUS_INIT;
}

static void teardown(void)
{
	census_release(&census);
}

/* A record of samples with so many sessions of two generations. */
static void read_record(const char *samples)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "{\"version\": 1, \"texts\": [\"g1\", \"g2\"], \"samples\": [%s],"
		       " \"sightings\": []}",
		       samples);
	ck_ok(census_parse(&census, text, strlen(text), "census.json", &err), &err);
}

START_TEST(status_has_no_line_without_a_sample)
{
	char text[256];

	census_summary(text, sizeof(text), &census, NOW);
	ck_assert_str_eq(text, "");
	ck_assert_ptr_null(census_summary_json(&census, NOW));
}
END_TEST

static const struct {
	const char *samples, *summary;
} summaries[] = {
	{"[1795246400,1,1,12,30,0,0,0,[[0,12],[1,30]],[]]", "g1 12, g2 30 (60 min ago)"},
	{"[1795246400,1,1,0,0,0,0,0,[],[]]", "nobody (60 min ago)"},
	{"[1795246400,1,1,0,3,1,2,4,[[1,3]],[]]",
	 "g2 3, unknown 1, without certificate 2, local 4 (60 min ago)"},
	/* compared with a day before the last one */
	{"[1795000000,1,1,99,0,0,0,0,[[0,99]],[]],[1795163600,1,1,40,0,0,0,0,[[0,40]],[]],"
	 "[1795240000,1,1,20,0,0,0,0,[[0,20]],[]],[1795250000,1,1,12,30,0,0,0,[[0,12],[1,30]],[]]",
	 "g1 12, g2 30 (0 s ago; 24 h ago: g1 40, g2 0)"},
	/* who has gone, and nothing that stayed */
	{"[1795163600,1,1,40,5,0,0,0,[[0,40],[1,5]],[]],[1795250000,1,1,0,5,0,0,0,[[1,5]],[]]",
	 "g2 5 (0 s ago; 24 h ago: g1 40)"},
	{"[1795163600,1,1,0,5,0,0,0,[[1,5]],[]],[1795250000,1,1,0,5,0,0,0,[[1,5]],[]]",
	 "g2 5 (0 s ago)"},
	/* a young record: with its first */
	{"[1795249880,1,1,2,0,0,0,0,[[0,2]],[]],[1795250000,1,1,1,0,0,0,0,[[0,1]],[]]",
	 "g1 1 (0 s ago; 2 min ago: g1 2)"},
};

START_TEST(status_tells_the_last_sample_and_the_trend)
{
	char text[256];

	read_record(summaries[_i].samples);
	census_summary(text, sizeof(text), &census, NOW);
	ck_assert_str_eq(text, summaries[_i].summary);
}
END_TEST

START_TEST(the_documents_trend_is_one_sample_an_hour_of_a_day)
{
	const struct json *trend;
	struct json *object;

	read_record("[1795000000,1,1,9,0,0,0,0,[[0,9]],[]],[1795240000,1,1,8,0,0,0,0,[[0,8]],[]],"
		    "[1795240060,2,1,7,0,0,0,0,[[0,7]],[]],[1795250000,1,1,6,0,0,0,0,[[0,6]],[]]");
	object = census_summary_json(&census, NOW);
	ck_assert_ptr_nonnull(object);
	trend = js_get(object, "trend");
	ck_assert_int_eq(js_int(js_get(object, "generations"), "g1", 0), 6);
	ck_assert_uint_eq(js_count(trend), 2);
	ck_assert_int_eq(js_int(js_get(js_at(trend, 0), "generations"), "g1", 0), 7);
	ck_assert_int_eq(js_int(js_at(trend, 0), "answered", 0), 1);
	js_free(object);
}
END_TEST

START_TEST(ages_are_short)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} ages[] = {{0, "0 s"},		 {59, "59 s"},	{60, "1 min"},
		    {7199, "119 min"},	 {7200, "2 h"}, {DAY, "24 h"},
		    {DAY * 2, "2 days"}, {-5, "0 s"},	{DAY * 9, "9 days"}};
	char text[32];

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		census_age(text, sizeof(text), ages[i].seconds);
		ck_assert_str_eq(text, ages[i].text);
	}
}
END_TEST

Suite *census_suite(void)
{
	Suite *suite = suite_create("census");
	TCase *tcase = tcase_create("summary");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, status_has_no_line_without_a_sample);
	tcase_add_loop_test(tcase, status_tells_the_last_sample_and_the_trend, 0,
			    sizeof(summaries) / sizeof(summaries[0]));
	tcase_add_test(tcase, the_documents_trend_is_one_sample_an_hour_of_a_day);
	tcase_add_test(tcase, ages_are_short);
	suite_add_tcase(suite, tcase);
	return suite;
}
