/* SPDX-License-Identifier: PostgreSQL */
#ifndef TESTS_PROC_SUITES_H
#define TESTS_PROC_SUITES_H

#include "tests/support/support.h"

#define SH(...)                                                                                    \
	(const char *const[])                                                                      \
	{                                                                                          \
		"/bin/sh", "-c", __VA_ARGS__, NULL                                                 \
	}

Suite *loop_suite(void);
Suite *child_suite(void);
Suite *child_end_suite(void);
Suite *filter_suite(void);
Suite *recap_suite(void);
Suite *ansible_suite(void);
Suite *ansible_check_suite(void);
Suite *ansible_program_suite(void);

#endif
