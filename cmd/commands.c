/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/commands.h"

const struct command commands[] = {
	{"plan", "show what the next phase would do; changes nothing", cmd_plan},
	{"next", "do the next phase, or go on with one that stopped", cmd_next},
	{"revert", "undo the last phase, or the unfinished one", cmd_revert},
	{"status", "where every environment stands, and what to type next", cmd_status},
	{"verify", "look on the wire whether the state holds", cmd_verify},
	{"prove", "prove that the next phase refuses nobody; changes nothing", cmd_prove},
	{"census", "who is connected with which generation; adds to the record", cmd_census},
	{"ack", "record that an application has done its part of a phase", cmd_ack},
	{"deliver", "the files for an application's administrators", cmd_deliver},
	{"log", "the history: who, when, what, evidence", cmd_log},
	{"check", "expiry and state as a monitoring plug-in", cmd_check},
	{"states", "print the state machine", cmd_states},
	{NULL, NULL, NULL},
};
