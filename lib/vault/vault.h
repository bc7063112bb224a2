/* SPDX-License-Identifier: PostgreSQL */
/*
 * Ansible Vault, formats 1.1 ("$ANSIBLE_VAULT;1.1;AES256") and 1.2 (with ";label"), as
 * ansible-core's lib/ansible/parsing/vault reads and writes them:
 *
 *   header line, then hex in lines of 80 columns of: hex(salt) \n hex(hmac) \n hex(cipher text)
 *
 * PBKDF2-HMAC-SHA256 over password and salt, 10,000 rounds, gives 80 bytes: key of AES-256-CTR,
 * key of HMAC-SHA256 over the cipher text, initial counter. The plain text is padded by PKCS#7.
 *
 * The same text stands in whole files and in inline "!vault |" scalars: blanks before each line and
 * CR LF are tolerated. Plain text exists in the arena only.
 */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/sys.h"
#include "secret/arena.h"
#include "vault/password.h"

#define VAULT_TEXT_MAX	 ((size_t)256 << 20) /* of the encrypted text */
#define VAULT_LABEL_SIZE 256

/* What a vault was opened with, so that it can be written again in the same way. */
struct vault_used {
	size_t password;	      /* index into the list that was given */
	char label[VAULT_LABEL_SIZE]; /* of the header; "" for format 1.1 */
};

/* Whether the text begins as a vault does. Says nothing about the rest. */
bool vault_is(const char *text, size_t len);

/*
 * Opens a vault with the first of the passwords that fits (those whose label is the header's come
 * first). name is for messages ("FILE: …" or "FILE:12: …"); used may be NULL. ERR_FAIL: not a
 * vault, an unsupported version or cipher, bad hex (with the line), cut short, or "wrong password,
 * or the file was changed" with a hint that says where the passwords came from.
 */
int vault_decrypt(struct secret *out, struct vault_used *used, struct arena *arena,
		  const char *text, size_t len, const char *name,
		  const struct vault_passwords *passwords, struct err *err);

/*
 * Adds the encrypted text to out, as ansible-vault writes it: lines of 80 columns with a newline at
 * the end of each. label: of the vault that is replaced (struct vault_used), or NULL for a new one,
 * which gets the password's own; "" and "default" give format 1.1. The result is a little more than
 * four times plain->len; out->max has to allow it. Every call takes a new salt. ERR_USAGE for a
 * NULL password (vault_passwords_for_new() found none) and for a label that cannot be written.
 */
int vault_encrypt(struct buf *out, const struct secret *plain,
		  const struct vault_password *password, const char *label, struct sys *sys,
		  struct err *err);

/*
 * The same text, given to put in pieces as it is made: nothing of its size is held. What put
 * returns other than 0 ends it, and is returned.
 */
typedef int vault_put_fn(void *ctx, const char *text, size_t len, struct err *err);
int vault_encrypt_to(vault_put_fn *put, void *ctx, const struct secret *plain,
		     const struct vault_password *password, const char *label, struct sys *sys,
		     struct err *err);

#endif
