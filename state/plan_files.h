/* SPDX-License-Identifier: PostgreSQL */
/* The parts of a plan that are text: the files to be committed, and the sentence for people. */
#ifndef STATE_PLAN_FILES_H
#define STATE_PLAN_FILES_H

#include "state/plan.h"

/* Fills plan->files: generations, the inventory's files, and the state file last. */
int plan_files(struct plan *plan, struct session *session, struct err *err);
/* Fills plan->summary and plan->scope. */
int plan_summary(struct plan *plan, struct session *session, struct err *err);

#endif
