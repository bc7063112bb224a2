/* SPDX-License-Identifier: PostgreSQL */
/*
 * The one event loop: descriptors (epoll(7)), timers on the monotonic clock, children
 * (pidfd_open(2)) and the request to stop. Single-threaded: everything but loop_stop_request
 * belongs to the thread that runs the loop.
 *
 * Watches and timers are embedded in their user's struct and cost no allocation; zeroed memory is
 * a watch that is not set. Removing one that is not set does nothing. Any callback may set, change
 * and remove any watch or timer, its own too, and free the memory around a removed one at once.
 * A loop needs time in proportion to what happens, not to what is watched: timers are a heap.
 */
#ifndef PROC_LOOP_H
#define PROC_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/sys.h"

struct loop;

/*
 * The operator's wish to end, shared by all loops of the program. A signal handler calls
 * loop_stop_request, which is async-signal-safe; each loop then tells its stop watchers.
 */
struct loop_stop {
	int fd; /* an eventfd(2) */
	atomic_int count;
	_Atomic(const char *) finishing; /* see loop_stop_finishing */
};

int loop_stop_init(struct loop_stop *stop, struct err *err);
void loop_stop_release(struct loop_stop *stop);
void loop_stop_request(struct loop_stop *stop);
/*
 * What a stop request has to wait for now, for the message of who makes it: "this playbook runs to
 * its end first". A string that stays, or NULL: nothing. stop may be NULL.
 */
void loop_stop_finishing(struct loop_stop *stop, const char *what);
/* How often it was asked for; 0 for NULL. */
int loop_stop_count(const struct loop_stop *stop);

/* stop is borrowed and may be NULL: the loop then has one of its own. sys is borrowed. */
int loop_new(struct loop **out, struct sys *sys, struct loop_stop *stop, struct err *err);
/* Watches still set are forgotten (their descriptors stay open). NULL is fine. */
void loop_free(struct loop *loop);
void loop_request_stop(struct loop *loop); /* async-signal-safe */
bool loop_stopping(const struct loop *loop);
int loop_stops(const struct loop *loop); /* how often it was asked for */
int64_t loop_now(struct loop *loop);	 /* sys->mono_ms */
struct sys *loop_sys(struct loop *loop);

/*
 * Runs until done(ctx) holds (asked before the first and after each round; NULL: never) or
 * loop_quit was called: 0. LOOP_TIMEOUT when timeout_ms passed first (negative: no limit). A stop
 * request does not end it: who watches for it ends its work, and done() holds then. ERR_FAIL where
 * nothing is left to wait for, or the system refuses. May be called again, not from a callback.
 */
#define LOOP_TIMEOUT 1
int loop_run(struct loop *loop, bool (*done)(void *ctx), void *ctx, int64_t timeout_ms,
	     struct err *err);
void loop_quit(struct loop *loop);

#define LOOP_READ   1U
#define LOOP_WRITE  2U
#define LOOP_HANGUP 4U /* only told: error or end on the other side; reading says which */

/* Level-triggered. On an error or hang-up, events also holds what was asked for. */
struct loop_fd {
	struct loop *loop;
	int fd;
	unsigned events;
	void (*fn)(struct loop_fd *watch, unsigned events, void *ctx);
	void *ctx;
};

/*
 * Sets or changes a watch. fd: a pipe, socket or the like, non-blocking, not a regular file; one
 * watch for a descriptor. events 0 keeps the watch for LOOP_HANGUP alone.
 */
int loop_fd_set(struct loop *loop, struct loop_fd *watch, int fd, unsigned events,
		void (*fn)(struct loop_fd *watch, unsigned events, void *ctx), void *ctx,
		struct err *err);
/* Before or after close(fd), but before its number is used again. */
void loop_fd_del(struct loop_fd *watch);

/* Fires once. */
struct loop_timer {
	struct loop *loop;
	int64_t at; /* of mono_ms */
	uint64_t order;
	void (*fn)(struct loop_timer *timer, void *ctx);
	void *ctx;
	struct loop_timer *child, *next,
		*prev; /* pairing heap; prev of a first child: its parent */
};

/* Sets it, or sets it anew. Timers of one instant fire in the order in which they were set. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms,
		    void (*fn)(struct loop_timer *timer, void *ctx), void *ctx);
void loop_timer_del(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);

/* Told for each stop request (count from 1); soon, when one was made before it was added. */
struct loop_stopper {
	struct loop *loop;
	int told;
	void (*fn)(struct loop_stopper *stopper, int count, void *ctx);
	void *ctx;
	struct loop_stopper *next, *prev;
};

void loop_on_stop(struct loop *loop, struct loop_stopper *stopper,
		  void (*fn)(struct loop_stopper *stopper, int count, void *ctx), void *ctx);
void loop_off_stop(struct loop_stopper *stopper);

/* Tells once that a child of ours has ended. It stays a zombie: who watches reaps it. */
struct loop_child {
	struct loop *loop;
	struct loop_fd watch;
	struct loop_timer poll; /* for kernels without pidfd_open(2) */
	pid_t pid;
	int pidfd;
	void (*fn)(struct loop_child *child, void *ctx);
	void *ctx;
};

int loop_child_set(struct loop *loop, struct loop_child *child, pid_t pid,
		   void (*fn)(struct loop_child *child, void *ctx), void *ctx, struct err *err);
void loop_child_del(struct loop_child *child);

#endif
