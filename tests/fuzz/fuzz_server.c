/* SPDX-License-Identifier: PostgreSQL */
/*
 * A server that says anything, through the prober's own code: as the answer to the SSLRequest, in
 * place of a TLS handshake, and (over a real TLS session) as PostgreSQL's first message. The first
 * byte chooses. The probe always ends with a message that a terminal can show, and never takes an
 * answer for more than it is. Also what libpq makes of a server's words.
 *
 * The peer is the other end of a local socket in the same process and event loop.
 */
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/pg_impl.h"
#include "net/probe_impl.h"

#define DEADLINE_MS 2000
#define VALID_S	    3600L

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What lasts from one input to the next. */
static struct {
	struct sys sys;
	struct loop *loop;
	SSL_CTX *server;
	int listener;
	struct sockaddr_un address;
	socklen_t address_len;
} world;

/* The other end. */
struct peer {
	struct loop_fd watch;
	int fd;
	SSL *ssl;
	size_t greeted; /* bytes of the SSLRequest */
	const uint8_t *script;
	size_t len;
};

static void must(bool condition)
{
	if (!condition)
		abort();
}

static X509 *self_signed(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name;

	must(cert && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1));
	must(X509_gmtime_adj(X509_getm_notBefore(cert), 0) &&
	     X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S));
	name = X509_get_subject_name(cert);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					(const unsigned char *)"db1.example.com", -1, -1, 0));
	must(X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key));
	must(X509_set_version(cert, X509_VERSION_3) && X509_sign(cert, key, EVP_sha256()));
	return cert;
}

static void set_up(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct err err = {0};
	X509 *cert;

	sys_init(&world.sys);
	must(!loop_new(&world.loop, &world.sys, NULL, &err));
	must(key != NULL);
	cert = self_signed(key);
	world.server = SSL_CTX_new(TLS_server_method());
	must(world.server && SSL_CTX_use_certificate(world.server, cert) &&
	     SSL_CTX_use_PrivateKey(world.server, key));
	X509_free(cert);
	EVP_PKEY_free(key);
	world.address.sun_family = AF_UNIX;
	/* An abstract name: nothing is left behind. */
	world.address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
					(size_t)snprintf(world.address.sun_path + 1,
							 sizeof(world.address.sun_path) - 1,
							 "fuzz-server-%ld", (long)getpid()));
	world.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(world.listener >= 0 &&
	     !bind(world.listener, (struct sockaddr *)&world.address, world.address_len) &&
	     !listen(world.listener, 1));
}

/* ---- the prober's side */

static void on_done(struct probe_conn *conn, void *ctx)
{
	struct err err = {0};

	must(!probe_tls_collect(conn, &err));
	*(bool *)ctx = true;
}

static bool is_over(void *ctx)
{
	return *(bool *)ctx;
}

