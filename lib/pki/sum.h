/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sums: how a text notices that it was damaged, merged as text or changed by hand. No signature:
 * whoever means to can make the sum anew.
 *
 * A JSON object holds its own as the member "sum": "sha256:" and 64 hex digits, over the object
 * without that member, on one line, without blanks, with the keys in byte order. So line ends and
 * indentation may change, and no value.
 */
#ifndef PKI_SUM_H
#define PKI_SUM_H

#include <stddef.h>
#include "base/err.h"
#include "base/json.h"

#define SUM_SIZE sizeof("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

int sum_text(char out[SUM_SIZE], const void *data, size_t len, struct err *err);
/* Adds the member, as the last one, or replaces it. */
int sum_add(struct json *object, struct err *err);
/* ERR_FAIL, with name in front, where it has none or another one; the caller knows what to do. */
int sum_check(const struct json *object, const char *name, struct err *err);

#endif
