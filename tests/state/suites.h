/* SPDX-License-Identifier: PostgreSQL */
#ifndef TESTS_STATE_SUITES_H
#define TESTS_STATE_SUITES_H

#include "state/generation.h"
#include "tests/support/pki.h"
#include "tests/support/support.h"

#define BOTH_AUTHORITIES ((const char *const[]){"server", "client", NULL})

/*
 * Makes the chain too: "ID root" and ID. A generation with its bundle for each authority (up to the
 * first NULL) and without leaves.
 */
void fixture_generation(struct generation *gen, struct arena *arena, struct test_chain *chain,
			const char *id, const char *const *authorities);
/* Adds a new leaf of the chain with its key. */
void fixture_add_leaf(struct generation *gen, struct arena *arena, struct test_chain *chain,
		      const char *authority, const char *name, enum leaf_kind kind);

Suite *table_suite(void);
Suite *choose_suite(void);
Suite *store_suite(void);
Suite *journal_suite(void);
Suite *damage_suite(void);
Suite *generation_suite(void);
Suite *target_suite(void);
Suite *waiver_suite(void);
Suite *prove_suite(void);
Suite *expect_suite(void);
Suite *judge_suite(void);
Suite *reached_suite(void);
Suite *census_suite(void);
Suite *hosts_suite(void);
Suite *transitions_suite(void);
Suite *genfile_suite(void);
Suite *runner_suite(void);
Suite *rollout_suite(void);
Suite *reports_suite(void);
Suite *unfinished_suite(void);
Suite *survey_suite(void);
Suite *seen_suite(void);
Suite *issue_suite(void);
Suite *lock_suite(void);
Suite *asked_suite(void);
Suite *drift_suite(void);
Suite *gates_suite(void);
Suite *canary_suite(void);
Suite *looks_suite(void);
Suite *holdings_suite(void);
Suite *members_suite(void);
Suite *merge_suite(void);
void merge_suite_end(void); /* its server */
Suite *hooks_suite(void);
Suite *hooks_team_suite(void);
Suite *hooks_wave_suite(void);
Suite *notify_suite(void);
void notify_suite_end(void); /* its server */
Suite *deliver_suite(void);

#endif
