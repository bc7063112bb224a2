/* SPDX-License-Identifier: PostgreSQL */
#include "tests/faults/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES_MAX 64
#define STACKS_MAX ((size_t)1 << 18)

extern char __executable_start[], etext[];

static struct {
	atomic_long count;
	long fail_at;
	atomic_bool failed;
	bool listing;
	int out;
	pid_t pid;
} alloc;

/* Open addressing: the call stacks that were seen. */
static uint64_t seen[STACKS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool busy;

void alloc_fail_at(long number)
{
	alloc.fail_at = number;
	alloc.count = 0;
	alloc.failed = false;
}

long alloc_count(void)
{
	return alloc.count;
}

bool alloc_failed(void)
{
	return alloc.failed;
}

/* ---- call stacks */

/* Only our own frames: those of libraries say nothing. */
static size_t own_frames(uintptr_t frames[FRAMES_MAX])
{
	void *all[FRAMES_MAX];
	int got = backtrace(all, FRAMES_MAX);
	size_t count = 0;

	/* from 3 on: this function's, its caller's and the wrapper's are the same for all */
	for (int i = 3; i < got; i++) {
		uintptr_t at = (uintptr_t)all[i];

		if (at >= (uintptr_t)__executable_start && at < (uintptr_t)etext)
			frames[count++] = at - (uintptr_t)__executable_start;
	}
	return count;
}

static bool is_new(const uintptr_t *frames, size_t count)
{
	uint64_t hash = 14695981039346656037ULL;
	size_t at;

	for (size_t i = 0; i < count; i++)
		hash = (hash ^ frames[i]) * 1099511628211ULL;
	hash |= 1;
	for (at = hash % STACKS_MAX; seen[at] && seen[at] != hash; at = (at + 1) % STACKS_MAX)
		;
	if (seen[at])
		return false;
	seen[at] = hash;
	return true;
}

static void say(long number, const uintptr_t *frames, size_t count)
{
	char line[FRAMES_MAX * 12 + 32];
	size_t used = (size_t)snprintf(line, sizeof(line), "%ld", number);

	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, " %lx",
					 (unsigned long)frames[i]);
	line[used++] = '\n';
	(void)!write(alloc.out, line, used);
}

static void look(long number, bool always)
{
	uintptr_t frames[FRAMES_MAX];
	size_t count;

	if (busy)
		return;
	busy = true;
	count = own_frames(frames);
	(void)pthread_mutex_lock(&lock);
	if (always || is_new(frames, count))
		say(number, frames, count);
	(void)pthread_mutex_unlock(&lock);
	busy = false;
}

__attribute__((noinline)) static bool fails(void)
{
	long number;

	if (busy || (alloc.pid && getpid() != alloc.pid))
		return false;
	number = ++alloc.count;
	if (alloc.listing)
		look(number, false);
	if (!alloc.fail_at || number != alloc.fail_at)
		return false;
	alloc.failed = true;
	if (alloc.out >= 0)
		look(number, true);
	errno = ENOMEM;
	return true;
}

static void end_list(void)
{
	if (getpid() == alloc.pid)
		(void)dprintf(alloc.out, "total %ld\n", alloc.count);
}

/* What a program is told by its environment. No child is to hear of it. */
__attribute__((constructor)) static void begin(void)
{
	const char *how = getenv("CERTROTATE_ALLOC");
	const char *path = how;

	alloc.out = -1;
	if (!how)
		return;
	alloc.pid = getpid();
	if (!strncmp(how, "list:", 5)) {
		path += 5;
	} else if (!strncmp(how, "fail:", 5)) {
		char *end;

		alloc.fail_at = strtol(how + 5, &end, 10);
		path = end + 1;
	}
	alloc.out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (alloc.out < 0) {
		perror(path);
		_exit(125);
	}
	alloc.listing = !alloc.fail_at;
	if (alloc.listing)
		(void)atexit(end_list);
	(void)unsetenv("CERTROTATE_ALLOC");
}

/* ---- what is called instead (ld(1), --wrap): reserved names are how it is done */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#define WRAP(type, name, failure, parameters, ...)                                                 \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		return fails() ? (failure) : __real_##name(__VA_ARGS__);                           \
	}

WRAP(void *, malloc, NULL, (size_t size), size)
WRAP(void *, calloc, NULL, (size_t count, size_t size), count, size)
WRAP(void *, realloc, NULL, (void *at, size_t size), at, size)
WRAP(void *, reallocarray, NULL, (void *at, size_t count, size_t size), at, count, size)
WRAP(char *, strdup, NULL, (const char *text), text)
WRAP(char *, strndup, NULL, (const char *text, size_t len), text, len)
WRAP(int, vasprintf, -1, (char **out, const char *fmt, va_list ap), out, fmt, ap)
WRAP(int, __vasprintf_chk, -1, (char **out, int flag, const char *fmt, va_list ap), out, flag, fmt,
     ap)
WRAP(DIR *, opendir, NULL, (const char *path), path)
WRAP(DIR *, fdopendir, NULL, (int fd), fd)
WRAP(void *, mmap, MAP_FAILED,
     (void *at, size_t len, int protection, int flags, int fd, off_t offset), at, len, protection,
     flags, fd, offset)
WRAP(int, regcomp, REG_ESPACE, (regex_t * out, const char *pattern, int flags), out, pattern, flags)
WRAP(int, pthread_create, EAGAIN,
     (pthread_t * out, const pthread_attr_t *attributes, void *(*run)(void *), void *argument), out,
     attributes, run, argument)
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
