/* SPDX-License-Identifier: PostgreSQL */
/* Merge requests against a scripted server: a whole life at each forge, and how each call fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "outside/forge.h"
#include "outside/forge_table.h"
#include "tests/outside/suites.h"
#include "tests/support/httpd.h"

#define TOKEN  "glpat-VERYsecret0123456789"
#define BRANCH "certrotate/poc-trust-r7"
#define HEAD   "0123456789abcdef0123456789abcdef01234567"
#define OTHER  "89abcdef0123456789abcdef0123456789abcdef"

static struct httpd httpd;
static struct err err;
static struct sys sys;
static struct arena *arena;
static struct http *http;
static struct forge_place place;
static struct forge forge;
static struct merge_request request;

/* Where each forge has its calls. */
static const struct kind {
	enum forge_kind kind;
	const char *list, *one, *comments, *authorization, *update;
} kinds[] = {
	{FORGE_GITLAB, "/api/v4/projects/dba%2Fpg%2Finventory/merge_requests",
	 "/api/v4/projects/dba%2Fpg%2Finventory/merge_requests/17",
	 "/api/v4/projects/dba%2Fpg%2Finventory/merge_requests/17/notes", "Bearer " TOKEN, "PUT"},
	{FORGE_GITHUB, "/api/v3/repos/dba/pg/inventory/pulls",
	 "/api/v3/repos/dba/pg/inventory/pulls/17",
	 "/api/v3/repos/dba/pg/inventory/issues/17/comments", "Bearer " TOKEN, "PATCH"},
	{FORGE_FORGEJO, "/api/v1/repos/dba/pg/inventory/pulls",
	 "/api/v1/repos/dba/pg/inventory/pulls/17",
	 "/api/v1/repos/dba/pg/inventory/issues/17/comments", "token " TOKEN, "PATCH"},
};
#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

static int no_wait(void *ctx, int64_t ms, struct err *unused)
{
	(void)ctx;
	(void)ms;
	(void)unused;
	return 0;
}

static void serve(void)
{
	struct err why;

	ck_assert_msg(!httpd_start(&httpd, &why), "%s", why.msg);
}

static void end(void)
{
	httpd_stop(&httpd);
}

static void setup(void)
{
	struct http_options options = {.sys = &sys, .ca_file = httpd.ca_file, .wait = no_wait};

	sys_init(&sys);
	err_clear(&err);
	arena = arena_new((size_t)1 << 20);
	ck_assert_ptr_nonnull(arena);
	ck_ok(http_new(&http, &options, &err), &err);
}

static void teardown(void)
{
	merge_request_release(&request);
	forge_place_release(&place);
	http_free(http);
	arena_free(arena);
}

static void at(enum forge_kind kind)
{
	char url[64], project[] = "dba/pg/inventory";
	struct forge_config config = {.kind = kind, .url = url, .project = project};

	(void)snprintf(url, sizeof(url), "https://localhost:%u", httpd.good);
	forge_place_release(&place);
	ck_ok(forge_place_find(&place, &config, "", &err), &err);
	ck_ok(forge_place_check(&place, "origin", &err), &err);
	forge = (struct forge){.http = http, .place = &place, .token_origin = "the file /a/token"};
	ck_ok(arena_copy(&forge.token, arena, TOKEN, strlen(TOKEN), &err), &err);
}

static struct json *part(const char *ref_name, const char *ref, const char *sha, int64_t repo,
			 enum forge_kind kind)
{
	struct json *object = js_new_object(), *home = js_new_object();

	(void)js_set_str(object, ref_name, ref);
	(void)js_set_str(object, "sha", sha);
	(void)js_set_int(home, "id", repo);
	(void)js_set(object, "repo", home);
	if (kind == FORGE_FORGEJO) {
		(void)js_set_int(object, "repo_id", repo);
		(void)js_set_str(object, "ref", "refs/pull/17/head"); /* its branch is gone */
	}
	return object;
}

