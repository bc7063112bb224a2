/* SPDX-License-Identifier: PostgreSQL */
#include "base/err.h"

#include <errno.h>
#include <stdatomic.h>
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

/* What helps where this machine lacks something; NULL for an error that is not of this kind. */
static const char *remedy(int errno_value)
{
	switch (errno_value) {
	case ENOSPC:
		return "make space on that file system, then type the same command again";
	case EDQUOT:
		return "this user's quota is used up: make space, then type the same command again";
	case EIO:
		return "the disk or what lies behind it fails: see the kernel's log (dmesg), then "
		       "type the same command again";
	case EROFS:
		return "the file system is mounted read-only, as it is after a fault of its disk: "
		       "see the kernel's log (dmesg), then type the same command again";
	case EMFILE:
	case ENFILE:
		return "raise the limit of open files (ulimit -n), then type the same command "
		       "again";
	case EAGAIN:
		return "this user or machine runs too many processes (ulimit -u): end some, then "
		       "type the same command again";
	case ENOMEM:
		return "end something that uses memory, then type the same command again";
	default:
		return NULL;
	}
}

/* The first that was met; written once. */
static struct {
	atomic_int stage; /* 0: nothing, 1: being written, 2: there */
	int error;
	char text[1024];
} ailment;

void err_ail(int errno_value, const char *fmt, ...)
{
	int none = 0;
	va_list ap;
	size_t len;

	if (!remedy(errno_value) || !atomic_compare_exchange_strong(&ailment.stage, &none, 1))
		return;
	ailment.error = errno_value;
	va_start(ap, fmt);
	(void)vsnprintf(ailment.text, sizeof(ailment.text), fmt, ap);
	va_end(ap);
	len = strlen(ailment.text);
	(void)snprintf(ailment.text + len, sizeof(ailment.text) - len, "%s%s", len ? ": " : "",
		       errno_value == ENOMEM ? "out of memory" : strerror(errno_value));
	atomic_store(&ailment.stage, 2);
}

const char *err_ailment(void)
{
	int stage = atomic_load(&ailment.stage);

	return !stage ? NULL : stage == 2 ? ailment.text : "out of memory";
}

bool err_starved(void)
{
	int stage = atomic_load(&ailment.stage);

	return stage && (stage != 2 || ailment.error == ENOMEM);
}

int err_ailed(struct err *err)
{
	const char *help = err_starved() ? remedy(ENOMEM) : remedy(ailment.error);

	err_set(err, ERR_MACHINE, "%s", err_ailment());
	if (err)
		(void)snprintf(err->hint, sizeof(err->hint), "%s", help ? help : "");
	return ERR_MACHINE;
}

void err_forget(void)
{
	atomic_store(&ailment.stage, 0);
}

int err_reason(struct err *err, int code, const char *reason, const char *fmt, ...)
{
	static const int known[] = {ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE, ENOMEM};
	const char *help = NULL;
	va_list ap;
	size_t len;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !help; i++)
		help = strstr(reason, strerror(known[i])) ? remedy(known[i]) : NULL;
	va_start(ap, fmt);
	code = err_vset(err, help ? ERR_MACHINE : code, fmt, ap);
	va_end(ap);
	if (!err)
		return code;
	len = strlen(err->msg);
	(void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", reason);
	(void)snprintf(err->hint, sizeof(err->hint), "%s", help ? help : "");
	return code;
}

int err_sys(struct err *err, int errno_value, const char *fmt, ...)
{
	const char *help = remedy(errno_value);
	int code = errno_value == ENOENT ? ERR_NOENT : help ? ERR_MACHINE : ERR_FAIL;
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, code, fmt, ap);
	va_end(ap);
	if (err) {
		size_t len = strlen(err->msg);

		(void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
			       strerror(errno_value));
		(void)snprintf(err->hint, sizeof(err->hint), "%s", help ? help : "");
	}
	return code;
}

int err_nomem(struct err *err)
{
	err_ail(ENOMEM, "%s", "");
	err_set(err, ERR_MACHINE, "out of memory");
	if (err)
		(void)snprintf(err->hint, sizeof(err->hint), "%s", remedy(ENOMEM));
	return ERR_MACHINE;
}

int err_nomem_for(struct err *err, const char *what)
{
	(void)err_nomem(err);
	(void)err_prefix(err, "%s", what);
	return ERR_MACHINE;
}

int err_blame(struct err *err, int rc, enum err_code code)
{
	if (!rc || rc == ERR_MACHINE)
		return rc;
	/* whoever passed it on may have called it a failure of its own */
	if (err && err->code == ERR_MACHINE)
		return ERR_MACHINE;
	if (err)
		err->code = code;
	return code;
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return ERR_FAIL;
	if (err->code == ERR_MACHINE && err->hint[0])
		return err->code;
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
