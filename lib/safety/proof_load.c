/* SPDX-License-Identifier: PostgreSQL */
/* Reads the texts of the input, and finds out which of them are the same; keys are for later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safety/pool.h"
#include "safety/proof_internal.h"

static int load_leaf(struct loaded_leaf *out, const struct proof_leaf *in, const char *name,
		     struct err *err)
{
	struct err why = {0};

	out->in = in;
	if (!in->pem)
		return 0;
	if (!bundle_from_pem_known(&out->certs, in->pem, in->len, name, in->known, &why)) {
		out->leaf = out->certs.items[0];
		return 0;
	}
	out->pem_error = proof_reason(&why, name);
	return out->pem_error ? 0 : err_nomem(err);
}

/* Peers of both sides in one row: the servers first. */
static int load_peer_job(void *ctx, void *local, size_t i, struct err *err)
{
	struct proof *proof = ctx;
	size_t servers = proof->sides[0].in->count;
	struct side *side = &proof->sides[i >= servers];
	size_t at = i >= servers ? i - servers : i;
	const struct proof_peer *in = &side->in->peers[at];
	int rc = 0;

	for (int g = 0; g < PROOF__MAX && !rc; g++) {
		struct loaded_leaf *leaf = &side->peers[at].leaves[g];

		rc = load_leaf(leaf, &in->leaves[g], in->name, err);
		/* Those of a unit are read with it. */
		if (!rc && !(leaf->leaf && peer_occurs(side, at, (enum proof_generation)g)))
			rc = proof_check_key(leaf, local, err);
	}
	return rc;
}

static int new_reader(void **local, void *ctx, struct err *err)
{
	struct key_reader *reader = NULL;
	int rc = key_reader_new(&reader, err);

	(void)ctx;
	*local = reader;
	return rc;
}

static void free_reader(void *local)
{
	key_reader_free(local);
}

static int load_peers(struct proof *proof, struct err *err)
{
	struct pool pool = {.ctx = proof,
			    .job = load_peer_job,
			    .local_new = new_reader,
			    .local_free = free_reader,
			    .threads = proof->in->threads,
			    .log = proof->in->log,
			    .what = "reading certificates"};
	size_t total = 0;

	for (int s = 0; s < 2; s++) {
		struct side *side = &proof->sides[s];

		side->peers = calloc(side->in->count + 1, sizeof(*side->peers));
		if (!side->peers)
			return err_nomem(err);
		total += side->in->count;
	}
	return pool_run(&pool, total, err);
}

/* A bundle that cannot be read blocks whoever has it: nothing can be proven with it. */
static int refuse_bundle(struct proof *proof, const struct side *side,
			 const struct proof_bundle *in, const char *reason, struct err *err)
{
	char subject[PROOF_SUBJECT_SIZE];

	(void)snprintf(subject, sizeof(subject), "bundle of the %s '%s'", side->others, in->label);
	return findings_add(&proof->out->findings, "pem-text", SEVERITY_BLOCK, subject,
			    "mend the text: a server that reloads it keeps the old one without a "
			    "word, and does not start again",
			    err, "%s%s", reason, in->live ? " (today already)" : "");
}

static int load_bundle(struct proof *proof, struct side *side, const struct proof_bundle *in,
		       struct strmap *seen, struct err *err)
{
	struct loaded_bundle *out = &side->bundles[side->bundle_count];
	char key[CERT_SHA256_SIZE * 2 + 1];
	struct err why = {0};
	size_t same;
	int rc;

	if (bundle_from_pem(&out->certs, in->pem, in->len, in->label, &why)) {
		char *reason = proof_reason(&why, in->label);

		rc = reason ? refuse_bundle(proof, side, in, reason, err) : err_nomem(err);
		free(reason);
		bundle_release(&out->certs);
		return rc;
	}
	rc = bundle_fingerprint(key, &out->certs, err);
	if (!rc && strmap_get(seen, key, &same)) {
		bundle_release(&out->certs);
		out = &side->bundles[same];
		out->live |= in->live;
		/* what all others have, too, is nothing to name a host for */
		return in->holder && out->in->holder
			       ? strs_add_unique(&out->holders, in->holder, err)
			       : 0;
	}
	if (!rc)
		rc = strmap_put(seen, key, side->bundle_count, err);
	if (!rc)
		rc = verifier_new(&out->verifier, &out->certs, proof->in->level, err);
	if (!rc && in->holder)
		rc = strs_add(&out->holders, in->holder, err);
	out->in = in;
	out->live = in->live;
	side->bundle_count++;
	return rc;
}

