/* SPDX-License-Identifier: PostgreSQL */
/* Webhooks against the scripted server: what arrives, how often, and what is said of it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "outside/webhook.h"
#include "pki/hmac.h"
#include "tests/outside/suites.h"
#include "tests/support/httpd.h"

#define NOW    1795224600
#define SECRET "a-shared-word-that-nobody-sees"
#define BODY   "{\"event\": \"start\", \"\xc3\xbc\": 1}"
#define KEY    "20261121T013000Z-7f3a/trust/shop/1"

static struct httpd httpd;
static struct arena *arena;
static struct sys sys;
static struct http *http;
static struct webhook_target target;
static struct webhook_result result;
static struct err err;
static size_t waits;
static char url[256];

static int64_t now(struct sys *own)
{
	(void)own;
	return NOW + (int64_t)waits;
}

static int no_wait(void *ctx, int64_t ms, struct err *out)
{
	(void)ctx;
	(void)ms;
	(void)out;
	waits++;
	return 0;
}

static void start(void)
{
	if (httpd.pid)
		return;
	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	(void)unsetenv("https_proxy");
	(void)unsetenv("HTTPS_PROXY");
	ck_ok(httpd_start(&httpd, &err), &err);
}

void webhook_suite_end(void)
{
	if (httpd.pid)
		httpd_stop(&httpd);
}

static void aim(unsigned port)
{
	const struct webhook_source source = {.url = url, .secret_env = "HOOK_SECRET"};

	(void)snprintf(url, sizeof(url), "https://localhost:%u/services/T0/" SECRET "?sig=" SECRET,
		       port);
	(void)setenv("HOOK_SECRET", SECRET, 1);
	ck_ok(webhook_target(&target, arena, &source, &err), &err);
}

static void setup(void)
{
	const struct http_options options = {
		.sys = &sys, .ca_file = httpd.ca_file, .wait = no_wait};

	(void)test_mkdir();
	sys_init(&sys);
	sys.now = now;
	arena = arena_new((size_t)1 << 20);
	ck_ok(http_new(&http, &options, &err), &err);
	err_clear(&err);
	waits = 0;
	httpd_script(&httpd, "{}");
	aim(httpd.good);
}

static void teardown(void)
{
	http_free(http);
	arena_free(arena);
	test_rmdir();
}

static int post(void)
{
	const struct webhook webhook = {
		.target = &target, .key = KEY, .body = BODY, .body_len = strlen(BODY)};
	int rc = webhook_post(&result, http, &webhook, &err);

	/* whatever came of it */
	ck_assert_ptr_null(strstr(err.msg, SECRET));
	ck_assert_ptr_null(strstr(err.hint, SECRET));
	ck_assert_ptr_null(strstr(err.msg, "/T0"));
	return rc;
}

/* "t=UNIX,v1=HEX" over "UNIX." and the body, as a receiver would look at it. */
static void check_signature(const char *header, int64_t when)
{
	char expected[HMAC_SIZE + 64], stamp[32], hex[HMAC_SIZE];
	const struct secret *secret = &target.secret;
	int len = snprintf(stamp, sizeof(stamp), "%lld.", (long long)when);

	ck_ok(hmac_sha256(hex, secret, stamp, (size_t)len, BODY, strlen(BODY), &err), &err);
	(void)snprintf(expected, sizeof(expected), "t=%lld,v1=%s", (long long)when, hex);
	ck_assert_str_eq(header, expected);
}

START_TEST(it_arrives_as_it_was_given)
{
	struct json *requests;
	const struct json *request, *headers;

	ck_ok(post(), &err);
	ck_assert_int_eq(result.status, 200);
	ck_assert_uint_eq(result.tries, 1);
	requests = httpd_requests(&httpd);
	ck_assert_uint_eq(js_count(requests), 1);
	request = js_at(requests, 0);
	headers = js_get(request, "headers");
	ck_assert_str_eq(js_str(request, "method", ""), "POST");
	ck_assert_str_eq(js_str(request, "path", ""), "/services/T0/" SECRET);
	ck_assert_str_eq(js_str(request, "query", ""), "sig=" SECRET);
	ck_assert_str_eq(js_str(request, "body", ""), BODY);
	ck_assert_str_eq(js_str(headers, "content-type", ""), "application/json");
	ck_assert_str_eq(js_str(headers, "user-agent", ""), "certrotate/" CERTROTATE_VERSION);
	ck_assert_str_eq(js_str(headers, "idempotency-key", ""), KEY);
	check_signature(js_str(headers, "certrotate-signature", ""), NOW);
	js_free(requests);
}
END_TEST

