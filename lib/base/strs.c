/* SPDX-License-Identifier: PostgreSQL */
#include "base/strs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int push(struct strs *strs, char *text, struct err *err)
{
	if (!text)
		return err_nomem(err);
	if (strs->count + 2 > strs->cap) {
		size_t cap = strs->cap ? strs->cap * 2 : 8;
		char **items = realloc(strs->items, cap * sizeof(*items));

		if (!items) {
			free(text);
			return err_nomem(err);
		}
		strs->items = items;
		strs->cap = cap;
	}
	strs->items[strs->count++] = text;
	strs->items[strs->count] = NULL;
	return 0;
}

int strs_add(struct strs *strs, const char *text, struct err *err)
{
	return push(strs, strdup(text), err);
}

int strs_addf(struct strs *strs, struct err *err, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = str_vfmt(fmt, ap);
	va_end(ap);
	return push(strs, text, err);
}

bool strs_has(const struct strs *strs, const char *text)
{
	for (size_t i = 0; i < strs->count; i++) {
		if (!strcmp(strs->items[i], text))
			return true;
	}
	return false;
}

int strs_add_unique(struct strs *strs, const char *text, struct err *err)
{
	return strs_has(strs, text) ? 0 : strs_add(strs, text, err);
}

int strs_copy(struct strs *out, const struct strs *in, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < in->count && !rc; i++)
		rc = strs_add(out, in->items[i], err);
	return rc;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strs_sort(struct strs *strs)
{
	if (strs->count > 1)
		qsort(strs->items, strs->count, sizeof(*strs->items), compare);
}

bool strs_equal(const struct strs *a, const struct strs *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}

void strs_join(const struct strs *strs, size_t max, char *out, size_t size)
{
	size_t len = 0;

	if (!size)
		return;
	out[0] = '\0';
	for (size_t i = 0; i < strs->count && len < size; i++) {
		int n;

		if (i == max) {
			(void)snprintf(out + len, size - len, " and %zu more", strs->count - i);
			return;
		}
		n = snprintf(out + len, size - len, "%s%s", i ? ", " : "", strs->items[i]);
		if (n < 0)
			return;
		len += (size_t)n;
	}
}

void strs_release(struct strs *strs)
{
	for (size_t i = 0; i < strs->count; i++)
		free(strs->items[i]);
	free(strs->items);
	strs->items = NULL;
	strs->count = strs->cap = 0;
}

struct strmap_slot {
	char *key;
	uint64_t hash;
	size_t value;
};

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_text(const char *text)
{
	uint64_t hash = 14695981039346656037ULL;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
	return hash;
}

static size_t find_slot(const struct strmap *map, const char *key, uint64_t hash)
{
	size_t i = (size_t)hash & (map->cap - 1);

	while (map->slots[i].key &&
	       (map->slots[i].hash != hash || strcmp(map->slots[i].key, key) != 0))
		i = (i + 1) & (map->cap - 1);
	return i;
}

static int grow(struct strmap *map, struct err *err)
{
	struct strmap bigger = {NULL, map->count, map->cap ? map->cap * 2 : 16};

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return err_nomem(err);
	for (size_t i = 0; i < map->cap; i++) {
		struct strmap_slot *slot = &map->slots[i];

		if (slot->key)
			bigger.slots[find_slot(&bigger, slot->key, slot->hash)] = *slot;
	}
	free(map->slots);
	*map = bigger;
	return 0;
}

int strmap_put(struct strmap *map, const char *key, size_t value, struct err *err)
{
	uint64_t hash = hash_text(key);
	struct strmap_slot *slot;

	if ((map->count + 1) * 4 > map->cap * 3) {
		int rc = grow(map, err);

		if (rc)
			return rc;
	}
	slot = &map->slots[find_slot(map, key, hash)];
	if (!slot->key) {
		slot->key = strdup(key);
		if (!slot->key)
			return err_nomem(err);
		slot->hash = hash;
		map->count++;
	}
	slot->value = value;
	return 0;
}

bool strmap_get(const struct strmap *map, const char *key, size_t *value)
{
	const struct strmap_slot *slot;

	if (!map->cap)
		return false;
	slot = &map->slots[find_slot(map, key, hash_text(key))];
	if (!slot->key)
		return false;
	if (value)
		*value = slot->value;
	return true;
}

void strmap_release(struct strmap *map)
{
	for (size_t i = 0; i < map->cap; i++)
		free(map->slots[i].key);
	free(map->slots);
	map->slots = NULL;
	map->count = map->cap = 0;
}

bool str_starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

bool str_ends(const char *text, const char *suffix)
{
	size_t len = strlen(text), tail = strlen(suffix);

	return len >= tail && !strcmp(text + len - tail, suffix);
}

char *str_vfmt(const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) >= 0)
		return text;
	(void)err_nomem(NULL);
	return NULL;
}

char *str_fmt(const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = str_vfmt(fmt, ap);
	va_end(ap);
	return text;
}

#define NEAREST_MAX 63

static size_t distance(const char *a, const char *b)
{
	size_t row[NEAREST_MAX + 1], lena = strlen(a), lenb = strlen(b);

	if (lena > NEAREST_MAX || lenb > NEAREST_MAX)
		return NEAREST_MAX;
	for (size_t j = 0; j <= lenb; j++)
		row[j] = j;
	for (size_t i = 1; i <= lena; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lenb; j++) {
			size_t swap = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j - 1] + 1 < swap)
				swap = row[j - 1] + 1;
			row[j] = row[j] + 1 < swap ? row[j] + 1 : swap;
		}
	}
	return row[lenb];
}

const char *str_nearest(const char *word, const char *const *items, size_t count)
{
	size_t best = strlen(word) / 2 + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, items[i]);

		if (d < best) {
			best = d;
			nearest = items[i];
		}
	}
	return nearest;
}

void hex_text(char *out, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}
