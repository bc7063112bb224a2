/* SPDX-License-Identifier: PostgreSQL */
#include "tests/differential/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/bed.h"

static const char *const labels[EXAM_BUNDLES] = {"first", "second"};

static void fill_leaves(struct proof_peer *peer, struct proof_side *side, struct secret *keys,
			const struct exam *exam)
{
	for (int g = 0; g < PROOF__MAX; g++) {
		const char *key = exam->key[g];

		if (!exam->leaf[g])
			continue;
		keys[g] = (struct secret){(char *)(uintptr_t)key, key ? strlen(key) : 0};
		peer->leaves[g] = (struct proof_leaf){.pem = exam->leaf[g],
						      .len = strlen(exam->leaf[g]),
						      .key = key ? &keys[g] : NULL};
		side->live[g] = exam->live[g];
		side->occurs[g] = true;
	}
}

void exam_run(struct proof_result *out, const struct exam *exam)
{
	const bool is_server = exam->purpose == VERIFY_SERVER;
	struct strs hosts = STRS_INIT;
	struct err err = {0};
	struct sys sys;
	struct secret keys[PROOF__MAX];
	struct proof_bundle bundles[EXAM_BUNDLES];
	struct proof_peer peer = {.name = is_server ? BED_HOST : BED_USER, .hosts = &hosts};
	struct proof_side side = {.peers = &peer, .count = 1, .bundles = bundles};
	struct proof_input in = {.level = VERIFY_LEVEL_DEFAULT, .sys = &sys, .threads = 1};
	int rc = 0;

	sys_init(&sys);
	in.now = sys.now(&sys);
	in.end = in.now + exam->end;
	if (exam->name)
		peer.name = exam->name;
	for (size_t i = 0; exam->hosts[i] && !rc; i++)
		rc = strs_add(&hosts, exam->hosts[i], &err);
	fill_leaves(&peer, &side, keys, exam);
	for (size_t i = 0; i < EXAM_BUNDLES && exam->bundle[i]; i++)
		bundles[side.bundle_count++] = (struct proof_bundle){.label = labels[i],
								     .pem = exam->bundle[i],
								     .len = strlen(exam->bundle[i]),
								     .live = exam->bundle_live};
	*(is_server ? &in.servers : &in.clients) = side;
	if (!rc)
		rc = proof_run(out, &in, &err);
	strs_release(&hosts);
	if (rc) {
		(void)fprintf(stderr, "differential: the proof cannot be made: %s\n", err.msg);
		exit(2);
	}
}

/*
 * A user's first certificate whose CN is another name is a warning, since pg_ident.conf may map it;
 * the server of these tests does not.
 */
static bool refuses(const struct finding *finding)
{
	return finding->severity == SEVERITY_BLOCK || !strcmp(finding->check, "client-name");
}

void judge(struct claim *out, enum verify_purpose purpose, const char *host, const char *leaf,
	   const char *key, const char *bundle)
{
	struct exam exam = {.purpose = purpose,
			    .hosts = {purpose == VERIFY_SERVER ? host : NULL},
			    .leaf = {NULL, leaf},
			    .key = {NULL, key},
			    .bundle = {bundle}};
	struct proof_result result;

	*out = (struct claim){.ok = true, .ok_tls12 = true};
	exam_run(&result, &exam);
	/* the worst comes first */
	for (size_t i = 0; i < result.findings.count && out->ok; i++) {
		const struct finding *finding = &result.findings.items[i];

		if (refuses(finding))
			out->ok = out->ok_tls12 = false;
		else if (!strcmp(finding->check, "handshake"))
			out->ok_tls12 = false;
		else
			continue;
		(void)snprintf(out->why, sizeof(out->why), "%s: %s", finding->check,
			       finding->reason);
	}
	proof_result_release(&result);
}
