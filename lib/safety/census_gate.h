/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whether a generation can be taken away from under its users: what the census has seen, held
 * against what has to be seen. That nobody uses the old one is not enough, because who did not
 * log in meanwhile was not seen at all: each user has to be seen with the generation that stays.
 *
 * Findings, by the name of the check. All of them block; sessions are told apart by what is known:
 *
 *   census-samples  too few runs of the census reached every server
 *   census-old      a client logged in with a certificate that is to be taken away, since it was
 *                   given the other one
 *   census-unknown  likewise, with a certificate that no known generation has
 *   census-quiet    the last of these is not long enough ago, or the phase is not
 *   census-unseen   a user was never seen with the generation that stays
 *   census-held     a session from before the phase is still open with the certificate that is to
 *                   be taken away: what its next login will use is not known
 *   census-unclear  a session without a certificate is open from before the servers showed the
 *                   generation that stays: whether its client trusts that is not known. One that
 *                   logged in since then has shown that it does
 *   census-pooler   one certificate carries the sessions of several users: it is a pooler's, and
 *                   the clients behind it are not seen
 *
 * census-unseen, -held, -unclear and -pooler do not come up for users that were acknowledged.
 * Pure; times are seconds since the epoch.
 */
#ifndef SAFETY_CENSUS_GATE_H
#define SAFETY_CENSUS_GATE_H

#include "base/err.h"
#include "base/finding.h"
#include "base/strs.h"
#include "safety/census.h"

/* All borrowed. */
struct census_gate {
	const struct census *census;
	const struct strs *users; /* who has to be seen: names of client leaves */
	const char *keep;	  /* the generation that stays: "g2" */
	int64_t since;		  /* when the clients were given it */
	int64_t servers_since;	  /* when the servers were */
	int64_t now;
	int64_t quiet;		     /* seconds without the old one */
	unsigned samples;	     /* runs that have to have reached every server in that time */
	const struct strs *given_up; /* servers that do not count; may be NULL */
	const struct strmap *confirmed; /* users whose administrators gave their word; or NULL */
	const char *env;		/* the subject of what is nobody's in particular */
};

int census_gate_check(struct findings *out, const struct census_gate *gate, struct err *err);

#endif
