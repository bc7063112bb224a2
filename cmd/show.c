/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/show.h"

#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "pki/cert.h"

#define MARK 0xff /* around a number; in no text that is UTF-8 */

static const char begin[] = "-----BEGIN CERTIFICATE-----";
static const char end[] = "-----END CERTIFICATE-----";

/* The block without its indentation and with plain line ends, as a PEM reader wants it. */
static int read_block(struct cert **out, const char *block, size_t len)
{
	struct buf pem;
	int rc;

	buf_init(&pem, BUF_TEXT_MAX);
	for (size_t i = 0; i < len; i++) {
		bool indent = block[i] == ' ' && (!pem.len || pem.data[pem.len - 1] == '\n');

		if (!indent && block[i] != '\r')
			buf_addc(&pem, block[i]);
	}
	buf_addc(&pem, '\n');
	rc = cert_from_pem(out, pem.data, pem.len, "certificate", NULL);
	buf_release(&pem);
	return rc;
}

/* "CN=server G2" of "C=NL, O=Acme, CN=server G2", or the whole where there is no CN at its end. */
static const char *short_name(const char *name)
{
	const char *at = strstr(name, "CN=");

	while (at && strstr(at + 1, ", CN="))
		at = strstr(at + 1, ", CN=") + 2;
	return at ? at : name;
}

static void add_summary(struct buf *out, const struct cert *cert)
{
	const char *serial = cert_serial_hex(cert);
	size_t len = strlen(serial);
	char until[SYS_TIME_SIZE];

	/* The end of a long serial tells two apart: chainsmith counts upwards from a random one. */
	sys_time_text(cert_not_after(cert), until);
	buf_addf(out, "[%s by %s, until %.10s, serial %s%s]", short_name(cert_subject(cert)),
		 short_name(cert_issuer(cert)), until, len > 12 ? "..." : "",
		 len > 12 ? serial + len - 8 : serial);
}

void shown_release(struct shown *shown)
{
	strmap_release(&shown->marks);
	strs_release(&shown->texts);
}

bool shown_can_mark(const char *text, size_t len)
{
	return !len || !memchr(text, MARK, len);
}

static int add_mark(struct buf *out, struct shown *shown, const char *block, size_t len,
		    struct err *err)
{
	char *text = strndup(block, len);
	size_t number = shown->texts.count;
	int rc = text ? 0 : err_nomem(err);

	if (!rc && !strmap_get(&shown->marks, text, &number)) {
		rc = strs_add(&shown->texts, text, err);
		rc = rc ? rc : strmap_put(&shown->marks, text, number, err);
	}
	if (!rc)
		buf_addf(out, "%c%zu%c", MARK, number, MARK);
	free(text);
	return rc;
}

int shown_mark(struct buf *out, struct shown *shown, const char *text, size_t len, struct err *err)
{
	const char *stop = text + len;
	int rc = 0;

	while (text < stop && !rc) {
		const char *block = memmem(text, (size_t)(stop - text), begin, sizeof(begin) - 1);
		const char *tail =
			block ? memmem(block, (size_t)(stop - block), end, sizeof(end) - 1) : NULL;

		if (!tail)
			break;
		tail += sizeof(end) - 1;
		buf_add(out, text, (size_t)(block - text));
		rc = add_mark(out, shown, block, (size_t)(tail - block), err);
		text = tail;
	}
	buf_add(out, text, (size_t)(stop - text));
	return rc ? rc : buf_check(out, "diff", err);
}

static void add_shown(struct buf *out, const char *block)
{
	struct cert *cert = NULL;

	if (read_block(&cert, block, strlen(block)))
		buf_adds(out, block);
	else
		add_summary(out, cert);
	cert_free(cert);
}

int shown_expand(struct buf *out, const struct shown *shown, const char *text, size_t len,
		 struct err *err)
{
	const char *stop = text + len;

	while (text < stop) {
		const char *mark = memchr(text, MARK, (size_t)(stop - text));
		char *rest = NULL;
		size_t number = mark ? strtoul(mark + 1, &rest, 10) : 0;

		if (!mark || number >= shown->texts.count)
			break;
		buf_add(out, text, (size_t)(mark - text));
		add_shown(out, shown->texts.items[number]);
		text = rest + 1;
	}
	buf_add(out, text, (size_t)(stop - text));
	return buf_check(out, "diff", err);
}
