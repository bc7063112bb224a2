/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a server says of its rules: a rule, a map and a name from the input, judged for two roles.
 * Regular expressions go to the C library, which must neither crash nor take forever.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safety/access.h"

#define FIELDS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lines of the input; those that are missing are empty. */
static void split(const char *fields[FIELDS], char *text)
{
	for (size_t i = 0; i < FIELDS; i++) {
		char *end = strchr(text, '\n');

		fields[i] = text;
		if (end) {
			*end = '\0';
			text = end + 1;
		} else {
			text += strlen(text);
		}
	}
}

static void judge(struct access *access, const char *const fields[FIELDS], struct err *err)
{
	struct access_rule rule = {.file = "",
				   .line = 1,
				   .type = "hostssl",
				   .address = fields[0],
				   .netmask = fields[1],
				   .method = "cert",
				   .options = fields[2]};
	struct access_mapping mapping = {
		.file = "", .line = 1, .map = "m", .system = fields[4], .role = fields[5]};
	struct access_leaf leaf = {fields[6], fields[7]};
	struct access_judgement judgement;
	struct access_report *report = NULL;
	struct strs roles = STRS_INIT;

	for (size_t i = 0; i < 2; i++) {
		if (access_add_rule(access, &rule, err) ||
		    access_add_database(access, i, "all", err) ||
		    access_add_user(access, i, i ? "app" : fields[3], err))
			abort();
	}
	access_names_known(access);
	access_mappings_known(access);
	if (access_add_mapping(access, &mapping, err) ||
	    access_add_role(access, "app", false, err) ||
	    access_add_role(access, fields[6], true, err) ||
	    access_add_member(access, "g", "app", err) || access_finish(access, err) ||
	    access_judge(&judgement, access, "app", &leaf, err) ||
	    access_judge(&judgement, access, fields[6], &leaf, err) ||
	    access_report_new(&report, err) ||
	    access_report_add(report, access, "app", NULL, &leaf, err) ||
	    access_roles(&roles, access, "app", &leaf, err))
		abort();
	access_report_free(report);
	strs_release(&roles);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *fields[FIELDS];
	struct access *access = NULL;
	struct err err = {0};
	char *text = strndup((const char *)data, size);

	if (!text)
		return 0;
	split(fields, text);
	if (access_new(&access, "db1", size % 2 ? 150000 : 160000, &err))
		abort();
	judge(access, fields, &err);
	access_free(access);
	free(text);
	return 0;
}
