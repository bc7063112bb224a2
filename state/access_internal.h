/* SPDX-License-Identifier: PostgreSQL */
/* What the files of state/access share; not for others. */
#ifndef STATE_ACCESS_INTERNAL_H
#define STATE_ACCESS_INTERNAL_H

#include "net/pg.h"
#include "state/access.h"

/* What is asked of each server, in this order; those about rules, about the login, about clients.
 */
enum question {
	ASK_RULES,
	ASK_WORDS,
	ASK_CLIENTNAMES,
	ASK_MAPPINGS,
	ASK_ROLES,
	ASK_MEMBERS,
	ASK_SCRAM,
	ASK_LOGIN,
	ASK_STANDBY,
	ASK_SUBSCRIPTION_COUNT,
	ASK_SUBSCRIPTIONS,
	ASK_DATABASES,
	ASK_FOREIGN,
	ASK__MAX
};

/* Borrowed constants, ASK__MAX of them. */
const char *const *access_questions(void);

/* The same thing about several servers: one finding. */
struct access_notes {
	struct access_note *items;
	size_t count, cap;
	struct strmap index;
};

/* key: what makes notes the same, with the check. advice may be NULL. check is a constant. */
int access_note_add(struct access_notes *notes, const char *check, const char *key,
		    const char *server, const char *advice, struct err *err, const char *reason,
		    ...) __attribute__((format(printf, 7, 8)));
/* "db1 (database shop)", so that a note tells of databases as of servers; free() it. */
char *access_note_place(const char *server, const char *database);
int access_notes_findings(struct findings *out, const struct access_notes *notes, struct err *err);
void access_notes_release(struct access_notes *notes);

/* One server's answer. */
struct access_answer {
	const char *server;
	const char *login; /* as whom */
	int version;
	const struct pg_rows *rows; /* by question; those before first were not asked */
	enum question first;
};

const struct pg_rows *access_rows(const struct access_answer *answer, enum question question);
/* A cell's text; "" where there is none. */
const char *access_text(const struct pg_rows *rows, size_t row, size_t column);

/* The rules as the answer has them; *out stays NULL (with a note) where they are not shown. */
int access_rules_read(struct access **out, enum proof_scram *scram, struct access_notes *notes,
		      const struct access_answer *answer, struct err *err);

/* Clients among the servers: from the login's database, and from another one. */
int hidden_read(struct hidden_clients *out, struct strs *databases, struct access_notes *notes,
		const struct access_answer *answer, struct err *err);
int hidden_read_foreign(struct hidden_clients *out, struct access_notes *notes, const char *server,
			const char *database, const char *login, const struct pg_rows *rows,
			struct err *err);
int hidden_findings(struct findings *out, const struct hidden_clients *clients, enum phase phase,
		    struct err *err);

#endif
