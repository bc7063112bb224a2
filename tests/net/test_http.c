/* SPDX-License-Identifier: PostgreSQL */
/* One exchange: what is refused before, on the way, and of what comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/child.h"
#include "tests/net/http_bed.h"

#define KEY_BEGIN "-----BEGIN PRI" /* in two parts: no key is committed */
#define KEY_END	  "-----END PRI"

static const struct {
	const char *url, *message, *hint;
} bad_urls[] = {
	{"http://example.com/x", "the address begins with http://",
	 "https:// is needed, but for this machine itself"},
	{"http://127.0.0.1.example.com/", "the address begins with http://", ""},
	{"http://[::2]/", "the address begins with http://", ""},
	{"https://anna:" TOKEN "@example.com/", "the address has a user or password in it",
	 "addresses end in logs"},
	{"https://" TOKEN "@example.com/", "the address has a user or password in it", ""},
	{"ftp://example.com/", "the address does not begin with https://", ""},
	{"file:///etc/passwd", "the address does not begin with https://", ""},
	{"example.com/hook", "the address does not begin with https://", ""},
	{"https://", "the address cannot be understood", ""},
	{"https://exa mple.com/", "a blank or a character that is not ASCII", "xn--"},
	{"https://b\xc3\xbc"
	 "cher.example/",
	 "a blank or a character that is not ASCII", "xn--"},
	{"https://example.com/\r\nX: y", "a blank or a character that is not ASCII", ""},
	{"https://example.com:99999/", "the address cannot be understood", ""},
	{"", "the address does not begin with https://", ""},
};

START_TEST(addresses_are_refused)
{
	struct http_request request = {.method = "GET", .url = bad_urls[_i].url};

	ck_assert_int_eq(http_check_url(bad_urls[_i].url, "f.yml:3: url", &hb.err), ERR_USAGE);
	ck_assert_msg(!strncmp(hb.err.msg, "f.yml:3: url: ", 14), "%s", hb.err.msg);
	ck_contains(hb.err.msg, bad_urls[_i].message);
	ck_contains(hb.err.hint, bad_urls[_i].hint);
	http_bed_unsaid(TOKEN);
	ck_assert_int_eq(http_bed_send(&request), ERR_USAGE);
	ck_assert_int_eq(hb.response.failure, HTTP_REFUSED);
	ck_assert(!hb.response.sent);
	http_bed_unsaid(TOKEN);
}
END_TEST

static const struct {
	const char *url;
	bool secret_path;
	const char *shown;
} shown[] = {
	{"https://example.com/api/v4/x?token=t#f", false, "https://example.com/api/v4/x"},
	{"https://example.com:8443/a%2Fb", false, "https://example.com:8443/a%2Fb"},
	{"https://example.com:443/a", false, "https://example.com/a"},
	{"https://hooks.example.com/services/T00/B00/x", true, "https://hooks.example.com/…"},
	{"https://hooks.example.com/?code=x", true, "https://hooks.example.com/…"},
	{"https://hooks.example.com/", true, "https://hooks.example.com/"},
	{"https://[::1]:4/x", false, "https://[::1]:4/x"},
	{"https://u:p@example.com/", false, "an address that cannot be used"},
};

START_TEST(of_addresses_no_secret_is_shown)
{
	char text[HTTP_SHOWN_SIZE];

	http_shown(text, shown[_i].url, shown[_i].secret_path);
	ck_assert_str_eq(text, shown[_i].shown);
}
END_TEST

START_TEST(an_answer_has_status_type_headers_and_body)
{
	struct json *requests;

	httpd_script(&hb.httpd, "{\"GET /x\": [{\"status\": 201, \"body\": \"{\\\"a\\\": 1}\", "
				"\"headers\": {\"Content-Type\": \"Application/JSON; charset=x\", "
				"\"X-One\": [\"first\", \"second\"], \"X-Empty\": \"\"}}]}");
	ck_ok(http_bed_get(hb.httpd.good, "/x?a=b"), &hb.err);
	ck_assert_int_eq(hb.response.status, 201);
	ck_assert_str_eq(hb.response.type, "application/json");
	ck_assert_str_eq(hb.response.body.data, "{\"a\": 1}");
	ck_assert_str_eq(http_header(&hb.response, "x-ONE"), "first");
	ck_assert_str_eq(http_header(&hb.response, "X-Empty"), "");
	ck_assert_ptr_null(http_header(&hb.response, "X"));
	ck_assert_uint_eq(hb.response.tries, 1);
	requests = httpd_requests(&hb.httpd);
	ck_assert_uint_eq(js_count(requests), 1);
	ck_assert_str_eq(js_str(js_at(requests, 0), "query", ""), "a=b");
	ck_assert_str_eq(js_str(js_get(js_at(requests, 0), "headers"), "user-agent", ""),
			 "certrotate/" CERTROTATE_VERSION);
	js_free(requests);
}
END_TEST

