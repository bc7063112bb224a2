/* SPDX-License-Identifier: PostgreSQL */
/* Certificates for people: a diff of names and dates, not of base64. */
#ifndef CMD_SHOW_H
#define CMD_SHOW_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Adds text with the lines of each certificate replaced by one that says whose it is, by whom and
 * until when, at the same indentation. What is no readable certificate stays as it is.
 */
int show_certificates(struct buf *out, const char *text, size_t len, struct err *err);

#endif
