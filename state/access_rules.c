/* SPDX-License-Identifier: PostgreSQL */
/* A server's rules of access, from its answers. */
#include <stdlib.h>
#include <string.h>

#include "state/access_internal.h"

#define CHECK "client-mapping"

const struct pg_rows *access_rows(const struct access_answer *answer, enum question question)
{
	return &answer->rows[question - answer->first];
}

const char *access_text(const struct pg_rows *rows, size_t row, size_t column)
{
	const char *text = pg_cell(rows, row, column);

	return text ? text : "";
}

static size_t number(const struct pg_rows *rows, size_t row, size_t column)
{
	return strtoul(access_text(rows, row, column), NULL, 10);
}

static bool is_true(const struct pg_rows *rows, size_t row, size_t column)
{
	return access_text(rows, row, column)[0] == 't';
}

static int read_rules(struct access *access, const struct access_answer *answer, struct err *err)
{
	const struct pg_rows *rows = access_rows(answer, ASK_RULES);
	int rc = 0;

	for (size_t i = 0; i < rows->rows && !rc; i++) {
		struct access_rule rule = {.file = access_text(rows, i, 0),
					   .line = number(rows, i, 1),
					   .type = access_text(rows, i, 2),
					   .address = access_text(rows, i, 3),
					   .netmask = access_text(rows, i, 4),
					   .method = access_text(rows, i, 5),
					   .options = access_text(rows, i, 6),
					   .error = is_true(rows, i, 7)};

		rc = access_add_rule(access, &rule, err);
	}
	rows = access_rows(answer, ASK_WORDS);
	for (size_t i = 0; i < rows->rows && !rc; i++) {
		size_t rule = number(rows, i, 0);

		if (access_text(rows, i, 1)[0] == 'd')
			rc = access_add_database(access, rule, access_text(rows, i, 2), err);
		else
			rc = access_add_user(access, rule, access_text(rows, i, 2), err);
	}
	rows = access_rows(answer, ASK_CLIENTNAMES);
	for (size_t i = 0; i < rows->rows && !rc; i++) {
		if (!strcmp(access_text(rows, i, 2), "known"))
			access_names_known(access);
		else
			rc = access_add_clientname(access, access_text(rows, i, 0),
						   number(rows, i, 1), access_text(rows, i, 2),
						   err);
	}
	return rc;
}

static int read_mappings(struct access *access, const struct access_answer *answer, struct err *err)
{
	const struct pg_rows *rows = access_rows(answer, ASK_MAPPINGS);
	int rc = 0;

	if (rows->error || rows->cut)
		return 0;
	access_mappings_known(access);
	for (size_t i = 0; i < rows->rows && !rc; i++) {
		struct access_mapping mapping = {.file = access_text(rows, i, 0),
						 .line = number(rows, i, 1),
						 .map = access_text(rows, i, 2),
						 .system = access_text(rows, i, 3),
						 .role = access_text(rows, i, 4),
						 .error = is_true(rows, i, 5)};

		rc = access_add_mapping(access, &mapping, err);
	}
	return rc;
}

static int read_roles(struct access *access, const struct access_answer *answer, struct err *err)
{
	const struct pg_rows *rows = access_rows(answer, ASK_ROLES);
	int rc = 0;

	for (size_t i = 0; i < rows->rows && !rc; i++)
		rc = access_add_role(access, access_text(rows, i, 0), is_true(rows, i, 1), err);
	rows = access_rows(answer, ASK_MEMBERS);
	for (size_t i = 0; i < rows->rows && !rc; i++)
		rc = access_add_member(access, access_text(rows, i, 0), access_text(rows, i, 1),
				       err);
	return rc;
}

/* Whether what nothing can be said without is there; a note where it is not. */
static int check_rows(bool *good, struct access_notes *notes, const struct access_answer *answer,
		      struct err *err)
{
	static const enum question needed[] = {ASK_RULES, ASK_WORDS, ASK_ROLES, ASK_MEMBERS};
	int rc = 0;

	*good = true;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) && *good; i++) {
		const struct pg_rows *rows = access_rows(answer, needed[i]);
		bool denied = rows->error && !strcmp(rows->sqlstate, "42501");
		char *grant;

		if (!rows->error && !rows->cut)
			continue;
		*good = false;
		if (!denied) {
			rc = access_note_add(notes, CHECK, rows->error ? rows->error : "cut",
					     answer->server, NULL, err,
					     "whether users get in with their new certificates is "
					     "not known: %s",
					     rows->error ? rows->error
							 : "it has more rules or roles than are "
							   "read");
			continue;
		}
		grant = str_fmt(
			"as a superuser: GRANT SELECT ON pg_hba_file_rules%s TO \"%s\"; and "
			"GRANT EXECUTE on the function of the same name%s (see "
			"certrotate(1), WHAT SERVERS ARE ASKED)",
			answer->version < 150000 ? "" : ", pg_ident_file_mappings", answer->login,
			answer->version < 150000 ? "" : "s");
		rc = grant ? access_note_add(notes, CHECK, "denied", answer->server, grant, err,
					     "whether users get in with their new certificates is "
					     "not known: %s",
					     rows->error)
			   : err_nomem(err);
		free(grant);
	}
	return rc;
}

static enum proof_scram passwords(const struct pg_rows *rows)
{
	if (rows->error || !rows->rows)
		return PROOF_SCRAM_UNKNOWN;
	return number(rows, 0, 0) ? PROOF_SCRAM_USED : PROOF_SCRAM_NOT_USED;
}

/* A server that was reloaded meanwhile is one of which nothing is known, and no reason to stop. */
static int not_read(struct access_notes *notes, const struct access_answer *answer, struct err *err)
{
	err_clear(err);
	return access_note_add(notes, CHECK, "changed", answer->server, "type the same again", err,
			       "whether users get in with their new certificates is not known: "
			       "its rules changed while they were read");
}

int access_rules_read(struct access **out, enum proof_scram *scram, struct access_notes *notes,
		      const struct access_answer *answer, struct err *err)
{
	struct access *access = NULL;
	bool good;
	int rc = check_rows(&good, notes, answer, err);

	*out = NULL;
	*scram = PROOF_SCRAM_UNKNOWN;
	if (rc || !good)
		return rc;
	rc = access_new(&access, answer->server, answer->version, err);
	rc = rc ? rc : read_rules(access, answer, err);
	rc = rc ? rc : read_mappings(access, answer, err);
	rc = rc ? rc : read_roles(access, answer, err);
	rc = rc ? rc : access_finish(access, err);
	if (rc) {
		access_free(access);
		return rc == ERR_FAIL ? not_read(notes, answer, err) : rc;
	}
	*scram = access_scram(access, passwords(access_rows(answer, ASK_SCRAM)));
	*out = access;
	return 0;
}
