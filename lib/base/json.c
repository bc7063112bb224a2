/* SPDX-License-Identifier: PostgreSQL */
#include "base/json.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

#define TEXT_MAX ((size_t)16 << 20)

/* struct json is never defined: a pointer to it is Jansson's pointer under our name. */
static json_t *in(const struct json *value)
{
	return (json_t *)(uintptr_t)value;
}

static struct json *wrap(json_t *value)
{
	return (struct json *)value;
}

/* A value that is missing has no place to say so. */
static struct json *made(json_t *value)
{
	if (!value)
		(void)err_nomem(NULL);
	return wrap(value);
}

/* Jansson reports a refusal as what it makes of half a text, or not at all. */
static void *told_malloc(size_t size)
{
	void *data = malloc(size);

	if (!data)
		(void)err_nomem(NULL);
	return data;
}

/* Here, because no value is copied or read without one that was parsed or made. */
static void watch_memory(void)
{
	static atomic_flag watched = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&watched))
		json_set_alloc_funcs(told_malloc, free);
}

int js_parse(struct json **out, const char *text, size_t len, const char *name, struct err *err)
{
	json_error_t error;
	json_t *value;

	*out = NULL;
	if (len > TEXT_MAX)
		return err_set(err, ERR_FAIL, "%s is larger than %zu bytes", name, TEXT_MAX);
	watch_memory();
	value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!value && err_starved())
		return err_nomem_for(err, name);
	if (!value)
		return err_set(err, ERR_FAIL, "%s:%d: not valid JSON: %s", name,
			       error.line > 0 ? error.line : 1, error.text);
	*out = wrap(value);
	return 0;
}

static int add_chunk(const char *data, size_t len, void *ctx)
{
	struct buf *out = ctx;

	buf_add(out, data, len);
	return out->failed ? -1 : 0;
}

static void add_ascii(struct buf *out, uint32_t number)
{
	if (number > 0xffff)
		buf_addf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((number - 0x10000) >> 10)),
			 (unsigned)(0xdc00 + ((number - 0x10000) & 0x3ff)));
	else
		buf_addf(out, "\\u%04x", (unsigned)number);
}

/* Jansson leaves what a terminal would act on in strings, but for C0 controls. */
static void add_harmless(struct buf *out, const char *text, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i < len;) {
		uint32_t number = 0;
		size_t bytes = utf8_get(&number, text + i, len - i);

		if (bytes && number >= 0x7f && utf8_is_harmful(number)) {
			buf_add(out, text + start, i - start);
			add_ascii(out, number);
			start = i + bytes;
		}
		i += bytes ? bytes : 1;
	}
	buf_add(out, text + start, len - start);
}

static int dump(struct buf *out, const struct json *value, size_t flags, struct err *err)
{
	struct buf text;
	int rc = 0;

	if (err_ailment())
		return err_ailed(err);
	buf_init(&text, out->max);
	if (json_dump_callback(in(value), add_chunk, &text, flags | JSON_ENCODE_ANY) < 0)
		rc = text.failed ? buf_check(&text, "JSON", err) : err_nomem(err);
	else
		add_harmless(out, text.data, text.len);
	buf_release(&text);
	return rc ? rc : buf_check(out, "JSON", err);
}

int js_dump(struct buf *out, const struct json *value, bool pretty, struct err *err)
{
	int rc = dump(out, value, pretty ? JSON_INDENT(2) : JSON_COMPACT, err);

	if (rc || !pretty)
		return rc;
	buf_addc(out, '\n');
	return buf_check(out, "JSON", err);
}

int js_save(const char *path, const struct json *value, bool pretty, size_t max, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, max);
	rc = js_dump(&text, value, pretty, err);
	rc = rc ? rc : file_replace(path, NULL, text.data, text.len, 0600, err);
	buf_release(&text);
	return rc;
}

int js_dump_sorted(struct buf *out, const struct json *value, struct err *err)
{
	return dump(out, value, JSON_COMPACT | JSON_SORT_KEYS, err);
}

