/* SPDX-License-Identifier: PostgreSQL */
/*
 * A repository of one environment ("poc") in which phases are carried out by the runner itself:
 * nothing is pushed, rolled out or probed, so that a phase takes some milliseconds. Every failure
 * fails the test. Needs test_mkdir and test_rmdir of nobody else.
 */
#ifndef TESTS_STATE_BED_H
#define TESTS_STATE_BED_H

#include "state/plan.h"
#include "state/runner.h"
#include "tests/support/support.h"

#define BED_CHAIN     "config/chainsmith_poc.yml"
#define BED_CERTS     "environments/poc/group_vars/all/certs.yml"
#define BED_KEYS      "environments/poc/group_vars/all/certs.vault.yml"
#define BED_INVENTORY "environments/poc/hosts"
#define BED_TWO	      "db1.example.com, db2.example.com"

/*
 * A test case whose tests have a bed each; what bed_reach gives them a copy of is carried out once.
 */
TCase *bed_case(const char *name);
/* A bed with the usual description: servers BED_TWO, clients app and postgres. */
void bed_make(void);
void bed_remove(void);

/* What the program would see now; moves with bed_later. */
void bed_later(int64_t seconds);

/* sh(1) in the repository; fails the test where the exit code is not 0. */
void bed_sh(const char *command);
/* Writes a file; bed_commit commits all that changed. */
void bed_write(const char *path, const char *text);
void bed_commit(void);
/* Replaces the first occurrence in a file, which has to be there, and commits. */
void bed_change(const char *path, const char *from, const char *to);
/* free() it */
char *bed_read(const char *path);

/* All that was logged since bed_make, a line each. */
const char *bed_logged(void);

/* The usual chain's description with those intermediates. */
void bed_describe(const char *intermediates);

/* Carries it out: what runner_run returns. waivers: one in each line, or NULL. */
int bed_try(enum event event, enum state to, const char *waivers, struct err *err);
/* The same, which has to succeed. */
void bed_run(enum event event, enum state to);
/* The usual bed with its first chain, or in a state of its first rotation up to servers-switched.
 */
void bed_reach(enum state state);

/* Writes a session's store as the state file, with the sum that belongs to it. */
void bed_store(const struct session *session);

/* Opens and loads; session_close it. */
void bed_open(struct session *session);
/* What plan_make returns; plan_release and session_close are the caller's, where it is 0. */
int bed_plan(struct plan *plan, struct session *session, enum event event, bool dry_run,
	     struct err *err);

/* The finding with that check (and that subject, NULL: any); NULL where there is none. */
const struct finding *bed_finding(const struct findings *findings, const char *check,
				  const char *subject);

#endif
