/* SPDX-License-Identifier: PostgreSQL */
/*
 * Where lib/ and state/ say what they do: they never print. The program (or a test) brings the
 * functions; a NULL log or a NULL function drops the line. Texts may hold names from files: who
 * prints makes control characters harmless (buf_add_safe).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG__MAX };

struct log {
	void (*line)(void *ctx, enum log_level level, const char *text);
	/* A state that replaces the one before on a terminal; "" removes it. */
	void (*progress)(void *ctx, const char *text);
	/* A child's output, already filtered: part of a stream, not a line. */
	void (*output)(void *ctx, const char *data, unsigned long len);
	void *ctx;
	bool color; /* output reaches a terminal that shows colours */
};

void log_line(const struct log *log, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void log_progress(const struct log *log, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_output(const struct log *log, const char *data, unsigned long len);

#endif
