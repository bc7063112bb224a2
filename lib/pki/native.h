/* SPDX-License-Identifier: PostgreSQL */
/*
 * OpenSSL's objects behind ours, for lib/net's handshakes; nothing else includes this. What is
 * returned is borrowed.
 */
#ifndef PKI_NATIVE_H
#define PKI_NATIVE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/verify.h"

EVP_PKEY *key_native(const struct key *key);
/* Of one that is packed it is made now, and stays with it: NULL without memory. */
X509 *cert_native(const struct cert *cert);
/* For SSL_CTX_set1_cert_store(3): the verifier's bundle. */
X509_STORE *verifier_native(const struct verifier *verifier);

/* A certificate that a peer showed; takes a reference of its own. name is for messages. */
int cert_from_native(struct cert **out, X509 *x509, const char *name, struct err *err);
/* A name as cert_subject() writes it; free() it. NULL without memory. */
char *name_text(const X509_NAME *name);

#endif
