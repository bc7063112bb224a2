/* SPDX-License-Identifier: PostgreSQL */
/* A server's rules and maps as short texts, for the tests of safety/access.h. */
#ifndef TESTS_SAFETY_RULES_H
#define TESTS_SAFETY_RULES_H

#include "safety/access.h"

#define RULES_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/*
 * One a line, words apart by blanks, lists by commas, options last: the line's number is its place.
 * "!" is a line with an error, "~" at the end of options: clientname=DN, found in the file.
 */
void rules_add(struct access *access, const char *text, size_t number);
/* "map system role", a system name may have blanks: what stands between. */
void rules_add_mapping(struct access *access, const char *text, size_t number);
/* A finished one with these, a line each, a few roles and members; maps NULL: not readable. */
struct access *rules_server(int version, const char *rules, const char *maps);

#endif
