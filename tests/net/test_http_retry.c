/* SPDX-License-Identifier: PostgreSQL */
/* Trying again, what the other side says, and proxies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_impl.h"
#include "tests/net/http_bed.h"

/* In two parts: no key is committed. */
#define KEY_TEXT                                                                                   \
	"x -----BEGIN PRI"                                                                         \
	"VATE KEY-----\\nMIIEvQ\\n-----END PRI"                                                    \
	"VATE KEY-----"

static int again(const struct http_request *request, const struct http_again *how)
{
	http_response_release(&hb.response);
	err_clear(&hb.err);
	return http_retry(&hb.response, hb.http, request, how, &hb.err);
}

static const struct http_header idempotent = {.name = "Idempotency-Key", .value = "k-1"};

START_TEST(it_tries_again_until_it_is_answered)
{
	httpd_script(&hb.httpd, "{\"*\": [{\"status\": 500}, {\"status\": 502}, {\"status\": 503}, "
				"{\"status\": 504}, {\"body\": \"at last\"}]}");
	ck_ok(again(&(struct http_request){.method = "GET",
					   .url = http_bed_url(hb.httpd.good, "/")},
		    NULL),
	      &hb.err);
	ck_assert_int_eq(hb.response.status, 200);
	ck_assert_str_eq(hb.response.body.data, "at last");
	ck_assert_uint_eq(hb.response.tries, 5);
	ck_assert_uint_eq(hb.wait_count, 4);
	/* anything up to 0.5 s, 1 s, 2 s, 4 s */
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_le(hb.waits[i], HTTP_FIRST_MS << i);
}
END_TEST

static int most_random(struct sys *sys, void *out, size_t len, struct err *err)
{
	uint64_t most = 0;

	(void)sys;
	(void)err;
	ck_assert_uint_eq(len, sizeof(most));
	/* a multiple of none of what it is divided by, less one: the longest wait of each */
	most = hb.wait_count < 5 ? (uint64_t)(100 << hb.wait_count) : 1000;
	if (most > 1000)
		most = 1000;
	memcpy(out, &most, len);
	return 0;
}

START_TEST(waits_grow_to_a_limit)
{
	const int64_t expected[] = {100, 200, 400, 800, 1000, 1000};
	const struct http_again how = {
		.tries = 7, .first_ms = 100, .wait_max_ms = 1000, .all_ms = 3600000};

	hb.sys.random = most_random;
	httpd_script(&hb.httpd, "{\"*\": [{\"status\": 503, \"body\": \"busy\"}]}");
	ck_ok(again(&(struct http_request){.method = "GET",
					   .url = http_bed_url(hb.httpd.good, "/")},
		    &how),
	      &hb.err);
	ck_assert_int_eq(hb.response.status, 503);
	ck_assert_uint_eq(hb.response.tries, 7);
	ck_assert_uint_eq(hb.wait_count, 6);
	for (size_t i = 0; i < 6; i++)
		ck_assert_int_eq(hb.waits[i], expected[i]);
	ck_assert_int_ge(hb.response.ms, 3500);
	ck_assert_uint_eq(http_bed_count(), 7);
}
END_TEST

static const struct {
	const char *value;
	int64_t wait; /* milliseconds; -1: it gives up at once */
} retry_after[] = {
	{"7", 7000},
	{"0", 0},
	{"Sat, 21 Nov 2026 01:30:42 GMT", 42000},
	{"Sat, 21 Nov 2026 01:00:00 GMT", 0},
	{"3600", -1},
	{"99999999999999999999", -1},
	{"Sat, 21 Nov 2026 09:30:00 GMT", -1},
};

START_TEST(the_server_says_how_long)
{
	char script[256];

	(void)snprintf(script, sizeof(script),
		       "{\"*\": [{\"status\": 429, \"headers\": {\"Retry-After\": \"%s\"}}, {}]}",
		       retry_after[_i].value);
	httpd_script(&hb.httpd, script);
	/* 429: nothing was done, so a POST may come again */
	ck_ok(again(&(struct http_request){.method = "POST",
					   .url = http_bed_url(hb.httpd.good, "/")},
		    NULL),
	      &hb.err);
	ck_assert_int_eq(hb.response.status, retry_after[_i].wait < 0 ? 429 : 200);
	ck_assert_uint_eq(hb.wait_count, retry_after[_i].wait < 0 ? 0 : 1);
	ck_assert_int_eq(hb.waits[0], retry_after[_i].wait < 0 ? 0 : retry_after[_i].wait);
}
END_TEST

