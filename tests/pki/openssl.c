/* SPDX-License-Identifier: PostgreSQL */
#include "tests/pki/suites.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int run_openssl(char *out, size_t size, const char *const *argv)
{
	size_t len = 0;
	int fds[2], status;
	ssize_t got;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)dup2(fds[1], STDERR_FILENO);
		(void)close(fds[0]);
		(void)close(fds[1]);
		(void)execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	(void)close(fds[1]);
	while (len < size - 1 && (got = read(fds[0], out + len, size - 1 - len)) != 0) {
		ck_assert(got > 0 || errno == EINTR);
		len += got > 0 ? (size_t)got : 0;
	}
	out[len] = '\0';
	(void)close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_msg(WEXITSTATUS(status) != 127, "the program openssl is missing (openssl)");
	return WEXITSTATUS(status);
}

char *write_certs(const char *name, struct cert *const *certs, size_t count)
{
	char *path = test_path(name);
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, BUF_TEXT_MAX);
	for (size_t i = 0; i < count; i++)
		ck_ok(cert_to_pem(&buf, certs[i], &err), &err);
	test_write(path, buf.data);
	buf_release(&buf);
	return path;
}
