/* SPDX-License-Identifier: PostgreSQL */
#ifndef TESTS_STATE_SUITES_H
#define TESTS_STATE_SUITES_H

#include "tests/support/support.h"

Suite *table_suite(void);
Suite *choose_suite(void);
Suite *store_suite(void);
Suite *journal_suite(void);
Suite *generation_suite(void);
Suite *target_suite(void);
Suite *waiver_suite(void);
Suite *prove_suite(void);
Suite *expect_suite(void);
Suite *judge_suite(void);
Suite *reached_suite(void);
Suite *census_suite(void);
Suite *hosts_suite(void);

#endif
