/* SPDX-License-Identifier: PostgreSQL */
#include "net/handshake.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/native.h"

#define ROUNDS_MAX 32 /* a handshake needs three or four */

struct handshaker {
	SSL_CTX *server;
	SSL_CTX *client;
	int64_t at;
};

/* One of the two, while a handshake runs. */
struct end {
	SSL *ssl;
	const char *word; /* "server" */
	const char *peer; /* "client" */
	bool verifies;
	bool done;
};

static const char *ssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return reason ? reason : "OpenSSL gives no reason";
}

/*
 * PostgreSQL's default (ssl_ecdh_curve, in 18 ssl_groups without X25519). It is also what TLS 1.2
 * holds clients' ECDSA keys against: those on other curves are refused there. Level 4 would leave
 * no curve at all.
 */
static bool limit_curves(SSL_CTX *ctx, int level)
{
	return level > 3 || SSL_CTX_set1_groups_list(ctx, "P-256") == 1;
}

static SSL_CTX *new_ctx(const SSL_METHOD *method, int level)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_security_level(ctx, level);
	/* what PostgreSQL and libpq allow (ssl_min_protocol_version) */
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	/* a real one would add what it finds among the CAs it trusts; the proof must not rely on it
	 */
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	return ctx;
}

int handshaker_new(struct handshaker **out, int level, int64_t at, struct err *err)
{
	struct handshaker *h = calloc(1, sizeof(*h));

	if (!h)
		return err_nomem(err);
	h->at = at;
	h->server = new_ctx(TLS_server_method(), level);
	h->client = new_ctx(TLS_client_method(), level);
	if (!h->server || !h->client || !limit_curves(h->server, level)) {
		handshaker_free(h);
		return err_set(err, ERR_FAIL, "cannot prepare TLS: %s", ssl_reason());
	}
	*out = h;
	return 0;
}

void handshaker_free(struct handshaker *handshaker)
{
	if (!handshaker)
		return;
	SSL_CTX_free(handshaker->server);
	SSL_CTX_free(handshaker->client);
	free(handshaker);
}

static void fail(struct handshake_result *out, const struct end *end, const char *what)
{
	long verified = SSL_get_verify_result(end->ssl);
	const char *reason = ssl_reason();

	out->ok = false;
	if (end->verifies && verified != X509_V_OK)
		(void)snprintf(out->reason, sizeof(out->reason),
			       "the %s refuses the %s's certificate: %s", end->word, end->peer,
			       X509_verify_cert_error_string(verified));
	else
		(void)snprintf(out->reason, sizeof(out->reason), "the %s %s: %s", end->word, what,
			       reason);
}

/* 1: ready; 0: this peer cannot use what it was given, and out says why; negative: no memory. */
static int equip(struct handshake_result *out, struct end *end, const struct handshake_peer *peer,
		 int64_t at, struct err *err)
{
	bool ok = true;

	if (peer->leaf)
		ok = SSL_use_certificate(end->ssl, cert_native(peer->leaf)) == 1 &&
		     SSL_use_PrivateKey(end->ssl, key_native(peer->key)) == 1;
	for (size_t i = 0; ok && peer->leaf && peer->chain && i < peer->chain->count; i++)
		ok = SSL_add1_chain_cert(end->ssl, cert_native(peer->chain->items[i])) == 1;
	if (!ok) {
		fail(out, end, "cannot use its certificate and key");
		return 0;
	}
	if (!peer->trusted) {
		SSL_set_verify(end->ssl, SSL_VERIFY_NONE, NULL);
		return 1;
	}
	if (SSL_set1_verify_cert_store(end->ssl, verifier_native(peer->trusted)) != 1)
		return err_set(err, ERR_FAIL, "cannot prepare TLS: %s", ssl_reason());
	end->verifies = true;
	X509_VERIFY_PARAM_set_time(SSL_get0_param(end->ssl), (time_t)at);
	SSL_set_verify(end->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 1;
}

/* Each reads what the other wrote. */
static int connect_ends(struct end *server, struct end *client, struct err *err)
{
	BIO *up = BIO_new(BIO_s_mem());
	BIO *down = BIO_new(BIO_s_mem());

	if (!up || !down || !BIO_up_ref(up)) {
		BIO_free(up);
		BIO_free(down);
		return err_nomem(err);
	}
	if (!BIO_up_ref(down)) {
		BIO_free(up);
		BIO_free(up);
		BIO_free(down);
		return err_nomem(err);
	}
	SSL_set_bio(server->ssl, up, down);
	SSL_set_bio(client->ssl, down, up);
	SSL_set_accept_state(server->ssl);
	SSL_set_connect_state(client->ssl);
	return 0;
}

/* Goes on as far as it can without the other: true unless it failed. */
static bool step(struct handshake_result *out, struct end *end)
{
	int rc, why;

	if (end->done)
		return true;
	ERR_clear_error();
	rc = SSL_do_handshake(end->ssl);
	if (rc == 1) {
		end->done = true;
		return true;
	}
	why = SSL_get_error(end->ssl, rc);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return true;
	fail(out, end, "ends the handshake");
	return false;
}

static bool send_byte(struct handshake_result *out, struct end *from, struct end *to)
{
	char byte = 'x';

	ERR_clear_error();
	if (SSL_write(from->ssl, &byte, 1) != 1) {
		fail(out, from, "cannot write");
		return false;
	}
	ERR_clear_error();
	if (SSL_read(to->ssl, &byte, 1) != 1) {
		fail(out, to, "cannot read");
		return false;
	}
	return true;
}

static void run(struct handshake_result *out, struct end *server, struct end *client)
{
	for (int round = 0; round < ROUNDS_MAX && !(server->done && client->done); round++)
		if (!step(out, client) || !step(out, server))
			return;
	if (!server->done || !client->done) {
		(void)snprintf(out->reason, sizeof(out->reason), "the handshake does not end");
		return;
	}
	if (!send_byte(out, client, server) || !send_byte(out, server, client))
		return;
	(void)snprintf(out->version, sizeof(out->version), "%s", SSL_get_version(client->ssl));
	out->ok = true;
}

int handshake_run(struct handshake_result *out, struct handshaker *handshaker,
		  const struct handshake_peer *server, const struct handshake_peer *client,
		  bool tls12, struct err *err)
{
	struct end s = {.ssl = SSL_new(handshaker->server), .word = "server", .peer = "client"};
	struct end c = {.ssl = SSL_new(handshaker->client), .word = "client", .peer = "server"};
	int max = tls12 ? TLS1_2_VERSION : 0;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (!s.ssl || !c.ssl || SSL_set_max_proto_version(s.ssl, max) != 1 ||
	    SSL_set_max_proto_version(c.ssl, max) != 1)
		rc = err_set(err, ERR_FAIL, "cannot prepare TLS: %s", ssl_reason());
	if (!rc)
		rc = connect_ends(&s, &c, err);
	if (!rc)
		rc = equip(out, &s, server, handshaker->at, err);
	if (rc == 1)
		rc = equip(out, &c, client, handshaker->at, err);
	if (rc == 1)
		run(out, &s, &c);
	ERR_clear_error();
	SSL_free(s.ssl);
	SSL_free(c.ssl);
	return rc < 0 ? rc : 0;
}
