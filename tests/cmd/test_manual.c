/* SPDX-License-Identifier: PostgreSQL */
/* certrotate.yml(5) against the format itself: every key with its type and default, and no other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/strs.h"
#include "inventory/config.h"
#include "tests/cmd/suites.h"

#define MANUAL	  "man/certrotate.yml.5"
#define KEY_MACRO "\n.It Va "

static char *manual;
static struct config_key_list keys;

static void load(void)
{
	struct err err = {0};

	/* make runs the suites in the root of the source. */
	ck_assert_msg(file_exists(MANUAL), "run this in the root of the source: no " MANUAL);
	manual = test_read(MANUAL, NULL);
	ck_ok(config_keys(&keys, &err), &err);
	ck_assert_uint_gt(keys.count, 50);
}

static void unload(void)
{
	config_keys_release(&keys);
	free(manual);
}

/* ".It Va PATH Pq TYPE, default: Li VALUE" as the page has to have it; the rest of its line. */
static char *entry_of(const char *path)
{
	char *start = str_fmt(KEY_MACRO "%s ", path);
	const char *at = strstr(manual, start);
	char *entry;

	ck_assert_msg(at != NULL, MANUAL " has no entry for %s", path);
	at += strlen(start);
	entry = strndup(at, strcspn(at, "\n"));
	free(start);
	return entry;
}

START_TEST(every_key_is_there_with_type_and_default)
{
	for (size_t i = 0; i < keys.count; i++) {
		const struct config_key *key = &keys.items[i];
		char *entry = entry_of(key->path);
		char *head = str_fmt("Pq %s", key->type);
		char *fallback = str_fmt(", default: Li %s", key->fallback);
		size_t len = strlen(head);

		ck_assert_msg(!strncmp(entry, head, len) && (!entry[len] || entry[len] == ','),
			      "%s: '%s' in the manual, its type is '%s'", key->path, entry,
			      key->type);
		if (key->fallback[0])
			ck_assert_msg(!strcmp(entry + len, fallback),
				      "%s: '%s' in the manual, its default is '%s'", key->path,
				      entry, key->fallback);
		else
			ck_assert_msg(!entry[len] || !strcmp(entry + len, ", required"),
				      "%s: '%s' in the manual, it has no default", key->path,
				      entry);
		free(fallback);
		free(head);
		free(entry);
	}
}
END_TEST

START_TEST(no_other_key_is_there)
{
	size_t found = 0;

	for (const char *at = strstr(manual, KEY_MACRO); at; at = strstr(at, KEY_MACRO)) {
		size_t len, i = 0;

		at += strlen(KEY_MACRO);
		len = strcspn(at, " \n");
		while (i < keys.count && (strlen(keys.items[i].path) != len ||
					  strncmp(keys.items[i].path, at, len) != 0))
			i++;
		ck_assert_msg(i < keys.count, MANUAL " has %.*s, which does not exist", (int)len,
			      at);
		found++;
		at--;
	}
	ck_assert_uint_eq(found, keys.count);
}
END_TEST

Suite *manual_suite(void)
{
	Suite *suite = suite_create("manual");
	TCase *tc = tcase_create("manual");

	tcase_add_checked_fixture(tc, load, unload);
	tcase_add_test(tc, every_key_is_there_with_type_and_default);
	tcase_add_test(tc, no_other_key_is_there);
	suite_add_tcase(suite, tc);
	return suite;
}
