/* SPDX-License-Identifier: PostgreSQL */
/*
 * Another program's output. The text itself: however it is cut, the filter gives the same, and the
 * recap is read. And a key put into the text, in the writings in which Ansible prints one, cut at
 * any place: no run of its base64 passes, neither into the output nor into what is kept of a host.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/filter.h"
#include "proc/recap.h"

#define TEXT_MAX  ((size_t)16 << 20)
#define WIDTH	  64
#define LINES_MAX 8
#define WORDS_MAX 64 /* of a header or footer, encoded */
#define RUN	  16 /* characters of the key that nobody may see */
#define HEAD	  6  /* bytes of the input that choose */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(void *ctx, const char *data, size_t len)
{
	buf_add(ctx, data, len);
}

static void run_filter(struct buf *out, const char *text, size_t len, size_t step)
{
	struct filter filter;

	filter_init(&filter, add, out);
	for (size_t at = 0; at < len; at += step)
		filter_feed(&filter, text + at, len - at < step ? len - at : step);
	filter_end(&filter);
}

static void check_filter(const char *text, size_t len, size_t step)
{
	struct buf whole, cut, colored;
	struct strip strip = {0};

	buf_init(&whole, TEXT_MAX);
	buf_init(&cut, TEXT_MAX);
	buf_init(&colored, TEXT_MAX);
	filter_text(&whole, text, len);
	run_filter(&cut, text, len, step);
	if (cut.len != whole.len || memcmp(cut.data, whole.data, cut.len) != 0)
		abort();
	strip_to_colors(&strip, &colored, text, len);
	if (colored.len > len || memchr(colored.data, '\r', colored.len))
		abort();
	buf_release(&whole);
	buf_release(&cut);
	buf_release(&colored);
}

static void run_recap(struct ansible_result *result, const char *text, size_t len, size_t step)
{
	struct recap recap;
	struct err err;

	recap_init(&recap);
	for (size_t at = 0; at < len; at += step)
		recap_feed(&recap, text + at, len - at < step ? len - at : step);
	recap_end(&recap);
	(void)recap_take(result, &recap, &err);
	recap_release(&recap);
}

static void check_recap(const char *text, size_t len, size_t step)
{
	struct ansible_result result = {0};

	run_recap(&result, text, len, step);
	for (size_t i = 0; i < result.count; i++) {
		if (strlen(result.hosts[i].message) >= ANSIBLE_TEXT_MAX)
			abort();
	}
	ansible_result_release(&result);
}

/* ---- a key in the text */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct body {
	char lines[LINES_MAX][WIDTH + 1];
	size_t count;
};

/*
 * Base64 of nothing, another one for each input: libFuzzer learns what is looked for, and would put
 * it there itself.
 */
static void make_body(struct body *body, const uint8_t *head, const char *text, size_t len)
{
	uint8_t count = head[2], last = head[3];
	uint64_t state = 0xcbf29ce484222325U;

	for (size_t i = 0; i < HEAD + len; i++)
		state = (state ^ (i < HEAD ? head[i] : (uint8_t)text[i - HEAD])) * 0x100000001b3U;
	state |= 1;
	body->count = count % LINES_MAX + 1;
	for (size_t i = 0; i < body->count; i++) {
		size_t width = i + 1 == body->count ? last % WIDTH + 1U : WIDTH;

		for (size_t j = 0; j < width; j++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			body->lines[i][j] = base64[state >> 58];
		}
		body->lines[i][width] = '\0';
	}
}

static void encode(struct buf *out, const char *text, size_t len, size_t width)
{
	size_t column = 0;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (i + j < len ? (unsigned char)text[i + j] : 0U);
		for (size_t j = 0; j < 4; j++) {
			buf_addc(out, i + j > len ? '=' : base64[bits >> (18 - 6 * j) & 63]);
			if (width && ++column % width == 0)
				buf_addc(out, '\n');
		}
	}
}

