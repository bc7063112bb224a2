/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/pg_impl.h"

static void on_login(struct loop_fd *watch, unsigned events, void *ctx);

void pg_disconnect(struct pg_session *session)
{
	loop_fd_del(&session->watch);
	loop_timer_del(&session->timer);
	if (session->conn) {
		pg_env_enter(&session->run->env);
		session->pq->PQfinish(session->conn);
		pg_env_leave(&session->run->env);
	}
	session->conn = NULL;
}

/* The next address of the name, where this one gave no answer; otherwise it was the last word. */
static void attempt_failed(struct pg_session *session)
{
	enum pg_outcome outcome = session->result->outcome;
	bool silent = outcome == PG_UNREACHABLE || outcome == PG_TIMEOUT;

	pg_disconnect(session);
	if (silent && session->attempt + 1 < session->name->count &&
	    loop_now(session->run->loop) < session->ends) {
		session->attempt++;
		pg_attempt(session);
	} else {
		pg_finish(session);
	}
}

static void login_failed(struct pg_session *session)
{
	const struct pg_item *item = &session->run->items[session->item];
	struct pg_failure failure = {
		.text = session->pq->PQerrorMessage(session->conn),
		.tls_up = session->tls_up,
		.needs_password = session->pq->PQconnectionNeedsPassword(session->conn) == 1,
		.has_cert = item->cert_pem != NULL,
	};

	if (!session->run->rc)
		session->run->rc = pg_reason(session->result, &failure, session->label,
					     session->run->err);
	attempt_failed(session);
}

static void on_deadline(struct loop_timer *timer, void *ctx)
{
	struct pg_session *session = ctx;
	char text[128];

	(void)timer;
	(void)snprintf(text, sizeof(text), "no answer within %.3g s%s",
		       (double)(loop_now(session->run->loop) - session->began) / 1000,
		       session->logged_in ? " (query)"
		       : session->tls_up  ? " (login)"
					  : " (connection and TLS handshake)");
	if (session->logged_in) {
		pg_give_up(session, text);
		return;
	}
	pg_say(session, PG_TIMEOUT, text);
	attempt_failed(session);
}

int pg_watch(struct pg_session *session, unsigned events,
	     void (*fn)(struct loop_fd *watch, unsigned events, void *ctx))
{
	return loop_fd_set(session->run->loop, &session->watch,
			   session->pq->PQsocket(session->conn), events, fn, session,
			   session->run->err);
}

static void logged_in(struct pg_session *session)
{
	struct pg_result *result = session->result;
	size_t queries = session->run->items[session->item].query_count;

	session->logged_in = true;
	result->server_version = session->pq->PQserverVersion(session->conn);
	pg_say(session, PG_ACCEPTED, "logged in");
	result->rows = calloc(queries + 1, sizeof(*result->rows));
	if (!result->rows) {
		session->run->rc = err_nomem(session->run->err);
		pg_finish(session);
		return;
	}
	result->row_sets = queries;
	(void)session->pq->PQsetErrorVerbosity(session->conn, PQERRORS_DEFAULT);
	(void)session->pq->PQsetnonblocking(session->conn, 1);
	if (queries)
		pg_send_query(session);
	else
		pg_finish(session);
}

static void on_login(struct loop_fd *watched, unsigned events, void *ctx)
{
	struct pg_session *session = ctx;
	PostgresPollingStatusType next;
	ConnStatusType status;

	(void)events;
	/* libpq may close this socket and get the same number for another one */
	loop_fd_del(watched);
	pg_env_enter(&session->run->env);
	next = session->pq->PQconnectPoll(session->conn);
	pg_env_leave(&session->run->env);
	status = session->pq->PQstatus(session->conn);
	if (session->pq->PQsslInUse(session->conn) &&
	    (status == CONNECTION_AWAITING_RESPONSE || status == CONNECTION_AUTH_OK ||
	     status == CONNECTION_OK))
		session->tls_up = true;
	if (next == PGRES_POLLING_OK) {
		logged_in(session);
	} else if (next == PGRES_POLLING_FAILED) {
		login_failed(session);
	} else if (pg_watch(session, next == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE,
			    on_login)) {
		session->run->rc = ERR_FAIL;
		pg_finish(session);
	}
}

static void ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* NULL with the reason in err. */
static PGconn *connect_start(struct pg_session *session, const char *address, struct err *err)
{
	struct pg_run *run = session->run;
	const struct pg_item *item = &run->items[session->item];
	char cert[PG_PATH_SIZE], key[PG_PATH_SIZE], roots[PG_PATH_SIZE], port[16];
	const char *const words[] = {"host",
				     "hostaddr",
				     "port",
				     "user",
				     "dbname",
				     "sslmode",
				     "sslcert",
				     "sslkey",
				     "sslrootcert",
				     "sslcrl",
				     "gssencmode",
				     "passfile",
				     "target_session_attrs",
				     "client_encoding",
				     "application_name",
				     "connect_timeout",
				     NULL};
	const char *const values[] = {item->name,
				      address,
				      port,
				      item->user,
				      item->database ? item->database : "postgres",
				      "verify-full",
				      cert,
				      key,
				      roots,
				      "/dev/null/none",
				      "disable",
				      "/dev/null/none",
				      "any",
				      "UTF8",
				      "certrotate",
				      "0",
				      NULL};
	PGconn *conn;

	if (pg_files_path(&run->files, session->item, PG_FILE_CERT, cert, err) ||
	    pg_files_path(&run->files, session->item, PG_FILE_KEY, key, err) ||
	    pg_files_path(&run->files, session->item, PG_FILE_ROOTS, roots, err))
		return NULL;
	(void)snprintf(port, sizeof(port), "%u", item->port);
	pg_env_enter(&run->env);
	conn = session->pq->PQconnectStartParams(words, values, 0);
	pg_env_leave(&run->env);
	if (!conn) {
		(void)err_nomem(err);
		return NULL;
	}
	(void)session->pq->PQsetNoticeProcessor(conn, ignore_notice, NULL);
	(void)session->pq->PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	return conn;
}

void pg_attempt(struct pg_session *session)
{
	struct pg_run *run = session->run;
	const char *address = session->name->addresses[session->attempt].text;
	int64_t left = session->ends - loop_now(run->loop);
	struct err err = {0};

	session->tls_up = false;
	(void)snprintf(session->result->address, RESOLVE_TEXT_SIZE, "%s", address);
	pg_label(session, address);
	session->conn = connect_start(session, address, &err);
	if (!session->conn) {
		pg_say(session, PG_LOCAL, err.msg);
		pg_finish(session);
		return;
	}
	/* a first address that is silent must leave time for the others */
	loop_timer_set(run->loop, &session->timer,
		       left / (int64_t)(session->name->count - session->attempt), on_deadline,
		       session);
	if (session->pq->PQstatus(session->conn) == CONNECTION_BAD) {
		login_failed(session);
	} else if (pg_watch(session, LOOP_WRITE, on_login)) {
		run->rc = ERR_FAIL;
		pg_finish(session);
	}
}
