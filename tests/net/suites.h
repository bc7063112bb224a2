/* SPDX-License-Identifier: PostgreSQL */
#ifndef TESTS_NET_SUITES_H
#define TESTS_NET_SUITES_H

#include <stddef.h>
#include <sys/types.h>
#include "net/pg.h"
#include "net/probe.h"
#include "proc/loop.h"
#include "tests/support/pgserver.h"
#include "tests/support/pki.h"
#include "tests/support/support.h"

Suite *resolve_suite(void);
Suite *listener_suite(void);
Suite *tls_suite(void);
Suite *probe_suite(void);
Suite *login_suite(void);
Suite *reason_suite(void);
Suite *http_suite(void);
Suite *http_retry_suite(void);

/* A leaf as the code under test gets it. */
struct identity {
	struct cert *cert;
	struct key *own;
	char *pem; /* leaf and intermediate */
	struct secret key;
};

/* Two chains, leaves of both, and one PostgreSQL that trusts the first; for all suites. */
struct fixture {
	bool started;
	struct arena *arena;
	struct sys sys;
	struct test_chain ours, other;
	char *ours_pem, *other_pem;
	struct identity server;
	struct identity alice, bob, stranger;
	struct identity alice_of_other;
	struct pgserver pg;
	struct pgserver_tls pg_tls;
};

extern struct fixture fx;

/*
 * An unchecked fixture of each test case: runs in the tests' parent process, and does something the
 * first time only. main() stops it at the end.
 */
void fixture_start(void);
void fixture_stop(void);
/* After test cases that reload PostgreSQL: also an unchecked one, which runs whatever failed. */
void fixture_restore(void);
/* Keys as text: arenas come wiped to a child process (MADV_WIPEONFORK), and each test is one. */
void fixture_keys(void);
/* For the setup of each test: a loop, and the keys. */
struct loop *fixture_loop(void);

/* What a listener of tests/net/listener.c does with each connection. */
enum listener_kind {
	LISTENER_SILENT,    /* accepts and says nothing */
	LISTENER_NO_TLS,    /* answers N */
	LISTENER_GARBAGE,   /* answers text */
	LISTENER_CLOSE,	    /* reads and closes */
	LISTENER_RESET,	    /* reads and resets */
	LISTENER_ERROR,	    /* an ErrorResponse instead of TLS */
	LISTENER_OLD_ERROR, /* the same in protocol 2's form */
	LISTENER_S_GARBAGE, /* answers S, then text */
	LISTENER_S_SILENT,  /* answers S, then nothing */
	LISTENER_S_CLOSE,
	LISTENER_SLOW,	/* answers S, then a TLS record, a byte each 50 ms */
	LISTENER_FLOOD, /* answers S, then well-formed TLS records without an end */
	LISTENER__MAX
};

/* Runs until the test's process ends. Returns its port. */
unsigned listener_start(enum listener_kind kind);

/* A server of libssl on its own: for what PostgreSQL 15 does not do. */
struct tls_server {
	const struct identity *identity;
	const char *client_ca_pem; /* NULL: asks for no client certificate */
	const char *alpn;	   /* "postgresql"; NULL: none */
	int max_version;	   /* 0: the newest */
	bool tickets;
	const char *say; /* after the handshake; NULL: nothing, and it waits */
	bool close;	 /* after the handshake */
};

unsigned tls_server_start(const struct tls_server *server);

#endif
