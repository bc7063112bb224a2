/* SPDX-License-Identifier: PostgreSQL */
#ifndef TESTS_OUTSIDE_SUITES_H
#define TESTS_OUTSIDE_SUITES_H

#include "tests/support/support.h"

Suite *exec_hook_suite(void);
Suite *delivery_suite(void);
Suite *template_suite(void);
Suite *webhook_suite(void);
void webhook_suite_end(void); /* its server */
Suite *forge_place_suite(void);
Suite *forge_suite(void);
Suite *forge_token_suite(void);

#endif
