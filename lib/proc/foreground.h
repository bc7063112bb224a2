/* SPDX-License-Identifier: PostgreSQL */
/*
 * The terminal's foreground, lent to a child that asks for it, as a shell's job control does.
 *
 * A child that may talk with the operator runs in a process group of its own behind ours, so that
 * Ctrl-C and Ctrl-Z reach us and not it: we end it at a safe point. When it reads the terminal, or
 * switches its echo off, the kernel stops it (SIGTTIN, SIGTTOU): then it gets the foreground until
 * it ends. Where we are in the background ourselves we stop as it did, until the shell's fg.
 */
#ifndef PROC_FOREGROUND_H
#define PROC_FOREGROUND_H

#include "proc/loop.h"

struct foreground {
	struct loop *loop;
	struct loop_timer timer;
	pid_t group; /* the child's, and the child's own number */
	int tty;     /* -1: nothing to lend */
	bool lent;
	bool wanted;
};

#define FOREGROUND_INIT                                                                            \
	{                                                                                          \
		.tty = -1                                                                          \
	}

/* Without a controlling terminal nothing is watched. */
void foreground_start(struct foreground *foreground, struct loop *loop, pid_t group);
/* Takes it back, where it was lent. Before the child is reaped. */
void foreground_end(struct foreground *foreground);

#endif
