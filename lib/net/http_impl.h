/* SPDX-License-Identifier: PostgreSQL */
/* What the files of net/http share; not for others. */
#ifndef NET_HTTP_IMPL_H
#define NET_HTTP_IMPL_H

#include "net/http_curl.h"
#include "net/http.h"
#include "net/resolve.h"
#include "pki/bundle.h"

/* The parts of an address that was checked. */
struct http_url {
	char *text;   /* whole, as libcurl normalizes it */
	char *scheme; /* "https", "http" */
	char *host;   /* as it was written, an IPv6 address in brackets */
	char *name;   /* the host without brackets */
	char *path;   /* begins with '/' */
	char *query;  /* NULL: none */
	unsigned port;
	bool port_given; /* it is not the scheme's own */
	bool literal;	 /* the host is an address */
	bool loopback;	 /* this machine, by address or as "localhost" */
};

/* http_url.c. ERR_USAGE with a message that shows nothing of it ("the address has …"). */
int http_url_parse(struct http_url *out, const char *text, struct err *err);
void http_url_release(struct http_url *url);
bool http_url_same_origin(const struct http_url *a, const struct http_url *b);
void http_url_show(struct buf *out, const struct http_url *url, bool secret_path);

/* http_proxy.c */
struct http_proxy {
	char *text;  /* for libcurl, with its credentials; NULL: none */
	char *name;  /* its host without brackets */
	char *shown; /* "proxy.example.com:3128" */
	unsigned port;
	bool looks_up; /* it is given the name of the host, and looks it up itself */
};

/* The one of the environment that is meant for the address. ERR_USAGE where it cannot be used. */
int http_proxy_find(struct http_proxy *out, const struct http_url *url, struct err *err);
void http_proxy_release(struct http_proxy *proxy);
/* Whether a list as no_proxy has it names the host (with its address in text form, or a name). */
bool http_proxy_excepts(const char *list, const char *name);

/* One socket of libcurl's in the loop. */
struct http_socket {
	struct http *http;
	struct loop_fd watch;
	struct http_socket *next, *prev;
};

struct http {
	struct http_options options;
	struct bundle ca; /* of ca_file */
	struct loop *loop;
	const struct curl *curl;
	CURLM *multi;
	CURL *easy;
	struct http_socket *sockets;
	struct loop_timer timer; /* libcurl's */
	struct resolved names;
	int64_t names_at;
	bool names_there;
	bool inside; /* libcurl was initialized */
	bool lost;   /* something that libcurl cannot be told: memory, the loop */
};

/* One hop of an exchange. */
struct http_hop {
	struct http *http;
	const struct http_request *request;
	struct http_url url;
	struct http_proxy proxy;
	struct http_response *response;
	int64_t until;	     /* of mono_ms */
	struct arena *arena; /* the header lines that hold a secret */
	struct curl_slist *headers, *resolve;
	struct loop_stopper stopper;
	size_t header_bytes;
	bool headers_over; /* HTTP_HEADERS_MAX */
	bool body_over;
	bool starved; /* there was no memory for what came */
	bool stopped;
	bool timed_out;
	bool done;
	CURLcode code; /* where done */
	long status;
	char *location; /* where a redirect leads to, absolute; NULL: nowhere */
	char text[CURL_ERROR_SIZE];
};

/* http_hop.c: sets libcurl up for it and carries it out. */
int http_hop_run(struct http_hop *hop, struct err *err);
void http_location_free(struct http_hop *hop);
/* http_loop.c: libcurl in our loop. */
int http_loop_init(struct http *http, struct err *err);
void http_loop_release(struct http *http);
int http_loop_run(struct http_hop *hop, struct err *err);
/* Waits; ERR_STOPPED on a stop request. */
int http_loop_wait(struct http *http, int64_t ms, struct err *err);
/* Names that are not known yet, or not any more: fills http->names. */
int http_loop_names(struct http *http, const struct strs *names, int64_t ms, struct err *err);

/* http_reason.c: what went wrong as one sentence, and of what kind it is. */
int http_reason(const struct http_hop *hop, struct err *err);
/* "POST https://host/…" and how it went there. */
void http_say(struct buf *out, const struct http_hop *hop);
/* Error "POST https://host/…: FMT" of that kind. */
int http_fail(const struct http_hop *hop, enum http_failure failure, int code, struct err *err,
	      const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Whether the request does no harm where it is acted upon twice. */
bool http_repeatable(const struct http_request *request);
/* Adds text as buf_add_safe does, without what the request keeps secret and PEM keys. */
void http_add_masked(struct buf *out, const struct http_request *request, const char *text,
		     size_t len);

#endif