/* What the forge says of one; state: "open", "merged" or "closed". */
static struct json *told(enum forge_kind kind, int64_t number, const char *state, const char *head,
			 int64_t home)
{
	const struct forge_form *form = forge_form(kind);
	bool merged = !strcmp(state, "merged");
	const char *ref = kind == FORGE_FORGEJO ? "label" : "ref";
	struct json *object = js_new_object();
	char url[64];

	(void)snprintf(url, sizeof(url), "https://git.example.com/%d", (int)number);
	(void)js_set_int(object, form->number, number);
	(void)js_set_str(object, form->web, url);
	(void)js_set_str(object, "title", "a title");
	(void)js_set_str(object, form->text, "a text");
	(void)js_set_str(object, "state",
			 !strcmp(state, "open")	       ? form->open_word
			 : merged && form->merged_word ? "merged"
						       : "closed");
	(void)js_set_str(object, "merged_at", merged ? "2026-11-21T01:30:00Z" : NULL);
	(void)js_set_str(object, "merge_commit_sha", merged ? OTHER : NULL);
	(void)js_set_bool(object, "draft", number == 18);
	if (kind == FORGE_GITLAB) {
		(void)js_set_str(object, "sha", head);
		(void)js_set_str(object, "source_branch", BRANCH);
		(void)js_set_str(object, "target_branch", "dev");
		(void)js_set_int(object, "source_project_id", home);
		(void)js_set_int(object, "target_project_id", 1);
	} else {
		(void)js_set(object, "head", part(ref, BRANCH, head, home, kind));
		(void)js_set(object, "base", part(ref, "dev", OTHER, 1, kind));
	}
	return object;
}

static struct json *list_of(struct json *a, struct json *b, struct json *c)
{
	struct json *list = js_new_array();

	(void)js_push(list, a);
	if (b)
		(void)js_push(list, b);
	if (c)
		(void)js_push(list, c);
	return list;
}

static struct json *answer(int status, struct json *body)
{
	struct json *object = js_new_object();

	(void)js_set_int(object, "status", status);
	(void)js_set(object, "json", body);
	return object;
}

/* A route's answers: up to three, taken over. */
static void route(struct json *routes, const char *method, const char *path, struct json *a,
		  struct json *b, struct json *c)
{
	char key[256];

	(void)snprintf(key, sizeof(key), "%s %s", method, path);
	(void)js_set(routes, key, list_of(a, b, c));
}

static void script(struct json *routes)
{
	struct buf text;

	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(js_dump(&text, routes, false, &err), &err);
	httpd_script(&httpd, text.data);
	buf_release(&text);
	js_free(routes);
}

/* ---- what goes well */

static const struct json *asked(const struct json *requests, size_t i, const char *method,
				const char *path)
{
	const struct json *one = js_at(requests, i);

	ck_assert_msg(one != NULL, "there is no request %zu", i);
	ck_assert_str_eq(js_str(one, "method", ""), method);
	ck_assert_str_eq(js_str(one, "path", ""), path);
	return one;
}

static void has_body(const struct json *one, const char *field, const char *value)
{
	struct json *body;

	ck_ok(js_parse(&body, js_str(one, "body", ""), strlen(js_str(one, "body", "")), "body",
		       &err),
	      &err);
	ck_assert_str_eq(js_str(body, field, "(none)"), value);
	ck_assert_str_eq(js_str(js_get(one, "headers"), "content-type", ""), "application/json");
	js_free(body);
}

