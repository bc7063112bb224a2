/* SPDX-License-Identifier: PostgreSQL */
#include "safety/proof.h"

#include <stdio.h>
#include <string.h>

#include "safety/proof_internal.h"

void proof_subject(char out[PROOF_SUBJECT_SIZE], const struct side *side, size_t peer)
{
	(void)snprintf(out, PROOF_SUBJECT_SIZE, "%s %s", side->word, side->in->peers[peer].name);
}

const char *proof_generation_name(enum proof_generation g)
{
	return g == PROOF_NEW ? "new" : "old";
}

static int report_side(struct proof *proof, const struct side *side, struct err *err)
{
	int rc = proof_report_texts(proof, side, err);

	rc = rc ? rc : proof_report_refusals(proof, side, err);
	for (size_t i = 0; i < side->in->count && !rc; i++) {
		for (int g = 0; g < PROOF__MAX && !rc; g++) {
			rc = proof_report_handshake(proof, side, i, (enum proof_generation)g, err);
			if (!rc)
				rc = proof_report_leaf(proof, side, i, (enum proof_generation)g,
						       err);
		}
		if (!rc)
			rc = proof_report_peer(proof, side, i, err);
	}
	if (!rc)
		rc = proof_report_tls12(proof, side, err);
	if (!rc)
		rc = proof_report_unknown_keys(proof, side, err);
	return rc ? rc : proof_report_bundles(proof, side, err);
}

int proof_run(struct proof_result *out, const struct proof_input *in, struct err *err)
{
	struct proof proof = {
		.in = in,
		.out = out,
		.sides = {{.in = &in->servers,
			   .purpose = VERIFY_SERVER,
			   .word = "server",
			   .others = "clients"},
			  {.in = &in->clients,
			   .purpose = VERIFY_CLIENT,
			   .word = "client",
			   .others = "servers"}},
	};
	int rc;

	memset(out, 0, sizeof(*out));
	rc = proof_load(&proof, err);
	if (!rc)
		rc = proof_check_units(&proof, err);
	for (int s = 0; s < 2 && !rc; s++)
		rc = report_side(&proof, &proof.sides[s], err);
	proof_unload(&proof);
	if (rc)
		proof_result_release(out);
	else
		findings_sort(&out->findings);
	return rc;
}

void proof_result_release(struct proof_result *result)
{
	findings_release(&result->findings);
	memset(result, 0, sizeof(*result));
}
