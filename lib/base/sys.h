/* SPDX-License-Identifier: PostgreSQL */
/*
 * Clock and random, injected so that a test fixes them. Everything that needs the time of day or
 * random bytes takes a struct sys; nothing calls time() or the generator behind its back (OpenSSL's
 * key generation keeps its own generator).
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct sys {
	int64_t (*now)(struct sys *sys);     /* seconds since the epoch, UTC */
	int64_t (*mono_ms)(struct sys *sys); /* milliseconds, never goes back */
	int (*random)(struct sys *sys, void *out, size_t len, struct err *err);
	void *ctx;
};

/* The machine's own clocks and getrandom(2). */
void sys_init(struct sys *sys);

#define SYS_TIME_SIZE 24
/* RFC 3339 in UTC, "2026-11-21T01:30:00Z". */
void sys_time_text(int64_t when, char out[SYS_TIME_SIZE]);
/* 0, or ERR_FAIL where the text is not in that form. */
int sys_time_parse(const char *text, int64_t *out, struct err *err);
/* Durations as the configuration writes them: "90s", "15m", "24h", "7d"; in seconds. */
int sys_duration_parse(const char *text, int64_t *out, struct err *err);
/* "3 days", "5 h", "2 min 10 s": for people. */
void sys_duration_text(int64_t seconds, char *out, size_t size);

#endif
