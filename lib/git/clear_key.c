/* SPDX-License-Identifier: PostgreSQL */
#include "git/clear_key.h"

#include <stdint.h>
#include <string.h>

#define MARK	    "-BEGIN"
#define LABEL	    "PRIVATEKEY"
#define LABEL_BYTES 96 /* from BEGIN to the end of the label, with what breaks it */
#define RUN_MIN	    60 /* base64 characters; an Ed25519 key has 64 */
#define JOIN_MIN    32 /* a line of base64 goes on in the next one only where it is this long */
#define WINDOW	    4096

/* The length of a space, a line end or one of their escapes in YAML or JSON; 0 for anything else.
 */
static size_t gap_len(const char *at, const char *end)
{
	static const char *const escapes[] = {"\\n", "\\r", "\\t", "\\ ", "\\x20", "\\u0020"};

	if (at < end && strchr(" \t\r\n", *at) && *at)
		return 1;
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		size_t len = strlen(escapes[i]);

		if ((size_t)(end - at) >= len && !memcmp(at, escapes[i], len))
			return len;
	}
	/* the backslash that ends a line of a quoted scalar */
	return end - at >= 2 && at[0] == '\\' && at[1] == '\n' ? 2 : 0;
}

/* "RSA PRIVATE KEY" and the like, behind BEGIN: capital letters and gaps, nothing else. */
static bool is_label(const char *at, const char *end)
{
	size_t matched = 0;

	if (end - at > LABEL_BYTES)
		end = at + LABEL_BYTES;
	while (at < end) {
		size_t gap = gap_len(at, end);

		if (gap) {
			at += gap;
			continue;
		}
		if ((*at < 'A' || *at > 'Z') && (*at < '0' || *at > '9'))
			return false;
		matched = *at == LABEL[matched] ? matched + 1 : *at == LABEL[0];
		if (matched == sizeof(LABEL) - 1)
			return true;
		at++;
	}
	return false;
}

static const char *find_pem(const char *data, size_t len)
{
	const char *at = data, *end = data + len;

	while ((at = memmem(at, (size_t)(end - at), MARK, sizeof(MARK) - 1))) {
		if (is_label(at + sizeof(MARK) - 1, end))
			return at;
		at++;
	}
	return NULL;
}

/* ---- DER */

struct der {
	const unsigned char *at;
	size_t avail; /* bytes that can be looked at */
	size_t total; /* bytes that there are */
};

static bool skip(struct der *der, size_t len)
{
	if (len > der->avail)
		return false;
	der->at += len;
	der->avail -= len;
	der->total -= len;
	return true;
}

/* Tag and length; the content has to be there, if not to be looked at. */
static bool take_header(struct der *der, unsigned char tag, size_t *len)
{
	size_t bytes;

	if (der->avail < 2 || der->at[0] != tag)
		return false;
	*len = der->at[1];
	bytes = *len & 0x7f;
	if (*len < 0x80)
		return skip(der, 2) && *len <= der->total;
	if (!bytes || bytes > 3 || der->avail < 2 + bytes)
		return false;
	*len = 0;
	for (size_t i = 0; i < bytes; i++)
		*len = *len << 8 | der->at[2 + i];
	return skip(der, 2 + bytes) && *len <= der->total;
}

/* SEQUENCE { OBJECT IDENTIFIER that begins so, … } and an OCTET STRING behind it. */
static bool is_algorithm_and_octets(struct der der, const char *oid, size_t oid_len)
{
	size_t len, inner;
	struct der sequence;

	if (!take_header(&der, 0x30, &len))
		return false;
	sequence = der;
	return take_header(&sequence, 0x06, &inner) && inner >= oid_len &&
	       sequence.avail >= oid_len && !memcmp(sequence.at, oid, oid_len) && skip(&der, len) &&
	       take_header(&der, 0x04, &len);
}

static bool is_rsa(struct der der)
{
	size_t len;

	return take_header(&der, 0x02, &len) && len >= 32 && skip(&der, len) &&
	       take_header(&der, 0x02, &len) && len && len <= 32 && skip(&der, len) &&
	       take_header(&der, 0x02, &len) && len >= 32;
}

