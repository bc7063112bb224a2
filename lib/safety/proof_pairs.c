/* SPDX-License-Identifier: PostgreSQL */
/* Verifies every distinct leaf against every distinct bundle, and makes the handshakes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/issue.h"
#include "safety/pool.h"
#include "safety/proof_internal.h"

static int keep_verdict(struct verdict **out, const struct verdict *verdict, struct err *err)
{
	*out = malloc(sizeof(**out));
	if (!*out)
		return err_nomem(err);
	**out = *verdict;
	return 0;
}

/* Whether a certificate of the leaf's text or of the bundle ends before the rotation can. */
static bool ends_meanwhile(const struct proof *proof, const struct unit *unit,
			   const struct loaded_bundle *bundle)
{
	const struct cert *first = bundle_first_to_expire(&bundle->certs);
	const struct cert *own = bundle_first_to_expire(&unit->from->certs);

	return (first && cert_not_after(first) < proof->in->end) ||
	       cert_not_after(own) < proof->in->end;
}

static int check_pair(const struct proof *proof, const struct side *side, const struct unit *unit,
		      size_t b, struct err *err)
{
	const struct loaded_bundle *bundle = &side->bundles[b];
	struct pair *pair = &unit->pairs[b];
	struct verdict verdict;
	int rc = verifier_check(&verdict, bundle->verifier, &unit->chain, unit->from->leaf,
				side->purpose, proof->in->now, err);

	if (rc || !verdict.ok)
		return rc ? rc : keep_verdict(&pair->now, &verdict, err);
	if (!ends_meanwhile(proof, unit, bundle))
		return 0;
	rc = verifier_check(&verdict, bundle->verifier, &unit->chain, unit->from->leaf,
			    side->purpose, proof->in->end, err);
	if (rc || verdict.ok)
		return rc;
	return keep_verdict(&pair->at_end, &verdict, err);
}

/* The signature is looked at only where the dates give a reason to. */
static const struct cert *outlived_in(const struct bundle *cas, const struct cert *leaf)
{
	for (size_t i = 0; i < cas->count; i++) {
		if (cert_not_after(leaf) > cert_not_after(cas->items[i]) &&
		    !strcmp(cert_subject(cas->items[i]), cert_issuer(leaf)) &&
		    cert_issued_by(leaf, cas->items[i]))
			return cas->items[i];
	}
	return NULL;
}

static void find_outlived(const struct side *side, struct unit *unit)
{
	unit->outlived_ca = outlived_in(&unit->chain, unit->from->leaf);
	for (size_t b = 0; b < side->bundle_count && !unit->outlived_ca; b++)
		unit->outlived_ca = outlived_in(&side->bundles[b].certs, unit->from->leaf);
}

/* The last bundle that accepts it: in a rotation, the one that stays, before those left behind. */
static const struct loaded_bundle *accepting_bundle(const struct side *side,
						    const struct unit *unit)
{
	const struct loaded_bundle *found = NULL;

	for (size_t b = 0; b < side->bundle_count; b++) {
		const struct loaded_bundle *bundle = &side->bundles[b];

		if (!unit->pairs[b].now && (!found || !bundle->in->holder))
			found = bundle;
	}
	return found;
}

static int check_handshake(const struct proof *proof, const struct side *side, struct unit *unit,
			   struct handshaker *handshaker, struct err *err)
{
	struct handshake_peer shown = {
		.leaf = unit->keyed->leaf, .key = unit->keyed->key, .chain = &unit->chain};
	struct handshake_peer verifies = {.trusted = unit->handshake_bundle->verifier};
	bool is_server = side->purpose == VERIFY_SERVER;
	struct handshake_result result;

	if (!is_server) {
		verifies.leaf = proof->stand_in;
		verifies.key = proof->stand_in_key;
	}
	for (int tls12 = 0; tls12 < (unit->kin == unit ? 2 : 1) && !unit->handshake_error;
	     tls12++) {
		int rc = handshake_run(&result, handshaker, is_server ? &shown : &verifies,
				       is_server ? &verifies : &shown, tls12 != 0, err);
		char **error = tls12 ? &unit->tls12_error : &unit->handshake_error;

		if (rc)
			return rc;
		unit->handshakes++;
		if (result.ok)
			continue;
		*error = strdup(result.reason);
		if (!*error)
			return err_nomem(err);
	}
	return 0;
}

static int check_unit_job(void *ctx, void *local, size_t i, struct err *err)
{
	struct proof *proof = ctx;
	size_t servers = proof->sides[0].unit_count;
	struct side *side = &proof->sides[i >= servers];
	struct unit *unit = &side->units[i >= servers ? i - servers : i];
	int rc = 0;

	for (size_t b = 0; b < side->bundle_count && !rc; b++)
		rc = check_pair(proof, side, unit, b, err);
	if (rc)
		return rc;
	find_outlived(side, unit);
	unit->handshake_bundle = accepting_bundle(side, unit);
	if (local && unit->keyed && unit->handshake_bundle)
		rc = check_handshake(proof, side, unit, local, err);
	return rc;
}

static int new_handshaker(void **local, void *ctx, struct err *err)
{
	struct proof *proof = ctx;
	struct handshaker *handshaker = NULL;
	int rc = 0;

	if (!proof->in->no_handshakes)
		rc = handshaker_new(&handshaker, proof->in->level, proof->in->now, err);
	*local = handshaker;
	return rc;
}

static void free_handshaker(void *local)
{
	handshaker_free(local);
}

/*
 * Some server has to be there when a client shows its certificate; nobody verifies this one. Its
 * key has to satisfy the security level, though: 4 wants 192 bits.
 */
static int make_stand_in(struct proof *proof, struct err *err)
{
	enum key_alg alg = proof->in->level > 3 ? KEY_ECDSA_P384 : KEY_ECDSA_P256;
	struct strs usages = STRS_INIT;
	struct dn dn = DN_INIT;
	struct issue_spec spec = {
		.sys = proof->in->sys, .subject = &dn, .is_ca = true, .key_usages = &usages};
	int rc = key_generate(&proof->stand_in_key, alg, err);

	if (!rc)
		rc = dn_add(&dn, "CN", "localhost", err);
	if (!rc)
		rc = strs_add(&usages, "digitalSignature", err);
	spec.key = proof->stand_in_key;
	spec.not_after = proof->in->sys->now(proof->in->sys) + 86400;
	if (!rc)
		rc = cert_issue(&proof->stand_in, &spec, err);
	strs_release(&usages);
	dn_release(&dn);
	return rc;
}

int proof_check_units(struct proof *proof, struct err *err)
{
	struct pool pool = {.ctx = proof,
			    .job = check_unit_job,
			    .local_new = new_handshaker,
			    .local_free = free_handshaker,
			    .threads = proof->in->threads,
			    .log = proof->in->log,
			    .what = "proving certificates"};
	int rc = proof->in->no_handshakes ? 0 : make_stand_in(proof, err);

	if (!rc)
		rc = pool_run(&pool, proof->sides[0].unit_count + proof->sides[1].unit_count, err);
	for (int s = 0; s < 2 && !rc; s++) {
		const struct side *side = &proof->sides[s];

		proof->out->pairs += side->unit_count * side->bundle_count;
		for (size_t i = 0; i < side->unit_count; i++)
			proof->out->handshakes += side->units[i].handshakes;
	}
	return rc;
}
