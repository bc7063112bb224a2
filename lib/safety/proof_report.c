/* SPDX-License-Identifier: PostgreSQL */
/* What became of the texts, the pairs and the handshakes, in words. */
#include <stdio.h>

#include "base/sys.h"
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
			proof->out->checks += leaf->key || leaf->key_error ? 1 : 0;
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

/* OpenSSL's numbers (openssl/x509_vfy.h), which are part of its stable interface. */
enum x509_code {
	NO_ISSUER = 2,
	SIGNATURE_FAILURE = 7,
	NOT_YET_VALID = 9,
	HAS_EXPIRED = 10,
	SELF_SIGNED_LEAF = 18,
	SELF_SIGNED_IN_CHAIN = 19,
	NO_ISSUER_LOCALLY = 20,
	LEAF_NOT_VERIFIED = 21,
	PATH_LENGTH = 25,
	INVALID_PURPOSE = 26,
	NO_CERTSIGN = 32,
	LEAF_KEY_TOO_SMALL = 66,
	CA_KEY_TOO_SMALL = 67,
	CA_DIGEST_TOO_WEAK = 68,
	INVALID_CA = 79
};

static const char *advice_for(int code)
{
	switch (code) {
	case NO_ISSUER:
	case SELF_SIGNED_LEAF:
	case SELF_SIGNED_IN_CHAIN:
	case NO_ISSUER_LOCALLY:
	case LEAF_NOT_VERIFIED:
		return "put the missing CA certificates, up to the root, into the bundle";
	case SIGNATURE_FAILURE:
		return "tell the CAs apart by subject (as certrotate issues them) or by authority "
		       "key identifiers, or put the right one first";
	case NOT_YET_VALID:
		return "set the clocks right, or wait";
	case HAS_EXPIRED:
		return "issue it anew";
	case PATH_LENGTH:
	case INVALID_PURPOSE:
	case NO_CERTSIGN:
	case INVALID_CA:
		return "issue it anew with the right usages (keyUsages, extendedKeyUsages, path "
		       "length)";
	case LEAF_KEY_TOO_SMALL:
	case CA_KEY_TOO_SMALL:
	case CA_DIGEST_TOO_WEAK:
		return "issue it anew with a key of 2048 bits or more and SHA-256";
	default:
		return "look at it with openssl verify -show_chain";
	}
}

/* Whether no bundle that is held today takes it, each for that same reason. */
static bool fails_today(const struct side *side, const struct unit *unit, int code)
{
	bool any = false;

	for (size_t b = 0; b < side->bundle_count; b++) {
		if (!side->bundles[b].live)
			continue;
		if (!unit->pairs[b].now || unit->pairs[b].now->code != code)
			return false;
		any = true;
	}
	return any;
}

static int report_refusal(struct proof *proof, const struct side *side, size_t peer,
			  enum proof_generation g, size_t b, struct err *err)
{
	const struct loaded_bundle *bundle = &side->bundles[b];
	const struct unit *unit = side->peers[peer].leaves[g].unit;
	const struct verdict *verdict = unit->pairs[b].now;
	bool today = peer_live(side, peer, g) &&
		     (bundle->live || fails_today(side, unit, verdict->code));
	char subject[PROOF_SUBJECT_SIZE];

	proof_subject(subject, side, peer);
	return findings_add(
		&proof->out->findings, "chain", today ? SEVERITY_WARNING : SEVERITY_BLOCK, subject,
		advice_for(verdict->code), err,
		"%s that hold the bundle '%s' %srefuse its %s certificate: %s (OpenSSL: "
		"%s)",
		side->others, bundle->in->label, today ? "already today " : "would ",
		proof_generation_name(g), verdict->reason, verdict->openssl);
}

static int report_end(struct proof *proof, const struct side *side, size_t peer,
		      enum proof_generation g, size_t b, struct err *err)
{
	const struct unit *unit = side->peers[peer].leaves[g].unit;
	char subject[PROOF_SUBJECT_SIZE];
	char when[SYS_TIME_SIZE];

	proof_subject(subject, side, peer);
	sys_time_text(proof->in->end, when);
	return findings_add(
		&proof->out->findings, "expires-soon", SEVERITY_BLOCK, subject,
		"shorten the rotation (census: quiet in certrotate.yml), or waive this "
		"where it ends in time",
		err,
		"%s that hold the bundle '%s' will refuse its %s certificate before the "
		"rotation can end (%s): %s",
		side->others, side->bundles[b].in->label, proof_generation_name(g), when,
		unit->pairs[b].at_end->reason);
}

static int report_handshake(struct proof *proof, const struct side *side, size_t peer,
			    enum proof_generation g, struct err *err)
{
	const struct unit *unit = side->peers[peer].leaves[g].unit;
	bool today = peer_live(side, peer, g);
	char subject[PROOF_SUBJECT_SIZE];

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

int proof_report_pairs(struct proof *proof, const struct side *side, size_t peer,
		       enum proof_generation g, struct err *err)
{
	const struct unit *unit = side->peers[peer].leaves[g].unit;
	bool end_told = false;
	int rc = 0;

	if (!unit)
		return 0;
	for (size_t b = 0; b < side->bundle_count && !rc; b++) {
		proof->out->checks++;
		if (unit->pairs[b].now) {
			rc = report_refusal(proof, side, peer, g, b, err);
		} else if (unit->pairs[b].at_end && !end_told) {
			rc = report_end(proof, side, peer, g, b, err);
			end_told = true;
		}
	}
	proof->out->checks += unit->handshakes;
	return rc ? rc : report_handshake(proof, side, peer, g, err);
}
