/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is to be seen on the wire in which state, as data: one row for each state, one column for
 * each check. Looking (verify_look.c) and judging (verify_judge.c, verify_server.c) ask here and
 * nowhere else. A further check is one more column and one more line in checks[].
 *
 * "Old" and "new" are the two generations of a rotation. In STATE_IDLE "new" is the live one and
 * "old" the one that the last prune retired.
 */
#ifndef STATE_EXPECT_H
#define STATE_EXPECT_H

#include "base/finding.h"
#include "state/table.h"

enum check {
	CHECK_ENDPOINT,	   /* it answers, with TLS */
	CHECK_LEAF,	   /* which generation's certificate it serves */
	CHECK_TRUSTED,	   /* it leads to the bundle that clients hold now */
	CHECK_NAME,	   /* it is made out for the endpoint's name */
	CHECK_CA_NAMES,	   /* whose CAs it announces, hence trusts */
	CHECK_OLD_CLIENT,  /* whether the old client certificate gets in */
	CHECK_NEW_CLIENT,  /* whether the new one does */
	CHECK_NO_CLIENT,   /* whether somebody without a certificate does */
	CHECK_REPLICATION, /* a standby streams; a primary has as many standbys as before */
	CHECK_ARCHIVER,	   /* pg_stat_archiver fails no more than before the phase */
	CHECK_HOST_FILES,  /* a host's files are the inventory's, and a restart would take them */
	CHECK__MAX
};

enum want {
	WANT_NOTHING, /* not looked at: nothing depends on it in this state */
	WANT_OLD,     /* of certificates and CAs: which generation's */
	WANT_NEW,
	WANT_BOTH,
	WANT_IN, /* of clients */
	WANT_OUT,
	WANT_YES, /* of what has to hold in every state */
	WANT__MAX
};

enum want expect(enum state state, enum check check);

/* The finding's stable name: "leaf-served". Both clients' checks share "client-login". */
const char *check_name(enum check check);
/* How bad it is where what is expected does not hold. */
enum severity check_severity(enum check check);
/*
 * What endpoints do that are as they should be, for "600 of 1000 endpoints …": "serve the new
 * certificate". NULL where nothing is wanted.
 */
const char *expect_text(enum check check, enum want want);
const char *want_name(enum want want); /* "new", "in", "yes": for JSON */

#endif
