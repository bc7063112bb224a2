/* SPDX-License-Identifier: PostgreSQL */
#include "pki/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include "base/sys.h"
#include "pki/native.h"

struct verifier {
	X509_STORE *store;
	int level;
};

int verifier_new(struct verifier **out, const struct bundle *trusted, int level, struct err *err)
{
	struct verifier *verifier = calloc(1, sizeof(*verifier));
	bool ok;

	if (!verifier)
		return err_nomem(err);
	verifier->level = level;
	verifier->store = X509_STORE_new();
	ok = verifier->store != NULL;
	for (size_t i = 0; i < trusted->count && ok; i++)
		ok = X509_STORE_add_cert(verifier->store, cert_native(trusted->items[i])) == 1;
	if (!ok) {
		verifier_free(verifier);
		return ossl_err(err, "cannot make a trust store of %zu certificates",
				trusted->count);
	}
	*out = verifier;
	return 0;
}

void verifier_free(struct verifier *verifier)
{
	if (verifier)
		X509_STORE_free(verifier->store);
	free(verifier);
}

X509_STORE *verifier_native(const struct verifier *verifier)
{
	return verifier->store;
}

static void name_line(char *out, size_t size, const X509_NAME *name)
{
	char *text = name_text(name);

	(void)snprintf(out, size, "%s", text ? text : "an unreadable name");
	free(text);
}

static void time_line(char out[SYS_TIME_SIZE], const ASN1_TIME *when)
{
	struct tm tm = {0};

	if (ASN1_TIME_to_tm(when, &tm))
		sys_time_text((int64_t)timegm(&tm), out);
	else
		(void)snprintf(out, SYS_TIME_SIZE, "an unreadable time");
}

static void explain_time(struct verdict *out, const X509 *x509)
{
	bool early = out->code == X509_V_ERR_CERT_NOT_YET_VALID;
	char when[SYS_TIME_SIZE];

	time_line(when, early ? X509_get0_notBefore(x509) : X509_get0_notAfter(x509));
	(void)snprintf(out->reason, sizeof(out->reason), "%s %s %s", out->at,
		       early ? "is not valid before" : "expired at", when);
}

/* Plain words for what goes wrong in practice; OpenSSL's own for the rest. */
static void explain(struct verdict *out, X509 *x509, enum verify_purpose purpose)
{
	const char *as = purpose == VERIFY_SERVER ? "server" : "client";
	char issuer[256];
	char *to = out->reason;
	size_t size = sizeof(out->reason);

	name_line(issuer, sizeof(issuer), X509_get_issuer_name(x509));
	switch (out->code) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		(void)snprintf(to, size, "the bundle lacks the issuer of %.200s: %.200s", out->at,
			       issuer);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		(void)snprintf(to, size, "%s signed itself and is not in the bundle", out->at);
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		(void)snprintf(to, size,
			       "the chain ends in the root %s, which is not in the bundle",
			       out->at);
		break;
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		(void)snprintf(
			to, size,
			"%.200s is not signed by the first CA in the bundle with its issuer's "
			"subject, %.200s",
			out->at, issuer);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		explain_time(out, x509);
		break;
	case X509_V_ERR_INVALID_PURPOSE:
		(void)snprintf(to, size, "%s may not be used as a %s%s: its usages forbid it",
			       out->at, as, out->depth ? "'s CA" : "");
		break;
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
		(void)snprintf(to, size, "%s signed another certificate but is no CA", out->at);
		break;
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
		(void)snprintf(to, size, "there are more CAs below %s than its path length allows",
			       out->at);
		break;
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
		(void)snprintf(to, size,
			       "the name constraints of a CA above %s forbid a name in it",
			       out->at);
		break;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
		if (!X509_get0_pubkey(x509))
			(void)snprintf(to, size, "the public key of %s cannot be read", out->at);
		else
			(void)snprintf(to, size,
				       "the key of %s is too short for the TLS security level",
				       out->at);
		break;
	case X509_V_ERR_CA_MD_TOO_WEAK:
		(void)snprintf(to, size,
			       "the digest in the signature of %s is too weak for the TLS security "
			       "level",
			       out->at);
		break;
	default:
		(void)snprintf(to, size, "OpenSSL says of %s: %s", out->at, out->openssl);
	}
}

static void fill(struct verdict *out, X509_STORE_CTX *ctx, X509 *leaf, enum verify_purpose purpose)
{
	X509 *at = X509_STORE_CTX_get_current_cert(ctx);

	if (!at)
		at = leaf;
	out->ok = false;
	out->code = X509_STORE_CTX_get_error(ctx);
	out->depth = X509_STORE_CTX_get_error_depth(ctx);
	(void)snprintf(out->openssl, sizeof(out->openssl), "%s",
		       X509_verify_cert_error_string(out->code));
	name_line(out->at, sizeof(out->at), X509_get_subject_name(at));
	explain(out, at, purpose);
}

static int untrusted_stack(STACK_OF(X509) * *out, const struct bundle *untrusted, struct err *err)
{
	STACK_OF(X509) *stack = sk_X509_new_null();

	for (size_t i = 0; stack && untrusted && i < untrusted->count; i++) {
		if (!sk_X509_push(stack, cert_native(untrusted->items[i]))) {
			sk_X509_free(stack);
			stack = NULL;
		}
	}
	*out = stack;
	return stack ? 0 : err_nomem(err);
}

int verifier_check(struct verdict *out, const struct verifier *verifier,
		   const struct bundle *untrusted, const struct cert *leaf,
		   enum verify_purpose purpose, int64_t at, struct err *err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *x509 = cert_native(leaf);
	STACK_OF(X509) *stack = NULL;
	int rc = x509 ? untrusted_stack(&stack, untrusted, err) : err_nomem(err);

	*out = (struct verdict){.ok = true};
	if (rc)
		goto out;
	/* The same parameters that libssl takes to check a peer (ssl_verify_cert_chain). */
	if (!ctx || !X509_STORE_CTX_init(ctx, verifier->store, x509, stack) ||
	    !X509_STORE_CTX_set_default(ctx,
					purpose == VERIFY_SERVER ? "ssl_server" : "ssl_client")) {
		rc = ossl_err(err, "cannot begin to verify %s", cert_subject(leaf));
		goto out;
	}
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), verifier->level);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)at);
	if (X509_verify_cert(ctx) != 1) {
		if (X509_STORE_CTX_get_error(ctx) == X509_V_OK ||
		    X509_STORE_CTX_get_error(ctx) == X509_V_ERR_OUT_OF_MEM)
			rc = ossl_err(err, "cannot verify %s", cert_subject(leaf));
		else
			fill(out, ctx, x509, purpose);
	}
	ERR_clear_error();
out:
	sk_X509_free(stack);
	X509_STORE_CTX_free(ctx);
	return rc;
}

int chain_verify(struct verdict *out, const struct bundle *trusted, const struct bundle *untrusted,
		 const struct cert *leaf, enum verify_purpose purpose, int64_t at, int level,
		 struct err *err)
{
	struct verifier *verifier = NULL;
	int rc = verifier_new(&verifier, trusted, level, err);

	if (verifier)
		rc = verifier_check(out, verifier, untrusted, leaf, purpose, at, err);
	verifier_free(verifier);
	return rc;
}