START_TEST(a_whole_life)
{
	const struct kind *kind = &kinds[_i];
	const struct forge_form *form = forge_form(kind->kind);
	struct json *routes = js_new_object(), *requests;
	const struct json *one;
	bool added;

	at(kind->kind);
	route(routes, "GET", kind->list, answer(200, js_new_array()),
	      answer(200, list_of(told(kind->kind, 17, "open", HEAD, 1), NULL, NULL)),
	      answer(200, js_new_array()));
	route(routes, "POST", kind->list, answer(201, told(kind->kind, 17, "open", HEAD, 1)), NULL,
	      NULL);
	route(routes, "GET", kind->one, answer(200, told(kind->kind, 17, "merged", HEAD, 1)),
	      answer(200, told(kind->kind, 17, "closed", HEAD, 1)), NULL);
	route(routes, kind->update, kind->one, answer(200, told(kind->kind, 17, "open", HEAD, 1)),
	      NULL, NULL);
	route(routes, "POST", kind->comments, answer(201, js_new_object()), NULL, NULL);
	route(routes, "GET", kind->comments, answer(200, js_new_array()), NULL, NULL);
	script(routes);

	ck_assert_int_eq(forge_find(&request, &forge, BRANCH, "dev", HEAD, &err), ERR_NOENT);
	ck_ok(forge_open(&request, &forge, BRANCH, "dev", "certrotate poc: trust", "why", &err),
	      &err);
	ck_assert_int_eq(request.number, 17);
	ck_assert_int_eq(request.state, MERGE_OPEN);
	ck_assert_str_eq(request.url, "https://git.example.com/17");
	ck_assert_str_eq(request.head, HEAD);
	ck_assert_str_eq(request.name, kind->kind == FORGE_GITLAB ? "!17" : "#17");
	merge_request_release(&request);
	ck_ok(forge_find(&request, &forge, BRANCH, "dev", HEAD, &err), &err);
	ck_assert_int_eq(request.state, MERGE_OPEN);
	merge_request_release(&request);
	ck_ok(forge_update(&forge, 17, "another title", "another text", &err), &err);
	ck_ok(forge_get(&request, &forge, 17, &err), &err);
	ck_assert_int_eq(request.state, MERGE_MERGED);
	ck_assert_str_eq(request.merged, OTHER);
	merge_request_release(&request);
	ck_ok(forge_close(&forge, 17, &err), &err);
	ck_ok(forge_get(&request, &forge, 17, &err), &err);
	ck_assert_int_eq(request.state, MERGE_CLOSED);
	ck_assert_str_eq(request.merged, "");
	ck_ok(forge_comment(&added, &forge, 17, "<!-- certrotate a/b -->", "all is well", &err),
	      &err);
	ck_assert(added);

	requests = httpd_requests(&httpd);
	ck_assert_uint_eq(js_count(requests), 9);
	one = asked(requests, 0, "GET", kind->list);
	ck_contains(js_str(one, "query", ""), "state=all");
	if (kind->kind == FORGE_GITLAB)
		ck_contains(js_str(one, "query", ""),
			    "source_branch=certrotate%2Fpoc-trust-r7&target_branch=dev");
	if (kind->kind == FORGE_GITHUB)
		ck_contains(js_str(one, "query", ""),
			    "head=dba:certrotate%2Fpoc-trust-r7&base=dev");
	one = asked(requests, 1, "POST", kind->list);
	has_body(one, form->send_source, BRANCH);
	has_body(one, form->send_target, "dev");
	has_body(one, "title", "certrotate poc: trust");
	has_body(one, form->send_text, "why");
	one = asked(requests, 3, kind->update, kind->one);
	has_body(one, form->send_text, "another text");
	one = asked(requests, 5, kind->update, kind->one);
	has_body(one, form->close_field, form->close_value);
	one = asked(requests, 8, "POST", kind->comments);
	has_body(one, "body", "<!-- certrotate a/b -->\nall is well");
	for (size_t i = 0; i < js_count(requests); i++) {
		const struct json *headers = js_get(js_at(requests, i), "headers");

		ck_assert_str_eq(js_str(headers, "authorization", ""), kind->authorization);
		ck_assert_str_eq(js_str(headers, "accept", ""), form->accept);
		ck_assert(str_starts(js_str(headers, "user-agent", ""), "certrotate/"));
		if (form->version_header)
			ck_assert_str_eq(js_str(headers, "x-github-api-version", ""),
					 form->version);
	}
	js_free(requests);
}
END_TEST

START_TEST(a_comment_is_found_again)
{
	const struct kind *kind = &kinds[_i];
	struct json *routes = js_new_object(), *comment = js_new_object(), *requests;
	bool added;

	at(kind->kind);
	(void)js_set_str(comment, "body", "<!-- certrotate a/b -->\nall is well");
	route(routes, "GET", kind->comments, answer(200, list_of(js_new_object(), comment, NULL)),
	      NULL, NULL);
	script(routes);
	ck_ok(forge_comment(&added, &forge, 17, "<!-- certrotate a/b -->", "all is well", &err),
	      &err);
	ck_assert(!added);
	requests = httpd_requests(&httpd);
	ck_assert_uint_eq(js_count(requests), 1);
	js_free(requests);
}
END_TEST

