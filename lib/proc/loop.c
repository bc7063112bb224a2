/* SPDX-License-Identifier: PostgreSQL */
#include "proc/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proc/timers.h"

#define BATCH	     64
#define ROUND_MS_MAX 3600000
#define DELAY_MAX    ((int64_t)1 << 53)

struct loop {
	int epoll;
	struct sys *sys;
	struct loop_stop *stop;
	struct loop_stop own_stop;
	struct loop_timer *timers;
	uint64_t order;
	struct loop_stopper *stoppers;
	size_t watches;
	struct epoll_event batch[BATCH]; /* those still to be told: [at, count) */
	int at, count;
	bool quit;
};

int loop_stop_init(struct loop_stop *stop, struct err *err)
{
	atomic_init(&stop->count, 0);
	atomic_init(&stop->finishing, NULL);
	stop->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return stop->fd < 0 ? err_sys(err, errno, "cannot make an eventfd") : 0;
}

void loop_stop_release(struct loop_stop *stop)
{
	if (stop->fd >= 0)
		(void)close(stop->fd);
	stop->fd = -1;
}

void loop_stop_request(struct loop_stop *stop)
{
	int saved = errno;
	uint64_t one = 1;

	atomic_fetch_add(&stop->count, 1);
	/* It can only fail where the eventfd is full: then every loop has been woken already. */
	if (write(stop->fd, &one, sizeof(one)) < 0)
		errno = saved;
}

void loop_stop_finishing(struct loop_stop *stop, const char *what)
{
	if (stop)
		atomic_store(&stop->finishing, what);
}

int loop_stop_count(const struct loop_stop *stop)
{
	return stop ? atomic_load(&stop->count) : 0;
}

int loop_new(struct loop **out, struct sys *sys, struct loop_stop *stop, struct err *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int rc = 0;

	*out = NULL;
	if (!loop)
		return err_nomem(err);
	loop->sys = sys;
	loop->own_stop.fd = -1;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		rc = err_sys(err, errno, "cannot make an epoll instance");
		goto out;
	}
	if (!stop) {
		rc = loop_stop_init(&loop->own_stop, err);
		if (rc)
			goto out;
		stop = &loop->own_stop;
	}
	loop->stop = stop;
	/* Edge-triggered: nobody drains it, so that each loop sees each request. */
	event.data.ptr = NULL;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, stop->fd, &event)) {
		rc = err_sys(err, errno, "cannot watch for stop requests");
		goto out;
	}
	*out = loop;
	loop = NULL;
out:
	loop_free(loop);
	return rc;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->epoll >= 0)
		(void)close(loop->epoll);
	loop_stop_release(&loop->own_stop);
	free(loop);
}

void loop_request_stop(struct loop *loop)
{
	loop_stop_request(loop->stop);
}

bool loop_stopping(const struct loop *loop)
{
	return loop_stop_count(loop->stop) > 0;
}

int loop_stops(const struct loop *loop)
{
	return loop_stop_count(loop->stop);
}

int64_t loop_now(struct loop *loop)
{
	return loop->sys->mono_ms(loop->sys);
}

struct sys *loop_sys(struct loop *loop)
{
	return loop->sys;
}

void loop_quit(struct loop *loop)
{
	loop->quit = true;
}

static uint32_t to_epoll(unsigned events)
{
	return (events & LOOP_READ ? (uint32_t)EPOLLIN : 0U) |
	       (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0U);
}

int loop_fd_set(struct loop *loop, struct loop_fd *watch, int fd, unsigned events,
		void (*fn)(struct loop_fd *watch, unsigned events, void *ctx), void *ctx,
		struct err *err)
{
	struct epoll_event event = {.events = to_epoll(events)};
	bool known;

	if (watch->loop && (watch->loop != loop || watch->fd != fd))
		loop_fd_del(watch);
	known = watch->loop != NULL;
	event.data.ptr = watch;
	if (!known || to_epoll(watch->events) != event.events) {
		int op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
		int rc = epoll_ctl(loop->epoll, op, fd, &event);

		/* Somebody closed the number and got it again: the kernel forgot the old one. */
		if (rc && known && errno == ENOENT)
			rc = epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
		if (rc) {
			int saved = errno;

			loop_fd_del(watch);
			return err_sys(err, saved, "cannot watch descriptor %d", fd);
		}
	}
	if (!known)
		loop->watches++;
	watch->loop = loop;
	watch->fd = fd;
	watch->events = events & (LOOP_READ | LOOP_WRITE);
	watch->fn = fn;
	watch->ctx = ctx;
	return 0;
}

