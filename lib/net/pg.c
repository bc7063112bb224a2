/* SPDX-License-Identifier: PostgreSQL */
#include "net/pg.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "net/pg_env.h"
#include "net/pg_impl.h"

#define DESCRIPTORS_KEPT 64
#define DESCRIPTORS_EACH 5 /* socket, three files, and one that libpq opens for a moment */
#define SETUP_SIZE	 160
#define ERROR_MAX	 ((size_t)2048)

struct run;

struct session {
	struct run *run;
	struct session *next;
	size_t item;
	struct pg_result *result;
	const struct resolved_name *name;
	size_t attempt; /* index of the address */
	PGconn *conn;
	struct loop_fd watch;
	struct loop_timer timer;
	int64_t began, ends;
	bool tls_up;
	bool logged_in;
	bool setting_up;  /* the answer to the session's settings is awaited */
	size_t query;	  /* under way */
	size_t row_bytes; /* of this query */
	char label[PG_LABEL_SIZE];
};

struct run {
	struct loop *loop;
	const struct pg_item *items;
	size_t count, next, running;
	struct pg_options options;
	struct pg_results *out;
	struct resolved resolved;
	struct pg_files files;
	struct pg_env env;
	struct session *sessions, *idle;
	struct loop_stopper stopper;
	bool stopped, starting;
	char setup[SETUP_SIZE];
	int rc;
	struct err *err;
};

static void start_more(struct run *run);
static void attempt(struct session *session);
static void on_query(struct loop_fd *watch, unsigned events, void *ctx);

const char *pg_outcome_name(enum pg_outcome outcome)
{
	static const char *const names[PG_OUTCOME__MAX] = {
		[PG_ACCEPTED] = "accepted",
		[PG_REFUSED_TLS] = "refused-tls",
		[PG_REFUSED_SERVER] = "refused-server",
		[PG_NOT_TRUSTED] = "not-trusted",
		[PG_NAME_MISMATCH] = "name-mismatch",
		[PG_NO_ADDRESS] = "no-address",
		[PG_UNREACHABLE] = "unreachable",
		[PG_TIMEOUT] = "timeout",
		[PG_NOT_TLS] = "not-tls",
		[PG_TLS_FAILED] = "tls-failed",
		[PG_CLOSED] = "closed",
		[PG_LOCAL] = "not-tried",
	};

	return names[outcome];
}

const char *pg_cell(const struct pg_rows *rows, size_t row, size_t column)
{
	return row < rows->rows && column < rows->columns
		       ? rows->cells.items[row * rows->columns + column]
		       : NULL;
}

static const char *host_of(const struct pg_item *item)
{
	return item->address && item->address[0] ? item->address : item->name;
}

static void write_label(struct session *session, const char *address)
{
	const struct pg_item *item = &session->run->items[session->item];
	char *out = session->label;

	(void)snprintf(out, PG_LABEL_SIZE, strchr(item->name, ':') ? "[%.250s]:%u" : "%.250s:%u",
		       item->name, item->port);
	if (address[0] && strcmp(address, item->name) != 0)
		(void)snprintf(out + strlen(out), PG_LABEL_SIZE - strlen(out), " (%s)", address);
	(void)snprintf(out + strlen(out), PG_LABEL_SIZE - strlen(out), " as %.100s", item->user);
}

static void say(struct session *session, enum pg_outcome outcome, const char *text)
{
	struct buf buf;

	buf_init(&buf, ERROR_MAX + PG_LABEL_SIZE);
	buf_addf(&buf, "%s: ", session->label);
	buf_add_safe(&buf, text, strcspn(text, "\n"));
	session->result->outcome = outcome;
	free(session->result->message);
	session->result->message = buf_detach(&buf);
}

static void disconnect(struct session *session)
{
	loop_fd_del(&session->watch);
	loop_timer_del(&session->timer);
	if (session->conn) {
		pg_env_enter(&session->run->env);
		PQfinish(session->conn);
		pg_env_leave(&session->run->env);
	}
	session->conn = NULL;
}

static void finish(struct session *session)
{
	struct run *run = session->run;

	disconnect(session);
	session->result->elapsed_ms = loop_now(run->loop) - session->began;
	pg_files_done(&run->files, session->item);
	session->next = run->idle;
	run->idle = session;
	run->running--;
	start_more(run);
}

/* The next address of the name, where this one gave no answer; otherwise it was the last word. */
static void attempt_failed(struct session *session)
{
	enum pg_outcome outcome = session->result->outcome;
	bool silent = outcome == PG_UNREACHABLE || outcome == PG_TIMEOUT;

	disconnect(session);
	if (silent && session->attempt + 1 < session->name->count &&
	    loop_now(session->run->loop) < session->ends) {
		session->attempt++;
		attempt(session);
	} else {
		finish(session);
	}
}

