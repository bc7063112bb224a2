/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whether a user gets in with a certificate, by what a server says of its rules: the rows of
 * pg_hba_file_rules and pg_ident_file_mappings (PostgreSQL 13 to 18; the latter from 15 on). A
 * certificate that verifies is not enough where a rule compares its name: the CN, or with
 * clientname=DN the whole subject in RFC 2253 order, is the role's name or what a map gives to it
 * (PostgreSQL's documentation, "Certificate Authentication" and "User Name Maps"; hba.c).
 *
 * PostgreSQL takes the first rule that matches, and the client's address is not known here: every
 * rule that can match the role counts, but those that an earlier one always hides. The views show
 * the files as they are now; a server that was not reloaded since may have others in memory.
 * They do not tell quoted words from keywords: "all" is taken as the keyword.
 *
 * Pure: no network, no files.
 */
#ifndef SAFETY_ACCESS_H
#define SAFETY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/finding.h"
#include "base/strs.h"
#include "safety/proof.h"

enum access_verdict {
	ACCESS_FITS,	  /* a rule asks for a certificate, and its name is what it asks for */
	ACCESS_NAME,	  /* the name is not what the rules ask for: refused */
	ACCESS_OTHERWISE, /* no rule needs the certificate: a password, or nothing, lets him in */
	ACCESS_NONE,	  /* no rule lets him in over the network */
	ACCESS_UNKNOWN,	  /* see why */
	ACCESS__MAX
};

const char *access_verdict_name(enum access_verdict verdict); /* "fits", "name", … */

struct access;

/* version: as libpq has it, 150004. */
int access_new(struct access **out, const char *server, int version, struct err *err);
void access_free(struct access *access); /* NULL is fine */

/* A row of pg_hba_file_rules; all borrowed, and "" for NULL. */
struct access_rule {
	const char *file; /* "" where the view does not say (before PostgreSQL 16) */
	size_t line;
	const char *type; /* "hostssl" */
	const char *address;
	const char *netmask;
	const char *method;
	const char *options; /* map=, clientcert= and clientname= alone, one a line */
	bool error;	     /* the line could not be read */
};

/* In the view's order. */
int access_add_rule(struct access *access, const struct access_rule *rule, struct err *err);
/* A word of a rule's lists; rule counts from 0. ERR_FAIL where there is no such rule. */
int access_add_database(struct access *access, size_t rule, const char *word, struct err *err);
int access_add_user(struct access *access, size_t rule, const char *word, struct err *err);
/*
 * The view leaves clientname out: it is to be found in the file's text. access_names_known says
 * that the text was read; before that, a rule with a map may compare either. line: where the
 * option stands, a rule's own line or one that continues it.
 */
int access_add_clientname(struct access *access, const char *file, size_t line, const char *name,
			  struct err *err);
void access_names_known(struct access *access);

/* A row of pg_ident_file_mappings. */
struct access_mapping {
	const char *file;
	size_t line;
	const char *map;
	const char *system;
	const char *role; /* pg_username */
	bool error;
};

int access_add_mapping(struct access *access, const struct access_mapping *mapping,
		       struct err *err);
void access_mappings_known(struct access *access);

/* A role that may log in; the others are nobody's user. */
int access_add_role(struct access *access, const char *name, bool replication, struct err *err);
int access_add_member(struct access *access, const char *role, const char *member, struct err *err);

/* All is added: from here on it is only read. */
int access_finish(struct access *access, struct err *err);

const char *access_server(const struct access *access);
/* Why nothing can be said of this server, as a sentence; NULL where it can. */
const char *access_problem(const struct access *access);
bool access_has_role(const struct access *access, const char *role);

/* What PostgreSQL compares. */
struct access_leaf {
	const char *cn; /* the first one; "" for none */
	const char *dn; /* cert_dn() */
};

struct access_judgement {
	enum access_verdict verdict;
	char why[768]; /* one sentence without the server's name: the rule's place, the map */
};

int access_judge(struct access_judgement *out, const struct access *access, const char *role,
		 const struct access_leaf *leaf, struct err *err);

/*
 * The roles of the server that a leaf can be meant for: the user's own name, and those that maps
 * give to it. Added to out.
 */
int access_roles(struct strs *out, const struct access *access, const char *user,
		 const struct access_leaf *leaf, struct err *err);

/*
 * Whether users log in with SCRAM over TLS. scram_passwords: whether passwords are stored as
 * SCRAM verifiers, which decides for the method md5.
 */
enum proof_scram access_scram(const struct access *access, enum proof_scram scram_passwords);

/* Old and new leaves of all users, held against all servers. */
struct access_report;

int access_report_new(struct access_report **out, struct err *err);
void access_report_free(struct access_report *report); /* NULL is fine */
/* old may be NULL: a new user. */
int access_report_add(struct access_report *report, const struct access *access, const char *user,
		      const struct access_leaf *old, const struct access_leaf *newer,
		      struct err *err);
/*
 * "client-mapping", subject "client USER": a block where the old leaf fits a rule and the new one
 * does not; a warning where neither gets in, or a new user does not. Subject "server NAME", for
 * information: where it cannot be known.
 */
int access_report_findings(struct findings *out, const struct access_report *report,
			   struct err *err);
/* How often the new leaf got that verdict, by the role that is the user's name or by a map. */
size_t access_report_count(const struct access_report *report, enum access_verdict verdict);

#endif