/* Of several from one branch: the open one; else one with this tip; never one from a fork. */
START_TEST(the_right_one_is_found)
{
	const struct kind *kind = &kinds[_i];
	struct json *routes = js_new_object();

	at(kind->kind);
	route(routes, "GET", kind->list,
	      answer(200, list_of(told(kind->kind, 30, "open", HEAD, 9),
				  told(kind->kind, 19, "closed", OTHER, 1),
				  told(kind->kind, 18, "open", OTHER, 1))),
	      answer(200, list_of(told(kind->kind, 30, "open", HEAD, 9),
				  told(kind->kind, 19, "closed", OTHER, 1),
				  told(kind->kind, 17, "merged", HEAD, 1))),
	      answer(200, js_new_array()));
	script(routes);
	ck_ok(forge_find(&request, &forge, BRANCH, "dev", HEAD, &err), &err);
	ck_assert_int_eq(request.number, 18);
	ck_assert(request.draft);
	merge_request_release(&request);
	ck_ok(forge_find(&request, &forge, BRANCH, "dev", HEAD, &err), &err);
	ck_assert_int_eq(request.number, 17);
	ck_assert_int_eq(request.state, MERGE_MERGED);
	merge_request_release(&request);
	ck_assert_int_eq(forge_find(&request, &forge, BRANCH, "dev", HEAD, &err), ERR_NOENT);
	ck_contains(err.msg, " from " BRANCH " to dev");
}
END_TEST

START_TEST(further_pages_are_looked_at)
{
	const struct kind *kind = &kinds[2];
	struct json *routes = js_new_object(), *requests;

	at(kind->kind);
	route(routes, "GET", kind->list,
	      answer(200, list_of(told(kind->kind, 31, "closed", OTHER, 1), NULL, NULL)),
	      answer(200, list_of(told(kind->kind, 17, "open", HEAD, 1), NULL, NULL)), NULL);
	script(routes);
	ck_ok(forge_find(&request, &forge, BRANCH, "dev", HEAD, &err), &err);
	ck_assert_int_eq(request.number, 17);
	requests = httpd_requests(&httpd);
	ck_assert_uint_eq(js_count(requests), 2);
	ck_contains(js_str(js_at(requests, 1), "query", ""), "page=2");
	js_free(requests);
}
END_TEST

/* ---- opened already, or nobody knows */

static int open_with(const struct kind *kind, struct json *posted, const char *there)
{
	struct json *routes = js_new_object();

	at(kind->kind);
	route(routes, "POST", kind->list, posted, NULL, NULL);
	route(routes, "GET", kind->list,
	      answer(200, there ? list_of(told(kind->kind, 17, there, HEAD, 1), NULL, NULL)
				: js_new_array()),
	      NULL, NULL);
	script(routes);
	return forge_open(&request, &forge, BRANCH, "dev", "title", "text", &err);
}

static struct json *message(int status, const char *text)
{
	struct json *body = js_new_object();

	(void)js_set_str(body, "message", text);
	return answer(status, body);
}

static struct json *doing(const char *what)
{
	struct json *object = js_new_object();

	(void)js_set_str(object, "do", what);
	(void)js_set_str(object, "body", "{\"iid\": 17, \"number\": 17}");
	return object;
}

static size_t count_posts(void)
{
	struct json *requests = httpd_requests(&httpd);
	size_t count = 0;

	for (size_t i = 0; i < js_count(requests); i++)
		count += !strcmp(js_str(js_at(requests, i), "method", ""), "POST");
	js_free(requests);
	return count;
}

