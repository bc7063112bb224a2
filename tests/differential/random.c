/* SPDX-License-Identifier: PostgreSQL */
#include "tests/differential/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/bed.h"

#define POOL_SIZE 24

/* SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere. */
uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15U;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

size_t rng_below(struct rng *rng, size_t limit)
{
	return (size_t)(rng_next(rng) % limit);
}

bool rng_chance(struct rng *rng, unsigned percent)
{
	return rng_below(rng, 100) < percent;
}

static EVP_PKEY *keys[POOL__MAX][POOL_SIZE];
static const size_t pool_sizes[POOL__MAX] = {POOL_SIZE, 6, 12, 12, 12, 6};

const char *pool_kind_name(enum pool_kind kind)
{
	static const char *const names[POOL__MAX] = {"P-256", "RSA-2048", "P-384",
						     "P-521", "ED25519",  "RSA-1024"};

	return names[kind];
}

void pool_fill(void)
{
	for (int kind = 0; kind < POOL__MAX; kind++)
		for (size_t i = 0; i < pool_sizes[kind]; i++)
			keys[kind][i] = forge_key(pool_kind_name((enum pool_kind)kind));
}

void pool_release(void)
{
	for (int kind = 0; kind < POOL__MAX; kind++)
		for (size_t i = 0; i < pool_sizes[kind]; i++)
			EVP_PKEY_free(keys[kind][i]);
}

EVP_PKEY *pool_key(enum pool_kind kind, size_t number)
{
	return keys[kind][number % pool_sizes[kind]];
}

/* ---- what is usual */

static enum pool_kind usual_kind(struct rng *rng, enum rank rank)
{
	static const enum pool_kind kinds[] = {POOL_P256, POOL_P256, POOL_P256,	   POOL_P256,
					       POOL_P256, POOL_P384, POOL_RSA2048, POOL_ED25519};
	size_t count = sizeof(kinds) / sizeof(*kinds);

	/* Ed25519 is for clients only: as a leaf's key, not as a CA's */
	return kinds[rng_below(rng, rank == CLIENT_LEAF ? count : count - 1)];
}

static enum rank issuer_of(const struct generation *gen, enum rank rank)
{
	if (rank == POLICY || gen->shape == SHAPE_ROOT_ONLY)
		return ROOT;
	if (rank == CA_OF_SERVERS || rank == CA_OF_CLIENTS)
		return gen->shape == SHAPE_POLICY ? POLICY : ROOT;
	return rank == SERVER_LEAF || gen->shape == SHAPE_ONE_CA ? CA_OF_SERVERS : CA_OF_CLIENTS;
}

static bool has_rank(const struct generation *gen, enum rank rank)
{
	switch (rank) {
	case POLICY:
		return gen->shape == SHAPE_POLICY;
	case CA_OF_SERVERS:
		return gen->shape != SHAPE_ROOT_ONLY;
	case CA_OF_CLIENTS:
		return gen->shape == SHAPE_TWO_CAS || gen->shape == SHAPE_POLICY;
	case ROOT:
	case SERVER_LEAF:
	case CLIENT_LEAF:
	case RANK_COUNT:
		break;
	}
	return true;
}

static void plan_ca(struct forge_spec *spec, struct rng *rng, enum rank rank)
{
	static const char *const roots[] = {"critical,CA:TRUE", "CA:TRUE",
					    "critical,CA:TRUE,pathlen:2"};
	static const char *const cas[] = {"critical,CA:TRUE", "critical,CA:TRUE,pathlen:0",
					  "critical,CA:TRUE,pathlen:1"};
	static const char *const usages[] = {"critical,keyCertSign,cRLSign", "keyCertSign", NULL,
					     "critical,digitalSignature,keyCertSign,cRLSign"};

	spec->basic = rank == ROOT     ? roots[rng_below(rng, 3)]
		      : rank == POLICY ? "critical,CA:TRUE,pathlen:1"
				       : cas[rng_below(rng, 3)];
	spec->usage = usages[rng_below(rng, 4)];
	spec->until = 3000 * FORGE_DAY;
	spec->from = -10 * FORGE_DAY;
}

