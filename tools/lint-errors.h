/* SPDX-License-Identifier: PostgreSQL */
/*
 * For clang's analyzer alone, which tools/lint gives this file with -include. The analyzer sees
 * one source at a time, so it takes "rc = err_set(…)" for something that may be 0 and follows
 * paths that do not exist. Here it learns that errors are negative.
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