START_TEST(without_a_secret_it_is_not_signed)
{
	const struct webhook_source source = {.url = url};
	struct json *requests;

	ck_ok(webhook_target(&target, arena, &source, &err), &err);
	ck_ok(post(), &err);
	requests = httpd_requests(&httpd);
	ck_assert_ptr_null(js_get(js_get(js_at(requests, 0), "headers"), "certrotate-signature"));
	js_free(requests);
}
END_TEST

START_TEST(five_times_500_and_then_it_is_taken)
{
	struct json *requests;

	httpd_script(&httpd, "{\"*\": [{\"status\": 500}, {\"status\": 500}, {\"status\": 500}, "
			     "{\"status\": 500}, {\"status\": 500}, {\"status\": 200}]}");
	ck_assert_int_eq(post(), ERR_FAIL);
	ck_assert_uint_eq(result.tries, 5);
	ck_assert_int_eq(result.status, 500);
	ck_contains(err.msg, ": answered 500 (internal error), tried 5 times");
	ck_assert_uint_eq(waits, 4);
	/* the same again, as it is when the phase goes on: with the same key */
	ck_ok(post(), &err);
	ck_assert_uint_eq(result.tries, 1);
	requests = httpd_requests(&httpd);
	ck_assert_uint_eq(js_count(requests), 6);
	for (size_t i = 0; i < 6; i++) {
		const struct json *headers = js_get(js_at(requests, i), "headers");

		ck_assert_str_eq(js_str(headers, "idempotency-key", ""), KEY);
		ck_assert_str_eq(js_str(js_at(requests, i), "body", ""), BODY);
		/* each wait is a second of the test's clock */
		check_signature(js_str(headers, "certrotate-signature", ""),
				NOW + (i < 4 ? (int64_t)i : 4));
	}
	js_free(requests);
}
END_TEST

static const struct {
	const char *answer;
	int code, status;
	unsigned tries;
	const char *message;
} answers[] = {
	{"{\"status\": 201}", 0, 201, 1, ""},
	{"{\"status\": 202, \"body\": \"accepted\"}", 0, 202, 1, ""},
	{"{\"status\": 204}", 0, 204, 1, ""},
	{"{\"status\": 400, \"body\": \"invalid_payload\\nmore\"}", ERR_FAIL, 400, 1,
	 ": answered 400 (bad request): invalid_payload"},
	{"{\"status\": 403, \"echo\": true}", ERR_FAIL, 403, 1,
	 ": answered 403 (forbidden): cannot POST [secret removed]"},
	{"{\"status\": 404, \"headers\": {\"Content-Type\": \"text/html\"}, \"body\": "
	 "\"<title>No such hook</title>\"}",
	 ERR_FAIL, 404, 1, ": answered 404 (not found): an HTML page, 'No such hook'"},
	{"{\"status\": 302, \"headers\": {\"Location\": \"/login?" SECRET "\"}}", ERR_FAIL, 0, 1,
	 "which would turn it into a GET"},
	{"{\"status\": 308, \"headers\": {\"Location\": \"https://x.test/" SECRET "\"}}", ERR_FAIL,
	 0, 1, "a redirect to https://x.test/…, which is another host, port or scheme"},
	{"{\"do\": \"half\", \"body\": \"abcd\"}", ERR_FAIL, 0, 5,
	 "closed in the middle of the answer (status 200, 2 bytes of its body came), tried 5 "
	 "times"},
	{"{\"fill\": 100000000}", ERR_FAIL, 0, 1, "is larger than 1048576 bytes"},
	{"{\"status\": 429, \"headers\": {\"Retry-After\": \"100000\"}}", ERR_FAIL, 429, 1,
	 ": answered 429 (too many requests)"},
};

