/* SPDX-License-Identifier: PostgreSQL */
#include "proc/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/filter.h"
#include "proc/foreground.h"
#include "proc/guard.h"
#include "proc/launch.h"

#define READ_SIZE  ((size_t)16384)
#define READS_MAX  8	/* a chatty child must not keep the loop from its timers */
#define LAST_MS	   5000 /* after SIGKILL: one that hangs in the kernel is given up */
#define WRITE_SIZE ((size_t)65536)

enum phase { PHASE_RUNNING, PHASE_TERM, PHASE_KILL };

struct stream {
	struct child *child;
	struct loop_fd watch;
	int fd;
	const struct child_sink *sink;
	bool *cut;
	bool tailed;
};

struct child {
	struct loop *loop;
	struct child_spec spec;
	void (*done)(struct child *child, void *ctx);
	void *ctx;
	struct launched launched;
	struct guard guard;
	struct foreground foreground;
	struct stream out, err;
	struct loop_fd in_watch;
	size_t in_done;
	struct loop_child exit_watch;
	struct loop_timer timer; /* the deadline, then the grace, then the last one; or lingering */
	struct loop_stopper stopper;
	struct child_result result;
	struct filter tail_filter;
	struct secret_buf secret;
	char *buffer;		 /* READ_SIZE */
	struct arena *buffer_of; /* NULL: malloc */
	enum phase phase;
	enum child_end reason; /* why we ended it, or CHILD_RUNNING */
	bool exited;
	int64_t started;
};

static void signal_group(const struct child *child, int sig)
{
	/* The leader is reaped last, so its number cannot be somebody else's group. */
	(void)kill(-child->launched.pid, sig);
}

static void close_stream(struct stream *stream)
{
	if (stream->fd < 0)
		return;
	loop_fd_del(&stream->watch);
	(void)close(stream->fd);
	stream->fd = -1;
}

static void close_input(struct child *child)
{
	if (child->launched.in < 0)
		return;
	loop_fd_del(&child->in_watch);
	(void)close(child->launched.in);
	child->launched.in = -1;
}

static void release_io(struct child *child)
{
	loop_timer_del(&child->timer);
	loop_off_stop(&child->stopper);
	loop_child_del(&child->exit_watch);
	close_input(child);
	close_stream(&child->out);
	close_stream(&child->err);
	foreground_end(&child->foreground);
}

static void set_end(struct child *child, int status)
{
	struct child_result *result = &child->result;
	bool signaled = WIFSIGNALED(status);
	int sig = signaled ? WTERMSIG(status) : 0;
	int code = signaled ? sig : WEXITSTATUS(status);

	result->end = signaled ? CHILD_SIGNALED : CHILD_EXITED;
	result->code = code;
	if (child->reason != CHILD_RUNNING) {
		result->end = child->reason;
		result->code = signaled ? 128 + sig : code;
	} else if (child->spec.terminal && (sig == SIGINT || code == 128 + SIGINT)) {
		result->end = CHILD_STOPPED;
		result->code = 128 + SIGINT;
		loop_request_stop(child->loop);
	}
}

static int reap(struct child *child)
{
	int status = SIGKILL; /* as a status: killed; for one that is given up */
	int flags = child->exited ? 0 : WNOHANG;

	guard_end(&child->guard);
	if (child->phase != PHASE_RUNNING || child->result.lingered)
		signal_group(child, SIGKILL);
	while (waitpid(child->launched.pid, &status, flags) < 0 && errno == EINTR)
		;
	child->launched.pid = -1;
	return status;
}

static void finish(struct child *child)
{
	struct err unused = {0};

	release_io(child);
	set_end(child, reap(child));
	filter_end(&child->tail_filter);
	child->result.ms = loop_now(child->loop) - child->started;
	if (child->spec.out.arena &&
	    secret_buf_done(&child->result.secret, &child->secret, "output", &unused)) {
		child->result.out_cut = true;
		child->result.starved |= unused.code == ERR_MACHINE;
	}
	child->done(child, child->ctx); /* may free the child */
}

static void finish_if_over(struct child *child)
{
	if (child->exited && child->out.fd < 0 && child->err.fd < 0)
		finish(child);
}

static void on_timer(struct loop_timer *timer, void *ctx);

static void arm(struct child *child, int64_t ms)
{
	loop_timer_set(child->loop, &child->timer, ms, on_timer, child);
}

static void begin_end(struct child *child, enum child_end reason)
{
	if (child->phase == PHASE_RUNNING) {
		if (!child->exited)
			child->reason = reason;
		child->phase = PHASE_TERM;
		signal_group(child, SIGTERM);
		signal_group(child, SIGCONT); /* a stopped one must see it */
		arm(child, child->spec.grace_ms);
	} else if (child->phase == PHASE_TERM) {
		child->phase = PHASE_KILL;
		signal_group(child, SIGKILL);
		arm(child, child->exited ? child->spec.linger_ms : LAST_MS);
	}
}

