/* SPDX-License-Identifier: PostgreSQL */
/* What may be unusual about a chain: odd, but fine, or wrong. */
#include <string.h>

#include "tests/differential/bed.h"
#include "tests/differential/random.h"

#define COUNT_OF(list) (sizeof(list) / sizeof(*(list)))

static enum verify_purpose some_purpose(struct rng *rng)
{
	return rng_chance(rng, 50) ? VERIFY_SERVER : VERIFY_CLIENT;
}

static struct forge_spec *some_leaf(struct generation *gen, struct rng *rng)
{
	return &gen->specs[leaf_rank(some_purpose(rng))];
}

/* One that the shape has; below the root where there is one. */
static enum rank some_ca_rank(const struct generation *gen, struct rng *rng)
{
	switch (gen->shape) {
	case SHAPE_ONE_CA:
		return CA_OF_SERVERS;
	case SHAPE_TWO_CAS:
		return ca_rank(some_purpose(rng));
	case SHAPE_POLICY:
		return rng_chance(rng, 30) ? POLICY : ca_rank(some_purpose(rng));
	case SHAPE_ROOT_ONLY:
	case SHAPE__MAX:
		break;
	}
	return ROOT;
}

static struct forge_spec *some_ca(struct generation *gen, struct rng *rng)
{
	return &gen->specs[rng_chance(rng, 25) ? ROOT : some_ca_rank(gen, rng)];
}

static struct forge_spec *anyone(struct generation *gen, struct rng *rng)
{
	return rng_chance(rng, 50) ? some_ca(gen, rng) : some_leaf(gen, rng);
}

static const char *one_of(const char *const *list, size_t count, struct rng *rng)
{
	return list[rng_below(rng, count)];
}

static const char *expired(struct generation *gen, struct rng *rng)
{
	struct forge_spec *spec = anyone(gen, rng);

	spec->from = -20 * FORGE_DAY;
	spec->until = -FORGE_DAY;
	return spec->dn;
}

static const char *not_yet_valid(struct generation *gen, struct rng *rng)
{
	struct forge_spec *spec = anyone(gen, rng);

	spec->from = FORGE_DAY;
	spec->until = 300 * FORGE_DAY;
	return spec->dn;
}

static const char *outlives(struct generation *gen, struct rng *rng)
{
	struct forge_spec *spec = some_leaf(gen, rng);

	spec->from = -FORGE_DAY;
	spec->until = 9000 * FORGE_DAY;
	return spec->dn;
}

static const char *leaf_ext_usage(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {"serverAuth",
					     "clientAuth",
					     "anyExtendedKeyUsage",
					     "codeSigning",
					     "critical,emailProtection,serverAuth",
					     "critical,clientAuth,1.2.3.4"};

	return some_leaf(gen, rng)->ext_usage = one_of(values, COUNT_OF(values), rng);
}

static const char *leaf_usage(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {"critical,keyEncipherment", "critical,keyAgreement",
					     "keyCertSign", "nonRepudiation",
					     "critical,digitalSignature,nonRepudiation"};

	return some_leaf(gen, rng)->usage = one_of(values, COUNT_OF(values), rng);
}

static const char *ca_ext_usage(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {"serverAuth", "clientAuth", "serverAuth,clientAuth",
					     "anyExtendedKeyUsage"};

	return some_ca(gen, rng)->ext_usage = one_of(values, COUNT_OF(values), rng);
}

static const char *ca_usage(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {"critical,cRLSign", "digitalSignature",
					     "critical,keyCertSign"};

	return some_ca(gen, rng)->usage = one_of(values, COUNT_OF(values), rng);
}

static const char *ca_basic(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {"critical,CA:FALSE", NULL, "CA:TRUE,pathlen:0",
					     "critical,CA:TRUE,pathlen:5"};
	struct forge_spec *spec = some_ca(gen, rng);

	spec->basic = one_of(values, COUNT_OF(values), rng);
	return spec->basic ? spec->basic : "none";
}

static const char *leaf_basic(struct generation *gen, struct rng *rng)
{
	return some_leaf(gen, rng)->basic = "critical,CA:TRUE";
}

