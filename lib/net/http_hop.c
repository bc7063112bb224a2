/* SPDX-License-Identifier: PostgreSQL */
/* One hop of an exchange: what libcurl is told, and what it brings. */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "net/http_impl.h"
#include "pki/native.h"

#define HEADER_LINES_MAX ((size_t)256 << 10) /* of a request */

/* ---- what comes */

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct http_hop *hop = ctx;
	struct buf *body = &hop->response->body;
	size_t len = size * count;

	buf_add(body, data, len);
	hop->body_over = body->failed && !body->nomem;
	hop->starved |= body->nomem;
	return body->failed ? 0 : len;
}

static void trim(const char **text, size_t *len)
{
	while (*len && strchr(" \t\r\n", (*text)[*len - 1]))
		--*len;
	while (*len && strchr(" \t", **text)) {
		++*text;
		--*len;
	}
}

static int keep_header(struct http_response *response, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *value;
	size_t name_len, value_len;
	char name[128];

	if (!colon)
		return 0;
	name_len = (size_t)(colon - line);
	value = colon + 1;
	value_len = len - name_len - 1;
	trim(&value, &value_len);
	if (!name_len || name_len >= sizeof(name))
		return 0;
	for (size_t i = 0; i < name_len; i++)
		name[i] = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] + 32 : line[i]);
	name[name_len] = '\0';
	return strs_addf(&response->headers, NULL, "%s: %.*s", name, (int)value_len, value);
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
	struct http_hop *hop = ctx;
	size_t len = size * count;

	/* an interim answer (100, 103) went before this one */
	if (len > 5 && !memcmp(data, "HTTP/", 5))
		strs_release(&hop->response->headers);
	hop->header_bytes += len;
	if (hop->header_bytes > HTTP_HEADERS_MAX) {
		hop->headers_over = true;
		return 0;
	}
	if (keep_header(hop->response, data, len)) {
		hop->starved = true;
		return 0;
	}
	return len;
}

/* ---- what libcurl is told */

/* The system's CAs are there already; ours are added beside them. */
static CURLcode add_ca(CURL *easy, void *ssl_ctx, void *ctx)
{
	const struct http *http = ctx;
	X509_STORE *store = SSL_CTX_get_cert_store(ssl_ctx);

	(void)easy;
	for (size_t i = 0; i < http->ca.count; i++) {
		if (!X509_STORE_add_cert(store, cert_native(http->ca.items[i])))
			return CURLE_OUT_OF_MEMORY;
	}
	return CURLE_OK;
}

/*
 * Where Debian's ca-certificates is not installed libcurl would fail before it connects, although
 * ca_file may be all that is needed.
 */
static CURLcode set_system_ca(const struct curl *curl, CURL *easy)
{
	char *file = NULL, *folder = NULL;
	CURLcode code = CURLE_OK;

	(void)curl->easy_getinfo(easy, CURLINFO_CAINFO, &file);
	(void)curl->easy_getinfo(easy, CURLINFO_CAPATH, &folder);
	if (file && access(file, R_OK))
		code = curl->easy_setopt(easy, CURLOPT_CAINFO, NULL);
	if (!code && folder && access(folder, R_OK))
		code = curl->easy_setopt(easy, CURLOPT_CAPATH, NULL);
	return code;
}

/* curl_easy_setopt(3) takes what it is given for what the option's range of numbers stands for. */
#define IS_LONG(option) ((option) < CURLOPTTYPE_OBJECTPOINT || (option) >= CURLOPTTYPE_OFF_T)

#define SET(option, value)                                                                         \
	do {                                                                                       \
		CURLcode set_code;                                                                 \
		_Static_assert(_Generic((value), long : 1, default : 0) == IS_LONG(option),        \
			       "a value of the option's type");                                    \
		set_code = curl->easy_setopt(easy, (option), (value));                             \
		if (set_code)                                                                      \
			return set_code;                                                           \
	} while (0)

static CURLcode set_safety(CURL *easy, struct http *http, const struct http_hop *hop)
{
	const struct curl *curl = http->curl;

	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, hop->url.scheme);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (http->ca.count) {
		SET(CURLOPT_SSL_CTX_FUNCTION, add_ca);
		SET(CURLOPT_SSL_CTX_DATA, http);
	}
	return set_system_ca(curl, easy);
}

static CURLcode set_way(CURL *easy, struct http_hop *hop)
{
	const struct curl *curl = hop->http->curl;
	int64_t left = hop->until - loop_now(hop->http->loop);

	/* The deadline of the whole is the loop's. Longer than that libcurl need not try. */
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(left > HTTP_CONNECT_MS ? HTTP_CONNECT_MS
					      : left > 0	     ? left
								     : 1));
	SET(CURLOPT_PROXY, hop->proxy.text ? hop->proxy.text : "");
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (hop->resolve)
		SET(CURLOPT_RESOLVE, hop->resolve);
	/* libcurl sends a request again by itself where a kept connection turns out to be dead: it
	 * cannot know whether the first was acted upon. */
	if (!http_repeatable(hop->request))
		SET(CURLOPT_FRESH_CONNECT, 1L);
	return CURLE_OK;
}

