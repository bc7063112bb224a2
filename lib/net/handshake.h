/* SPDX-License-Identifier: PostgreSQL */
/*
 * A real TLS handshake between a server and a client in memory: OpenSSL's own state machines over
 * two pairs of memory buffers, without a socket. It shows what chain verification alone cannot:
 * that key, certificate, signature algorithms and security level make a connection.
 */
#ifndef NET_HANDSHAKE_H
#define NET_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/verify.h"

/* Settings that many handshakes share. One thread at a time. */
struct handshaker;

struct handshake_peer {
	const struct cert *leaf; /* NULL: shows none (clients only) */
	const struct key *key;
	const struct bundle *chain; /* sent behind the leaf; NULL: nothing */
	const struct verifier
		*trusted; /* NULL: verifies nothing and, as a server, asks for nothing */
};

struct handshake_result {
	bool ok;
	char version[16]; /* "TLSv1.3" */
	char reason[512]; /* why not: one sentence, lower case, no full stop */
};

/* level: as verifier_new(); at: the time at which certificates are verified. */
int handshaker_new(struct handshaker **out, int level, int64_t at, struct err *err);
void handshaker_free(struct handshaker *handshaker); /* NULL is fine */

/*
 * With tls12 both sides speak TLS 1.2 at most, else what is newest. One byte goes each way after
 * the handshake, because in TLS 1.3 a server refuses a client's certificate only then. 0 whenever
 * there is a result, also a bad one.
 */
int handshake_run(struct handshake_result *out, struct handshaker *handshaker,
		  const struct handshake_peer *server, const struct handshake_peer *client,
		  bool tls12, struct err *err);

#endif
