/* SPDX-License-Identifier: PostgreSQL */
/*
 * The loop's timers: a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) linked through the
 * timers themselves, so that setting one needs no memory and cannot fail. The root is the earliest.
 */
#ifndef PROC_TIMERS_H
#define PROC_TIMERS_H

#include "proc/loop.h"

void timers_push(struct loop_timer **root, struct loop_timer *timer);
void timers_remove(struct loop_timer **root, struct loop_timer *timer);

#endif
