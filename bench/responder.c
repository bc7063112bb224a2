/* SPDX-License-Identifier: PostgreSQL */
/*
 * A light server for bench/endpoints: answers PostgreSQL's SSLRequest, does the TLS handshake with
 * RSA-2048, and waits for the other side to close. One process, one epoll; each local address has
 * a certificate of its own (by the number in its last three bytes), one key serves them all.
 *
 *   responder make DIR COUNT DOMAIN   writes ca.pem, key.pem, client.pem and leaf-N.pem
 *   responder serve DIR COUNT PORT    listens on all addresses until it is ended
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS	     256
#define SSLREQUEST   8
#define DAYS	     30
#define NETWORK_MASK 0xffffffU
#define FDS_MAX	     65536

/* By descriptor. */
struct conn {
	int fd;
	SSL *ssl; /* NULL: the SSLRequest is awaited */
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "responder: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- certificates */

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!extension || X509_add_ext(cert, extension, -1) != 1)
		fail(value);
	X509_EXTENSION_free(extension);
}

static X509 *new_cert(const char *name, long serial, X509 *issuer, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), (long)DAYS * 86400);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject);
	X509_set_pubkey(cert, key);
	return cert;
}

static void write_pem(const char *dir, const char *name, X509 *cert, EVP_PKEY *key)
{
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	if (!file || (cert && PEM_write_X509(file, cert) != 1) ||
	    (key && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1) ||
	    fclose(file) != 0)
		fail(path);
}

/* A leaf: usage serverAuth with its name, or clientAuth. */
static void make_leaf(const char *dir, const char *file, const char *name, long serial, X509 *ca,
		      EVP_PKEY *ca_key, EVP_PKEY *key, bool server)
{
	X509 *cert = new_cert(name, serial, ca, key);
	char names[160];

	(void)snprintf(names, sizeof(names), "DNS:%s", name);
	add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(cert, ca, NID_key_usage, "critical,digitalSignature,keyEncipherment");
	add_extension(cert, ca, NID_ext_key_usage, server ? "serverAuth" : "clientAuth");
	add_extension(cert, ca, NID_subject_key_identifier, "hash");
	add_extension(cert, ca, NID_authority_key_identifier, "keyid");
	add_extension(cert, ca, NID_subject_alt_name, names);
	X509_sign(cert, ca_key, EVP_sha256());
	write_pem(dir, file, cert, NULL);
	X509_free(cert);
}

static void make(const char *dir, int count, const char *domain)
{
	EVP_PKEY *ca_key = EVP_RSA_gen(2048), *key = EVP_RSA_gen(2048);
	X509 *ca = new_cert("bench CA", 1, NULL, ca_key);

	add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
	add_extension(ca, ca, NID_subject_key_identifier, "hash");
	X509_sign(ca, ca_key, EVP_sha256());
	write_pem(dir, "ca.pem", ca, NULL);
	write_pem(dir, "key.pem", NULL, key);
	make_leaf(dir, "client.pem", "postgres", 2, ca, ca_key, key, false);
	for (int i = 1; i <= count; i++) {
		char name[128], file[64];

		(void)snprintf(name, sizeof(name), "db%d.%s", i, domain);
		(void)snprintf(file, sizeof(file), "leaf-%d.pem", i);
		make_leaf(dir, file, name, 1000 + i, ca, ca_key, key, true);
	}
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
}

/* ---- serving */

static X509 **read_certs(const char *dir, int count)
{
	X509 **certs = calloc((size_t)count + 1, sizeof(*certs));

	for (int i = 1; certs && i <= count; i++) {
		char path[512];
		FILE *file;

		(void)snprintf(path, sizeof(path), "%s/leaf-%d.pem", dir, i);
		file = fopen(path, "r");
		certs[i] = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
		if (!certs[i])
			fail(path);
		(void)fclose(file);
	}
	if (!certs)
		fail("certificates");
	return certs;
}

static SSL_CTX *new_ctx(const char *dir)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/key.pem", dir);
	if (!ctx || SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) != 1)
		fail(path);
	/* As PostgreSQL with ssl_ca_file: asks for a certificate and names its CA, demands none. */
	(void)snprintf(path, sizeof(path), "%s/ca.pem", dir);
	if (SSL_CTX_load_verify_file(ctx, path) != 1)
		fail(path);
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(path));
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	return ctx;
}

static int listen_on(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 4096) < 0)
		fail("listen");
	return fd;
}

static void end(struct conn *conn)
{
	SSL_free(conn->ssl);
	conn->ssl = NULL;
	(void)close(conn->fd);
}

static void take_connections(int epoll, int listener, struct conn *conns)
{
	int fd;

	/* cppcheck-suppress nullPointer ; accept4(2): the address may be NULL */
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

		if (fd >= FDS_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
			(void)close(fd);
			continue;
		}
		conns[fd] = (struct conn){fd, NULL};
	}
}

/* The certificate of the address that was connected to. */
static bool begin_tls(struct conn *conn, SSL_CTX *ctx, X509 **certs, int count)
{
	struct sockaddr_in addr = {0};
	socklen_t len = sizeof(addr);
	unsigned char request[SSLREQUEST];
	int number;

	if (recv(conn->fd, request, sizeof(request), 0) != SSLREQUEST ||
	    getsockname(conn->fd, (struct sockaddr *)&addr, &len) < 0)
		return false;
	number = (int)(ntohl(addr.sin_addr.s_addr) & NETWORK_MASK);
	conn->ssl = SSL_new(ctx);
	return number >= 1 && number <= count && conn->ssl &&
	       SSL_use_certificate(conn->ssl, certs[number]) == 1 &&
	       SSL_set_fd(conn->ssl, conn->fd) == 1 && send(conn->fd, "S", 1, MSG_NOSIGNAL) == 1;
}

/* False where the connection is over. What is sent always fits a fresh connection's buffer. */
static bool go_on(struct conn *conn)
{
	char bytes[64];
	int rc;

	if (!SSL_is_init_finished(conn->ssl)) {
		rc = SSL_accept(conn->ssl);
		return rc == 1 || SSL_get_error(conn->ssl, rc) == SSL_ERROR_WANT_READ;
	}
	rc = SSL_read(conn->ssl, bytes, sizeof(bytes));
	return rc > 0 || SSL_get_error(conn->ssl, rc) == SSL_ERROR_WANT_READ;
}

static void serve(const char *dir, int count, int port)
{
	X509 **certs = read_certs(dir, count);
	SSL_CTX *ctx = new_ctx(dir);
	int listener = listen_on(port), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event listening = {.events = EPOLLIN, .data.fd = listener};
	static struct conn conns[FDS_MAX];
	struct epoll_event events[EVENTS];

	(void)signal(SIGPIPE, SIG_IGN);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening) < 0)
		fail("epoll");
	(void)puts("ready");
	(void)fflush(stdout);
	for (;;) {
		int ready = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < ready; i++) {
			struct conn *conn = &conns[events[i].data.fd];

			if (events[i].data.fd == listener)
				take_connections(epoll, listener, conns);
			else if (conn->ssl ? !go_on(conn) : !begin_tls(conn, ctx, certs, count))
				end(conn);
		}
	}
}

static int number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || value < 1 || value > 65535)
		fail(text);
	return (int)value;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "make"))
		make(argv[2], number(argv[3]), argv[4]);
	else if (argc == 5 && !strcmp(argv[1], "serve"))
		serve(argv[2], number(argv[3]), number(argv[4]));
	else
		return 2;
	return 0;
}
