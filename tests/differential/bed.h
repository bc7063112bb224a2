/* SPDX-License-Identifier: PostgreSQL */
/* The real thing: a PostgreSQL, and logins with libpq. What cannot be tried ends the process. */
#ifndef TESTS_DIFFERENTIAL_BED_H
#define TESTS_DIFFERENTIAL_BED_H

#include <stdbool.h>
#include <stddef.h>
#include "tests/support/pgserver.h"

#define BED_HOST  "db1.example.com" /* what clients connect to unless told otherwise */
#define BED_ALIAS "db.example.com"
#define BED_USER  "alice"

struct bed {
	struct pgserver server;
	char dir[64]; /* the clients' files */
};

/* The files of one host, as PEM texts. All borrowed. */
struct party {
	const char *leaf;   /* and what follows it; NULL: none (clients only) */
	const char *key;    /* NULL: none */
	const char *bundle; /* NULL: it verifies nothing */
};

struct login {
	struct party client;
	const char
		*user; /* NULL: BED_USER with a certificate, else bob with his password (SCRAM) */
	const char *host; /* NULL: BED_HOST */
	bool tls12;
	/* the answer */
	bool ok;
	char said[600]; /* libpq's words where it failed */
};

void bed_open(struct bed *bed, const struct party *server);
void bed_close(struct bed *bed);
/* Rolls out and reloads: NULL, or what PostgreSQL logged about files that it does not take. */
char *bed_serve(struct bed *bed, const struct party *server);
/* Starts it anew with these files: NULL, or what it logged before it ended. */
char *bed_restart(struct bed *bed, const struct party *server);
/* All at once. */
void bed_login(struct bed *bed, struct login *logins, size_t count);

#endif
