/* SPDX-License-Identifier: PostgreSQL */
/*
 * Runs a command and says what it took, with all its children that it waited for:
 *
 *   timed FILE COMMAND [ARGUMENT...]      FILE gets "WALL USER SYSTEM PEAK" (seconds, KiB)
 *
 * A program as small as this one: the peak of a process begins with that of who started it, and a
 * runner in Python would give every command 20 MB (getrusage(2), ru_maxrss).
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double began, took;
	int status, rc;
	FILE *file;
	pid_t pid;

	if (argc < 3)
		return 2;
	began = now();
	rc = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
	if (rc) {
		(void)fprintf(stderr, "timed: %s: %s\n", argv[2], strerror(rc));
		return 127;
	}
	while (wait4(pid, &status, 0, &usage) < 0) {
		if (errno != EINTR)
			return 1;
	}
	took = now() - began;
	file = fopen(argv[1], "w");
	if (!file ||
	    fprintf(file, "%.6f %.6f %.6f %ld\n", took, seconds(usage.ru_utime),
		    seconds(usage.ru_stime), usage.ru_maxrss) < 0 ||
	    fclose(file)) {
		(void)fprintf(stderr, "timed: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
