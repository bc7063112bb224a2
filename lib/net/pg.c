/* SPDX-License-Identifier: PostgreSQL */
#include "net/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/limit.h"
#include "net/pg_impl.h"

#define DESCRIPTORS_EACH 5 /* socket, three files, and one that libpq opens for a moment */

static void start_more(struct pg_run *run);

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

void pg_label(struct pg_session *session, const char *address)
{
	const struct pg_item *item = &session->run->items[session->item];
	char *out = session->label;

	(void)snprintf(out, PG_LABEL_SIZE, strchr(item->name, ':') ? "[%.250s]:%u" : "%.250s:%u",
		       item->name, item->port);
	if (address[0] && strcmp(address, item->name) != 0)
		(void)snprintf(out + strlen(out), PG_LABEL_SIZE - strlen(out), " (%s)", address);
	(void)snprintf(out + strlen(out), PG_LABEL_SIZE - strlen(out), " as %.100s", item->user);
}

size_t pg_line_len(const char *text)
{
	size_t len = strcspn(text, "\n");

	return len > PG_TEXT_MAX ? PG_TEXT_MAX : len;
}

void pg_say(struct pg_session *session, enum pg_outcome outcome, const char *text)
{
	struct buf buf;

	buf_init(&buf, PG_LABEL_SIZE + (size_t)4 * PG_TEXT_MAX + 4);
	buf_addf(&buf, "%s: ", session->label);
	buf_add_safe(&buf, text, pg_line_len(text));
	session->result->outcome = outcome;
	free(session->result->message);
	session->result->message = buf_detach(&buf);
}

void pg_finish(struct pg_session *session)
{
	struct pg_run *run = session->run;

	pg_disconnect(session);
	if (session->result->message)
		session->result->reason = session->result->message + strlen(session->label) + 2;
	session->result->elapsed_ms = loop_now(run->loop) - session->began;
	pg_files_done(&run->files, session->item);
	session->next = run->idle;
	run->idle = session;
	run->running--;
	start_more(run);
}

static void start_one(struct pg_session *session)
{
	struct pg_run *run = session->run;

	session->began = loop_now(run->loop);
	session->ends = session->began + run->options.deadline_ms;
	session->name = resolved_find(&run->resolved, host_of(&run->items[session->item]));
	if (session->name->count) {
		pg_attempt(session);
		return;
	}
	pg_label(session, "");
	pg_say(session, PG_NO_ADDRESS, "");
	free(session->result->message);
	session->result->message = str_fmt("%s: no address: %s", session->label,
					   session->name->error);
	pg_finish(session);
}

/* A login that fails at once comes back here through finish: hence the guard, not recursion. */
static void start_more(struct pg_run *run)
{
	if (run->starting)
		return;
	run->starting = true;
	while (run->idle && run->next < run->count && !run->stopped && !run->rc) {
		struct pg_session *session = run->idle;
		struct pg_session fresh = {.run = run, .pq = run->pq, .item = run->next++};

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
	struct pg_run *run = ctx;

	return run->stopped || run->rc || (!run->running && run->next == run->count);
}

static void stop(struct loop_stopper *stopper, int count, void *ctx)
{
	struct pg_run *run = ctx;

	(void)stopper;
	(void)count;
	run->stopped = true;
}

static void set_options(struct pg_run *run, const struct pg_options *options)
{
	if (options)
		run->options = *options;
	if (!run->options.limit)
		run->options.limit = PG_LIMIT;
	if (!run->options.deadline_ms)
		run->options.deadline_ms = PG_DEADLINE_MS;
	if (!run->options.statement_ms)
		run->options.statement_ms = PG_STATEMENT_MS;
	(void)snprintf(run->setup, sizeof(run->setup),
		       "SET LOCAL statement_timeout = %lld; SET LOCAL search_path = pg_catalog; "
		       "SET LOCAL transaction_read_only = on; ",
		       (long long)run->options.statement_ms);
	if (run->options.limit > run->count)
		run->options.limit = run->count;
	run->options.limit = net_limit(run->options.limit, DESCRIPTORS_EACH);
}

static int prepare(struct pg_run *run, struct err *err)
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

static int work(struct pg_run *run, struct err *err)
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
	struct pg_run run = {.loop = loop, .items = items, .count = count, .out = out, .err = err};
	int rc;

	*out = (struct pg_results){0};
	set_options(&run, options);
	run.pq = pq_library(err);
	if (!run.pq)
		return ERR_FAIL;
	rc = pg_env_init(&run.env, err);
	if (!rc)
		rc = pg_files_init(&run.files, items, count, err);
	if (!rc)
		rc = prepare(&run, err);
	if (!rc)
		rc = work(&run, err);
	for (size_t i = 0; run.sessions && i < run.options.limit; i++)
		pg_disconnect(&run.sessions[i]);
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