static CURLcode set_request(CURL *easy, struct http_hop *hop)
{
	const struct curl *curl = hop->http->curl;
	const struct http_request *request = hop->request;
	bool sends = request->body || !strcmp(request->method, "POST") ||
		     !strcmp(request->method, "PUT") || !strcmp(request->method, "PATCH");

	SET(CURLOPT_URL, hop->url.text);
	if (sends) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		SET(CURLOPT_POSTFIELDS, request->body ? request->body : "");
	}
	if (!strcmp(request->method, "HEAD"))
		SET(CURLOPT_NOBODY, 1L);
	else if (strcmp(request->method, sends ? "POST" : "GET") != 0)
		SET(CURLOPT_CUSTOMREQUEST, request->method);
	SET(CURLOPT_USERAGENT, "certrotate/" CERTROTATE_VERSION);
	SET(CURLOPT_HTTPHEADER, hop->headers);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, hop);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, hop);
	SET(CURLOPT_ERRORBUFFER, hop->text);
	return CURLE_OK;
}

/* ---- the request's headers: in an arena, because libcurl takes no copy of them */

static int add_line(struct http_hop *hop, const char *name, const char *value,
		    const struct secret *secret, struct err *err)
{
	size_t value_len = value ? strlen(value) : 0;
	size_t secret_len = secret ? secret->len : 0;
	struct curl_slist *line = arena_alloc(hop->arena, sizeof(*line));
	char *text = arena_alloc(hop->arena, strlen(name) + value_len + secret_len + 3);
	struct curl_slist **last = &hop->headers;
	int len;

	if (!line || !text)
		return err_nomem(err);
	/* "NAME:" alone takes one of libcurl's own away */
	len = sprintf(text, value_len + secret_len ? "%s: " : "%s:", name);
	memcpy(text + len, value ? value : "", value_len);
	memcpy(text + len + value_len, secret_len ? secret->data : "", secret_len);
	line->data = text;
	while (*last)
		last = &(*last)->next;
	*last = line;
	return 0;
}

static bool line_is_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] == 0x7f)
			return false;
	}
	return true;
}

static int add_headers(struct http_hop *hop, struct err *err)
{
	const struct http_request *request = hop->request;
	bool typed = false;
	int rc = 0;

	for (size_t i = 0; i < request->header_count && !rc; i++) {
		const struct http_header *header = &request->headers[i];
		const char *value = header->value ? header->value : "";

		typed |= !strcasecmp(header->name, "Content-Type");
		if (!line_is_clean(value, strlen(value)) ||
		    (header->secret && !line_is_clean(header->secret->data, header->secret->len)))
			rc = http_fail(hop, HTTP_REFUSED, ERR_USAGE, err,
				       "the header %s would have control characters in it",
				       header->name);
		else
			rc = add_line(hop, header->name, value, header->secret, err);
	}
	/* No waiting for "100 Continue", and no form's type for what is none. */
	rc = rc ? rc : add_line(hop, "Expect", NULL, NULL, err);
	if (!rc && !typed)
		rc = add_line(hop, "Content-Type", NULL, NULL, err);
	return rc;
}

/* ---- addresses */

static int refuse_address(const struct http_hop *hop, const char *name, const char *reason,
			  bool proxy, struct err *err)
{
	http_fail(hop, HTTP_NO_ADDRESS, ERR_FAIL, err, "no address for %s %s: %s",
		  proxy ? "the proxy" : "the host", name, reason);
	return proxy ? err_hint(err, "see https_proxy and no_proxy in the environment")
		     : err_hint(err, "see whether the name is right, and whether this machine can "
				     "look names up");
}

/* "localhost" that leads elsewhere is not this machine. */
static int check_loopback(const struct http_hop *hop, const struct resolved_name *name,
			  struct err *err)
{
	for (size_t i = 0; i < name->count; i++) {
		const char *text = name->addresses[i].text;

		if (strncmp(text, "127.", 4) != 0 && strcmp(text, "::1") != 0)
			return http_fail(hop, HTTP_REFUSED, ERR_USAGE, err,
					 "%s is %s, not this machine: https:// is needed",
					 name->name, text);
	}
	return 0;
}