START_TEST(a_word_that_is_no_time_is_passed_over)
{
	httpd_script(&hb.httpd, "{\"*\": [{\"status\": 503, \"headers\": {\"Retry-After\": "
				"\"soon\"}}, {}]}");
	ck_ok(again(&(struct http_request){.method = "GET",
					   .url = http_bed_url(hb.httpd.good, "/")},
		    NULL),
	      &hb.err);
	ck_assert_uint_eq(hb.wait_count, 1);
	ck_assert_int_le(hb.waits[0], HTTP_FIRST_MS);
}
END_TEST

/* What may have been acted upon, and must not be sent again without a key. */
static const struct {
	const char *method;
	bool key;
	const char *answer;
	size_t requests;
} twice[] = {
	{"POST", false, "{\"status\": 500}", 1},
	{"POST", false, "{\"status\": 503}", 1},
	{"POST", false, "{\"do\": \"close\"}", 1},
	{"POST", false, "{\"do\": \"half\", \"body\": \"abcd\"}", 1},
	{"POST", false, "{\"do\": \"hang\"}", 1},
	{"PATCH", false, "{\"status\": 502}", 1},
	{"POST", false, "{\"status\": 429}", 3},
	{"POST", true, "{\"status\": 500}", 3},
	{"POST", true, "{\"do\": \"close\"}", 3},
	{"POST", true, "{\"do\": \"half\", \"body\": \"abcd\"}", 3},
	{"POST", true, "{\"do\": \"hang\"}", 2},
	{"PUT", false, "{\"status\": 504}", 3},
	{"DELETE", false, "{\"do\": \"reset\"}", 3},
	{"GET", false, "{\"status\": 404}", 1},
	{"GET", false, "{\"status\": 501}", 1},
	{"GET", false, "{\"fill\": 100000000}", 1},
	{"GET", false, "{\"do\": \"garbage\"}", 1},
	{"GET", false, "{\"status\": 302, \"headers\": {\"Location\": \"https://x.test/\"}}", 1},
};

START_TEST(nothing_is_sent_twice_that_must_not_be)
{
	bool hangs = strstr(twice[_i].answer, "hang") != NULL;
	const struct http_again how = {.tries = hangs ? 2 : 3, .all_ms = 60000};
	char script[256];
	struct json *requests;

	(void)snprintf(script, sizeof(script), "{\"*\": [%s]}", twice[_i].answer);
	httpd_script(&hb.httpd, script);
	(void)again(&(struct http_request){.method = twice[_i].method,
					   .url = http_bed_plain("/"),
					   .headers = twice[_i].key ? &idempotent : NULL,
					   .header_count = twice[_i].key ? 1 : 0,
					   .deadline_ms = hangs ? DEADLINE_MS : 0},
		    &how);
	requests = httpd_requests(&hb.httpd);
	ck_assert_uint_eq(js_count(requests), twice[_i].requests);
	for (size_t i = 0; i < js_count(requests) && twice[_i].key; i++)
		ck_assert_str_eq(
			js_str(js_get(js_at(requests, i), "headers"), "idempotency-key", ""),
			"k-1");
	js_free(requests);
}
END_TEST

/* Where nothing was sent, nothing can have been done. */
START_TEST(what_was_not_sent_is_tried_again)
{
	ck_assert_int_eq(
		again(&(struct http_request){.method = "POST", .url = http_bed_url(1, "/x")}, NULL),
		ERR_FAIL);
	ck_assert_int_eq(hb.response.failure, HTTP_UNREACHABLE);
	ck_assert_uint_eq(hb.response.tries, 5);
	ck_assert_uint_eq(hb.wait_count, 4);
	ck_assert_str_eq(hb.err.msg, "POST https://localhost:1/x: cannot connect: Connection "
				     "refused, tried 5 times");
}
END_TEST

