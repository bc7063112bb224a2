/* SPDX-License-Identifier: PostgreSQL */
/* One call of a forge's API, and what its refusals mean. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "outside/forge_impl.h"

#define HEADERS	   4
#define WORDS_MAX  2000
#define WORD_DEPTH 4

#define SECONDS_LEN 11

/* The texts in what a forge says about an error: "message", "errors", lists and mappings of them.
 */
static void add_words(struct buf *out, const struct json *value, int depth)
{
	const char *text = js_string_value(value);

	if (text && *text && !strstr(out->data, text))
		buf_addf(out, "%s%s", out->len ? "; " : "", text);
	if (depth >= WORD_DEPTH || out->len >= WORDS_MAX)
		return;
	for (size_t i = 0; js_is_array(value) && i < js_count(value); i++)
		add_words(out, js_at(value, i), depth + 1);
	if (!js_is_object(value))
		return;
	for (const char *key = js_first_key(value); key; key = js_next_key(value, key)) {
		/* The others name fields, codes and pages of a manual. */
		if (depth || !strcmp(key, "message") || !strcmp(key, "error") ||
		    !strcmp(key, "errors") || !strcmp(key, "error_description")) {
			if (strcmp(key, "resource") != 0 && strcmp(key, "documentation_url") != 0)
				add_words(out, js_get(value, key), depth + 1);
		}
	}
}

/* What it says, in one line that is safe to show; its JSON taken apart. */
static void words_of(char out[HTTP_EXCERPT_SIZE], const struct http_request *request,
		     const struct http_response *response)
{
	struct http_response plain = {.status = response->status};
	struct json *value = NULL;

	buf_init(&plain.body, (size_t)WORDS_MAX * 8);
	if (!js_parse(&value, response->body.data, response->body.len, "", NULL))
		add_words(&plain.body, value, 0);
	http_excerpt(out, request, plain.body.len ? &plain : response);
	js_free(value);
	buf_release(&plain.body);
}

/*
 * GitHub answers 403 too where there were too many calls (docs.github.com, "Rate limits for the
 * REST API"), with one of these headers.
 */
static bool is_limited(const struct http_response *response)
{
	const char *left = http_header(response, "x-ratelimit-remaining");

	return response->status == 429 ||
	       (response->status == 403 &&
		((left && !strcmp(left, "0")) || http_header(response, "retry-after")));
}

/* When it takes calls again, by its headers; 0: it does not say. */
static int64_t free_at(const struct forge *forge, const struct http_response *response)
{
	static const char *const resets[] = {"x-ratelimit-reset", "ratelimit-reset"};
	const char *value = http_header(response, "retry-after");
	int64_t now = http_now(forge->http);

	if (value && isdigit((unsigned char)*value) && strlen(value) <= SECONDS_LEN)
		return now + strtoll(value, NULL, 10);
	for (size_t i = 0; i < sizeof(resets) / sizeof(resets[0]); i++) {
		value = http_header(response, resets[i]);
		if (value && isdigit((unsigned char)*value) && strlen(value) <= SECONDS_LEN)
			return strtoll(value, NULL, 10);
	}
	return 0;
}

static int advise_waiting(const struct forge *forge, const struct http_response *response,
			  struct err *err)
{
	const char *name = forge_form(forge->place->kind)->name;
	int64_t when = free_at(forge, response);
	char at[SYS_TIME_SIZE];

	if (!when)
		return err_hint(err,
				"%s takes no more calls with this token for now: type the "
				"command again later",
				name);
	sys_time_text(when, at);
	return err_hint(err,
			"%s takes no more calls with this token for now: type the command again "
			"after %s",
			name, at);
}

