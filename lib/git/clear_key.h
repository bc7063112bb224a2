/* SPDX-License-Identifier: PostgreSQL */
/*
 * Private keys that stand in the clear in what is about to be committed: the last line of defence,
 * because whoever made the text should never have had one in it.
 *
 *   PEM (RFC 7468 and its elders): raw, indented, with "\n" for line ends, broken in its header as
 *   YAML folds a line; encrypted ones too: their password may be a weak one
 *   that, or the DER alone, as base64 in one line or in several
 *   DER among other bytes: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 A.1.2), SEC1 (RFC 5915)
 *
 * A vault is none of this: it is hex.
 */
#ifndef GIT_CLEAR_KEY_H
#define GIT_CLEAR_KEY_H

#include <stdbool.h>
#include <stddef.h>

/* *line is where it begins, counted from 1. */
bool clear_key_find(size_t *line, const char *data, size_t len);

#endif
