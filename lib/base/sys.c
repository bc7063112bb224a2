/* SPDX-License-Identifier: PostgreSQL */
#include "base/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define TIME_LEN (sizeof("2026-11-21T01:30:00Z") - 1)

static int64_t system_now(struct sys *sys)
{
	(void)sys;
	return (int64_t)time(NULL);
}

static int64_t system_mono_ms(struct sys *sys)
{
	struct timespec ts;

	(void)sys;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int system_random(struct sys *sys, void *out, size_t len, struct err *err)
{
	unsigned char *at = out;

	(void)sys;
	while (len) {
		ssize_t got = getrandom(at, len, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, errno, "cannot get random bytes");
		}
		at += got;
		len -= (size_t)got;
	}
	return 0;
}

void sys_init(struct sys *sys)
{
	sys->now = system_now;
	sys->mono_ms = system_mono_ms;
	sys->random = system_random;
	sys->ctx = NULL;
}

void sys_time_text(int64_t when, char out[SYS_TIME_SIZE])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, SYS_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		out[0] = '\0';
}

int sys_time_parse(const char *text, int64_t *out, struct err *err)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	int64_t when = end && !*end ? (int64_t)timegm(&tm) : 0;
	char again[SYS_TIME_SIZE] = "";

	/* strptime also takes blanks, fewer digits and the 31st of each month. */
	if (end && !*end)
		sys_time_text(when, again);
	if (!end || *end || strlen(text) != TIME_LEN || strcmp(text, again) != 0)
		return err_set(err, ERR_FAIL, "'%.40s' is not a time like 2026-11-21T01:30:00Z",
			       text);
	*out = when;
	return 0;
}

int sys_duration_parse(const char *text, int64_t *out, struct err *err)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end = NULL;
	long value = -1;

	if (text[0] >= '0' && text[0] <= '9') {
		errno = 0;
		value = strtol(text, &end, 10);
		if (errno || value > 36500L * 86400)
			value = -1;
	}
	for (size_t i = 0; value >= 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		if (end[0] == units[i].unit && !end[1]) {
			*out = (int64_t)value * units[i].seconds;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "'%.40s' is not a duration like 90s, 15m, 24h or 7d", text);
}

void sys_duration_text(int64_t s, char *out, size_t size)
{
	long long n = s < 0 ? 0 : (long long)s;

	if (n >= 2LL * 86400)
		(void)snprintf(out, size, "%lld days", n / 86400);
	else if (n >= 2LL * 3600)
		(void)snprintf(out, size, "%lld h", n / 3600);
	else if (n >= 60)
		(void)snprintf(out, size, "%lld min %lld s", n / 60, n % 60);
	else
		(void)snprintf(out, size, "%lld s", n);
}
