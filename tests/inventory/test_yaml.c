/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "inventory/yaml.h"
#include "tests/inventory/suites.h"

START_TEST(plain_types_are_those_of_yaml_1_1)
{
	static const struct {
		const char *text;
		enum yaml_type type;
	} rows[] = {
		{"", YAML_TYPE_NULL},
		{"~", YAML_TYPE_NULL},
		{"null", YAML_TYPE_NULL},
		{"nUll", YAML_TYPE_STR},
		{"yes", YAML_TYPE_BOOL},
		{"Off", YAML_TYPE_BOOL},
		{"y", YAML_TYPE_STR},
		{"TRUE", YAML_TYPE_BOOL},
		{"0", YAML_TYPE_INT},
		{"-12_0", YAML_TYPE_INT},
		{"012", YAML_TYPE_INT},
		{"08", YAML_TYPE_STR},
		{"0x1F", YAML_TYPE_INT},
		{"0b11", YAML_TYPE_INT},
		{"1:30", YAML_TYPE_INT},
		{"1:60", YAML_TYPE_STR},
		{"1.5", YAML_TYPE_FLOAT},
		{"1e3", YAML_TYPE_STR},
		{"1.0e+3", YAML_TYPE_FLOAT},
		{".5", YAML_TYPE_FLOAT},
		{"-.inf", YAML_TYPE_FLOAT},
		{".nan", YAML_TYPE_FLOAT},
		{"1:30.5", YAML_TYPE_FLOAT},
		{"2026-11-21", YAML_TYPE_OTHER},
		{"2026-11-21T01:30:00Z", YAML_TYPE_OTHER},
		{"<<", YAML_TYPE_OTHER},
		{"10.0.4.42", YAML_TYPE_STR},
		{"db1", YAML_TYPE_STR},
		{"+", YAML_TYPE_STR},
		{".", YAML_TYPE_STR},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(yaml_plain_type(rows[i].text, strlen(rows[i].text)) == rows[i].type,
			      "'%s'", rows[i].text);
}
END_TEST

Suite *yaml_suite(void)
{
	Suite *suite = suite_create("yaml");
	TCase *tc = tcase_create("yaml");

	tcase_add_test(tc, plain_types_are_those_of_yaml_1_1);
	suite_add_tcase(suite, tc);
	return suite;
}
