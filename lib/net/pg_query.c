/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/pg_impl.h"

static void on_query(struct loop_fd *watch, unsigned events, void *ctx);

/* An error of the query under way; the session may go on. */
static void query_failed(struct pg_session *session, const char *text, const char *sqlstate)
{
	struct pg_rows *rows = &session->result->rows[session->query];
	struct buf buf;

	if (rows->error)
		return;
	buf_init(&buf, (size_t)4 * PG_TEXT_MAX + 1);
	buf_add_safe(&buf, text, pg_line_len(text));
	rows->error = buf_detach(&buf);
	if (sqlstate)
		(void)strncpy(rows->sqlstate, sqlstate, sizeof(rows->sqlstate) - 1);
	if (!rows->error && !session->run->rc)
		session->run->rc = err_nomem(session->run->err);
}

void pg_give_up(struct pg_session *session, const char *text)
{
	for (; session->query < session->result->row_sets; session->query++)
		query_failed(session, text, NULL);
	pg_finish(session);
}

static void keep_cells(struct pg_session *session, const PGresult *answer)
{
	struct pg_rows *rows = &session->result->rows[session->query];
	size_t columns = (size_t)session->pq->PQnfields(answer);
	struct err *err = session->run->err;
	int rc = 0;

	rows->columns = columns;
	for (int r = 0; r < session->pq->PQntuples(answer) && !rc; r++) {
		size_t kept = rows->cells.count;

		if (rows->rows >= PG_ROWS_MAX || session->row_bytes > PG_RESULT_MAX) {
			rows->cut = true;
			return;
		}
		for (int c = 0; c < (int)columns && !rc; c++) {
			rc = strs_addf(&rows->cells, err, "%.*s", PG_CELL_MAX,
				       session->pq->PQgetvalue(answer, r, c));
			if (!rc)
				session->row_bytes += strlen(rows->cells.items[kept + (size_t)c]);
		}
		rows->rows++;
	}
	if (rc)
		session->run->rc = rc;
}

/*
 * The settings go with each query, in one message: the server then runs both in one transaction of
 * its own, and SET LOCAL ends with it. A setting of the session would stay behind in a pooler's
 * connection, for whoever gets that next.
 */
void pg_send_query(struct pg_session *session)
{
	const struct pg_item *item = &session->run->items[session->item];
	char *text = str_fmt("%s%s", session->run->setup, item->queries[session->query]);
	int sent;

	if (!text) {
		session->run->rc = err_nomem(session->run->err);
		pg_finish(session);
		return;
	}
	session->row_bytes = 0;
	pg_env_enter(&session->run->env);
	sent = session->pq->PQsendQuery(session->conn, text);
	if (sent)
		(void)session->pq->PQsetSingleRowMode(session->conn);
	pg_env_leave(&session->run->env);
	free(text);
	if (!sent) {
		pg_give_up(session, session->pq->PQerrorMessage(session->conn));
		return;
	}
	if (pg_watch(session, LOOP_READ | LOOP_WRITE, on_query)) {
		session->run->rc = ERR_FAIL;
		pg_finish(session);
	}
}

static void next_query(struct pg_session *session)
{
	session->query++;
	if (session->query < session->result->row_sets)
		pg_send_query(session);
	else
		pg_finish(session);
}

/* False where the session cannot go on. */
static bool take_answer(struct pg_session *session, const PGresult *answer)
{
	switch (session->pq->PQresultStatus(answer)) {
	case PGRES_SINGLE_TUPLE:
	case PGRES_TUPLES_OK:
		keep_cells(session, answer);
		return true;
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
	case PGRES_NONFATAL_ERROR:
		return true;
	case PGRES_FATAL_ERROR:
	case PGRES_BAD_RESPONSE:
		query_failed(session, session->pq->PQresultErrorMessage(answer),
			     session->pq->PQresultErrorField(answer, PG_DIAG_SQLSTATE));
		return session->pq->PQstatus(session->conn) == CONNECTION_OK;
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
	struct pg_session *session = ctx;
	PGresult *answer;
	int flushed = session->pq->PQflush(session->conn);

	(void)watched;
	if (((events & LOOP_READ) && !session->pq->PQconsumeInput(session->conn)) || flushed < 0) {
		pg_give_up(session, session->pq->PQerrorMessage(session->conn));
		return;
	}
	while (!session->pq->PQisBusy(session->conn) && !session->run->rc) {
		bool good;

		answer = session->pq->PQgetResult(session->conn);
		if (!answer) {
			next_query(session);
			return;
		}
		good = take_answer(session, answer);
		if (!good) {
			char *text = str_fmt("%s", session->pq->PQerrorMessage(session->conn));

			session->pq->PQclear(answer);
			pg_give_up(session, text && text[0] ? text : "unexpected answer");
			free(text);
			return;
		}
		session->pq->PQclear(answer);
	}
	if (pg_watch(session, flushed ? LOOP_READ | LOOP_WRITE : LOOP_READ, on_query))
		session->run->rc = ERR_FAIL;
}
