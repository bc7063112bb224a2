/* SPDX-License-Identifier: PostgreSQL */
#include "tests/differential/scene.h"

#include <stdlib.h>
#include <string.h>

#include "tests/differential/bed.h"

static EVP_PKEY *chain_keys[VERIFY__MAX][PROOF__MAX][RANK__MAX];
static EVP_PKEY *spares[SPARE__MAX];

static EVP_PKEY *kept(EVP_PKEY **slot, const char *kind)
{
	if (!*slot)
		*slot = forge_key(kind);
	return *slot;
}

EVP_PKEY *scene_spare(enum scene_key kind)
{
	static const char *const names[SPARE__MAX] = {"P-256", "P-384", "RSA-1024", "ED25519"};

	return kept(&spares[kind], names[kind]);
}

void scene_keys_release(void)
{
	for (size_t i = 0; i < sizeof(chain_keys) / sizeof(EVP_PKEY *); i++)
		EVP_PKEY_free((&chain_keys[0][0][0])[i]);
	for (size_t i = 0; i < SPARE__MAX; i++)
		EVP_PKEY_free(spares[i]);
}

void scene_plan(struct scene *scene, enum verify_purpose purpose)
{
	static const char *const dns[VERIFY__MAX][PROOF__MAX][RANK__MAX] = {
		{{"O=Acme/CN=root", "O=Acme/CN=server", "O=Acme/CN=" BED_HOST},
		 {"O=Acme/CN=root G2", "O=Acme/CN=server G2", "O=Acme/CN=" BED_HOST}},
		{{"O=Acme/CN=root", "O=Acme/CN=client", "O=Acme/CN=" BED_USER},
		 {"O=Acme/CN=root G2", "O=Acme/CN=client G2", "O=Acme/CN=" BED_USER}}};

	*scene = (struct scene){.purpose = purpose};
	for (size_t g = 0; g < PROOF__MAX; g++) {
		struct forge_spec *specs = scene->specs[g];

		for (size_t r = 0; r < RANK__MAX; r++) {
			specs[r].key = kept(&chain_keys[purpose][g][r], "P-256");
			specs[r].issuer = r ? &scene->made[g][r - 1] : NULL;
			specs[r].dn = dns[purpose][g][r];
			specs[r].basic = r < RANK_LEAF ? "critical,CA:TRUE" : "critical,CA:FALSE";
			specs[r].usage = r < RANK_LEAF ? "critical,keyCertSign,cRLSign"
						       : "critical,digitalSignature";
		}
		specs[RANK_LEAF].ext_usage = purpose == VERIFY_SERVER ? "serverAuth" : "clientAuth";
		specs[RANK_LEAF].names = purpose == VERIFY_SERVER ? "DNS:" BED_HOST : NULL;
	}
}

void scene_make(struct scene *scene)
{
	for (size_t g = 0; g < PROOF__MAX; g++) {
		for (size_t r = 0; r < RANK__MAX; r++)
			forge(&scene->made[g][r], &scene->specs[g][r]);
		scene->leaf[g] = strdup(scene->made[g][RANK_LEAF].pem);
		scene->key[g] = forge_key_pem(scene->made[g][RANK_LEAF].key);
	}
	scene->bundle = forge_join(scene->made[PROOF_NEW][RANK_CA].pem,
				   scene->made[PROOF_NEW][RANK_ROOT].pem, (char *)NULL);
}

void scene_release(struct scene *scene)
{
	for (size_t g = 0; g < PROOF__MAX; g++) {
		for (size_t r = 0; r < RANK__MAX; r++)
			forged_release(&scene->made[g][r]);
		free(scene->leaf[g]);
		free(scene->key[g]);
	}
	free(scene->bundle);
}

void scene_replace(char **text, char *other)
{
	free(*text);
	*text = other;
}

void scene_bundle_both(struct scene *scene, enum proof_generation first)
{
	const struct forged *one = scene->made[first], *other = scene->made[!first];

	scene_replace(&scene->bundle,
		      forge_join(one[RANK_CA].pem, one[RANK_ROOT].pem, other[RANK_CA].pem,
				 other[RANK_ROOT].pem, (char *)NULL));
}