START_TEST(what_is_answered_is_said)
{
	char script[512], where[64];

	(void)snprintf(script, sizeof(script), "{\"*\": [%s]}", answers[_i].answer);
	httpd_script(&httpd, script);
	ck_assert_int_eq(post(), answers[_i].code);
	ck_assert_int_eq(result.status, answers[_i].status);
	ck_assert_uint_eq(result.tries, answers[_i].tries);
	ck_contains(err.msg, answers[_i].message);
	(void)snprintf(where, sizeof(where), "POST https://localhost:%u/…: ", httpd.good);
	if (answers[_i].code)
		ck_assert_msg(!strncmp(err.msg, where, strlen(where)), "%s", err.msg);
}
END_TEST

START_TEST(who_is_not_trusted_gets_nothing)
{
	struct json *requests;

	aim(httpd.untrusted);
	ck_assert_int_eq(post(), ERR_FAIL);
	ck_contains(err.msg, "/…: its certificate is not accepted: ");
	ck_assert_int_eq(result.status, 0);
	requests = httpd_requests(&httpd);
	ck_assert_uint_eq(js_count(requests), 0);
	js_free(requests);
}
END_TEST

START_TEST(address_and_secret_come_from_files)
{
	char *url_file = test_path("url"), *secret_file = test_path("secret");
	struct webhook_source source = {.url_file = url_file, .secret_file = secret_file};
	char text[300];

	(void)snprintf(text, sizeof(text), "%s\n", url);
	test_write(url_file, text);
	test_write(secret_file, "another\n");
	ck_assert(!chmod(url_file, 0600) && !chmod(secret_file, 0600));
	ck_ok(webhook_target(&target, arena, &source, &err), &err);
	ck_assert_str_eq(target.url.data, url);
	ck_assert_str_eq(target.secret.data, "another");
	ck_ok(post(), &err);
	ck_assert(!chmod(secret_file, 0644));
	ck_assert_int_eq(webhook_target(&target, arena, &source, &err), ERR_USAGE);
	ck_contains(err.msg, "secret can be read by others (mode 0644)");
	ck_assert(!chmod(url_file, 0640));
	ck_assert_int_eq(webhook_target(&target, arena, &source, &err), ERR_USAGE);
	ck_contains(err.msg, "url can be read by others (mode 0640)");
	ck_assert(!chmod(url_file, 0600));
	test_write(url_file, "http://hooks.example.com/" SECRET "\n");
	ck_assert_int_eq(webhook_target(&target, arena, &source, &err), ERR_USAGE);
	ck_contains(err.msg, "/url: the address begins with http://");
	ck_assert_ptr_null(strstr(err.msg, SECRET));
	free(url_file);
	free(secret_file);
}
END_TEST

START_TEST(a_variable_that_is_not_there_is_said)
{
	const struct webhook_source source = {.url = url, .secret_env = "NO_SUCH_SECRET"};

	ck_assert_int_eq(webhook_target(&target, arena, &source, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "the environment variable NO_SUCH_SECRET is not set");
}
END_TEST

START_TEST(a_key_cannot_bring_a_header)
{
	const struct webhook webhook = {
		.target = &target, .key = "k\r\nX-Evil: 1", .body = "{}", .body_len = 2};

	ck_assert_int_eq(webhook_post(&result, http, &webhook, &err), ERR_USAGE);
	ck_assert_uint_eq(result.tries, 0);
	ck_contains(err.msg, "the header Idempotency-Key would have control characters in it");
}
END_TEST

Suite *webhook_suite(void)
{
	Suite *suite = suite_create("webhook");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 120);
	tcase_add_unchecked_fixture(tcase, start, NULL);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, it_arrives_as_it_was_given);
	tcase_add_test(tcase, without_a_secret_it_is_not_signed);
	tcase_add_test(tcase, five_times_500_and_then_it_is_taken);
	tcase_add_loop_test(tcase, what_is_answered_is_said, 0,
			    (int)(sizeof(answers) / sizeof(answers[0])));
	tcase_add_test(tcase, who_is_not_trusted_gets_nothing);
	tcase_add_test(tcase, address_and_secret_come_from_files);
	tcase_add_test(tcase, a_variable_that_is_not_there_is_said);
	tcase_add_test(tcase, a_key_cannot_bring_a_header);
	suite_add_tcase(suite, tcase);
	return suite;
}
