/* SPDX-License-Identifier: PostgreSQL */
/* What the other side says, as far as it is fit for a message. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/http_impl.h"
#include "proc/filter.h"

#define MASKED	    "[secret removed]"
#define MASK_MIN    6 /* shorter ones would be found everywhere */
#define LINE_MAX_IN ((size_t)4096)

static bool begins(const char *text, size_t len, const char *secret, size_t secret_len)
{
	return secret && secret_len >= MASK_MIN && secret_len <= len &&
	       !memcmp(text, secret, secret_len);
}

/* How many bytes of a secret begin here; 0 for none. */
static size_t secret_here(const struct http_request *request, const struct http_url *url,
			  const char *text, size_t len)
{
	for (size_t i = 0; i < request->header_count; i++) {
		const struct secret *secret = request->headers[i].secret;

		if (secret && begins(text, len, secret->data, secret->len))
			return secret->len;
	}
	if (request->secret_path && url->path && begins(text, len, url->path, strlen(url->path)))
		return strlen(url->path);
	if (url->query && begins(text, len, url->query, strlen(url->query)))
		return strlen(url->query);
	return 0;
}

void http_add_masked(struct buf *out, const struct http_request *request, const char *text,
		     size_t len)
{
	struct http_url url;
	struct buf plain;

	(void)http_url_parse(&url, request->url, NULL);
	buf_init(&plain, LINE_MAX_IN * 4);
	for (size_t i = 0; i < len && i < LINE_MAX_IN;) {
		size_t secret = secret_here(request, &url, text + i, len - i);

		if (secret)
			buf_adds(&plain, MASKED);
		else
			buf_addc(&plain, text[i]);
		i += secret ? secret : 1;
	}
	buf_add_safe(out, plain.data, plain.len);
	buf_release(&plain);
	http_url_release(&url);
}

/* The first line that is not blank, without the blanks around it. */
static size_t first_line(const char **line, const char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strcspn(text, "\r\n");
	while (len && strchr(" \t", text[len - 1]))
		len--;
	*line = text;
	return len;
}

static bool is_html(const struct http_response *response, const char *line)
{
	return !strcmp(response->type, "text/html") || !strncasecmp(line, "<!doctype html", 14) ||
	       !strncasecmp(line, "<html", 5);
}

static size_t html_title(const char **title, const char *text)
{
	const char *begin = strcasestr(text, "<title");
	const char *end;

	begin = begin ? strchr(begin, '>') : NULL;
	end = begin ? strcasestr(begin, "</title") : NULL;
	if (!end)
		return 0;
	*title = begin + 1;
	return (size_t)(end - begin - 1);
}

void http_excerpt(char out[HTTP_EXCERPT_SIZE], const struct http_request *request,
		  const struct http_response *response)
{
	struct buf clean, text;
	const char *line = "";
	size_t len;

	out[0] = '\0';
	if (!response->body.len)
		return;
	buf_init(&clean, response->body.len * 2 + 1024);
	buf_init(&text, LINE_MAX_IN * 8);
	filter_text(&clean, response->body.data, response->body.len);
	len = first_line(&line, clean.data);
	if (is_html(response, line)) {
		size_t title = html_title(&line, clean.data);

		buf_adds(&text, "an HTML page");
		if (title) {
			len = first_line(&line, line);
			len = len < title ? len : title;
			buf_adds(&text, ", '");
			http_add_masked(&text, request, line, len);
			buf_addc(&text, '\'');
		}
	} else {
		http_add_masked(&text, request, line, len);
	}
	if (snprintf(out, HTTP_EXCERPT_SIZE, "%s", text.data) >= HTTP_EXCERPT_SIZE)
		memcpy(out + HTTP_EXCERPT_SIZE - 4, "...", 4);
	buf_release(&clean);
	buf_release(&text);
}

static const char *status_name(int status)
{
	static const struct {
		int status;
		const char *name;
	} names[] = {
		{400, "bad request"},
		{401, "not authorized"},
		{403, "forbidden"},
		{404, "not found"},
		{405, "method not allowed"},
		{407, "proxy wants a password"},
		{408, "request timeout"},
		{409, "conflict"},
		{410, "gone"},
		{413, "too large"},
		{415, "type not supported"},
		{422, "not processable"},
		{429, "too many requests"},
		{500, "internal error"},
		{501, "not implemented"},
		{502, "bad gateway"},
		{503, "not available"},
		{504, "gateway timeout"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].status == status)
			return names[i].name;
	}
	return NULL;
}

static const char *status_hint(int status)
{
	if (status == 401 || status == 403)
		return "see whether the token or address is right, and not expired or withdrawn";
	if (status == 404 || status == 405 || status == 410)
		return "see whether the address is right; many servers say so too where a token is "
		       "not allowed to see what is there";
	if (status == 429)
		return "too much was asked for in a short time: try again later";
	return status >= 500
		       ? "see what the other side's log says, then type the same command again"
		       : NULL;
}

int http_refuse(const struct http_request *request, const struct http_response *response,
		struct err *err)
{
	const char *name = status_name(response->status);
	const char *hint = status_hint(response->status);
	char shown[HTTP_SHOWN_SIZE], text[HTTP_EXCERPT_SIZE], tries[32] = "";

	http_shown(shown, request->url, request->secret_path);
	http_excerpt(text, request, response);
	if (response->tries > 1)
		(void)snprintf(tries, sizeof(tries), ", tried %u times", response->tries);
	err_set(err, ERR_FAIL, "%s %s: answered %d%s%s%s%s%s%s", request->method, shown,
		response->status, name ? " (" : "", name ? name : "", name ? ")" : "", tries,
		text[0] ? ": " : "", text);
	if (hint)
		err_hint(err, "%s", hint);
	return ERR_FAIL;
}
