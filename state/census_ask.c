/* SPDX-License-Identifier: PostgreSQL */
/* Asking the servers over the network. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/census_internal.h"
#include "base/strs.h"
#include "state/login.h"

#define ABOUT_COLUMNS	2
#define SESSION_COLUMNS 8

/* Whether this role is shown all sessions (a superuser is), and as whom the server knows us. */
static const char about_query[] = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),"
				  " (SELECT client_serial FROM pg_catalog.pg_stat_ssl"
				  " WHERE pid = pg_catalog.pg_backend_pid())";

/*
 * How long ago a session began, by the server's own clock: clocks need not agree. Background
 * workers and the like have a user too, but nobody logged in. PostgreSQL 13 to 18.
 */
static const char sessions_query[] =
	"SELECT a.usename, a.application_name, pg_catalog.host(a.client_addr), a.datname,"
	" a.backend_type, s.client_serial, s.ssl,"
	" pg_catalog.floor(extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start))"
	" FROM pg_catalog.pg_stat_activity AS a"
	" LEFT JOIN pg_catalog.pg_stat_ssl AS s ON s.pid = a.pid"
	" WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.usename IS NOT NULL"
	" AND a.backend_type IN ('client backend', 'walsender')";

static const char *const queries[] = {about_query, sessions_query};

struct census_server *census_new_server(struct census_asked *asked, const char *name,
					const char *address, unsigned port)
{
	struct census_server *server;

	if (asked->count == asked->cap) {
		size_t cap = asked->cap ? asked->cap * 2 : 16;
		struct census_server *items = realloc(asked->items, cap * sizeof(*items));

		if (!items)
			return NULL;
		asked->items = items;
		asked->cap = cap;
	}
	server = &asked->items[asked->count];
	*server = (struct census_server){.label = strdup(name),
					 .name = strdup(name),
					 .address = strdup(address ? address : ""),
					 .port = port};
	if (!server->label || !server->name || !server->address) {
		free(server->label);
		free(server->name);
		free(server->address);
		return NULL;
	}
	asked->count++;
	return server;
}

void census_asked_release(struct census_asked *asked)
{
	for (size_t i = 0; i < asked->count; i++) {
		struct census_server *server = &asked->items[i];

		free(server->label);
		free(server->name);
		free(server->address);
		free(server->why);
		free(server->advice);
		free(server->sessions);
	}
	free(asked->items);
	pg_results_release(&asked->answers[0]);
	pg_results_release(&asked->answers[1]);
	reports_release(&asked->reports);
	*asked = (struct census_asked){0};
}

int census_not_asked(struct census_server *server, const char *advice, struct err *err,
		     const char *why, ...)
{
	va_list ap;

	va_start(ap, why);
	server->why = str_vfmt(why, ap);
	va_end(ap);
	server->advice = advice ? strdup(advice) : NULL;
	return server->why && (!advice || server->advice) ? 0 : err_nomem(err);
}

static const char *advice_for(enum pg_outcome outcome)
{
	switch (outcome) {
	case PG_REFUSED_SERVER:
		return "let login.user (census --record: census.user) in from here in pg_hba.conf, "
		       "or "
		       "ask through Ansible: census.playbook in certrotate.yml";
	case PG_REFUSED_TLS:
		return "see with 'certrotate verify' whether the server has taken its CA bundle";
	case PG_NOT_TRUSTED:
	case PG_NAME_MISMATCH:
		return "see with 'certrotate verify' which certificate it serves";
	case PG_NOT_TLS:
		return "nobody shows it a certificate: set ssl = on, or take it out of the "
		       "endpoints";
	case PG_ACCEPTED:
	case PG_NO_ADDRESS:
	case PG_UNREACHABLE:
	case PG_TIMEOUT:
	case PG_TLS_FAILED:
	case PG_CLOSED:
	case PG_LOCAL:
	case PG_OUTCOME__MAX:
		break;
	}
	return "start it, or name the right address and port in certrotate.yml's endpoints";
}

