/* SPDX-License-Identifier: PostgreSQL */
#include "net/pg_pq.h"

#include "base/lazy.h"

#define PQ_NAME(name) #name,
static const char *const names[] = {PQ_FUNCTIONS(PQ_NAME)};

#define PQ_COUNT (sizeof(names) / sizeof(names[0]))
_Static_assert(sizeof(struct pq) == PQ_COUNT * sizeof(void *), "a pointer for each name");

const struct pq *pq_library(struct err *err)
{
	static struct pq pq;
	static struct lazy library = {
		.file = "libpq.so.5",
		.package = "libpq5",
		.names = names,
		.count = PQ_COUNT,
		.table = &pq,
	};

	return lazy_load(&library, err) ? NULL : &pq;
}