START_TEST(a_certificate_does_not_get_better)
{
	ck_assert_int_eq(again(&(struct http_request){.method = "GET",
						      .url = http_bed_url(hb.httpd.untrusted, "/")},
			       NULL),
			 ERR_FAIL);
	ck_assert_uint_eq(hb.response.tries, 1);
	ck_assert_uint_eq(hb.wait_count, 0);
}
END_TEST

START_TEST(all_tries_together_have_an_end)
{
	const struct http_again how = {.tries = 100, .first_ms = 1000, .all_ms = 5000};

	httpd_script(&hb.httpd,
		     "{\"*\": [{\"status\": 429, \"headers\": {\"Retry-After\": \"2\"}}]}");
	ck_ok(again(&(struct http_request){.method = "GET",
					   .url = http_bed_url(hb.httpd.good, "/")},
		    &how),
	      &hb.err);
	ck_assert_int_eq(hb.response.status, 429);
	ck_assert_uint_eq(hb.response.tries, 3);
	ck_assert_uint_eq(hb.wait_count, 2);
}
END_TEST

START_TEST(stopping_ends_the_waits)
{
	hb.stop_in_wait = true;
	httpd_script(&hb.httpd, "{\"*\": [{\"status\": 500}]}");
	ck_assert_int_eq(again(&(struct http_request){.method = "GET",
						      .url = http_bed_url(hb.httpd.good, "/")},
			       NULL),
			 ERR_STOPPED);
	ck_assert_str_eq(hb.err.msg, "stopped as asked");
	ck_assert_uint_eq(http_bed_count(), 1);
}
END_TEST

/* The loop's own wait, not the test's. */
START_TEST(a_stop_request_wakes_who_waits)
{
	const struct http_options options = {
		.sys = &hb.sys, .stop = &hb.stop, .ca_file = hb.httpd.ca_file};
	const struct http_again how = {
		.first_ms = 3600000, .wait_max_ms = 3600000, .all_ms = 7200000};

	httpd_script(&hb.httpd,
		     "{\"*\": [{\"status\": 503, \"headers\": {\"Retry-After\": \"3600\"}}]}");
	http_free(hb.http);
	ck_ok(http_new(&hb.http, &options, &hb.err), &hb.err);
	loop_stop_request(&hb.stop);
	ck_assert_int_eq(http_loop_wait(hb.http, 3600000, &hb.err), ERR_STOPPED);
	ck_assert_int_eq(again(&(struct http_request){.method = "GET",
						      .url = http_bed_url(hb.httpd.good, "/")},
			       &how),
			 ERR_STOPPED);
}
END_TEST

static const struct {
	const char *answer;
	const char *text; /* NULL: not compared */
} excerpts[] = {
	{"{\"status\": 400, \"body\": \"\\n\\n  no such channel  \\nmore\"}", "no such channel"},
	{"{\"status\": 400, \"body\": \"\"}", ""},
	{"{\"status\": 502, \"body\": \"<html><head><title>Bad\\ngateway</title>\"}",
	 "an HTML page, 'Bad'"},
	{"{\"status\": 401, \"headers\": {\"Content-Type\": \"text/html\"}, \"body\": \"<p>x\"}",
	 "an HTML page"},
	{"{\"status\": 400, \"body\": \"red\\u001b[31m \\u202egnp\\u0007\"}",
	 "red\\x1b[31m \\u202egnp\\x07"},
	{"{\"status\": 400, \"body\": \"a " TOKEN " b\"}", "a [secret removed] b"},
	{"{\"status\": 400, \"body\": \"no POST /services/T00/B11\"}", "no POST [secret removed]"},
	{"{\"status\": 400, \"body\": \"code=q-secret is wrong\"}", "[secret removed] is wrong"},
	{"{\"status\": 400, \"body\": \"" KEY_TEXT " end\"}", "x [private key removed] end"},
	{"{\"status\": 400, \"body\": \"x\", \"fill\": 100000}", NULL},
	{"{\"status\": 404, \"echo\": true}", NULL},
};

