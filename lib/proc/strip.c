/* SPDX-License-Identifier: PostgreSQL */
#include "proc/filter.h"

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

size_t strip_controls(struct strip *strip, char *data, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];
		bool text = strip->state == PLAIN && ((c >= 0x20 && c != 0x7f) || c == '\t');

		strip->state = next_state(strip->state, c);
		/* A sequence never goes beyond its line: a lost end must not eat the rest. */
		if (text || c == '\n')
			data[kept++] = data[i];
	}
	return kept;
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

void strip_to_colors(struct strip *strip, struct buf *out, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];
		bool text = strip->state == PLAIN && ((c >= 0x20 && c != 0x7f) || c == '\t');

		if (ends_color(strip, data[i])) {
			buf_adds(out, "\033[");
			buf_add(out, strip->held, strip->held_len);
			buf_addc(out, 'm');
		}
		strip->state = next_state(strip->state, c);
		if (text || c == '\n')
			buf_addc(out, data[i]);
	}
}
