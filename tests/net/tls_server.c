/* SPDX-License-Identifier: PostgreSQL */
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pki/native.h"
#include "pki/verify.h"
#include "tests/net/suites.h"

static int pick_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		     const unsigned char *in, unsigned in_len, void *arg)
{
	const char *want = arg;
	size_t len = strlen(want);

	(void)ssl;
	for (unsigned i = 0; i < in_len; i += in[i] + 1U) {
		if (in[i] == len && !memcmp(in + i + 1, want, len)) {
			*out = in + i + 1;
			*out_len = (unsigned char)len;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *make_ctx(const struct tls_server *server)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	struct err err = {0};

	ck_assert_int_eq(SSL_CTX_use_certificate(ctx, cert_native(server->identity->cert)), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, key_native(server->identity->own)), 1);
	if (server->max_version)
		ck_assert_int_eq(SSL_CTX_set_max_proto_version(ctx, server->max_version), 1);
	ck_assert_int_eq(SSL_CTX_set_num_tickets(ctx, server->tickets ? 2 : 0), 1);
	if (server->alpn) {
		static char name[32];

		(void)strncpy(name, server->alpn, sizeof(name) - 1);
		SSL_CTX_set_alpn_select_cb(ctx, pick_alpn, name);
	}
	if (server->client_ca_pem) {
		struct bundle bundle = BUNDLE_INIT;
		struct verifier *verifier = NULL;

		ck_ok(bundle_from_pem(&bundle, server->client_ca_pem, strlen(server->client_ca_pem),
				      "CA", &err),
		      &err);
		ck_ok(verifier_new(&verifier, &bundle, VERIFY_LEVEL_DEFAULT, &err), &err);
		SSL_CTX_set1_cert_store(ctx, verifier_native(verifier));
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		verifier_free(verifier);
		bundle_release(&bundle);
	}
	return ctx;
}

static void serve(SSL_CTX *ctx, int fd, const struct tls_server *server)
{
	SSL *ssl = SSL_new(ctx);
	char byte;

	(void)SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1 && !server->close) {
		if (server->say)
			(void)SSL_write(ssl, server->say, (int)strlen(server->say));
		while (SSL_read(ssl, &byte, 1) > 0)
			;
	}
	SSL_free(ssl);
	(void)close(fd);
}

unsigned tls_server_start(const struct tls_server *server)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL_CTX *ctx = make_ctx(server);
	pid_t pid;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int peer = accept(fd, NULL, NULL);

			if (peer < 0)
				_exit(1);
			serve(ctx, peer, server);
		}
	}
	SSL_CTX_free(ctx);
	(void)close(fd);
	return ntohs(addr.sin_port);
}
