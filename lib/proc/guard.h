/* SPDX-License-Identifier: PostgreSQL */
/*
 * Ends a process group when we are killed. PR_SET_PDEATHSIG reaches its leader alone; what the
 * leader started (Ansible's workers, their ssh) would go on. The guard is a shell in a session of
 * its own that waits for the end of a pipe that only we hold open.
 */
#ifndef PROC_GUARD_H
#define PROC_GUARD_H

#include <stdint.h>
#include <sys/types.h>

struct guard {
	pid_t pid;
	int fd;
};

#define GUARD_INIT                                                                                 \
	{                                                                                          \
		-1, -1                                                                             \
	}

/*
 * remove: a folder that goes with the group, as nobody else is left to remove it; NULL: none. Not
 * being able to is no error: the leader's end is still sure.
 */
void guard_start(struct guard *guard, pid_t group, int64_t grace_ms, const char *remove);
/* Before the leader is reaped, so that the group's number is never another's. */
void guard_end(struct guard *guard);

#endif
