/* SPDX-License-Identifier: PostgreSQL */
/* Replaces byte ranges of a text in one pass; all bytes outside them stay. */
#ifndef INVENTORY_SPLICE_H
#define INVENTORY_SPLICE_H

#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"
#include "secret/arena.h"

struct replacement {
	size_t start; /* bytes [start, end) of the text; start == end inserts */
	size_t end;
	const char *data; /* borrowed */
	size_t len;
	size_t order; /* among insertions at one place: the smaller first */
};

/*
 * Adds the text with the replacements to out. The list is sorted by start; an insertion at the
 * start of a replaced range comes before it. ERR_FAIL where ranges overlap or leave the text (then
 * nothing was added), or where out is full.
 */
int splice(struct buf *out, const char *text, size_t len, struct replacement *list, size_t count,
	   struct err *err);
/* The same for texts with secrets. */
int splice_secret(struct secret_buf *out, const char *text, size_t len, struct replacement *list,
		  size_t count, struct err *err);

#endif
