/* SPDX-License-Identifier: PostgreSQL */
/*
 * Running the census of an environment, and this machine's record of it. See safety/census.h for
 * what is counted, and how.
 *
 * The record is .git/certrotate/ENV/census.json: replaced durably after each run, under a lock of
 * its own (census.lock), so that a timer and an operator do not lose each other's runs.
 */
#ifndef STATE_CENSUS_H
#define STATE_CENSUS_H

#include "base/err.h"
#include "base/finding.h"
#include "safety/census.h"
#include "state/live.h"
#include "state/session.h"

/* This machine's record; empty where there is none yet. census_release() it. No network. */
int census_load(struct census *out, const struct session *session, struct err *err);

struct census_options {
	/*
	 * With the monitoring certificate of the configuration, so that no vault password is
	 * needed: for the timer. Else, and where the configuration has none, with the login user's
	 * leaf from the vault. Where census.playbook is set, through Ansible in either case.
	 */
	bool monitor;
	const struct strs *skip; /* hosts that are not asked, by name; may be NULL */
	/*
	 * What else is to be asked over the network with the login user's leaf: called once, where
	 * that is how servers are asked, with what is live. May be NULL.
	 */
	int (*also)(void *ctx, struct session *session, const struct live *live, struct err *err);
	void *ctx;
};

struct census_run {
	struct findings findings; /* "census-server": who could not be asked, and why */
	size_t asked, answered;
	/* The generation that the state gives to clients, and the users who have a leaf of it. */
	char generation[16];
	struct strs users;
};

/*
 * Asks every PostgreSQL endpoint, adds the run to the record, and gives the record as it is now.
 * 0 also where servers did not answer: that is what the findings and the sample say.
 */
int census_run(struct census *out, struct census_run *run, struct session *session,
	       const struct census_options *options, struct err *err);
void census_run_release(struct census_run *run);

#endif
