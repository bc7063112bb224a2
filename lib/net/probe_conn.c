/* SPDX-License-Identifier: PostgreSQL */
/* One probe: connect, SSLRequest, handshake, and what the server says afterwards. */
#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/strs.h"
#include "net/probe_impl.h"

/* Reads of one round: a server that floods must not keep the others waiting. */
#define ROUND_READS 16
#define MESSAGE_MAX ((size_t)8192) /* the longest server_message fits, made harmless */

static const unsigned char ssl_request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
static const unsigned char terminate[] = {'X', 0, 0, 0, 4};

static void on_answer(struct probe_conn *conn);
static void on_handshake(struct probe_conn *conn);

void probe_conn_say(struct probe_conn *conn, enum probe_outcome outcome, const char *fmt, ...)
{
	struct buf buf;
	char *text;
	va_list ap;

	conn->result->outcome = outcome;
	va_start(ap, fmt);
	text = str_vfmt(fmt, ap);
	va_end(ap);
	buf_init(&buf, MESSAGE_MAX);
	buf_addf(&buf, "%s: %s", conn->label, text ? text : "out of memory");
	free(conn->result->message);
	conn->result->message = buf_detach(&buf);
	conn->result->reason = conn->result->message
				       ? conn->result->message + strlen(conn->label) + 2
				       : NULL;
	free(text);
}

/* Not part of finish: the result is read from the SSL before. */
void probe_conn_close(struct probe_conn *conn)
{
	loop_fd_del(&conn->watch);
	loop_timer_del(&conn->deadline);
	loop_timer_del(&conn->grace);
	SSL_free(conn->ssl);
	conn->ssl = NULL;
	if (conn->fd >= 0)
		(void)close(conn->fd);
	conn->fd = -1;
	ERR_clear_error();
}

static void finish(struct probe_conn *conn)
{
	loop_fd_del(&conn->watch);
	loop_timer_del(&conn->deadline);
	loop_timer_del(&conn->grace);
	conn->result->elapsed_ms = loop_now(conn->loop) - conn->began;
	conn->done(conn, conn->ctx);
}

static void fail_local(struct probe_conn *conn, const char *what)
{
	probe_conn_say(conn, PROBE_LOCAL, "%s", what);
	finish(conn);
}

static void on_event(struct loop_fd *watch, unsigned events, void *ctx);

static void wait_for(struct probe_conn *conn, unsigned events)
{
	struct err err = {0};

	if (conn->watch.loop && conn->watch.events == events)
		return;
	if (loop_fd_set(conn->loop, &conn->watch, conn->fd, events, on_event, conn, &err))
		fail_local(conn, err.msg);
}

static void on_deadline(struct loop_timer *timer, void *ctx)
{
	struct probe_conn *conn = ctx;

	(void)timer;
	if (conn->cert_sent && conn->result->client == PROBE_CLIENT_NONE)
		conn->result->client = PROBE_CLIENT_UNKNOWN;
	probe_conn_say(conn, PROBE_TIMEOUT, "no answer within %.3g s (%s)",
		       (double)(loop_now(conn->loop) - conn->began) / 1000,
		       probe_stage_name(conn->result->stage));
	finish(conn);
}

/* Connected, and the server has had its say about the client certificate. */
static void succeed(struct probe_conn *conn, bool accepted)
{
	struct probe_result *result = conn->result;
	const char *client = "";

	if (!conn->target->cert_pem)
		result->client = PROBE_CLIENT_NONE;
	else if (!result->client_asked)
		result->client = PROBE_CLIENT_NOT_ASKED;
	else if (!conn->cert_sent)
		result->client = PROBE_CLIENT_NOT_SENT;
	else if (result->client != PROBE_CLIENT_ACCEPTED)
		result->client = accepted ? PROBE_CLIENT_ACCEPTED : PROBE_CLIENT_UNKNOWN;
	switch (result->client) {
	case PROBE_CLIENT_NONE:
	case PROBE_CLIENT_REFUSED:
	case PROBE_CLIENT__MAX:
		break;
	case PROBE_CLIENT_ACCEPTED:
		client = ", client certificate accepted";
		break;
	case PROBE_CLIENT_NOT_ASKED:
		client = ", the server asks for no client certificate";
		break;
	case PROBE_CLIENT_NOT_SENT:
		client = ", client certificate not sent: its key does not suit the server";
		break;
	case PROBE_CLIENT_UNKNOWN:
		client = ", not known whether the client certificate was accepted";
		break;
	}
	result->stage = PROBE_STAGE_DONE;
	probe_conn_say(conn, PROBE_CONNECTED, "%s%s%s%s%s", SSL_get_version(conn->ssl), client,
		       result->login == PROBE_LOGIN_ERROR ? "; PostgreSQL says: " : "",
		       result->login == PROBE_LOGIN_ERROR && result->server_message
			       ? result->server_message
			       : "",
		       result->login == PROBE_LOGIN_NONE && conn->answer_len
			       ? "; the answer is not PostgreSQL's"
			       : "");
	if (result->login == PROBE_LOGIN_OK || result->login == PROBE_LOGIN_CONTINUE)
		(void)SSL_write(conn->ssl, terminate, sizeof(terminate));
	(void)SSL_shutdown(conn->ssl);
	finish(conn);
}

