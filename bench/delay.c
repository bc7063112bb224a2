/* SPDX-License-Identifier: PostgreSQL */
/*
 * A link between two network namespaces whose way back takes time: a TUN device "e0" in each (see
 * tun_tap in the kernel's documentation), and packets carried between them. Kernels without
 * netem, as those of small virtual machines and containers, can measure with it as well.
 *
 *   delay CLIENT SERVERS MS   packets from SERVERS to CLIENT are held that long; until it is ended
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX 2048
#define HELD_MAX   16384 /* packets on their way: 32 MiB; further ones are lost, as on a link */

struct packet {
	long long due_us;
	ssize_t len;
	unsigned char data[PACKET_MAX];
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* The device belongs to the namespace in which it is made; its descriptor works from anywhere. */
static int open_tun(const char *namespace)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	char path[256];
	int space, fd;

	(void)snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	space = open(path, O_RDONLY | O_CLOEXEC);
	if (space < 0 || setns(space, CLONE_NEWNET) < 0)
		fail(path);
	(void)close(space);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	(void)strcpy(request.ifr_name, "e0");
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		fail("/dev/net/tun");
	return fd;
}

static void carry(int from, int to)
{
	unsigned char data[PACKET_MAX];
	ssize_t len;

	while ((len = read(from, data, sizeof(data))) > 0)
		(void)!write(to, data, (size_t)len);
}

int main(int argc, char **argv)
{
	static struct packet held[HELD_MAX];
	size_t first = 0, count = 0;
	struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
	long long delay_us;
	char *end;

	if (argc != 4)
		return 2;
	delay_us = strtol(argv[3], &end, 10) * 1000LL;
	if (*end || delay_us < 0)
		return 2;
	fds[0].fd = open_tun(argv[1]);
	fds[1].fd = open_tun(argv[2]);
	(void)puts("ready");
	(void)fflush(stdout);
	for (;;) {
		long long wait = count ? held[first].due_us - now_us() : 1000000;
		struct timespec timeout = {0, wait > 0 ? wait % 1000000 * 1000 : 0};

		if (ppoll(fds, 2, wait >= 1000000 ? NULL : &timeout, NULL) < 0 && errno != EINTR)
			fail("poll");
		carry(fds[0].fd, fds[1].fd);
		while (count < HELD_MAX) {
			struct packet *packet = &held[(first + count) % HELD_MAX];

			packet->len = read(fds[1].fd, packet->data, sizeof(packet->data));
			if (packet->len <= 0)
				break;
			packet->due_us = now_us() + delay_us;
			count++;
		}
		for (; count && held[first].due_us <= now_us(); count--) {
			(void)!write(fds[0].fd, held[first].data, (size_t)held[first].len);
			first = (first + 1) % HELD_MAX;
		}
	}
}
