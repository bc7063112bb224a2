/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/splice.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct replacement *x = a;
	const struct replacement *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if ((x->end == x->start) != (y->end == y->start))
		return x->end == x->start ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static int sort_and_check(size_t len, struct replacement *list, size_t count, struct err *err)
{
	size_t end = 0;

	if (count)
		qsort(list, count, sizeof(*list), compare);
	for (size_t i = 0; i < count; i++) {
		if (list[i].start < end)
			return err_set(err, ERR_FAIL, "two changes overlap at byte %zu",
				       list[i].start);
		if (list[i].end < list[i].start || list[i].end > len)
			return err_set(err, ERR_FAIL,
				       "a change of bytes %zu to %zu is outside of %zu bytes",
				       list[i].start, list[i].end, len);
		end = list[i].end;
	}
	return 0;
}

static void add_buf(void *out, const void *data, size_t len)
{
	buf_add(out, data, len);
}

static void add_secret(void *out, const void *data, size_t len)
{
	secret_buf_add(out, data, len);
}

static void run(void *out, void (*add)(void *, const void *, size_t), const char *text, size_t len,
		const struct replacement *list, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		add(out, text + at, list[i].start - at);
		if (list[i].len)
			add(out, list[i].data, list[i].len);
		at = list[i].end;
	}
	add(out, text + at, len - at);
}

int splice(struct buf *out, const char *text, size_t len, struct replacement *list, size_t count,
	   struct err *err)
{
	if (sort_and_check(len, list, count, err))
		return ERR_FAIL;
	run(out, add_buf, text, len, list, count);
	return buf_check(out, "the changed text", err);
}

int splice_secret(struct secret_buf *out, const char *text, size_t len, struct replacement *list,
		  size_t count, struct err *err)
{
	if (sort_and_check(len, list, count, err))
		return ERR_FAIL;
	run(out, add_secret, text, len, list, count);
	return out->failed ? err_nomem(err) : 0;
}