static const struct {
	const char *method, *body;
	const char *length; /* the header; NULL: none */
} methods[] = {
	{"GET", NULL, NULL},  {"HEAD", NULL, NULL},  {"DELETE", NULL, NULL},
	{"POST", "{}", "2"},  {"POST", NULL, "0"},   {"PUT", "{\"a\": 1}", "8"},
	{"PATCH", "[]", "2"}, {"DELETE", "{}", "2"},
};

START_TEST(methods_and_bodies_arrive)
{
	const struct http_header headers[] = {
		{.name = "Authorization", .value = "Bearer ", .secret = &hb.token},
		{.name = "PRIVATE-TOKEN", .secret = &hb.token},
	};
	const char *body = methods[_i].body;
	struct json *requests;
	const struct json *seen, *fields;
	const char *length;

	ck_ok(http_bed_send(&(struct http_request){.method = methods[_i].method,
						   .url = http_bed_url(hb.httpd.good, "/m"),
						   .headers = headers,
						   .header_count = 2,
						   .body = body,
						   .body_len = body ? strlen(body) : 0}),
	      &hb.err);
	ck_assert_int_eq(hb.response.status, 200);
	requests = httpd_requests(&hb.httpd);
	ck_assert_uint_eq(js_count(requests), 1);
	seen = js_at(requests, 0);
	fields = js_get(seen, "headers");
	ck_assert_str_eq(js_str(seen, "method", ""), methods[_i].method);
	ck_assert_str_eq(js_str(seen, "body", ""), body ? body : "");
	ck_assert_str_eq(js_str(fields, "authorization", ""), "Bearer " TOKEN);
	ck_assert_str_eq(js_str(fields, "private-token", ""), TOKEN);
	length = js_str(fields, "content-length", NULL);
	ck_assert(methods[_i].length ? length && !strcmp(length, methods[_i].length) : !length);
	ck_assert_ptr_null(js_get(fields, "content-type")); /* not a form's */
	ck_assert_ptr_null(js_get(fields, "expect"));
	js_free(requests);
}
END_TEST

static int64_t connection_of(size_t index)
{
	struct json *requests = httpd_requests(&hb.httpd);
	int64_t number = js_int(js_at(requests, index), "connection", -1);

	js_free(requests);
	ck_assert_int_gt(number, 0);
	return number;
}

/* A child in between shares our descriptors until it is another program. */
START_TEST(connections_are_used_again)
{
	const char *const argv[] = {"true", NULL};
	struct child_result result;

	ck_ok(http_bed_get(hb.httpd.good, "/1"), &hb.err);
	ck_ok(child_run(&result, &(struct child_spec){.argv = argv}, &hb.err), &hb.err);
	ck_ok(http_bed_get(hb.httpd.good, "/2"), &hb.err);
	ck_assert_int_eq(connection_of(0), connection_of(1));
}
END_TEST

/*
 * libcurl would send again by itself on a new connection, where a kept one ends without an answer:
 * a POST must not be, as nobody knows whether it was acted upon.
 */
START_TEST(what_may_not_be_sent_twice_takes_a_connection_of_its_own)
{
	const struct http_header key = {.name = "Idempotency-Key", .value = "k"};
	struct http_request post = {.method = "POST", .url = NULL, .body = "{}", .body_len = 2};

	httpd_script(&hb.httpd, "{\"/first\": [{}], \"/x\": [{\"do\": \"close\"}]}");
	ck_ok(http_bed_get(hb.httpd.good, "/first"), &hb.err);
	post.url = http_bed_url(hb.httpd.good, "/x");
	ck_assert_int_eq(http_bed_send(&post), ERR_FAIL);
	ck_assert_int_eq(hb.response.failure, HTTP_CLOSED);
	ck_assert(hb.response.sent);
	ck_assert_uint_eq(http_bed_count(), 2);
	ck_assert_int_ne(connection_of(0), connection_of(1));
	/* and what may be is not refused a kept one */
	post.headers = &key;
	post.header_count = 1;
	post.url = http_bed_url(hb.httpd.good, "/first");
	ck_ok(http_bed_send(&post), &hb.err);
	ck_assert_int_eq(connection_of(0), connection_of(2));
}
END_TEST

