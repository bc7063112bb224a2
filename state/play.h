/* SPDX-License-Identifier: PostgreSQL */
/* One run of a playbook that the configuration names: a phase's, a check's or the census's. */
#ifndef STATE_PLAY_H
#define STATE_PLAY_H

#include "proc/ansible.h"
#include "state/session.h"

/* All borrowed. */
struct play {
	const struct rollout_step *step;
	const char *phase;	 /* certrotate_phase; "" outside of one */
	const char *direction;	 /* certrotate_direction */
	const struct strs *only; /* hosts that it is limited to; NULL: all but skip */
	const struct strs *skip;
	const char *const *vars; /* further "name=value", NULL at the end; or NULL */
	const char *title;	 /* for progress; NULL: the phase */
	const char *log_name;	 /* of the file in the environment's logs/; NULL: see play_check */
	size_t number;		 /* part of that file's name */
	bool quiet;		 /* its output goes into that file alone */
	bool finishes;		 /* it changes hosts: a first stop request lets it end by itself */
};

/* As ansible_run: release the result always. */
int play_run(struct ansible_result *out, struct session *session, const struct play *play,
	     struct err *err);
/* As ansible_check: runs nothing. */
int play_check(struct session *session, const struct play *play, struct err *err);

#endif
