/* SPDX-License-Identifier: PostgreSQL */
/* What the parts of lib/net/pg share; nothing outside lib/net/pg*.c includes it. */
#ifndef NET_PG_IMPL_H
#define NET_PG_IMPL_H

#include "net/pg.h"

#define PG_PATH_SIZE	 40
#define PG_LABEL_SIZE	 700
#define PG_FILES_OF_ITEM 3

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

#endif