START_TEST(of_answers_no_secret_is_shown)
{
	const struct http_header token = {
		.name = "Authorization", .value = "Bearer ", .secret = &hb.token};
	struct http_request request = {
		.method = "POST",
		.url = http_bed_url(hb.httpd.good, "/services/T00/B11?code=q-secret"),
		.secret_path = true,
		.headers = &token,
		.header_count = 1};
	char script[512], text[HTTP_EXCERPT_SIZE], start[128];

	(void)snprintf(script, sizeof(script), "{\"*\": [%s]}", excerpts[_i].answer);
	httpd_script(&hb.httpd, script);
	ck_ok(http_bed_send(&request), &hb.err);
	http_excerpt(text, &request, &hb.response);
	if (excerpts[_i].text)
		ck_assert_str_eq(text, excerpts[_i].text);
	ck_assert_int_eq(http_refuse(&request, &hb.response, &hb.err), ERR_FAIL);
	(void)snprintf(start, sizeof(start), "POST https://localhost:%u/…: answered %d (",
		       hb.httpd.good, hb.response.status);
	if (hb.response.status != 200)
		ck_assert_msg(!strncmp(hb.err.msg, start, strlen(start)), "%s", hb.err.msg);
	ck_assert_uint_lt(strlen(hb.err.msg), 1000);
	http_bed_unsaid(TOKEN);
	http_bed_unsaid("B11");
	http_bed_unsaid("q-secret");
	http_bed_unsaid("MIIE");
	http_bed_unsaid("\033");
}
END_TEST

START_TEST(through_a_proxy)
{
	struct json *requests;
	char proxy[128];

	(void)snprintf(proxy, sizeof(proxy), "http://anna:" TOKEN "@localhost:%u", hb.httpd.proxy);
	(void)setenv("HTTPS_PROXY", proxy, 1);
	(void)snprintf(hb.url, sizeof(hb.url), "https://far.example.test:%u/x", hb.httpd.good);
	ck_ok(http_bed_send(&(struct http_request){.method = "GET", .url = hb.url}), &hb.err);
	requests = httpd_requests(&hb.httpd);
	ck_assert_uint_eq(js_count(requests), 2);
	ck_assert_str_eq(js_str(js_at(requests, 0), "method", ""), "CONNECT");
	ck_assert_ptr_nonnull(js_get(js_get(js_at(requests, 0), "headers"), "proxy-authorization"));
	ck_assert_ptr_null(js_get(js_get(js_at(requests, 1), "headers"), "proxy-authorization"));
	js_free(requests);
	/* this machine needs none */
	httpd_script(&hb.httpd, "{}");
	ck_ok(http_bed_get(hb.httpd.good, "/"), &hb.err);
	ck_assert_uint_eq(http_bed_count(), 1);
	/* and the variable in small letters comes first */
	(void)snprintf(hb.url, sizeof(hb.url), "https://far.example.test:%u/x", hb.httpd.good);
	(void)setenv("https_proxy", "socks5h://127.0.0.1:1", 1);
	ck_assert_int_eq(http_bed_send(&(struct http_request){.method = "GET", .url = hb.url}),
			 ERR_FAIL);
	ck_contains(hb.err.msg, "/x through the proxy 127.0.0.1:1: cannot connect");
	http_bed_unsaid(TOKEN);
}
END_TEST

static const struct {
	const char *proxy; /* %u: its port */
	const char *script;
	enum http_failure failure;
	const char *message, *hint;
} proxies[] = {
	{"localhost:%u", "{\"CONNECT *\": [{\"status\": 407}]}", HTTP_PROXY,
	 ": the proxy answered 407", "https_proxy in the environment takes them"},
	{"localhost:%u", "{\"CONNECT *\": [{\"status\": 403}]}", HTTP_PROXY,
	 ": the proxy answered 403", "what the proxy lets through"},
	{"no.such.invalid:3128", "{}", HTTP_NO_ADDRESS,
	 " through the proxy no.such.invalid:3128: no address for the proxy no.such.invalid: ",
	 "https_proxy and no_proxy"},
	{"127.0.0.1:1", "{}", HTTP_UNREACHABLE, " through the proxy 127.0.0.1:1: cannot connect",
	 "https_proxy and no_proxy"},
	{"gopher://localhost:%u", "{}", HTTP_REFUSED, "the proxy that the environment names cannot",
	 "HOST:PORT"},
	{"http://", "{}", HTTP_REFUSED, "the proxy that the environment names cannot be used",
	 "HOST:PORT"},
};

