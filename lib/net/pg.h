/* SPDX-License-Identifier: PostgreSQL */
/*
 * Real logins with libpq (sslmode=verify-full), many at once in the event loop, and queries on the
 * same session. Every keyword that matters is set explicitly, and PG* variables and files in the
 * home directory (service, password, CRL, default certificates) have no say. Keys and certificates
 * reach libpq through anonymous files (secret_memfd), never through the file system.
 */
#ifndef NET_PG_H
#define NET_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/strs.h"
#include "net/resolve.h"
#include "proc/loop.h"
#include "secret/arena.h"

#define PG_LIMIT	32 /* where the options have 0 */
#define PG_DEADLINE_MS	15000
#define PG_STATEMENT_MS 10000
#define PG_ROWS_MAX	20000
#define PG_CELL_MAX	8192		  /* bytes; a longer value is cut */
#define PG_RESULT_MAX	((size_t)8 << 20) /* bytes of one query's cells */

/* All is borrowed while pg_logins_run runs. Items that share a pointer share what is made of it. */
struct pg_item {
	const char *name; /* verified against the server certificate; looked up without address */
	const char *address; /* a literal address or a name; NULL or "": name */
	unsigned port;
	const char *user;
	const char *database;	    /* NULL: "postgres" */
	const char *cert_pem;	    /* the client's leaf and what follows it; NULL: none */
	const struct secret *key;   /* PEM, not encrypted; with cert_pem */
	const char *roots_pem;	    /* what the server's certificate is verified against */
	const char *const *queries; /* run after the login, in order; each returns rows */
	size_t query_count;
};

enum pg_outcome {
	PG_ACCEPTED,	   /* logged in; a query may still have failed: see its error */
	PG_REFUSED_TLS,	   /* the server refused our certificate with an alert: see alert */
	PG_REFUSED_SERVER, /* an error of PostgreSQL: the certificate itself was accepted */
	PG_NOT_TRUSTED,	   /* the server's certificate does not lead to roots_pem */
	PG_NAME_MISMATCH,  /* trusted, but made out for another name */
	PG_NO_ADDRESS,
	PG_UNREACHABLE, /* connection refused, no route */
	PG_TIMEOUT,
	PG_NOT_TLS,    /* the server speaks no TLS */
	PG_TLS_FAILED, /* TLS ended for a reason that is not our certificate */
	PG_CLOSED,     /* the connection ended without a word: nothing is known */
	PG_LOCAL,      /* could not be tried: unusable key or certificate, descriptors */
	PG_OUTCOME__MAX
};

struct pg_rows {
	struct strs cells; /* row by row; NULL values are "" */
	size_t columns;
	size_t rows;
	bool cut;    /* there were more rows than PG_ROWS_MAX or PG_RESULT_MAX bytes */
	char *error; /* NULL where the query succeeded */
	char sqlstate[6];
};

struct pg_result {
	size_t item;
	char address[RESOLVE_TEXT_SIZE];
	enum pg_outcome outcome;
	char *message;	    /* for people, names host and port. Never NULL */
	const char *reason; /* the same without host, port and user */
	char alert[48];
	char sqlstate[6];     /* of PG_REFUSED_SERVER */
	char *server_message; /* of PG_REFUSED_SERVER; else NULL */
	int server_version;   /* 150020 */
	struct pg_rows *rows; /* query_count of them where accepted; else NULL */
	size_t row_sets;
	int64_t elapsed_ms;
};

struct pg_results {
	struct pg_result *items; /* one for each item (its first address that answers), in order */
	size_t count;
};

struct pg_options {
	size_t limit;
	int64_t deadline_ms; /* of each item: look-up, login and queries together */
	int64_t statement_ms;
};

/*
 * Logs all of them in, runs their queries, logs out. 0 also where each one failed. ERR_STOPPED on
 * a stop request, ERR_FAIL without memory; then *out is empty. options may be NULL.
 */
int pg_logins_run(struct pg_results *out, struct loop *loop, const struct pg_item *items,
		  size_t count, const struct pg_options *options, struct err *err);
void pg_results_release(struct pg_results *results);
/* NULL where there is no such cell. */
const char *pg_cell(const struct pg_rows *rows, size_t row, size_t column);
const char *pg_outcome_name(enum pg_outcome outcome); /* "accepted", "refused-tls" */

/*
 * The state of a server as one row: give pg_status_query() as a query and read its rows. Works
 * from PostgreSQL 13 on; a role without pg_read_all_stats sees itself alone, so that replicas and
 * streaming may come out as 0 and false for it (full_view says so).
 */
struct pg_status {
	bool in_recovery;
	bool full_view;	       /* the role may see other sessions */
	bool streaming;	       /* a standby: its walreceiver streams */
	char sender_host[256]; /* a standby: where from; "" unknown */
	unsigned replicas;     /* walsenders connected, and of them in state streaming */
	unsigned replicas_streaming;
	/* pg_stat_archiver, which every role may read. */
	int64_t archive_failures;   /* since its statistics began */
	bool archive_fails;	    /* the last try failed: no file was archived since then */
	int64_t archive_failed_ago; /* seconds since the last failure; -1: none */
	char archive_failed_wal[64];
	char client_serial[64]; /* of this session's certificate, decimal; "" without one */
	char tls_version[16];
};

const char *pg_status_query(void);
int pg_status_read(struct pg_status *out, const struct pg_rows *rows, struct err *err);

#endif