START_TEST(one_that_is_there_is_not_opened_twice)
{
	const struct kind *kind = &kinds[_i];
	struct json *posted[] = {
		message(409, "Another open merge request already exists"),
		message(422, "A pull request already exists"),
		message(500, "oops"),
		doing("half"),
		doing("close"),
	};

	for (size_t i = 0; i < sizeof(posted) / sizeof(posted[0]); i++) {
		ck_ok(open_with(kind, posted[i], "open"), &err);
		ck_assert_int_eq(request.number, 17);
		ck_assert_uint_eq(count_posts(), 1);
		merge_request_release(&request);
	}
}
END_TEST

START_TEST(one_that_is_not_there_is_an_error)
{
	const struct kind *kind = &kinds[_i];

	ck_assert_int_eq(open_with(kind, message(409, "no commits between them"), NULL), ERR_FAIL);
	ck_contains(err.msg, "POST https://localhost");
	ck_contains(err.msg, ": answered 409: no commits between them");
	ck_assert_int_eq(open_with(kind, doing("half"), NULL), ERR_FAIL);
	ck_assert_uint_eq(count_posts(), 1);
	/* a closed one is none that could be merged */
	ck_assert_int_eq(open_with(kind, message(422, "Validation Failed"), "closed"), ERR_FAIL);
	ck_contains(err.msg, "answered 422: Validation Failed");
	ck_assert_int_eq(request.number, 0);
}
END_TEST

/* ---- what fails */

static const struct {
	const char *answer; /* JSON */
	const char *message, *hint;
} failures[] = {
	{"{\"status\": 401, \"json\": {\"message\": \"401 Unauthorized\"}}",
	 ": answered 401: 401 Unauthorized",
	 "does not know the token in the file /a/token: it is mistyped, expired or revoked; a new "
	 "one needs "},
	{"{\"status\": 401, \"echo\": true}", ": answered 401", "does not know the token"},
	{"{\"status\": 403, \"json\": {\"error\": \"insufficient_scope\", \"error_description\": "
	 "\"The request requires higher privileges\", \"scope\": \"api\"}}",
	 ": answered 403: insufficient_scope; The request requires higher privileges",
	 "the token in the file /a/token may not do that: it needs "},
	{"{\"status\": 403, \"headers\": {\"X-RateLimit-Remaining\": \"0\"}, \"json\": "
	 "{\"message\": "
	 "\"API rate limit exceeded\"}}",
	 ": answered 403: API rate limit exceeded", "takes no more calls with this token for now"},
	{"{\"status\": 404, \"json\": {\"message\": \"Not Found\", \"documentation_url\": "
	 "\"https://docs\"}}",
	 ": answered 404: Not Found", "has no project dba/pg/inventory at https://localhost:"},
	{"{\"status\": 422, \"json\": {\"message\": \"Validation Failed\", \"errors\": "
	 "[{\"resource\": "
	 "\"PullRequest\", \"field\": \"head\", \"code\": \"invalid\"}]}}",
	 ": answered 422: Validation Failed; head; invalid", "that is what "},
	{"{\"status\": 409, \"json\": {\"message\": {\"base\": [\"is\", \"taken\"]}}}",
	 ": answered 409: is; taken", "that is what "},
	{"{\"status\": 403, \"headers\": {\"X-RateLimit-Remaining\": \"0\", "
	 "\"X-RateLimit-Reset\": \"2000000000\"}}",
	 ": answered 403",
	 "takes no more calls with this token for now: type the command again after "
	 "2033-05-18T03:33:20Z"},
	{"{\"status\": 403, \"headers\": {\"X-RateLimit-Remaining\": \"4999\", \"Retry-After\": "
	 "\"60\"}, \"json\": {\"message\": \"You have exceeded a secondary rate limit\"}}",
	 ": answered 403: You have exceeded a secondary rate limit",
	 "takes no more calls with this token for now: type the command again after 20"},
	{"{\"status\": 429, \"headers\": {\"Retry-After\": \"86400\"}}", ": answered 429",
	 "takes no more calls with this token for now: type the command again after 20"},
	{"{\"status\": 500, \"body\": \"<html><title>Oops</title></html>\", \"headers\": "
	 "{\"Content-Type\": \"text/html\"}}",
	 ": answered 500: an HTML page, 'Oops'", "itself fails"},
	{"{\"body\": \"<!DOCTYPE html><html><head><title>Sign in</title></head></html>\", "
	 "\"headers\": "
	 "{\"Content-Type\": \"text/html; charset=utf-8\"}}",
	 ": answered, but not with JSON: an HTML page, 'Sign in'", "the whole address of "},
	{"{\"body\": \"hello\"}", ": answered, but not with JSON: hello",
	 "a proxy or a login page may stand before it"},
	{"{\"body\": \"{\\\"iid\\\": 17, \"}", ": answered, but not with JSON", ""},
	{"{\"json\": []}", "answered with something that is no ", "git.forge.kind"},
	{"{\"json\": {\"iid\": \"17\", \"number\": -1, \"state\": 5}}",
	 "answered with something that is no ", "git.forge.kind"},
	{"{\"fill\": 104857600}", "larger than 8388608 bytes", ""},
	{"{\"do\": \"half\", \"body\": \"{\\\"iid\\\": 17}\"}", "GET https://localhost:", ""},
	{"{\"do\": \"garbage\"}", "GET https://localhost:", ""},
	{"{\"status\": 302, \"headers\": {\"Location\": \"https://elsewhere.example.com/\"}}",
	 "GET https://localhost:", ""},
};