static void on_timer(struct loop_timer *timer, void *ctx)
{
	struct child *child = ctx;

	(void)timer;
	if (child->phase == PHASE_KILL) {
		finish(child);
	} else if (child->phase == PHASE_RUNNING && child->exited) {
		child->result.lingered = true;
		finish(child);
	} else {
		begin_end(child, CHILD_TIMED_OUT);
	}
}

static void on_stop(struct loop_stopper *stopper, int count, void *ctx)
{
	struct child *child = ctx;

	(void)stopper;
	if (count > child->spec.finishes)
		begin_end(child, CHILD_STOPPED);
	if (count > child->spec.finishes + 1)
		begin_end(child, CHILD_STOPPED);
}

static void on_exit_of(struct loop_child *watch, void *ctx)
{
	struct child *child = ctx;

	(void)watch;
	child->exited = true;
	close_input(child);
	if (child->phase == PHASE_RUNNING)
		arm(child, child->spec.linger_ms);
	finish_if_over(child);
}

static void add_tail(void *ctx, const char *data, size_t len)
{
	struct child_result *result = ctx;
	size_t keep;

	if (len > CHILD_TAIL_MAX) {
		data += len - CHILD_TAIL_MAX;
		len = CHILD_TAIL_MAX;
	}
	keep = CHILD_TAIL_MAX - len;
	if (keep > result->tail_len)
		keep = result->tail_len;
	memmove(result->tail, result->tail + result->tail_len - keep, keep);
	memcpy(result->tail + keep, data, len);
	result->tail_len = keep + len;
	result->tail[result->tail_len] = '\0';
}

static void take(struct stream *stream, const char *data, size_t len)
{
	const struct child_sink *sink = stream->sink;

	if (sink->buf) {
		size_t space = sink->buf->max - sink->buf->len;

		buf_add(sink->buf, data, len < space ? len : space);
		if (sink->buf->failed || len > space)
			*stream->cut = true;
		if (sink->buf->nomem)
			stream->child->result.starved = true;
	} else if (sink->arena) {
		if (*stream->cut || len > sink->secret_max - stream->child->secret.len)
			*stream->cut = true;
		else
			secret_buf_add(&stream->child->secret, data, len);
	} else if (sink->data) {
		sink->data(sink->ctx, data, len);
	}
	if (stream->tailed)
		filter_feed(&stream->child->tail_filter, data, len);
}

/* Half an output must not be taken for the whole of it. */
static void broke_off(struct stream *stream, int why)
{
	*stream->cut = true;
	if (stream == &stream->child->out)
		stream->child->result.io_errno = why;
}

static void on_readable(struct loop_fd *watch, unsigned events, void *ctx)
{
	struct stream *stream = ctx;
	struct child *child = stream->child;

	(void)watch;
	(void)events;
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t got = read(stream->fd, child->buffer, READ_SIZE);

		if (got > 0) {
			take(stream, child->buffer, (size_t)got);
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got < 0)
			broke_off(stream, errno);
		close_stream(stream);
		finish_if_over(child);
		return;
	}
}

