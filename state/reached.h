/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whether a phase's playbooks reached every host: Ansible's exit code is 0 also where a pattern, a
 * limit or a tag left one out. What each playbook reached is kept in this machine's folder
 * (rollout.json), so that a phase that is resumed behind its first playbook still knows.
 */
#ifndef STATE_REACHED_H
#define STATE_REACHED_H

#include "base/json.h"
#include "state/plan.h"
#include "state/verify.h"

/* Keeps what a playbook did; key as in the journal. first: forgets what was kept before. */
int reached_keep(const struct session *session, const char *key, bool first, const struct json *run,
		 struct err *err);
/* Adds what was kept under the key to evidence; nothing where there is none, or it is damaged. */
int reached_recall(const struct session *session, const char *key, struct json *evidence,
		   struct err *err);

/*
 * Findings "rollout-host" about the hosts of the plan's host set that none of the runs in rollout
 * names: a warning where verify saw that they hold, else a block. Nothing where the phase changes
 * no server, or no playbook is configured for it.
 */
int reached_judge(struct verify_result *result, const struct session *session,
		  const struct plan *plan, const struct json *rollout, struct err *err);

#endif
