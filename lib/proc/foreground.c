/* SPDX-License-Identifier: PostgreSQL */
#include "proc/foreground.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 50 /* a stopped child wakes no descriptor */

static bool is_ours(const struct foreground *foreground)
{
	return tcgetpgrp(foreground->tty) == getpgrp();
}

/* From the background, tcsetpgrp would stop us with SIGTTOU. */
static void give(const struct foreground *foreground, pid_t group)
{
	sigset_t set, saved;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTTOU);
	(void)pthread_sigmask(SIG_BLOCK, &set, &saved);
	(void)tcsetpgrp(foreground->tty, group);
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

static void take_back(struct foreground *foreground)
{
	/* A shell that has put us into the background keeps it. */
	if (foreground->lent && tcgetpgrp(foreground->tty) == foreground->group)
		give(foreground, getpgrp());
	foreground->lent = false;
}

static void lend(struct foreground *foreground)
{
	foreground->wanted = false;
	foreground->lent = true;
	give(foreground, foreground->group);
	(void)kill(-foreground->group, SIGCONT);
}

/* Ctrl-Z at the lent terminal reached the child alone: the shell has to see us stop. */
static void stop_with_it(struct foreground *foreground)
{
	take_back(foreground);
	(void)kill(0, SIGTSTP);
	if (is_ours(foreground))
		lend(foreground);
	else
		(void)kill(-foreground->group, SIGCONT);
}

static void on_poll(struct loop_timer *timer, void *ctx)
{
	struct foreground *foreground = ctx;
	siginfo_t info = {0};

	loop_timer_set(foreground->loop, timer, POLL_MS, on_poll, foreground);
	if (waitid(P_PID, (id_t)foreground->group, &info, WSTOPPED | WNOHANG))
		return;
	if (info.si_pid && (info.si_status == SIGTTIN || info.si_status == SIGTTOU))
		foreground->wanted = true;
	else if (info.si_pid && info.si_status == SIGTSTP && foreground->lent)
		stop_with_it(foreground);
	if (foreground->wanted && is_ours(foreground))
		lend(foreground);
	else if (foreground->wanted)
		(void)kill(0, SIGTTIN);
}

void foreground_start(struct foreground *foreground, struct loop *loop, pid_t group)
{
	*foreground = (struct foreground){.loop = loop, .group = group};
	foreground->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (foreground->tty >= 0)
		loop_timer_set(loop, &foreground->timer, 0, on_poll, foreground);
}

void foreground_end(struct foreground *foreground)
{
	loop_timer_del(&foreground->timer);
	if (foreground->tty < 0)
		return;
	take_back(foreground);
	(void)close(foreground->tty);
	foreground->tty = -1;
}
