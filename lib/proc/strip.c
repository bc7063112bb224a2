/* SPDX-License-Identifier: PostgreSQL */
#include "proc/filter.h"

#include "base/utf8.h"

enum strip_state {
	PLAIN,
	ESCAPE,	   /* behind ESC */
	CSI,	   /* up to a byte 0x40..0x7e */
	STRING,	   /* OSC, DCS, SOS, PM, APC: up to BEL or ESC \ */
	STRING_ESC /* behind ESC inside one */
};

static int after_escape(unsigned char c)
{
	if (c == '[')
		return CSI;
	if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
		return STRING;
	/* Intermediate bytes (ESC ( B) go on to a final one. */
	return c >= 0x20 && c <= 0x2f ? ESCAPE : PLAIN;
}

static int next_state(int state, unsigned char c)
{
	if (c == 0x1b)
		return state == STRING || state == STRING_ESC ? STRING_ESC : ESCAPE;
	switch ((enum strip_state)state) {
	case PLAIN:
		return PLAIN;
	case ESCAPE:
		return after_escape(c);
	case CSI:
		return (c >= 0x40 && c <= 0x7e) || c == '\n' ? PLAIN : CSI;
	case STRING:
		return c == 0x07 || c == '\n' ? PLAIN : STRING;
	case STRING_ESC:
		return c == '\\' || c == '\n' ? PLAIN : STRING;
	}
	return PLAIN;
}

/* A character that is whole, or can't be one any more. */
static void end_character(struct strip *strip, struct buf *out)
{
	uint32_t number = 0;

	if (strip->char_len && !utf8_get(&number, strip->bytes, strip->char_len))
		buf_addc(out, '?');
	else if (strip->char_len && !utf8_is_harmful(number))
		buf_add(out, strip->bytes, strip->char_len);
	strip->char_len = 0;
}

/* A byte of text, in whichever read it comes. */
static void add_text(struct strip *strip, struct buf *out, char byte)
{
	unsigned char c = (unsigned char)byte;
	unsigned char first = strip->char_len ? (unsigned char)strip->bytes[0] : c;
	size_t bytes = first < 0xc2   ? 1
		       : first < 0xe0 ? 2
		       : first < 0xf0 ? 3
		       : first < 0xf5 ? 4
				      : 1;

	if (strip->char_len && (c & 0xc0) != 0x80) {
		end_character(strip, out);
		add_text(strip, out, byte);
		return;
	}
	if (c < 0x80) {
		buf_addc(out, byte);
		return;
	}
	strip->bytes[strip->char_len++] = byte;
	if (strip->char_len == bytes)
		end_character(strip, out);
}

/* Whether the sequence that c ends is a colour; keeps its parameters meanwhile. */
static bool ends_color(struct strip *strip, char c)
{
	if (strip->state == ESCAPE)
		strip->held_len = 0;
	if (strip->state != CSI)
		return false;
	if ((c >= '0' && c <= '9') || c == ';') {
		if (strip->held_len < STRIP_SGR_MAX)
			strip->held[strip->held_len] = c;
		strip->held_len++;
		return false;
	}
	if (c != 'm')
		strip->held_len = STRIP_SGR_MAX + 1; /* another sequence, or a private one */
	return c == 'm' && strip->held_len <= STRIP_SGR_MAX;
}

static void strip_text(struct strip *strip, struct buf *out, const char *data, size_t len,
		       bool colors)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];
		bool text = strip->state == PLAIN && ((c >= 0x20 && c != 0x7f) || c == '\t');

		if (!text)
			end_character(strip, out);
		if (colors && ends_color(strip, data[i])) {
			buf_adds(out, "\033[");
			buf_add(out, strip->held, strip->held_len);
			buf_addc(out, 'm');
		}
		strip->state = next_state(strip->state, c);
		/* A sequence never goes beyond its line: a lost end must not eat the rest. */
		if (text)
			add_text(strip, out, data[i]);
		else if (c == '\n')
			buf_addc(out, '\n');
	}
}

void strip_controls(struct strip *strip, struct buf *out, const char *data, size_t len)
{
	strip_text(strip, out, data, len, false);
}

void strip_to_colors(struct strip *strip, struct buf *out, const char *data, size_t len)
{
	strip_text(strip, out, data, len, true);
}
