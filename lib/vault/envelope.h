/* SPDX-License-Identifier: PostgreSQL */
/*
 * The text form of a vault (see vault/vault.h): taken apart and put together in one pass, without
 * a copy of the whole. Internal to the room.
 */
#ifndef VAULT_ENVELOPE_H
#define VAULT_ENVELOPE_H

#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"
#include "secret/arena.h"
#include "vault/vault.h"

#define ENVELOPE_HMAC_SIZE ((size_t)32)
#define ENVELOPE_SALT_SIZE ((size_t)32)	  /* of what is written */
#define ENVELOPE_SALT_MAX  ((size_t)1024) /* of what is read */

struct envelope {
	char label[VAULT_LABEL_SIZE]; /* "" where the header has none */
	unsigned char salt[ENVELOPE_SALT_MAX];
	size_t salt_len;
	unsigned char hmac[ENVELOPE_HMAC_SIZE];
	/*
	 * The cipher text: a number of whole cipher blocks, at least one, in the arena with one
	 * byte to spare, so that it is decrypted where it lies.
	 */
	unsigned char *body;
	size_t body_len;
};

int envelope_parse(struct envelope *out, struct arena *arena, const char *text, size_t len,
		   const char *name, struct err *err);

/* label "" gives format 1.1. */
void envelope_write(struct buf *out, const char *label,
		    const unsigned char salt[ENVELOPE_SALT_SIZE],
		    const unsigned char hmac[ENVELOPE_HMAC_SIZE], const unsigned char *body,
		    size_t body_len);

#endif