static int take_sessions(struct census_server *server, const struct pg_rows *rows, int64_t now,
			 struct err *err)
{
	if (rows->error)
		return census_not_asked(server, NULL, err, "pg_stat_activity: %s", rows->error);
	if (rows->cut)
		return census_not_asked(server, NULL, err,
					"it has more than %zu sessions, too many to count",
					rows->rows);
	if (rows->rows && rows->columns != SESSION_COLUMNS)
		return census_not_asked(server, NULL, err,
					"pg_stat_activity: the answer has %zu columns",
					rows->columns);
	server->sessions = calloc(rows->rows + 1, sizeof(*server->sessions));
	if (!server->sessions)
		return err_nomem(err);
	for (size_t i = 0; i < rows->rows; i++) {
		const struct strs *cells = &rows->cells;
		size_t at = i * rows->columns;

		server->sessions[server->count++] = (struct census_session){
			.user = cells->items[at],
			.application = cells->items[at + 1],
			.address = cells->items[at + 2],
			.database = cells->items[at + 3],
			.backend = cells->items[at + 4],
			.serial = cells->items[at + 5],
			.tls = cells->items[at + 6][0] == 't',
			.since = now - strtoll(cells->items[at + 7], NULL, 10),
		};
	}
	return 0;
}

int census_take_answer(struct census_server *server, const struct pg_result *result,
		       const struct census_login *login, int64_t now, struct err *err)
{
	const struct pg_rows *about = result->rows;
	const char *sees_all, *serial;

	if (result->outcome != PG_ACCEPTED)
		return census_not_asked(server, advice_for(result->outcome), err, "%s",
					result->message);
	if (about->error)
		return census_not_asked(server, NULL, err, "what user %s may see: %s", login->user,
					about->error);
	sees_all = pg_cell(about, 0, 0);
	serial = pg_cell(about, 0, 1);
	if (!sees_all || !serial)
		return census_not_asked(server, NULL, err, "it does not say what user %s may see",
					login->user);
	/* The certificate that we showed ended elsewhere: the sessions are another server's. */
	if (strcmp(serial, cert_serial_decimal(login->cert)) != 0) {
		server->pooler = true;
		return 0;
	}
	if (sees_all[0] != 't') {
		char *grant = str_fmt("as a superuser: GRANT pg_read_all_stats TO \"%s\"",
				      login->user);
		int rc = grant ? census_not_asked(server, grant, err,
						  "user %s sees its own sessions only: nobody is "
						  "counted",
						  login->user)
			       : err_nomem(err);

		free(grant);
		return rc;
	}
	return take_sessions(server, &result->rows[1], now, err);
}

/* One login each; again gets the servers that refused this one's certificate. */
static int ask(struct census_asked *asked, struct pg_results *answers, struct session *session,
	       const struct target *target, const struct census_login *login, const size_t *which,
	       size_t count, size_t *again, size_t *again_count, struct err *err)
{
	struct pg_item *items = calloc(count + 1, sizeof(*items));
	struct loop *loop = NULL;
	int64_t now;
	int rc = items ? loop_new(&loop, session->sys, session->stop, err) : err_nomem(err);

	for (size_t i = 0; i < count && !rc; i++) {
		const struct census_server *server = &asked->items[which[i]];

		items[i] = (struct pg_item){.name = server->name,
					    .address = server->address,
					    .port = server->port,
					    .user = login->user,
					    .database = session->env->login_database,
					    .cert_pem = login->cert_pem,
					    .key = login->key,
					    .roots_pem = login_bundle(target, server->name),
					    .queries = queries,
					    .query_count = sizeof(queries) / sizeof(queries[0])};
	}
	log_progress(session->log, "census: asking %zu server%s", count, count == 1 ? "" : "s");
	rc = rc ? rc : pg_logins_run(answers, loop, items, count, NULL, err);
	log_progress(session->log, "%s", "");
	now = session->sys->now(session->sys);
	for (size_t i = 0; i < answers->count && !rc; i++) {
		const struct pg_result *result = &answers->items[i];
		size_t at = which[result->item];

		if (result->outcome == PG_REFUSED_TLS && again)
			again[(*again_count)++] = at;
		else
			rc = census_take_answer(&asked->items[at], result, login, now, err);
	}
	loop_free(loop);
	free(items);
	return rc;
}

int census_ask_network(struct census_asked *asked, struct session *session,
		       const struct target *target, const struct census_login *logins,
		       size_t login_count, struct err *err)
{
	size_t *all = calloc(asked->count + 1, sizeof(*all));
	size_t *again = calloc(asked->count + 1, sizeof(*again));
	size_t again_count = 0;
	int rc = all && again ? 0 : err_nomem(err);

	for (size_t i = 0; i < asked->count && !rc; i++)
		all[i] = i;
	if (!rc)
		rc = ask(asked, &asked->answers[0], session, target, &logins[0], all, asked->count,
			 login_count > 1 ? again : NULL, &again_count, err);
	if (!rc && again_count)
		rc = ask(asked, &asked->answers[1], session, target, &logins[1], again, again_count,
			 NULL, NULL, err);
	free(all);
	free(again);
	return rc;
}
