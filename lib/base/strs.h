/* SPDX-License-Identifier: PostgreSQL */
/*
 * A list of owned strings, and a map from string to index that keeps look-ups over many hosts
 * from growing quadratic. Also the few string helpers that C lacks.
 */
#ifndef BASE_STRS_H
#define BASE_STRS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct strs {
	char **items; /* NULL-terminated when count > 0, so that it can be an argument list */
	size_t count;
	size_t cap;
};

#define STRS_INIT                                                                                  \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

/* A copy is added; 0 or ERR_FAIL (out of memory). */
int strs_add(struct strs *strs, const char *text, struct err *err);
int strs_addf(struct strs *strs, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds where it is not there yet (linear: for short lists). */
int strs_add_unique(struct strs *strs, const char *text, struct err *err);
int strs_copy(struct strs *out, const struct strs *in, struct err *err);
bool strs_has(const struct strs *strs, const char *text);
void strs_sort(struct strs *strs); /* by byte value */
bool strs_equal(const struct strs *a, const struct strs *b);
/* "a, b, c and 12 more" into out, at most max names. */
void strs_join(const struct strs *strs, size_t max, char *out, size_t size);
void strs_release(struct strs *strs);

/* Open addressing; keys are copied, values are the caller's numbers. */
struct strmap {
	struct strmap_slot *slots;
	size_t count;
	size_t cap;
};

#define STRMAP_INIT                                                                                \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

int strmap_put(struct strmap *map, const char *key, size_t value, struct err *err);
bool strmap_get(const struct strmap *map, const char *key, size_t *value);
void strmap_release(struct strmap *map);

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
/* Allocated printf; NULL when out of memory. */
char *str_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *str_vfmt(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
/* The item nearest to word by edit distance, or NULL where none is close ("did you mean"). */
const char *str_nearest(const char *word, const char *const *items, size_t count);

/* len bytes as 2 * len lower-case hex digits and a NUL. */
void hex_text(char *out, const unsigned char *bytes, size_t len);

#endif