START_TEST(a_failure_says_what_to_do)
{
	const struct kind *kind = &kinds[_i % KINDS];
	size_t which = (size_t)_i / (size_t)KINDS;
	struct buf routes;

	at(kind->kind);
	buf_init(&routes, BUF_TEXT_MAX);
	buf_addf(&routes, "{\"GET %s\": [%s]}", kind->one, failures[which].answer);
	httpd_script(&httpd, routes.data);
	buf_release(&routes);
	ck_assert_int_eq(forge_get(&request, &forge, 17, &err),
			 strstr(failures[which].message, "404") ? ERR_NOENT : ERR_FAIL);
	ck_contains(err.msg, failures[which].message);
	ck_contains(err.hint, failures[which].hint);
	ck_assert_msg(!strstr(err.msg, "VERYsecret") && !strstr(err.hint, "VERYsecret"), "%s: %s",
		      err.msg, err.hint);
}
END_TEST

START_TEST(five_failures_are_the_end)
{
	struct json *requests;

	at(FORGE_GITLAB);
	httpd_script(&httpd, "{\"*\": [{\"status\": 500}]}");
	ck_assert_int_eq(forge_get(&request, &forge, 17, &err), ERR_FAIL);
	requests = httpd_requests(&httpd);
	ck_assert_uint_eq(js_count(requests), HTTP_TRIES);
	js_free(requests);
	httpd_script(&httpd,
		     "{\"*\": [{\"status\": 502}, {\"status\": 429}, {\"json\": {\"iid\": 17, "
		     "\"state\": \"locked\", \"web_url\": \"javascript:alert(1)\"}}]}");
	ck_ok(forge_get(&request, &forge, 17, &err), &err);
	ck_assert_int_eq(request.state, MERGE_OPEN);
	/* what is no page is not shown as one */
	ck_assert_str_eq(request.url, "");
}
END_TEST

Suite *forge_suite(void)
{
	Suite *suite = suite_create("forge");
	TCase *tc = tcase_create("forge");

	tcase_add_unchecked_fixture(tc, serve, end);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_whole_life, 0, KINDS);
	tcase_add_loop_test(tc, a_comment_is_found_again, 0, KINDS);
	tcase_add_loop_test(tc, the_right_one_is_found, 0, KINDS);
	tcase_add_test(tc, further_pages_are_looked_at);
	tcase_add_loop_test(tc, one_that_is_there_is_not_opened_twice, 0, KINDS);
	tcase_add_loop_test(tc, one_that_is_not_there_is_an_error, 0, KINDS);
	tcase_add_loop_test(tc, a_failure_says_what_to_do, 0,
			    KINDS * (int)(sizeof(failures) / sizeof(failures[0])));
	tcase_add_test(tc, five_failures_are_the_end);
	suite_add_tcase(suite, tc);
	return suite;
}
