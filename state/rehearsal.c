/* SPDX-License-Identifier: PostgreSQL */
#include "state/rehearsal.h"

#include <stdlib.h>
#include <string.h>

#include "net/probe.h"

/* The authority that an endpoint's certificate comes from; of another name, the first of servers.
 */
static const char *authority_of(const struct generation *gen, const char *name)
{
	const char *first = NULL;

	for (size_t a = 0; a < gen->authority_count; a++) {
		const struct gen_leaf *leaf = generation_leaf(gen, gen->authorities[a].name, name);

		if (leaf && leaf->kind == LEAF_SERVER)
			return leaf->authority;
	}
	for (size_t i = 0; i < gen->leaf_count && !first; i++)
		first = gen->leaves[i].kind == LEAF_SERVER ? gen->leaves[i].authority : NULL;
	return first;
}

static int aim(struct probe_target *out, const struct endpoint *endpoint,
	       const struct target *target, struct err *err)
{
	const char *authority = authority_of(target->old_gen, endpoint->name);
	struct target_value chain = {0};

	if (authority)
		chain = target_chain(target, authority);
	out->name = endpoint->name;
	out->address = endpoint->address;
	out->port = endpoint->port;
	out->trust_pem = chain.present ? chain.text : NULL;
	return probe_protocol_parse(&out->protocol, endpoint_protocol_name(endpoint->protocol),
				    err);
}

static int judge(struct findings *out, const struct endpoint *endpoint,
		 const struct probe_result *result, struct err *err)
{
	if (!result->leaf || result->trusted)
		return 0;
	return findings_add(out, "rehearsal", SEVERITY_BLOCK, endpoint->name,
			    "it serves a certificate that is about to be distrusted: see why it "
			    "has not taken the other one",
			    err,
			    "%s:%u (%s): clients would refuse what it serves now (serial %s) "
			    "afterwards: %s",
			    endpoint->name, endpoint->port, result->address,
			    cert_serial_hex(result->leaf), result->verify_error);
}

static int ask(struct findings *out, struct session *session, const struct endpoints *endpoints,
	       const struct probe_target *targets, struct err *err)
{
	struct probe_results results = {0};
	struct loop *loop = NULL;
	int rc = loop_new(&loop, session->sys, session->stop, err);

	rc = rc ? rc : probe_run(&results, loop, targets, endpoints->count, NULL, err);
	for (size_t i = 0; i < results.count && !rc; i++) {
		const struct probe_result *result = &results.items[i];

		if (targets[result->target].trust_pem)
			rc = judge(out, &endpoints->items[result->target], result, err);
	}
	probe_results_release(&results);
	loop_free(loop);
	return rc;
}

/* Those that are left out move behind the count, and come back before all are freed. */
static size_t leave_out(struct endpoints *endpoints, const struct strs *skip)
{
	size_t kept = 0;

	for (size_t i = 0; i < endpoints->count; i++) {
		struct endpoint endpoint = endpoints->items[i];

		if (skip && strs_has(skip, endpoint.name))
			continue;
		endpoints->items[i] = endpoints->items[kept];
		endpoints->items[kept++] = endpoint;
	}
	return kept;
}

int rehearse(struct findings *out, struct session *session, const struct target *target,
	     const struct strs *skip, struct err *err)
{
	struct endpoints endpoints = {0};
	struct probe_target *targets = NULL;
	size_t found = 0;
	int rc = session_chain(session, err);

	rc = rc ? rc
		: environment_endpoints(&endpoints, session->config, session->env, session->chain,
					err);
	if (!rc) {
		found = endpoints.count;
		endpoints.count = leave_out(&endpoints, skip);
		targets = calloc(endpoints.count + 1, sizeof(*targets));
		rc = targets ? 0 : err_nomem(err);
	}
	for (size_t i = 0; i < endpoints.count && !rc; i++)
		rc = aim(&targets[i], &endpoints.items[i], target, err);
	if (!rc && endpoints.count)
		rc = ask(out, session, &endpoints, targets, err);
	endpoints.count = found;
	free(targets);
	endpoints_release(&endpoints);
	return rc;
}
