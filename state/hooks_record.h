/* SPDX-License-Identifier: PostgreSQL */
/*
 * What came of the hooks of the phase that is under way, as this machine keeps it: hooks.json,
 * replaced durably. The journal alone decides what is done; a record that is lost or damaged is
 * evidence that the history lacks.
 *
 *   {"version": 1, "base": "ROTATION/PHASE/DIRECTION/BEGUN", "runs": {KEY: {"application", "hook",
 *    "kind", "wave", "direction", "at", "outcome", …}}, "waves": {"1": {"seen": AT, "users": 4}},
 *    "sum": …}
 */
#ifndef STATE_HOOKS_RECORD_H
#define STATE_HOOKS_RECORD_H

#include "base/err.h"
#include "base/json.h"
#include "state/session.h"

/* A run's "outcome". */
#define HOOK_BEGUN	"begun"
#define HOOK_ENDED	"ended"
#define HOOK_FAILED	"failed"
#define HOOK_WAITS	"waits"	     /* for an application's word */
#define HOOK_TAKEN_BACK "taken back" /* with its wave, while it waited */

struct hooks_record {
	char *path;
	char *base; /* of what the session's store has under way */
	struct json *runs;
	struct json *waves;
};

/* "ROTATION/PHASE/DIRECTION/BEGUN" of what is under way; free() it. */
char *hooks_base(const struct store *store);
/* Of what the session's store has under way; empty where nothing is kept about that. Release it
 * also after a failure. */
int hooks_record_open(struct hooks_record *record, const struct session *session, struct err *err);
int hooks_record_save(const struct hooks_record *record, struct err *err);
void hooks_record_release(struct hooks_record *record);

#endif
