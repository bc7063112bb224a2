/* SPDX-License-Identifier: PostgreSQL */
/*
 * Addresses of endpoints. A numeric address (also "fe80::1%eth0") needs no look-up. Names are
 * looked up all at once with getaddrinfo_a(3), whose threads belong to the C library: each name is
 * asked for once however often it is listed, and a resolver that hangs costs no more than the
 * deadline (its request is left to the library then, which keeps the few bytes of it). Nothing of
 * ours runs outside the loop's thread.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/err.h"
#include "base/strs.h"
#include "proc/loop.h"

#define RESOLVE_ADDRESSES_MAX 16 /* of one name; more are left out */
#define RESOLVE_TEXT_SIZE     80

struct net_address {
	struct sockaddr_storage addr; /* port 0: net_address_port sets it */
	socklen_t len;
	char text[RESOLVE_TEXT_SIZE]; /* "10.0.4.42", "::1" */
};

struct resolved_name {
	char *name;
	struct net_address *addresses; /* without duplicates, as the system orders them */
	size_t count;
	char *error; /* where count is 0: "name or service not known", "no answer within 5 s" */
};

struct resolved {
	struct resolved_name *items;
	size_t count;
	struct strmap index;
};

/*
 * Looks all the names up. 0 also where some were not found (see error); ERR_STOPPED on a stop
 * request; ERR_FAIL without memory. * *out is overwritten; resolved_release it after success.
 */
int resolve_names(struct resolved *out, struct loop *loop, const struct strs *names,
		  int64_t deadline_ms, struct err *err);
/* NULL where it was not asked for. */
const struct resolved_name *resolved_find(const struct resolved *resolved, const char *name);
void resolved_release(struct resolved *resolved);

/* A literal address alone: ERR_NOENT where the text is none. */
int net_address_parse(struct net_address *out, const char *text, struct err *err);
void net_address_port(struct net_address *address, unsigned port);

#endif
