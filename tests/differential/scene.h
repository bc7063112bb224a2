/* SPDX-License-Identifier: PostgreSQL */
/* Two generations of a chain (a root, one intermediate, one leaf) that a trap is made of. */
#ifndef TESTS_DIFFERENTIAL_SCENE_H
#define TESTS_DIFFERENTIAL_SCENE_H

#include "pki/verify.h"
#include "safety/proof.h"
#include "tests/differential/forge.h"

enum scene_rank { RANK_ROOT, RANK_CA, RANK_LEAF, RANK__MAX };

struct scene {
	enum verify_purpose purpose;
	/* How they are made: a trap changes this first, */
	struct forge_spec specs[PROOF__MAX][RANK__MAX];
	struct forged made[PROOF__MAX][RANK__MAX];
	/* and then what lies in the files. Owned. */
	char *leaf[PROOF__MAX];
	char *key[PROOF__MAX];
	char *bundle; /* of those that verify: the new generation's CAs */
};

/* The keys that scenes share, made once; spares for what needs another one. */
enum scene_key { SPARE_P256, SPARE_P384, SPARE_RSA1024, SPARE_ED25519, SPARE__MAX };
EVP_PKEY *scene_spare(enum scene_key kind);
void scene_keys_release(void);

/* A chain without any fault. */
void scene_plan(struct scene *scene, enum verify_purpose purpose);
void scene_make(struct scene *scene);
void scene_release(struct scene *scene);
/* Both generations in the bundle. */
void scene_bundle_both(struct scene *scene, enum proof_generation first);
/* Takes a text's place; takes text over. */
void scene_replace(char **text, char *other);

#endif
