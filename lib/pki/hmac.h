/* SPDX-License-Identifier: PostgreSQL */
/* HMAC with SHA-256 (RFC 2104, FIPS 180-4): the proof that a text comes from who knows a secret. */
#ifndef PKI_HMAC_H
#define PKI_HMAC_H

#include <stddef.h>
#include "base/err.h"
#include "secret/arena.h"

#define HMAC_SIZE (64 + 1)

/* 64 lower-case hex digits, over one behind the other; of no length: may be NULL. */
int hmac_sha256(char out[HMAC_SIZE], const struct secret *key, const void *one, size_t one_len,
		const void *other, size_t other_len, struct err *err);

#endif
