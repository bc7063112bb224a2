/* SPDX-License-Identifier: PostgreSQL */
#include "pki/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/strs.h"
#include "pki/internal.h"

#define DIGEST_LEN 32

static bool digest(unsigned char out[DIGEST_LEN], EVP_MAC_CTX *ctx, const struct secret *key,
		   const void *one, size_t one_len, const void *other, size_t other_len)
{
	char name[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t len = 0;

	return EVP_MAC_init(ctx, (const unsigned char *)key->data, key->len, params) &&
	       EVP_MAC_update(ctx, one, one_len) && EVP_MAC_update(ctx, other, other_len) &&
	       EVP_MAC_final(ctx, out, &len, DIGEST_LEN) && len == DIGEST_LEN;
}

int hmac_sha256(char out[HMAC_SIZE], const struct secret *key, const void *one, size_t one_len,
		const void *other, size_t other_len, struct err *err)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	unsigned char sum[DIGEST_LEN];
	int rc = 0;

	if (!ctx || !digest(sum, ctx, key, one, one_len, other, other_len))
		rc = ossl_err(err, "no HMAC");
	else
		hex_text(out, sum, sizeof(sum));
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return rc;
}
