/* SPDX-License-Identifier: PostgreSQL */
#include "state/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define LOCK_TEXT_MAX 1024

static int held(int fd, const char *path, struct err *err)
{
	char text[LOCK_TEXT_MAX] = "";
	struct buf safe;
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	buf_init(&safe, sizeof(text) * 4);
	if (got > 0) {
		text[strcspn(text, "\n")] = '\0';
		buf_add_safe(&safe, text, strlen(text));
	}
	err_set(err, ERR_LOCK, "another certrotate is at work on this environment: %s",
		safe.len ? safe.data : "it has not said who it is");
	err_hint(err, "wait for it to end; the lock (%s) goes with its process", path);
	buf_release(&safe);
	return ERR_LOCK;
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
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return err_set(err, ERR_FAIL, "%s is no lock but another kind of file", path);
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		rc = errno == EWOULDBLOCK ? held(fd, path, err)
					  : err_sys(err, errno, "cannot lock %s", path);
		(void)close(fd);
		return rc;
	}
	(void)gethostname(host, sizeof(host) - 1);
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
