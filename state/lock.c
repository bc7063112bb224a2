/* SPDX-License-Identifier: PostgreSQL */
#include "state/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/strs.h"

#define LOCK_TEXT_MAX 1024
#define TRIES	      10

/* The lock's text: "NAME <MAIL> on HOST, process 4711, since 2026-11-21T01:30:00Z". */
static void read_text(char text[LOCK_TEXT_MAX], int fd)
{
	ssize_t got = pread(fd, text, LOCK_TEXT_MAX - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* The holder's process, where it is one of this machine; else 0. */
static pid_t holder(const char *text, const char *host)
{
	const char *at = strstr(text, " on ");
	char *end = NULL;
	long pid;

	/* A name may hold " on " as well: the last one counts. */
	for (const char *next = at; next; next = strstr(next + 1, " on "))
		at = next;
	if (!at || strncmp(at + 4, host, strlen(host)) != 0 ||
	    !str_starts(at + 4 + strlen(host), ", process "))
		return 0;
	pid = strtol(at + 4 + strlen(host) + strlen(", process "), &end, 10);
	return pid > 0 && pid <= INT_MAX && *end == ',' ? (pid_t)pid : 0;
}

/*
 * A child of a killed holder keeps the lock until it runs its program: for moments, in which its
 * holder is dead already.
 */
static bool dies(int fd, const char *host)
{
	char text[LOCK_TEXT_MAX];
	pid_t pid;

	read_text(text, fd);
	pid = holder(text, host);
	return pid && kill(pid, 0) < 0 && errno == ESRCH;
}

static int take(int fd, const char *host)
{
	const struct timespec moment = {.tv_nsec = 100000000};
	int got = flock(fd, LOCK_EX | LOCK_NB);

	for (int i = 0; i < TRIES && got < 0 && errno == EWOULDBLOCK && dies(fd, host); i++) {
		(void)nanosleep(&moment, NULL);
		got = flock(fd, LOCK_EX | LOCK_NB);
	}
	return got;
}

static int held(int fd, const char *path, struct err *err)
{
	char text[LOCK_TEXT_MAX];
	struct buf safe;

	buf_init(&safe, sizeof(text) * 4);
	read_text(text, fd);
	buf_add_safe(&safe, text, strlen(text));
	err_set(err, ERR_LOCK, "another certrotate is at work on this environment: %s",
		safe.len ? safe.data : "it has not said who it is");
	err_hint(err, "wait for it to end; the lock (%s) goes with its process", path);
	buf_release(&safe);
	return ERR_LOCK;
}

static int not_locked(int fd, const char *path, struct err *err)
{
	int error = errno, rc;

	if (error == EWOULDBLOCK)
		return held(fd, path, err);
	rc = err_sys(err, error, "cannot lock %s", path);
	if (error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS)
		err_hint(err, "the file system that the clone is on has no locks, and without one "
			      "two would work at once: use a clone on a local disk");
	return rc;
}

int lock_take(const char *path, const char *who, struct sys *sys, struct err *err)
{
	char since[SYS_TIME_SIZE], host[256] = "";
	struct buf text;
	int rc = 0;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return err_sys(err, errno, "cannot open the lock %s", path);
	if (fstat(fd, &st) < 0) {
		rc = err_sys(err, errno, "cannot look at the lock %s", path);
		(void)close(fd);
		return rc;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)close(fd);
		return err_set(err, ERR_FAIL, "%s is no lock but another kind of file", path);
	}
	(void)gethostname(host, sizeof(host) - 1);
	if (take(fd, host) < 0) {
		rc = not_locked(fd, path, err);
		(void)close(fd);
		return rc;
	}
	sys_time_text(sys->now(sys), since);
	buf_init(&text, LOCK_TEXT_MAX);
	buf_addf(&text, "%s on %s, process %ld, since %s\n", who, host, (long)getpid(), since);
	if (ftruncate(fd, 0) < 0)
		rc = err_sys(err, errno, "cannot write %s", path);
	if (!rc)
		rc = file_write_all(fd, text.data, text.len, path, err);
	buf_release(&text);
	if (rc) {
		(void)close(fd);
		return rc;
	}
	return fd;
}
