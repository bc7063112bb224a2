/* SPDX-License-Identifier: PostgreSQL */
/* Certificates for people: a diff of names and dates, not of base64. */
#ifndef CMD_SHOW_H
#define CMD_SHOW_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"

/*
 * The certificates of the texts of one difference. Equal ones get the same mark, and only those
 * that are shown in the end are read: of 10,000 mostly a few.
 */
struct shown {
	struct strmap marks; /* a certificate's text to its number */
	struct strs texts;   /* by number */
};

#define SHOWN_INIT                                                                                 \
	{                                                                                          \
		STRMAP_INIT, STRS_INIT                                                             \
	}

void shown_release(struct shown *shown);

/* False where the text has bytes of marks itself: then it is not UTF-8. */
bool shown_can_mark(const char *text, size_t len);
/* Adds text with the lines of each certificate replaced by its mark, at the same indentation. */
int shown_mark(struct buf *out, struct shown *shown, const char *text, size_t len, struct err *err);
/*
 * Adds text with each mark replaced by a line that says whose the certificate is, by whom and until
 * when. What is no readable certificate stands there as it was.
 */
int shown_expand(struct buf *out, const struct shown *shown, const char *text, size_t len,
		 struct err *err);

#endif
