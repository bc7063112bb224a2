/* SPDX-License-Identifier: PostgreSQL */
/*
 * A private folder (mode 0700) for a child's temporary files, on a memory file system where there
 * is one: /dev/shm, else $XDG_RUNTIME_DIR, else /tmp. It is locked (flock(2)) while it is in use;
 * one that a killed process left behind is removed by the next that sweeps or makes one.
 */
#ifndef PROC_SCRATCH_H
#define PROC_SCRATCH_H

#include <stdbool.h>
#include "base/err.h"

struct scratch {
	char *path;
	int fd;
	bool memory; /* on a tmpfs or ramfs */
};

void scratch_sweep(void);
int scratch_make(struct scratch *scratch, struct err *err);
/* Removes it with all below. Zeroed memory is fine. */
void scratch_remove(struct scratch *scratch);

#endif
