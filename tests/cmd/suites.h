/* SPDX-License-Identifier: PostgreSQL */
#ifndef TESTS_CMD_SUITES_H
#define TESTS_CMD_SUITES_H

#include "tests/support/support.h"

Suite *options_suite(void);
Suite *wrap_suite(void);
Suite *manual_suite(void);
Suite *census_suite(void);
Suite *findings_suite(void);
Suite *show_suite(void);

#endif
