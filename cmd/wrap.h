/* SPDX-License-Identifier: PostgreSQL */
/* Sentences on a terminal: broken between words, not inside them. */
#ifndef CMD_WRAP_H
#define CMD_WRAP_H

#include <stddef.h>
#include "base/buf.h"

/*
 * Adds text with every line that is wider than width columns broken at its last space before that;
 * what follows is indented by indent columns. Sequences that set a colour take no room, and a word
 * that is wider than a line stays whole. width 0: as it is.
 */
void wrap_add(struct buf *out, const char *text, size_t width, size_t indent);

/* The length of a sequence that sets a colour, which can do no harm; 0 for anything else. */
size_t wrap_color_len(const char *text);

#endif
