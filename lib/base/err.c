/* SPDX-License-Identifier: PostgreSQL */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
	if (!err)
		return code;
	err->code = code;
	err->hint[0] = '\0';
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, code, fmt, ap);
	va_end(ap);
	return code;
}

int err_sys(struct err *err, int errno_value, const char *fmt, ...)
{
	int code = errno_value == ENOENT ? ERR_NOENT : ERR_FAIL;
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, code, fmt, ap);
	va_end(ap);
	if (err) {
		size_t len = strlen(err->msg);

		(void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
			       strerror(errno_value));
	}
	return code;
}

int err_nomem(struct err *err)
{
	return err_set(err, ERR_FAIL, "out of memory");
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return ERR_FAIL;
	va_start(ap, fmt);
	(void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return err->code;
}

int err_hint_default(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return ERR_FAIL;
	if (err->hint[0])
		return err->code;
	va_start(ap, fmt);
	(void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return err->code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char rest[sizeof(err->msg)];
	va_list ap;
	size_t len;

	if (!err)
		return ERR_FAIL;
	memcpy(rest, err->msg, sizeof(rest));
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	(void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %.*s", (int)(sizeof(rest) - 1),
		       rest);
	return err->code;
}

void err_clear(struct err *err)
{
	if (!err)
		return;
	err->code = ERR_OK;
	err->msg[0] = '\0';
	err->hint[0] = '\0';
}

int err_exit_code(int code)
{
	if (code >= 0)
		return code > 0 ? 1 : 0;
	return code >= ERR_DRIFT ? -code : 1;
}
