/* SPDX-License-Identifier: PostgreSQL */
#include "pki/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include "base/strs.h"
#include "pki/native.h"

struct key {
	EVP_PKEY *pkey;
	char kind[KEY_KIND_SIZE];
};

static const struct {
	const char *name;
	const char *type;  /* EVP_PKEY_CTX_new_from_name(3) */
	const char *group; /* of EC */
	const char *kind;
	int bits; /* of RSA */
} algs[KEY_ALG__MAX] = {
	[KEY_RSA2048] = {"rsa2048", "RSA", NULL, "RSA-2048", 2048},
	[KEY_RSA3072] = {"rsa3072", "RSA", NULL, "RSA-3072", 3072},
	[KEY_RSA4096] = {"rsa4096", "RSA", NULL, "RSA-4096", 4096},
	[KEY_ECDSA_P256] = {"ecdsa-p256", "EC", "prime256v1", "ECDSA P-256", 0},
	[KEY_ECDSA_P384] = {"ecdsa-p384", "EC", "secp384r1", "ECDSA P-384", 0},
	[KEY_ED25519] = {"ed25519", "ED25519", NULL, "Ed25519", 0},
};

const char *key_alg_name(enum key_alg alg)
{
	return alg < KEY_ALG__MAX ? algs[alg].name : "unknown";
}

int key_alg_parse(enum key_alg *out, const char *name, struct err *err)
{
	const char *names[KEY_ALG__MAX];
	const char *nearest;

	for (enum key_alg alg = 0; alg < KEY_ALG__MAX; alg++) {
		if (!strcmp(algs[alg].name, name)) {
			*out = alg;
			return 0;
		}
		names[alg] = algs[alg].name;
	}
	(void)err_set(err, ERR_USAGE, "'%s' is no key type", name);
	nearest = str_nearest(name, names, KEY_ALG__MAX);
	if (nearest)
		return err_hint(err, "did you mean %s?", nearest);
	return err_hint(err, "use rsa4096, rsa3072, rsa2048, ecdsa-p256, ecdsa-p384 or ed25519");
}

enum key_alg pkey_algorithm(const EVP_PKEY *pkey)
{
	char group[64] = "";

	(void)EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
	ERR_clear_error();
	for (enum key_alg alg = 0; alg < KEY_ALG__MAX; alg++) {
		if (!EVP_PKEY_is_a(pkey, algs[alg].type))
			continue;
		if (algs[alg].group && strcmp(group, algs[alg].group) != 0)
			continue;
		if (!algs[alg].bits || EVP_PKEY_get_bits(pkey) == algs[alg].bits)
			return alg;
	}
	return KEY_ALG__MAX;
}

void pkey_kind(char out[KEY_KIND_SIZE], const EVP_PKEY *pkey)
{
	enum key_alg alg = pkey_algorithm(pkey);
	const char *type = EVP_PKEY_get0_type_name(pkey);

	if (alg < KEY_ALG__MAX)
		(void)snprintf(out, KEY_KIND_SIZE, "%s", algs[alg].kind);
	else
		(void)snprintf(out, KEY_KIND_SIZE, "%.24s-%d", type ? type : "unknown",
			       EVP_PKEY_get_bits(pkey));
}

enum key_alg pkey_known(char kind[KEY_KIND_SIZE], int pkey_id, int bits)
{
	enum key_alg alg = bits == 256 ? KEY_ECDSA_P256 : KEY_ECDSA_P384;

	if (pkey_id == EVP_PKEY_RSA)
		for (alg = 0; alg < KEY_ALG__MAX && algs[alg].bits != bits;)
			alg++;
	if (alg < KEY_ALG__MAX)
		(void)snprintf(kind, KEY_KIND_SIZE, "%s", algs[alg].kind);
	else
		(void)snprintf(kind, KEY_KIND_SIZE, "RSA-%d", bits);
	return alg;
}

int key_adopt(struct key **out, EVP_PKEY *pkey, struct err *err)
{
	struct key *key = calloc(1, sizeof(*key));

	if (!key) {
		EVP_PKEY_free(pkey);
		return err_nomem(err);
	}
	key->pkey = pkey;
	pkey_kind(key->kind, pkey);
	*out = key;
	return 0;
}

void key_free(struct key *key)
{
	if (key)
		EVP_PKEY_free(key->pkey);
	free(key);
}

enum key_alg key_algorithm(const struct key *key)
{
	return pkey_algorithm(key->pkey);
}

int key_curve(const struct key *key)
{
	switch (key_algorithm(key)) {
	case KEY_ECDSA_P256:
		return NID_X9_62_prime256v1;
	case KEY_ECDSA_P384:
		return NID_secp384r1;
	case KEY_RSA2048:
	case KEY_RSA3072:
	case KEY_RSA4096:
	case KEY_ED25519:
	case KEY_ALG__MAX:
		break;
	}
	return NID_undef;
}

const char *key_kind(const struct key *key)
{
	return key->kind;
}

bool key_equal(const struct key *a, const struct key *b)
{
	bool equal = EVP_PKEY_eq(a->pkey, b->pkey) == 1;

	ERR_clear_error();
	return equal;
}

EVP_PKEY *key_native(const struct key *key)
{
	return key->pkey;
}

/* Asked by OpenSSL between the steps of an RSA generation; 0 ends it. */
static int generation_goes_on(EVP_PKEY_CTX *ctx)
{
	const atomic_bool *stop = EVP_PKEY_CTX_get_app_data(ctx);

	return !atomic_load(stop);
}

int key_generate_until(struct key **out, enum key_alg alg, atomic_bool *stop, struct err *err)
{
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *pkey = NULL;
	bool ok;

	if (alg >= KEY_ALG__MAX)
		return err_set(err, ERR_USAGE, "unknown key type %d", (int)alg);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, algs[alg].type, NULL);
	ok = ctx && EVP_PKEY_keygen_init(ctx) == 1;
	if (ok && algs[alg].group)
		ok = EVP_PKEY_CTX_set_group_name(ctx, algs[alg].group) == 1;
	else if (ok && algs[alg].bits)
		ok = EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, algs[alg].bits) == 1;
	if (ok && stop) {
		EVP_PKEY_CTX_set_app_data(ctx, stop);
		EVP_PKEY_CTX_set_cb(ctx, generation_goes_on);
	}
	ok = ok && EVP_PKEY_generate(ctx, &pkey) == 1;
	EVP_PKEY_CTX_free(ctx);
	if (ok)
		return key_adopt(out, pkey, err);
	EVP_PKEY_free(pkey);
	if (stop && atomic_load(stop)) {
		ERR_clear_error();
		return err_set(err, ERR_STOPPED, "stopped while keys were made");
	}
	return ossl_err(err, "cannot make a key of type %s", algs[alg].name);
}

int key_generate(struct key **out, enum key_alg alg, struct err *err)
{
	return key_generate_until(out, alg, NULL, err);
}
