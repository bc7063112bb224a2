/* SPDX-License-Identifier: PostgreSQL */
/* What became of the texts and the handshakes, in words. */
#include <stdio.h>

#include "safety/proof_internal.h"

#define TODAY ", as it is today"

/* A fault of a text that is live is there with or without us. */
static int report_text(struct proof *proof, const struct side *side, size_t peer,
		       enum proof_generation g, const char *check, const char *what,
		       const char *reason, const char *advice, struct err *err)
{
	bool today = peer_live(side, peer, g);
	char subject[PROOF_SUBJECT_SIZE];

	if (!peer_occurs(side, peer, g) && (g == PROOF_OLD || proof->in->reverting))
		return 0;
	proof_subject(subject, side, peer);
	return findings_add(&proof->out->findings, check, today ? SEVERITY_WARNING : SEVERITY_BLOCK,
			    subject, advice, err, "its %s %s%s: %s", proof_generation_name(g), what,
			    today ? TODAY : "", reason);
}

int proof_report_texts(struct proof *proof, const struct side *side, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < side->in->count; i++) {
		for (int g = 0; g < PROOF__MAX && !rc; g++) {
			const struct loaded_leaf *leaf = &side->peers[i].leaves[g];
			enum proof_generation generation = (enum proof_generation)g;

			proof->out->checks += leaf->leaf || leaf->pem_error ? 1 : 0;
			proof->out->checks += proof_has_key(leaf) ? 1 : 0;
			if (leaf->pem_error)
				rc = report_text(proof, side, i, generation, "pem-text",
						 "certificate cannot be read", leaf->pem_error,
						 "mend the text in the certificates' file", err);
			if (!rc && leaf->key_error)
				rc = report_text(proof, side, i, generation, "key",
						 "key does not fit its certificate",
						 leaf->key_error,
						 "put the certificate's own key into the vault, or "
						 "issue both anew",
						 err);
		}
	}
	return rc;
}

int proof_report_handshake(struct proof *proof, const struct side *side, size_t peer,
			   enum proof_generation g, struct err *err)
{
	const struct unit *unit = side->peers[peer].leaves[g].unit;
	bool today = peer_live(side, peer, g);
	char subject[PROOF_SUBJECT_SIZE];

	if (!unit)
		return 0;
	proof->out->checks += unit->handshakes;
	if (!unit->handshake_error)
		return 0;
	proof_subject(subject, side, peer);
	return findings_add(&proof->out->findings, "handshake",
			    today ? SEVERITY_WARNING : SEVERITY_BLOCK, subject,
			    "issue its key and certificate anew", err,
			    "a TLS handshake with its %s key and certificate, and the bundle '%s' "
			    "on the other side, fails%s: %s",
			    proof_generation_name(g), unit->handshake_bundle->in->label,
			    today ? " already today" : "", unit->handshake_error);
}