static void plan_leaf(struct forge_spec *spec, struct rng *rng, enum rank rank)
{
	static const char *const names[] = {"DNS:" BED_HOST ",IP:127.0.0.1,DNS:" BED_ALIAS,
					    "DNS:db,DNS:" BED_HOST ",IP:127.0.0.1",
					    "DNS:*.example.com,IP:127.0.0.1"};
	static const char *const usages[] = {"critical,digitalSignature", "digitalSignature", NULL,
					     "critical,digitalSignature,keyEncipherment"};
	static const char *const ext_usages[] = {NULL, "serverAuth,clientAuth"};
	const char *own = rank == SERVER_LEAF ? "serverAuth" : "clientAuth";

	spec->basic = rng_chance(rng, 80) ? "critical,CA:FALSE" : NULL;
	spec->usage = usages[rng_below(rng, 4)];
	spec->ext_usage = rng_chance(rng, 65) ? own : ext_usages[rng_below(rng, 2)];
	spec->names = rank == SERVER_LEAF ? names[rng_below(rng, 3)] : NULL;
}

static void plan_usual(struct generation *gen, struct rng *rng, enum proof_generation g,
		       bool same_subjects)
{
	static const char *const cns[RANK_COUNT] = {"root",   "policy", "server",
						    "client", BED_HOST, BED_USER};
	static const enum forge_aki akis[] = {AKI_KEYID, AKI_KEYID, AKI_KEYID,
					      AKI_NONE,	 AKI_NONE,  AKI_SERIAL};
	enum forge_aki aki = akis[rng_below(rng, 6)];
	bool no_ski = rng_chance(rng, 10);

	for (int r = 0; r < RANK_COUNT; r++) {
		enum rank rank = (enum rank)r;
		struct forge_spec *spec = &gen->specs[r];
		bool is_leaf = rank == SERVER_LEAF || rank == CLIENT_LEAF;

		(void)snprintf(gen->dns[r], sizeof(gen->dns[r]), "O=Acme/CN=%s%s", cns[r],
			       g == PROOF_NEW && !is_leaf && !same_subjects ? " G2" : "");
		*spec = (struct forge_spec){.dn = gen->dns[r], .aki = aki, .no_ski = no_ski};
		gen->kinds[r] = usual_kind(rng, rank);
		if (is_leaf)
			plan_leaf(spec, rng, rank);
		else
			plan_ca(spec, rng, rank);
	}
	for (int purpose = 0; purpose < VERIFY__MAX; purpose++) {
		gen->files[purpose].root_first = rng_chance(rng, 30);
		gen->files[purpose].sends_ca = rng_chance(rng, 25);
	}
	buf_addf(gen->notes, "shape %d, aki %d%s", (int)gen->shape, (int)aki,
		 no_ski ? ", no SKI" : "");
}

/* ---- a generation */

static void make_generation(struct generation *gen, enum proof_generation g, bool same_keys)
{
	for (int r = 0; r < RANK_COUNT; r++) {
		struct forge_spec *spec = &gen->specs[r];
		bool is_leaf = r == SERVER_LEAF || r == CLIENT_LEAF;
		size_t number = (size_t)r + (g == PROOF_NEW && (is_leaf || !same_keys) ? 6 : 0);

		if (!has_rank(gen, (enum rank)r))
			continue;
		spec->key = pool_key(gen->kinds[r], number);
		if (spec->issuer == &gen->made[r])
			spec->issuer = NULL;
		else if (r != ROOT && !spec->issuer)
			spec->issuer = &gen->made[issuer_of(gen, (enum rank)r)];
		forge(&gen->made[r], spec);
	}
}

static const char *text_of(const struct generation *gen, enum rank rank)
{
	return gen->made[rank].pem ? gen->made[rank].pem : "";
}

/* The CA that signs the leaves of a purpose; none where the root does. */
static const char *ca_text(const struct generation *gen, enum verify_purpose purpose)
{
	return text_of(gen, gen->shape == SHAPE_ONE_CA ? CA_OF_SERVERS : ca_rank(purpose));
}

static char *one_bundle(const struct generation *gen, enum verify_purpose purpose)
{
	const struct files *files = &gen->files[purpose];
	const char *root = files->without_root ? "" : text_of(gen, ROOT);
	const char *ca = files->without_ca ? "" : ca_text(gen, purpose);
	char *once = forge_join(files->root_first ? root : "", ca, text_of(gen, POLICY),
				files->root_first ? "" : root,
				files->with_leaf ? text_of(gen, leaf_rank(purpose)) : "",
				(char *)NULL);
	char *text = forge_join(once, files->twice ? once : "", (char *)NULL);

	free(once);
	return text;
}