static const struct {
	const char *separator, *indent;
} writings[] = {
	{"\n", ""},	 {"\\n", ""},	 {"\\\\n", ""},	  {"\r\n", ""},
	{"\\r\\n", ""},	 {"\n", "    "}, {"\n", "> "},	  {"\",\n\"", ""},
	{"\", \"", ""},	 {"', '", ""},	 {"\\n\\\n", ""}, {"\n", "\033[0;31m"},
	{"\\u000a", ""}, {"\n\n", ""},	 {"\n", "+ "},	  {"\\n\" + \"", ""},
};

static const char *const labels[] = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY",
				     "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"};

static void write_key(struct buf *out, const struct body *body, uint8_t writing, uint8_t label)
{
	const size_t count = sizeof(writings) / sizeof(writings[0]);
	const char *separator = writings[writing % count].separator;
	const char *indent = writings[writing % count].indent;
	const char *name = labels[label % (sizeof(labels) / sizeof(labels[0]))];

	buf_addf(out, "-----BEGIN %s-----%s%s", name, separator, indent);
	for (size_t i = 0; i < body->count; i++)
		buf_addf(out, "%s%s%s", body->lines[i], separator, indent);
	/* One in four was cut short. */
	if (label >> 6)
		buf_addf(out, "-----END %s-----", name);
}

/* Whether a run of what was written shows: of lines, or of the encoded whole. */
static bool shows(const char *text, size_t len, const char *written, size_t written_len)
{
	for (size_t at = 0; at + RUN <= written_len; at += RUN / 2) {
		if (memchr(written + at, '\n', RUN))
			continue;
		if (memmem(text, len, written + at, RUN))
			return true;
	}
	return false;
}

static void must_not_show(const char *text, size_t len, const struct body *body,
			  const struct buf *encoded)
{
	for (size_t i = 0; i < body->count; i++) {
		if (shows(text, len, body->lines[i], strlen(body->lines[i])))
			abort();
	}
	/* The words of the header and the footer are nobody's secret. */
	if (encoded->len > 2 * (size_t)WORDS_MAX &&
	    shows(text, len, encoded->data + WORDS_MAX, encoded->len - 2 * (size_t)WORDS_MAX))
		abort();
}

static void check_key(const uint8_t *head, const char *text, size_t len)
{
	size_t before = len ? (size_t)head[1] * 257 % (len + 1) : 0;
	struct ansible_result result = {0};
	struct buf input, key, encoded, out, plain;
	struct strip strip = {0};
	struct body body;

	make_body(&body, head, text, len);
	buf_init(&input, TEXT_MAX);
	buf_init(&key, TEXT_MAX);
	buf_init(&encoded, TEXT_MAX);
	buf_init(&out, TEXT_MAX);
	buf_init(&plain, TEXT_MAX);
	write_key(&key, &body, head[4], head[5]);
	/* One in eight is a file as Ansible's slurp shows it. */
	if ((head[4] >> 5) == 7)
		encode(&encoded, key.data, key.len, head[4] & 1 ? 76 : 0);
	buf_add(&input, text, before);
	buf_add(&input, encoded.len ? encoded.data : key.data, encoded.len ? encoded.len : key.len);
	buf_add(&input, text + before, len - before);
	run_filter(&out, input.data, input.len, head[0] % 50 + 1);
	must_not_show(out.data, out.len, &body, &encoded);
	strip_controls(&strip, &plain, out.data, out.len);
	must_not_show(plain.data, plain.len, &body, &encoded);
	run_recap(&result, plain.data, plain.len, head[0] % 50 + 1);
	for (size_t i = 0; i < result.count; i++)
		must_not_show(result.hosts[i].message, strlen(result.hosts[i].message), &body,
			      &encoded);
	ansible_result_release(&result);
	buf_release(&input);
	buf_release(&key);
	buf_release(&encoded);
	buf_release(&out);
	buf_release(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	check_filter((const char *)data + HEAD, size - HEAD, data[0] % 50 + 1);
	check_recap((const char *)data + HEAD, size - HEAD, data[0] % 50 + 1);
	check_key(data, (const char *)data + HEAD, size - HEAD);
	return 0;
}
