/* SPDX-License-Identifier: PostgreSQL */
/*
 * Small texts from elsewhere: times, durations, the trailers of commits, URLs of remotes, and how
 * other programs' words are cleaned. The first byte chooses.
 */
#include <git2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/strs.h"
#include "base/sys.h"
#include "git/commit.h"
#include "git/remote.h"
#include "outside/forge_place.h"
#include "safety/census_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

/* A time that is read is written in the same way; a duration is never negative or boundless. */
static void fuzz_time(const char *text)
{
	char again[SYS_TIME_SIZE], words[64];
	struct err err = {0};
	int64_t value = -1;

	if (!sys_time_parse(text, &value, &err)) {
		sys_time_text(value, again);
		must(!strcmp(again, text));
	} else {
		must(err.msg[0] != '\0');
	}
	err_clear(&err);
	value = -1;
	if (!sys_duration_parse(text, &value, &err)) {
		must(value >= 0);
		sys_duration_text(value, words, sizeof(words));
		must(words[0] != '\0');
	} else {
		must(err.msg[0] != '\0');
	}
}

/* What a message was made with is found in it again, whatever its body is. */
static void fuzz_trailers(const char *text)
{
	static char environment[] = "poc", rotation[] = "20261121T013000Z-7f3a", phase[] = "trust";
	const struct trailers given = {
		.environment = environment, .rotation = rotation, .phase = phase};
	struct trailers found;
	struct err err = {0};
	struct buf message;

	must(!trailers_parse(&found, text, &err));
	trailers_release(&found);
	buf_init(&message, BUF_TEXT_MAX);
	must(!commit_message(&message, "certrotate poc: trust", text, &given, &err));
	must(!trailers_parse(&found, message.data, &err));
	must(found.environment && !strcmp(found.environment, environment));
	must(found.rotation && !strcmp(found.rotation, rotation));
	must(found.phase && !strcmp(found.phase, phase));
	trailers_release(&found);
	buf_release(&message);
}

static void page_of(struct buf *out, const char *url, const char *branch)
{
	const struct forge_config nothing = {.kind = FORGE__MAX};
	struct forge_place place;
	struct err err = {0};

	must(!forge_place_find(&place, &nothing, url, &err));
	must(!forge_place_page(out, &place, branch, "dev", &err));
	forge_place_release(&place);
}

/* A link is a URL of the web, without white space; a masked URL holds no password. */
static void fuzz_url(const char *text)
{
	struct buf link, url;

	buf_init(&link, BUF_TEXT_MAX);
	buf_init(&url, BUF_TEXT_MAX);
	page_of(&link, text, "certrotate/poc-trust-r7");
	must(!link.len || str_starts(link.data, "https://") || str_starts(link.data, "http://"));
	must(!strpbrk(link.data, " \t\r\n\"<>\\^`{|}"));
	for (size_t i = 0; i < link.len; i++)
		must((unsigned char)link.data[i] > 0x20 && (unsigned char)link.data[i] < 0x7f);
	if (!strpbrk(text, "/@:? \t\r\n#%")) {
		buf_addf(&url, "https://user:%sSECRET@gitlab.example.com/a/b.git", text);
		buf_reset(&link);
		page_of(&link, url.data, "b");
		must(!strstr(link.data, "SECRET"));
		buf_reset(&link);
		remote_add_clean(&link, url.data, url.len);
		must(!strstr(link.data, "SECRET"));
	}
	buf_release(&link);
	buf_release(&url);
}

static void fuzz_clean(const char *text, size_t len)
{
	char *clean = census_clean(text);
	char *again = clean ? census_clean(clean) : NULL;
	struct buf safe;

	must(clean && again && !strcmp(clean, again));
	buf_init(&safe, BUF_TEXT_MAX);
	buf_add_safe(&safe, text, len);
	for (size_t i = 0; i < safe.len; i++)
		must((unsigned char)safe.data[i] >= 0x20 && safe.data[i] != 0x7f);
	buf_release(&safe);
	free(clean);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	char *text;

	if (!ready)
		must(git_libgit2_init() > 0);
	ready = true;
	if (!size)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	must(text != NULL);
	switch (data[0] % 4) {
	case 0:
		fuzz_time(text);
		break;
	case 1:
		fuzz_trailers(text);
		break;
	case 2:
		fuzz_url(text);
		break;
	default:
		fuzz_clean(text, strlen(text));
	}
	free(text);
	return 0;
}
