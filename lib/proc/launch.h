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
};

int launch(struct launched *out, const struct child_spec *spec, struct err *err);
/* The environment that the spec asks for, NULL-terminated; free() the array and its texts. */
int launch_environment(char ***out, const struct child_spec *spec, struct err *err);
void launch_environment_free(char **env);

#endif
