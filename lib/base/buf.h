/* SPDX-License-Identifier: PostgreSQL */
/*
 * A growing byte buffer with a maximum. Adding is sticky: after the first failure (out of memory,
 * or beyond the maximum) the buffer stays as it was and buf_failed() says so, so that a text is
 * built without a check on each line. data is always NUL-terminated (never NULL after buf_init),
 * and len does not count the NUL. Not for secrets: those live in secret/arena.h.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

#define BUF_TEXT_MAX ((size_t)64 << 20) /* a usual maximum for text made by the program */

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
	bool failed;
	bool nomem; /* failed, and not at the maximum */
};

void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf); /* leaves it usable as after buf_init with the same max */
void buf_reset(struct buf *buf);   /* len = 0, failure forgotten, memory kept */

/*
 * Room for so many bytes more, as far as max allows: where it is known what will come, nothing is
 * held twice over. No more than a wish, but that a lack of memory is one as in buf_add.
 */
void buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_adds(struct buf *buf, const char *text);
void buf_addc(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Adds text so that a terminal or log line stays one and reads as it is: control characters and
 * bytes that are no UTF-8 become \xNN, what turns the direction or is not seen \uNNNN (utf8.h).
 */
void buf_add_safe(struct buf *buf, const char *text, size_t len);

/* 0, or ERR_MACHINE (out of memory) or ERR_FAIL (beyond the maximum) naming what was built. */
int buf_check(const struct buf *buf, const char *what, struct err *err);
/* Hands the text over (free() it) and leaves the buffer empty. NULL where the buffer failed. */
char *buf_detach(struct buf *buf);

#endif