static unsigned port_of(const char *listener)
{
	const struct httpd *h = &hb.httpd;

	return !strcmp(listener, "untrusted") ? h->untrusted
	       : !strcmp(listener, "name")    ? h->name
	       : !strcmp(listener, "expired") ? h->expired
	       : !strcmp(listener, "old")     ? h->old
	       : !strcmp(listener, "plain")   ? h->plain
	       : !strcmp(listener, "silent")  ? h->silent
	       : !strcmp(listener, "none")    ? 1
					      : h->good;
}

static const struct {
	const char *listener;
	enum http_failure failure;
	const char *message, *hint;
} ways[] = {
	{"untrusted", HTTP_NOT_TRUSTED,
	 "/x: its certificate is not accepted: unable to get local "
	 "issuer certificate",
	 "name the CA's file with ca_file"},
	{"name", HTTP_NOT_TRUSTED,
	 "/x: its certificate is made out for another name than localhost",
	 "as its certificate does"},
	{"expired", HTTP_NOT_TRUSTED,
	 "/x: its certificate is not accepted: certificate has expired", "this machine's clock"},
	{"old", HTTP_TLS, "/x: no TLS: tlsv1 alert protocol version", "TLS 1.2 or 1.3 is needed"},
	{"plain", HTTP_CLOSED, "/x: the connection was closed in the TLS handshake",
	 "an https server"},
	{"silent", HTTP_TIMEOUT, "/x: no connection within 0.3 s", "whether it runs"},
	{"none", HTTP_UNREACHABLE, "/x: cannot connect: Connection refused", "whether it runs"},
};

START_TEST(nothing_is_sent_where_the_way_is_not_safe)
{
	const struct http_header token = {.name = "PRIVATE-TOKEN", .secret = &hb.token};
	unsigned port = port_of(ways[_i].listener);
	char where[64];

	ck_assert_int_eq(http_bed_send(&(struct http_request){
				 .method = "POST",
				 .url = http_bed_url(port, "/x?code=" TOKEN),
				 .headers = &token,
				 .header_count = 1,
				 .body = "{}",
				 .body_len = 2,
				 .deadline_ms = !strcmp(ways[_i].listener, "silent") ? 300 : 0}),
			 ERR_FAIL);
	ck_assert_int_eq(hb.response.failure, ways[_i].failure);
	ck_assert(!hb.response.sent);
	(void)snprintf(where, sizeof(where), "POST https://localhost:%u", port);
	ck_assert_msg(!strncmp(hb.err.msg, where, strlen(where)), "%s", hb.err.msg);
	ck_contains(hb.err.msg, ways[_i].message);
	ck_contains(hb.err.hint, ways[_i].hint);
	http_bed_unsaid(TOKEN);
	ck_assert_uint_eq(http_bed_count(), 0);
}
END_TEST

START_TEST(a_private_ca_is_needed_and_trusted)
{
	http_bed_open(NULL);
	ck_assert_int_eq(http_bed_get(hb.httpd.good, "/"), ERR_FAIL);
	ck_assert_int_eq(hb.response.failure, HTTP_NOT_TRUSTED);
	http_bed_open(hb.httpd.ca_file);
	ck_ok(http_bed_get(hb.httpd.good, "/"), &hb.err);
}
END_TEST

/* The variables of a shell do not decide whom we trust. */
START_TEST(no_variable_makes_a_ca_trusted)
{
	(void)setenv("SSL_CERT_FILE", hb.httpd.ca_file, 1);
	(void)setenv("CURL_CA_BUNDLE", hb.httpd.ca_file, 1);
	http_bed_open(NULL);
	ck_assert_int_eq(http_bed_get(hb.httpd.good, "/"), ERR_FAIL);
	ck_assert_int_eq(hb.response.failure, HTTP_NOT_TRUSTED);
}
END_TEST

