/* SPDX-License-Identifier: PostgreSQL */
/*
 * HTTP over TLS with libcurl: one request at a time, for JSON interfaces and webhooks. HTTP/1.1
 * (RFC 9112, RFC 9110); connections are kept and used again by the next request.
 *
 * What is refused, whatever the configuration says:
 *   - addresses with a user or password in them: they end in logs
 *   - http:// unless the host is this machine itself (127.0.0.0/8, ::1, localhost): bodies, tokens
 *     and what they open would be anyone's on the way. Such a request never goes through a proxy
 *   - TLS before 1.2, certificates that do not lead to the system's CAs or those of ca_file, and
 *     names that are not the certificate's
 *   - redirects to another scheme, host or port (a token would go along), more than 5 in a row, and
 *     those that turn a POST into a GET (301, 302, 303)
 *   - answers larger than the request's body_max, headers larger than HTTP_HEADERS_MAX
 *
 * Proxies come from the environment as curl has them: https_proxy or HTTPS_PROXY, else all_proxy or
 * ALL_PROXY; no_proxy or NO_PROXY names hosts that need none. SSL_CERT_FILE and CURL_CA_BUNDLE have
 * no say: the variables of a shell do not decide whom we trust.
 *
 * Who uses it ignores SIGPIPE, as main() does: OpenSSL writes to connections that are gone.
 * Names are looked up by net/resolve.h, so libcurl starts no thread; waiting is done by the loop,
 * so a stop request ends it at once. Each exchange has a deadline for the whole of it.
 *
 * Messages are one sentence that names method and address: without user, query and fragment, and
 * with secret_path without its path ("POST https://hooks.example.com/…: …"). Neither they nor an
 * excerpt hold a header's secret, such a path or query, a PEM key, or what a terminal would act on,
 * whatever the other side answers.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"
#include "proc/loop.h"
#include "secret/arena.h"

#define HTTP_DEADLINE_MS  30000		     /* where a request has 0 */
#define HTTP_CONNECT_MS	  10000		     /* of the deadline, until TLS stands */
#define HTTP_BODY_MAX	  ((size_t)1 << 20)  /* where a request has 0 */
#define HTTP_HEADERS_MAX  ((size_t)64 << 10) /* of one answer, all lines together */
#define HTTP_REDIRECTS	  5
#define HTTP_EXCERPT_SIZE 320

struct http;

/* Zero what is not needed. All is borrowed as long as the struct http lives. */
struct http_options {
	struct sys *sys;
	struct loop_stop *stop; /* may be NULL */
	const char *ca_file;	/* PEM; its CAs are trusted beside the system's; NULL: none */
	/* For tests: instead of waiting that long between two tries. NULL: waits. */
	int (*wait)(void *ctx, int64_t ms, struct err *err);
	void *wait_ctx;
};

/* ERR_USAGE where ca_file cannot be used. */
int http_new(struct http **out, const struct http_options *options, struct err *err);
void http_free(struct http *http);   /* closes the connections; NULL is fine */
int64_t http_now(struct http *http); /* its clock: seconds since the epoch */

/* A header of a request. The secret (NULL: none) follows value: {"Authorization", "Bearer ",
 * &token} */
struct http_header {
	const char *name;
	const char *value; /* NULL: "" */
	const struct secret *secret;
};

/* Zero what is not needed. All is borrowed during the call. */
struct http_request {
	const char *method; /* "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD" */
	const char *url;
	bool secret_path; /* who knows the path may use it (webhooks): no message shows it */
	const struct http_header *headers; /* User-Agent is always there: certrotate/VERSION */
	size_t header_count;
	const char *body; /* NULL: none */
	size_t body_len;
	int64_t deadline_ms; /* of the exchange with its redirects; http_retry: of one try */
	size_t body_max;     /* of the answer, bytes */
};

