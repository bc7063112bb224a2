/* SPDX-License-Identifier: PostgreSQL */
/*
 * Shared libraries that few commands need, opened when a function of theirs is first wanted
 * (dlopen(3)). libpq and libcurl bring 20 more with them: a command that looks at states and files
 * alone needs none of these, and would spend half of its time on their start.
 *
 * A library is described by the table of its functions (net/pg_pq.h, net/http_curl.h): a struct
 * that has a pointer for each, of the type that the library's own header declares.
 */
#ifndef BASE_LAZY_H
#define BASE_LAZY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct lazy {
	const char *file;	  /* with the version of its interface: "libpq.so.5" */
	const char *package;	  /* of Debian, for the hint */
	const char *const *names; /* of the functions, in the table's order */
	size_t count;
	void *table; /* a pointer for each of them */
	bool loaded;
};

/*
 * Fills the table, once for the process; the library stays open. Threads may call it at the same
 * time. ERR_FAIL, with what the dynamic linker says: the library or a function of it is not there.
 */
int lazy_load(struct lazy *library, struct err *err);

#endif
