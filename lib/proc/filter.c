/* SPDX-License-Identifier: PostgreSQL */
#include "proc/filter.h"

#include <string.h>

#define BEGIN	  "-----BEGIN"
#define END	  "-----END"
#define WORD	  "PRIVATEKEY"
#define DASHES	  5
#define LABEL_MAX 96 /* of a header or footer, with colours and wrapping inside */
#define LEAD_MAX  64 /* where in its line a '[' or '*' speaks against a key */
#define RUN_MAX	  40 /* base64 characters in a row that speak for one */

enum state {
	TEXT,	/* nothing, or a part of BEGIN */
	HEADER, /* behind BEGIN: a private key? */
	KEY,	/* inside one */
	FOOTER	/* behind END, up to the closing dashes */
};

enum line {
	LINE_FIRST, /* the rest of the header's own line: it ends no key */
	LINE_HELD,  /* may turn out to be ordinary text */
	LINE_KEY    /* belongs to the key */
};

void filter_init(struct filter *filter, void (*emit)(void *ctx, const char *data, size_t len),
		 void *ctx)
{
	memset(filter, 0, sizeof(*filter));
	filter->emit = emit;
	filter->ctx = ctx;
	filter->state = TEXT;
}

static void give_held(struct filter *filter)
{
	if (filter->held_len)
		filter->emit(filter->ctx, filter->held, filter->held_len);
	filter->held_len = 0;
}

static void drop_held(struct filter *filter)
{
	explicit_bzero(filter->held, sizeof(filter->held));
	filter->held_len = 0;
}

/* How much of marker is matched after c. All markers begin with dashes and have none behind them.
 */
static size_t match(const char *marker, size_t matched, char c)
{
	if (c == marker[matched])
		return matched + 1;
	if (c != '-')
		return 0;
	return matched == DASHES ? DASHES : 1; /* a sixth dash: the last five count */
}

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/' || c == '=';
}

static void enter_text(struct filter *filter)
{
	filter->state = TEXT;
	filter->matched = 0;
}

static void enter_key(struct filter *filter)
{
	drop_held(filter);
	filter->removed++;
	filter->emit(filter->ctx, FILTER_REMOVED, sizeof(FILTER_REMOVED) - 1);
	filter->state = KEY;
	filter->matched = 0;
	filter->line = LINE_FIRST;
	filter->run = 0;
}

static void enter_footer(struct filter *filter)
{
	drop_held(filter);
	filter->state = FOOTER;
	filter->matched = 0;
}

static void text_char(struct filter *filter, char c)
{
	size_t matched = match(BEGIN, filter->matched, c);

	/* What no longer belongs to the match is ordinary text. */
	if (matched <= filter->matched && filter->held_len) {
		size_t keep = matched ? matched - 1 : 0;
		size_t give = filter->held_len > keep ? filter->held_len - keep : 0;

		if (give)
			filter->emit(filter->ctx, filter->held, give);
		memmove(filter->held, filter->held + give, filter->held_len - give);
		filter->held_len -= give;
	}
	filter->matched = matched;
	if (!matched) {
		filter->emit(filter->ctx, &c, 1);
		return;
	}
	filter->held[filter->held_len++] = c;
	if (matched == sizeof(BEGIN) - 1) {
		filter->state = HEADER;
		filter->matched = 0;
		filter->word = 0;
	}
}

/* Letters make the label; a space, a line end in any writing or a colour may lie between them. */
static void header_char(struct filter *filter, char c)
{
	filter->held[filter->held_len++] = c;
	filter->matched = c == '-' ? filter->matched + 1 : 0;
	if (c == WORD[filter->word])
		filter->word++;
	else if (c >= 'A' && c <= 'Z')
		filter->word = c == WORD[0] ? 1 : 0;
	if (filter->word == sizeof(WORD) - 1) {
		enter_key(filter);
	} else if (filter->matched == DASHES) {
		/* Another kind of PEM; its closing dashes may be the first ones of a BEGIN. */
		size_t give = filter->held_len - DASHES;

		filter->emit(filter->ctx, filter->held, give);
		memmove(filter->held, filter->held + give, DASHES);
		filter->held_len = DASHES;
		filter->state = TEXT;
		filter->matched = DASHES;
	} else if (filter->held_len == sizeof(BEGIN) - 1 + LABEL_MAX) {
		give_held(filter);
		enter_text(filter);
	}
}

/* A whole line that cannot belong to a key ends one that was cut short. */
static void key_line_char(struct filter *filter, char c)
{
	if (c == '\n') {
		drop_held(filter);
		filter->line = LINE_HELD;
		filter->run = 0;
		return;
	}
	if (filter->line != LINE_HELD)
		return;
	filter->run = is_base64(c) ? filter->run + 1 : 0;
	if (filter->run >= RUN_MAX || filter->held_len == LEAD_MAX) {
		drop_held(filter);
		filter->line = LINE_KEY;
		return;
	}
	filter->held[filter->held_len++] = c;
	if (c == '*' || (c == '[' && !memchr(filter->held, '\033', filter->held_len))) {
		filter->emit(filter->ctx, "\n", 1);
		give_held(filter);
		enter_text(filter);
	}
}

static void key_char(struct filter *filter, char c)
{
	filter->matched = match(END, filter->matched, c);
	if (filter->matched == sizeof(END) - 1)
		enter_footer(filter);
	else
		key_line_char(filter, c);
}

static void footer_char(struct filter *filter, char c)
{
	filter->matched = c == '-' ? filter->matched + 1 : 0;
	filter->held_len++; /* counts only: nothing of a footer is given out */
	if (filter->matched == DASHES || filter->held_len == LABEL_MAX) {
		filter->held_len = 0;
		enter_text(filter);
	}
}

void filter_feed(struct filter *filter, const char *data, size_t len)
{
	const char *end = data + len;

	while (data < end) {
		if (filter->state == TEXT && !filter->held_len) {
			const char *dash = memchr(data, '-', (size_t)(end - data));
			size_t plain = (size_t)((dash ? dash : end) - data);

			if (plain)
				filter->emit(filter->ctx, data, plain);
			data += plain;
			if (!dash)
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
		}
		data++;
	}
}

void filter_end(struct filter *filter)
{
	if (filter->state == TEXT || filter->state == HEADER)
		give_held(filter);
	drop_held(filter);
	enter_text(filter);
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
