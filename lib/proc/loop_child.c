/* SPDX-License-Identifier: PostgreSQL */
#include "proc/loop.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 10

static void tell(struct loop_child *child)
{
	loop_child_del(child);
	child->fn(child, child->ctx);
}

static void on_pidfd(struct loop_fd *watch, unsigned events, void *ctx)
{
	(void)watch;
	(void)events;
	tell(ctx);
}

static void on_poll(struct loop_timer *timer, void *ctx)
{
	struct loop_child *child = ctx;
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT | WNOHANG) || info.si_pid)
		tell(child);
	else
		loop_timer_set(child->loop, timer, POLL_MS, on_poll, child);
}

int loop_child_set(struct loop *loop, struct loop_child *child, pid_t pid,
		   void (*fn)(struct loop_child *child, void *ctx), void *ctx, struct err *err)
{
	int rc;

	loop_child_del(child);
	child->loop = loop;
	child->pid = pid;
	child->fn = fn;
	child->ctx = ctx;
	child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (child->pidfd < 0) {
		/* Linux before 5.3, or a seccomp filter that does not know it. */
		loop_timer_set(loop, &child->poll, 0, on_poll, child);
		return 0;
	}
	rc = loop_fd_set(loop, &child->watch, child->pidfd, LOOP_READ, on_pidfd, child, err);
	if (rc)
		(void)close(child->pidfd);
	return rc;
}

void loop_child_del(struct loop_child *child)
{
	loop_timer_del(&child->poll);
	if (child->watch.loop) {
		loop_fd_del(&child->watch);
		(void)close(child->pidfd);
	}
}
