/* SPDX-License-Identifier: PostgreSQL */
/* The same job for many things, on all processors. */
#ifndef SAFETY_POOL_H
#define SAFETY_POOL_H

#include <stddef.h>
#include "base/err.h"
#include "base/log.h"

struct pool {
	void *ctx;
	/* Job number i; 0 or an error, which ends the others too. Jobs share ctx. */
	int (*job)(void *ctx, void *local, size_t i, struct err *err);
	/* What each thread has for itself; both may be NULL. */
	int (*local_new)(void **local, void *ctx, struct err *err);
	void (*local_free)(void *local);
	unsigned threads;      /* 0: one for each processor */
	const struct log *log; /* progress: "WHAT: 12 of 100" */
	const char *what;
};

/* 0, or the first error. The caller's thread works, too. */
int pool_run(const struct pool *pool, size_t count, struct err *err);

#endif
