/* SPDX-License-Identifier: PostgreSQL */
/* Client certificates and bundles that probes share: loaded once, and no longer than needed. */
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strs.h"
#include "net/probe_impl.h"
#include "pki/bundle.h"
#include "pki/native.h"

#define MAP_KEY_SIZE 64

static int index_of(struct strmap *map, const char *key, size_t *count, size_t *out,
		    struct err *err)
{
	if (strmap_get(map, key, out))
		return 0;
	*out = (*count)++;
	return strmap_put(map, key, *out, err);
}

static int assign(struct probe_shared *shared, const struct probe_target *targets, size_t count,
		  struct err *err)
{
	struct strmap creds = STRMAP_INIT, trusts = STRMAP_INIT;
	char key[MAP_KEY_SIZE];
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		const struct probe_target *target = &targets[i];

		(void)snprintf(key, sizeof(key), "%p %p", (const void *)target->cert_pem,
			       target->key ? (const void *)target->key->data : NULL);
		rc = index_of(&creds, key, &shared->cred_count, &shared->cred_of[i], err);
		if (rc)
			break;
		shared->creds[shared->cred_of[i]].of = target;
		shared->trust_of[i] = SIZE_MAX;
		if (!target->trust_pem)
			continue;
		(void)snprintf(key, sizeof(key), "%p", (const void *)target->trust_pem);
		rc = index_of(&trusts, key, &shared->trust_count, &shared->trust_of[i], err);
		if (!rc)
			shared->trusts[shared->trust_of[i]].pem = target->trust_pem;
	}
	strmap_release(&creds);
	strmap_release(&trusts);
	return rc;
}

int probe_shared_init(struct probe_shared *shared, const struct probe_target *targets, size_t count,
		      struct err *err)
{
	int rc;

	*shared = (struct probe_shared){0};
	shared->creds = calloc(count + 1, sizeof(*shared->creds));
	shared->trusts = calloc(count + 1, sizeof(*shared->trusts));
	shared->cred_of = calloc(count + 1, sizeof(*shared->cred_of));
	shared->trust_of = calloc(count + 1, sizeof(*shared->trust_of));
	shared->bio = probe_bio_method();
	if (!shared->creds || !shared->trusts || !shared->cred_of || !shared->trust_of ||
	    !shared->bio)
		rc = err_nomem(err);
	else
		rc = assign(shared, targets, count, err);
	if (rc)
		probe_shared_release(shared);
	return rc;
}

static void drop_creds(struct probe_creds *creds)
{
	SSL_CTX_free(creds->ctx);
	free(creds->error);
	creds->ctx = NULL;
	creds->error = NULL;
}

static void drop_trust(struct probe_trust *trust)
{
	verifier_free(trust->verifier);
	free(trust->error);
	trust->verifier = NULL;
	trust->error = NULL;
}

void probe_shared_release(struct probe_shared *shared)
{
	for (size_t i = 0; i < shared->cred_count; i++)
		drop_creds(&shared->creds[i]);
	for (size_t i = 0; i < shared->trust_count; i++)
		drop_trust(&shared->trusts[i]);
	free(shared->creds);
	free(shared->trusts);
	free(shared->cred_of);
	free(shared->trust_of);
	BIO_meth_free(shared->bio);
	*shared = (struct probe_shared){0};
}

void probe_shared_use(struct probe_shared *shared, size_t target)
{
	shared->creds[shared->cred_of[target]].users++;
	if (shared->trust_of[target] != SIZE_MAX)
		shared->trusts[shared->trust_of[target]].users++;
}

void probe_shared_done(struct probe_shared *shared, size_t target)
{
	struct probe_creds *creds = &shared->creds[shared->cred_of[target]];

	if (creds->users && --creds->users == 0)
		drop_creds(creds);
	if (shared->trust_of[target] != SIZE_MAX) {
		struct probe_trust *trust = &shared->trusts[shared->trust_of[target]];

		if (trust->users && --trust->users == 0)
			drop_trust(trust);
	}
}

static int openssl_failed(const char *what, struct err *err)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	return err_set(err, ERR_FAIL, "%s: %s", what, reason ? reason : "refused by OpenSSL");
}

static int use_chain(SSL_CTX *ctx, const struct bundle *chain, const struct key *key,
		     struct err *err)
{
	if (!key_matches(key, chain->items[0]))
		return err_set(err, ERR_FAIL, "client key does not belong to the certificate (%s)",
			       cert_subject(chain->items[0]));
	if (SSL_CTX_use_certificate(ctx, cert_native(chain->items[0])) != 1)
		return openssl_failed("client certificate cannot be used", err);
	if (SSL_CTX_use_PrivateKey(ctx, key_native(key)) != 1)
		return openssl_failed("client key cannot be used", err);
	for (size_t i = 1; i < chain->count; i++) {
		if (SSL_CTX_add1_chain_cert(ctx, cert_native(chain->items[i])) != 1)
			return openssl_failed("client certificate's chain cannot be used", err);
	}
	return 0;
}

static int load_client(SSL_CTX *ctx, const struct probe_target *target, struct err *err)
{
	struct bundle chain = BUNDLE_INIT;
	struct key *key = NULL;
	int rc;

	if (!target->key || !target->key->data)
		return err_set(err, ERR_FAIL, "client certificate without its key");
	rc = bundle_from_pem(&chain, target->cert_pem, strlen(target->cert_pem),
			     "client certificate", err);
	if (!rc)
		rc = key_from_pem(&key, target->key, "client key", err);
	if (!rc)
		rc = use_chain(ctx, &chain, key, err);
	bundle_release(&chain);
	key_free(key);
	return rc;
}

static SSL_CTX *new_ctx(const struct probe_target *target, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx) {
		(void)openssl_failed("TLS cannot be set up", err);
		return NULL;
	}
	/* what libpq allows at least; the chain is judged by lib/pki, not by the handshake */
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (target->cert_pem && load_client(ctx, target, err)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

SSL_CTX *probe_shared_ctx(struct probe_shared *shared, size_t target, const char **why)
{
	struct probe_creds *creds = &shared->creds[shared->cred_of[target]];
	struct err err = {0};

	if (!creds->ctx && !creds->error) {
		creds->ctx = new_ctx(creds->of, &err);
		if (!creds->ctx)
			creds->error = strdup(err.msg);
	}
	*why = creds->error ? creds->error : "out of memory";
	return creds->ctx;
}

const struct verifier *probe_shared_trust(struct probe_shared *shared, size_t target,
					  const char **why)
{
	struct probe_trust *trust = &shared->trusts[shared->trust_of[target]];
	struct bundle bundle = BUNDLE_INIT;
	struct err err = {0};

	if (!trust->verifier && !trust->error) {
		if (bundle_from_pem(&bundle, trust->pem, strlen(trust->pem), "trusted bundle",
				    &err) ||
		    verifier_new(&trust->verifier, &bundle, VERIFY_LEVEL_DEFAULT, &err))
			trust->error = strdup(err.msg);
		bundle_release(&bundle);
	}
	*why = trust->error ? trust->error : "out of memory";
	return trust->verifier;
}
