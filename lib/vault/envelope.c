/* SPDX-License-Identifier: PostgreSQL */
#include "vault/envelope.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAGIC	     "$ANSIBLE_VAULT"
#define MAGIC_LEN    (sizeof(MAGIC) - 1)
#define COLUMNS	     ((size_t)80)
#define CIPHER_BLOCK ((size_t)16)

enum section { SECTION_SALT, SECTION_HMAC, SECTION_BODY };

struct decoder {
	struct envelope *envelope;
	size_t body_cap;
	enum section section;
	int outer; /* the first digit of a pair, or -1 */
	int inner;
	size_t count; /* bytes of this section */
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

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
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

static int decode_lines(struct decoder *d, const char *text, size_t len, size_t at,
			const char *name, struct err *err)
{
	size_t next;

	for (size_t line = 2; at < len; at = next, line++) {
		size_t end = line_end(text, len, at, &next);

		at += skip_blanks(text + at, end - at);
		for (; at < end; at++)
			if (!put_digit(d, (unsigned char)text[at]))
				return err_set(err, ERR_FAIL,
					       "%s: bad hex at line %zu of the vault", name, line);
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

struct encoder {
	struct buf *out;
	size_t column;
	char line[81];
};

static const char hex_digits[] = "0123456789abcdef";

static void put_outer(struct encoder *e, char byte)
{
	e->line[e->column++] = hex_digits[(unsigned char)byte >> 4];
	e->line[e->column++] = hex_digits[(unsigned char)byte & 15];
	if (e->column == COLUMNS) {
		e->line[e->column] = '\n';
		buf_add(e->out, e->line, COLUMNS + 1);
		e->column = 0;
	}
}

static void put_hex(struct encoder *e, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		put_outer(e, hex_digits[bytes[i] >> 4]);
		put_outer(e, hex_digits[bytes[i] & 15]);
	}
}

void envelope_write(struct buf *out, const char *label,
		    const unsigned char salt[ENVELOPE_SALT_SIZE],
		    const unsigned char hmac[ENVELOPE_HMAC_SIZE], const unsigned char *body,
		    size_t body_len)
{
	struct encoder e = {.out = out};

	buf_addf(out, MAGIC ";%s;AES256%s%s\n", label[0] ? "1.2" : "1.1", label[0] ? ";" : "",
		 label);
	put_hex(&e, salt, ENVELOPE_SALT_SIZE);
	put_outer(&e, '\n');
	put_hex(&e, hmac, ENVELOPE_HMAC_SIZE);
	put_outer(&e, '\n');
	put_hex(&e, body, body_len);
	if (e.column) {
		e.line[e.column] = '\n';
		buf_add(out, e.line, e.column + 1);
	}
}