void loop_fd_del(struct loop_fd *watch)
{
	struct loop *loop = watch->loop;

	if (!loop)
		return;
	/* EBADF and ENOENT: it was closed before. */
	(void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	for (int i = loop->at; i < loop->count; i++) {
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].data.ptr = NULL;
	}
	loop->watches--;
	watch->loop = NULL;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms,
		    void (*fn)(struct loop_timer *timer, void *ctx), void *ctx)
{
	loop_timer_del(timer);
	if (delay_ms < 0)
		delay_ms = 0;
	if (delay_ms > DELAY_MAX)
		delay_ms = DELAY_MAX;
	timer->loop = loop;
	timer->at = loop_now(loop) + delay_ms;
	timer->order = loop->order++;
	timer->fn = fn;
	timer->ctx = ctx;
	timers_push(&loop->timers, timer);
}

void loop_timer_del(struct loop_timer *timer)
{
	if (!timer->loop)
		return;
	timers_remove(&timer->loop->timers, timer);
	timer->loop = NULL;
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
	return timer->loop != NULL;
}

void loop_on_stop(struct loop *loop, struct loop_stopper *stopper,
		  void (*fn)(struct loop_stopper *stopper, int count, void *ctx), void *ctx)
{
	loop_off_stop(stopper);
	stopper->loop = loop;
	stopper->told = 0;
	stopper->fn = fn;
	stopper->ctx = ctx;
	stopper->prev = NULL;
	stopper->next = loop->stoppers;
	if (loop->stoppers)
		loop->stoppers->prev = stopper;
	loop->stoppers = stopper;
}

void loop_off_stop(struct loop_stopper *stopper)
{
	if (!stopper->loop)
		return;
	if (stopper->next)
		stopper->next->prev = stopper->prev;
	if (stopper->prev)
		stopper->prev->next = stopper->next;
	else
		stopper->loop->stoppers = stopper->next;
	stopper->loop = NULL;
}

static struct loop_stopper *untold(struct loop *loop, int count)
{
	struct loop_stopper *stopper = loop->stoppers;

	while (stopper && stopper->told >= count)
		stopper = stopper->next;
	return stopper;
}

/* From the start after each call: any callback may have removed any stopper. */
static void tell_stoppers(struct loop *loop)
{
	int count = loop_stop_count(loop->stop);
	struct loop_stopper *stopper;

	if (!count)
		return;
	while ((stopper = untold(loop, count)) != NULL) {
		stopper->told = count;
		stopper->fn(stopper, count, stopper->ctx);
	}
}

static void fire_timers(struct loop *loop)
{
	int64_t now = loop->timers ? loop_now(loop) : 0;
	uint64_t before = loop->order;

	/* One set by a callback waits for the next round: descriptors get their turn. */
	while (loop->timers && loop->timers->at <= now && loop->timers->order < before) {
		struct loop_timer *timer = loop->timers;

		loop_timer_del(timer);
		timer->fn(timer, timer->ctx);
	}
}

static void tell_watches(struct loop *loop)
{
	while (loop->at < loop->count) {
		const struct epoll_event *event = &loop->batch[loop->at++];
		struct loop_fd *watch = event->data.ptr;
		unsigned events;

		if (!watch)
			continue;
		events = (event->events & EPOLLIN ? LOOP_READ : 0U) |
			 (event->events & EPOLLOUT ? LOOP_WRITE : 0U);
		events &= watch->events;
		if (event->events & (uint32_t)(EPOLLERR | EPOLLHUP))
			events |= watch->events | LOOP_HANGUP;
		if (events)
			watch->fn(watch, events, watch->ctx);
	}
}

static int wait_ms(struct loop *loop, int64_t until)
{
	int64_t now = loop_now(loop);
	int64_t ms = until - now;

	if (loop->timers && loop->timers->at - now < ms)
		ms = loop->timers->at - now;
	if (ms < 0)
		return 0;
	return ms > ROUND_MS_MAX ? ROUND_MS_MAX : (int)ms;
}

static int round_of(struct loop *loop, int64_t until, struct err *err)
{
	int got = epoll_wait(loop->epoll, loop->batch, BATCH, wait_ms(loop, until));

	if (got < 0 && errno != EINTR)
		return err_sys(err, errno, "cannot wait for events");
	loop->at = 0;
	loop->count = got < 0 ? 0 : got;
	tell_stoppers(loop);
	tell_watches(loop);
	fire_timers(loop);
	return 0;
}

int loop_run(struct loop *loop, bool (*done)(void *ctx), void *ctx, int64_t timeout_ms,
	     struct err *err)
{
	int64_t until = INT64_MAX;

	if (timeout_ms >= 0)
		until = loop_now(loop) + (timeout_ms < DELAY_MAX ? timeout_ms : DELAY_MAX);
	loop->quit = false;
	for (;;) {
		int rc;

		if (loop->quit || (done && done(ctx)))
			return 0;
		if (timeout_ms >= 0 && loop_now(loop) >= until)
			return LOOP_TIMEOUT;
		if (!loop->watches && !loop->timers && timeout_ms < 0)
			return err_set(err, ERR_FAIL, "the event loop has nothing to wait for");
		rc = round_of(loop, until, err);
		if (rc)
			return rc;
	}
}