struct json *js_new_object(void)
{
	watch_memory();
	return made(json_object());
}

struct json *js_new_array(void)
{
	watch_memory();
	return made(json_array());
}

struct json *js_new_string(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value)
		return wrap(value);
	copy = strdup(text);
	if (!copy)
		return made(NULL);
	for (char *at = copy, *end = copy + strlen(copy); at < end;) {
		uint32_t number;
		size_t bytes = utf8_get(&number, at, (size_t)(end - at));

		if (!bytes)
			*at = '?';
		at += bytes ? bytes : 1;
	}
	value = json_string(copy);
	free(copy);
	return made(value);
}

struct json *js_new_int(int64_t value)
{
	return made(json_integer(value));
}

struct json *js_new_bool(bool value)
{
	return wrap(json_boolean(value));
}

struct json *js_new_null(void)
{
	return wrap(json_null());
}

struct json *js_copy(const struct json *value)
{
	return value ? made(json_deep_copy(in(value))) : NULL;
}

struct json *js_copy_members(const struct json *object)
{
	return object ? made(json_copy(in(object))) : NULL;
}

void js_free(struct json *value)
{
	json_decref(in(value));
}

int js_set(struct json *object, const char *key, struct json *value)
{
	if (!json_object_set_new(in(object), key, in(value)))
		return 0;
	if (value && json_is_object(in(object)))
		(void)err_nomem(NULL);
	return ERR_FAIL;
}

int js_set_str(struct json *object, const char *key, const char *text)
{
	return js_set(object, key, text ? js_new_string(text) : js_new_null());
}

int js_set_int(struct json *object, const char *key, int64_t value)
{
	return js_set(object, key, js_new_int(value));
}

int js_set_bool(struct json *object, const char *key, bool value)
{
	return js_set(object, key, js_new_bool(value));
}

void js_del(struct json *object, const char *key)
{
	(void)json_object_del(in(object), key);
}

int js_push(struct json *array, struct json *value)
{
	if (!json_array_append_new(in(array), in(value)))
		return 0;
	if (value && json_is_array(in(array)))
		(void)err_nomem(NULL);
	return ERR_FAIL;
}

int js_push_str(struct json *array, const char *text)
{
	return js_push(array, js_new_string(text));
}

bool js_is_object(const struct json *value)
{
	return json_is_object(in(value));
}

bool js_is_array(const struct json *value)
{
	return json_is_array(in(value));
}

bool js_is_string(const struct json *value)
{
	return json_is_string(in(value));
}

bool js_is_null(const struct json *value)
{
	return json_is_null(in(value));
}

bool js_is_int(const struct json *value)
{
	return json_is_integer(in(value));
}

bool js_equal(const struct json *a, const struct json *b)
{
	return json_equal(in(a), in(b)) != 0;
}

struct json *js_get(const struct json *object, const char *key)
{
	return wrap(json_object_get(in(object), key));
}

const char *js_str(const struct json *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(in(object), key));

	return text ? text : fallback;
}

int64_t js_int(const struct json *object, const char *key, int64_t fallback)
{
	json_t *value = json_object_get(in(object), key);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool js_bool(const struct json *object, const char *key, bool fallback)
{
	json_t *value = json_object_get(in(object), key);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

const char *js_string_value(const struct json *value)
{
	return json_string_value(in(value));
}

int64_t js_int_value(const struct json *value)
{
	return json_integer_value(in(value));
}

size_t js_count(const struct json *array)
{
	return json_is_object(in(array)) ? json_object_size(in(array)) : json_array_size(in(array));
}

struct json *js_at(const struct json *array, size_t index)
{
	return wrap(json_array_get(in(array), index));
}

const char *js_first_key(const struct json *object)
{
	return json_object_iter_key(json_object_iter(in(object)));
}

const char *js_next_key(const struct json *object, const char *key)
{
	return json_object_iter_key(
		json_object_iter_next(in(object), json_object_iter_at(in(object), key)));
}
