/* SPDX-License-Identifier: PostgreSQL */
/* Scalars and keys as text: YAML 1.1, chapters 5.7 (escapes), 9.1.2 (double) and 9.3.1 (literal).
 */
#include <stdio.h>
#include <string.h>

#include "inventory/certs_doc.h"

/* The length of the character at text, or 0 where it is not UTF-8 (RFC 3629). */
static size_t decode(const char *text, size_t len, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char)text[0];
	size_t n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;

	if (!n || n > len)
		return 0;
	*out = n == 1 ? c : (uint32_t)(c & (0x7F >> n));
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)text[i] & 0xC0) != 0x80)
			return 0;
		*out = *out << 6 | ((unsigned char)text[i] & 0x3F);
	}
	if (*out < least[n] || *out > 0x10FFFF || (*out >= 0xD800 && *out <= 0xDFFF))
		return 0;
	return n;
}

bool text_is_utf8(const char *text, size_t len)
{
	uint32_t c = 0;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = decode(text + i, len - i, &c);
		if (!n || !c)
			return false;
	}
	return true;
}

bool text_has_template(const char *text, size_t len)
{
	for (const char *at = text; (at = memchr(at, '{', len - (size_t)(at - text))) != NULL;
	     at++) {
		if ((size_t)(at - text) + 1 < len && (at[1] == '{' || at[1] == '%' || at[1] == '#'))
			return true;
	}
	return false;
}

size_t text_span(const char *text, size_t at, size_t end, const char *set)
{
	size_t n = 0;

	while (at + n < end && text[at + n] && strchr(set, text[at + n]))
		n++;
	return n;
}

size_t text_trimmed(const char *text, size_t len)
{
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	return len;
}

size_t text_line_start(const char *text, size_t at)
{
	while (at > 0 && text[at - 1] != '\n' && text[at - 1] != '\r')
		at--;
	return at;
}

size_t text_line_end(const char *text, size_t at, size_t len)
{
	while (at < len && text[at] != '\n' && text[at] != '\r')
		at++;
	return at;
}

size_t text_next_line(const char *text, size_t at, size_t len)
{
	at = text_line_end(text, at, len);
	if (at + 1 < len && text[at] == '\r' && text[at + 1] == '\n')
		at++;
	return at < len ? at + 1 : len;
}

const char *text_eol(const char *text, size_t at, size_t len)
{
	at = text_line_end(text, at, len);
	if (at == len) { /* the last line: as the one before it */
		at = text_line_start(text, len);
		at = at ? at - 1 : len;
		if (at > 0 && at < len && text[at] == '\n' && text[at - 1] == '\r')
			at--;
	}
	if (at == len || text[at] == '\n')
		return "\n";
	return at + 1 < len && text[at + 1] == '\n' ? "\r\n" : "\r";
}

void add_text(struct secret_buf *out, const char *text)
{
	secret_buf_add(out, text, strlen(text));
}

void add_spaces(struct secret_buf *out, size_t count)
{
	static const char blank[] = "                ";

	for (; count > sizeof(blank) - 1; count -= sizeof(blank) - 1)
		add_text(out, blank);
	secret_buf_add(out, blank, count);
}

/* Stands for itself in a scalar of one line. */
static bool is_printable(uint32_t c)
{
	if (c < 0xA0)
		return c == '\t' || (c >= 0x20 && c < 0x7F);
	return c != 0x2028 && c != 0x2029 && c != 0xFEFF && c != 0xFFFE && c != 0xFFFF;
}

static bool fits_literal(const struct form *form, const char *text, size_t len)
{
	bool indicated = strpbrk(form->indicators, "123456789") != NULL;
	size_t first = 0;
	uint32_t c = 0;

	while (first < len && text[first] == '\n')
		first++;
	if (first == len || (!indicated && (text[first] == ' ' || text[first] == '\t')))
		return false;
	for (size_t i = 0; i < len; i += decode(text + i, len - i, &c)) {
		if (text[i] == '\n')
			continue;
		(void)decode(text + i, len - i, &c);
		if (!is_printable(c))
			return false;
	}
	return true;
}

static void add_escaped(struct secret_buf *out, const char *text, size_t len)
{
	size_t done = 0;
	uint32_t c = 0;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		char escape[16];

		n = decode(text + i, len - i, &c);
		if (is_printable(c) && c != '"' && c != '\\' && c != '\t')
			continue;
		secret_buf_add(out, text + done, i - done);
		done = i + n;
		if (c == '\n' || c == '\t' || c == '\r')
			(void)snprintf(escape, sizeof(escape), "\\%c",
				       c == '\n'   ? 'n'
				       : c == '\t' ? 't'
						   : 'r');
		else if (c == '"' || c == '\\')
			(void)snprintf(escape, sizeof(escape), "\\%c", (int)c);
		else
			(void)snprintf(escape, sizeof(escape), c < 0x100 ? "\\x%02x" : "\\u%04x",
				       (unsigned)c);
		add_text(out, escape);
	}
	secret_buf_add(out, text + done, len - done);
}

static void add_lines(struct secret_buf *out, const struct form *form, const char *text, size_t len)
{
	for (size_t at = 0; at <= len;) {
		size_t end = text_line_end(text, at, len);

		add_text(out, form->eol);
		if (end > at) {
			add_spaces(out, form->indent);
			secret_buf_add(out, text + at, end - at);
		}
		at = end + 1;
	}
	if (!strchr(form->indicators, '+'))
		return;
	for (size_t i = 1; i < form->newlines; i++)
		add_text(out, form->eol);
}

void add_value(struct secret_buf *out, const struct form *form, const char *text, size_t len)
{
	len = text_trimmed(text, len);
	secret_buf_add(out, form->properties, form->properties_len);
	if (form->literal && fits_literal(form, text, len)) {
		add_text(out, "|");
		add_text(out, form->indicators);
		secret_buf_add(out, form->rest, form->rest_len);
		add_lines(out, form, text, len);
		return;
	}
	add_text(out, "\"");
	add_escaped(out, text, len);
	for (size_t i = 0; i < form->newlines; i++)
		add_text(out, "\\n");
	add_text(out, "\"");
	secret_buf_add(out, form->rest, form->rest_len);
}

/* Whether a reader of YAML takes the plain text for this very text, anywhere. */
static bool plain_is_safe(const char *name)
{
	static const char more[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
	size_t first = strspn(name, more);

	return first > 0 &&
	       !name[first + strspn(name + first, "-./@ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						  "abcdefghijklmnopqrstuvwxyz0123456789_")] &&
	       yaml_plain_type(name) == YAML_TYPE_STR && strcmp(name, "y") != 0 &&
	       strcmp(name, "n") != 0 && strcmp(name, "Y") != 0 && strcmp(name, "N") != 0;
}

void add_key(struct secret_buf *out, const char *name, enum yaml_style style)
{
	if (style == YAML_STYLE_PLAIN && plain_is_safe(name)) {
		add_text(out, name);
	} else if (style == YAML_STYLE_SINGLE && plain_is_safe(name)) {
		add_text(out, "'");
		add_text(out, name);
		add_text(out, "'");
	} else {
		add_text(out, "\"");
		add_escaped(out, name, strlen(name));
		add_text(out, "\"");
	}
}
