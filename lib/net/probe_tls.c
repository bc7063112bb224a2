/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/alert.h"
#include "net/probe_impl.h"
#include "pki/native.h"

#define HANDSHAKE_CERTIFICATE	      11 /* RFC 8446, section 4 */
#define HANDSHAKE_CERTIFICATE_REQUEST 13
#define HANDSHAKE_NEW_SESSION_TICKET  4
#define EMPTY_CERTIFICATE_MAX	      16 /* a Certificate message without one is 7 or 8 bytes */
#define LEVEL_FATAL		      2

static bool is_fatal(const SSL *ssl, const unsigned char *alert)
{
	if (alert[1] == SSL_AD_CLOSE_NOTIFY || alert[1] == SSL_AD_USER_CANCELLED)
		return false;
	/* TLS 1.3 has errors only, whatever the level says (RFC 8446, section 6) */
	return alert[0] == LEVEL_FATAL || SSL_version(ssl) == TLS1_3_VERSION;
}

/* SSL_CTX_set_msg_callback(3) fixes the types. */
static void on_message(int write_p, int version, int content_type, const void *buf, size_t len,
		       SSL *ssl, void *arg)
{
	struct probe_conn *conn = arg;
	const unsigned char *bytes = buf;

	(void)version;
	if (content_type == SSL3_RT_ALERT && !write_p && len == 2 && is_fatal(ssl, bytes))
		conn->alert = bytes[1];
	if (content_type != SSL3_RT_HANDSHAKE || !len)
		return;
	if (write_p && bytes[0] == HANDSHAKE_CERTIFICATE)
		conn->cert_sent = len > EMPTY_CERTIFICATE_MAX;
	if (!write_p && bytes[0] == HANDSHAKE_CERTIFICATE_REQUEST)
		conn->result->client_asked = true;
	if (!write_p && bytes[0] == HANDSHAKE_NEW_SESSION_TICKET)
		conn->ticket = true;
}

/*
 * A BIO of our own: send(2) with MSG_NOSIGNAL, because a library must not change SIGPIPE for the
 * whole program, and a maximum for what is read.
 */
static int bio_read(BIO *bio, char *data, int len)
{
	struct probe_conn *conn = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	if (conn->bytes >= PROBE_BYTES_MAX) {
		conn->flooded = true;
		return -1;
	}
	got = recv(conn->fd, data, (size_t)len, 0);
	if (got > 0)
		conn->bytes += (size_t)got;
	else if (got == 0)
		conn->eof = true;
	else if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_read(bio);
	else
		conn->io_errno = errno;
	return (int)got;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct probe_conn *conn = BIO_get_data(bio);
	ssize_t put = send(conn->fd, data, (size_t)len, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	else if (put < 0)
		conn->io_errno = errno;
	return (int)put;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *probe_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "probe");

	if (!method)
		return NULL;
	(void)BIO_meth_set_read(method, bio_read);
	(void)BIO_meth_set_write(method, bio_write);
	(void)BIO_meth_set_ctrl(method, bio_ctrl);
	return method;
}

int probe_tls_open(struct probe_conn *conn, SSL_CTX *ctx, BIO_METHOD *method)
{
	static const unsigned char alpn[] = "\x0apostgresql";
	struct net_address literal;
	BIO *bio;

	conn->ssl = SSL_new(ctx);
	bio = conn->ssl ? BIO_new(method) : NULL;
	if (!bio)
		return ERR_FAIL;
	BIO_set_data(bio, conn);
	BIO_set_init(bio, 1);
	SSL_set_bio(conn->ssl, bio, bio);
	SSL_set_connect_state(conn->ssl);
	SSL_set_msg_callback(conn->ssl, on_message);
	SSL_set_msg_callback_arg(conn->ssl, conn);
	/* no addresses in SNI: RFC 6066, section 3 */
	if (net_address_parse(&literal, conn->target->name, NULL) != 0 &&
	    SSL_set_tlsext_host_name(conn->ssl, conn->target->name) != 1)
		return ERR_FAIL;
	/* the one call of OpenSSL that returns 0 when it succeeds */
	if (conn->target->protocol == PROBE_POSTGRES_DIRECT &&
	    SSL_set_alpn_protos(conn->ssl, alpn, sizeof(alpn) - 1) != 0)
		return ERR_FAIL;
	return 0;
}

static void alerted(struct probe_conn *conn)
{
	struct probe_result *result = conn->result;
	const char *text = alert_text(conn->alert);

	(void)strncpy(result->alert, text, sizeof(result->alert) - 1);
	if (!conn->cert_sent) {
		probe_conn_say(conn, PROBE_ALERT, "the server ended TLS: %s (alert %d)%s", text,
			       conn->alert,
			       result->client_asked && !conn->target->cert_pem &&
					       alert_refuses(conn->alert)
				       ? "; no client certificate was shown"
				       : "");
		return;
	}
	if (alert_refuses(conn->alert)) {
		result->client = PROBE_CLIENT_REFUSED;
		probe_conn_say(conn, PROBE_ALERT, "client certificate refused: %s (alert %d)", text,
			       conn->alert);
		return;
	}
	result->client = PROBE_CLIENT_UNKNOWN;
	probe_conn_say(conn, PROBE_ALERT,
		       "the server ended TLS: %s (alert %d), which does not say whether the client "
		       "certificate was accepted",
		       text, conn->alert);
}

