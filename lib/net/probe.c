/* SPDX-License-Identifier: PostgreSQL */
#include "net/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/limit.h"
#include "net/probe_impl.h"

struct job {
	size_t target;
	struct net_address address;
};

struct slot {
	struct probe_conn conn;
	struct slot *next;
	struct run *run;
	size_t job;
};

struct run {
	struct loop *loop;
	const struct probe_target *targets;
	size_t target_count;
	struct probe_options options;
	struct probe_results *out;
	struct probe_shared shared;
	struct job *jobs; /* with an address; results without one are complete already */
	size_t job_count, next, running;
	size_t *result_of; /* by job */
	struct slot *slots, *idle;
	struct loop_stopper stopper;
	bool stopped, starting;
	int rc;
	struct err *err;
};

static const char *const protocol_names[PROBE_PROTOCOL__MAX] = {
	[PROBE_POSTGRES] = "postgres",
	[PROBE_POSTGRES_DIRECT] = "postgres-direct",
	[PROBE_TLS] = "tls",
};

const char *probe_protocol_name(enum probe_protocol protocol)
{
	return protocol_names[protocol];
}

int probe_protocol_parse(enum probe_protocol *out, const char *text, struct err *err)
{
	for (int i = 0; i < PROBE_PROTOCOL__MAX; i++) {
		if (!strcmp(protocol_names[i], text)) {
			*out = (enum probe_protocol)i;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE,
		       "unknown protocol %s: postgres, postgres-direct or tls is expected", text);
}

const char *probe_outcome_name(enum probe_outcome outcome)
{
	static const char *const names[PROBE_OUTCOME__MAX] = {
		[PROBE_CONNECTED] = "connected",     [PROBE_ALERT] = "tls-alert",
		[PROBE_NO_ADDRESS] = "no-address",   [PROBE_REFUSED] = "connection-refused",
		[PROBE_UNREACHABLE] = "unreachable", [PROBE_TIMEOUT] = "timeout",
		[PROBE_NOT_TLS] = "not-tls",	     [PROBE_CLOSED] = "closed",
		[PROBE_TLS_FAILED] = "tls-failed",   [PROBE_LOCAL] = "not-tried",
	};

	return names[outcome];
}

const char *probe_client_name(enum probe_client client)
{
	static const char *const names[PROBE_CLIENT__MAX] = {
		[PROBE_CLIENT_NONE] = "none",	      [PROBE_CLIENT_ACCEPTED] = "accepted",
		[PROBE_CLIENT_REFUSED] = "refused",   [PROBE_CLIENT_NOT_ASKED] = "not-asked",
		[PROBE_CLIENT_NOT_SENT] = "not-sent", [PROBE_CLIENT_UNKNOWN] = "unknown",
	};

	return names[client];
}

const char *probe_stage_name(enum probe_stage stage)
{
	static const char *const names[PROBE_STAGE__MAX] = {
		[PROBE_STAGE_LOOKUP] = "name look-up",
		[PROBE_STAGE_CONNECT] = "connecting",
		[PROBE_STAGE_SSLREQUEST] = "SSLRequest",
		[PROBE_STAGE_HANDSHAKE] = "TLS handshake",
		[PROBE_STAGE_ANSWER] = "answer after the handshake",
		[PROBE_STAGE_DONE] = "done",
	};

	return names[stage];
}

static const char *host_of(const struct probe_target *target)
{
	return target->address && target->address[0] ? target->address : target->name;
}

/* "db1.example.com:5432 (10.0.4.42)", "10.0.4.42:5432", "[::1]:5432" */
static void write_label(char out[PROBE_LABEL_SIZE], const struct probe_target *target,
			const char *address)
{
	bool v6 = strchr(target->name, ':') != NULL;

	(void)snprintf(out, PROBE_LABEL_SIZE, v6 ? "[%.250s]:%u" : "%.250s:%u", target->name,
		       target->port);
	if (address[0] && strcmp(address, target->name) != 0)
		(void)snprintf(out + strlen(out), PROBE_LABEL_SIZE - strlen(out), " (%s)", address);
}

static int verify(struct run *run, struct probe_conn *conn, size_t target, struct err *err)
{
	struct probe_result *result = conn->result;
	const struct verifier *verifier;
	struct sys *sys = loop_sys(run->loop);
	struct verdict verdict;
	const char *why;

	result->name_matches = host_matches(result->leaf, run->targets[target].name) !=
			       HOST_MATCH_NONE;
	if (!run->targets[target].trust_pem)
		return 0;
	verifier = probe_shared_trust(&run->shared, target, &why);
	if (!verifier) {
		(void)snprintf(result->verify_error, sizeof(result->verify_error), "%s", why);
		return 0;
	}
	if (verifier_check(&verdict, verifier, &result->chain, result->leaf, VERIFY_SERVER,
			   sys->now(sys), err))
		return ERR_FAIL;
	result->trusted = verdict.ok;
	if (!verdict.ok)
		(void)snprintf(result->verify_error, sizeof(result->verify_error), "%s",
			       verdict.reason);
	return 0;
}

static void start_more(struct run *run);

static void job_done(struct probe_conn *conn, void *ctx)
{
	struct slot *slot = ctx;
	struct run *run = slot->run;
	size_t target = run->jobs[slot->job].target;

	if (!run->rc)
		run->rc = probe_tls_collect(conn, run->err);
	if (!run->rc && conn->result->leaf)
		run->rc = verify(run, conn, target, run->err);
	probe_conn_close(conn);
	probe_shared_done(&run->shared, target);
	slot->next = run->idle;
	run->idle = slot;
	run->running--;
	start_more(run);
}

/* A probe that fails at once comes back here through job_done: hence the guard, not recursion. */
static void start_more(struct run *run)
{
	if (run->starting)
		return;
	run->starting = true;
	while (run->idle && run->next < run->job_count && !run->stopped && !run->rc) {
		struct slot *slot = run->idle;
		struct job *job = &run->jobs[run->next];
		const struct probe_target *target = &run->targets[job->target];
		struct probe_conn *conn = &slot->conn;

		run->idle = slot->next;
		slot->job = run->next++;
		memset(conn, 0, sizeof(*conn));
		conn->target = target;
		conn->result = &run->out->items[run->result_of[slot->job]];
		conn->loop = run->loop;
		conn->address = job->address;
		conn->fd = -1;
		conn->alert = -1;
		conn->grace_ms = run->options.grace_ms;
		conn->done = job_done;
		conn->ctx = slot;
		net_address_port(&conn->address, target->port);
		write_label(conn->label, target, job->address.text);
		run->running++;
		probe_conn_start(conn, &run->shared, job->target, run->options.deadline_ms);
	}
	run->starting = false;
}

static bool over(void *ctx)
{
	struct run *run = ctx;

	return run->stopped || run->rc || (!run->running && run->next == run->job_count);
}

static void stop(struct loop_stopper *stopper, int count, void *ctx)
{
	struct run *run = ctx;

	(void)stopper;
	(void)count;
	run->stopped = true;
}

static int no_address(struct probe_result *result, const struct probe_target *target,
		      const char *error, struct err *err)
{
	char label[PROBE_LABEL_SIZE];

	write_label(label, target, "");
	result->outcome = PROBE_NO_ADDRESS;
	result->stage = PROBE_STAGE_LOOKUP;
	result->message = strcmp(host_of(target), target->name) != 0
				  ? str_fmt("%s (%s): no address: %s", label, host_of(target),
					    error)
				  : str_fmt("%s: no address: %s", label, error);
	result->reason = result->message ? strstr(result->message, "no address: ") : NULL;
	return result->message ? 0 : err_nomem(err);
}

/* One result for each address, or one that says why there is none. */
static int plan(struct run *run, const struct resolved *resolved, struct err *err)
{
	size_t total = 0;
	int rc = 0;

	for (size_t i = 0; i < run->target_count; i++) {
		size_t count = resolved_find(resolved, host_of(&run->targets[i]))->count;

		total += count ? count : 1;
	}
	run->out->items = calloc(total + 1, sizeof(*run->out->items));
	run->jobs = calloc(total + 1, sizeof(*run->jobs));
	run->result_of = calloc(total + 1, sizeof(*run->result_of));
	if (!run->out->items || !run->jobs || !run->result_of)
		return err_nomem(err);
	for (size_t i = 0; i < run->target_count && !rc; i++) {
		const struct resolved_name *name = resolved_find(resolved,
								 host_of(&run->targets[i]));

		for (size_t a = 0; a < name->count; a++) {
			struct probe_result *result = &run->out->items[run->out->count];

			result->target = i;
			(void)snprintf(result->address, sizeof(result->address), "%s",
				       name->addresses[a].text);
			run->jobs[run->job_count] = (struct job){i, name->addresses[a]};
			run->result_of[run->job_count++] = run->out->count++;
			probe_shared_use(&run->shared, i);
		}
		if (!name->count) {
			run->out->items[run->out->count].target = i;
			rc = no_address(&run->out->items[run->out->count++], &run->targets[i],
					name->error, err);
		}
	}
	return rc;
}

static int look_up(struct run *run, struct err *err)
{
	struct resolved resolved = {0};
	struct strs names = STRS_INIT;
	int rc = 0;

	for (size_t i = 0; i < run->target_count && !rc; i++)
		rc = strs_add(&names, host_of(&run->targets[i]), err);
	if (!rc)
		rc = resolve_names(&resolved, run->loop, &names, run->options.deadline_ms, err);
	if (!rc)
		rc = plan(run, &resolved, err);
	resolved_release(&resolved);
	strs_release(&names);
	return rc;
}

static int work(struct run *run, struct err *err)
{
	size_t limit = run->options.limit < run->job_count ? run->options.limit : run->job_count;
	int rc;

	run->slots = calloc(limit + 1, sizeof(*run->slots));
	if (!run->slots)
		return err_nomem(err);
	for (size_t i = 0; i < limit; i++) {
		run->slots[i].run = run;
		run->slots[i].conn.fd = -1;
		run->slots[i].next = run->idle;
		run->idle = &run->slots[i];
	}
	loop_on_stop(run->loop, &run->stopper, stop, run);
	start_more(run);
	rc = loop_run(run->loop, over, run, -1, err);
	loop_off_stop(&run->stopper);
	for (size_t i = 0; i < limit; i++)
		probe_conn_close(&run->slots[i].conn);
	if (!rc)
		rc = run->rc;
	if (!rc && run->stopped)
		rc = err_set(err, ERR_STOPPED, "stopped while endpoints were probed");
	return rc;
}

static void set_options(struct run *run, const struct probe_options *options)
{
	if (options)
		run->options = *options;
	if (!run->options.limit)
		run->options.limit = PROBE_LIMIT;
	if (!run->options.deadline_ms)
		run->options.deadline_ms = PROBE_DEADLINE_MS;
	if (!run->options.grace_ms)
		run->options.grace_ms = PROBE_GRACE_MS;
	run->options.limit = net_limit(run->options.limit, 1);
}

int probe_run(struct probe_results *out, struct loop *loop, const struct probe_target *targets,
	      size_t count, const struct probe_options *options, struct err *err)
{
	struct run run = {
		.loop = loop, .targets = targets, .target_count = count, .out = out, .err = err};
	int rc;

	*out = (struct probe_results){0};
	set_options(&run, options);
	rc = probe_shared_init(&run.shared, targets, count, err);
	if (!rc)
		rc = look_up(&run, err);
	if (!rc)
		rc = work(&run, err);
	probe_shared_release(&run.shared);
	free(run.jobs);
	free(run.result_of);
	free(run.slots);
	for (size_t i = 0; i < out->count && !rc; i++) {
		if (!out->items[i].message)
			rc = err_nomem(err);
	}
	if (rc)
		probe_results_release(out);
	return rc;
}

void probe_results_release(struct probe_results *results)
{
	for (size_t i = 0; i < results->count; i++) {
		struct probe_result *result = &results->items[i];

		for (size_t n = 0; n < result->ca_names.count; n++)
			free(result->ca_ders[n].der);
		free(result->ca_ders);
		strs_release(&result->ca_names);
		cert_free(result->leaf);
		bundle_release(&result->chain);
		free(result->message);
		free(result->server_message);
	}
	free(results->items);
	*results = (struct probe_results){0};
}
