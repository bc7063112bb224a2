/* SPDX-License-Identifier: PostgreSQL */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http_impl.h"

#define URL_MAX ((size_t)8 << 10)

/* An address as libcurl has taken it apart. */
struct taken {
	const struct curl *curl;
	CURLU *url;
};

/* Copies a part, so that only one allocator frees what we have. out NULL: not there. */
static int part(char **out, const struct taken *taken, CURLUPart which, struct err *err)
{
	char *text = NULL;
	CURLUcode code = taken->curl->url_get(taken->url, which, &text, 0);

	*out = NULL;
	if (code == CURLUE_OUT_OF_MEMORY)
		return err_nomem(err);
	if (code || !text)
		return 0;
	*out = strdup(text);
	taken->curl->free(text);
	return *out ? 0 : err_nomem(err);
}

static int unusable(const struct curl *curl, CURLUcode code, struct err *err)
{
	if (code == CURLUE_OUT_OF_MEMORY)
		return err_nomem(err);
	if (code == CURLUE_USER_NOT_ALLOWED) {
		err_set(err, ERR_USAGE, "the address has a user or password in it");
		return err_hint(err, "addresses end in logs: give secrets another way");
	}
	if (code == CURLUE_UNSUPPORTED_SCHEME || code == CURLUE_BAD_SCHEME)
		return err_set(err, ERR_USAGE, "the address does not begin with https://");
	return err_set(err, ERR_USAGE, "the address cannot be understood (%s)",
		       curl->url_strerror(code));
}

static int check_text(const char *text, struct err *err)
{
	if (strlen(text) > URL_MAX)
		return err_set(err, ERR_USAGE, "the address is longer than %zu bytes", URL_MAX);
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at <= 0x20 || *at >= 0x7f) {
			err_set(err, ERR_USAGE,
				"the address has a blank or a character that is not ASCII in it");
			return err_hint(err, "write names as xn--…, and other characters as %%XX");
		}
	}
	return 0;
}

static int take_port(struct http_url *out, const struct taken *taken, struct err *err)
{
	char *text;
	int rc = part(&text, taken, CURLUPART_PORT, err);

	if (rc)
		return rc;
	out->port = !strcmp(out->scheme, "https") ? 443 : 80;
	if (text) {
		unsigned port = (unsigned)strtoul(text, NULL, 10);

		out->port_given = port != out->port;
		out->port = port;
	}
	free(text);
	return 0;
}

static void look_at_host(struct http_url *url)
{
	unsigned char v4[4], v6[16];

	if (inet_pton(AF_INET, url->name, v4) == 1) {
		url->literal = true;
		url->loopback = v4[0] == 127;
	} else if (inet_pton(AF_INET6, url->name, v6) == 1) {
		static const unsigned char one[16] = {[15] = 1};

		url->literal = true;
		url->loopback = !memcmp(v6, one, sizeof(one));
	} else {
		url->loopback = !strcasecmp(url->name, "localhost");
	}
}

static int take_host(struct http_url *out, const struct taken *taken, struct err *err)
{
	int rc = part(&out->host, taken, CURLUPART_HOST, err);
	size_t len;

	if (rc)
		return rc;
	if (!out->host || !out->host[0])
		return err_set(err, ERR_USAGE, "the address has no host");
	len = strlen(out->host);
	out->name = out->host[0] == '[' ? strndup(out->host + 1, len - 2) : strdup(out->host);
	if (!out->name)
		return err_nomem(err);
	look_at_host(out);
	return 0;
}

static int take_parts(struct http_url *out, const struct taken *taken, struct err *err)
{
	int rc = part(&out->scheme, taken, CURLUPART_SCHEME, err);

	if (!rc && (!out->scheme ||
		    (strcmp(out->scheme, "https") != 0 && strcmp(out->scheme, "http") != 0)))
		rc = err_set(err, ERR_USAGE, "the address does not begin with https://");
	rc = rc ? rc : part(&out->text, taken, CURLUPART_URL, err);
	rc = rc ? rc : part(&out->path, taken, CURLUPART_PATH, err);
	rc = rc ? rc : part(&out->query, taken, CURLUPART_QUERY, err);
	rc = rc ? rc : take_host(out, taken, err);
	rc = rc ? rc : take_port(out, taken, err);
	if (!rc && (!out->text || !out->path))
		rc = err_set(err, ERR_USAGE, "the address cannot be understood");
	if (!rc && !strcmp(out->scheme, "http") && !out->loopback) {
		err_set(err, ERR_USAGE, "the address begins with http://");
		err_hint(err, "what is sent could be read and changed on the way: https:// is "
			      "needed, but for this machine itself (127.0.0.1, ::1, localhost)");
		rc = ERR_USAGE;
	}
	return rc;
}

int http_url_parse(struct http_url *out, const char *text, struct err *err)
{
	struct taken taken = {0};
	CURLUcode code;
	int rc;

	*out = (struct http_url){0};
	rc = check_text(text, err);
	if (rc)
		return rc;
	taken.curl = curl_library(err);
	if (!taken.curl)
		return ERR_FAIL;
	taken.url = taken.curl->url();
	if (!taken.url)
		return err_nomem(err);
	code = taken.curl->url_set(taken.url, CURLUPART_URL, text, CURLU_DISALLOW_USER);
	if (!code)
		code = taken.curl->url_set(taken.url, CURLUPART_FRAGMENT, NULL, 0);
	rc = code ? unusable(taken.curl, code, err) : take_parts(out, &taken, err);
	taken.curl->url_cleanup(taken.url);
	if (rc)
		http_url_release(out);
	return rc;
}

void http_url_release(struct http_url *url)
{
	char *const secret[] = {url->text, url->path, url->query};

	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
		if (secret[i])
			explicit_bzero(secret[i], strlen(secret[i]));
		free(secret[i]);
	}
	free(url->scheme);
	free(url->host);
	free(url->name);
	*url = (struct http_url){0};
}

bool http_url_same_origin(const struct http_url *a, const struct http_url *b)
{
	return !strcmp(a->scheme, b->scheme) && !strcasecmp(a->name, b->name) && a->port == b->port;
}

void http_url_show(struct buf *out, const struct http_url *url, bool secret_path)
{
	buf_addf(out, "%s://", url->scheme);
	buf_add_safe(out, url->host, strlen(url->host));
	if (url->port_given)
		buf_addf(out, ":%u", url->port);
	if (!secret_path)
		buf_add_safe(out, url->path, strlen(url->path));
	else if (strcmp(url->path, "/") != 0 || url->query)
		buf_adds(out, "/…");
	else
		buf_adds(out, "/");
}

void http_shown(char out[HTTP_SHOWN_SIZE], const char *url, bool secret_path)
{
	struct http_url parts;
	struct buf text;

	buf_init(&text, URL_MAX * 4);
	if (http_url_parse(&parts, url, NULL))
		buf_adds(&text, "an address that cannot be used");
	else
		http_url_show(&text, &parts, secret_path);
	http_url_release(&parts);
	(void)snprintf(out, HTTP_SHOWN_SIZE, "%s", text.data);
	buf_release(&text);
}

int http_check_url(const char *url, const char *name, struct err *err)
{
	struct http_url parts;
	int rc = http_url_parse(&parts, url, err);

	http_url_release(&parts);
	if (rc && name)
		err_prefix(err, "%s", name);
	return rc;
}
