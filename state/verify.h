/* SPDX-License-Identifier: PostgreSQL */
/*
 * Looking on the wire whether a state holds: every endpoint is asked which leaf it serves, real
 * logins are made with the client certificates of each generation, and standbys must stream. What
 * is expected in which state is a table.
 */
#ifndef STATE_VERIFY_H
#define STATE_VERIFY_H

#include "base/finding.h"
#include "base/json.h"
#include "state/session.h"
#include "state/target.h"

/* Whether a client certificate of that generation has to get in. */
enum expect { EXPECT_ANY, EXPECT_ACCEPTED, EXPECT_REFUSED };

struct expectation {
	enum expect old_client;
	enum expect new_client;
};

/* In STATE_IDLE "old" is the generation that the last prune retired, "new" the live one. */
const struct expectation *verify_expectation(enum state state);

struct verify_input {
	const struct target *target;	  /* what the inventory holds, hence what is to be seen */
	const struct generation *old_gen; /* NULL where it is not known: not asked for */
	const struct generation *new_gen; /* likewise */
	const struct strs *skip;	  /* hosts that are left out, by name; may be NULL */
	int64_t patience_ms; /* how long what differs is looked at again: a reload takes a moment */
};

struct verify_result {
	struct findings findings; /* "endpoint", "leaf-served", "client-login", "replication" */
	struct json *evidence;	  /* an object for the history */
	size_t endpoints;
	size_t logins;
};

/*
 * 0 also where much differs: that is what the findings say. Each finding's subject is the
 * endpoint's name. ERR_STOPPED where the user asked to stop.
 */
int verify_run(struct verify_result *out, struct session *session, const struct verify_input *in,
	       struct err *err);
void verify_release(struct verify_result *result);

#endif
