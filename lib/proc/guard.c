/* SPDX-License-Identifier: PostgreSQL */
#include "proc/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * $1: the group; $2: seconds between SIGTERM and SIGKILL; $3: a folder to remove, or nothing. read
 * ends when the pipe does.
 */
static const char script[] = "read -r end\n"
			     "kill -TERM -\"$1\" && kill -CONT -\"$1\"\n"
			     "left=$2\n"
			     "while [ \"$left\" -gt 0 ] && kill -0 -\"$1\"; do\n"
			     "	sleep 1; left=$((left - 1))\n"
			     "done\n"
			     "kill -KILL -\"$1\"\n"
			     "[ -z \"$3\" ] || rm -rf -- \"$3\"\n";

static int spawn(struct guard *guard, int lifeline, char *group, char *grace, const char *remove)
{
	char name[] = "certrotate-guard", flag[] = "-c";
	char *const argv[] = {name,  flag,  (char *)(uintptr_t)script, name,
			      group, grace, (char *)(uintptr_t)remove, NULL};
	char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char *const env[] = {path, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int rc;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	if (posix_spawn_file_actions_init(&actions))
		return -1;
	if (posix_spawnattr_init(&attr)) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -1;
	}
	rc = posix_spawn_file_actions_adddup2(&actions, lifeline, 0) ||
	     posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) ||
	     posix_spawn_file_actions_adddup2(&actions, 1, 2) ||
	     posix_spawn_file_actions_addclosefrom_np(&actions, 3) ||
	     posix_spawnattr_setsigdefault(&attr, &all) ||
	     posix_spawnattr_setsigmask(&attr, &none) ||
	     posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
						     POSIX_SPAWN_SETSIGMASK) ||
	     posix_spawn(&guard->pid, "/bin/sh", &actions, &attr, argv, env);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc ? -1 : 0;
}

void guard_start(struct guard *guard, pid_t group, int64_t grace_ms, const char *remove)
{
	char group_text[16], grace_text[24];
	int fds[2];

	guard->pid = guard->fd = -1;
	if (pipe2(fds, O_CLOEXEC))
		return;
	(void)snprintf(group_text, sizeof(group_text), "%d", (int)group);
	(void)snprintf(grace_text, sizeof(grace_text), "%lld", (long long)(grace_ms + 999) / 1000);
	guard->fd = fds[1];
	if (spawn(guard, fds[0], group_text, grace_text, remove ? remove : "")) {
		guard->pid = -1;
		guard_end(guard);
	}
	(void)close(fds[0]);
}

void guard_end(struct guard *guard)
{
	if (guard->pid > 0) {
		(void)kill(guard->pid, SIGKILL);
		while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (guard->fd >= 0)
		(void)close(guard->fd);
	guard->pid = guard->fd = -1;
}
