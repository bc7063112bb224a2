/* SPDX-License-Identifier: PostgreSQL */
#ifndef TESTS_OUTSIDE_SUITES_H
#define TESTS_OUTSIDE_SUITES_H

#include "tests/support/support.h"

Suite *exec_hook_suite(void);

#endif
