/* SPDX-License-Identifier: PostgreSQL */
/*
 * Texts of and for the web: addresses, lists of hosts without a proxy, templates of notifications,
 * and what a server answers. The first byte chooses.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "net/http_impl.h"
#include "outside/template.h"

#define TOKEN "glpat-0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

/* What is taken has a host, no user, and is https or this machine; of the rest nothing is said. */
static void fuzz_url(const char *text)
{
	char shown[HTTP_SHOWN_SIZE];
	struct err err = {0};
	struct http_url url;

	http_shown(shown, text, true);
	must(is_printable(shown));
	if (http_url_parse(&url, text, &err)) {
		must(err.msg[0] && is_printable(err.msg));
		return;
	}
	must(url.name[0] && url.path[0] == '/' && url.port <= 65535);
	must(!strcmp(url.scheme, "https") || url.loopback);
	must(http_url_same_origin(&url, &url));
	if (strlen(url.path) > 1)
		must(strstr(shown, "/…") || strlen(shown) > HTTP_SHOWN_SIZE - 5);
	http_url_release(&url);
}

static void fuzz_no_proxy(const char *text)
{
	(void)http_proxy_excepts(text, "db1.example.com");
	(void)http_proxy_excepts(text, "10.1.2.3");
	(void)http_proxy_excepts(text, "fd00::12");
	must(!http_proxy_excepts(text, "10.1.2.3") || strpbrk(text, "*0123456789"));
}

/* What is filled is JSON, whatever the values are. */
static void fuzz_template(const char *text, size_t len)
{
	const struct template_word words[] = {{"text", "\"\\\n\xff{next}"}, {"next", NULL}};
	struct json *parsed;
	struct err err = {0};
	struct buf out;

	buf_init(&out, (size_t)1 << 20);
	if (template_fill(&out, text, len, "t.json", words, 2, &err)) {
		must(err.msg[0] && !out.len);
	} else {
		must(!js_parse(&parsed, out.data, out.len, "out", &err));
		js_free(parsed);
	}
	buf_release(&out);
}

/* One line for a terminal, without the token, whatever comes back. */
static void fuzz_answer(const char *text, size_t len)
{
	const struct secret token = {.data = (char[]){TOKEN}, .len = sizeof(TOKEN) - 1};
	const struct http_header header = {.name = "PRIVATE-TOKEN", .secret = &token};
	const struct http_request request = {.method = "POST",
					     .url = "https://example.com/services/secret-path",
					     .secret_path = true,
					     .headers = &header,
					     .header_count = 1};
	struct http_response response = {.status = 400, .tries = 1};
	char excerpt[HTTP_EXCERPT_SIZE];
	struct err err = {0};

	buf_init(&response.body, (size_t)1 << 20);
	buf_add(&response.body, text, len);
	http_excerpt(excerpt, &request, &response);
	must(is_printable(excerpt) && !strstr(excerpt, TOKEN) &&
	     !strstr(excerpt, "/services/secret-path"));
	must(http_refuse(&request, &response, &err) == ERR_FAIL && is_printable(err.msg));
	http_response_release(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size || size > 20000)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 4) {
	case 0:
		fuzz_url(text);
		break;
	case 1:
		fuzz_no_proxy(text);
		break;
	case 2:
		fuzz_template(text, size - 1);
		break;
	default:
		fuzz_answer(text, size - 1);
		break;
	}
	free(text);
	return 0;
}
