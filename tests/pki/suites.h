/* SPDX-License-Identifier: PostgreSQL */
#ifndef TESTS_PKI_SUITES_H
#define TESTS_PKI_SUITES_H

#include <stddef.h>
#include "tests/support/pki.h"
#include "tests/support/support.h"

/* How many rows a table has, for tcase_add_loop_test. */
#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

Suite *key_suite(void);
Suite *bundle_suite(void);
Suite *dn_suite(void);
Suite *issue_suite(void);
Suite *verify_suite(void);
Suite *covers_suite(void);
Suite *chainsmith_suite(void);
Suite *pkcs12_suite(void);
Suite *hmac_suite(void);
Suite *packed_suite(void);

/*
 * Runs the real openssl program (argv[0] is "openssl"; NULL at the end) without a shell, with its
 * output and errors in out. Returns its exit code.
 */
int run_openssl(char *out, size_t size, const char *const *argv);
/* Writes certificates as PEM to DIR/name; free() the path. */
char *write_certs(const char *name, struct cert *const *certs, size_t count);

#endif
