/* SPDX-License-Identifier: PostgreSQL */
/*
 * libcurl's codes (libcurl-errors(3)) and what OpenSSL says, as one sentence: what happened, and
 * what to do. The codes and texts are those of libcurl 7.88.
 */
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "net/http_impl.h"

void http_say(struct buf *out, const struct http_hop *hop)
{
	buf_addf(out, "%s ", hop->request->method);
	http_url_show(out, &hop->url, hop->request->secret_path);
	if (hop->proxy.shown) {
		buf_adds(out, " through the proxy ");
		buf_add_safe(out, hop->proxy.shown, strlen(hop->proxy.shown));
	}
}

int http_fail(const struct http_hop *hop, enum http_failure failure, int code, struct err *err,
	      const char *fmt, ...)
{
	struct buf where;
	va_list ap;

	hop->response->failure = failure;
	va_start(ap, fmt);
	err_vset(err, code, fmt, ap);
	va_end(ap);
	buf_init(&where, 16384);
	http_say(&where, hop);
	err_prefix(err, "%.600s", where.data);
	buf_release(&where);
	return code;
}

/* What libcurl or OpenSSL say, fit for a message: behind the last "::" of OpenSSL's. */
static void library_text(struct buf *out, const struct http_hop *hop)
{
	const char *text = hop->text[0] ? hop->text : hop->http->curl->easy_strerror(hop->code);
	const char *last = strstr(text, "SSL routines::");

	if (last)
		text = last + strlen("SSL routines::");
	http_add_masked(out, hop->request, text, strlen(text));
}

static int say_library(const struct http_hop *hop, enum http_failure failure, struct err *err,
		       const char *what)
{
	struct buf text;
	int rc;

	buf_init(&text, 2048);
	library_text(&text, hop);
	rc = http_fail(hop, failure, ERR_FAIL, err, "%s: %s", what, text.data);
	buf_release(&text);
	return rc;
}

/* What libcurl knows of the exchange; *out, of the type that belongs to it, stays otherwise. */
static void ask(const struct http_hop *hop, CURLINFO what, void *out)
{
	(void)hop->http->curl->easy_getinfo(hop->http->easy, what, out);
}

/* ---- TLS */

static int not_trusted(const struct http_hop *hop, struct err *err)
{
	long result = X509_V_OK;

	ask(hop, CURLINFO_SSL_VERIFYRESULT, &result);
	/* The chain held: libcurl has not asked for OpenSSL's verdict yet when it looks at names.
	 */
	if (result == X509_V_OK || result == X509_V_ERR_UNSPECIFIED) {
		http_fail(hop, HTTP_NOT_TRUSTED, ERR_FAIL, err,
			  "its certificate is made out for another name than %s", hop->url.name);
		return err_hint(err, "the address has to name the host as its certificate does");
	}
	http_fail(hop, HTTP_NOT_TRUSTED, ERR_FAIL, err, "its certificate is not accepted: %s",
		  X509_verify_cert_error_string(result));
	if (result == X509_V_ERR_CERT_HAS_EXPIRED || result == X509_V_ERR_CERT_NOT_YET_VALID)
		return err_hint(err,
				"tell who runs %s, and see whether this machine's clock is "
				"right",
				hop->url.name);
	return err_hint(err, "where it comes from a CA of your own: name the CA's file with "
			     "ca_file, or bring it into this machine's store "
			     "(update-ca-certificates)");
}

static int tls_failed(const struct http_hop *hop, struct err *err)
{
	static const char *const ends[] = {"SSL_ERROR_SYSCALL", "Connection reset",
					   "unexpected eof"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (!strstr(hop->text, ends[i]))
			continue;
		http_fail(hop, HTTP_CLOSED, ERR_FAIL, err,
			  "the connection was closed in the TLS handshake");
		return err_hint(err, "see whether the address and its port are those of an https "
				     "server, and what its log says");
	}
	say_library(hop, HTTP_TLS, err, "no TLS");
	return err_hint(err, "TLS 1.2 or 1.3 is needed; see whether the address and its port are "
			     "those of an https server");
}

/* ---- the way */

static int unreachable(const struct http_hop *hop, struct err *err)
{
	long os_errno = 0;

	ask(hop, CURLINFO_OS_ERRNO, &os_errno);
	if (os_errno) {
		int rc = err_sys(err, (int)os_errno, "cannot connect");
		struct err why = {.code = rc};

		if (err)
			why = *err;
		rc = http_fail(hop, rc == ERR_MACHINE ? HTTP_LOCAL : HTTP_UNREACHABLE,
			       rc == ERR_MACHINE ? ERR_MACHINE : ERR_FAIL, err, "%s", why.msg);
		if (rc == ERR_MACHINE && err)
			memcpy(err->hint, why.hint, sizeof(err->hint));
		if (rc == ERR_MACHINE)
			return rc;
	} else {
		http_fail(hop, HTTP_UNREACHABLE, ERR_FAIL, err, "cannot connect");
	}
	return err_hint(err, hop->proxy.text
				     ? "see https_proxy and no_proxy in the environment, and "
				       "whether the proxy runs"
				     : "see whether it runs, and whether this machine may "
				       "reach it");
}

