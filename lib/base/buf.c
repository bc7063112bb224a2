/* SPDX-License-Identifier: PostgreSQL */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/huge.h"
#include "base/utf8.h"

static char empty[1] = "";

void buf_init(struct buf *buf, size_t max)
{
	buf->data = empty;
	buf->len = 0;
	buf->cap = 0;
	buf->max = max;
	buf->failed = false;
	buf->nomem = false;
}

void buf_release(struct buf *buf)
{
	if (buf->cap)
		free(buf->data);
	buf_init(buf, buf->max);
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	buf->nomem = false;
	if (buf->cap)
		buf->data[0] = '\0';
}

static bool set_cap(struct buf *buf, size_t cap)
{
	char *data = realloc(buf->cap ? buf->data : NULL, cap);

	if (!data) {
		buf->failed = true;
		buf->nomem = true;
		(void)err_nomem(NULL);
		return false;
	}
	buf->data = data;
	buf->cap = cap;
	huge_pages(data, cap);
	return true;
}

static bool reserve(struct buf *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : 256;

	if (buf->failed || more > buf->max - buf->len) {
		buf->failed = true;
		return false;
	}
	if (buf->len + more + 1 <= buf->cap)
		return true;
	/* What is added to nothing is most often all there is: no more than that. */
	if (!buf->cap && more >= cap)
		cap = more + 1;
	while (cap < buf->len + more + 1)
		cap *= 2;
	return set_cap(buf, cap);
}

void buf_reserve(struct buf *buf, size_t more)
{
	if (buf->failed)
		return;
	if (more > buf->max - buf->len)
		more = buf->max - buf->len;
	if (buf->len + more + 1 > buf->cap)
		(void)set_cap(buf, buf->len + more + 1);
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (!len || !reserve(buf, len))
		return;
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_adds(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_addc(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list ap, again;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0) {
		buf->failed = true;
	} else if (len > 0 && reserve(buf, (size_t)len)) {
		(void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
		buf->len += (size_t)len;
	}
	va_end(again);
}

static void add_escaped(struct buf *buf, const char *text, size_t bytes, uint32_t number)
{
	if (bytes && number > 0xff)
		buf_addf(buf, "\\u%04x", (unsigned)number);
	else
		buf_addf(buf, "\\x%02x", bytes ? (unsigned)number : (unsigned char)text[0]);
}

void buf_add_safe(struct buf *buf, const char *text, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i < len;) {
		uint32_t number = 0;
		size_t bytes;

		if (text[i] >= ' ' && text[i] < 0x7f) {
			i++;
			continue;
		}
		bytes = utf8_get(&number, text + i, len - i);
		if (!bytes || utf8_is_harmful(number)) {
			buf_add(buf, text + start, i - start);
			add_escaped(buf, text + i, bytes, number);
			start = i + (bytes ? bytes : 1);
		}
		i += bytes ? bytes : 1;
	}
	buf_add(buf, text + start, len - start);
}

int buf_check(const struct buf *buf, const char *what, struct err *err)
{
	if (!buf->failed)
		return 0;
	if (!buf->nomem)
		return err_set(err, ERR_FAIL, "%s is larger than %zu bytes", what, buf->max);
	return err_nomem_for(err, what);
}

char *buf_detach(struct buf *buf)
{
	char *data;

	if (buf->failed)
		return NULL;
	data = buf->cap ? buf->data : calloc(1, 1);
	if (!data)
		(void)err_nomem(NULL);
	buf_init(buf, buf->max);
	return data;
}
