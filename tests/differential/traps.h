/* SPDX-License-Identifier: PostgreSQL */
#ifndef TESTS_DIFFERENTIAL_TRAPS_H
#define TESTS_DIFFERENTIAL_TRAPS_H

#include <check.h>
#include "tests/differential/bed.h"

/* How long what lapses is valid: enough for a login on a busy machine. Seconds. */
#define TRAP_LIFE_S 4

/* Without forks: it restarts the server, which has to stay this process's child. */
Suite *traps_suite(struct bed *bed);

#endif
