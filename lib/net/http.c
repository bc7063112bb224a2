/* SPDX-License-Identifier: PostgreSQL */
#include "net/http.h"

#include <ctype.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "net/http_impl.h"

#define CA_MAX	     ((size_t)4 << 20)
#define CONNECTIONS  4L
#define EXCHANGE_MAX 3600000

/* ---- libcurl's memory: requests with tokens pass through it, so what it frees is wiped */

static void *own_malloc(size_t size)
{
	void *data = malloc(size);

	if (!data)
		(void)err_nomem(NULL);
	return data;
}

static void own_free(void *data)
{
	if (data)
		explicit_bzero(data, malloc_usable_size(data));
	free(data);
}

/* realloc(3) would leave the old bytes behind where it moves the block. */
static void *own_realloc(void *data, size_t size)
{
	size_t had = data ? malloc_usable_size(data) : 0;
	void *bigger;

	if (data && size <= had)
		return data;
	bigger = own_malloc(size);
	if (bigger && data) {
		memcpy(bigger, data, had);
		own_free(data);
	}
	return bigger;
}

static char *own_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = own_malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

static void *own_calloc(size_t count, size_t size)
{
	void *data = calloc(count, size);

	if (!data)
		(void)err_nomem(NULL);
	return data;
}

/* ---- one that sends */

static int load_ca(struct http *http, const char *path, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, CA_MAX);
	rc = file_read(&text, path, CA_MAX, err);
	rc = rc ? rc : bundle_from_pem(&http->ca, text.data, text.len, path, err);
	buf_release(&text);
	return err_blame(err, rc, ERR_USAGE);
}

int http_new(struct http **out, const struct http_options *options, struct err *err)
{
	struct http *http = calloc(1, sizeof(*http));
	int rc = 0;

	*out = NULL;
	if (!http)
		return err_nomem(err);
	http->options = *options;
	http->curl = curl_library(err);
	if (!http->curl) {
		free(http);
		return ERR_FAIL;
	}
	http->inside = !http->curl->global_init_mem(CURL_GLOBAL_ALL, own_malloc, own_free,
						    own_realloc, own_strdup, own_calloc);
	if (!http->inside)
		rc = err_starved() ? err_nomem(err)
				   : err_set(err, ERR_FAIL, "cannot start libcurl");
	if (!rc && options->ca_file)
		rc = load_ca(http, options->ca_file, err);
	rc = rc ? rc : http_loop_init(http, err);
	if (!rc)
		(void)http->curl->multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS);
	http->easy = rc ? NULL : http->curl->easy_init();
	if (!rc && !http->easy)
		rc = err_nomem(err);
	if (rc)
		http_free(http);
	else
		*out = http;
	return rc;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	if (http->easy)
		http->curl->easy_cleanup(http->easy);
	http_loop_release(http);
	bundle_release(&http->ca);
	if (http->inside)
		http->curl->global_cleanup();
	free(http);
}

int64_t http_now(struct http *http)
{
	return http->options.sys->now(http->options.sys);
}

/* ---- exchanges */

bool http_repeatable(const struct http_request *request)
{
	static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (!strcmp(request->method, methods[i]))
			return true;
	}
	for (size_t i = 0; i < request->header_count; i++) {
		if (!strcasecmp(request->headers[i].name, "Idempotency-Key"))
			return true;
	}
	return false;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int refuse_redirect(struct http_hop *hop, const char *where, const char *why,
			   const char *hint, struct err *err)
{
	http_fail(hop, HTTP_REDIRECT, ERR_FAIL, err, "answered %ld, a redirect to %s, which %s",
		  hop->status, where, why);
	return err_hint(err, "%s", hint);
}

/* Where a redirect leads to: the next hop's address, in place of this one's. */
static int follow(struct http_hop *hop, unsigned hops, struct err *err)
{
	bool reads = !strcmp(hop->request->method, "GET") || !strcmp(hop->request->method, "HEAD");
	const char *fresh = "put the new address into the configuration, where it is right";
	struct http_url next;
	struct buf where;
	int rc = 0;

	if (http_url_parse(&next, hop->location, NULL)) {
		if (err_starved())
			return err_nomem(err);
		http_fail(hop, HTTP_REDIRECT, ERR_FAIL, err,
			  "answered %ld, a redirect to an address that cannot be used",
			  hop->status);
		return err_hint(err,
				"redirects to http:// or with a user in them are not followed");
	}
	buf_init(&where, 16384);
	http_url_show(&where, &next, hop->request->secret_path);
	if (!http_url_same_origin(&hop->url, &next))
		rc = refuse_redirect(hop, where.data, "is another host, port or scheme", fresh,
				     err);
	else if (!reads && hop->status != 307 && hop->status != 308)
		rc = refuse_redirect(hop, where.data, "would turn it into a GET", fresh, err);
	else if (hops >= HTTP_REDIRECTS)
		rc = refuse_redirect(hop, where.data, "is one too many",
				     "see whether they go in a circle", err);
	buf_release(&where);
	if (rc) {
		http_url_release(&next);
		return rc;
	}
	http_url_release(&hop->url);
	hop->url = next;
	return 0;
}

/* "application/json" of "Application/JSON; charset=utf-8". */
static void take_type(struct http_response *response)
{
	const char *value = http_header(response, "content-type");
	size_t len = value ? strcspn(value, "; \t") : 0;

	if (len >= sizeof(response->type))
		len = 0;
	for (size_t i = 0; i < len; i++)
		response->type[i] = (char)tolower((unsigned char)value[i]);
	response->type[len] = '\0';
}

static int exchange(struct http_hop *hop, struct err *err)
{
	struct http_response *response = hop->response;

	for (unsigned hops = 0;; hops++) {
		int rc;

		buf_reset(&response->body);
		strs_release(&response->headers);
		rc = http_hop_run(hop, err);
		response->sent |= rc && response->failure == HTTP_REDIRECT;
		if (rc)
			return rc;
		if (!is_redirect((int)hop->status) || !hop->location)
			return 0;
		rc = follow(hop, hops, err);
		if (rc)
			return rc;
	}
}

int http_send(struct http_response *out, struct http *http, const struct http_request *request,
	      struct err *err)
{
	int64_t deadline = request->deadline_ms ? request->deadline_ms : HTTP_DEADLINE_MS;
	int64_t began = loop_now(http->loop);
	struct http_hop hop = {.http = http, .request = request, .response = out};
	int rc;

	*out = (struct http_response){.tries = 1};
	buf_init(&out->body, request->body_max ? request->body_max : HTTP_BODY_MAX);
	hop.until = began + (deadline < EXCHANGE_MAX ? deadline : EXCHANGE_MAX);
	rc = http_url_parse(&hop.url, request->url, err);
	if (rc)
		out->failure = rc == ERR_USAGE ? HTTP_REFUSED : HTTP_LOCAL;
	else
		rc = exchange(&hop, err);
	http_location_free(&hop);
	http_url_release(&hop.url);
	out->ms = loop_now(http->loop) - began;
	if (rc)
		return rc;
	out->failure = HTTP_NONE;
	out->sent = true;
	out->status = (int)hop.status;
	take_type(out);
	return 0;
}

void http_response_release(struct http_response *response)
{
	buf_release(&response->body);
	strs_release(&response->headers);
}

const char *http_header(const struct http_response *response, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < response->headers.count; i++) {
		const char *line = response->headers.items[i];

		if (!strncasecmp(line, name, len) && line[len] == ':')
			return line + len + 2;
	}
	return NULL;
}
