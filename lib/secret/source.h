/* SPDX-License-Identifier: PostgreSQL */
/*
 * Secrets that an operator keeps for certrotate: a token, the word that requests are signed with,
 * an address that nobody else may know. One line, in a file of its own or in an environment
 * variable. No message shows any of it.
 */
#ifndef SECRET_SOURCE_H
#define SECRET_SOURCE_H

#include "base/err.h"
#include "secret/arena.h"

#define SECRET_SOURCE_MAX ((size_t)16 << 10)

/*
 * The file's text without the line end(s) behind it. ERR_USAGE where it is missing, no regular
 * file, larger than SECRET_SOURCE_MAX, empty, of more than one line, holds control characters, or
 * can be read or written by anybody but its owner (a secret that others could read is none any
 * more). ERR_MACHINE.
 */
int secret_from_file(struct secret *out, struct arena *arena, const char *path, struct err *err);
/* The same of a variable; ERR_USAGE where it is not set. Whoever starts children takes it away. */
int secret_from_env(struct secret *out, struct arena *arena, const char *name, struct err *err);
/* The same of a text that came another way (a command's output); what: for messages. */
int secret_from_text(struct secret *out, struct arena *arena, const char *text, size_t len,
		     const char *what, struct err *err);

#endif