static void login_failed(struct session *session)
{
	const struct pg_item *item = &session->run->items[session->item];
	struct pg_failure failure = {
		.text = PQerrorMessage(session->conn),
		.tls_up = session->tls_up,
		.needs_password = PQconnectionNeedsPassword(session->conn) == 1,
		.has_cert = item->cert_pem != NULL,
	};

	if (!session->run->rc)
		session->run->rc = pg_reason(session->result, &failure, session->label,
					     session->run->err);
	attempt_failed(session);
}

/* An error of the query under way; the session may go on. */
static void query_failed(struct session *session, const char *text, const char *sqlstate)
{
	struct pg_rows *rows = &session->result->rows[session->query];
	struct buf buf;

	if (rows->error)
		return;
	buf_init(&buf, ERROR_MAX);
	buf_add_safe(&buf, text, strcspn(text, "\n"));
	rows->error = buf_detach(&buf);
	if (sqlstate)
		(void)strncpy(rows->sqlstate, sqlstate, sizeof(rows->sqlstate) - 1);
	if (!rows->error && !session->run->rc)
		session->run->rc = err_nomem(session->run->err);
}

/* The session is of no more use: what was not answered is an error. */
static void give_up_queries(struct session *session, const char *text)
{
	for (; session->query < session->result->row_sets; session->query++)
		query_failed(session, text, NULL);
	finish(session);
}

static void on_deadline(struct loop_timer *timer, void *ctx)
{
	struct session *session = ctx;
	char text[128];

	(void)timer;
	(void)snprintf(text, sizeof(text), "no answer within %.3g s%s",
		       (double)(loop_now(session->run->loop) - session->began) / 1000,
		       session->logged_in ? " (query)"
		       : session->tls_up  ? " (login)"
					  : " (connection and TLS handshake)");
	if (session->logged_in) {
		give_up_queries(session, text);
		return;
	}
	say(session, PG_TIMEOUT, text);
	attempt_failed(session);
}

static int watch(struct session *session, unsigned events,
		 void (*fn)(struct loop_fd *watch, unsigned events, void *ctx))
{
	return loop_fd_set(session->run->loop, &session->watch, PQsocket(session->conn), events, fn,
			   session, session->run->err);
}

static void keep_cells(struct session *session, const PGresult *answer)
{
	struct pg_rows *rows = &session->result->rows[session->query];
	size_t columns = (size_t)PQnfields(answer);
	struct err *err = session->run->err;
	int rc = 0;

	rows->columns = columns;
	for (int r = 0; r < PQntuples(answer) && !rc; r++) {
		size_t kept = rows->cells.count;

		if (rows->rows >= PG_ROWS_MAX || session->row_bytes > PG_RESULT_MAX) {
			rows->cut = true;
			return;
		}
		for (int c = 0; c < (int)columns && !rc; c++) {
			rc = strs_addf(&rows->cells, err, "%.*s", PG_CELL_MAX,
				       PQgetvalue(answer, r, c));
			if (!rc)
				session->row_bytes += strlen(rows->cells.items[kept + (size_t)c]);
		}
		rows->rows++;
	}
	if (rc)
		session->run->rc = rc;
}

static void send_query(struct session *session)
{
	const char *text = session->setting_up
				   ? session->run->setup
				   : session->run->items[session->item].queries[session->query];
	int sent;

	session->row_bytes = 0;
	pg_env_enter(&session->run->env);
	sent = PQsendQuery(session->conn, text);
	if (sent)
		(void)PQsetSingleRowMode(session->conn);
	pg_env_leave(&session->run->env);
	if (!sent) {
		give_up_queries(session, PQerrorMessage(session->conn));
		return;
	}
	if (watch(session, LOOP_READ | LOOP_WRITE, on_query)) {
		session->run->rc = ERR_FAIL;
		finish(session);
	}
}

static void next_query(struct session *session)
{
	if (session->setting_up)
		session->setting_up = false;
	else
		session->query++;
	if (session->query < session->result->row_sets)
		send_query(session);
	else
		finish(session);
}

/* False where the session cannot go on. */
static bool take_answer(struct session *session, const PGresult *answer)
{
	switch (PQresultStatus(answer)) {
	case PGRES_SINGLE_TUPLE:
	case PGRES_TUPLES_OK:
		if (!session->setting_up)
			keep_cells(session, answer);
		return true;
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
	case PGRES_NONFATAL_ERROR:
		return true;
	case PGRES_FATAL_ERROR:
	case PGRES_BAD_RESPONSE:
		/* without its settings a session is not used: the deadline would not hold */
		if (session->setting_up)
			return false;
		query_failed(session, PQresultErrorMessage(answer),
			     PQresultErrorField(answer, PG_DIAG_SQLSTATE));
		return PQstatus(session->conn) == CONNECTION_OK;
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_COPY_BOTH:
	case PGRES_PIPELINE_SYNC:
	case PGRES_PIPELINE_ABORTED:
	default: /* a later libpq may know more */
		return false;
	}
}

