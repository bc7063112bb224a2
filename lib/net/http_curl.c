/* SPDX-License-Identifier: PostgreSQL */
#include "net/http_curl.h"

#include "base/lazy.h"

#define CURL_NAME(name) "curl_" #name,
static const char *const names[] = {CURL_FUNCTIONS(CURL_NAME)};

#define CURL_COUNT (sizeof(names) / sizeof(names[0]))
_Static_assert(sizeof(struct curl) == CURL_COUNT * sizeof(void *), "a pointer for each name");

const struct curl *curl_library(struct err *err)
{
	static struct curl curl;
	static struct lazy library = {
		.file = "libcurl.so.4",
		.package = "libcurl4",
		.names = names,
		.count = CURL_COUNT,
		.table = &curl,
	};

	return lazy_load(&library, err) ? NULL : &curl;
}
