/* SPDX-License-Identifier: PostgreSQL */
#include "vault/envelope.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/strs.h"

#define MAGIC	     "$ANSIBLE_VAULT"
#define MAGIC_LEN    (sizeof(MAGIC) - 1)
#define COLUMNS	     ((size_t)80)
#define CIPHER_BLOCK ((size_t)16)
#define BREAK	     "0a" /* the line end between two sections, in hex */

enum section { SECTION_SALT, SECTION_HMAC, SECTION_BODY };

struct decoder {
	struct envelope *envelope;
	size_t body_cap;
	enum section section;
	int outer; /* the first digit of a pair, or -1 */
	int inner;
	size_t count; /* bytes of this section */
	/* By two digits as they stand in the file: the digit that they are the hex of; 0: none. */
	unsigned char digits[1 << 16];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_blanks(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len && is_blank(text[at]))
		at++;
	return at;
}

bool vault_is(const char *text, size_t len)
{
	size_t at = skip_blanks(text, len);

	return len - at >= MAGIC_LEN && memcmp(text + at, MAGIC, MAGIC_LEN) == 0;
}

#define IS_HEX 0x10 /* set for each digit, so that many are judged at once */

static const unsigned char hex_values[256] = {
	['0'] = IS_HEX | 0,  ['1'] = IS_HEX | 1,  ['2'] = IS_HEX | 2,  ['3'] = IS_HEX | 3,
	['4'] = IS_HEX | 4,  ['5'] = IS_HEX | 5,  ['6'] = IS_HEX | 6,  ['7'] = IS_HEX | 7,
	['8'] = IS_HEX | 8,  ['9'] = IS_HEX | 9,  ['a'] = IS_HEX | 10, ['b'] = IS_HEX | 11,
	['c'] = IS_HEX | 12, ['d'] = IS_HEX | 13, ['e'] = IS_HEX | 14, ['f'] = IS_HEX | 15,
	['A'] = IS_HEX | 10, ['B'] = IS_HEX | 11, ['C'] = IS_HEX | 12, ['D'] = IS_HEX | 13,
	['E'] = IS_HEX | 14, ['F'] = IS_HEX | 15,
};

static int hex_value(unsigned char c)
{
	return hex_values[c] ? hex_values[c] & 15 : -1;
}

/* The next field of the header without the blanks around it; false at the end. */
static bool next_field(const char **at, const char *end, const char **field, size_t *len)
{
	const char *stop;

	if (!*at)
		return false;
	stop = memchr(*at, ';', (size_t)(end - *at));
	*field = *at;
	*len = (size_t)((stop ? stop : end) - *at);
	*at = stop ? stop + 1 : NULL;
	while (*len && is_blank((*field)[0])) {
		(*field)++;
		(*len)--;
	}
	while (*len && is_blank((*field)[*len - 1]))
		(*len)--;
	return true;
}

static bool field_is(const char *field, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(field, text, len) == 0;
}

static int parse_label(struct envelope *out, const char *field, size_t len, const char *name,
		       struct err *err)
{
	if (len >= sizeof(out->label))
		return err_set(err, ERR_FAIL, "%s: the vault's label is longer than %zu bytes",
			       name, sizeof(out->label) - 1);
	for (size_t i = 0; i < len; i++)
		if (field[i] < ' ' || field[i] > '~')
			return err_set(err, ERR_FAIL,
				       "%s: the vault's label holds other than ASCII characters",
				       name);
	memcpy(out->label, field, len);
	out->label[len] = '\0';
	return 0;
}

static int parse_header(struct envelope *out, const char *line, size_t len, const char *name,
			struct err *err)
{
	const char *at = line;
	const char *field = NULL;
	size_t n = 0;

	(void)next_field(&at, line + len, &field, &n);
	if (!field_is(field, n, MAGIC))
		return err_set(err, ERR_FAIL, "%s: not an Ansible vault", name);
	if (!next_field(&at, line + len, &field, &n) ||
	    (!field_is(field, n, "1.1") && !field_is(field, n, "1.2"))) {
		(void)err_set(err, ERR_FAIL, "%s: unsupported vault version (1.1 and 1.2 are read)",
			      name);
		return err_hint(err, "ansible-vault rekey writes it in a current format");
	}
	if (!next_field(&at, line + len, &field, &n) || !field_is(field, n, "AES256")) {
		(void)err_set(err, ERR_FAIL, "%s: unsupported vault cipher (AES256 is read)", name);
		return err_hint(err, "ansible-vault rekey writes it in a current format");
	}
	if (next_field(&at, line + len, &field, &n))
		return parse_label(out, field, n, name, err);
	return 0;
}

