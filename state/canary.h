/* SPDX-License-Identifier: PostgreSQL */
/*
 * The canary of a rollout's step: behind it certrotate waits, and asks the step's hosts through
 * the check's playbook which TLS failures their servers have logged. One that did not occur, from
 * the same address and for the same reason, in the same time before the step is new, and halts the
 * rest of the rollout.
 *
 * Going forward only, and not in an emergency. One that was passed is in the journal, and is not
 * waited for again when the phase is resumed; one that was cut off waits for the rest of its time.
 * After one that failed, what counts is what is new from then on.
 */
#ifndef STATE_CANARY_H
#define STATE_CANARY_H

#include "base/json.h"
#include "state/plan.h"
#include "state/reports.h"

/*
 * run: the step's object in the rollout's evidence ("hosts", "at", "ms"); gets "canary". NULL
 * where it is not known: then all hosts are asked, from now on. key: the step's in the journal.
 * ERR_GATE with the addresses and reasons of what is new, or with the hosts about which nothing can
 * be said; ERR_STOPPED; ERR_LOCK where the claim was lost meanwhile. 0 at once where the step has
 * no canary.
 */
int canary_watch(struct session *session, const struct plan *plan, const struct rollout_step *step,
		 const char *key, struct json *run, struct err *err);

/* --- its parts, for tests ------------------------------------------------------------------- */

/* What is new in the reports, or keeps them from being judged. */
struct canary_news {
	struct strs failures; /* "10.0.0.7: tlsv1 alert unknown ca (3 times, on db2)" */
	struct strs unknown;  /* "db2: its log_line_prefix has no time (%m)" */
};

/*
 * began: when the step began; from: since when a failure counts (later than began where an earlier
 * watch failed). All in seconds since the epoch.
 */
int canary_judge(struct canary_news *out, const struct reports *reports, int64_t began,
		 int64_t from, struct err *err);
void canary_news_release(struct canary_news *news);

#endif
