/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_impl.h"

struct trying {
	struct http *http;
	const struct http_request *request;
	struct http_again again; /* without zeros */
	int64_t ends;		 /* of mono_ms */
	unsigned tries;
};

static bool worth_it(const struct http_response *response, const struct http_request *request)
{
	switch (response->failure) {
	case HTTP_NONE:
		return response->status == 429 ||
		       (http_repeatable(request) &&
			(response->status == 500 || response->status == 502 ||
			 response->status == 503 || response->status == 504));
	case HTTP_NO_ADDRESS:
	case HTTP_UNREACHABLE:
	case HTTP_TIMEOUT:
	case HTTP_CLOSED:
		return !response->sent || http_repeatable(request);
	case HTTP_REFUSED:
	case HTTP_PROXY:
	case HTTP_NOT_TRUSTED:
	case HTTP_TLS:
	case HTTP_TOO_LARGE:
	case HTTP_NOT_HTTP:
	case HTTP_REDIRECT:
	case HTTP_STOPPED:
	case HTTP_LOCAL:
	case HTTP__MAX:
		break;
	}
	return false;
}

/* RFC 9110, section 10.2.3: seconds, or a date. -1: it says nothing. */
static int64_t retry_after_ms(const struct http_response *response, const struct http *http)
{
	struct sys *sys = http->options.sys;
	const char *value = response->failure ? NULL : http_header(response, "Retry-After");
	size_t digits = value ? strspn(value, "0123456789") : 0;
	int64_t when, now;

	if (!value)
		return -1;
	if (digits && !value[digits])
		return digits > 9 ? INT64_MAX : (int64_t)strtoul(value, NULL, 10) * 1000;
	when = http->curl->getdate(value, NULL);
	now = sys->now(sys);
	if (when < 0)
		return -1;
	return when > now ? (when - now) * 1000 : 0;
}

/* Full jitter: anything from nothing to the whole, so that many do not come back at once. */
static int backoff_ms(int64_t *out, const struct trying *trying, struct err *err)
{
	struct sys *sys = trying->http->options.sys;
	int64_t most = trying->again.first_ms;
	uint64_t random = 0;
	int rc;

	for (unsigned i = 1; i < trying->tries && most < trying->again.wait_max_ms; i++)
		most *= 2;
	if (most > trying->again.wait_max_ms)
		most = trying->again.wait_max_ms;
	rc = sys->random(sys, &random, sizeof(random), err);
	*out = (int64_t)(random % ((uint64_t)most + 1));
	return rc;
}

/* Waits for the next try; *over: there is none. */
static int pause_between(bool *over, const struct trying *trying,
			 const struct http_response *response, struct err *err)
{
	struct http *http = trying->http;
	int64_t left = trying->ends - loop_now(http->loop);
	int64_t ms = retry_after_ms(response, http);
	int rc = 0;

	if (ms < 0)
		rc = backoff_ms(&ms, trying, err);
	*over = ms >= left;
	return rc || *over ? rc : http_loop_wait(http, ms, err);
}

static void set_defaults(struct http_again *again, const struct http_again *given)
{
	if (given)
		*again = *given;
	again->tries = again->tries ? again->tries : HTTP_TRIES;
	again->first_ms = again->first_ms ? again->first_ms : HTTP_FIRST_MS;
	again->wait_max_ms = again->wait_max_ms ? again->wait_max_ms : HTTP_WAIT_MAX_MS;
	again->all_ms = again->all_ms ? again->all_ms : HTTP_RETRY_ALL_MS;
}

/* One try, with no more time than is left of all. */
static int try_once(struct http_response *out, const struct trying *trying, struct err *err)
{
	struct http_request request = *trying->request;
	int64_t left = trying->ends - loop_now(trying->http->loop);

	if (trying->again.prepare) {
		int rc = trying->again.prepare(trying->again.ctx, err);

		*out = (struct http_response){.failure = HTTP_LOCAL};
		buf_init(&out->body, 0);
		if (rc)
			return rc;
	}
	if (!request.deadline_ms)
		request.deadline_ms = HTTP_DEADLINE_MS;
	if (request.deadline_ms > left)
		request.deadline_ms = left > 1 ? left : 1;
	return http_send(out, trying->http, &request, err);
}

int http_retry(struct http_response *out, struct http *http, const struct http_request *request,
	       const struct http_again *again, struct err *err)
{
	struct trying trying = {.http = http, .request = request};
	int64_t began = loop_now(http->loop);
	bool over = false;
	int rc;

	set_defaults(&trying.again, again);
	trying.ends = began + trying.again.all_ms;
	for (;;) {
		int paused;

		trying.tries++;
		rc = try_once(out, &trying, err);
		if (trying.tries >= trying.again.tries || !worth_it(out, request))
			break;
		paused = pause_between(&over, &trying, out, err);
		if (paused || over) {
			rc = paused ? paused : rc;
			break;
		}
		http_response_release(out);
	}
	out->tries = trying.tries;
	out->ms = loop_now(http->loop) - began;
	if (rc && rc != ERR_STOPPED && trying.tries > 1 && err)
		(void)snprintf(err->msg + strlen(err->msg), sizeof(err->msg) - strlen(err->msg),
			       ", tried %u times", trying.tries);
	return rc;
}
