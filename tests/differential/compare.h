/* SPDX-License-Identifier: PostgreSQL */
/* Random pairs of chains, judged by the proof and by a real PostgreSQL with a real libpq. */
#ifndef TESTS_DIFFERENTIAL_COMPARE_H
#define TESTS_DIFFERENTIAL_COMPARE_H

#include <stddef.h>
#include <stdint.h>
#include "tests/differential/bed.h"

struct tally {
	const char *dir; /* where files are kept */
	size_t cases;
	size_t combinations; /* of leaf and bundle, both directions */
	size_t accepted, refused;
	size_t tls13_only; /* of those that are accepted */
	size_t stricter;   /* accepted, though the proof cannot read the text for certain */
	size_t completed;  /* accepted, since a peer sent what its own bundle has of its chain */
	size_t logins, reloads;
	size_t disagreements;
};

/* good: files that a server takes. What they do not agree on is printed, its files are kept. */
void compare_case(struct tally *tally, struct bed *bed, const struct party *good, uint64_t seed);

#endif