/* One byte of a section. False where there is no room: the text cannot be a vault's. */
static bool put_byte(struct decoder *d, unsigned char byte)
{
	struct envelope *e = d->envelope;

	switch (d->section) {
	case SECTION_SALT:
		if (d->count >= ENVELOPE_SALT_MAX)
			return false;
		e->salt[d->count++] = byte;
		return true;
	case SECTION_HMAC:
		if (d->count >= ENVELOPE_HMAC_SIZE)
			return false;
		e->hmac[d->count++] = byte;
		return true;
	case SECTION_BODY:
		if (d->count >= d->body_cap)
			return false;
		e->body[d->count++] = byte;
		return true;
	}
	return false;
}

static bool end_section(struct decoder *d)
{
	if (d->inner >= 0 || d->section == SECTION_BODY)
		return false;
	if (d->section == SECTION_SALT) {
		if (!d->count)
			return false;
		d->envelope->salt_len = d->count;
		d->section = SECTION_HMAC;
	} else {
		if (d->count != ENVELOPE_HMAC_SIZE)
			return false;
		d->section = SECTION_BODY;
	}
	d->count = 0;
	return true;
}

/* One hex digit of the file. */
static bool put_digit(struct decoder *d, unsigned char c)
{
	int value = hex_value(c);
	unsigned char inner;

	if (value < 0)
		return false;
	if (d->outer < 0) {
		d->outer = value;
		return true;
	}
	inner = (unsigned char)(d->outer << 4 | value);
	d->outer = -1;
	if (inner == '\n')
		return end_section(d);
	value = hex_value(inner);
	if (value < 0)
		return false;
	if (d->inner < 0) {
		d->inner = value;
		return true;
	}
	value |= d->inner << 4;
	d->inner = -1;
	return put_byte(d, (unsigned char)value);
}

/* As Python's bytes.splitlines: LF, CR and CR LF each end a line. */
static size_t line_end(const char *text, size_t len, size_t at, size_t *next)
{
	size_t end = at;

	while (end < len && text[end] != '\n' && text[end] != '\r')
		end++;
	*next = end + 1;
	if (end + 1 < len && text[end] == '\r' && text[end + 1] == '\n')
		*next = end + 2;
	return end;
}

static void make_digits(struct decoder *d)
{
	for (unsigned high = 0; high < 256; high++) {
		for (unsigned low = 0; low < 256 && hex_values[high]; low++) {
			const unsigned char pair[2] = {(unsigned char)high, (unsigned char)low};
			uint16_t at;

			memcpy(&at, pair, sizeof(at));
			if (hex_values[low])
				d->digits[at] = hex_values[(hex_values[high] & 15) << 4 |
							   (hex_values[low] & 15)];
		}
	}
}

/*
 * Whole bytes of the body, four digits each, as long as nothing else comes: nearly all of a large
 * vault. Returns where it stopped; what stands there is judged digit by digit.
 */
static size_t put_body(struct decoder *d, const char *text, size_t at, size_t len)
{
	unsigned char *out;
	size_t room, count = 0;

	if (d->section != SECTION_BODY || d->outer >= 0 || d->inner >= 0)
		return at;
	out = d->envelope->body + d->count;
	room = d->body_cap - d->count;
	if (room > (len - at) / 4)
		room = (len - at) / 4;
	for (; count < room; count++) {
		uint16_t pairs[2];
		unsigned high, low;

		memcpy(pairs, text + at + count * 4, sizeof(pairs));
		high = d->digits[pairs[0]];
		low = d->digits[pairs[1]];
		if (!(high & low & IS_HEX))
			break;
		out[count] = (unsigned char)(high << 4 | (low & 15));
	}
	d->count += count;
	return at + count * 4;
}

static bool ends_line(char c)
{
	return c == '\n' || c == '\r';
}

static int decode_lines(struct decoder *d, const char *text, size_t len, size_t at,
			const char *name, struct err *err)
{
	for (size_t line = 2; at < len; line++) {
		at += skip_blanks(text + at, len - at);
		for (at = put_body(d, text, at, len); at < len && !ends_line(text[at]);
		     at = put_body(d, text, at, len)) {
			if (!put_digit(d, (unsigned char)text[at++]))
				return err_set(err, ERR_FAIL,
					       "%s: bad hex at line %zu of the vault", name, line);
		}
		at += len - at >= 2 && text[at] == '\r' && text[at + 1] == '\n' ? 2 : 1;
	}
	return 0;
}