START_TEST(a_ca_file_that_is_none_is_said)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{NULL, "cannot open"},
		{"nothing\n", "ca.pem"},
		{KEY_BEGIN "VATE KEY-----\nAAAA\n" KEY_END "VATE KEY-----\n", "ca.pem"},
	};
	struct http *http = NULL;
	char *path;

	(void)test_mkdir();
	path = test_path("ca.pem");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct http_options options = {.sys = &hb.sys, .ca_file = path};

		if (cases[i].text)
			test_write(path, cases[i].text);
		ck_assert_int_eq(http_new(&http, &options, &hb.err), ERR_USAGE);
		ck_assert_ptr_null(http);
		ck_contains(hb.err.msg, path);
		ck_contains(hb.err.msg, cases[i].message);
		http_bed_unsaid("AAAA");
	}
	free(path);
	test_rmdir();
}
END_TEST

START_TEST(this_machine_may_speak_without_tls)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		(void)snprintf(hb.url, sizeof(hb.url), "http://%s:%u/", hosts[i], hb.httpd.plain);
		ck_ok(http_bed_send(&(struct http_request){.method = "GET", .url = hb.url}),
		      &hb.err);
	}
	ck_assert_uint_eq(http_bed_count(), 3);
}
END_TEST

static const struct {
	const char *method;
	int status;
	const char *location; /* %u: the port */
	const char *message;  /* NULL: it is followed */
} redirects[] = {
	{"GET", 301, "/there", NULL},
	{"GET", 302, "there", NULL},
	{"GET", 303, "https://localhost:%u/there", NULL},
	{"GET", 307, "https://LOCALHOST:%u/there", NULL},
	{"POST", 307, "/there", NULL},
	{"POST", 308, "/there", NULL},
	{"POST", 301, "/there", "/there, which would turn it into a GET"},
	{"POST", 302, "/there", "/there, which would turn it into a GET"},
	{"POST", 303, "/there", "/there, which would turn it into a GET"},
	{"GET", 302, "https://127.0.0.1:%u/there", "which is another host, port or scheme"},
	{"GET", 302, "https://localhost:1/there", "which is another host, port or scheme"},
	{"GET", 302, "http://localhost:%u/there", "which is another host, port or scheme"},
	{"GET", 302, "http://example.com/" TOKEN, "a redirect to an address that cannot be used"},
	{"GET", 302, "https://u:" TOKEN "@localhost/", "to an address that cannot be used"},
	{"GET", 302, "https://evil.example.com/?t=" TOKEN, "which is another host, port or scheme"},
	{"GET", 302, "ftp://localhost/x", "to an address that cannot be used"},
	{"GET", 302, "/from", "which is one too many"},
};

START_TEST(redirects_stay_where_they_began)
{
	const struct http_header token = {.name = "PRIVATE-TOKEN", .secret = &hb.token};
	bool post = !strcmp(redirects[_i].method, "POST");
	char location[128], script[512];
	struct http_request request = {.method = redirects[_i].method,
				       .headers = &token,
				       .header_count = 1,
				       .body = post ? "{}" : NULL,
				       .body_len = post ? 2 : 0};
	struct json *requests;
	int rc;

	/* the table's own formats, with at most one %u */
	(void)snprintf(location, sizeof(location), "%.*s", 127, redirects[_i].location);
	if (strstr(redirects[_i].location, "%u")) {
		size_t before = (size_t)(strstr(redirects[_i].location, "%u") -
					 redirects[_i].location);

		(void)snprintf(location, sizeof(location), "%.*s%u%s", (int)before,
			       redirects[_i].location, hb.httpd.good,
			       redirects[_i].location + before + 2);
	}
	(void)snprintf(script, sizeof(script),
		       "{\"/from\": [{\"status\": %d, \"headers\": {\"Location\": \"%s\"}}], "
		       "\"/there\": [{\"body\": \"here\"}]}",
		       redirects[_i].status, location);
	httpd_script(&hb.httpd, script);
	request.url = http_bed_url(hb.httpd.good, "/from");
	rc = http_bed_send(&request);
	requests = httpd_requests(&hb.httpd);
	if (!redirects[_i].message) {
		ck_ok(rc, &hb.err);
		ck_assert_str_eq(hb.response.body.data, "here");
		ck_assert_uint_eq(js_count(requests), 2);
		ck_assert_str_eq(js_str(js_at(requests, 1), "method", ""), redirects[_i].method);
		ck_assert_str_eq(js_str(js_at(requests, 1), "body", ""), post ? "{}" : "");
		ck_assert_str_eq(js_str(js_get(js_at(requests, 1), "headers"), "private-token", ""),
				 TOKEN);
	} else {
		ck_assert_int_eq(rc, ERR_FAIL);
		ck_assert_int_eq(hb.response.failure, HTTP_REDIRECT);
		ck_contains(hb.err.msg, "/from: answered ");
		ck_contains(hb.err.msg, redirects[_i].message);
		ck_assert_uint_eq(js_count(requests), strcmp(location, "/from") != 0 ? 1 : 6);
	}
	http_bed_unsaid(TOKEN);
	js_free(requests);
}
END_TEST

