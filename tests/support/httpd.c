/* SPDX-License-Identifier: PostgreSQL */
#include "tests/support/httpd.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define PROGRAM	     "tests/support/httpd.py"
#define WAIT_MS	     30000
#define POLL_MS	     5
#define REQUESTS_MAX ((size_t)64 << 20)

static void path_of(const struct httpd *httpd, const char *name, char out[128])
{
	(void)snprintf(out, 128, "%s/%s", httpd->dir, name);
}

static int spawn(struct httpd *httpd, int input, struct err *err)
{
	char python[] = "/usr/bin/python3", warnings[] = "-Wignore", program[] = PROGRAM;
	char *argv[] = {python, warnings, program, httpd->dir, NULL};
	posix_spawn_file_actions_t actions;
	int rc;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, input, 0);
	rc = posix_spawn(&httpd->pid, python, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc ? err_sys(err, rc, "cannot start " PROGRAM) : 0;
}

static void take_port(struct httpd *httpd, const char *line)
{
	const struct {
		const char *name;
		unsigned *port;
	} ports[] = {
		{"good", &httpd->good},	    {"untrusted", &httpd->untrusted},
		{"name", &httpd->name},	    {"expired", &httpd->expired},
		{"old", &httpd->old},	    {"plain", &httpd->plain},
		{"silent", &httpd->silent}, {"proxy", &httpd->proxy},
	};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		size_t len = strlen(ports[i].name);

		if (!strncmp(line, ports[i].name, len) && line[len] == '=')
			*ports[i].port = (unsigned)strtoul(line + len + 1, NULL, 10);
	}
}

/* Until it serves. */
static int await_ports(struct httpd *httpd, struct err *err)
{
	struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	struct buf text;
	char path[128];
	int rc = ERR_NOENT;

	path_of(httpd, "ports", path);
	buf_init(&text, 4096);
	for (int ms = 0; rc && ms < WAIT_MS; ms += POLL_MS) {
		if (waitpid(httpd->pid, NULL, WNOHANG) == httpd->pid) {
			httpd->pid = 0;
			break;
		}
		rc = file_read(&text, path, 4096, NULL);
		if (rc)
			(void)nanosleep(&pause, NULL);
	}
	for (const char *line = text.data; !rc && *line; line += strcspn(line, "\n") + 1)
		take_port(httpd, line);
	buf_release(&text);
	return rc ? err_set(err, ERR_FAIL,
			    PROGRAM " does not start (it needs python3 and python3-cryptography)")
		  : 0;
}

int httpd_start(struct httpd *httpd, struct err *err)
{
	char dir[] = "/tmp/certrotate-httpd-XXXXXX";
	int fds[2], rc;

	*httpd = (struct httpd){.lifeline = -1};
	if (!mkdtemp(dir))
		return err_sys(err, errno, "cannot make a folder in /tmp");
	(void)snprintf(httpd->dir, sizeof(httpd->dir), "%s", dir);
	(void)snprintf(httpd->ca_file, sizeof(httpd->ca_file), "%s/ca.pem", dir);
	if (pipe2(fds, O_CLOEXEC))
		return err_sys(err, errno, "cannot make a pipe");
	httpd->lifeline = fds[1];
	rc = spawn(httpd, fds[0], err);
	(void)close(fds[0]);
	rc = rc ? rc : await_ports(httpd, err);
	if (rc)
		httpd_stop(httpd);
	return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void httpd_stop(struct httpd *httpd)
{
	if (httpd->pid > 0) {
		(void)kill(httpd->pid, SIGKILL);
		while (waitpid(httpd->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (httpd->lifeline >= 0)
		(void)close(httpd->lifeline);
	if (httpd->dir[0])
		(void)nftw(httpd->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	*httpd = (struct httpd){.lifeline = -1};
}

void httpd_script(const struct httpd *httpd, const char *routes)
{
	struct buf text;
	struct err err;
	char path[128];

	path_of(httpd, "requests", path);
	ck_assert(!unlink(path) || errno == ENOENT);
	path_of(httpd, "script", path);
	buf_init(&text, REQUESTS_MAX);
	buf_addf(&text, "{\"routes\": %s}", routes);
	ck_assert_msg(!file_replace(path, NULL, text.data, text.len, 0600, &err), "%s", err.msg);
	buf_release(&text);
}

struct json *httpd_requests(const struct httpd *httpd)
{
	struct json *list = js_new_array(), *one;
	struct buf text;
	struct err err;
	char path[128];

	path_of(httpd, "requests", path);
	buf_init(&text, REQUESTS_MAX);
	(void)file_read(&text, path, REQUESTS_MAX, NULL);
	for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1) {
		ck_assert_msg(!js_parse(&one, line, strcspn(line, "\n"), path, &err), "%s",
			      err.msg);
		ck_assert(!js_push(list, one));
	}
	buf_release(&text);
	return list;
}
