/* SPDX-License-Identifier: PostgreSQL */
#include "tests/safety/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/safety/safety_tests.h"

static struct err err;

void rules_add(struct access *access, const char *text, size_t number)
{
	char line[512], *save = NULL, *words[8] = {NULL}, *list = NULL, options[256] = "";
	struct access_rule rule = {.line = number, .file = "", .netmask = "", .options = options};
	size_t count = 0;
	bool dn = false;

	(void)snprintf(line, sizeof(line), "%s", text);
	for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (strchr(word, '=')) {
			if (options[0])
				(void)strncat(options, "\n", sizeof(options) - 1 - strlen(options));
			if (!strcmp(word, "clientname=DN"))
				dn = true; /* the view does not show it */
			else
				(void)strncat(options, word, sizeof(options) - 1 - strlen(options));
		} else {
			ck_assert_uint_lt(count, 8);
			words[count++] = word;
		}
	}
	rule.type = words[0];
	rule.error = !strcmp(words[0], "!");
	rule.address = count > 4 ? words[3] : "";
	if (count > 5)
		rule.netmask = words[4];
	rule.method = rule.error ? "" : words[count - 1];
	ck_ok(access_add_rule(access, &rule, &err), &err);
	for (char *word = strtok_r(words[1], ",", &list); word; word = strtok_r(NULL, ",", &list))
		ck_ok(access_add_database(access, number - 1, word, &err), &err);
	for (char *word = strtok_r(words[2], ",", &list); word; word = strtok_r(NULL, ",", &list))
		ck_ok(access_add_user(access, number - 1, word, &err), &err);
	if (dn)
		ck_ok(access_add_clientname(access, "", number, "DN", &err), &err);
}

void rules_add_mapping(struct access *access, const char *text, size_t number)
{
	const char *first = strchr(text, ' '), *last = strrchr(text, ' ');
	char *map = strndup(text, (size_t)(first - text));
	char *system = strndup(first + 1, (size_t)(last - first - 1));
	struct access_mapping mapping = {.file = "",
					 .line = number,
					 .map = map,
					 .system = system,
					 .role = last + 1,
					 .error = !strcmp(map, "!")};

	ck_ok(access_add_mapping(access, &mapping, &err), &err);
	free(map);
	free(system);
}

struct access *rules_server(int version, const char *rules, const char *maps)
{
	static const char *const roles[] = {"app", "report", "owner", "postgres", "bryanh",
					    "bob", "robert", "ann",   "guest1",	  "Zoë"};
	char *text = strdup(rules), *save = NULL;
	struct access *access;
	size_t number = 0;

	ck_ok(access_new(&access, "db1.example.com", version, &err), &err);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		rules_add(access, line, ++number);
	free(text);
	access_names_known(access);
	if (maps) {
		access_mappings_known(access);
		text = strdup(maps);
		number = 0;
		for (char *line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			rules_add_mapping(access, line, ++number);
		free(text);
	}
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		ck_ok(access_add_role(access, roles[i], false, &err), &err);
	ck_ok(access_add_role(access, "repl", true, &err), &err);
	/* app is in writers, which is in staff */
	ck_ok(access_add_member(access, "writers", "app", &err), &err);
	ck_ok(access_add_member(access, "staff", "writers", &err), &err);
	ck_ok(access_finish(access, &err), &err);
	return access;
}
