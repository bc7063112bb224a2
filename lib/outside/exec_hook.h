/* SPDX-License-Identifier: PostgreSQL */
/*
 * A hook of kind exec: a program of the application's administrators, run with an argument list and
 * no shell, in a process group of its own that ends with the deadline. What it prints goes through
 * proc/filter.h before anybody sees it; a log keeps the first EXEC_HOOK_LOG_MAX bytes of it, and
 * what comes behind that is read and dropped, so that a program that prints without end costs
 * nothing but its deadline.
 */
#ifndef OUTSIDE_EXEC_HOOK_H
#define OUTSIDE_EXEC_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/log.h"
#include "base/strs.h"
#include "base/sys.h"
#include "proc/loop.h"
#include "secret/arena.h"

#define EXEC_HOOK_LOG_MAX ((size_t)8 << 20)

/* All borrowed; zero or NULL where not needed. */
struct exec_hook {
	const char *program;	    /* absolute: exec_hook_find */
	const struct strs *command; /* as it is configured: [0] is the program's name */
	const char *directory;	    /* the working directory: the repository */
	const struct strs *env;	    /* "NAME=value", over what we inherited */
	const struct strs *hidden;  /* names of variables that it does not inherit */
	const void *input;	    /* fed to its standard input; NULL: /dev/null */
	size_t input_len;
	struct secret secret; /* is taken out of what it prints: the passphrase; data NULL: none */
	int64_t deadline_s;
	const char *removes;	/* a folder that goes when we are killed; NULL: none */
	const char *log_path;	/* made with mode 0600 in a folder that is there; NULL: none */
	const struct log *log;	/* shows its output, as far as the log keeps it */
	struct sys *sys;	/* NULL: the machine's */
	struct loop_stop *stop; /* a first request lets it end by itself; may be NULL */
};

struct exec_hook_result {
	int code;
	int64_t ms;
	uint64_t printed;    /* bytes, filtered */
	size_t keys_removed; /* private keys that the filter took out of its output */
};

/*
 * Where the program is: an absolute path as it is; one with a '/' in it below root (a path inside
 * it, symbolic links counted); else looked up in PATH. It has to be a file that may be run.
 * ERR_USAGE with what is wrong with it. free() *out.
 */
int exec_hook_find(char **out, const char *program, const char *root, struct err *err);

/*
 * 0 where it exited with 0. Otherwise ERR_FAIL with its exit code, signal or deadline and its last
 * lines, and the log's path as hint; ERR_STOPPED on a second stop request. The result holds what is
 * known in each case.
 */
int exec_hook_run(struct exec_hook_result *result, const struct exec_hook *hook, struct err *err);

#endif
