/* SPDX-License-Identifier: PostgreSQL */
/* One round: the probes, the logins, and again probes where a login gave no answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/login.h"
#include "state/verify_impl.h"

/* In whose name somebody without a certificate knocks: the one who logs in with one. */
static const char *login_name(const struct look *look)
{
	const char *user = look->session->env->login_user;
	const struct gen_leaf *leaf = login_client_leaf(look->in->new_gen, user);

	leaf = leaf ? leaf : login_client_leaf(look->in->old_gen, user);
	return leaf ? leaf->name : user;
}

static int set_target(struct probe_target *target, const struct look *look,
		      const struct endpoint *endpoint, struct err *err)
{
	target->name = endpoint->name;
	target->address = endpoint->address;
	target->port = endpoint->port;
	target->database = look->session->env->login_database;
	target->trust_pem = login_bundle(look->in->target, endpoint->name);
	return probe_protocol_parse(&target->protocol, endpoint_protocol_name(endpoint->protocol),
				    err);
}

static int forget(struct look *look, struct err *err)
{
	for (size_t i = 0; i < look->due_count; i++) {
		struct subject *subject = &look->subjects[look->due[i]];
		struct subject fresh = {.endpoint = subject->endpoint,
					.place = subject->place,
					.alone = subject->alone,
					.leaves = js_new_array(),
					.logins = js_new_array()};

		findings_release(&subject->findings);
		js_free(subject->leaves);
		js_free(subject->logins);
		*subject = fresh;
		if (!fresh.leaves || !fresh.logins)
			return err_nomem(err);
	}
	return 0;
}

/* What is served and announced, and what becomes of somebody without a certificate. */
static int look_at_leaves(struct look *look, struct err *err)
{
	struct probe_target *targets = calloc(look->due_count + 1, sizeof(*targets));
	const char *user = look->in->no_login ? NULL : login_name(look);
	struct probe_results results = {0};
	int rc = targets ? 0 : err_nomem(err);

	for (size_t i = 0; i < look->due_count && !rc; i++) {
		rc = set_target(&targets[i], look, look->subjects[look->due[i]].endpoint, err);
		targets[i].user = user;
	}
	if (!rc)
		rc = probe_run(&results, look->loop, targets, look->due_count, NULL, err);
	for (size_t i = 0; i < results.count && !rc; i++)
		look->subjects[look->due[results.items[i].target]].addresses++;
	for (size_t i = 0; i < results.count && !rc; i++)
		rc = judge_leaf(look, &look->subjects[look->due[results.items[i].target]],
				&results.items[i], err);
	probe_results_release(&results);
	free(targets);
	return rc;
}

/* Who does not answer is named once, and not knocked at again. */
static size_t plan_attempts(struct attempt *attempts, const struct look *look)
{
	static const enum check both[] = {CHECK_OLD_CLIENT, CHECK_NEW_CLIENT};
	const char *user = look->session->env->login_user;
	const struct gen_leaf *leaves[] = {login_client_leaf(look->in->old_gen, user),
					   login_client_leaf(look->in->new_gen, user)};
	size_t count = 0;

	for (size_t i = 0; i < look->due_count && !look->in->no_login; i++) {
		const struct subject *subject = &look->subjects[look->due[i]];

		if (!subject->answered || subject->foreign)
			continue;
		for (size_t g = 0; g < 2; g++) {
			if (leaves[g] && look_wants(look, both[g]) != WANT_NOTHING)
				attempts[count++] = (struct attempt){look->due[i], both[g],
								     leaves[g], false};
		}
	}
	return count;
}

static struct json *login_json(const struct look *look, const struct attempt *attempt,
			       const char *by, const char *outcome)
{
	struct json *entry = js_new_object();

	(void)js_set_str(entry, "endpoint", look->subjects[attempt->subject].place);
	(void)js_set_str(entry, "generation", attempt->check == CHECK_OLD_CLIENT ? "old" : "new");
	(void)js_set_str(entry, "user", attempt->leaf->name);
	(void)js_set_str(entry, "by", by);
	(void)js_set_str(entry, "outcome", outcome);
	return entry;
}

