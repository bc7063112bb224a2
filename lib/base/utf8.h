/* SPDX-License-Identifier: PostgreSQL */
/*
 * Characters of UTF-8 (RFC 3629) that come from outside: names, subjects, what other programs say.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of the character that text begins with, and its number; 0 where it is none. */
size_t utf8_get(uint32_t *number, const char *text, size_t len);

/*
 * Whether a character does something else than to show itself: controls (C0, C1, DEL), what turns
 * the direction of a text round (Unicode Standard Annex 9), line and paragraph separators, and
 * what is not seen at all and so makes two names look alike.
 */
bool utf8_is_harmful(uint32_t number);

#endif
