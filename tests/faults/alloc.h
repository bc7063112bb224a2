/* SPDX-License-Identifier: PostgreSQL */
/*
 * Makes one of the program's own allocations fail. Everything that is linked with this file and
 * ALLOC_WRAP of the Makefile (ld's --wrap) asks here for its memory; so do OpenSSL and Jansson,
 * whose allocations the program makes itself. What other libraries allocate for themselves is
 * theirs.
 *
 * A test arms it with alloc_fail_at. A whole program is told by its environment, for its main
 * process alone:
 *
 *   CERTROTATE_ALLOC=list:FILE     writes "NUMBER FRAME…" for the first allocation of each call
 *                                  stack, and "total NUMBER" in the end; frames are innermost
 *                                  first, and count from where the program is loaded
 *   CERTROTATE_ALLOC=fail:N:FILE   the Nth fails; FILE gets its line
 */
#ifndef TESTS_FAULTS_ALLOC_H
#define TESTS_FAULTS_ALLOC_H

#include <stdbool.h>

/* The Nth from now on fails, counted from 1; 0: none does. The counter begins anew. */
void alloc_fail_at(long number);
long alloc_count(void);
/* Whether it has come to the one that was to fail. */
bool alloc_failed(void);

#endif
