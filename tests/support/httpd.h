/* SPDX-License-Identifier: PostgreSQL */
/*
 * The scripted HTTPS server of a suite's own, tests/support/httpd.py, which says what a script is
 * and what the listeners do. Gone when the tests' process is gone. Meant to be started once, in
 * main() or in an unchecked fixture: it takes half a second.
 */
#ifndef TESTS_SUPPORT_HTTPD_H
#define TESTS_SUPPORT_HTTPD_H

#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/json.h"

struct httpd {
	pid_t pid;
	int lifeline; /* its standard input */
	char dir[64];
	char ca_file[80]; /* PEM: the CA of its certificates */
	unsigned good, untrusted, name, expired, old, plain, silent, proxy; /* ports */
};

/* ERR_FAIL with what to install. */
int httpd_start(struct httpd *httpd, struct err *err);
void httpd_stop(struct httpd *httpd); /* leaves nothing behind; not started: fine */

/* What is answered from now on: the value of "routes", as JSON. Forgets the requests so far. */
void httpd_script(const struct httpd *httpd, const char *routes);
/* The requests since then, an array; js_free() it. */
struct json *httpd_requests(const struct httpd *httpd);

#endif
