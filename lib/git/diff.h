/* SPDX-License-Identifier: PostgreSQL */
/*
 * Unified diffs for people. Private keys never show: the body of a PEM private key and the body
 * of vault cipher text each become one line.
 */
#ifndef GIT_DIFF_H
#define GIT_DIFF_H

#include "git/repo.h"

/*
 * Adds to out what is to be shown for a line (without its line end), or nothing to leave the line
 * out. NULL shows lines as they are.
 */
typedef void diff_mask(void *ctx, const char *line, size_t len, struct buf *out);

/*
 * Adds the unified diff from old to new (NULL for a file that is not there), three lines of
 * context, with the headers that git writes. Nothing is added where both are equal. A whole-file
 * vault becomes the headers and the line "vault content changes".
 */
int diff_text(struct buf *out, const char *path, const void *old, size_t old_len, const void *new,
	      size_t new_len, diff_mask *mask, void *ctx, struct err *err);

#endif