static int advise(const struct forge *forge, const struct http_response *response, struct err *err)
{
	const struct forge_form *form = forge_form(forge->place->kind);
	const char *origin = forge->token_origin;

	if (is_limited(response))
		return advise_waiting(forge, response, err);
	if (response->status == 401)
		return err_hint(err,
				"%s does not know the token in %s: it is mistyped, expired or "
				"revoked; a new one needs %s",
				form->name, origin, form->scopes);
	if (response->status == 403)
		return err_hint(err, "the token in %s may not do that: it needs %s", origin,
				form->scopes);
	if (response->status == 404)
		return err_hint(err,
				"%s has no project %s at %s, or the token in %s may not see it: "
				"look at git.forge and at the token, which needs %s",
				form->name, forge->place->project, forge->place->address, origin,
				form->scopes);
	if (response->status >= 500)
		return err_hint(err, "%s itself fails: type the command again when it is well",
				form->name);
	return err_hint(err, "that is what %s says: look at the %ss of %s", form->name, form->thing,
			forge->place->project);
}

static int refuse(const struct forge *forge, const struct http_request *request,
		  const struct http_response *response, struct err *err)
{
	char words[HTTP_EXCERPT_SIZE], shown[HTTP_SHOWN_SIZE];

	words_of(words, request, response);
	http_shown(shown, request->url, false);
	err_set(err, ERR_FAIL, "%s %s: answered %d%s%s", request->method, shown, response->status,
		words[0] ? ": " : "", words);
	return advise(forge, response, err);
}

static int no_json(const struct forge *forge, const struct http_request *request,
		   const struct http_response *response, struct err *err)
{
	char words[HTTP_EXCERPT_SIZE], shown[HTTP_SHOWN_SIZE];

	http_excerpt(words, request, response);
	http_shown(shown, request->url, false);
	err_set(err, ERR_FAIL, "%s %s: answered, but not with JSON%s%s", request->method, shown,
		words[0] ? ": " : "", words);
	return err_hint(err,
			"is %s the whole address of %s (git.forge.url, git.forge.kind)? a proxy or "
			"a login page may stand before it",
			forge->place->address, forge_name(forge));
}

static int exchange(struct json **answer, int *status, bool *sent, struct forge *forge,
		    const struct http_request *request, struct err *err)
{
	const struct http_again again = {.all_ms = forge->patience_ms};
	struct http_response response = {0};
	int rc = http_retry(&response, forge->http, request, &again, err);

	*status = response.status;
	if (sent)
		*sent = response.status ? response.status >= 500 : response.sent;
	if (!rc && (response.status < 200 || response.status > 299))
		rc = refuse(forge, request, &response, err);
	/* 204 and the like: there is nothing to say. */
	else if (!rc && !response.body.len)
		*answer = js_new_null();
	else if (!rc && js_parse(answer, response.body.data, response.body.len, request->url, err))
		rc = err_starved() ? err->code : no_json(forge, request, &response, err);
	http_response_release(&response);
	return rc;
}

int forge_call(struct json **answer, int *status, bool *sent, struct forge *forge,
	       const struct forge_call *call, struct err *err)
{
	const struct forge_form *form = forge_form(forge->place->kind);
	struct http_header headers[HEADERS] = {
		{form->token_header, form->token_prefix, &forge->token},
		{"Accept", form->accept, NULL},
	};
	struct http_request request = {.method = call->method,
				       .headers = headers,
				       .header_count = 2,
				       .deadline_ms = FORGE_DEADLINE_MS,
				       .body_max = FORGE_BODY_MAX};
	struct buf url, body;
	struct err local = {0};
	int rc;

	*answer = NULL;
	*status = 0;
	if (sent)
		*sent = false;
	buf_init(&url, BUF_TEXT_MAX);
	buf_init(&body, BUF_TEXT_MAX);
	if (form->version_header)
		headers[request.header_count++] = (struct http_header){form->version_header,
								       form->version, NULL};
	if (call->body)
		headers[request.header_count++] = (struct http_header){"Content-Type",
								       "application/json", NULL};
	rc = forge_place_call(&url, forge->place, call->path, call->branch, call->base,
			      call->number, call->page, &local);
	rc = rc || !call->body ? rc : js_dump(&body, call->body, false, &local);
	request.url = url.data;
	request.body = call->body ? body.data : NULL;
	request.body_len = body.len;
	rc = rc ? rc : exchange(answer, status, sent, forge, &request, &local);
	buf_release(&url);
	buf_release(&body);
	if (rc && err)
		*err = local;
	return rc;
}