static int give_address(struct http_hop *hop, const char *name, unsigned port, struct err *err)
{
	const struct resolved_name *found = resolved_find(&hop->http->names, name);
	struct curl_slist *list;
	struct buf line;
	bool any = false;
	int rc;

	if (!found || !found->count)
		return refuse_address(hop, name, found && found->error ? found->error : "unknown",
				      name == hop->proxy.name, err);
	if (!strcmp(hop->url.scheme, "http")) {
		rc = check_loopback(hop, found, err);
		if (rc)
			return rc;
	}
	buf_init(&line, 4096);
	buf_addf(&line, "%s:%u:", name, port);
	for (size_t i = 0; i < found->count; i++) {
		const char *text = found->addresses[i].text;

		if (strchr(text, '%'))
			continue;
		buf_addf(&line, strchr(text, ':') ? "%s[%s]" : "%s%s", any ? "," : "", text);
		any = true;
	}
	rc = any ? buf_check(&line, "a list of addresses", err)
		 : refuse_address(hop, name, "only link-local ones", false, err);
	list = rc ? NULL : hop->http->curl->slist_append(hop->resolve, line.data);
	buf_release(&line);
	if (!rc && !list)
		return err_nomem(err);
	hop->resolve = list ? list : hop->resolve;
	return rc;
}

/* What libcurl would look up, it is given. */
static int look_up(struct http_hop *hop, struct err *err)
{
	struct strs names = STRS_INIT;
	struct net_address literal;
	bool own = !hop->url.literal && (!hop->proxy.text || !hop->proxy.looks_up);
	bool proxy = hop->proxy.text && net_address_parse(&literal, hop->proxy.name, NULL) != 0;
	int64_t left = hop->until - loop_now(hop->http->loop);
	int rc = 0;

	if (own)
		rc = strs_add(&names, hop->url.name, err);
	if (!rc && proxy)
		rc = strs_add_unique(&names, hop->proxy.name, err);
	if (!rc && names.count)
		rc = http_loop_names(hop->http, &names,
				     left > HTTP_CONNECT_MS ? HTTP_CONNECT_MS : left, err);
	if (!rc && own)
		rc = give_address(hop, hop->url.name, hop->url.port, err);
	if (!rc && proxy)
		rc = give_address(hop, hop->proxy.name, hop->proxy.port, err);
	strs_release(&names);
	return rc;
}

static int prepare(struct http_hop *hop, struct err *err)
{
	struct http *http = hop->http;
	CURLcode code;
	int rc;

	hop->done = false;
	hop->status = 0;
	hop->header_bytes = 0;
	hop->headers = hop->resolve = NULL;
	hop->arena = arena_new(HEADER_LINES_MAX);
	if (!hop->arena)
		return err_nomem(err);
	rc = http_proxy_find(&hop->proxy, &hop->url, err);
	if (rc) {
		hop->response->failure = HTTP_REFUSED;
		return rc;
	}
	rc = add_headers(hop, err);
	rc = rc ? rc : look_up(hop, err);
	if (rc)
		return rc;
	http->curl->easy_reset(http->easy);
	code = set_safety(http->easy, http, hop);
	code = code ? code : set_way(http->easy, hop);
	code = code ? code : set_request(http->easy, hop);
	if (code == CURLE_OUT_OF_MEMORY)
		return err_nomem(err);
	if (code)
		return http_fail(hop, HTTP_LOCAL, ERR_FAIL, err, "libcurl: %s",
				 http->curl->easy_strerror(code));
	return 0;
}

/* Who knows an address may use it. */
void http_location_free(struct http_hop *hop)
{
	if (hop->location)
		explicit_bzero(hop->location, strlen(hop->location));
	free(hop->location);
	hop->location = NULL;
}

static int take_location(struct http_hop *hop, struct err *err)
{
	char *where = NULL;

	http_location_free(hop);
	(void)hop->http->curl->easy_getinfo(hop->http->easy, CURLINFO_REDIRECT_URL, &where);
	if (!where)
		return 0;
	hop->location = strdup(where);
	return hop->location ? 0 : err_nomem(err);
}

int http_hop_run(struct http_hop *hop, struct err *err)
{
	struct http *http = hop->http;
	int rc = prepare(hop, err);

	if (!rc) {
		rc = http_loop_run(hop, err);
		(void)http->curl->easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &hop->status);
		rc = rc ? rc : http_reason(hop, err);
		rc = rc ? rc : take_location(hop, err);
		(void)http->curl->multi_remove_handle(http->multi, http->easy);
		/* what it was lent must not be reached any more */
		http->curl->easy_reset(http->easy);
	}
	if (rc && hop->response->failure == HTTP_NONE)
		hop->response->failure = rc == ERR_STOPPED ? HTTP_STOPPED : HTTP_LOCAL;
	http_proxy_release(&hop->proxy);
	http->curl->slist_free_all(hop->resolve);
	arena_free(hop->arena);
	return rc;
}