static void on_query(struct loop_fd *watched, unsigned events, void *ctx)
{
	struct session *session = ctx;
	PGresult *answer;
	int flushed = PQflush(session->conn);

	(void)watched;
	if (((events & LOOP_READ) && !PQconsumeInput(session->conn)) || flushed < 0) {
		give_up_queries(session, PQerrorMessage(session->conn));
		return;
	}
	while (!PQisBusy(session->conn) && !session->run->rc) {
		bool good;

		answer = PQgetResult(session->conn);
		if (!answer) {
			next_query(session);
			return;
		}
		good = take_answer(session, answer);
		if (!good) {
			char *text = str_fmt("%s", PQerrorMessage(session->conn));

			PQclear(answer);
			give_up_queries(session, text && text[0] ? text : "unexpected answer");
			free(text);
			return;
		}
		PQclear(answer);
	}
	if (watch(session, flushed ? LOOP_READ | LOOP_WRITE : LOOP_READ, on_query))
		session->run->rc = ERR_FAIL;
}

static void logged_in(struct session *session)
{
	struct pg_result *result = session->result;
	size_t queries = session->run->items[session->item].query_count;

	session->logged_in = true;
	result->server_version = PQserverVersion(session->conn);
	say(session, PG_ACCEPTED, "logged in");
	result->rows = calloc(queries + 1, sizeof(*result->rows));
	if (!result->rows) {
		session->run->rc = err_nomem(session->run->err);
		finish(session);
		return;
	}
	result->row_sets = queries;
	(void)PQsetErrorVerbosity(session->conn, PQERRORS_DEFAULT);
	(void)PQsetnonblocking(session->conn, 1);
	session->setting_up = true;
	if (queries)
		send_query(session);
	else
		finish(session);
}

static void on_login(struct loop_fd *watched, unsigned events, void *ctx)
{
	struct session *session = ctx;
	PostgresPollingStatusType next;
	ConnStatusType status;

	(void)events;
	/* libpq may close this socket and get the same number for another one */
	loop_fd_del(watched);
	pg_env_enter(&session->run->env);
	next = PQconnectPoll(session->conn);
	pg_env_leave(&session->run->env);
	status = PQstatus(session->conn);
	if (PQsslInUse(session->conn) && (status == CONNECTION_AWAITING_RESPONSE ||
					  status == CONNECTION_AUTH_OK || status == CONNECTION_OK))
		session->tls_up = true;
	if (next == PGRES_POLLING_OK) {
		logged_in(session);
	} else if (next == PGRES_POLLING_FAILED) {
		login_failed(session);
	} else if (watch(session, next == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE,
			 on_login)) {
		session->run->rc = ERR_FAIL;
		finish(session);
	}
}

