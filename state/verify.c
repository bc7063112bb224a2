/* SPDX-License-Identifier: PostgreSQL */
#include "state/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/pg.h"
#include "net/probe.h"
#include "state/login.h"

#define PAUSE_MS 400

/* One round of looking, thrown away when a later one is made. */
struct round {
	struct session *session;
	const struct verify_input *in;
	struct loop *loop;
	struct endpoints endpoints; /* those that are looked at */
	size_t found;		    /* and those behind them, which are skipped */
	struct findings findings;
	struct json *evidence;
	struct strs names; /* "host:port" of each endpoint, for evidence */
	struct seen {
		bool answered;	  /* with a certificate, at one of its addresses at least */
		bool replication; /* it was asked for its replication */
	} * seen;		  /* of each endpoint */
	size_t logins;
	bool differs; /* something that time may mend */
};

static int add(struct round *round, const char *check, enum severity severity, const char *subject,
	       const char *advice, struct err *err, const char *reason)
{
	if (severity == SEVERITY_BLOCK)
		round->differs = true;
	return findings_add(&round->findings, check, severity, subject, advice, err, "%s", reason);
}

static int wrong_leaf(struct round *round, const struct endpoint *endpoint,
		      const struct probe_result *result, const struct gen_leaf *want,
		      struct err *err)
{
	const struct verify_input *in = round->in;
	const struct gen_leaf *older = login_server_leaf(in->old_gen, endpoint->name);
	const struct gen_leaf *newer = login_server_leaf(in->new_gen, endpoint->name);
	const char *which = "a certificate of neither generation";
	char *reason;
	int rc;

	if (older && cert_equal(older->cert, result->leaf))
		which = "the old certificate";
	else if (newer && cert_equal(newer->cert, result->leaf))
		which = "the new certificate";
	reason = str_fmt("%s:%u (%s) serves %s (serial %s, until it serves serial %s)",
			 endpoint->name, endpoint->port, result->address, which,
			 cert_serial_hex(result->leaf), cert_serial_hex(want->cert));
	rc = reason ? add(round, "leaf-served", SEVERITY_BLOCK, endpoint->name,
			  "the server has not taken its files: read its log for 'SSL configuration "
			  "was not reloaded', and see that the rollout reached it",
			  err, reason)
		    : err_nomem(err);
	free(reason);
	return rc;
}

static int judge_leaf(struct round *round, const struct endpoint *endpoint,
		      const struct probe_result *result, struct err *err)
{
	const struct gen_leaf *want = login_served(round->in->target, endpoint->name);
	int rc = 0;

	if (result->outcome != PROBE_CONNECTED && !result->leaf)
		return add(round, "endpoint", SEVERITY_BLOCK, endpoint->name,
			   "start it, or name the right address and port in certrotate.yml's "
			   "endpoints; or leave the host out: --waive 'hosts=NAME:REASON'",
			   err, result->message);
	if (!want) {
		rc = findings_add(&round->findings, "leaf-unknown", SEVERITY_INFO, endpoint->name,
				  NULL, err, "no certificate of that name in the inventory");
	} else if (!cert_equal(want->cert, result->leaf)) {
		rc = wrong_leaf(round, endpoint, result, want, err);
	}
	if (!rc && !result->trusted) {
		char *reason = str_fmt("%s:%u (%s): clients with today's bundle refuse it: %s",
				       endpoint->name, endpoint->port, result->address,
				       result->verify_error);

		rc = reason ? add(round, "leaf-trusted", SEVERITY_BLOCK, endpoint->name,
				  "see which certificate it serves, and who changed it", err,
				  reason)
			    : err_nomem(err);
		free(reason);
	} else if (!rc && !result->name_matches) {
		rc = findings_add(&round->findings, "leaf-name", SEVERITY_WARNING, endpoint->name,
				  "clients with sslmode=verify-full refuse it under this name", err,
				  "the certificate that it serves is not made out for that name");
	}
	return rc;
}

