/* SPDX-License-Identifier: PostgreSQL */
/* What the commands share: clock, stop request, and a session from the options. */
#ifndef CMD_CONTEXT_H
#define CMD_CONTEXT_H

#include "base/sys.h"
#include "cmd/options.h"
#include "cmd/ui.h"
#include "proc/loop.h"
#include "state/session.h"

struct context {
	struct sys sys;
	struct loop_stop stop;
	struct session_options session;
};

/* Ctrl-C and SIGTERM become stop requests until context_release. */
int context_init(struct context *context, const struct options *options, struct ui *ui,
		 struct err *err);
void context_release(struct context *context);

/* "2027-11-19 (in 363 days)" */
void context_when(char *out, size_t size, int64_t when, int64_t now);

#endif
