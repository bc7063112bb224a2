/* SPDX-License-Identifier: PostgreSQL */
/*
 * Errors. A function that can fail returns 0 or a negative code and fills a struct err: the
 * origin writes the message once (lower case, no full stop, naming the file and line, the host
 * and port, or the path in the YAML), callers pass it on and may put a prefix before it.
 *
 * The codes are the negated exit codes of the program. A message never holds a secret. Messages
 * are cut at their size and never fail.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

enum err_code {
	ERR_OK = 0,
	ERR_FAIL = -1,	 /* failed: the message says what and where */
	ERR_USAGE = -2,	 /* usage or configuration */
	ERR_GATE = -3,	 /* a gate does not hold (yet), or a merge is awaited */
	ERR_LOCK = -4,	 /* another operator */
	ERR_DRIFT = -5,	 /* the inventory is not what the state says */
	ERR_NOENT = -16, /* the thing asked for is not there; exits as ERR_FAIL if it gets so far */
	ERR_STOPPED = -17, /* the user asked to stop; exits as ERR_FAIL */
	ERR_MACHINE = -18  /* memory, a disk, descriptors: nothing is wrong with what was asked or
			      with what was read; exits as ERR_FAIL */
};

struct err {
	int code;
	char msg[2048];
	char hint[1024]; /* what the operator can do; "" for nothing */
};

/* Each returns the code, so that "return err_set(err, …);" reads well. err may be NULL. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct err *err, int code, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
/*
 * Message "FMT: strerror(errno_value)"; the code is ERR_FAIL, ERR_NOENT for ENOENT, or ERR_MACHINE
 * with a hint for what this machine lacks (ENOSPC, EIO, EMFILE, ENOMEM…).
 */
int err_sys(struct err *err, int errno_value, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, where the reason is a library's or another program's text that ends in such words. */
int err_reason(struct err *err, int code, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* "out of memory", ERR_MACHINE, with a hint. err may be NULL, as for all: err_ail is told. */
int err_nomem(struct err *err);
int err_nomem_for(struct err *err, const char *what); /* "WHAT: out of memory" */
/*
 * What this machine refused to this process where somebody could not say so, and went on without:
 * what a check has found since then may be the lack and not the thing. So nothing is published or
 * settled from then on, and the program ends with this whatever it came to. A property of the
 * process, as its memory is. Only errors of the kind of ERR_MACHINE are kept, and of these the
 * first. err_ailment: NULL where there was none. err_forget is for tests.
 */
void err_ail(int errno_value, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *err_ailment(void);
int err_ailed(struct err *err); /* says what err_ailment has; ERR_MACHINE */
bool err_starved(void);		/* it was memory */
void err_forget(void);
/*
 * For a function that says what is wrong with a file: rc becomes code, but for 0 and ERR_MACHINE,
 * which say nothing of the file. Returns what it became.
 */
int err_blame(struct err *err, int rc, enum err_code code);

/* Replaces the hint, but not what ERR_MACHINE needs. Returns err->code. */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same where there is none yet: an outer function knows less than the origin. */
int err_hint_default(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts a prefix and ": " before the message. Returns err->code. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void err_clear(struct err *err);
/* The exit code of the program for a code (0 for 0). */
int err_exit_code(int code);

#endif