static int probe_leaves(struct round *round, struct err *err)
{
	struct probe_target *targets = calloc(round->endpoints.count + 1, sizeof(*targets));
	struct probe_results results = {0};
	int rc = targets ? 0 : err_nomem(err);

	for (size_t i = 0; i < round->endpoints.count && !rc; i++) {
		const struct endpoint *endpoint = &round->endpoints.items[i];

		targets[i].name = endpoint->name;
		targets[i].address = endpoint->address;
		targets[i].port = endpoint->port;
		rc = probe_protocol_parse(&targets[i].protocol,
					  endpoint_protocol_name(endpoint->protocol), err);
		targets[i].trust_pem = login_bundle(round->in->target, endpoint->name);
	}
	if (!rc)
		rc = probe_run(&results, round->loop, targets, round->endpoints.count, NULL, err);
	for (size_t i = 0; i < results.count && !rc; i++) {
		const struct probe_result *result = &results.items[i];
		const struct endpoint *endpoint = &round->endpoints.items[result->target];
		struct json *entry = js_new_object();

		round->seen[result->target].answered |= result->leaf != NULL;
		rc = judge_leaf(round, endpoint, result, err);
		(void)js_set_str(entry, "endpoint", round->names.items[result->target]);
		(void)js_set_str(entry, "address", result->address);
		(void)js_set_str(entry, "outcome", probe_outcome_name(result->outcome));
		(void)js_set_str(entry, "serial",
				 result->leaf ? cert_serial_hex(result->leaf) : NULL);
		(void)js_set_str(entry, "tls", result->version);
		(void)js_push(js_get(round->evidence, "leaves"), entry);
	}
	probe_results_release(&results);
	free(targets);
	return rc;
}

struct login {
	size_t endpoint;
	const struct gen_leaf *leaf;
	const char *generation; /* "old", "new" */
	enum want want;
};

/* By the first of an endpoint's logins that gets in. */
static int judge_replication(struct round *round, size_t index, const struct pg_result *result,
			     struct json *entry, struct err *err)
{
	const struct endpoint *endpoint = &round->endpoints.items[index];
	struct pg_status status;
	struct err unread = {0};

	if (round->seen[index].replication)
		return 0;
	round->seen[index].replication = true;
	if (pg_status_read(&status, &result->rows[0], &unread))
		return findings_add(&round->findings, "replication", SEVERITY_WARNING,
				    endpoint->name, NULL, err,
				    "logged in, but its state cannot be asked for: %s", unread.msg);
	(void)js_set_str(entry, "role", status.in_recovery ? "standby" : "primary");
	(void)js_set_str(entry, "client_serial", status.client_serial);
	if (!status.in_recovery) {
		(void)js_set_int(entry, "standbys_streaming", status.replicas_streaming);
		return 0;
	}
	(void)js_set_bool(entry, "streams", status.streaming);
	if (status.streaming)
		return 0;
	if (!status.full_view)
		return findings_add(&round->findings, "replication", SEVERITY_INFO, endpoint->name,
				    "grant pg_read_all_stats to the login user", err,
				    "a standby; whether it streams is not shown to this user");
	return add(round, "replication", SEVERITY_BLOCK, endpoint->name,
		   "read the standby's log: its walreceiver cannot log in, or the primary is down",
		   err, "the standby does not stream");
}