static const char *version_one(struct generation *gen, struct rng *rng)
{
	struct forge_spec *spec = anyone(gen, rng);

	spec->v1 = true;
	return spec->dn;
}

static const char *digest(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {"SHA1", "SHA1", "SHA224", "SHA384", "SHA512", "MD5"};

	return anyone(gen, rng)->digest = one_of(values, COUNT_OF(values), rng);
}

static const char *other_key_kind(struct generation *gen, struct rng *rng)
{
	static const enum pool_kind kinds[] = {POOL_RSA1024, POOL_ED25519, POOL_P521, POOL_RSA2048};
	enum pool_kind kind = kinds[rng_below(rng, COUNT_OF(kinds))];
	struct forge_spec *spec = anyone(gen, rng);

	gen->kinds[spec - gen->specs] = kind;
	return pool_kind_name(kind);
}

static const char *constraints(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {
		"permitted;DNS:example.com,permitted;IP:127.0.0.0/255.0.0.0",
		"critical,permitted;DNS:other.org",
		"critical,excluded;DNS:example.com",
		"critical,permitted;IP:10.0.0.0/255.0.0.0",
		"excluded;DNS:db.example.com",
		"critical,permitted;email:example.com"};

	return some_ca(gen, rng)->constraints = one_of(values, COUNT_OF(values), rng);
}

static const char *server_names(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {NULL,
					     "DNS:other.example.com",
					     "IP:127.0.0.1",
					     "email:dba@acme.example",
					     "DNS:127.0.0.1",
					     "DNS:DB1.EXAMPLE.COM",
					     "DNS:*.db1.example.com",
					     "DNS:*.com",
					     "IP:10.0.0.1",
					     "URI:postgres://db1.example.com",
					     "DNS:db*.example.com",
					     "IP:::1"};
	struct forge_spec *spec = &gen->specs[SERVER_LEAF];

	spec->names = one_of(values, COUNT_OF(values), rng);
	return spec->names ? spec->names : "none";
}

static const char *server_cn(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {"O=Acme/CN=other.example.com", "O=Acme",
					     "O=Acme/CN=*.example.com", "O=Acme/CN=127.0.0.1",
					     "CN=db.example.com/CN=db1.example.com"};
	struct forge_spec *spec = &gen->specs[SERVER_LEAF];

	if (rng_chance(rng, 60))
		spec->names = NULL;
	return spec->dn = one_of(values, COUNT_OF(values), rng);
}

static const char *client_cn(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {"O=Acme/CN=alison", "O=Acme",
					     "O=Acme/CN=Alice",	 "CN=alice/CN=bob",
					     "CN=bob/CN=alice",	 "O=Acme/CN=alice.example.com"};

	return gen->specs[CLIENT_LEAF].dn = one_of(values, COUNT_OF(values), rng);
}

static const char *client_names(struct generation *gen, struct rng *rng)
{
	static const char *const values[] = {"DNS:alice", "email:alice@example.com",
					     "DNS:app.other.org"};

	return gen->specs[CLIENT_LEAF].names = one_of(values, COUNT_OF(values), rng);
}

static const char *leaf_named_like_its_ca(struct generation *gen, struct rng *rng)
{
	enum verify_purpose purpose = some_purpose(rng);
	enum rank ca = gen->shape == SHAPE_ROOT_ONLY ? ROOT
		       : gen->shape == SHAPE_ONE_CA  ? CA_OF_SERVERS
						     : ca_rank(purpose);

	return gen->specs[leaf_rank(purpose)].dn = gen->specs[ca].dn;
}

static const char *key_identifiers(struct generation *gen, struct rng *rng)
{
	static const char *const names[AKI__MAX] = {"by key", "none", "by serial", "wrong"};
	enum forge_aki aki = (enum forge_aki)rng_below(rng, AKI__MAX);

	anyone(gen, rng)->aki = aki;
	return names[aki];
}

static const char *no_ski(struct generation *gen, struct rng *rng)
{
	struct forge_spec *spec = some_ca(gen, rng);

	spec->no_ski = true;
	return spec->dn;
}

