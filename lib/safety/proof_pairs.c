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
		      const struct cert *leaf, size_t b, struct err *err)
{
	const struct loaded_bundle *bundle = &side->bundles[b];
	struct pair *pair = &unit->pairs[b];
	struct verdict verdict;
	int rc = verifier_check(&verdict, bundle->verifier, &unit->chain, leaf, side->purpose,
				proof->in->now, err);

	if (rc || !verdict.ok)
		return rc ? rc : keep_verdict(&pair->now, &verdict, err);
	if (!ends_meanwhile(proof, unit, bundle))
		return 0;
	rc = verifier_check(&verdict, bundle->verifier, &unit->chain, leaf, side->purpose,
			    proof->in->end, err);
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

static void find_outlived(const struct side *side, struct unit *unit, const struct cert *leaf)
{
	unit->outlived_ca = outlived_in(&unit->chain, leaf);
	for (size_t b = 0; b < side->bundle_count && !unit->outlived_ca; b++)
		unit->outlived_ca = outlived_in(&side->bundles[b].certs, leaf);
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

/* What a thread has of its own; the handshaker is NULL where there are no handshakes. */
struct tools {
	struct key_reader *reader;
	struct handshaker *handshaker;
};

static int check_handshake(const struct proof *proof, const struct side *side, struct unit *unit,
			   const struct handshake_peer *shown, const struct tools *tools,
			   bool tls12, struct err *err)
{
	struct handshake_peer verifies = {.trusted = unit->handshake_bundle->verifier};
	bool is_server = side->purpose == VERIFY_SERVER;
	char **error = tls12 ? &unit->tls12_error : &unit->handshake_error;
	struct handshake_result result;
	int rc;

	if (!is_server) {
		verifies.leaf = proof->stand_in;
		verifies.key = proof->stand_in_key;
	}
	rc = handshake_run(&result, tools->handshaker, is_server ? shown : &verifies,
			   is_server ? &verifies : shown, tls12, err);
	if (rc)
		return rc;
	unit->handshakes++;
	if (!result.ok)
		*error = strdup(result.reason);
	return result.ok || *error ? 0 : err_nomem(err);
}

/* Units of both sides in one row: the servers' first. */
static struct unit *unit_at(struct side **side, struct proof *proof, size_t i)
{
	size_t servers = proof->sides[0].unit_count;

	*side = &proof->sides[i >= servers];
	return &(*side)->units[i >= servers ? i - servers : i];
}

static int check_unit(const struct proof *proof, const struct side *side, struct unit *unit,
		      const struct cert *leaf, const struct tools *tools, struct err *err)
{
	struct handshake_peer shown = {.leaf = leaf, .chain = &unit->chain};
	struct key *key = NULL;
	int rc = 0;

	for (size_t b = 0; b < side->bundle_count && !rc; b++)
		rc = check_pair(proof, side, unit, leaf, b, err);
	if (rc)
		return rc;
	find_outlived(side, unit, leaf);
	unit->handshake_bundle = accepting_bundle(side, unit);
	rc = proof_unit_key(&key, unit, leaf, tools->reader, err);
	shown.key = key;
	if (!rc && tools->handshaker && key && unit->handshake_bundle)
		rc = check_handshake(proof, side, unit, &shown, tools, false, err);
	key_free(key);
	return rc;
}

static int check_unit_job(void *ctx, void *local, size_t i, struct err *err)
{
	struct proof *proof = ctx;
	struct side *side;
	struct unit *unit = unit_at(&side, proof, i);
	struct cert *leaf = cert_unpacked(unit->from->leaf);
	int rc = check_unit(proof, side, unit, leaf, local, err);

	cert_free(leaf);
	return rc;
}

/* One of each kind: its key is read once more. */
static int check_tls12_job(void *ctx, void *local, size_t i, struct err *err)
{
	struct proof *proof = ctx;
	const struct tools *tools = local;
	struct side *side;
	struct unit *unit = unit_at(&side, proof, i);
	struct handshake_peer shown = {.leaf = unit->from->leaf, .chain = &unit->chain};
	struct key *key = NULL;
	int rc;

	if (unit->kin != unit || !unit->handshake_bundle || unit->handshake_error)
		return 0;
	rc = key_reader_read(&key, tools->reader, unit->keyed->in->key, "key", err);
	shown.key = key;
	rc = rc ? rc : check_handshake(proof, side, unit, &shown, tools, true, err);
	key_free(key);
	return rc;
}

static void free_tools(void *local)
{
	struct tools *tools = local;

	key_reader_free(tools->reader);
	handshaker_free(tools->handshaker);
	free(tools);
}

static int new_tools(void **local, void *ctx, struct err *err)
{
	const struct proof *proof = ctx;
	struct tools *tools = calloc(1, sizeof(*tools));
	int rc = tools ? key_reader_new(&tools->reader, err) : err_nomem(err);

	if (!rc && !proof->in->no_handshakes)
		rc = handshaker_new(&tools->handshaker, proof->in->level, proof->in->now, err);
	if (rc && tools)
		free_tools(tools);
	*local = rc ? NULL : tools;
	return rc;
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

/* Which are tried is known once the keys are. */
static int check_tls12(struct proof *proof, struct pool *pool, size_t count, struct err *err)
{
	int rc = 0;

	for (int s = 0; s < 2 && !rc; s++)
		rc = proof_choose_tls12(proof, &proof->sides[s], err);
	pool->job = check_tls12_job;
	return rc || proof->in->no_handshakes ? rc : pool_run(pool, count, err);
}

int proof_check_units(struct proof *proof, struct err *err)
{
	size_t count = proof->sides[0].unit_count + proof->sides[1].unit_count;
	struct pool pool = {.ctx = proof,
			    .job = check_unit_job,
			    .local_new = new_tools,
			    .local_free = free_tools,
			    .threads = proof->in->threads,
			    .log = proof->in->log,
			    .what = "proving certificates"};
	int rc = proof->in->no_handshakes ? 0 : make_stand_in(proof, err);

	rc = rc ? rc : pool_run(&pool, count, err);
	rc = rc ? rc : check_tls12(proof, &pool, count, err);
	for (int s = 0; s < 2 && !rc; s++) {
		const struct side *side = &proof->sides[s];

		proof->out->pairs += side->unit_count * side->bundle_count;
		for (size_t i = 0; i < side->unit_count; i++)
			proof->out->handshakes += side->units[i].handshakes;
	}
	return rc;
}