START_TEST(a_proxy_that_does_not_do_is_said)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%s", proxies[_i].proxy);
	if (strstr(text, "%u"))
		(void)snprintf(strstr(text, "%u"), 16, "%u", hb.httpd.proxy);
	(void)setenv("all_proxy", text, 1);
	httpd_script(&hb.httpd, proxies[_i].script);
	ck_assert_int_lt(http_bed_send(&(struct http_request){.method = "GET",
							      .url = "https://far.example.test/x"}),
			 0);
	ck_assert_int_eq(hb.response.failure, proxies[_i].failure);
	ck_assert(!hb.response.sent);
	ck_contains(hb.err.msg, proxies[_i].message);
	ck_contains(hb.err.hint, proxies[_i].hint);
}
END_TEST

static const struct {
	const char *list, *name;
	bool excepted;
} no_proxy[] = {
	{"*", "a.example.com", true},
	{"example.com", "example.com", true},
	{"example.com", "a.example.com", true},
	{".example.com", "a.b.EXAMPLE.com", true},
	{"example.com", "badexample.com", false},
	{"a.example.com", "example.com", false},
	{"x, example.com,y", "example.com.", true},
	{"x example.com. y", "example.com", true},
	{"10.0.0.0/8", "10.1.2.3", true},
	{"10.0.0.0/8", "11.1.2.3", false},
	{"10.1.2.0/23", "10.1.3.9", true},
	{"10.1.2.0/23", "10.1.4.9", false},
	{"10.1.2.3", "10.1.2.3", true},
	{"10.0.0.0/33", "10.0.0.0", false},
	{"10.0.0.0/x", "10.0.0.0", false},
	{"fd00::/8", "fd12::1", true},
	{"[::1]", "::1", true},
	{"fd00::/8", "fe80::1", false},
	{"1.2.3.4", "fd00::1", false},
	{"", "example.com", false},
	{".", "example.com", false},
};

START_TEST(no_proxy_names_hosts_and_networks)
{
	ck_assert_int_eq(http_proxy_excepts(no_proxy[_i].list, no_proxy[_i].name),
			 no_proxy[_i].excepted);
}
END_TEST

Suite *http_retry_suite(void)
{
	Suite *suite = suite_create("http_retry");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 120);
	tcase_add_unchecked_fixture(tcase, http_bed_start, NULL);
	tcase_add_checked_fixture(tcase, http_bed_setup, http_bed_teardown);
#define TABLE(test, rows)                                                                          \
	tcase_add_loop_test(tcase, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))
	tcase_add_test(tcase, it_tries_again_until_it_is_answered);
	tcase_add_test(tcase, waits_grow_to_a_limit);
	TABLE(the_server_says_how_long, retry_after);
	tcase_add_test(tcase, a_word_that_is_no_time_is_passed_over);
	TABLE(nothing_is_sent_twice_that_must_not_be, twice);
	tcase_add_test(tcase, what_was_not_sent_is_tried_again);
	tcase_add_test(tcase, a_certificate_does_not_get_better);
	tcase_add_test(tcase, all_tries_together_have_an_end);
	tcase_add_test(tcase, stopping_ends_the_waits);
	tcase_add_test(tcase, a_stop_request_wakes_who_waits);
	TABLE(of_answers_no_secret_is_shown, excerpts);
	tcase_add_test(tcase, through_a_proxy);
	TABLE(a_proxy_that_does_not_do_is_said, proxies);
	TABLE(no_proxy_names_hosts_and_networks, no_proxy);
	suite_add_tcase(suite, tcase);
	return suite;
}