static enum client_word word_of_login(const struct subject *subject, const struct pg_result *result)
{
	switch (result->outcome) {
	case PG_ACCEPTED:
	case PG_REFUSED_SERVER:
		return subject->asks ? CLIENT_IN : CLIENT_NOT_ASKED;
	case PG_REFUSED_TLS:
		return CLIENT_OUT;
	case PG_NOT_TRUSTED:
	case PG_NAME_MISMATCH:
	case PG_NO_ADDRESS:
	case PG_UNREACHABLE:
	case PG_TIMEOUT:
	case PG_NOT_TLS:
	case PG_TLS_FAILED:
	case PG_CLOSED:
	case PG_LOCAL:
	case PG_OUTCOME__MAX:
		break;
	}
	return CLIENT_UNKNOWN;
}

/* The certificate is good, the user is not: what the server says of itself cannot be asked for. */
static int judge_refused_user(struct subject *subject, const struct attempt *attempt,
			      const struct pg_result *result, struct err *err)
{
	if (subject->turned_away)
		return 0;
	subject->turned_away = true;
	if (subject->unable) {
		verify_outcome(subject, attempt->check, false);
		return verify_say(subject, attempt->check, check_severity(attempt->check), NULL,
				  "set ssl_ca_file there and reload it", err,
				  "pg_hba.conf demands a client certificate, but the server asks "
				  "for none: it has loaded no ssl_ca_file");
	}
	return verify_say(subject, attempt->check, SEVERITY_WARNING, NULL,
			  "set login.user in certrotate.yml to a user that pg_hba.conf lets in "
			  "from here",
			  err,
			  "the login of user %s is refused for another reason than its certificate "
			  "(%s): replication and archiving cannot be looked at",
			  attempt->leaf->name,
			  result->server_message ? result->server_message : result->reason);
}

static int judge_login(struct look *look, struct attempt *attempt, const struct pg_result *result,
		       struct err *err)
{
	struct subject *subject = &look->subjects[attempt->subject];
	enum client_word word = word_of_login(subject, result);
	struct json *entry = login_json(look, attempt, "login", pg_outcome_name(result->outcome));
	bool out = look_wants(look, attempt->check) == WANT_OUT;
	int rc = 0;

	subject->login_count++;
	attempt->settled = word != CLIENT_UNKNOWN;
	if (attempt->settled)
		rc = judge_client(look, subject, attempt, word, result->address, result->reason,
				  err);
	else
		(void)js_set_str(entry, "reason", result->reason);
	if (!rc && result->outcome == PG_ACCEPTED && !subject->looked_inside)
		rc = judge_server(look, subject, &result->rows[0], entry, err);
	else if (!rc && result->outcome == PG_REFUSED_SERVER && !out)
		rc = judge_refused_user(subject, attempt, result, err);
	if (js_push(subject->logins, entry) && !rc)
		rc = err_nomem(err);
	return rc;
}

/* Logins with libpq, of the attempts at PostgreSQL servers. */
static int try_logins(struct look *look, struct attempt *attempts, size_t count, struct err *err)
{
	struct pg_item *items = calloc(count + 1, sizeof(*items));
	size_t *attempt_of = calloc(count + 1, sizeof(*attempt_of));
	const char *const queries[] = {pg_status_query()};
	struct pg_results results = {0};
	size_t used = 0;
	int rc = items && attempt_of ? 0 : err_nomem(err);

	for (size_t i = 0; i < count && !rc; i++) {
		const struct endpoint *endpoint = look->subjects[attempts[i].subject].endpoint;
		const struct gen_leaf *leaf = attempts[i].leaf;

		if (endpoint->protocol == ENDPOINT_TLS)
			continue;
		items[used] = (struct pg_item){
			.name = endpoint->name,
			.address = endpoint->address,
			.port = endpoint->port,
			.user = leaf->name,
			.database = look->session->env->login_database,
			.cert_pem = leaf->pem,
			.key = &leaf->key,
			.roots_pem = login_bundle(look->in->target, endpoint->name),
			.queries = queries,
			.query_count = 1};
		attempt_of[used++] = i;
	}
	if (!rc && used)
		rc = pg_logins_run(&results, look->loop, items, used, NULL, err);
	for (size_t i = 0; i < results.count && !rc; i++)
		rc = judge_login(look, &attempts[attempt_of[results.items[i].item]],
				 &results.items[i], err);
	pg_results_release(&results);
	free(items);
	free(attempt_of);
	return rc;
}