static const struct {
	const char *answer;
	enum http_failure failure;
	const char *message;
} endings[] = {
	{"{\"do\": \"half\", \"body\": \"abcdefgh\"}", HTTP_CLOSED,
	 "closed in the middle of the answer (status 200, 4 bytes of its body came)"},
	{"{\"do\": \"close\"}", HTTP_CLOSED, "the connection was closed before an answer came"},
	{"{\"do\": \"reset\"}", HTTP_CLOSED, "the connection was closed before an answer came"},
	{"{\"do\": \"garbage\"}", HTTP_NOT_HTTP, "what came is no HTTP/1.1: "},
	{"{\"do\": \"headers\"}", HTTP_TOO_LARGE, "headers of the answer are larger than 65536"},
	{"{\"header_line\": 200000}", HTTP_TOO_LARGE,
	 "headers of the answer are larger than 65536"},
	{"{\"header_fill\": 80000}", HTTP_TOO_LARGE, "headers of the answer are larger than 65536"},
	{"{\"fill\": 100000000}", HTTP_TOO_LARGE, "(status 200) is larger than 1048576 bytes"},
	{"{\"fill\": 100000000, \"length\": false}", HTTP_TOO_LARGE,
	 "is larger than 1048576 bytes"},
	{"{\"do\": \"hang\"}", HTTP_TIMEOUT, "no answer within 1 s"},
	{"{\"do\": \"drip\"}", HTTP_TIMEOUT, "the answer did not end within 1 s ("},
};

START_TEST(every_answer_has_an_end)
{
	bool late = endings[_i].failure == HTTP_TIMEOUT;
	char script[256];

	(void)snprintf(script, sizeof(script), "{\"*\": [%s]}", endings[_i].answer);
	httpd_script(&hb.httpd, script);
	ck_assert_int_eq(http_bed_send(&(struct http_request){
				 .method = "POST",
				 .url = late ? http_bed_plain("/secret-path-" TOKEN)
					     : http_bed_url(hb.httpd.good, "/secret-path-" TOKEN),
				 .secret_path = true,
				 .body = "{}",
				 .body_len = 2,
				 .deadline_ms = late ? DEADLINE_MS : 0}),
			 ERR_FAIL);
	ck_assert_int_eq(hb.response.failure, endings[_i].failure);
	ck_assert(hb.response.sent);
	ck_contains(hb.err.msg, endings[_i].message);
	ck_contains(hb.err.msg, "/…: ");
	ck_assert(hb.err.hint[0] || endings[_i].failure == HTTP_NOT_HTTP);
	http_bed_unsaid(TOKEN);
	ck_assert_uint_eq(http_bed_count(), 1);
	/* and the next one is not in its way */
	httpd_script(&hb.httpd, "{}");
	ck_ok(http_bed_get(hb.httpd.good, "/"), &hb.err);
}
END_TEST

START_TEST(a_name_that_nobody_answers_for_costs_the_deadline)
{
	ck_assert_int_eq(http_bed_send(&(struct http_request){
				 .method = "GET", .url = "https://dns.hang/x", .deadline_ms = 200}),
			 ERR_FAIL);
	ck_assert_int_eq(hb.response.failure, HTTP_NO_ADDRESS);
	/* or a few milliseconds less: the deadline is that of all of it */
	ck_contains(hb.err.msg, "GET https://dns.hang/x: no address for the host dns.hang: no "
				"answer within 0.");
}
END_TEST

