/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/wrap.h"

#include <stdbool.h>
#include <string.h>

size_t wrap_color_len(const char *text)
{
	size_t len = 2;

	if (text[0] != '\033' || text[1] != '[')
		return 0;
	len += strspn(text + 2, "0123456789;");
	return text[len] == 'm' ? len + 1 : 0;
}

/* The columns of the first len bytes: a character of UTF-8 counts as one. */
static size_t width_of(const char *text, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len;) {
		size_t color = wrap_color_len(text + i);

		if (!color)
			width += ((unsigned char)text[i] & 0xc0) != 0x80;
		i += color ? color : 1;
	}
	return width;
}

static void wrap_line(struct buf *out, const char *line, size_t len, size_t width, size_t indent)
{
	size_t column = 0, at = 0;

	while (at < len) {
		size_t spaces = strspn(line + at, " ");
		size_t word;

		spaces = spaces < len - at ? spaces : len - at;
		word = strcspn(line + at + spaces, " \n");
		/* The indentation that the line itself begins with is no place to break at. */
		if (column && spaces && word &&
		    column + spaces + width_of(line + at + spaces, word) > width) {
			buf_addf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else {
			buf_add(out, line + at, spaces);
			column += spaces;
		}
		buf_add(out, line + at + spaces, word);
		column += width_of(line + at + spaces, word);
		at += spaces + word;
	}
}

void wrap_add(struct buf *out, const char *text, size_t width, size_t indent)
{
	/* Where there is hardly room the terminal breaks lines as well as anybody. */
	if (width < indent + 20) {
		buf_adds(out, text);
		return;
	}
	while (*text) {
		size_t len = strcspn(text, "\n");

		wrap_line(out, text, len, width, indent);
		text += len;
		if (*text == '\n') {
			buf_addc(out, '\n');
			text++;
		}
	}
}