static int judge_login(struct round *round, const struct login *login,
		       const struct pg_result *result, struct json *entry, struct err *err)
{
	const struct endpoint *endpoint = &round->endpoints.items[login->endpoint];
	bool in = result->outcome == PG_ACCEPTED || result->outcome == PG_REFUSED_SERVER;
	bool refused = result->outcome == PG_REFUSED_TLS;
	char *reason;
	int rc;

	if (login->want == WANT_NOTHING || (login->want == WANT_OUT && refused))
		return 0;
	if (login->want == WANT_IN && in) {
		if (result->outcome == PG_ACCEPTED)
			return judge_replication(round, login->endpoint, result, entry, err);
		return findings_add(
			&round->findings, "client-login", SEVERITY_WARNING, endpoint->name,
			"set login.user in certrotate.yml to a user that pg_hba.conf "
			"lets in from here",
			err,
			"the certificate of user %s is accepted, the login is not (%s): "
			"replication cannot be looked at",
			login->leaf->name, result->message);
	}
	reason = str_fmt("the %s client certificate (user %s) %s: %s", login->generation,
			 login->leaf->name,
			 login->want == WANT_IN ? "does not get in"
			 : in			? "still opens it"
						: "may still open it",
			 result->message);
	rc = reason ? add(round, "client-login", SEVERITY_BLOCK, endpoint->name,
			  "see that the rollout brought the CA bundle to this server and that it "
			  "was "
			  "reloaded",
			  err, reason)
		    : err_nomem(err);
	free(reason);
	return rc;
}

static size_t plan_logins(struct login *logins, struct round *round)
{
	const struct verify_input *in = round->in;
	enum state state = in->target->state;
	const char *user = round->session->env->login_user;
	const struct {
		const struct gen_leaf *leaf;
		const char *name;
		enum want want;
	} both[] = {{login_client_leaf(in->old_gen, user), "old", expect(state, CHECK_OLD_CLIENT)},
		    {login_client_leaf(in->new_gen, user), "new", expect(state, CHECK_NEW_CLIENT)}};
	size_t count = 0;

	for (size_t i = 0; i < round->endpoints.count; i++) {
		/* Who does not answer is named once. */
		if (round->endpoints.items[i].protocol != ENDPOINT_POSTGRES ||
		    !round->seen[i].answered)
			continue;
		for (size_t g = 0; g < 2; g++) {
			if (both[g].leaf && both[g].want != WANT_NOTHING)
				logins[count++] = (struct login){i, both[g].leaf, both[g].name,
								 both[g].want};
		}
	}
	return count;
}

/* Not being able to look is no proof: it is said. */
static int note_no_logins(struct round *round, struct err *err)
{
	size_t i = 0;

	while (i < round->endpoints.count &&
	       round->endpoints.items[i].protocol != ENDPOINT_POSTGRES)
		i++;
	if (round->logins || i == round->endpoints.count)
		return 0;
	return findings_add(&round->findings, "client-login", SEVERITY_WARNING,
			    round->session->env->name,
			    "give login.user in certrotate.yml a certificate and a key in the "
			    "inventory",
			    err, "no client certificate with a key to log in with: nobody tried");
}

static int try_logins(struct round *round, struct err *err)
{
	size_t most = round->endpoints.count * 2 + 1;
	struct login *logins = calloc(most, sizeof(*logins));
	struct pg_item *items = calloc(most, sizeof(*items));
	const char *const queries[] = {pg_status_query()};
	struct pg_results results = {0};
	int rc = logins && items ? 0 : err_nomem(err);

	round->logins = rc ? 0 : plan_logins(logins, round);
	for (size_t i = 0; i < round->logins; i++) {
		const struct endpoint *endpoint = &round->endpoints.items[logins[i].endpoint];

		items[i].name = endpoint->name;
		items[i].address = endpoint->address;
		items[i].port = endpoint->port;
		items[i].user = logins[i].leaf->name;
		items[i].database = round->session->env->login_database;
		items[i].cert_pem = logins[i].leaf->pem;
		items[i].key = &logins[i].leaf->key;
		items[i].roots_pem = login_bundle(round->in->target, endpoint->name);
		items[i].queries = queries;
		items[i].query_count = 1;
	}
	rc = rc ? rc : note_no_logins(round, err);
	if (!rc && round->logins)
		rc = pg_logins_run(&results, round->loop, items, round->logins, NULL, err);
	for (size_t i = 0; i < results.count && !rc; i++) {
		const struct login *login = &logins[results.items[i].item];
		struct json *entry = js_new_object();

		(void)js_set_str(entry, "endpoint", round->names.items[login->endpoint]);
		(void)js_set_str(entry, "generation", login->generation);
		(void)js_set_str(entry, "user", login->leaf->name);
		(void)js_set_str(entry, "outcome", pg_outcome_name(results.items[i].outcome));
		rc = judge_login(round, login, &results.items[i], entry, err);
		(void)js_push(js_get(round->evidence, "logins"), entry);
	}
	pg_results_release(&results);
	free(logins);
	free(items);
	return rc;
}

