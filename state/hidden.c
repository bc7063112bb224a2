/* SPDX-License-Identifier: PostgreSQL */
/* Servers that are clients themselves: what they say of it, and what is to be done. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "state/access_internal.h"

#define CHECK	       "hidden-client"
#define FINDINGS_SHOWN ((size_t)100)

static const char *const kind_names[HIDDEN__MAX] = {
	[HIDDEN_STANDBY] = "standby",
	[HIDDEN_SUBSCRIPTION] = "subscription",
	[HIDDEN_FOREIGN_SERVER] = "foreign-server",
};

const char *hidden_kind_name(enum hidden_kind kind)
{
	return kind_names[kind];
}

static void client_release(struct hidden_client *client)
{
	free(client->server);
	free(client->database);
	free(client->name);
	free(client->host);
	free(client->user);
	free(client->cert);
	free(client->key);
	free(client->root);
}

void hidden_clients_release(struct hidden_clients *clients)
{
	for (size_t i = 0; i < clients->count; i++)
		client_release(&clients->items[i]);
	free(clients->items);
	*clients = (struct hidden_clients){.items = NULL};
}

/* A URI writes some characters as %XX. */
static char *decoded(const char *text, bool uri)
{
	char *out = strdup(text), *to = out;

	for (; out && *text; text++) {
		if (uri && text[0] == '%' && isxdigit((unsigned char)text[1]) &&
		    isxdigit((unsigned char)text[2])) {
			char hex[3] = {text[1], text[2], '\0'};

			*to++ = (char)strtoul(hex, NULL, 16);
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	if (out)
		*to = '\0';
	return out;
}

/* parts: the column of the host; user, certificate, key and root follow, as in a URI or not. */
static int add(struct hidden_clients *out, enum hidden_kind kind, const char *server,
	       const char *database, const char *name, const struct pg_rows *rows, size_t row,
	       size_t parts, bool uri, struct err *err)
{
	struct hidden_client *client;

	if (out->count == out->cap) {
		size_t cap = out->cap ? out->cap * 2 : 16;
		struct hidden_client *items = realloc(out->items, cap * sizeof(*items));

		if (!items)
			return err_nomem(err);
		out->items = items;
		out->cap = cap;
	}
	client = &out->items[out->count];
	*client = (struct hidden_client){.kind = kind,
					 .server = strdup(server),
					 .database = strdup(database),
					 .name = strdup(name),
					 .host = decoded(access_text(rows, row, parts), uri),
					 .user = decoded(access_text(rows, row, parts + 1), uri),
					 .cert = decoded(access_text(rows, row, parts + 2), uri),
					 .key = decoded(access_text(rows, row, parts + 3), uri),
					 .root = decoded(access_text(rows, row, parts + 4), uri)};
	if (!client->server || !client->database || !client->name || !client->host ||
	    !client->user || !client->cert || !client->key || !client->root) {
		client_release(client);
		return err_nomem(err);
	}
	out->count++;
	return 0;
}

/* Without the right, pg_settings does not have the row at all. */
static int read_standby(struct hidden_clients *out, struct access_notes *notes,
			const struct access_answer *answer, struct err *err)
{
	const struct pg_rows *rows = access_rows(answer, ASK_STANDBY);
	bool may = access_text(access_rows(answer, ASK_LOGIN), 0, 2)[0] == 't';
	char *grant;
	int rc;

	if (rows->rows && !rows->error)
		return add(out, HIDDEN_STANDBY, answer->server, "", "", rows, 0, 0,
			   access_text(rows, 0, 5)[0] == 't', err);
	if (may && !rows->error)
		return 0;
	grant = str_fmt("as a superuser: GRANT pg_read_all_settings TO \"%s\"", answer->login);
	rc = grant ? access_note_add(notes, CHECK, "standby", answer->server, grant, err,
				     "primary_conninfo is not shown to user %s: whether it follows "
				     "another server, and with which certificate, is not known",
				     answer->login)
		   : err_nomem(err);
	free(grant);
	return rc;
}

static int read_subscriptions(struct hidden_clients *out, struct access_notes *notes,
			      const struct access_answer *answer, struct err *err)
{
	const struct pg_rows *rows = access_rows(answer, ASK_SUBSCRIPTIONS);
	const struct pg_rows *count = access_rows(answer, ASK_SUBSCRIPTION_COUNT);
	char *grant;
	int rc = 0;

	for (size_t i = 0; i < rows->rows && !rc && !rows->error; i++)
		rc = add(out, HIDDEN_SUBSCRIPTION, answer->server, access_text(rows, i, 0),
			 access_text(rows, i, 1), rows, i, 2, access_text(rows, i, 7)[0] == 't',
			 err);
	if (!rows->error || (!count->error && !strcmp(access_text(count, 0, 0), "0")))
		return rc;
	grant = str_fmt("as a superuser: GRANT SELECT (subconninfo) ON pg_subscription TO \"%s\"",
			answer->login);
	rc = grant ? access_note_add(notes, CHECK, "subscription", answer->server, grant, err,
				     "it has subscriptions; where they log in, and with which "
				     "certificate, is not shown to user %s",
				     answer->login)
		   : err_nomem(err);
	free(grant);
	return rc;
}

int hidden_read_foreign(struct hidden_clients *out, struct access_notes *notes, const char *server,
			const char *database, const char *login, const struct pg_rows *rows,
			struct err *err)
{
	char *place = access_note_place(server, database), *advice;
	bool kept = false;
	int rc = place ? 0 : err_nomem(err);

	if (!rc && rows->error)
		rc = access_note_add(notes, CHECK, rows->error, place, NULL, err,
				     "its foreign servers are not shown: %s", rows->error);
	for (size_t i = 0; i < rows->rows && !rc && !rows->error; i++) {
		kept |= access_text(rows, i, 6)[0] == 't';
		/* Without a path it is no client with a certificate that somebody gave it. */
		if (access_text(rows, i, 3)[0] || access_text(rows, i, 4)[0] ||
		    access_text(rows, i, 5)[0])
			rc = add(out, HIDDEN_FOREIGN_SERVER, server, database,
				 access_text(rows, i, 0), rows, i, 1, false, err);
	}
	if (rc || !kept) {
		free(place);
		return rc;
	}
	advice = str_fmt("as a superuser there: SELECT srvname, usename, umoptions FROM "
			 "pg_user_mappings; or make \"%s\" a member of the servers' owner",
			 login);
	rc = advice ? access_note_add(notes, CHECK, "mapping", place, advice, err,
				      "user mappings of its foreign servers are not shown to user "
				      "%s: they may name certificates",
				      login)
		    : err_nomem(err);
	free(advice);
	free(place);
	return rc;
}

int hidden_read(struct hidden_clients *out, struct strs *databases, struct access_notes *notes,
		const struct access_answer *answer, struct err *err)
{
	const struct pg_rows *rows = access_rows(answer, ASK_DATABASES);
	const char *database = access_text(access_rows(answer, ASK_LOGIN), 0, 1);
	int rc = read_standby(out, notes, answer, err);

	rc = rc ? rc : read_subscriptions(out, notes, answer, err);
	rc = rc ? rc
		: hidden_read_foreign(out, notes, answer->server, database, answer->login,
				      access_rows(answer, ASK_FOREIGN), err);
	for (size_t i = 0; i < rows->rows && !rc && !rows->error; i++)
		rc = strs_add(databases, access_text(rows, i, 0), err);
	return rc;
}

static void add_name(struct buf *buf, const struct hidden_client *client)
{
	if (client->kind == HIDDEN_STANDBY) {
		buf_adds(buf, "as a standby (primary_conninfo) it");
		return;
	}
	buf_addf(buf, "%s '%s' (database %s)",
		 client->kind == HIDDEN_SUBSCRIPTION ? "subscription" : "foreign server",
		 client->name, client->database);
}

void hidden_client_text(struct buf *buf, const struct hidden_client *client)
{
	add_name(buf, client);
	buf_addf(buf, " logs in to %s", client->host[0] ? client->host : "a server");
	if (client->user[0])
		buf_addf(buf, " as %s", client->user);
	if (client->cert[0] || client->key[0])
		buf_addf(buf, " with %s%s%s", client->cert[0] ? client->cert : "a key in",
			 client->cert[0] && client->key[0] ? " and "
			 : client->key[0]		   ? " "
							   : "",
			 client->key);
	else
		buf_adds(buf, " with the certificate in its account's ~/.postgresql, if any");
	if (client->root[0])
		buf_addf(buf, ", and trusts %s", client->root);
}

static void add_advice(struct buf *buf, const struct hidden_client *client, enum phase phase)
{
	const char *root = client->root[0] ? client->root : "~/.postgresql/root.crt";
	const char *cert = client->cert[0] ? client->cert : "~/.postgresql/postgresql.crt";

	if (phase == PHASE_TRUST)
		buf_addf(buf,
			 "see that the rollout of 'trust' brings both chains to %s there, before "
			 "servers are switched",
			 root);
	else
		buf_addf(buf,
			 "see that the rollout of 'clients' brings the new certificate to %s and "
			 "its key there: it is taken with the next connection",
			 cert);
}

int hidden_findings(struct findings *out, const struct hidden_clients *clients, enum phase phase,
		    struct err *err)
{
	int rc = 0;

	if (phase == PHASE__MAX)
		return 0;
	for (size_t i = 0; i < clients->count && i < FINDINGS_SHOWN && !rc; i++) {
		const struct hidden_client *client = &clients->items[i];
		char *subject = str_fmt("server %s", client->server);
		struct buf reason, advice;

		buf_init(&reason, (size_t)64 << 10);
		buf_init(&advice, (size_t)64 << 10);
		hidden_client_text(&reason, client);
		add_advice(&advice, client, phase);
		/* A standby is looked at afterwards: it has to stream. Others are not. */
		rc = subject ? findings_add(out, CHECK,
					    client->kind == HIDDEN_STANDBY ? SEVERITY_INFO
									   : SEVERITY_WARNING,
					    subject, advice.data, err, "%s", reason.data)
			     : err_nomem(err);
		buf_release(&reason);
		buf_release(&advice);
		free(subject);
	}
	if (!rc && clients->count > FINDINGS_SHOWN)
		rc = findings_add(out, CHECK, SEVERITY_WARNING, "others",
				  "'certrotate census --json' has them all", err,
				  "%zu more servers, subscriptions and foreign servers log in "
				  "elsewhere",
				  clients->count - FINDINGS_SHOWN);
	return rc;
}

struct json *hidden_clients_json(const struct hidden_clients *clients)
{
	struct json *list = js_new_array();

	for (size_t i = 0; i < clients->count; i++) {
		const struct hidden_client *client = &clients->items[i];
		struct json *entry = js_new_object();

		(void)js_set_str(entry, "kind", hidden_kind_name(client->kind));
		(void)js_set_str(entry, "server", client->server);
		(void)js_set_str(entry, "database", client->database);
		(void)js_set_str(entry, "name", client->name);
		(void)js_set_str(entry, "host", client->host);
		(void)js_set_str(entry, "user", client->user);
		(void)js_set_str(entry, "certificate", client->cert);
		(void)js_set_str(entry, "key", client->key);
		(void)js_set_str(entry, "root", client->root);
		(void)js_push(list, entry);
	}
	return list;
}
