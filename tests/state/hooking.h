/* SPDX-License-Identifier: PostgreSQL */
/* A scene (scene.h) whose applications have hooks, for the tests of what becomes of them. */
#ifndef TESTS_STATE_HOOKING_H
#define TESTS_STATE_HOOKING_H

#include "tests/state/scene.h"

#define EXEC(arg) "{kind: exec, command: [./hook, " arg "]}"
/* Two applications in two waves, one of them with two hooks. */
#define WAVES(phase)                                                                               \
	SCENE_QUIET                                                                                \
	"applications:\n"                                                                          \
	"  late: {users: [pgquartz], wave: 2, contact: late@example.com, " phase                   \
	": [" EXEC("c") "]}\n"                                                                     \
			"  shop: {users: [application], contact: shop@example.com, " phase         \
			": [" EXEC("a") ", {kind: exec, name: reload, command: [./hook, b]}]}\n"   \
					"  ghost: {users: [ghost], " phase ": [" EXEC("g") "]}\n"
#define HOOKING_MANUAL_APPS                                                                        \
	"applications:\n"                                                                          \
	"  shop: {users: [application], contact: shop@example.com, trust: "                        \
	"[" EXEC("a") ", {kind: manual, text: load the bundle}, " EXEC(                            \
		"b") "]}\n"                                                                        \
		     "  other: {users: [pgfga], trust: [" EXEC("o") "]}\n"
#define MANUAL SCENE_QUIET HOOKING_MANUAL_APPS

/* A checked fixture: the scene, with a program "hook" in its work tree. */
void hooking_setup(void);
/* What hooks said since it was asked last: "PHASE DIRECTION APPLICATION ARGUMENT", a line each. */
const char *hooked(void);
/* sh(1) that each hook runs at its end, in the work tree. */
void hooks_do(const char *script);
/* One phase, which has to fail like that; the error is in err. */
void hooking_fails(struct err *err, enum event event, int code, const char *message);
int hooking_wave_back(struct err *err, unsigned wave);
int hooking_ack(struct err *err, const char *app, bool *known);
/* The survey (status) has that finding, with part in its reason; part "": it has not. */
void hooking_is_said(struct err *err, const char *check, const char *subject, const char *part);
/* A Python expression about d, the state on the remote's branch. */
const char *hooking_state(const char *branch, const char *expression);

#endif