static void closed(struct probe_conn *conn)
{
	const char *how = conn->io_errno ? strerror(conn->io_errno) : "closed by the server";

	if (conn->result->stage == PROBE_STAGE_HANDSHAKE) {
		probe_conn_say(conn, PROBE_CLOSED, "connection lost during the TLS handshake: %s%s",
			       how,
			       conn->target->protocol == PROBE_POSTGRES_DIRECT
				       ? "; TLS at once needs PostgreSQL 17 or later"
				       : "");
		return;
	}
	probe_conn_say(conn, PROBE_CONNECTED,
		       "connection lost after the TLS handshake without an answer: %s%s", how,
		       conn->cert_sent && conn->result->client != PROBE_CLIENT_ACCEPTED
			       ? "; it is not known whether the client certificate was accepted"
			       : "");
}

static void broken(struct probe_conn *conn)
{
	unsigned long code = ERR_peek_error();
	const char *reason = ERR_reason_error_string(code);

	/* the version is in the first five bytes: these were no TLS record at all */
	if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
	    ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER &&
	    conn->result->stage == PROBE_STAGE_HANDSHAKE)
		probe_conn_say(conn, PROBE_NOT_TLS, "what the server answers is not TLS");
	else
		probe_conn_say(conn, PROBE_TLS_FAILED, "TLS failed: %s",
			       reason ? reason : "unknown reason");
}

void probe_tls_failed(struct probe_conn *conn, int ssl_error)
{
	if (conn->cert_sent && conn->result->client == PROBE_CLIENT_NONE)
		conn->result->client = PROBE_CLIENT_UNKNOWN;
	if (conn->alert >= 0)
		alerted(conn);
	else if (conn->flooded)
		probe_conn_say(conn, PROBE_TLS_FAILED,
			       "the server sent more than %zu KiB: given up",
			       PROBE_BYTES_MAX >> 10);
	else if (conn->eof || conn->io_errno || ssl_error == SSL_ERROR_ZERO_RETURN)
		closed(conn);
	else
		broken(conn);
	ERR_clear_error();
}

static int add_name(struct probe_result *result, const X509_NAME *name, struct err *err)
{
	struct probe_name *der = &result->ca_ders[result->ca_names.count];
	const unsigned char *bytes;
	char *text;
	int rc;

	if (X509_NAME_get0_der(name, &bytes, &der->len) != 1)
		return err_nomem(err);
	der->der = malloc(der->len + 1);
	text = name_text(name);
	rc = der->der && text ? strs_add(&result->ca_names, text, err) : err_nomem(err);
	if (der->der)
		memcpy(der->der, bytes, der->len);
	if (rc) {
		free(der->der);
		der->der = NULL;
	}
	free(text);
	return rc;
}

static int collect_names(struct probe_conn *conn, struct err *err)
{
	const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(conn->ssl);
	int count = names ? sk_X509_NAME_num(names) : 0;
	int rc = 0;

	if (count > PROBE_NAMES_MAX)
		count = PROBE_NAMES_MAX;
	if (count <= 0)
		return 0;
	conn->result->ca_ders = calloc((size_t)count, sizeof(*conn->result->ca_ders));
	if (!conn->result->ca_ders)
		return err_nomem(err);
	for (int i = 0; i < count && !rc; i++)
		rc = add_name(conn->result, sk_X509_NAME_value(names, i), err);
	return rc;
}

static int collect_chain(struct probe_conn *conn, struct err *err)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(conn->ssl);
	int count = chain ? sk_X509_num(chain) : 0;
	struct err why = {0};
	int rc = 0;

	for (int i = 0; i < count && i < PROBE_CHAIN_MAX && !rc; i++) {
		struct cert *cert = NULL;

		/* one that only OpenSSL can read is left out: the leaf is NULL then */
		if (cert_from_native(&cert, sk_X509_value(chain, i), conn->label, &why)) {
			if (i == 0)
				return 0;
			continue;
		}
		rc = bundle_add(&conn->result->chain, cert, err);
		if (!rc && i == 0)
			conn->result->leaf = cert_ref(cert);
		cert_free(cert);
	}
	return rc;
}

int probe_tls_collect(struct probe_conn *conn, struct err *err)
{
	int rc;

	if (!conn->ssl)
		return 0;
	rc = collect_chain(conn, err);
	if (!rc)
		rc = collect_names(conn, err);
	if (conn->result->leaf)
		(void)strncpy(conn->result->version, SSL_get_version(conn->ssl),
			      sizeof(conn->result->version) - 1);
	return rc;
}
