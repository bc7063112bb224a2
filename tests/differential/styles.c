/* SPDX-License-Identifier: PostgreSQL */
/* PEM texts as people and tools leave them. */
#include <stdlib.h>
#include <string.h>

#include "tests/differential/random.h"

#define BEGIN "-----BEGIN "
#define END   "-----END "
#define WIDE  76

const char *style_name(enum text_style style)
{
	static const char *const names[STYLE__MAX] = {
		"plain",      "CR LF",	      "no newline at the end",
		"words",      "dashes",	      "blanks",
		"indented",   "empty lines",  "empty line last",
		"wide lines", "one line",     "X509 CERTIFICATE",
		"TRUSTED",    "a mark first", "a mention of BEGIN",
		"a header",   "glued"};

	return names[style];
}

static bool starts(const char *line, const char *prefix)
{
	return !strncmp(line, prefix, strlen(prefix));
}

static void add_boundary(struct buf *out, const char *line, size_t len, enum text_style style)
{
	size_t head = starts(line, BEGIN) ? strlen(BEGIN) : strlen(END);

	if (!starts(line + head, "CERTIFICATE") ||
	    (style != STYLE_X509_LABEL && style != STYLE_TRUSTED_LABEL)) {
		buf_add(out, line, len);
		return;
	}
	buf_add(out, line, head);
	buf_adds(out, style == STYLE_X509_LABEL ? "X509 " : "TRUSTED ");
	buf_add(out, line + head, len - head);
}

static void add_preamble(struct buf *out, enum text_style style)
{
	if (style == STYLE_WORDS)
		buf_adds(out, "# CN=root: valid for long\n\nCertificate:\n    Data:\n");
	if (style == STYLE_DASHES)
		buf_adds(out, "----- old generation -----\n-----\n");
	if (style == STYLE_BYTE_ORDER_MARK)
		buf_adds(out, "\xef\xbb\xbf");
	if (style == STYLE_MENTION)
		buf_adds(out, "# what follows " BEGIN "CERTIFICATE----- is ours\n");
}

/* Base64 anew; at is how much is on the line so far. */
static void add_base64(struct buf *out, const char *line, size_t len, enum text_style style,
		       size_t *at)
{
	for (size_t i = 0; i < len; i++) {
		if (style == STYLE_WIDE && *at == WIDE) {
			buf_addc(out, '\n');
			*at = 0;
		}
		buf_addc(out, line[i]);
		(*at)++;
	}
}

static void add_line(struct buf *out, const char *line, size_t len, enum text_style style,
		     size_t *at)
{
	bool begin = starts(line, BEGIN), end = starts(line, END);
	bool rewrap = style == STYLE_WIDE || style == STYLE_ONE_LINE;

	if (rewrap && !begin && !end) {
		add_base64(out, line, len, style, at);
		return;
	}
	if (end && rewrap)
		buf_addc(out, '\n');
	if (end && style == STYLE_EMPTY_LINE_LAST)
		buf_addc(out, '\n');
	if (begin && style == STYLE_EMPTY_LINES)
		buf_adds(out, "\n \n");
	if (style == STYLE_INDENTED)
		buf_adds(out, "  ");
	if (begin || end)
		add_boundary(out, line, len, style);
	else
		buf_add(out, line, len);
	if (style == STYLE_BLANKS_AT_END)
		buf_adds(out, " \t");
	buf_adds(out, style == STYLE_DOS ? "\r\n" : "\n");
	if (begin && style == STYLE_HEADER)
		buf_adds(out, "Subject: root\n\n");
	*at = 0;
}

static void glue(char *text)
{
	char *at = strstr(text, "-----\n-----");

	if (at)
		memmove(at + 5, at + 6, strlen(at + 6) + 1);
}

char *restyled(char *text, enum text_style style)
{
	struct buf buf;
	size_t at = 0;
	char *out;

	buf_init(&buf, BUF_TEXT_MAX);
	add_preamble(&buf, style);
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		add_line(&buf, line, len, style, &at);
		line += len + (line[len] == '\n');
	}
	free(text);
	out = buf_detach(&buf);
	if (!out)
		exit(2);
	if (style == STYLE_NO_LAST_NEWLINE && *out)
		out[strlen(out) - 1] = '\0';
	if (style == STYLE_GLUED)
		glue(out);
	return out;
}