static void ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* NULL with the reason in err. */
static PGconn *connect_start(struct session *session, const char *address, struct err *err)
{
	struct run *run = session->run;
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
	conn = PQconnectStartParams(words, values, 0);
	pg_env_leave(&run->env);
	if (!conn) {
		(void)err_nomem(err);
		return NULL;
	}
	(void)PQsetNoticeProcessor(conn, ignore_notice, NULL);
	(void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	return conn;
}

static void attempt(struct session *session)
{
	struct run *run = session->run;
	const char *address = session->name->addresses[session->attempt].text;
	int64_t left = session->ends - loop_now(run->loop);
	struct err err = {0};

	session->tls_up = false;
	(void)strcpy(session->result->address, address);
	write_label(session, address);
	session->conn = connect_start(session, address, &err);
	if (!session->conn) {
		say(session, PG_LOCAL, err.msg);
		finish(session);
		return;
	}
	/* a first address that is silent must leave time for the others */
	loop_timer_set(run->loop, &session->timer,
		       left / (int64_t)(session->name->count - session->attempt), on_deadline,
		       session);
	if (PQstatus(session->conn) == CONNECTION_BAD) {
		login_failed(session);
	} else if (watch(session, LOOP_WRITE, on_login)) {
		run->rc = ERR_FAIL;
		finish(session);
	}
}

static void start_one(struct session *session)
{
	struct run *run = session->run;

	session->began = loop_now(run->loop);
	session->ends = session->began + run->options.deadline_ms;
	session->name = resolved_find(&run->resolved, host_of(&run->items[session->item]));
	if (session->name->count) {
		attempt(session);
		return;
	}
	write_label(session, "");
	say(session, PG_NO_ADDRESS, "");
	free(session->result->message);
	session->result->message = str_fmt("%s: no address: %s", session->label,
					   session->name->error);
	finish(session);
}

/* A login that fails at once comes back here through finish: hence the guard, not recursion. */
static void start_more(struct run *run)
{
	if (run->starting)
		return;
	run->starting = true;
	while (run->idle && run->next < run->count && !run->stopped && !run->rc) {
		struct session *session = run->idle;
		struct session fresh = {.run = run, .item = run->next++};

		run->idle = session->next;
		*session = fresh;
		session->result = &run->out->items[session->item];
		session->result->item = session->item;
		run->running++;
		start_one(session);
	}
	run->starting = false;
}

static bool over(void *ctx)
{
	struct run *run = ctx;

	return run->stopped || run->rc || (!run->running && run->next == run->count);
}

static void stop(struct loop_stopper *stopper, int count, void *ctx)
{
	struct run *run = ctx;

	(void)stopper;
	(void)count;
	run->stopped = true;
}

static void set_options(struct run *run, const struct pg_options *options)
{
	struct rlimit files;
	size_t most;

	if (options)
		run->options = *options;
	if (!run->options.limit)
		run->options.limit = PG_LIMIT;
	if (!run->options.deadline_ms)
		run->options.deadline_ms = PG_DEADLINE_MS;
	if (!run->options.statement_ms)
		run->options.statement_ms = PG_STATEMENT_MS;
	(void)snprintf(run->setup, sizeof(run->setup),
		       "SET statement_timeout = %lld; SET search_path = pg_catalog; "
		       "SET default_transaction_read_only = on",
		       (long long)run->options.statement_ms);
	if (run->options.limit > run->count)
		run->options.limit = run->count;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
		return;
	most = files.rlim_cur > 2 * DESCRIPTORS_KEPT ? (size_t)files.rlim_cur - DESCRIPTORS_KEPT
						     : (size_t)files.rlim_cur / 2;
	most /= DESCRIPTORS_EACH;
	if (run->options.limit > most)
		run->options.limit = most ? most : 1;
}

static int prepare(struct run *run, struct err *err)
{
	struct strs names = STRS_INIT;
	size_t limit = run->options.limit;
	int rc = 0;

	run->out->items = calloc(run->count + 1, sizeof(*run->out->items));
	run->sessions = calloc(limit + 1, sizeof(*run->sessions));
	if (!run->out->items || !run->sessions)
		return err_nomem(err);
	run->out->count = run->count;
	for (size_t i = 0; i < limit; i++) {
		run->sessions[i].run = run;
		run->sessions[i].next = run->idle;
		run->idle = &run->sessions[i];
	}
	for (size_t i = 0; i < run->count && !rc; i++)
		rc = strs_add(&names, host_of(&run->items[i]), err);
	if (!rc)
		rc = resolve_names(&run->resolved, run->loop, &names, run->options.deadline_ms,
				   err);
	strs_release(&names);
	return rc;
}

static int work(struct run *run, struct err *err)
{
	int rc;

	loop_on_stop(run->loop, &run->stopper, stop, run);
	start_more(run);
	rc = loop_run(run->loop, over, run, -1, err);
	loop_off_stop(&run->stopper);
	if (!rc)
		rc = run->rc;
	if (!rc && run->stopped)
		rc = err_set(err, ERR_STOPPED, "stopped while logins were tried");
	return rc;
}

int pg_logins_run(struct pg_results *out, struct loop *loop, const struct pg_item *items,
		  size_t count, const struct pg_options *options, struct err *err)
{
	struct run run = {.loop = loop, .items = items, .count = count, .out = out, .err = err};
	int rc;

	*out = (struct pg_results){0};
	set_options(&run, options);
	rc = pg_env_init(&run.env, err);
	if (!rc)
		rc = pg_files_init(&run.files, items, count, err);
	if (!rc)
		rc = prepare(&run, err);
	if (!rc)
		rc = work(&run, err);
	for (size_t i = 0; run.sessions && i < run.options.limit; i++)
		disconnect(&run.sessions[i]);
	for (size_t i = 0; i < out->count && !rc; i++) {
		if (!out->items[i].message)
			rc = err_nomem(err);
	}
	free(run.sessions);
	resolved_release(&run.resolved);
	pg_files_release(&run.files);
	pg_env_release(&run.env);
	if (rc)
		pg_results_release(out);
	return rc;
}

void pg_results_release(struct pg_results *results)
{
	for (size_t i = 0; i < results->count; i++) {
		struct pg_result *result = &results->items[i];

		for (size_t r = 0; r < result->row_sets; r++) {
			strs_release(&result->rows[r].cells);
			free(result->rows[r].error);
		}
		free(result->rows);
		free(result->message);
		free(result->server_message);
	}
	free(results->items);
	*results = (struct pg_results){0};
}