START_TEST(stopping_ends_it_at_once)
{
	httpd_script(&hb.httpd, "{\"*\": [{\"do\": \"hang\"}]}");
	loop_stop_request(&hb.stop);
	ck_assert_int_eq(
		http_bed_send(&(struct http_request){.method = "GET",
						     .url = http_bed_url(hb.httpd.good, "/x"),
						     .deadline_ms = 3600000}),
		ERR_STOPPED);
	ck_assert_int_eq(hb.response.failure, HTTP_STOPPED);
	ck_contains(hb.err.msg, "stopped");
}
END_TEST

START_TEST(a_header_cannot_bring_another_one)
{
	static const char *const texts[] = {"x\r\nX-Evil: y", "x\ny", "x\ty", "x\x7f"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct secret secret = {0};
		struct http_header header = {.name = "X-Token", .secret = &secret};

		ck_ok(arena_copy(&secret, hb.arena, texts[i], strlen(texts[i]), &hb.err), &hb.err);
		ck_assert_int_eq(http_bed_send(&(struct http_request){
					 .method = "GET",
					 .url = http_bed_url(hb.httpd.good, "/"),
					 .headers = &header,
					 .header_count = 1}),
				 ERR_USAGE);
		ck_assert_int_eq(hb.response.failure, HTTP_REFUSED);
		ck_contains(hb.err.msg, "the header X-Token would have control characters in it");
		http_bed_unsaid("Evil");
	}
	ck_assert_uint_eq(http_bed_count(), 0);
}
END_TEST

static size_t threads(void)
{
	char *text = NULL;
	size_t len, count = 0;
	const char *line;

	text = test_read("/proc/self/status", &len);
	line = strstr(text, "\nThreads:");
	ck_assert_ptr_nonnull(line);
	count = strtoul(line + 9, NULL, 10);
	free(text);
	return count;
}

/* Whoever forks is to be alone; names are the C library's own, see net/resolve.h. */
START_TEST(libcurl_starts_no_thread)
{
	size_t before = threads();

	(void)snprintf(hb.url, sizeof(hb.url), "https://127.0.0.1:%u/", hb.httpd.good);
	httpd_script(&hb.httpd, "{\"*\": [{\"do\": \"hang\"}]}");
	ck_assert_int_eq(http_bed_send(&(struct http_request){
				 .method = "GET", .url = hb.url, .deadline_ms = 100}),
			 ERR_FAIL);
	ck_assert_uint_eq(threads(), before);
}
END_TEST

Suite *http_suite(void)
{
	Suite *suite = suite_create("http");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 120);
	tcase_add_unchecked_fixture(tcase, http_bed_start, NULL);
	tcase_add_checked_fixture(tcase, http_bed_setup, http_bed_teardown);
#define TABLE(test, rows)                                                                          \
	tcase_add_loop_test(tcase, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))
	TABLE(addresses_are_refused, bad_urls);
	TABLE(of_addresses_no_secret_is_shown, shown);
	tcase_add_test(tcase, an_answer_has_status_type_headers_and_body);
	TABLE(methods_and_bodies_arrive, methods);
	tcase_add_test(tcase, connections_are_used_again);
	tcase_add_test(tcase, what_may_not_be_sent_twice_takes_a_connection_of_its_own);
	TABLE(nothing_is_sent_where_the_way_is_not_safe, ways);
	tcase_add_test(tcase, a_private_ca_is_needed_and_trusted);
	tcase_add_test(tcase, no_variable_makes_a_ca_trusted);
	tcase_add_test(tcase, a_ca_file_that_is_none_is_said);
	tcase_add_test(tcase, this_machine_may_speak_without_tls);
	TABLE(redirects_stay_where_they_began, redirects);
	TABLE(every_answer_has_an_end, endings);
	tcase_add_test(tcase, a_name_that_nobody_answers_for_costs_the_deadline);
	tcase_add_test(tcase, stopping_ends_it_at_once);
	tcase_add_test(tcase, a_header_cannot_bring_another_one);
	tcase_add_test(tcase, libcurl_starts_no_thread);
	suite_add_tcase(suite, tcase);
	return suite;
}