static int load_bundles(struct proof *proof, struct side *side, struct err *err)
{
	struct strmap seen = STRMAP_INIT;
	int rc = 0;

	side->bundles = calloc(side->in->bundle_count + 1, sizeof(*side->bundles));
	if (!side->bundles)
		return err_nomem(err);
	for (size_t i = 0; i < side->in->bundle_count && !rc; i++)
		rc = load_bundle(proof, side, &side->in->bundles[i], &seen, err);
	strmap_release(&seen);
	proof->out->bundles += side->bundle_count;
	return rc;
}

/* A leaf text of a peer joins the unit of all texts with the same certificates. */
static int join_unit(struct side *side, struct loaded_leaf *leaf, enum proof_generation g,
		     bool live, struct strmap *seen, struct err *err)
{
	char key[CERT_SHA256_SIZE * 2 + 1];
	struct unit *unit;
	size_t at;
	int rc = bundle_fingerprint(key, &leaf->certs, err);

	if (rc)
		return rc;
	if (!strmap_get(seen, key, &at)) {
		at = side->unit_count++;
		rc = strmap_put(seen, key, at, err);
		if (rc)
			return rc;
		unit = &side->units[at];
		unit->from = leaf;
		unit->users_end = &unit->users;
		unit->generation = g;
		unit->chain.items = leaf->certs.items + 1;
		unit->chain.count = leaf->certs.count - 1;
		unit->pairs = calloc(side->bundle_count + 1, sizeof(*unit->pairs));
		if (!unit->pairs)
			return err_nomem(err);
	}
	unit = &side->units[at];
	unit->live |= live;
	*unit->users_end = leaf;
	unit->users_end = &leaf->next;
	leaf->unit = unit;
	return 0;
}

static int make_units(struct proof *proof, struct side *side, struct err *err)
{
	struct strmap seen = STRMAP_INIT;
	int rc = 0;

	side->unit_count = 0;
	side->units = calloc(side->in->count * PROOF__MAX + 1, sizeof(*side->units));
	if (!side->units)
		return err_nomem(err);
	for (int g = 0; g < PROOF__MAX; g++) {
		for (size_t i = 0; i < side->in->count && !rc; i++) {
			struct loaded_leaf *leaf = &side->peers[i].leaves[g];

			if (g == PROOF_NEW && (leaf->leaf || leaf->pem_error))
				side->any_new = true;
			if (leaf->leaf && peer_occurs(side, i, (enum proof_generation)g))
				rc = join_unit(side, leaf, (enum proof_generation)g,
					       peer_live(side, i, (enum proof_generation)g), &seen,
					       err);
		}
	}
	strmap_release(&seen);
	proof->out->leaves += side->unit_count;
	return rc;
}

int proof_load(struct proof *proof, struct err *err)
{
	int rc = load_peers(proof, err);

	for (int s = 0; s < 2 && !rc; s++)
		rc = load_bundles(proof, &proof->sides[s], err);
	for (int s = 0; s < 2 && !rc; s++)
		rc = make_units(proof, &proof->sides[s], err);
	return rc;
}

static void unload_side(struct side *side)
{
	for (size_t i = 0; side->peers && i < side->in->count; i++) {
		for (int g = 0; g < PROOF__MAX; g++) {
			struct loaded_leaf *leaf = &side->peers[i].leaves[g];

			bundle_release(&leaf->certs);
			free(leaf->pem_error);
			free(leaf->key_error);
		}
	}
	for (size_t i = 0; side->units && i < side->unit_count; i++) {
		for (size_t b = 0; side->units[i].pairs && b < side->bundle_count; b++) {
			free(side->units[i].pairs[b].now);
			free(side->units[i].pairs[b].at_end);
		}
		free(side->units[i].pairs);
		free(side->units[i].handshake_error);
		free(side->units[i].tls12_error);
	}
	for (size_t b = 0; side->bundles && b < side->bundle_count; b++) {
		bundle_release(&side->bundles[b].certs);
		verifier_free(side->bundles[b].verifier);
		strs_release(&side->bundles[b].holders);
	}
	free(side->peers);
	free(side->units);
	free(side->bundles);
}

void proof_unload(struct proof *proof)
{
	for (int s = 0; s < 2; s++)
		unload_side(&proof->sides[s]);
	cert_free(proof->stand_in);
	key_free(proof->stand_in_key);
}
