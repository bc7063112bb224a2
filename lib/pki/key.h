/* SPDX-License-Identifier: PostgreSQL */
/*
 * Private keys. A struct key holds one in OpenSSL's form; its text (PEM, RFC 7468) only ever
 * lives in an arena. Messages name the key, never its content. A key may be read by several
 * threads at once.
 */
#ifndef PKI_KEY_H
#define PKI_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "secret/arena.h"

enum key_alg {
	KEY_RSA2048,
	KEY_RSA3072,
	KEY_RSA4096,
	KEY_ECDSA_P256,
	KEY_ECDSA_P384,
	KEY_ED25519,
	KEY_ALG__MAX
};

struct key;

#define KEY_KIND_SIZE 48

/*
 * Makes OpenSSL wipe every piece of memory that it frees: its coders leave copies of keys in
 * ordinary memory otherwise. For main(), before anything else uses OpenSSL; ERR_FAIL where it
 * comes too late. See CRYPTO_set_mem_functions(3).
 */
int key_harden_process(struct err *err);

/* "rsa4096", "ecdsa-p256", "ed25519": the names that the chain's description uses. */
const char *key_alg_name(enum key_alg alg);
/* ERR_USAGE for an unknown name, with a hint that names the nearest, or all of them. */
int key_alg_parse(enum key_alg *out, const char *name, struct err *err);

int key_generate(struct key **out, enum key_alg alg, struct err *err);

/*
 * Makes n keys into out[0..n-1] with that many threads (0: one for each processor). progress
 * (NULL for none) is called in the caller's thread, at least every 200 ms; when it returns
 * non-zero the work stops and the result is ERR_STOPPED. Where it fails out holds only NULL.
 */
int keys_generate(struct key **out, const enum key_alg *algs, size_t n, unsigned threads,
		  int (*progress)(void *ctx, size_t done, size_t total), void *ctx,
		  struct err *err);

/* PKCS#8 PEM (RFC 5958, RFC 7468) into the arena. */
int key_to_pem(struct secret *out, struct arena *arena, const struct key *key, struct err *err);
/*
 * One private key: PKCS#8, PKCS#1 ("RSA PRIVATE KEY") or SEC1 ("EC PRIVATE KEY"); text around
 * it is allowed, a second private key is not. An encrypted one is refused. name is for messages.
 */
int key_from_pem(struct key **out, const struct secret *pem, const char *name, struct err *err);
void key_free(struct key *key); /* wipes; NULL is fine */

/*
 * For many keys: OpenSSL 3.0 takes four times as long to look for its decoders as to read a key
 * with them. One thread at a time.
 */
struct key_reader;

int key_reader_new(struct key_reader **out, struct err *err);
void key_reader_free(struct key_reader *reader); /* NULL is fine */
/* As key_from_pem. */
int key_reader_read(struct key **out, struct key_reader *reader, const struct secret *pem,
		    const char *name, struct err *err);

/* KEY_ALG__MAX for a kind that is not in the enum (RSA-1024, P-521…). */
enum key_alg key_algorithm(const struct key *key);
/* For people: "RSA-4096", "ECDSA P-256", "Ed25519". */
const char *key_kind(const struct key *key);
bool key_equal(const struct key *a, const struct key *b); /* by the public half */

#endif
