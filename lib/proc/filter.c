/* SPDX-License-Identifier: PostgreSQL */
#include "proc/filter.h"

#include <string.h>

#include "secret/arena.h"

#define END	  "-----END"
#define LABEL	  "PRIVATEKEY"
#define DASHES	  5
#define LABEL_MAX 96 /* of a header or footer, with colours and wrapping inside */
#define RUN_MAX	  40 /* base64 characters in a row that speak for a key */
#define WIDTH_MIN 60 /* base64 goes on in the next line only behind a line of this length */

enum state {
	TEXT,	/* nothing, or a part of an opening marker */
	HEADER, /* behind BEGIN: of a private key? */
	KEY,	/* inside one */
	FOOTER, /* behind END, up to the closing dashes */
	BASE64	/* inside an encoded PEM file */
};

enum line {
	LINE_KEY,  /* belongs to the key */
	LINE_HELD, /* may turn out to be ordinary text */
	LINE_TEXT  /* looks like it, if nothing follows that looks like a key */
};

/* A warning is wrapped to the screen's width, even between the dashes and the word. */
static const char *const markers[] = {"-----BEGIN", "BEGIN",
				      /* "-----BEGIN" in base64, in each of the three alignments */
				      "LS0tLS1CRUdJTi", "LS0tQkVHSU4", "LS0tLUJFR0lO"};

#define FIRST_ENCODED 2

void filter_init(struct filter *filter, void (*emit)(void *ctx, const char *data, size_t len),
		 void *ctx)
{
	memset(filter, 0, sizeof(*filter));
	filter->emit = emit;
	filter->ctx = ctx;
	filter->state = TEXT;
}

void filter_hide(struct filter *filter, const struct secret *secret)
{
	filter->secret = secret && secret->len ? secret : NULL;
	filter->secret_at = 0;
}

/* The longest beginning of the secret in which its first len bytes, followed by c, end. */
static size_t fall_back(const struct secret *secret, size_t len, char c)
{
	for (size_t next = len; next > 0; next--) {
		if (secret->data[next - 1] == c &&
		    !memcmp(secret->data, secret->data + len - (next - 1), next - 1))
			return next;
	}
	return 0;
}

/* What is held back of a secret is its own beginning, so it needs no copy. */
static void emit_hiding(struct filter *filter, const char *data, size_t len)
{
	const struct secret *secret = filter->secret;

	for (const char *end = data + len; data < end; data++) {
		size_t at = filter->secret_at, next;

		if (!at && *data != secret->data[0]) {
			const char *first = memchr(data, secret->data[0], (size_t)(end - data));
			size_t plain = (size_t)((first ? first : end) - data);

			filter->emit(filter->ctx, data, plain);
			data += plain - 1;
			continue;
		}
		next = *data == secret->data[at] ? at + 1 : fall_back(secret, at, *data);
		/* What cannot be a part of it any more is given out. */
		if (next <= at)
			filter->emit(filter->ctx, secret->data, next ? at + 1 - next : at);
		if (!next)
			filter->emit(filter->ctx, data, 1);
		filter->secret_at = next;
		if (next == secret->len) {
			filter->emit(filter->ctx, FILTER_HIDDEN, sizeof(FILTER_HIDDEN) - 1);
			filter->secret_at = 0;
		}
	}
}

static void emit(struct filter *filter, const char *data, size_t len)
{
	if (filter->secret)
		emit_hiding(filter, data, len);
	else
		filter->emit(filter->ctx, data, len);
}

/* The first len of the held bytes are ordinary text. */
static void give_held(struct filter *filter, size_t len)
{
	if (!len)
		return;
	emit(filter, filter->held, len);
	filter->held_len -= len;
	memmove(filter->held, filter->held + len, filter->held_len);
}

static void drop_held(struct filter *filter)
{
	explicit_bzero(filter->held, sizeof(filter->held));
	filter->held_len = 0;
}

