/* SPDX-License-Identifier: PostgreSQL */
#include "state/rehearsal.h"

#include <stdlib.h>

#include "net/probe.h"
#include "state/login.h"

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

int rehearse(struct findings *out, struct session *session, const struct target *target,
	     const struct strs *skip, struct err *err)
{
	struct endpoints endpoints;
	struct probe_target *targets = NULL;
	int rc = session_endpoints(&endpoints, session, skip, err);

	if (!rc) {
		targets = calloc(endpoints.count + 1, sizeof(*targets));
		rc = targets ? 0 : err_nomem(err);
	}
	for (size_t i = 0; i < endpoints.count && !rc; i++) {
		const struct endpoint *endpoint = &endpoints.items[i];

		targets[i] = (struct probe_target){
			.name = endpoint->name,
			.address = endpoint->address,
			.port = endpoint->port,
			.trust_pem = login_bundle(target, endpoint->name)};
		rc = probe_protocol_parse(&targets[i].protocol,
					  endpoint_protocol_name(endpoint->protocol), err);
	}
	if (!rc && endpoints.count)
		rc = ask(out, session, &endpoints, targets, err);
	free(targets);
	endpoints_release(&endpoints);
	return rc;
}
