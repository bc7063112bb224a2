/* SPDX-License-Identifier: PostgreSQL */
#include "tests/net/http_bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct http_bed hb;
static bool started;

static int64_t now(struct sys *sys)
{
	(void)sys;
	return NOW + hb.ahead / 1000;
}

static int64_t mono_ms(struct sys *sys)
{
	struct sys machine;

	(void)sys;
	sys_init(&machine);
	return machine.mono_ms(&machine) + hb.ahead;
}

static int wait_ms(void *ctx, int64_t ms, struct err *err)
{
	(void)ctx;
	ck_assert_uint_lt(hb.wait_count, WAITS_MAX);
	hb.waits[hb.wait_count++] = ms;
	hb.ahead += ms;
	return hb.stop_in_wait ? err_set(err, ERR_STOPPED, "stopped as asked") : 0;
}

void http_bed_start(void)
{
	static const char *const variables[] = {"https_proxy", "HTTPS_PROXY", "all_proxy",
						"ALL_PROXY",   "http_proxy",  "no_proxy",
						"NO_PROXY"};
	struct err err;

	if (started)
		return;
	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		(void)unsetenv(variables[i]);
	if (httpd_start(&hb.httpd, &err)) {
		(void)fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	started = true;
}

void http_bed_stop(void)
{
	if (started)
		httpd_stop(&hb.httpd);
}

void http_bed_open(const char *ca_file)
{
	const struct http_options options = {
		.sys = &hb.sys, .stop = &hb.stop, .ca_file = ca_file, .wait = wait_ms};

	http_free(hb.http);
	ck_ok(http_new(&hb.http, &options, &hb.err), &hb.err);
}

void http_bed_setup(void)
{
	sys_init(&hb.sys);
	hb.sys.now = now;
	hb.sys.mono_ms = mono_ms;
	ck_ok(loop_stop_init(&hb.stop, &hb.err), &hb.err);
	hb.arena = arena_new((size_t)1 << 20);
	ck_ok(arena_copy(&hb.token, hb.arena, TOKEN, strlen(TOKEN), &hb.err), &hb.err);
	http_bed_open(hb.httpd.ca_file);
	httpd_script(&hb.httpd, "{}");
}

void http_bed_teardown(void)
{
	http_response_release(&hb.response);
	http_free(hb.http);
	loop_stop_release(&hb.stop);
	arena_free(hb.arena);
}

const char *http_bed_url(unsigned port, const char *path)
{
	(void)snprintf(hb.url, sizeof(hb.url), "https://localhost:%u%s", port, path);
	return hb.url;
}

const char *http_bed_plain(const char *path)
{
	(void)snprintf(hb.url, sizeof(hb.url), "http://localhost:%u%s", hb.httpd.plain, path);
	return hb.url;
}

size_t http_bed_count(void)
{
	struct json *list = httpd_requests(&hb.httpd);
	size_t count = js_count(list);

	js_free(list);
	return count;
}

int http_bed_send(const struct http_request *request)
{
	http_response_release(&hb.response);
	err_clear(&hb.err);
	return http_send(&hb.response, hb.http, request, &hb.err);
}

int http_bed_get(unsigned port, const char *path)
{
	return http_bed_send(
		&(struct http_request){.method = "GET", .url = http_bed_url(port, path)});
}

void http_bed_unsaid(const char *text)
{
	ck_assert_msg(!strstr(hb.err.msg, text), "%s", hb.err.msg);
	ck_assert_msg(!strstr(hb.err.hint, text), "%s", hb.err.hint);
}