/* Back to ordinary text; what was held from there on is looked at again, it may open a key. */
static void look_again(struct filter *filter)
{
	char held[FILTER_HOLD];
	size_t len = filter->held_len;

	memcpy(held, filter->held, len);
	drop_held(filter);
	filter->state = TEXT;
	filter_feed(filter, held, len);
	explicit_bzero(held, sizeof(held));
}

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/' || c == '=';
}

static void remove_key(struct filter *filter, enum state state)
{
	drop_held(filter);
	filter->removed++;
	emit(filter, FILTER_REMOVED, sizeof(FILTER_REMOVED) - 1);
	filter->state = (int)state;
	filter->line = LINE_KEY;
	filter->dashes = filter->matched = filter->run = 0;
}

/* Whether text is the beginning of a marker: the marker's index, or -1. */
static int begins_marker(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
		if (strncmp(markers[i], text, len) == 0)
			return (int)i;
	}
	return -1;
}

static void text_char(struct filter *filter, char c)
{
	size_t start = 0;
	int marker = -1;

	filter->held[filter->held_len++] = c;
	while (start < filter->held_len) {
		marker = begins_marker(filter->held + start, filter->held_len - start);
		if (marker >= 0)
			break;
		start++;
	}
	give_held(filter, start);
	if (marker < 0 || filter->held_len < strlen(markers[marker]))
		return;
	if (marker >= FIRST_ENCODED) {
		remove_key(filter, BASE64);
		return;
	}
	filter->state = HEADER;
	filter->dashes = filter->matched = 0;
}

/* No header of a key: the word is given out, and what follows it may hold another marker. */
static void no_header(struct filter *filter)
{
	give_held(filter, filter->held[0] == '-' ? sizeof("-----BEGIN") - 1 : sizeof("BEGIN") - 1);
	look_again(filter);
}

/*
 * Capital letters make the label; spaces, line ends in any writing and colours may lie between
 * them. Other kinds of PEM, and text that happens to hold the word, are given out.
 */
static void header_char(struct filter *filter, char c)
{
	size_t word = filter->held[0] == '-' ? sizeof("-----BEGIN") - 1 : sizeof("BEGIN") - 1;

	filter->held[filter->held_len++] = c;
	filter->dashes = c == '-' ? filter->dashes + 1 : 0;
	if (c == LABEL[filter->matched])
		filter->matched++;
	else if (c >= 'A' && c <= 'Z')
		filter->matched = c == LABEL[0] ? 1 : 0;
	if (filter->matched == sizeof(LABEL) - 1) {
		remove_key(filter, KEY);
	} else if (filter->dashes == DASHES || filter->held_len == word + LABEL_MAX) {
		/* The closing dashes may be the first ones of the next header. */
		no_header(filter);
	}
}

static bool speaks_against_key(const struct filter *filter, char c)
{
	char before = filter->held_len ? filter->held[filter->held_len - 1] : '\0';

	return (c == '[' && (before == ' ' || before == '\0')) || (c == '*' && before == '*');
}

/* A whole line that cannot belong to a key ends one that was cut short. */
static void key_line_char(struct filter *filter, char c)
{
	filter->run = is_base64(c) ? filter->run + 1 : 0;
	if (filter->line != LINE_KEY && filter->run < RUN_MAX) {
		if (speaks_against_key(filter, c))
			filter->line = LINE_TEXT;
		filter->held[filter->held_len++] = c;
		if (filter->line == LINE_TEXT && (c == '\n' || filter->held_len == FILTER_HOLD)) {
			emit(filter, "\n", 1);
			look_again(filter);
			return;
		}
	}
	if (filter->run >= RUN_MAX || filter->held_len == FILTER_HOLD) {
		drop_held(filter);
		filter->line = LINE_KEY;
	}
	if (c == '\n') {
		drop_held(filter);
		filter->line = LINE_HELD;
	}
}