static enum client_word word_of_probe(const struct probe_result *result)
{
	switch (result->client) {
	case PROBE_CLIENT_ACCEPTED:
		return CLIENT_IN;
	case PROBE_CLIENT_REFUSED:
		return CLIENT_OUT;
	case PROBE_CLIENT_NOT_ASKED:
		return CLIENT_NOT_ASKED;
	case PROBE_CLIENT_NONE:
	case PROBE_CLIENT_NOT_SENT:
	case PROBE_CLIENT_UNKNOWN:
	case PROBE_CLIENT__MAX:
		break;
	}
	return CLIENT_UNKNOWN;
}

static int judge_probe(struct look *look, const struct attempt *attempt,
		       const struct probe_result *result, struct err *err)
{
	struct subject *subject = &look->subjects[attempt->subject];
	struct json *entry = login_json(look, attempt, "probe", probe_client_name(result->client));
	enum client_word word = word_of_probe(result);
	char refused[96];
	int rc;

	/* In the words of a login, so that both count as one. */
	(void)snprintf(refused, sizeof(refused), "client certificate refused: %s", result->alert);
	(void)js_set_str(entry, "address", result->address);
	rc = js_push(subject->logins, entry) ? err_nomem(err) : 0;
	subject->login_count += subject->endpoint->protocol == ENDPOINT_TLS;
	return rc ? rc
		  : judge_client(look, subject, attempt, word, result->address,
				 word == CLIENT_OUT ? refused : result->reason, err);
}

/*
 * The prober's word where libpq has none: for services that are no PostgreSQL, and where a login
 * ended before the client certificate was its turn (libpq goes no further where it does not trust
 * the server; the prober does).
 */
static int probe_clients(struct look *look, const struct attempt *attempts, size_t count,
			 struct err *err)
{
	struct probe_target *targets = calloc(count + 1, sizeof(*targets));
	size_t *attempt_of = calloc(count + 1, sizeof(*attempt_of));
	struct probe_results results = {0};
	size_t used = 0;
	int rc = targets && attempt_of ? 0 : err_nomem(err);

	for (size_t i = 0; i < count && !rc; i++) {
		const struct attempt *attempt = &attempts[i];

		if (attempt->settled)
			continue;
		rc = set_target(&targets[used], look, look->subjects[attempt->subject].endpoint,
				err);
		targets[used].cert_pem = attempt->leaf->pem;
		targets[used].key = &attempt->leaf->key;
		targets[used].user = attempt->leaf->name;
		attempt_of[used++] = i;
	}
	if (!rc && used)
		rc = probe_run(&results, look->loop, targets, used, NULL, err);
	for (size_t i = 0; i < results.count && !rc; i++)
		rc = judge_probe(look, &attempts[attempt_of[results.items[i].target]],
				 &results.items[i], err);
	probe_results_release(&results);
	free(targets);
	free(attempt_of);
	return rc;
}

int verify_look(struct look *look, struct err *err)
{
	struct attempt *attempts = calloc(look->due_count * 2 + 1, sizeof(*attempts));
	size_t count = 0;
	int rc = attempts ? forget(look, err) : err_nomem(err);

	rc = rc ? rc : look_at_leaves(look, err);
	if (!rc)
		count = plan_attempts(attempts, look);
	rc = rc ? rc : try_logins(look, attempts, count, err);
	rc = rc ? rc : probe_clients(look, attempts, count, err);
	free(attempts);
	return rc;
}
