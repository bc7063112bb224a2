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

/* Puts the text together in pieces of at most ENVELOPE_PIECE: never all of it at once. */
#define ENVELOPE_PIECE ((size_t)1 << 16)

struct envelope_writer {
	vault_put_fn *put;
	void *ctx;
	size_t column;
	size_t len;
	char bytes[256][4]; /* each byte's four digits */
	char text[ENVELOPE_PIECE];
};

/* label "" gives format 1.1. Then the cipher text, and the end. All give what put gave: 0, or an
 * error. */
int envelope_begin(struct envelope_writer *w, vault_put_fn *put, void *ctx, const char *label,
		   const unsigned char salt[ENVELOPE_SALT_SIZE],
		   const unsigned char hmac[ENVELOPE_HMAC_SIZE], struct err *err);
int envelope_add(struct envelope_writer *w, const unsigned char *bytes, size_t len,
		 struct err *err);
int envelope_end(struct envelope_writer *w, struct err *err);
/* How long all of it will be at most, with any label. */
size_t envelope_size(size_t body_len);

#endif