static int proxy_refuses(const struct http_hop *hop, long status, struct err *err)
{
	http_fail(hop, HTTP_PROXY, ERR_FAIL, err, "the proxy answered %ld", status);
	return err_hint(err, status == 407 ? "it wants a user and a password: https_proxy in the "
					     "environment takes them"
					   : "see what the proxy lets through");
}

static int timed_out(const struct http_hop *hop, struct err *err)
{
	const struct http_request *request = hop->request;
	int64_t ms = request->deadline_ms ? request->deadline_ms : HTTP_DEADLINE_MS;
	bool connecting = !hop->response->sent;

	if (connecting && ms > HTTP_CONNECT_MS)
		ms = HTTP_CONNECT_MS;
	if (!connecting && hop->response->body.len)
		http_fail(hop, HTTP_TIMEOUT, ERR_FAIL, err,
			  "the answer did not end within %.3g s (%zu bytes of it came)",
			  (double)ms / 1000, hop->response->body.len);
	else
		http_fail(hop, HTTP_TIMEOUT, ERR_FAIL, err, "no %s within %.3g s",
			  connecting ? "connection" : "answer", (double)ms / 1000);
	return err_hint(err, connecting ? "see whether it runs, and whether this machine may reach "
					  "it"
					: "see what the other side is doing");
}

static int too_large(const struct http_hop *hop, struct err *err)
{
	if (hop->body_over)
		http_fail(hop, HTTP_TOO_LARGE, ERR_FAIL, err,
			  "the answer (status %ld) is larger than %zu bytes", hop->status,
			  hop->response->body.max);
	else
		http_fail(hop, HTTP_TOO_LARGE, ERR_FAIL, err,
			  "the headers of the answer are larger than %zu bytes", HTTP_HEADERS_MAX);
	return err_hint(err, "see whether the address is the right one");
}

static int closed(const struct http_hop *hop, struct err *err)
{
	if (hop->status)
		http_fail(hop, HTTP_CLOSED, ERR_FAIL, err,
			  "the connection was closed in the middle of the answer (status %ld, %zu "
			  "bytes of its body came)",
			  hop->status, hop->response->body.len);
	else
		http_fail(hop, HTTP_CLOSED, ERR_FAIL, err,
			  "the connection was closed before an answer came");
	return err_hint(err, "see what the other side's log says");
}

static int by_code(const struct http_hop *hop, struct err *err)
{
	long connect_status = 0;

	ask(hop, CURLINFO_HTTP_CONNECTCODE, &connect_status);
	if (hop->proxy.text && !hop->response->sent && connect_status >= 300)
		return proxy_refuses(hop, connect_status, err);
	switch ((int)hop->code) {
	case CURLE_OUT_OF_MEMORY: /* also for a header line without an end, where memory is there */
		hop->response->failure = HTTP_TOO_LARGE;
		return too_large(hop, err);
	case CURLE_COULDNT_CONNECT:
		return unreachable(hop, err);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return say_library(hop, HTTP_NO_ADDRESS, err, "no address");
	case CURLE_PROXY:
		return say_library(hop, HTTP_PROXY, err, "the proxy refuses");
	case CURLE_OPERATION_TIMEDOUT:
		return timed_out(hop, err);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return not_trusted(hop, err);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
		return tls_failed(hop, err);
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return closed(hop, err);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return say_library(hop, HTTP_NOT_HTTP, err, "what came is no HTTP/1.1");
	default:
		return say_library(hop, HTTP_LOCAL, err, "libcurl");
	}
}

int http_reason(const struct http_hop *hop, struct err *err)
{
	curl_off_t sent = 0;
	int rc;

	ask(hop, CURLINFO_PRETRANSFER_TIME_T, &sent);
	hop->response->sent = sent > 0;
	if (hop->starved || hop->http->lost || err_starved()) {
		hop->response->failure = HTTP_LOCAL;
		rc = err_nomem(err);
		return rc;
	}
	if (hop->stopped)
		return http_fail(hop, HTTP_STOPPED, ERR_STOPPED, err, "stopped as asked");
	if (hop->body_over || hop->headers_over)
		return too_large(hop, err);
	if (hop->timed_out)
		return timed_out(hop, err);
	return hop->code ? by_code(hop, err) : 0;
}