static void must_be_plain(const char *text)
{
	for (; text && *text; text++)
		must((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_result(const struct probe_result *result)
{
	must(result->message && result->outcome < PROBE_OUTCOME__MAX);
	must_be_plain(result->message);
	must_be_plain(result->server_message);
	must(strlen(result->sqlstate) <= 5);
	must(result->client == PROBE_CLIENT_NONE); /* none was given */
	if (result->login != PROBE_LOGIN_NONE)
		must(result->outcome == PROBE_CONNECTED || result->outcome == PROBE_NOT_TLS);
	if (result->outcome == PROBE_CONNECTED)
		must(result->leaf != NULL);
	for (size_t i = 0; i < result->ca_names.count; i++)
		must_be_plain(result->ca_names.items[i]);
}

static void release_result(struct probe_result *result)
{
	struct probe_results results = {calloc(1, sizeof(*result)), 1};

	must(results.items != NULL);
	*results.items = *result;
	probe_results_release(&results);
}

static int accept_peer(void)
{
	/* cppcheck-suppress nullPointer ; accept(2): the address may be NULL */
	int fd = accept4(world.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	must(fd >= 0);
	return fd;
}

static void run_probe(const struct probe_target *target, struct peer *peer,
		      void (*begin)(struct peer *peer))
{
	struct probe_shared shared;
	struct probe_result result = {0};
	struct err err = {0};
	bool done = false;
	struct probe_conn conn = {.target = target,
				  .result = &result,
				  .loop = world.loop,
				  .label = "db1.example.com:5432",
				  .fd = -1,
				  .alert = -1,
				  .grace_ms = 1,
				  .done = on_done,
				  .ctx = &done};

	must(!probe_shared_init(&shared, target, 1, &err));
	probe_shared_use(&shared, 0);
	memcpy(&conn.address.addr, &world.address, sizeof(world.address));
	conn.address.len = world.address_len;
	probe_conn_start(&conn, &shared, 0, DEADLINE_MS);
	peer->fd = accept_peer();
	begin(peer);
	must(done || !loop_run(world.loop, is_over, &done, -1, &err));
	check_result(&result);
	loop_fd_del(&peer->watch);
	SSL_free(peer->ssl);
	(void)close(peer->fd);
	probe_conn_close(&conn);
	probe_shared_done(&shared, 0);
	probe_shared_release(&shared);
	release_result(&result);
}

/* ---- the peer */

/* All at once, before anything was asked, and then nothing more. */
static void begin_raw(struct peer *peer)
{
	(void)!send(peer->fd, peer->script, peer->len, MSG_NOSIGNAL);
	(void)shutdown(peer->fd, SHUT_WR);
}

static void on_peer(struct loop_fd *watch, unsigned events, void *ctx)
{
	struct peer *peer = ctx;
	char request[8];

	(void)events;
	while (peer->greeted < sizeof(request)) {
		ssize_t got = recv(peer->fd, request, sizeof(request) - peer->greeted, 0);

		if (got <= 0)
			return;
		peer->greeted += (size_t)got;
		if (peer->greeted == sizeof(request))
			must(send(peer->fd, "S", 1, MSG_NOSIGNAL) == 1);
	}
	if (SSL_do_handshake(peer->ssl) != 1)
		return;
	loop_fd_del(watch);
	if (peer->len)
		(void)SSL_write(peer->ssl, peer->script, (int)peer->len);
	(void)SSL_shutdown(peer->ssl);
	(void)shutdown(peer->fd, SHUT_WR);
}

static void begin_tls(struct peer *peer)
{
	struct err err = {0};

	/* The socket is known only when the probe has connected. */
	must(SSL_set_fd(peer->ssl, peer->fd) == 1);
	must(!loop_fd_set(world.loop, &peer->watch, peer->fd, LOOP_READ, on_peer, peer, &err));
}

static void fuzz_raw(enum probe_protocol protocol, const uint8_t *data, size_t size)
{
	const struct probe_target target = {
		.name = "db1.example.com", .port = 5432, .protocol = protocol, .user = "app"};
	struct peer peer = {.script = data, .len = size};

	run_probe(&target, &peer, begin_raw);
}

static void fuzz_tls(bool tls12, const uint8_t *data, size_t size)
{
	const struct probe_target target = {
		.name = "db1.example.com", .port = 5432, .protocol = PROBE_POSTGRES, .user = "app"};
	struct peer peer = {.script = data, .len = size};

	peer.ssl = SSL_new(world.server);
	must(peer.ssl != NULL);
	SSL_set_accept_state(peer.ssl);
	if (tls12)
		must(SSL_set_max_proto_version(peer.ssl, TLS1_2_VERSION));
	run_probe(&target, &peer, begin_tls);
}

/* ---- the messages alone */

/* However it comes in pieces, the same is read. */
static void fuzz_answer(const uint8_t *data, size_t size)
{
	struct probe_result results[2] = {{0}, {0}};
	size_t step = size ? data[0] % 7 + 1 : 1;

	size = size < PROBE_ANSWER_MAX ? size : PROBE_ANSWER_MAX;
	for (int i = 0; i < 2; i++) {
		struct probe_conn conn = {.result = &results[i], .fd = -1};
		bool over = false;

		for (size_t at = 0; at < size && !over; at += step) {
			size_t piece = i ? size : size - at < step ? size - at : step;

			memcpy(conn.answer + conn.answer_len, data + at, piece);
			conn.answer_len += piece;
			over = probe_answer_read(&conn, conn.answer_len == PROBE_ANSWER_MAX);
			if (i)
				break;
		}
		if (!over)
			(void)probe_answer_read(&conn, true);
		must_be_plain(results[i].server_message);
		must(strlen(results[i].sqlstate) <= 5);
	}
	must(results[0].login == results[1].login);
	must(!strcmp(results[0].sqlstate, results[1].sqlstate));
	must(!results[0].server_message == !results[1].server_message);
	free(results[0].server_message);
	free(results[1].server_message);
}

static void fuzz_reason(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct pg_result result = {0};
	struct err err = {0};
	const struct pg_failure failure = {.text = text,
					   .tls_up = size & 1,
					   .needs_password = (size & 6) == 6,
					   .has_cert = size & 8};

	must(text && !pg_reason(&result, &failure, "db1:5432 as app", &err));
	must(result.message && strlen(result.sqlstate) <= 5);
	must_be_plain(result.message);
	must_be_plain(result.server_message);
	free(result.message);
	free(result.server_message);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!world.loop)
		set_up();
	if (!size)
		return 0;
	switch (data[0] % 8) {
	case 0:
		fuzz_raw(PROBE_POSTGRES, data + 1, size - 1);
		break;
	case 1:
		fuzz_raw(PROBE_TLS, data + 1, size - 1);
		break;
	case 2:
		fuzz_raw(PROBE_POSTGRES_DIRECT, data + 1, size - 1);
		break;
	case 3:
		fuzz_tls(false, data + 1, size - 1);
		break;
	case 4:
		fuzz_tls(true, data + 1, size - 1);
		break;
	case 5:
		fuzz_reason(data + 1, size - 1);
		break;
	default:
		fuzz_answer(data + 1, size - 1);
	}
	return 0;
}