/* With another key than the issuer's: as if the CA had been made anew under its old name. */
static const char *bad_signature(struct generation *gen, struct rng *rng)
{
	struct forge_spec *spec = anyone(gen, rng);

	spec->signer = pool_key(POOL_P256, 20);
	return spec->dn;
}

static const char *signed_by_the_root(struct generation *gen, struct rng *rng)
{
	struct forge_spec *spec = some_leaf(gen, rng);

	spec->issuer = &gen->made[ROOT];
	return spec->dn;
}

/* What tools that make a certificate for themselves give: its own root. */
static const char *signs_itself(struct generation *gen, struct rng *rng)
{
	enum verify_purpose purpose = some_purpose(rng);
	enum rank rank = leaf_rank(purpose);

	gen->specs[rank].issuer = &gen->made[rank];
	gen->files[purpose].with_leaf = rng_chance(rng, 70);
	return gen->specs[rank].dn;
}

/* ---- files */

/* Where one CA signs both, what one bundle lacks the other one would add by itself. */
static const char *missing_ca(struct generation *gen, struct rng *rng)
{
	enum verify_purpose purpose = some_purpose(rng);

	gen->files[purpose].without_ca = true;
	gen->files[purpose].sends_ca = rng_chance(rng, 40);
	if (gen->shape == SHAPE_ONE_CA)
		gen->files[!purpose] = gen->files[purpose];
	return gen->files[purpose].sends_ca ? "sent along" : "nowhere";
}

static const char *file_layout(struct generation *gen, struct rng *rng)
{
	static const char *const names[] = {"no root",	 "all twice",	"leaf in the bundle",
					    "sends all", "another key", "sends the root"};
	size_t which = rng_below(rng, COUNT_OF(names));
	struct files *files = &gen->files[some_purpose(rng)];

	files->without_root |= which == 0;
	files->twice |= which == 1;
	files->with_leaf |= which == 2;
	files->sends_ca |= which == 3;
	files->sends_root |= which == 3 || which == 5;
	files->other_key |= which == 4;
	return names[which];
}

static const char *style(struct generation *gen, struct rng *rng)
{
	return style_name(
		gen->files[some_purpose(rng)].style = (enum text_style)rng_below(rng, STYLE__MAX));
}

/* What is about certificates only changes nothing in a key. */
static const char *key_style(struct generation *gen, struct rng *rng)
{
	return style_name(gen->files[some_purpose(rng)].key_style = (enum text_style)rng_below(
				  rng, STYLE__MAX));
}

static const struct {
	const char *name;
	const char *(*apply)(struct generation *gen, struct rng *rng); /* what exactly */
} twists[] = {
	{"expired", expired},
	{"not yet valid", not_yet_valid},
	{"outlives its CA", outlives},
	{"leaf's extended usage", leaf_ext_usage},
	{"leaf's key usage", leaf_usage},
	{"CA's extended usage", ca_ext_usage},
	{"CA's key usage", ca_usage},
	{"CA's basic constraints", ca_basic},
	{"leaf's basic constraints", leaf_basic},
	{"version 1", version_one},
	{"digest", digest},
	{"key", other_key_kind},
	{"name constraints", constraints},
	{"server's names", server_names},
	{"server's subject", server_cn},
	{"client's subject", client_cn},
	{"client's names", client_names},
	{"leaf named like its CA", leaf_named_like_its_ca},
	{"AKI", key_identifiers},
	{"no SKI", no_ski},
	{"bad signature", bad_signature},
	{"signed by the root", signed_by_the_root},
	{"signs itself", signs_itself},
	{"CA missing in the bundle", missing_ca},
	{"files", file_layout},
	{"text", style},
	{"text of the key", key_style},
};

void twist(struct generation *gen, struct rng *rng)
{
	size_t which = rng_below(rng, COUNT_OF(twists));
	const char *what = twists[which].apply(gen, rng);

	buf_addf(gen->notes, "; %s: %s", twists[which].name, what);
}
