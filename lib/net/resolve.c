/* SPDX-License-Identifier: PostgreSQL */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN	253 /* RFC 1035, section 2.3.4, without the dots' overhead */
#define FIRST_POLL_MS	1
#define SLOWEST_POLL_MS 20

/* Handed to the C library while it looks the name up: freed only when it has given it back. */
struct lookup {
	struct gaicb request;
	struct addrinfo hints;
	char name[NAME_MAX_LEN + 1];
};

struct round {
	struct resolved *out;
	struct lookup **lookups; /* by the index of the name; NULL where none is under way */
	size_t pending;
	int64_t poll_ms;
	bool stopped;
	struct loop *loop;
	struct loop_timer timer;
	struct loop_stopper stopper;
	int rc;
	struct err *err;
};

static void fill_address(struct net_address *out, const struct sockaddr *addr, socklen_t len)
{
	memset(out, 0, sizeof(*out));
	memcpy(&out->addr, addr, len);
	out->len = len;
	if (getnameinfo(addr, len, out->text, sizeof(out->text), NULL, 0, NI_NUMERICHOST) != 0)
		(void)snprintf(out->text, sizeof(out->text), "?");
}

int net_address_parse(struct net_address *out, const char *text, struct err *err)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	unsigned char v4[4];
	bool v6 = strchr(text, ':') != NULL;

	/* inet_aton's short forms ("10.1") are more likely a slip than an address */
	if ((!v6 && inet_pton(AF_INET, text, v4) != 1) ||
	    getaddrinfo(text, NULL, &hints, &list) != 0)
		return err_set(err, ERR_NOENT, "%s is not an address", text);
	fill_address(out, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}

void net_address_port(struct net_address *address, unsigned port)
{
	struct sockaddr *addr = (struct sockaddr *)&address->addr;

	if (addr->sa_family == AF_INET6)
		((struct sockaddr_in6 *)&address->addr)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)&address->addr)->sin_port = htons((uint16_t)port);
}

static bool has_address(const struct resolved_name *item, const struct net_address *address)
{
	for (size_t i = 0; i < item->count; i++) {
		if (!strcmp(item->addresses[i].text, address->text))
			return true;
	}
	return false;
}

static int keep_addresses(struct resolved_name *item, const struct addrinfo *list, struct err *err)
{
	item->addresses = calloc(RESOLVE_ADDRESSES_MAX, sizeof(*item->addresses));
	if (!item->addresses)
		return err_nomem(err);
	for (; list && item->count < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
		struct net_address *address = &item->addresses[item->count];

		if (list->ai_family != AF_INET && list->ai_family != AF_INET6)
			continue;
		fill_address(address, list->ai_addr, list->ai_addrlen);
		if (!has_address(item, address))
			item->count++;
	}
	return 0;
}

static int keep_error(struct resolved_name *item, const char *text, struct err *err)
{
	item->error = strdup(text);
	if (!item->error)
		return err_nomem(err);
	/* the C library's texts begin with a capital: ours do not */
	item->error[0] = (char)tolower((unsigned char)item->error[0]);
	return 0;
}

static int keep_answer(struct resolved_name *item, struct lookup *lookup, int answer,
		       struct err *err)
{
	int rc = 0;

	if (answer == 0)
		rc = keep_addresses(item, lookup->request.ar_result, err);
	if (!rc && !item->count)
		rc = keep_error(item, answer ? gai_strerror(answer) : "name has no address", err);
	if (lookup->request.ar_result)
		freeaddrinfo(lookup->request.ar_result);
	free(lookup);
	return rc;
}

static void poll_answers(struct loop_timer *timer, void *ctx)
{
	struct round *round = ctx;

	for (size_t i = 0; i < round->out->count; i++) {
		struct lookup *lookup = round->lookups[i];
		int answer = lookup ? gai_error(&lookup->request) : EAI_INPROGRESS;

		if (answer == EAI_INPROGRESS)
			continue;
		round->lookups[i] = NULL;
		round->pending--;
		if (!round->rc)
			round->rc = keep_answer(&round->out->items[i], lookup, answer, round->err);
	}
	round->poll_ms = round->poll_ms * 2 > SLOWEST_POLL_MS ? SLOWEST_POLL_MS
							      : round->poll_ms * 2;
	if (round->pending)
		loop_timer_set(round->loop, timer, round->poll_ms, poll_answers, round);
}

static void stop(struct loop_stopper *stopper, int count, void *ctx)
{
	struct round *round = ctx;

	(void)stopper;
	(void)count;
	round->stopped = true;
}

static bool over(void *ctx)
{
	struct round *round = ctx;

	return !round->pending || round->stopped || round->rc != 0;
}

