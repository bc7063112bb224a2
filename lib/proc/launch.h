/* SPDX-License-Identifier: PostgreSQL */
/* Within the room: from a spec to a running process with its pipes. */
#ifndef PROC_LAUNCH_H
#define PROC_LAUNCH_H

#include <sys/types.h>
#include "proc/child.h"

/* Our ends of its pipes, non-blocking and close-on-exec; -1 where there is none. */
struct launched {
	pid_t pid;
	int in, out, err;
	int tty; /* the terminal whose foreground it was given, or -1 */
};

int launch(struct launched *out, const struct child_spec *spec, struct err *err);
/* Takes the terminal's foreground back and closes it. */
void launch_take_back(struct launched *launched);
/* The environment that the spec asks for, NULL-terminated; free() the array and its texts. */
int launch_environment(char ***out, const struct child_spec *spec, struct err *err);
void launch_environment_free(char **env);

#endif
