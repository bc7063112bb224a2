/* SPDX-License-Identifier: PostgreSQL */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_SIZE 4096

void log_line(const struct log *log, enum log_level level, const char *fmt, ...)
{
	char text[LINE_SIZE];
	va_list ap;

	if (!log || !log->line)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log->line(log->ctx, level, text);
}

void log_progress(const struct log *log, const char *fmt, ...)
{
	char text[LINE_SIZE];
	va_list ap;

	if (!log || !log->progress)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log->progress(log->ctx, text);
}

void log_output(const struct log *log, const char *data, unsigned long len)
{
	if (log && log->output)
		log->output(log->ctx, data, len);
}