static void on_grace(struct loop_timer *timer, void *ctx)
{
	(void)timer;
	succeed(ctx, false);
}

/* 0: goes on; otherwise the probe is over, or waits. */
static int ssl_wait(struct probe_conn *conn, int rc)
{
	int error = SSL_get_error(conn->ssl, rc);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		wait_for(conn, error == SSL_ERROR_WANT_READ ? LOOP_READ : LOOP_WRITE);
		return 1;
	}
	/* a server that closed has sent its alert before: it may still be there to be read */
	if (conn->start_sent < conn->start_len && conn->io_errno &&
	    conn->result->stage == PROBE_STAGE_ANSWER) {
		conn->start_sent = conn->start_len;
		ERR_clear_error();
		return 0;
	}
	probe_tls_failed(conn, error);
	finish(conn);
	return 1;
}

static bool is_verdict_in(const struct probe_conn *conn)
{
	if (conn->start_len)
		return false; /* the answer to the StartupMessage says more */
	/* PostgreSQL lets everybody in without a certificate, and judges at the login */
	if (!conn->target->cert_pem && conn->target->protocol != PROBE_TLS)
		return true;
	/* before TLS 1.3 the handshake ends only after the server's judgement */
	return SSL_version(conn->ssl) != TLS1_3_VERSION || !conn->result->client_asked ||
	       conn->ticket || conn->answer_len;
}

static void on_answer(struct probe_conn *conn)
{
	int rc;

	while (conn->start_sent < conn->start_len) {
		ERR_clear_error();
		rc = SSL_write(conn->ssl, conn->start + conn->start_sent,
			       (int)(conn->start_len - conn->start_sent));
		if (rc > 0)
			conn->start_sent += (size_t)rc;
		else if (ssl_wait(conn, rc))
			return;
	}
	for (int i = 0; i < ROUND_READS; i++) {
		size_t room = sizeof(conn->answer) - conn->answer_len;

		if (is_verdict_in(conn) || probe_answer_read(conn, room == 0)) {
			succeed(conn, true);
			return;
		}
		ERR_clear_error();
		rc = SSL_read(conn->ssl, conn->answer + conn->answer_len, (int)room);
		if (rc > 0) {
			conn->answer_len += (size_t)rc;
			continue;
		}
		if (is_verdict_in(conn)) /* a ticket came, no data */
			continue;
		if (conn->answer_len && conn->eof) { /* half an answer is one */
			(void)probe_answer_read(conn, true);
			succeed(conn, true);
			return;
		}
		(void)ssl_wait(conn, rc);
		return;
	}
	wait_for(conn, LOOP_READ);
}

static void on_handshake(struct probe_conn *conn)
{
	struct probe_result *result = conn->result;
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(conn->ssl);
	if (rc != 1) {
		(void)ssl_wait(conn, rc);
		return;
	}
	result->stage = PROBE_STAGE_ANSWER;
	if (conn->cert_sent && SSL_version(conn->ssl) != TLS1_3_VERSION)
		result->client = PROBE_CLIENT_ACCEPTED;
	SSL_get0_alpn_selected(conn->ssl, &alpn, &alpn_len);
	if (conn->target->user && conn->target->protocol != PROBE_TLS &&
	    (conn->target->protocol == PROBE_POSTGRES || alpn_len)) {
		if (probe_start_message(conn)) {
			fail_local(conn, "user and database are too long");
			return;
		}
	} else {
		loop_timer_set(conn->loop, &conn->grace, conn->grace_ms, on_grace, conn);
	}
	on_answer(conn);
}

