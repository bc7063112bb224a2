/* SPDX-License-Identifier: PostgreSQL */
/*
 * For the analyzers alone, which get this file with -include (tools/lint, tools/analyze). They see
 * one source at a time, so they take "rc = err_set(…)" for something that may be 0 and follow
 * paths that do not exist. Here they learn that errors are negative.
 */
#ifndef TOOLS_LINT_ERRORS_H
#define TOOLS_LINT_ERRORS_H

#include "base/err.h"

static inline int lint_negative(int rc)
{
	if (rc >= 0)
		__builtin_unreachable();
	return rc;
}

#define err_set(...)	lint_negative(err_set(__VA_ARGS__))
#define err_sys(...)	lint_negative(err_sys(__VA_ARGS__))
#define err_nomem(err)	lint_negative(err_nomem(err))
#define err_hint(...)	lint_negative(err_hint(__VA_ARGS__))
#define err_prefix(...) lint_negative(err_prefix(__VA_ARGS__))

#endif