/* write(2) to a pipe without the SIGPIPE of one that nobody reads. */
static ssize_t write_no_signal(int fd, const char *data, size_t len)
{
	const struct timespec now = {0};
	sigset_t pipe_set, saved, pending;
	ssize_t put;
	int error;

	(void)sigemptyset(&pipe_set);
	(void)sigaddset(&pipe_set, SIGPIPE);
	(void)sigpending(&pending);
	(void)pthread_sigmask(SIG_BLOCK, &pipe_set, &saved);
	put = write(fd, data, len);
	error = errno;
	if (put < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
		(void)sigtimedwait(&pipe_set, NULL, &now);
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	errno = error;
	return put;
}

static void on_writable(struct loop_fd *watch, unsigned events, void *ctx)
{
	struct child *child = ctx;
	size_t left = child->spec.input_len - child->in_done;
	ssize_t put;
	bool broken;

	(void)watch;
	(void)events;
	put = left ? write_no_signal(child->launched.in,
				     (const char *)child->spec.input + child->in_done,
				     left < WRITE_SIZE ? left : WRITE_SIZE)
		   : 0;
	if (put > 0)
		child->in_done += (size_t)put;
	broken = put < 0 && errno != EAGAIN && errno != EINTR;
	/* A child that reads no further is no error of ours: its exit code says what it thinks. */
	if (broken && errno != EPIPE)
		child->result.io_errno = errno;
	if (broken || child->in_done == child->spec.input_len)
		close_input(child);
}

static void set_stream(struct stream *stream, struct child *child, int fd,
		       const struct child_sink *sink, bool *cut)
{
	stream->child = child;
	stream->fd = fd;
	stream->sink = sink;
	stream->cut = cut;
}

static int watch_stream(struct stream *stream, struct err *err)
{
	if (stream->fd < 0)
		return 0;
	return loop_fd_set(stream->child->loop, &stream->watch, stream->fd, LOOP_READ, on_readable,
			   stream, err);
}

static int watch_all(struct child *child, struct err *err)
{
	const struct launched *launched = &child->launched;
	int rc;

	set_stream(&child->out, child, launched->out, &child->spec.out, &child->result.out_cut);
	set_stream(&child->err, child, launched->err, &child->spec.err, &child->result.err_cut);
	rc = watch_stream(&child->out, err);
	if (!rc)
		rc = watch_stream(&child->err, err);
	if (!rc && launched->in >= 0)
		rc = loop_fd_set(child->loop, &child->in_watch, launched->in, LOOP_WRITE,
				 on_writable, child, err);
	if (!rc)
		rc = loop_child_set(child->loop, &child->exit_watch, launched->pid, on_exit_of,
				    child, err);
	return rc;
}

static int make_buffers(struct child *child, struct err *err)
{
	child->buffer_of = child->spec.out.buf ? NULL : child->spec.out.arena;
	if (child->buffer_of) {
		secret_buf_init(&child->secret, child->buffer_of);
		child->buffer = arena_alloc(child->buffer_of, READ_SIZE);
	} else {
		child->buffer = malloc(READ_SIZE);
	}
	return child->buffer ? 0 : err_nomem(err);
}

static void set_spec(struct child *child, const struct child_spec *spec)
{
	child->spec = *spec;
	if (!spec->deadline_ms)
		child->spec.deadline_ms = CHILD_DEADLINE_MS;
	if (!spec->grace_ms)
		child->spec.grace_ms = CHILD_GRACE_MS;
	if (!spec->linger_ms)
		child->spec.linger_ms = CHILD_LINGER_MS;
	if (spec->out.buf)
		child->spec.out.arena = NULL;
}

int child_start(struct child **out, struct loop *loop, const struct child_spec *spec,
		void (*done)(struct child *child, void *ctx), void *ctx, struct err *err)
{
	struct child *child;
	int rc;

	*out = NULL;
	if (loop_stops(loop) > spec->finishes)
		return err_set(err, ERR_STOPPED, "stopped before %s was started", spec->argv[0]);
	child = calloc(1, sizeof(*child));
	if (!child)
		return err_nomem(err);
	child->loop = loop;
	child->done = done;
	child->ctx = ctx;
	child->launched = (struct launched){.pid = -1, .in = -1, .out = -1, .err = -1};
	child->guard = (struct guard)GUARD_INIT;
	child->foreground = (struct foreground)FOREGROUND_INIT;
	child->out.fd = child->err.fd = -1;
	set_spec(child, spec);
	filter_init(&child->tail_filter, add_tail, &child->result);
	filter_hide(&child->tail_filter, spec->hide);
	child->err.tailed = true;
	child->out.tailed = spec->err_to_out && !child->spec.out.arena;
	child->started = loop_now(loop);
	rc = make_buffers(child, err);
	if (!rc)
		rc = launch(&child->launched, &child->spec, err);
	if (!rc)
		rc = watch_all(child, err);
	if (rc) {
		child_free(child);
		return rc;
	}
	if (spec->guard)
		guard_start(&child->guard, child->launched.pid, child->spec.grace_ms,
			    spec->guard_removes);
	if (spec->terminal)
		foreground_start(&child->foreground, loop, child->launched.pid);
	arm(child, child->spec.deadline_ms);
	loop_on_stop(loop, &child->stopper, on_stop, child);
	*out = child;
	return 0;
}

const struct child_result *child_result(const struct child *child)
{
	return &child->result;
}

pid_t child_pid(const struct child *child)
{
	return child->launched.pid;
}

void child_stop(struct child *child)
{
	if (child->launched.pid > 0)
		begin_end(child, CHILD_STOPPED);
}

void child_free(struct child *child)
{
	if (!child)
		return;
	release_io(child);
	if (child->launched.pid > 0) {
		signal_group(child, SIGKILL);
		child->exited = true;
		child->phase = PHASE_KILL;
		(void)reap(child);
	}
	if (child->buffer) {
		explicit_bzero(child->buffer, READ_SIZE);
		if (!child->buffer_of)
			free(child->buffer);
	}
	free(child);
}
