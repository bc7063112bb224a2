/* SPDX-License-Identifier: PostgreSQL */
/*
 * A real PostgreSQL of a suite's own: on 127.0.0.1 and ::1 at a free port, in a temporary
 * directory, as user postgres where the tests run as root, gone when the tests' process is gone
 * (PR_SET_PDEATHSIG). Meant to be started once, in main(): what it needs takes a second or two.
 */
#ifndef TESTS_SUPPORT_PGSERVER_H
#define TESTS_SUPPORT_PGSERVER_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "secret/arena.h"

#define PGSERVER_BIN "/usr/lib/postgresql/15/bin"

struct pgserver {
	pid_t pid;
	unsigned port;
	char dir[64];
};

/* PEM texts, borrowed. Without cert_pem ssl is off. */
struct pgserver_tls {
	const char *cert_pem; /* leaf, intermediates */
	const struct secret *key;
	const char *ca_pem;   /* whose clients are let in; NULL: asks for no certificate */
	const char *settings; /* more lines for postgresql.conf; NULL for none */
};

/*
 * Starts it with these roles and rules: alice and postgres come in over TLS with a client
 * certificate in their name; bob needs the password x over TLS; carol comes in with the subject
 * "CN=carol,O=Acme", whole; stranger has no entry in pg_hba.conf.
 * Only main() and a process that lives as long may start one. ERR_FAIL with what to install.
 */
int pgserver_start(struct pgserver *server, const struct pgserver_tls *tls, struct err *err);
/* Replaces TLS files and settings, reloads, and waits until new connections see them. */
int pgserver_reload(struct pgserver *server, const struct pgserver_tls *tls, struct err *err);
/*
 * The same in two steps, as a rollout does it: the files alone (as they are, also broken ones), and
 * a reload. 0 also where PostgreSQL goes on with what it had: *refusal is its log then (free() it),
 * else NULL. The key keeps its owner and mode.
 */
int pgserver_files(const struct pgserver *server, const char *cert_pem, const char *key_pem,
		   const char *ca_pem, struct err *err);
int pgserver_take_files(struct pgserver *server, char **refusal, struct err *err);
/* Stops it and starts it again. ERR_FAIL with what it logged where it does not start. */
int pgserver_restart(struct pgserver *server, struct err *err);
/* Runs SQL as the superuser over the unix socket. */
int pgserver_sql(const struct pgserver *server, const char *sql, struct err *err);
void pgserver_stop(struct pgserver *server); /* leaves nothing behind; NULL or not started: fine */

#endif