static void write_leaf(struct pair_case *pair, enum proof_generation g, enum verify_purpose purpose)
{
	const struct generation *gen = &pair->gens[g];
	const struct files *files = &gen->files[purpose];
	EVP_PKEY *key = files->other_key ? pool_key(POOL_P256, 23)
					 : gen->made[leaf_rank(purpose)].key;

	pair->leaf[purpose][g] = restyled(forge_join(text_of(gen, leaf_rank(purpose)),
						     files->sends_ca ? ca_text(gen, purpose) : "",
						     files->sends_ca ? text_of(gen, POLICY) : "",
						     files->sends_root ? text_of(gen, ROOT) : "",
						     (char *)NULL),
					  files->style);
	pair->key[purpose][g] = restyled(forge_key_pem(key), files->key_style);
}

/* Two of the four bundles that a rotation knows. */
static void write_bundles(struct pair_case *pair, struct rng *rng, enum verify_purpose purpose)
{
	static const char *const labels[] = {"old", "new+old", "old+new", "new"};
	static const size_t pairs[][2] = {{0, 1}, {1, 3}, {0, 2}, {2, 3}, {0, 3}, {1, 2}};
	const size_t *picked = pairs[rng_below(rng, 6)];
	char *old = one_bundle(&pair->gens[PROOF_OLD], purpose);
	char *new = one_bundle(&pair->gens[PROOF_NEW], purpose);

	for (size_t b = 0; b < 2; b++) {
		size_t kind = picked[b];

		pair->bundle_label[purpose][b] = labels[kind];
		pair->bundle[purpose][b] = restyled(forge_join(kind == 1 || kind == 3 ? new : "",
							       kind == 3 ? "" : old,
							       kind == 2 ? new : "", (char *)NULL),
						    pair->gens[PROOF_NEW].files[purpose].style);
	}
	free(old);
	free(new);
}

void pair_make(struct pair_case *pair, uint64_t seed)
{
	struct rng rng = {seed};
	bool same_subjects = rng_chance(&rng, 40), same_keys = rng_chance(&rng, 10);
	enum shape shape = (enum shape)rng_below(&rng, SHAPE__MAX);

	*pair = (struct pair_case){.seed = seed, .host = BED_HOST};
	buf_init(&pair->notes, BUF_TEXT_MAX);
	if (rng_chance(&rng, 15))
		pair->host = rng_chance(&rng, 50) ? BED_ALIAS : "127.0.0.1";
	buf_addf(&pair->notes, "host %s%s%s", pair->host, same_subjects ? ", same subjects" : "",
		 same_keys ? ", same CA keys" : "");
	for (int g = 0; g < PROOF__MAX; g++) {
		struct generation *gen = &pair->gens[g];
		size_t twists = rng_chance(&rng, 50) ? 0 : 1 + rng_below(&rng, 3);

		gen->notes = &pair->notes;
		gen->shape = g && rng_chance(&rng, 15) ? (enum shape)rng_below(&rng, SHAPE__MAX)
						       : shape;
		buf_addf(&pair->notes, "\n  %s: ", g ? "new" : "old");
		plan_usual(gen, &rng, (enum proof_generation)g, same_subjects);
		if (g && same_keys)
			memcpy(gen->kinds, pair->gens[0].kinds, sizeof(gen->kinds));
		for (size_t i = 0; i < twists; i++)
			twist(gen, &rng);
		make_generation(gen, (enum proof_generation)g, same_keys);
		for (int purpose = 0; purpose < VERIFY__MAX; purpose++)
			write_leaf(pair, (enum proof_generation)g, (enum verify_purpose)purpose);
	}
	for (int purpose = 0; purpose < VERIFY__MAX; purpose++)
		write_bundles(pair, &rng, (enum verify_purpose)purpose);
}

void pair_release(struct pair_case *pair)
{
	for (int g = 0; g < PROOF__MAX; g++)
		for (int r = 0; r < RANK_COUNT; r++)
			forged_release(&pair->gens[g].made[r]);
	for (int purpose = 0; purpose < VERIFY__MAX; purpose++) {
		for (int i = 0; i < 2; i++) {
			free(pair->leaf[purpose][i]);
			free(pair->key[purpose][i]);
			free(pair->bundle[purpose][i]);
		}
	}
	buf_release(&pair->notes);
}
