/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
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
		ck_assert_msg(yaml_plain_type(rows[i].text) == rows[i].type, "'%s'", rows[i].text);
}
END_TEST

static struct yaml *parse(const char *text)
{
	struct err err = {0};
	struct yaml *yaml = NULL;

	ck_ok(yaml_parse(&yaml, text, strlen(text), "t.yml", NULL, &err), &err);
	return yaml;
}

START_TEST(what_cannot_be_read_is_named)
{
	static const struct {
		const char *text;
		size_t len; /* 0: strlen */
		const char *message;
	} rows[] = {
		{"a: 1\nb:\n  c: 1\n  c: 2\n", 0,
		 "t.yml:4: b.c: the key stands here twice, first in line 3"},
		{"\"a\": 1\na: 2\n", 0, "t.yml:2: a: the key stands here twice, first in line 1"},
		{"{a: 1, a: 2}", 0, "t.yml:1: a: the key stands here twice, first in line 1"},
		{"a: 1\n---\nb: 1\n", 0, "t.yml:2: a second document begins; one file holds one"},
		{"a: 1\n...\n%YAML 1.1\n---\n", 0,
		 "t.yml:3: a second document begins; one file holds one"},
		{"a:\n\tb: 1\n", 0, "t.yml:2: a: found character that cannot start any token"},
		{"a: b: c\n", 0, "t.yml:1: mapping values are not allowed in this context"},
		{"a:\n  b: 1\n c: 2\n", 0, "t.yml:3: did not find expected key"},
		{"a: [1, 2\n", 0, "t.yml:2: a: did not find expected ',' or ']'"},
		{"a: \"x\n", 0, "t.yml:2: a: found unexpected end of stream"},
		{"x: 1\na: \xff\n", 0, "t.yml:2: invalid leading UTF-8 octet"},
		{"x: 1\ny: \xc3", 0, "t.yml:2: incomplete UTF-8 octet sequence"},
		{"\xef\xbb\xbfx: 1\ny: \xc3\x28", 0, "t.yml:2: invalid trailing UTF-8 octet"},
		{"x: \x01\n", 0, "t.yml:1: control characters are not allowed"},
		{"a: 1\nb: \0\n", 10, "t.yml:2: control characters are not allowed"},
		{"\xff\xfe"
		 "a\0",
		 4, "t.yml:1: is UTF-16; only UTF-8 is read"},
		{"\0a\0:", 4, "t.yml:1: is UTF-16; only UTF-8 is read"},
		{"a\0:\0", 4, "t.yml:1: is UTF-16; only UTF-8 is read"},
		{"[a]: 1\n", 0, "t.yml:1: a key that is not a text"},
		{"*a : 1\n", 0, "t.yml:1: a key that is not a text"},
		{"a: !x!y z\n", 0, "t.yml:1: a: found undefined tag handle"},
		{"%YAML 1.3\n---\na: 1\n", 0, "t.yml:1: found incompatible YAML document"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = rows[i].len ? rows[i].len : strlen(rows[i].text);
		struct err err = {0};
		struct yaml *yaml = NULL;

		ck_assert_msg(yaml_parse(&yaml, rows[i].text, len, "t.yml", NULL, &err) == ERR_FAIL,
			      "row %zu", i);
		ck_assert_str_eq(err.msg, rows[i].message);
		ck_assert_ptr_null(yaml);
	}
}
END_TEST

START_TEST(depth_is_bounded)
{
	struct err err = {0};
	struct yaml *yaml = NULL;
	char text[2 * YAML_DEPTH_MAX + 3] = "";

	memset(text, '[', YAML_DEPTH_MAX);
	memset(text + YAML_DEPTH_MAX, ']', YAML_DEPTH_MAX);
	ck_ok(yaml_parse(&yaml, text, strlen(text), "t.yml", NULL, &err), &err);
	yaml_drop(yaml);
	memset(text, '[', YAML_DEPTH_MAX + 1);
	memset(text + YAML_DEPTH_MAX + 1, ']', YAML_DEPTH_MAX + 1);
	ck_assert_int_eq(yaml_parse(&yaml, text, strlen(text), "t.yml", NULL, &err), ERR_FAIL);
	ck_contains(err.msg, "nested deeper than 64 levels");
	memset(text, '[', sizeof(text) - 1);
	ck_assert_int_eq(yaml_parse(&yaml, text, sizeof(text) - 1, "t.yml", NULL, &err), ERR_FAIL);
	ck_contains(err.msg, "nested deeper than 64 levels");
}
END_TEST

START_TEST(ranges_are_the_bytes_of_the_value)
{
	/* The value at v, what stands at [start, end), and where its content begins in there. */
	static const struct {
		const char *text;
		const char *range;
		size_t content;
		const char *value;
	} rows[] = {
		{"v: x # c\n", "x", 0, "x"},
		{"v:\nw: 1\n", "", 0, ""},
		{"é: ü\nv: \"a\\n\" # c\n", "\"a\\n\"", 0, "a\n"},
		{"\xef\xbb\xbf# é\nv: 'x''y'\n", "'x''y'", 0, "x'y"},
		{"v: |\n  a\n  b\n\n# c\nw: 1\n", "|\n  a\n  b", 0, "a\nb\n"},
		{"v: | # c\n  a\n\n \nw: 1\n", "| # c\n  a", 0, "a\n"},
		{"v: |\n  a\n  \n   \nw: 1\n", "|\n  a\n  \n   ", 0, "a\n\n \n"},
		{"v: |-\n  a\n\nw: 1\n", "|-\n  a", 0, "a"},
		{"v: |+\n  a\n\n\nw: 1\n", "|+\n  a\n\n", 0, "a\n\n\n"},
		{"v: |+\n  a", "|+\n  a", 0, "a"},
		{"v: |\n  a", "|\n  a", 0, "a"},
		{"v: |\r\n  a\r\n\r\nw: 1\r\n", "|\r\n  a", 0, "a\n"},
		{"v: |2-\n    a\n\n", "|2-\n    a", 0, "  a"},
		{"v: |\nw: 1\n", "|", 0, ""},
		{"v: |\n\n\nw: 1\n", "|", 0, ""},
		{"v: |+\n\n\nw: 1\n", "|+\n\n", 0, "\n\n"},
		{"v: >-\n  a\n  b\n", ">-\n  a\n  b", 0, "a b"},
		{"v: !vault |\n  a\nw: 1\n", "!vault |\n  a", 7, "a\n"},
		{"v: &x !!str # c\n  \"é\" # d\n", "&x !!str # c\n  \"é\"", 15, "é"},
		{"v: !!str\nw: 1\n", "!!str", 5, ""},
		{"v:\n  |\n  é\n  b\n", "|\n  é\n  b", 0, "é\nb\n"},
		{"{w: 1, v: [a, b] , x: 2}", "[a, b]", 0, NULL},
		{"{v: !!str , x: 2}", "!!str", 5, ""},
		{"v:\n  a: 1\n  b: 2 # c\n\nw: 1\n", "a: 1\n  b: 2", 0, NULL},
		{"v:\n- a\n- |\n b\n\nw: 1\n", "- a\n- |\n b", 0, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct yaml *yaml = parse(rows[i].text);
		const struct yaml_node *node = yaml_get(yaml, yaml_root(yaml), "v");
		char range[200];

		ck_assert_ptr_nonnull(node);
		(void)snprintf(range, sizeof(range), "%.*s", (int)(node->end - node->start),
			       rows[i].text + node->start);
		ck_assert_str_eq(range, rows[i].range);
		ck_assert_msg(node->content - node->start == rows[i].content, "row %zu: %zu", i,
			      node->content - node->start);
		if (rows[i].value)
			ck_assert_str_eq(node->value, rows[i].value);
		yaml_drop(yaml);
	}
}
END_TEST

START_TEST(nodes_are_found_in_their_order)
{
	static const char text[] = "b: 1\na: [x, {k: 0x10, n: ~}]\n\"on\": yes\nt: on\n"
				   "c: !!str 12\nd: -1_000\ne: 012\nf: 99999999999999999999\n";
	struct yaml *yaml = parse(text);
	const struct yaml_node *root = yaml_root(yaml);
	const struct yaml_node *deep = yaml_get(yaml, root, "a")->last;
	char path[40];
	int64_t number = 0;
	bool flag = false;

	ck_assert_str_eq(root->first->key->value, "b");
	ck_assert_str_eq(root->first->next->key->value, "a");
	ck_assert_uint_eq(root->count, 8);
	ck_assert_ptr_null(yaml_get(yaml, root, "x"));
	ck_assert_ptr_null(yaml_get(yaml, deep->parent, "k"));
	ck_assert_ptr_null(yaml_at(yaml, root, "b", "c", NULL));
	ck_assert(yaml_int(yaml_at(yaml, deep, "k", NULL), &number));
	ck_assert_int_eq(number, 16);
	ck_assert(yaml_is_null(yaml_get(yaml, deep, "n")));
	yaml_path(yaml_get(yaml, deep, "n"), path, sizeof(path));
	ck_assert_str_eq(path, "a[1].n");
	ck_assert(yaml_bool(yaml_get(yaml, root, "on"), &flag) && flag);
	ck_assert(!yaml_bool(yaml_get(yaml, root, "b"), &flag));
	ck_assert_int_eq(yaml_type(yaml_get(yaml, root, "c")), YAML_TYPE_STR);
	ck_assert(yaml_int(yaml_get(yaml, root, "d"), &number));
	ck_assert_int_eq(number, -1000);
	ck_assert(yaml_int(yaml_get(yaml, root, "e"), &number));
	ck_assert_int_eq(number, 10);
	ck_assert(!yaml_int(yaml_get(yaml, root, "f"), &number));
	yaml_drop(yaml);
}
END_TEST

START_TEST(empty_texts_have_no_root)
{
	static const char *const texts[] = {"", "# c\n", "\xef\xbb\xbf", "\n\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct yaml *yaml = parse(texts[i]);

		ck_assert_ptr_null(yaml_root(yaml));
		ck_assert_ptr_null(yaml_get(yaml, yaml_root(yaml), "a"));
		yaml_drop(yaml);
	}
}
END_TEST

START_TEST(aliases_are_refused_where_asked)
{
	static const struct {
		const char *text;
		const char *message;
	} rows[] = {
		{"x: &a 1\nv: *a\n", "t.yml:2: v: an alias (*) can't be used here"},
		{"v:\n  w: &a 1\n", "t.yml:2: v.w: an anchor (&) can't be used here"},
		{"v:\n  &a w: 1\n", "t.yml:2: v.w: an anchor (&) can't be used here"},
		{"v: &a {}\n", "t.yml:1: v: an anchor (&) can't be used here"},
		{"x: &a {}\nv:\n  - <<: *a\n",
		 "t.yml:3: v[0].<<: a merge key (<<) can't be used here"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct yaml *yaml = parse(rows[i].text);
		struct err err = {0};

		ck_assert_int_eq(
			yaml_refuse_aliases(yaml, yaml_get(yaml, yaml_root(yaml), "v"), &err),
			ERR_FAIL);
		ck_assert_str_eq(err.msg, rows[i].message);
		ck_assert_str_ne(err.hint, "");
		yaml_drop(yaml);
	}
}
END_TEST

START_TEST(values_live_in_the_arena)
{
	static const char text[] = "private_keys:\n  server:\n    db1: |\n      secret\n";
	struct arena *arena = arena_new(1000);
	struct arena *small = arena_new(40);
	struct err err = {0};
	struct yaml *yaml = NULL;

	ck_ok(yaml_parse(&yaml, text, sizeof(text) - 1, "t.yml", arena, &err), &err);
	ck_assert_str_eq(
		yaml_at(yaml, yaml_root(yaml), "private_keys", "server", "db1", NULL)->value,
		"secret\n");
	yaml_drop(yaml);
	ck_assert_int_eq(yaml_parse(&yaml, text, sizeof(text) - 1, "t.yml", small, &err),
			 ERR_MACHINE);
	ck_assert_ptr_null(yaml);
	arena_free(arena);
	arena_free(small);
}
END_TEST

Suite *yaml_suite(void)
{
	Suite *suite = suite_create("yaml");
	TCase *tc = tcase_create("yaml");

	tcase_add_test(tc, plain_types_are_those_of_yaml_1_1);
	tcase_add_test(tc, what_cannot_be_read_is_named);
	tcase_add_test(tc, depth_is_bounded);
	tcase_add_test(tc, ranges_are_the_bytes_of_the_value);
	tcase_add_test(tc, nodes_are_found_in_their_order);
	tcase_add_test(tc, empty_texts_have_no_root);
	tcase_add_test(tc, aliases_are_refused_where_asked);
	tcase_add_test(tc, values_live_in_the_arena);
	suite_add_tcase(suite, tc);
	return suite;
}