static int look(struct round *round, struct err *err)
{
	int rc;

	findings_release(&round->findings);
	js_free(round->evidence);
	round->evidence = js_new_object();
	round->differs = false;
	for (size_t i = 0; i < round->endpoints.count; i++)
		round->seen[i] = (struct seen){false, false};
	(void)js_set(round->evidence, "leaves", js_new_array());
	(void)js_set(round->evidence, "logins", js_new_array());
	rc = round->evidence ? probe_leaves(round, err) : err_nomem(err);
	return rc ? rc : try_logins(round, err);
}

static int choose_endpoints(struct round *round, struct err *err)
{
	struct session *session = round->session;
	struct endpoints *endpoints = &round->endpoints;
	size_t kept = 0;
	int rc = session_chain(session, err);

	rc = rc ? rc
		: environment_endpoints(endpoints, session->config, session->env, session->chain,
					err);
	for (size_t i = 0; i < endpoints->count && !rc; i++) {
		struct endpoint endpoint = endpoints->items[i];

		/* Those that are skipped move behind the count; all are freed in the end. */
		if (round->in->skip && strs_has(round->in->skip, endpoint.name))
			continue;
		rc = strs_addf(&round->names, err, "%s:%u", endpoint.name, endpoint.port);
		endpoints->items[i] = endpoints->items[kept];
		endpoints->items[kept++] = endpoint;
	}
	round->found = endpoints->count;
	round->seen = calloc(endpoints->count + 1, sizeof(*round->seen));
	if (!rc && !round->seen)
		rc = err_nomem(err);
	endpoints->count = rc ? endpoints->count : kept;
	return rc;
}

static void wake(struct loop_timer *timer, void *ctx)
{
	(void)timer;
	loop_quit(ctx);
}

static int pause_a_moment(struct round *round, struct err *err)
{
	struct loop_timer timer = {0};
	int rc;

	loop_timer_set(round->loop, &timer, PAUSE_MS, wake, round->loop);
	rc = loop_run(round->loop, NULL, NULL, -1, err);
	loop_timer_del(&timer);
	if (!rc && loop_stop_count(round->session->stop))
		rc = err_set(err, ERR_STOPPED, "stopped while looking at the endpoints");
	return rc;
}

int verify_run(struct verify_result *out, struct session *session, const struct verify_input *in,
	       struct err *err)
{
	struct round round = {.session = session, .in = in};
	size_t all;
	int64_t start;
	int rc = loop_new(&round.loop, session->sys, session->stop, err);

	*out = (struct verify_result){0};
	rc = rc ? rc : choose_endpoints(&round, err);
	all = round.endpoints.count;
	start = rc ? 0 : loop_now(round.loop);
	while (!rc) {
		log_progress(session->log, "verify: %zu endpoint%s%s", all, all == 1 ? "" : "s",
			     round.differs ? ", waiting for what differs" : "");
		rc = look(&round, err);
		if (rc || !round.differs || loop_now(round.loop) - start > in->patience_ms)
			break;
		rc = pause_a_moment(&round, err);
	}
	log_progress(session->log, "%s", "");
	if (!rc) {
		out->findings = round.findings;
		out->evidence = round.evidence;
		out->endpoints = all;
		out->logins = round.logins;
	} else {
		findings_release(&round.findings);
		js_free(round.evidence);
	}
	loop_free(round.loop);
	strs_release(&round.names);
	free(round.seen);
	round.endpoints.count = round.found;
	endpoints_release(&round.endpoints);
	return rc;
}

void verify_release(struct verify_result *result)
{
	findings_release(&result->findings);
	js_free(result->evidence);
	*result = (struct verify_result){0};
}