int envelope_parse(struct envelope *out, struct arena *arena, const char *text, size_t len,
		   const char *name, struct err *err)
{
	struct decoder d = {.envelope = out, .outer = -1, .inner = -1};
	size_t start, end, next;
	int rc;

	memset(out, 0, sizeof(*out));
	if (len > VAULT_TEXT_MAX)
		return err_set(err, ERR_FAIL, "%s: the vault is larger than %zu bytes", name,
			       VAULT_TEXT_MAX);
	start = skip_blanks(text, len);
	end = line_end(text, len, start, &next);
	rc = parse_header(out, text + start, end - start, name, err);
	if (rc)
		return rc;
	make_digits(&d);
	d.body_cap = next < len ? (len - next) / 4 : 0;
	out->body = arena_alloc(arena, d.body_cap + 1);
	if (!out->body)
		return err_set(err, ERR_FAIL, "%s: out of memory for %zu bytes of plain text", name,
			       d.body_cap);
	rc = decode_lines(&d, text, len, next, name, err);
	if (rc)
		return rc;
	if (d.section != SECTION_BODY || d.outer >= 0 || d.inner >= 0 || !d.count ||
	    d.count % CIPHER_BLOCK) {
		(void)err_set(err, ERR_FAIL, "%s: the vault is cut short", name);
		return err_hint(err, "bring the file back from git, or from a backup");
	}
	out->body_len = d.count;
	return 0;
}

static void make_bytes(struct envelope_writer *w)
{
	for (size_t byte = 0; byte < 256; byte++) {
		unsigned char one = (unsigned char)byte;
		char digits[3], twice[5];

		hex_text(digits, &one, 1);
		hex_text(twice, (const unsigned char *)digits, 2);
		memcpy(w->bytes[byte], twice, sizeof(w->bytes[byte]));
	}
}

static int flush(struct envelope_writer *w, struct err *err)
{
	int rc = w->put(w->ctx, w->text, w->len, err);

	w->len = 0;
	return rc;
}

/* Behind some digits of a line: always room for one more. */
static int end_line(struct envelope_writer *w, struct err *err)
{
	if (w->column < COLUMNS)
		return 0;
	w->text[w->len++] = '\n';
	w->column = 0;
	return sizeof(w->text) - w->len <= COLUMNS ? flush(w, err) : 0;
}

static int put_digits(struct envelope_writer *w, const char *digits, size_t count, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		w->text[w->len++] = digits[i];
		w->column++;
		rc = end_line(w, err);
	}
	return rc;
}

int envelope_add(struct envelope_writer *w, const unsigned char *bytes, size_t len, struct err *err)
{
	int rc = 0;

	while (len && !rc) {
		char *at = w->text + w->len;
		size_t count = (COLUMNS - w->column) / 4;

		if (!count) {
			rc = put_digits(w, w->bytes[*bytes++], 4, err);
			len--;
			continue;
		}
		if (count > len)
			count = len;
		for (size_t i = 0; i < count; i++)
			memcpy(at + 4 * i, w->bytes[bytes[i]], 4);
		w->len += 4 * count;
		w->column += 4 * count;
		rc = end_line(w, err);
		bytes += count;
		len -= count;
	}
	return rc;
}

int envelope_begin(struct envelope_writer *w, vault_put_fn *put, void *ctx, const char *label,
		   const unsigned char salt[ENVELOPE_SALT_SIZE],
		   const unsigned char hmac[ENVELOPE_HMAC_SIZE], struct err *err)
{
	int rc, len;

	w->put = put;
	w->ctx = ctx;
	w->column = 0;
	make_bytes(w);
	len = snprintf(w->text, sizeof(w->text), MAGIC ";%s;AES256%s%s\n", label[0] ? "1.2" : "1.1",
		       label[0] ? ";" : "", label);
	w->len = (size_t)len;
	rc = envelope_add(w, salt, ENVELOPE_SALT_SIZE, err);
	rc = rc ? rc : put_digits(w, BREAK, 2, err);
	rc = rc ? rc : envelope_add(w, hmac, ENVELOPE_HMAC_SIZE, err);
	return rc ? rc : put_digits(w, BREAK, 2, err);
}

int envelope_end(struct envelope_writer *w, struct err *err)
{
	if (w->column)
		w->text[w->len++] = '\n';
	return flush(w, err);
}

size_t envelope_size(size_t body_len)
{
	size_t digits = 4 * (ENVELOPE_SALT_SIZE + ENVELOPE_HMAC_SIZE + body_len) +
			2 * (sizeof(BREAK) - 1);

	return sizeof(MAGIC ";1.2;AES256;") + VAULT_LABEL_SIZE + digits + digits / COLUMNS + 1;
}
