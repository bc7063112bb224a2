/* SPDX-License-Identifier: PostgreSQL */
/* What the files of access share; not for others. */
#ifndef SAFETY_ACCESS_INTERNAL_H
#define SAFETY_ACCESS_INTERNAL_H

#include <regex.h>
#include "safety/access.h"

#define ACCESS_NOWHERE ((size_t)-1) /* the end of a chain of links */

enum tri { TRI_NO, TRI_YES, TRI_MAYBE };

/*
 * A regular expression of PostgreSQL (Tcl's advanced ones) as far as POSIX can do it: usable is
 * false for what it cannot (look-ahead, non-greedy, back references, embedded options).
 */
struct access_regex {
	regex_t re;
	bool usable;
	size_t group; /* the first that captures; 0: none */
};

int access_regex_init(struct access_regex *out, const char *pattern, struct err *err);
void access_regex_release(struct access_regex *regex);
/*
 * Whether it is found in text. capture may be NULL; else it gets the first group (free() it), or
 * NULL where the match has none.
 */
int access_regex_match(enum tri *out, char **capture, const struct access_regex *regex,
		       const char *text, struct err *err);

enum access_type { TYPE_OTHER, TYPE_HOST, TYPE_HOSTSSL, TYPE_HOSTNOSSL };
enum access_way { WAY_OPEN, WAY_REJECT, WAY_CERTIFICATE, WAY_NAME };
enum access_field { FIELD_CN, FIELD_DN, FIELD_EITHER };

struct access_net {
	enum { NET_OTHER, NET_ALL, NET_V4, NET_V6 } kind;
	unsigned char address[16];
	unsigned char mask[16];
	int prefix; /* the mask's length in bits; -1 where it has none */
};

/* A word of the users' list that is no plain name. */
struct access_word {
	char *text; /* "+group", "/regex" */
	struct access_regex regex;
};

struct rule {
	char *file;
	size_t line;
	char *address;
	char *netmask;
	char *method;
	char *map;  /* NULL: none */
	char *text; /* "hostssl all app 10.0.0.0/8 cert map=m", for messages */
	const char *type_name;
	enum access_type type;
	enum access_way way;
	enum access_field field;
	bool error;
	struct access_net net;
	struct strs databases;
	bool every_database;
	bool replication;
	struct strs users; /* those named, up to a few: for the text */
	size_t user_count;
	bool every_user;
	struct access_word *words;
	size_t word_count;
	bool hidden; /* by an earlier rule that takes every user */
};

struct mapping {
	char *file;
	size_t line;
	char *map;
	char *system;
	char *role;
	bool system_regex;
	bool special;			/* not two plain names */
	struct access_regex regex;	/* of system */
	struct access_regex role_regex; /* of role, from PostgreSQL 16 on */
	bool role_is_regex;
	size_t next_special; /* of the same map */
};

struct link {
	size_t to;
	size_t next;
};

/* From a name to the numbers that belong to it, in the order in which they were added. */
struct chains {
	struct strmap heads;
	struct strmap tails;
	struct link *links;
	size_t count, cap;
};

int chains_add(struct chains *chains, const char *name, size_t to, struct err *err);
size_t chains_first(const struct chains *chains, const char *name);
void chains_release(struct chains *chains);

struct access {
	char *server;
	int version;
	struct rule *rules;
	size_t rule_count, rule_cap;
	struct chains users; /* from a plain name to the rules that name it */
	size_t *wild;	     /* rules that may match users whom they do not name */
	size_t wild_count;
	struct mapping *mappings;
	size_t mapping_count, mapping_cap;
	struct strmap exact;   /* "map\nsystem\nrole" to the first mapping's number */
	struct strmap maps;    /* a map's name to its first special mapping, or ACCESS_NOWHERE */
	struct chains systems; /* a plain system name to its mappings */
	size_t *regexes;       /* mappings whose system name is one */
	size_t regex_count;
	struct strs groups;    /* by number */
	struct chains members; /* a member to the numbers of its groups */
	struct strmap roles;   /* 1: may replicate */
	char *problem;
	bool names_known;
	bool mappings_known;
	size_t broken_mapping; /* its line; 0: none */
};

/* Whether the rule is hidden from the role by an earlier one. */
bool access_covers(const struct rule *earlier, const struct rule *later);
void access_net_read(struct access_net *out, const char *address, const char *netmask);
bool access_net_local(const struct access_net *net); /* the loopback interface alone */

/* What a rule says to a role with a leaf. */
enum outcome {
	OUTCOME_NOT_HIS, /* it does not match him, or never comes to him */
	OUTCOME_FITS,
	OUTCOME_NAME,
	OUTCOME_OPEN,
	OUTCOME_OPEN_LOCALLY, /* from the server's own host alone */
	OUTCOME_REJECT,
	OUTCOME_UNKNOWN,
	OUTCOME__MAX
};

/* Those that can concern a role, each once, in the file's order. free() *out. */
int access_candidates(size_t **out, size_t *count, const struct access *access, const char *role,
		      struct err *err);
int access_rule_outcome(enum outcome *out, const struct access *access, const struct rule *rule,
			const char *role, const struct access_leaf *leaf, struct err *err);
int access_member(enum tri *out, const struct access *access, const char *role, const char *group,
		  struct err *err);
/* Whether the map gives the role to a name that a certificate has. map may be NULL: the name. */
int access_map(enum tri *out, const struct access *access, const char *map, const char *role,
	       const char *identity, struct err *err);
/* "pg_hba.conf line 12 (hostssl all app 10.0.0.0/8 cert)" */
char *access_place(const struct rule *rule);

/* The first rule of each outcome, ACCESS_NOWHERE for none. */
struct access_survey {
	size_t first[OUTCOME__MAX];
};

struct access_pair {
	struct access_survey old;
	struct access_survey newer;
	size_t lost; /* the first rule that the old leaf fits and the new one does not */
};

/* old may be NULL. */
int access_compare(struct access_pair *out, const struct access *access, const char *role,
		   const struct access_leaf *old, const struct access_leaf *newer, struct err *err);
enum access_verdict access_survey_verdict(const struct access_survey *survey);
/* What the rule compares: "CN", "DN"; and of a leaf. */
const char *access_field_name(const struct rule *rule);
const char *access_identity(const struct rule *rule, const struct access_leaf *leaf);
/* Why it cannot be said whether a name fits a rule. */
char *access_doubt(const struct access *access, const struct rule *rule);

#endif
