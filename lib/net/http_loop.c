/* SPDX-License-Identifier: PostgreSQL */
/* libcurl's sockets and timer in our loop: curl_multi_socket_action(3). */
#include <stdlib.h>

#include "net/http_impl.h"

#define NAMES_MS 60000 /* as long as libcurl would remember an address */

/* Tells libcurl that something happened; what has ended is taken by finished(). */
static void act(struct http *http, curl_socket_t fd, int events)
{
	int running;

	if (http->curl->multi_socket_action(http->multi, fd, events, &running))
		http->lost = true;
}

static void on_socket(struct loop_fd *watch, unsigned events, void *ctx)
{
	struct http_socket *socket = ctx;
	int mask = (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
		   (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0) |
		   (events & LOOP_HANGUP ? CURL_CSELECT_ERR : 0);

	act(socket->http, watch->fd, mask);
}

static void on_timer(struct loop_timer *timer, void *ctx)
{
	(void)timer;
	act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long ms, void *ctx)
{
	struct http *http = ctx;

	(void)multi;
	if (ms < 0)
		loop_timer_del(&http->timer);
	else
		loop_timer_set(http->loop, &http->timer, ms, on_timer, http);
	return 0;
}

static void forget(struct http_socket *socket)
{
	struct http *http = socket->http;

	loop_fd_del(&socket->watch);
	if (socket->next)
		socket->next->prev = socket->prev;
	if (socket->prev)
		socket->prev->next = socket->next;
	else
		http->sockets = socket->next;
	free(socket);
}

static struct http_socket *remember(struct http *http)
{
	struct http_socket *socket = calloc(1, sizeof(*socket));

	if (!socket)
		return NULL;
	socket->http = http;
	socket->next = http->sockets;
	if (http->sockets)
		http->sockets->prev = socket;
	http->sockets = socket;
	return socket;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http *http = ctx;
	struct http_socket *socket = socket_ctx;
	unsigned events = what == CURL_POLL_IN	    ? LOOP_READ
			  : what == CURL_POLL_OUT   ? LOOP_WRITE
			  : what == CURL_POLL_INOUT ? LOOP_READ | LOOP_WRITE
						    : 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (socket)
			forget(socket);
		(void)http->curl->multi_assign(http->multi, fd, NULL);
		return 0;
	}
	if (!socket) {
		socket = remember(http);
		if (!socket || http->curl->multi_assign(http->multi, fd, socket)) {
			(void)err_nomem(NULL);
			http->lost = true;
			return 0;
		}
	}
	if (loop_fd_set(http->loop, &socket->watch, fd, events, on_socket, socket, NULL))
		http->lost = true;
	return 0;
}

int http_loop_init(struct http *http, struct err *err)
{
	const struct curl *curl = http->curl;
	int rc = loop_new(&http->loop, http->options.sys, http->options.stop, err);

	if (rc)
		return rc;
	http->multi = curl->multi_init();
	if (!http->multi)
		return err_nomem(err);
	if (curl->multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, set_socket) ||
	    curl->multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) ||
	    curl->multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer) ||
	    curl->multi_setopt(http->multi, CURLMOPT_TIMERDATA, http))
		return err_set(err, ERR_FAIL, "cannot set libcurl up");
	return 0;
}

void http_loop_release(struct http *http)
{
	if (http->multi)
		(void)http->curl->multi_cleanup(http->multi);
	for (struct http_socket *socket = http->sockets, *next; socket; socket = next) {
		next = socket->next;
		forget(socket);
	}
	loop_timer_del(&http->timer);
	resolved_release(&http->names);
	loop_free(http->loop);
}

/* Whether the transfer has ended; its code is kept. */
static bool finished(void *ctx)
{
	struct http_hop *hop = ctx;
	const CURLMsg *message;
	int left;

	while ((message = hop->http->curl->multi_info_read(hop->http->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		hop->done = true;
		hop->code = message->data.result;
	}
	return hop->done || hop->stopped || hop->http->lost;
}

static void on_stop(struct loop_stopper *stopper, int count, void *ctx)
{
	struct http_hop *hop = ctx;

	(void)stopper;
	(void)count;
	hop->stopped = true;
}

int http_loop_run(struct http_hop *hop, struct err *err)
{
	struct http *http = hop->http;
	int64_t left = hop->until - loop_now(http->loop);
	int rc = 0;

	if (http->curl->multi_add_handle(http->multi, http->easy))
		return err_nomem(err);
	loop_on_stop(http->loop, &hop->stopper, on_stop, hop);
	rc = loop_run(http->loop, finished, hop, left > 0 ? left : 0, err);
	loop_off_stop(&hop->stopper);
	hop->timed_out = rc == LOOP_TIMEOUT;
	return rc == LOOP_TIMEOUT ? 0 : rc;
}

static bool was_stopped(void *ctx)
{
	return *(bool *)ctx;
}

static void note_stop(struct loop_stopper *stopper, int count, void *ctx)
{
	(void)stopper;
	(void)count;
	*(bool *)ctx = true;
}

int http_loop_wait(struct http *http, int64_t ms, struct err *err)
{
	struct loop_stopper stopper = {0};
	bool stopped = false;
	int rc;

	if (http->options.wait)
		return http->options.wait(http->options.wait_ctx, ms, err);
	loop_on_stop(http->loop, &stopper, note_stop, &stopped);
	rc = loop_run(http->loop, was_stopped, &stopped, ms, err);
	loop_off_stop(&stopper);
	if (stopped)
		return err_set(err, ERR_STOPPED, "stopped as asked");
	return rc == LOOP_TIMEOUT ? 0 : rc;
}

int http_loop_names(struct http *http, const struct strs *names, int64_t ms, struct err *err)
{
	bool known = http->names_there && loop_now(http->loop) - http->names_at < NAMES_MS;
	int rc;

	for (size_t i = 0; i < names->count && known; i++) {
		const struct resolved_name *name = resolved_find(&http->names, names->items[i]);

		known = name && name->count;
	}
	if (known)
		return 0;
	resolved_release(&http->names);
	rc = resolve_names(&http->names, http->loop, names, ms, err);
	http->names_there = !rc;
	http->names_at = loop_now(http->loop);
	return rc;
}
