/* SPDX-License-Identifier: PostgreSQL */
/*
 * Drift: what the inventory holds and the state does not say. For each value what it is, where, who
 * changed the file since certrotate's last commit to it, and what to do.
 */
#ifndef STATE_DRIFT_H
#define STATE_DRIFT_H

#include "base/finding.h"
#include "state/holdings.h"
#include "state/target.h"

struct drift_input {
	struct session *session;
	const struct holdings *holdings;
	const struct target *target;
	/* "AUTHORITY/NAME" of hosts and users that came or went: members.h deals with them. */
	const struct strmap *spared;
};

/*
 * One finding ("drift", blocking) for each value that is not what the target says; a single one
 * where the inventory as a whole is what another state says. Keys are compared where they are open.
 */
int drift_look(struct findings *out, const struct drift_input *in, struct err *err);

/* One more of them, about a value at a line (0: none) of a file. */
int drift_add(struct findings *out, const struct drift_input *in, const struct difference *about,
	      const char *advice, struct err *err, const char *reason, ...)
	__attribute__((format(printf, 6, 7)));

/* ERR_DRIFT with the first finding whole, and the subjects of the next ones; 0 where none. */
int drift_refuse(const struct findings *drift, struct err *err);

#endif