static void key_char(struct filter *filter, char c)
{
	if (c == END[filter->matched])
		filter->matched++;
	else if (filter->matched != DASHES || (c != '-' && c != '\n'))
		filter->matched = c == '-' ? 1 : 0;
	if (filter->matched < sizeof(END) - 1) {
		key_line_char(filter, c);
		return;
	}
	drop_held(filter);
	filter->state = FOOTER;
	filter->dashes = filter->matched = 0;
}

/* Where a whole marker begins in the held bytes, or at their end a part of one; else their number.
 */
static size_t find_marker(const struct filter *filter)
{
	size_t at = 0;

	for (; at < filter->held_len; at++) {
		if (begins_marker(filter->held + at, filter->held_len - at) >= 0)
			break;
		for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
			size_t len = strlen(markers[i]);

			if (filter->held_len - at >= len &&
			    memcmp(filter->held + at, markers[i], len) == 0)
				return at;
		}
	}
	return at;
}

/* Behind one that was cut short the next key may begin. */
static void footer_char(struct filter *filter, char c)
{
	size_t marker;

	filter->held[filter->held_len++] = c;
	filter->dashes = c == '-' ? filter->dashes + 1 : 0;
	if (filter->dashes < DASHES && c != '\n' && filter->held_len < LABEL_MAX)
		return;
	if (filter->dashes == DASHES)
		filter->held_len -= DASHES;
	marker = find_marker(filter);
	if (marker < filter->held_len) {
		if (filter->dashes == DASHES)
			filter->held_len += DASHES;
		filter->held_len -= marker;
		memmove(filter->held, filter->held + marker, filter->held_len);
		look_again(filter);
		return;
	}
	drop_held(filter);
	filter->state = TEXT;
	if (c == '\n')
		emit(filter, "\n", 1);
}

static void base64_char(struct filter *filter, char c)
{
	bool goes_on = c == '\n' && filter->run >= WIDTH_MIN;

	filter->run = c == '\n' ? 0 : filter->run + 1;
	if (goes_on || is_base64(c) || c == '\\' || c == '\r')
		return;
	filter->state = TEXT;
	text_char(filter, c);
}

/* How many bytes cannot begin a marker. */
static size_t plain_len(const char *data, size_t len)
{
	size_t i = 0;

	while (i < len && data[i] != '-' && data[i] != 'B' && data[i] != 'L')
		i++;
	return i;
}

void filter_feed(struct filter *filter, const char *data, size_t len)
{
	const char *end = data + len;

	while (data < end) {
		if (filter->state == TEXT && !filter->held_len) {
			size_t plain = plain_len(data, (size_t)(end - data));

			if (plain)
				emit(filter, data, plain);
			data += plain;
			if (data == end)
				return;
		}
		switch ((enum state)filter->state) {
		case TEXT:
			text_char(filter, *data);
			break;
		case HEADER:
			header_char(filter, *data);
			break;
		case KEY:
			key_char(filter, *data);
			break;
		case FOOTER:
			footer_char(filter, *data);
			break;
		case BASE64:
			base64_char(filter, *data);
			break;
		}
		data++;
	}
}

void filter_end(struct filter *filter)
{
	if (filter->state == KEY && filter->line == LINE_TEXT) {
		emit(filter, "\n", 1);
		look_again(filter);
	}
	while (filter->state == HEADER)
		no_header(filter);
	if (filter->state == TEXT)
		give_held(filter, filter->held_len);
	drop_held(filter);
	filter->state = TEXT;
	if (filter->secret_at)
		filter->emit(filter->ctx, filter->secret->data, filter->secret_at);
	filter->secret_at = 0;
}

static void add_to_buf(void *ctx, const char *data, size_t len)
{
	buf_add(ctx, data, len);
}

void filter_text(struct buf *out, const char *data, size_t len)
{
	struct filter filter;

	filter_init(&filter, add_to_buf, out);
	filter_feed(&filter, data, len);
	filter_end(&filter);
}