static bool is_private_der(const unsigned char *data, size_t avail, size_t total)
{
	static const char pbe[] = "\x2a\x86\x48\x86\xf7\x0d\x01"; /* pkcs-5 and pkcs-12 below it */
	struct der der = {data, avail, total};
	size_t len;
	unsigned version;

	if (!take_header(&der, 0x30, &len) || len < 16)
		return false;
	if (is_algorithm_and_octets(der, pbe, sizeof(pbe) - 1))
		return true;
	if (!take_header(&der, 0x02, &len) || len != 1 || !der.avail || der.at[0] > 1)
		return false;
	version = der.at[0];
	(void)skip(&der, 1);
	if (is_algorithm_and_octets(der, "", 0) || is_rsa(der))
		return true;
	return version == 1 && take_header(&der, 0x04, &len) && len >= 16 && len <= 72;
}

static const char *find_der(const char *data, size_t len)
{
	const char *at = data, *end = data + len;

	while ((at = memchr(at, 0x30, (size_t)(end - at)))) {
		size_t left = (size_t)(end - at);

		if (is_private_der((const unsigned char *)at, left, left))
			return at;
		at++;
	}
	return NULL;
}

/* ---- base64 */

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The next digit at or behind at, over the line ends between two long lines; NULL at the end. */
static const char *next_digit(const char *at, const char *end, size_t line)
{
	const char *start = at;

	if (at < end && digit_of(*at) >= 0)
		return at;
	if (line < JOIN_MIN)
		return NULL;
	while (at < end) {
		size_t gap = gap_len(at, end);

		if (!gap)
			break;
		at += gap;
	}
	return at > start && at < end && digit_of(*at) >= 0 ? at : NULL;
}

struct run {
	const char *at, *end; /* the first digit, and what is behind the last one */
	size_t digits;
	bool hex; /* the text of a vault, or a hash */
};

static void measure(struct run *run, const char *end)
{
	const char *at = run->at, *next;
	size_t line = 0;

	run->hex = true;
	for (run->digits = 0; (next = next_digit(at, end, line)); at = next + 1) {
		line = next == at ? line + 1 : 1;
		run->hex = run->hex && (digit_of(*next) >= 52 || (*next >= 'a' && *next <= 'f'));
		run->digits++;
	}
	run->end = at;
}

/* Decodes from the digit with that number on, a window at a time, and looks at each. */
static bool holds_key(const struct run *run, size_t first)
{
	unsigned char window[WINDOW + LABEL_BYTES];
	const char *at = run->at, *next;
	size_t used = 0, number = 0, line = 0, total = (run->digits - first) * 3 / 4;
	uint32_t bits = 0;
	bool start = true, found = false;

	for (; !found && (next = next_digit(at, run->end, line)); at = next + 1) {
		line = next == at ? line + 1 : 1;
		if (number++ < first)
			continue;
		bits = bits << 6 | (uint32_t)digit_of(*next);
		if ((number - first) % 4)
			continue;
		window[used++] = (unsigned char)(bits >> 16);
		window[used++] = (unsigned char)(bits >> 8);
		window[used++] = (unsigned char)bits;
		if (used + 3 <= sizeof(window))
			continue;
		found = (start && is_private_der(window, used, total)) ||
			find_pem((const char *)window, used);
		start = false;
		memmove(window, window + used - LABEL_BYTES, LABEL_BYTES);
		used = LABEL_BYTES;
	}
	found = found || (start && is_private_der(window, used, total)) ||
		find_pem((const char *)window, used);
	explicit_bzero(window, sizeof(window));
	return found;
}

/* What stands before the base64 without a gap (a path, a word) may shift it. */
static const char *find_encoded(const char *data, size_t len)
{
	const char *end = data + len;
	struct run run = {.at = data};

	for (; run.at < end; run.at = run.end + 1) {
		run.end = run.at;
		if (digit_of(*run.at) < 0)
			continue;
		measure(&run, end);
		for (size_t first = 0; first < 4 && run.digits >= RUN_MIN && !run.hex; first++) {
			if (holds_key(&run, first))
				return run.at;
		}
	}
	return NULL;
}

bool clear_key_find(size_t *line, const char *data, size_t len)
{
	const char *at = len ? find_pem(data, len) : NULL;

	if (!at && len)
		at = find_der(data, len);
	if (!at && len)
		at = find_encoded(data, len);
	*line = 1;
	for (const char *c = data; at && c < at; c++)
		*line += *c == '\n';
	return at != NULL;
}