/* Why there is no answer. */
enum http_failure {
	HTTP_NONE,	 /* there is an answer, with whatever status */
	HTTP_REFUSED,	 /* not sent: the address or the request cannot be used */
	HTTP_NO_ADDRESS, /* the name, or the proxy's, is not found */
	HTTP_UNREACHABLE,
	HTTP_PROXY,	  /* the proxy refuses */
	HTTP_NOT_TRUSTED, /* the certificate: no CA, expired, another name */
	HTTP_TLS,	  /* TLS failed otherwise */
	HTTP_TIMEOUT,	  /* before anything was sent, or after: see sent */
	HTTP_CLOSED,	  /* the connection ended before the answer did */
	HTTP_TOO_LARGE,	  /* body or headers */
	HTTP_NOT_HTTP,	  /* what came is no HTTP */
	HTTP_REDIRECT,	  /* one that is not followed */
	HTTP_STOPPED,	  /* by the operator */
	HTTP_LOCAL,	  /* memory, descriptors, libcurl */
	HTTP__MAX
};

struct http_response {
	int status;	     /* 200; 0 where there is no answer */
	char type[96];	     /* "application/json", lower case, without parameters; "" where none */
	struct buf body;     /* NUL-terminated */
	struct strs headers; /* "name: value", the names in lower case */
	enum http_failure failure;
	bool sent;	/* where there is no answer: the request may have been acted upon */
	unsigned tries; /* 1 from http_send */
	int64_t ms;	/* how long it took, waits included */
};

/*
 * One exchange. 0 where there is an answer, with whatever status; otherwise the error says what
 * happened and what to do, and out->failure what kind it was: ERR_USAGE for HTTP_REFUSED,
 * ERR_STOPPED, ERR_MACHINE, else ERR_FAIL. *out is overwritten; http_response_release it after an
 * error, too.
 */
int http_send(struct http_response *out, struct http *http, const struct http_request *request,
	      struct err *err);
void http_response_release(struct http_response *response);

/* The first of that name (case does not count), NULL where there is none. */
const char *http_header(const struct http_response *response, const char *name);

/*
 * One line about an answer for a message: the first line of its body that is not blank, or an HTML
 * page's title; "" for an empty body. Printable, cut, without what the request keeps secret.
 */
void http_excerpt(char out[HTTP_EXCERPT_SIZE], const struct http_request *request,
		  const struct http_response *response);
/*
 * The error for an answer with a status that the caller does not take: "GET https://…: answered
 * 404 (not found): TEXT", with a hint where the status speaks for itself. ERR_FAIL.
 */
int http_refuse(const struct http_request *request, const struct http_response *response,
		struct err *err);
/* The address as messages show it, for those of callers; cut. */
#define HTTP_SHOWN_SIZE 256
void http_shown(char out[HTTP_SHOWN_SIZE], const char *url, bool secret_path);
/*
 * Whether an address may be used at all, before anything is sent: ERR_USAGE with name in front
 * ("certrotate.yml:12: url: …"). name may be NULL.
 */
int http_check_url(const char *url, const char *name, struct err *err);

/* ---- tries again; zero what is not needed */

#define HTTP_TRIES	  5
#define HTTP_FIRST_MS	  500
#define HTTP_WAIT_MAX_MS  30000
#define HTTP_RETRY_ALL_MS 120000

struct http_again {
	unsigned tries;	  /* at most; 0: HTTP_TRIES */
	int64_t first_ms; /* the first wait is up to this, each further one up to twice as long */
	int64_t wait_max_ms; /* no wait but one that the server asks for is longer */
	int64_t all_ms;	     /* the end of all tries and waits */
	/* Before each try: may change what the request's headers borrow (a time stamp). May be
	   NULL; what it returns but 0 is the end. */
	int (*prepare)(void *ctx, struct err *err);
	void *ctx;
};

/*
 * As http_send, and tries again after 429, 500, 502, 503, 504, a name that is not found, and
 * connections that cannot be made, time out or end half-way: with exponential backoff and full
 * jitter (a random part of first_ms, 2 × first_ms, 4 × …), or as long as Retry-After says (RFC
 * 9110, section 10.2.3: seconds or a date). Where that is beyond all_ms, or the tries are used up,
 * what came last is given out, the answer or the error ("…, tried 5 times").
 *
 * What may have been acted upon is sent again only where that does no harm: GET, HEAD, PUT, DELETE,
 * or a request with the header Idempotency-Key. Others are where nothing was sent, and after 429.
 */
int http_retry(struct http_response *out, struct http *http, const struct http_request *request,
	       const struct http_again *again, struct err *err);

#endif
