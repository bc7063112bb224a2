/* SPDX-License-Identifier: PostgreSQL */
/*
 * What works with TLS 1.3 and not with TLS 1.2, which old clients and servers still speak: keys
 * without digitalSignature, and on PostgreSQL's side clients' keys on other curves than its own.
 */
#include <stdio.h>
#include <string.h>

#include "safety/proof_internal.h"

#define KIND_SIZE   400
#define NAMES_SHOWN 5
#define NAMES_SIZE  512

/* What there is to a leaf for TLS 1.2. */
static int kind_of(char out[KIND_SIZE], const struct cert *leaf, struct err *err)
{
	struct strs usages = STRS_INIT;
	char list[128];
	int rc = cert_key_usages(&usages, leaf, err);

	strs_join(&usages, usages.count, list, sizeof(list));
	(void)snprintf(out, KIND_SIZE, "%s/%s/%s/%.160s", cert_key_kind(leaf),
		       cert_signature_digest(leaf), list, cert_issuer(leaf));
	strs_release(&usages);
	return rc;
}

int proof_choose_tls12(const struct proof *proof, struct side *side, struct err *err)
{
	struct strmap kinds = STRMAP_INIT;
	char kind[KIND_SIZE];
	int rc = 0;

	for (size_t i = 0; i < side->unit_count && !rc; i++) {
		struct unit *unit = &side->units[i];
		size_t first = i;

		/* one that is refused for its dates would show nothing of the others */
		if (!unit->keyed || cert_validity(unit->from->leaf, proof->in->now) != CERT_VALID)
			continue;
		rc = kind_of(kind, unit->from->leaf, err);
		if (!rc && !strmap_get(&kinds, kind, &first))
			rc = strmap_put(&kinds, kind, i, err);
		unit->kin = &side->units[first];
	}
	strmap_release(&kinds);
	return rc;
}

/* NULL also where it is not known, or where nothing works. */
static const char *error_of(const struct unit *unit)
{
	return unit && unit->kin && !unit->handshake_error ? unit->kin->tls12_error : NULL;
}

enum standing {
	TODAY, /* it is live and fails */
	LOST,  /* what is live works */
	NEVER, /* what is live fails as well, or nothing is */
	STANDING__MAX
};

static enum standing standing_of(const struct side *side, size_t peer, enum proof_generation g)
{
	const struct loaded_leaf *leaves = side->peers[peer].leaves;
	enum proof_generation before = g == PROOF_NEW ? PROOF_OLD : PROOF_NEW;
	const struct unit *unit = leaves[before].unit;

	if (peer_live(side, peer, g))
		return TODAY;
	if (!unit || !peer_live(side, peer, before) || error_of(unit))
		return NEVER;
	/* without a key nothing was tried: it is as good as another one of its kind */
	if (!unit->kin &&
	    !strcmp(cert_key_kind(unit->from->leaf), cert_key_kind(leaves[g].unit->from->leaf)))
		return NEVER;
	return LOST;
}

static const char *advice_for(const struct side *side, const struct cert *leaf)
{
	if (side->purpose == VERIFY_CLIENT && !strncmp(cert_key_kind(leaf), "ECDSA", 5) &&
	    strcmp(cert_key_kind(leaf), "ECDSA P-256") != 0)
		return "take ecdsa-p256 or RSA keys for clients, or see that all of them speak TLS "
		       "1.3: with TLS 1.2 PostgreSQL takes clients' keys on its own ssl_ecdh_curve "
		       "only (prime256v1)";
	return "issue them with digitalSignature in keyUsages, or see that clients and servers all "
	       "speak TLS 1.3";
}

static int report(struct proof *proof, const struct side *side, enum proof_generation g,
		  enum standing standing, const struct strs *peers, const struct cert *leaf,
		  const char *error, struct err *err)
{
	static const char *const words[STANDING__MAX] = {
		[TODAY] = "fails already today", [LOST] = "would fail", [NEVER] = "does not work"};
	char subject[PROOF_SUBJECT_SIZE], names[NAMES_SIZE];
	bool many = peers->count > 1;

	strs_join(peers, NAMES_SHOWN, names, sizeof(names));
	if (many)
		(void)snprintf(subject, sizeof(subject), "%ss", side->word);
	else
		(void)snprintf(subject, sizeof(subject), "%s %s", side->word, peers->items[0]);
	return findings_add(
		&proof->out->findings, "handshake",
		standing == LOST ? SEVERITY_BLOCK : SEVERITY_WARNING, subject,
		advice_for(side, leaf), err,
		"TLS 1.2 %s with the %s key%s and certificate%s%s%s (%s), TLS 1.3 works: "
		"%s",
		words[standing], proof_generation_name(g), many ? "s" : "", many ? "s" : "",
		many ? " of " : "", many ? names : "", cert_key_kind(leaf), error);
}

/* All that fail for the same reason, in one sentence for each standing. */
static int report_reason(struct proof *proof, const struct side *side, enum proof_generation g,
			 const char *error, struct err *err)
{
	struct strs peers[STANDING__MAX] = {STRS_INIT, STRS_INIT, STRS_INIT};
	const struct cert *first[STANDING__MAX] = {NULL};
	int rc = 0;

	for (size_t i = 0; i < side->in->count && !rc; i++) {
		const struct unit *unit = side->peers[i].leaves[g].unit;
		const char *own = error_of(unit);
		enum standing standing;

		if (!own || strcmp(own, error) != 0)
			continue;
		standing = standing_of(side, i, g);
		if (!first[standing])
			first[standing] = unit->from->leaf;
		rc = strs_add(&peers[standing], side->in->peers[i].name, err);
	}
	for (int standing = 0; standing < STANDING__MAX; standing++) {
		if (!rc && first[standing])
			rc = report(proof, side, g, (enum standing)standing, &peers[standing],
				    first[standing], error, err);
		strs_release(&peers[standing]);
	}
	return rc;
}

/* OpenSSL has few reasons: each is looked for once. */
int proof_report_tls12(struct proof *proof, const struct side *side, struct err *err)
{
	int rc = 0;

	for (int g = 0; g < PROOF__MAX && !rc; g++) {
		struct strs seen = STRS_INIT;

		for (size_t i = 0; i < side->in->count && !rc; i++) {
			const char *error = error_of(side->peers[i].leaves[g].unit);

			if (!error || strs_has(&seen, error))
				continue;
			rc = strs_add(&seen, error, err);
			if (!rc)
				rc = report_reason(proof, side, (enum proof_generation)g, error,
						   err);
		}
		strs_release(&seen);
	}
	return rc;
}
