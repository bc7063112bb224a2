/* SPDX-License-Identifier: PostgreSQL */
/* The named traps of a rotation, and the suites that try them. */
#ifndef TESTS_DIFFERENTIAL_TRAPS_H
#define TESTS_DIFFERENTIAL_TRAPS_H

#include <check.h>
#include <stdint.h>
#include "base/finding.h"
#include "tests/differential/bed.h"
#include "tests/differential/scene.h"

/* How long what lapses is valid: enough for a login on a busy machine. Seconds. */
#define TRAP_LIFE_S 4
#define SAYS_MAX    3

/* What the peers really do. */
enum real {
	ACCEPTED,
	REFUSED,   /* the login fails */
	NOT_TAKEN, /* the server keeps what it had at a reload, and does not start any more */
	LAPSES	   /* accepted now, and refused some seconds later */
};

struct trap {
	const char *name;
	enum verify_purpose purpose;	    /* whose leaf it is about */
	void (*plan)(struct scene *scene);  /* before certificates are made; NULL: nothing */
	void (*files)(struct scene *scene); /* after that; NULL: nothing */
	bool old_shown;			    /* the old leaf is tried, else the new one */
	bool both;  /* the proof sees both leaves, else only the one that is shown */
	bool today; /* all of it is live already */
	struct {
		const char *check;
		enum severity severity;
		const char *part;
	} says[SAYS_MAX]; /* none: nothing that blocks */
	bool quiet;	  /* the proof says nothing at all */
	enum real real;
	const char *said; /* a part of libpq's message, or of the server's log */
	int64_t end;	  /* of the rotation, in seconds from now */
	const char *user; /* who logs in, NULL: by the certificate */
	const char *host; /* that clients connect to; NULL: BED_HOST */
	bool as_client;	  /* the server's leaf is shown by a client */
	bool tls12;	  /* and no newer version */
	bool own_ca;	  /* the server's own bundle has its leaf's issuer: it sends that along */
	bool strict;	  /* clients other than libpq refuse it: they do not look at the CN */
};

extern const struct trap traps[];
extern const size_t trap_count;

/*
 * Without forks: they restart the server, which has to stay this process's child. good: servers and
 * clients without a fault, for the other end of each login.
 */
Suite *traps_suite(struct bed *bed, const struct scene good[VERIFY__MAX]);
/* PEM texts in every style: what the proof takes has to work. */
Suite *texts_suite(struct bed *bed, const struct scene good[VERIFY__MAX]);

#endif
