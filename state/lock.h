/* SPDX-License-Identifier: PostgreSQL */
/*
 * One certrotate at a time for an environment on this machine: flock(2) on
 * .git/certrotate/ENV/lock, which the kernel drops when its holder ends, however it ends. The
 * file's text says who, where and since when, for the message of the one that is refused.
 */
#ifndef STATE_LOCK_H
#define STATE_LOCK_H

#include "base/err.h"
#include "base/sys.h"

/* A descriptor >= 0 that holds the lock until it is closed, or a negative code (ERR_LOCK). */
int lock_take(const char *path, const char *who, struct sys *sys, struct err *err);

#endif
