/* SPDX-License-Identifier: PostgreSQL */
/* What the suites about HTTP share: one scripted server, and a clock whose waits cost no time. */
#ifndef TESTS_NET_HTTP_BED_H
#define TESTS_NET_HTTP_BED_H

#include "net/http.h"
#include "tests/net/suites.h"
#include "tests/support/httpd.h"

#define NOW	  1795224600 /* 2026-11-21T01:30:00Z */
#define WAITS_MAX 32
/* Of an exchange that is to run into it: a busy machine has sent the request by then. */
#define DEADLINE_MS 1000
#define TOKEN	    "glpat-very-secret-0123456789"

struct http_bed {
	struct httpd httpd;
	struct arena *arena;
	struct sys sys;
	struct loop_stop stop;
	struct http *http;
	struct secret token;
	int64_t ahead; /* what the waits have added to the clock, in milliseconds */
	int64_t waits[WAITS_MAX];
	size_t wait_count;
	bool stop_in_wait;
	struct http_response response;
	struct err err;
	char url[256];
};

extern struct http_bed hb;

/* An unchecked fixture: the first time only. main() stops it. */
void http_bed_start(void);
void http_bed_stop(void);
/* For each test: a fresh struct http, and a script that answers {} to everything. */
void http_bed_setup(void);
void http_bed_teardown(void);
/* Anew, with other options (NULL: the bed's CA). */
void http_bed_open(const char *ca_file);

/* "https://localhost:PORT/PATH" in hb.url. */
const char *http_bed_url(unsigned port, const char *path);
/* "http://localhost:PORT/PATH" in hb.url, without TLS: for answers that are late on purpose. */
const char *http_bed_plain(const char *path);
/* How many requests the server saw. */
size_t http_bed_count(void);
/* Sends; the code. What it was before is released. */
int http_bed_send(const struct http_request *request);
int http_bed_get(unsigned port, const char *path);
/* Neither message nor hint has it. */
void http_bed_unsaid(const char *text);

#endif
