/* SPDX-License-Identifier: PostgreSQL */
/* The suites of this room, one constructor for each file. */
#ifndef TESTS_INVENTORY_SUITES_H
#define TESTS_INVENTORY_SUITES_H

#include "tests/support/support.h"

Suite *yaml_suite(void);
Suite *certs_suite(void);
Suite *config_suite(void);
Suite *config_errors_suite(void);
Suite *config_check_suite(void);
Suite *config_git_suite(void);
Suite *chain_suite(void);
Suite *hosts_suite(void);
Suite *repopath_suite(void);
Suite *certs_random_suite(void);
Suite *certs_refused_suite(void);
Suite *certs_files_suite(void);

#endif
