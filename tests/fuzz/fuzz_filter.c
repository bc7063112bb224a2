/* SPDX-License-Identifier: PostgreSQL */
/* Another program's output: however it is cut, the filter gives the same, and the recap is read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/filter.h"
#include "proc/recap.h"

#define TEXT_MAX ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(void *ctx, const char *data, size_t len)
{
	buf_add(ctx, data, len);
}

static void check_filter(const char *text, size_t len, size_t step)
{
	struct buf whole, cut, colored;
	struct strip strip = {0};
	struct filter filter;

	buf_init(&whole, TEXT_MAX);
	buf_init(&cut, TEXT_MAX);
	buf_init(&colored, TEXT_MAX);
	filter_text(&whole, text, len);
	filter_init(&filter, add, &cut);
	for (size_t at = 0; at < len; at += step)
		filter_feed(&filter, text + at, len - at < step ? len - at : step);
	filter_end(&filter);
	if (cut.len != whole.len || memcmp(cut.data, whole.data, cut.len) != 0)
		abort();
	strip_to_colors(&strip, &colored, text, len);
	if (colored.len > len || memchr(colored.data, '\r', colored.len))
		abort();
	buf_release(&whole);
	buf_release(&cut);
	buf_release(&colored);
}

static void check_recap(const char *text, size_t len, size_t step)
{
	struct ansible_result result = {0};
	struct recap recap;
	struct err err;

	recap_init(&recap);
	for (size_t at = 0; at < len; at += step)
		recap_feed(&recap, text + at, len - at < step ? len - at : step);
	recap_end(&recap);
	(void)recap_take(&result, &recap, &err);
	for (size_t i = 0; i < result.count; i++) {
		if (strlen(result.hosts[i].message) >= ANSIBLE_TEXT_MAX)
			abort();
	}
	ansible_result_release(&result);
	recap_release(&recap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	check_filter((const char *)data + 1, size - 1, data[0] % 50 + 1);
	check_recap((const char *)data + 1, size - 1, data[0] % 50 + 1);
	return 0;
}
