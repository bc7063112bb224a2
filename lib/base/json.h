/* SPDX-License-Identifier: PostgreSQL */
/*
 * JSON values (RFC 8259) over Jansson. A value is reference counted: js_parse and js_new_* give
 * one that the caller owns (js_free), js_get and js_at lend, js_set and js_push take over what
 * they are given (also when they fail, and a NULL value makes them fail). Duplicate keys are
 * refused when parsing. Object keys keep the order in which they were set.
 *
 * Building is sticky, as a buffer's is: a value that there was no memory for is missing, and from
 * then on js_dump refuses every text of this process (err_ailment). So a document is built without
 * a check on each line, and none is ever written that lacks something.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

struct json;

/* name is for the message: "state.json:12: …". The text is at most 16 MiB. */
int js_parse(struct json **out, const char *text, size_t len, const char *name, struct err *err);
/* pretty: two spaces of indentation and a newline at the end; else one line without a newline. */
int js_dump(struct buf *out, const struct json *value, bool pretty, struct err *err);
/* Replaces a file of mode 0600 with the text of js_dump, durably (file_replace); ERR_FAIL for more
 * than max bytes. */
int js_save(const char *path, const struct json *value, bool pretty, size_t max, struct err *err);
/* One line without blanks, the keys in byte order: equal values give equal texts. */
int js_dump_sorted(struct buf *out, const struct json *value, struct err *err);

struct json *js_new_object(void);
struct json *js_new_array(void);
struct json *js_new_string(const char *text); /* bytes that are not UTF-8 become '?' */
struct json *js_new_int(int64_t value);
struct json *js_new_bool(bool value);
struct json *js_new_null(void);
struct json *js_copy(const struct json *value); /* deep */
/* Another object with the same members, not copied: neither may change while both are there. */
struct json *js_copy_members(const struct json *object);
void js_free(struct json *value);

int js_set(struct json *object, const char *key, struct json *value);
int js_set_str(struct json *object, const char *key, const char *text); /* NULL becomes null */
int js_set_int(struct json *object, const char *key, int64_t value);
int js_set_bool(struct json *object, const char *key, bool value);
void js_del(struct json *object, const char *key);
int js_push(struct json *array, struct json *value);
int js_push_str(struct json *array, const char *text);

bool js_is_object(const struct json *value);
bool js_is_array(const struct json *value);
bool js_is_string(const struct json *value);
bool js_is_null(const struct json *value); /* JSON's null; not NULL */
bool js_is_int(const struct json *value);
bool js_equal(const struct json *a, const struct json *b);

/* NULL where value is no object or has no such key. */
struct json *js_get(const struct json *object, const char *key);
/* The string at key, or fallback where there is none. */
const char *js_str(const struct json *object, const char *key, const char *fallback);
int64_t js_int(const struct json *object, const char *key, int64_t fallback);
bool js_bool(const struct json *object, const char *key, bool fallback);
const char *js_string_value(const struct json *value); /* NULL where it is no string */
int64_t js_int_value(const struct json *value);	       /* 0 where it is no integer */
size_t js_count(const struct json *array);	       /* members of an array or object */
struct json *js_at(const struct json *array, size_t index);
/* The keys of an object, in their order: each returns NULL at the end. */
const char *js_first_key(const struct json *object);
const char *js_next_key(const struct json *object, const char *key);

#endif
