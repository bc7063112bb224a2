/* SPDX-License-Identifier: PostgreSQL */
/* Servers that misbehave: each a process of its own, which takes one connection after the other. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/net/suites.h"

#define SLOW_BYTE_NS 50000000L
#define RECORD_SIZE  16384

static void put(int fd, const void *data, size_t len)
{
	if (send(fd, data, len, MSG_NOSIGNAL) < 0)
		(void)close(fd);
}

static void slow(int fd)
{
	/* a handshake record of 16 KiB with a ServerHello in it that never ends */
	static const unsigned char head[] = {22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc, 3, 3};
	struct timespec pause = {0, SLOW_BYTE_NS};
	unsigned char byte = 7;

	for (size_t i = 0;; i++) {
		if (send(fd, i < sizeof(head) ? head + i : &byte, 1, MSG_NOSIGNAL) < 0)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

/* ChangeCipherSpec records are to be ignored in TLS 1.3: they may come without an end. */
static void flood(int fd)
{
	static unsigned char records[RECORD_SIZE];

	for (size_t i = 0; i + 6 <= sizeof(records); i += 6)
		memcpy(records + i, (const unsigned char[]){20, 3, 3, 0, 1, 1}, 6);
	while (send(fd, records, sizeof(records) / 6 * 6, MSG_NOSIGNAL) > 0)
		;
}

static void serve(int fd, enum listener_kind kind)
{
	static const char garbage[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	static const char s_garbage[] = "SHTTP/1.1 400 Bad Request\r\n\r\n";
	static const unsigned char error[] = "E\0\0\0\x2eSFATAL\0C53300\0Msorry, too many \x1b[2J"
					     "clients\0";
	static const char old_error[] = "Ecould not fork new process\n";
	struct linger reset = {1, 0};
	char request[1024];

	if (kind != LISTENER_SILENT && recv(fd, request, sizeof(request), 0) < 0)
		return;
	switch (kind) {
	case LISTENER_SILENT:
		(void)pause();
		break;
	case LISTENER_NO_TLS:
		put(fd, "N", 1);
		break;
	case LISTENER_GARBAGE:
		put(fd, garbage, sizeof(garbage) - 1);
		break;
	case LISTENER_CLOSE:
		break;
	case LISTENER_RESET:
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		break;
	case LISTENER_ERROR:
		put(fd, error, sizeof(error));
		break;
	case LISTENER_OLD_ERROR:
		put(fd, old_error, sizeof(old_error));
		break;
	case LISTENER_S_GARBAGE:
		put(fd, s_garbage, sizeof(s_garbage) - 1);
		(void)recv(fd, request, sizeof(request), 0);
		break;
	case LISTENER_S_SILENT:
		put(fd, "S", 1);
		(void)pause();
		break;
	case LISTENER_S_CLOSE:
		put(fd, "S", 1);
		(void)recv(fd, request, sizeof(request), 0);
		break;
	case LISTENER_SLOW:
		put(fd, "S", 1);
		slow(fd);
		break;
	case LISTENER_FLOOD:
		put(fd, "S", 1);
		flood(fd);
		break;
	case LISTENER__MAX:
		break;
	}
}

unsigned listener_start(enum listener_kind kind)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(fd, 128), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			int peer = accept(fd, NULL, NULL);

			if (peer < 0)
				_exit(1);
			serve(peer, kind);
			(void)close(peer);
		}
	}
	(void)close(fd);
	return ntohs(addr.sin_port);
}
