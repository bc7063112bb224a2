/* SPDX-License-Identifier: PostgreSQL */
/*
 * The one place where private keys and the plain text of vaults live: pages of their own, kept out
 * of core dumps and forked children (madvise(2) MADV_DONTDUMP, MADV_WIPEONFORK), locked in memory
 * as far as RLIMIT_MEMLOCK allows (mlock(2); not being allowed is no error), wiped when freed.
 *
 * An arena frees everything at once. A struct secret is borrowed from its arena.
 */
#ifndef SECRET_ARENA_H
#define SECRET_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct arena;

struct secret {
	char *data; /* NUL-terminated behind len bytes; NULL only where nothing was ever set */
	size_t len;
};

/*
 * max: what all its allocations together may take, in bytes. NULL when out of memory. Several
 * threads may take memory from one arena; what they put there is theirs to share.
 */
struct arena *arena_new(size_t max);
void arena_free(struct arena *arena); /* wipes; NULL is fine */

/* Zeroed memory of that size, 16-byte aligned; NULL beyond the maximum or out of memory. */
void *arena_alloc(struct arena *arena, size_t size);
int arena_copy(struct secret *out, struct arena *arena, const void *data, size_t len,
	       struct err *err);
/* Wipes one secret early; its memory comes back only with the arena. */
void secret_wipe(struct secret *secret);
bool secret_equal(const struct secret *a, const struct secret *b); /* constant time in content */

/* A text that grows inside the arena. As struct buf: sticky failure, NUL-terminated. */
struct secret_buf {
	struct arena *arena;
	char *data;
	size_t len;
	size_t cap;
	bool failed;
};

void secret_buf_init(struct secret_buf *buf, struct arena *arena);
void secret_buf_add(struct secret_buf *buf, const void *data, size_t len);
/* The text so far as a secret (borrowed from the arena); the buffer is not to be used after. */
int secret_buf_done(struct secret *out, struct secret_buf *buf, const char *what, struct err *err);

/* Reads a whole regular file, at most max bytes, without stdio buffers. Codes as file_read. */
int secret_read_file(struct secret *out, struct arena *arena, const char *path, size_t max,
		     struct err *err);

/*
 * A sealed copy in an anonymous file (memfd_create(2)), for libraries that take keys by path only:
 * "/proc/self/fd/N". Mode 0600, close-on-exec, seals against change. Returns the descriptor or a
 * negative code; close() it after use.
 */
int secret_memfd(const struct secret *secret, const char *name, struct err *err);

/* For main(): no core dumps (setrlimit, PR_SET_DUMPABLE 0), umask 077. */
void secret_harden_process(void);

#endif
