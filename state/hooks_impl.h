/* SPDX-License-Identifier: PostgreSQL */
/* What the parts of running hooks share: see hooks.h. */
#ifndef STATE_HOOKS_IMPL_H
#define STATE_HOOKS_IMPL_H

#include "state/hooks.h"
#include "state/hooks_record.h"
#include "state/plan.h"

struct hooks_run {
	struct session *session;
	const struct plan *plan;
	enum direction direction; /* of the hooks: back where a wave alone is taken back */
	bool takes_back;	  /* that */
	struct hooks_record record;
	struct hook_list list;
	int64_t started;       /* when this run of the program came to the hooks */
	struct strs waits_of;  /* applications whose word is waited for */
	const char *waits_for; /* the first one's text; borrowed */
	unsigned seen_to;      /* the wave up to which all were seen switched by this run */
	struct strs failed;    /* applications that an emergency goes on without */
	struct err failure;    /* the first one's */
};

/* The generation whose users count: the new one, where there is one. */
const struct generation *hooks_generation(const struct plan *plan);
/* run->list is the plan's hooks; the record is opened. hooks_run_close() it also after a failure.
 */
int hooks_run_open(struct hooks_run *run, struct session *session, const struct plan *plan,
		   enum direction direction, struct err *err);
void hooks_run_close(struct hooks_run *run);

/* How often that wave was begun: 1 and one more for each time that it was taken back alone. */
unsigned hooks_attempt(const struct hooks_run *run, unsigned wave, struct err *err);
/* "BASE/wave/2/1/back" or "BASE/wave/2/1/seen"; free() it. */
char *hooks_wave_key(const struct hooks_run *run, unsigned wave, const char *what);
/* The key without what is configured: whether a hook was begun at all, as it was then. free() it.
 */
char *hooks_stem(const struct hooks_run *run, const struct hook_item *item, bool back);
char *hooks_key(const struct hooks_run *run, const struct hook_item *item);
bool hooks_ended(const struct hooks_run *run, const struct hook_item *item);

/* Runs one that has not ended: its lines in the journal, its record, its failure's message. */
int hooks_run_item(struct hooks_run *run, const struct hook_item *item, struct err *err);

/* A hook that runs: what it is given. */
struct hook_call {
	const struct hooks_run *run;
	const struct hook_item *item;
	char id[33]; /* CERTROTATE_KEY */
	char *log_path;
	struct json *record; /* what is kept of it: kinds add what they know */
};

int hooks_call_exec(struct hook_call *call, struct err *err);
int hooks_call_ansible(struct hook_call *call, struct err *err);
int hooks_call_webhook(struct hook_call *call, struct err *err);
/* The text that a webhook posts. */
int hooks_body(struct buf *out, const struct hook_call *call, struct err *err);

/* Whether the waves below that one were seen switched: ERR_GATE where one was not. */
int hooks_wave_gate(struct hooks_run *run, unsigned wave, struct err *err);

#endif
