/* SPDX-License-Identifier: PostgreSQL */
/* The parts of a plan: the state and the files that it writes, and the sentence for people. */
#ifndef STATE_PLAN_FILES_H
#define STATE_PLAN_FILES_H

#include "state/plan.h"

/* Whether this transition makes new certificates now. */
bool plan_issues(const struct plan *plan);
/* Fills plan->rotation, and plan->store as the edit writes it: the phase is under way. */
int plan_begin(struct plan *plan, struct session *session, const struct plan_options *options,
	       struct err *err);
/* Fills plan->files: generations, the inventory's files, and the state file last. */
int plan_files(struct plan *plan, struct session *session, struct err *err);
/* Fills plan->summary and plan->scope. */
int plan_summary(struct plan *plan, struct session *session, struct err *err);

#endif