/* Literal addresses and what cannot be a host name get their answer here. */
static int settle_at_once(struct resolved_name *item, bool *settled, struct err *err)
{
	struct net_address address;
	size_t len = strlen(item->name);

	*settled = true;
	if (net_address_parse(&address, item->name, NULL) == 0) {
		item->addresses = malloc(sizeof(address));
		if (!item->addresses)
			return err_nomem(err);
		item->addresses[0] = address;
		item->count = 1;
		return 0;
	}
	if (!len || len > NAME_MAX_LEN || strpbrk(item->name, ":/ \t\r\n"))
		return keep_error(item, "not a host name or address", err);
	*settled = false;
	return 0;
}

static int ask(struct round *round, size_t index, struct err *err)
{
	struct resolved_name *item = &round->out->items[index];
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	struct gaicb *list[1];
	int rc;

	if (!lookup)
		return err_nomem(err);
	(void)snprintf(lookup->name, sizeof(lookup->name), "%s", item->name);
	lookup->hints.ai_socktype = SOCK_STREAM;
	lookup->request.ar_name = lookup->name;
	lookup->request.ar_request = &lookup->hints;
	list[0] = &lookup->request;
	rc = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	if (rc) {
		free(lookup);
		return keep_error(item, gai_strerror(rc), err);
	}
	round->lookups[index] = lookup;
	round->pending++;
	return 0;
}

/* What is still under way: cancelled, or left to the library that is using it. */
static int give_up(struct round *round, int64_t deadline_ms, struct err *err)
{
	char text[64];
	int rc = 0;

	(void)snprintf(text, sizeof(text), "no answer within %.3g s", (double)deadline_ms / 1000);
	for (size_t i = 0; i < round->out->count; i++) {
		struct lookup *lookup = round->lookups[i];
		int answer;

		if (!lookup)
			continue;
		answer = gai_cancel(&lookup->request);
		if (answer == EAI_ALLDONE) {
			if (lookup->request.ar_result)
				freeaddrinfo(lookup->request.ar_result);
		}
		if (answer != EAI_NOTCANCELED)
			free(lookup);
		if (!rc)
			rc = keep_error(&round->out->items[i], text, err);
	}
	return rc;
}

static int list_names(struct resolved *out, const struct strs *names, struct err *err)
{
	size_t seen;
	int rc = 0;

	out->items = calloc(names->count + 1, sizeof(*out->items));
	if (!out->items)
		return err_nomem(err);
	for (size_t i = 0; i < names->count && !rc; i++) {
		if (strmap_get(&out->index, names->items[i], &seen))
			continue;
		out->items[out->count].name = strdup(names->items[i]);
		if (!out->items[out->count].name) {
			(void)err_nomem(err);
			return ERR_FAIL;
		}
		rc = strmap_put(&out->index, names->items[i], out->count, err);
		out->count++;
	}
	return rc;
}

static int look_up(struct round *round, int64_t deadline_ms, struct err *err)
{
	int rc = 0;
	int late;

	for (size_t i = 0; i < round->out->count && !rc; i++) {
		bool settled;

		rc = settle_at_once(&round->out->items[i], &settled, err);
		if (!rc && !settled)
			rc = ask(round, i, err);
	}
	if (!rc && round->pending) {
		loop_on_stop(round->loop, &round->stopper, stop, round);
		loop_timer_set(round->loop, &round->timer, FIRST_POLL_MS, poll_answers, round);
		rc = loop_run(round->loop, over, round, deadline_ms, err);
		rc = rc == LOOP_TIMEOUT ? 0 : rc;
		loop_timer_del(&round->timer);
		loop_off_stop(&round->stopper);
	}
	late = give_up(round, deadline_ms, rc || round->rc ? NULL : err);
	if (!rc)
		rc = round->rc;
	if (!rc && round->stopped)
		rc = err_set(err, ERR_STOPPED, "stopped while names were looked up");
	return rc ? rc : late;
}

int resolve_names(struct resolved *out, struct loop *loop, const struct strs *names,
		  int64_t deadline_ms, struct err *err)
{
	struct round round = {.out = out, .loop = loop, .poll_ms = FIRST_POLL_MS, .err = err};
	int rc;

	*out = (struct resolved){0};
	if (!names->count)
		return 0;
	rc = list_names(out, names, err);
	if (!rc) {
		round.lookups = calloc(out->count + 1, sizeof(struct lookup *));
		rc = round.lookups ? look_up(&round, deadline_ms, err) : err_nomem(err);
	}
	free(round.lookups);
	if (rc)
		resolved_release(out);
	return rc;
}

const struct resolved_name *resolved_find(const struct resolved *resolved, const char *name)
{
	size_t index;

	return strmap_get(&resolved->index, name, &index) ? &resolved->items[index] : NULL;
}

void resolved_release(struct resolved *resolved)
{
	for (size_t i = 0; i < resolved->count; i++) {
		free(resolved->items[i].name);
		free(resolved->items[i].addresses);
		free(resolved->items[i].error);
	}
	free(resolved->items);
	strmap_release(&resolved->index);
	*resolved = (struct resolved){0};
}