static void on_ssl_answer(struct probe_conn *conn)
{
	unsigned char byte = 0;
	/* one byte and no more: what an attacker put behind it must not count as TLS's */
	ssize_t got = recv(conn->fd, &byte, 1, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0 && byte == 'S') {
		conn->result->stage = PROBE_STAGE_HANDSHAKE;
		on_handshake(conn);
		return;
	}
	if (got < 0) {
		probe_conn_say(conn, PROBE_CLOSED, "connection lost after the SSLRequest: %s",
			       strerror(errno));
	} else if (got == 0) {
		probe_conn_say(conn, PROBE_CLOSED, "connection closed after the SSLRequest");
	} else if (byte == 'N') {
		probe_conn_say(conn, PROBE_NOT_TLS, "the server offers no TLS (ssl is off)");
	} else if (byte == 'E') {
		got = recv(conn->fd, conn->answer + 1, sizeof(conn->answer) - 1, 0);
		conn->answer[0] = byte;
		conn->answer_len = 1 + (size_t)(got > 0 ? got : 0);
		(void)probe_answer_read(conn, true);
		probe_conn_say(conn, PROBE_NOT_TLS, "an error instead of TLS: %s",
			       conn->result->server_message ? conn->result->server_message
							    : "no text");
	} else {
		probe_conn_say(conn, PROBE_NOT_TLS,
			       "the answer to the SSLRequest is 0x%02x: not PostgreSQL",
			       (unsigned)byte);
	}
	finish(conn);
}

static void on_connected(struct probe_conn *conn)
{
	ssize_t put;

	if (conn->target->protocol != PROBE_POSTGRES) {
		conn->result->stage = PROBE_STAGE_HANDSHAKE;
		on_handshake(conn);
		return;
	}
	conn->result->stage = PROBE_STAGE_SSLREQUEST;
	/* eight bytes always fit the buffer of a fresh connection */
	put = send(conn->fd, ssl_request, sizeof(ssl_request), MSG_NOSIGNAL);
	if (put != (ssize_t)sizeof(ssl_request)) {
		probe_conn_say(conn, PROBE_CLOSED, "connection lost: %s", strerror(errno));
		finish(conn);
		return;
	}
	wait_for(conn, LOOP_READ);
}

static void connect_failed(struct probe_conn *conn, int error)
{
	if (error == ECONNREFUSED)
		probe_conn_say(conn, PROBE_REFUSED, "connection refused");
	else if (error == ETIMEDOUT)
		probe_conn_say(conn, PROBE_TIMEOUT, "no answer: connection timed out");
	else
		probe_conn_say(conn, PROBE_UNREACHABLE, "cannot connect: %s", strerror(error));
	finish(conn);
}

static void on_event(struct loop_fd *watch, unsigned events, void *ctx)
{
	struct probe_conn *conn = ctx;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)watch;
	(void)events;
	switch (conn->result->stage) {
	case PROBE_STAGE_CONNECT:
		if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			error = errno;
		if (error)
			connect_failed(conn, error);
		else
			on_connected(conn);
		break;
	case PROBE_STAGE_SSLREQUEST:
		on_ssl_answer(conn);
		break;
	case PROBE_STAGE_HANDSHAKE:
		on_handshake(conn);
		break;
	case PROBE_STAGE_ANSWER:
		on_answer(conn);
		break;
	case PROBE_STAGE_LOOKUP:
	case PROBE_STAGE_DONE:
	case PROBE_STAGE__MAX:
		break;
	}
}

static int open_socket(struct probe_conn *conn)
{
	int one = 1;

	conn->fd = socket(conn->address.addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  0);
	if (conn->fd < 0)
		return errno;
	(void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return 0;
}

void probe_conn_start(struct probe_conn *conn, struct probe_shared *shared, size_t target,
		      int64_t deadline_ms)
{
	const char *why = NULL;
	SSL_CTX *ctx;
	int error;

	conn->began = loop_now(conn->loop);
	conn->result->stage = PROBE_STAGE_CONNECT;
	ctx = probe_shared_ctx(shared, target, &why);
	if (!ctx) {
		fail_local(conn, why);
		return;
	}
	if (probe_tls_open(conn, ctx, shared->bio)) {
		fail_local(conn, "TLS cannot be set up for this name");
		return;
	}
	error = open_socket(conn);
	if (error) {
		/* no family: IPv6 is switched off here; otherwise descriptors are short */
		if (error == EAFNOSUPPORT)
			connect_failed(conn, error);
		else
			fail_local(conn, strerror(error));
		return;
	}
	loop_timer_set(conn->loop, &conn->deadline, deadline_ms, on_deadline, conn);
	if (connect(conn->fd, (struct sockaddr *)&conn->address.addr, conn->address.len) < 0 &&
	    errno != EINPROGRESS && errno != EINTR) {
		connect_failed(conn, errno);
		return;
	}
	wait_for(conn, LOOP_WRITE);
}
