/* SPDX-License-Identifier: PostgreSQL */
/* One environment or all of them, surveyed: for status and check. */
#ifndef CMD_EACH_H
#define CMD_EACH_H

#include "cmd/options.h"
#include "cmd/ui.h"
#include "state/survey.h"

typedef int each_fn(void *ctx, struct session *session, const struct survey *survey,
		    struct err *err);

/* Reads local references only. One that cannot be read is said, and the others go on. */
int each_environment(const struct options *options, struct ui *ui, int64_t warning, each_fn *fn,
		     void *ctx, struct err *err);

#endif
