/* SPDX-License-Identifier: PostgreSQL */
/* What the parts of lib/net/pg share; nothing outside lib/net/pg*.c includes it. */
#ifndef NET_PG_IMPL_H
#define NET_PG_IMPL_H

#include "net/pg.h"
#include "net/pg_env.h"
#include "net/pg_pq.h"

#define PG_PATH_SIZE	 40
#define PG_LABEL_SIZE	 700
#define PG_FILES_OF_ITEM 3
#define PG_TEXT_MAX	 600 /* of what a server says, in a message */
#define PG_SETUP_SIZE	 160

/*
 * pg_files.c: certificates, keys and bundles as anonymous files. Those that several items share
 * are one file; each is opened when first needed and closed after the last item that needs it.
 */
enum pg_file_kind { PG_FILE_CERT, PG_FILE_KEY, PG_FILE_ROOTS };

struct pg_file {
	struct secret text; /* borrowed */
	int fd;
	size_t users;
};

struct pg_files {
	struct pg_file *items;
	size_t count;
	size_t (*of)[PG_FILES_OF_ITEM]; /* by item; SIZE_MAX: none */
};

int pg_files_init(struct pg_files *files, const struct pg_item *items, size_t count,
		  struct err *err);
void pg_files_release(struct pg_files *files);
/* "/proc/self/fd/N"; a path that leads nowhere where the item has no such file. */
int pg_files_path(struct pg_files *files, size_t item, enum pg_file_kind kind,
		  char out[PG_PATH_SIZE], struct err *err);
void pg_files_done(struct pg_files *files, size_t item);

/* pg_reason.c: what libpq's text (in the C locale, with SQLSTATE) means. */
struct pg_failure {
	const char *text; /* of PQerrorMessage */
	bool tls_up;	  /* the handshake was over on our side */
	bool needs_password;
	bool has_cert;
};

/* Fills outcome, message, alert, sqlstate and server_message. */
int pg_reason(struct pg_result *result, const struct pg_failure *failure, const char *label,
	      struct err *err);

struct pg_run;

struct pg_session {
	struct pg_run *run;
	const struct pq *pq;
	struct pg_session *next;
	size_t item;
	struct pg_result *result;
	const struct resolved_name *name;
	size_t attempt;	      /* index of the address */
	struct pg_conn *conn; /* libpq's PGconn */
	struct loop_fd watch;
	struct loop_timer timer;
	int64_t began, ends;
	bool tls_up;
	bool logged_in;
	size_t query;	  /* under way */
	size_t row_bytes; /* of this query */
	char label[PG_LABEL_SIZE];
};

struct pg_run {
	const struct pq *pq;
	struct loop *loop;
	const struct pg_item *items;
	size_t count, next, running;
	struct pg_options options;
	struct pg_results *out;
	struct resolved resolved;
	struct pg_files files;
	struct pg_env env;
	struct pg_session *sessions, *idle;
	struct loop_stopper stopper;
	bool stopped, starting;
	char setup[PG_SETUP_SIZE];
	int rc; /* the first failure of ours: ends it */
	struct err *err;
};

/* pg.c. The session's result is complete; it must not be touched after. */
void pg_finish(struct pg_session *session);
/* "HOST:PORT (ADDRESS) as USER"; address "" where there is none yet. */
void pg_label(struct pg_session *session, const char *address);
/* Of the first line, and no more than PG_TEXT_MAX. */
size_t pg_line_len(const char *text);
/* The result's outcome, and its message "LABEL: TEXT" (the text's first line, made harmless). */
void pg_say(struct pg_session *session, enum pg_outcome outcome, const char *text);

/* pg_session.c: from the connection to the login. */
void pg_attempt(struct pg_session *session); /* at the address of session->attempt */
void pg_disconnect(struct pg_session *session);
int pg_watch(struct pg_session *session, unsigned events,
	     void (*fn)(struct loop_fd *watch, unsigned events, void *ctx));

/* pg_query.c: the queries of a session that is logged in. */
void pg_send_query(struct pg_session *session);
/* The session is of no more use: what was not answered gets this error. */
void pg_give_up(struct pg_session *session, const char *text);

#endif
