/* SPDX-License-Identifier: PostgreSQL */
/*
 * Live probes: what does an endpoint serve, which CAs does it announce, and does it accept this
 * client certificate? Many at once, without a thread, in the event loop.
 *
 * Postgres: SSLRequest and its one-byte answer, the TLS handshake, and (where a user is given) a
 * StartupMessage and the first message of the answer (PostgreSQL's "Message Formats", protocol
 * 3.0). Any answer after the handshake means that the certificate was accepted, an error such as
 * "no pg_hba.conf entry" too; refused is only a TLS alert. In TLS 1.3 the handshake succeeds on
 * our side although the server refuses our certificate, and the alert comes with the next read
 * (RFC 8446, section 4.4.2.4 and 6.2): hence the read. A close without a word is "unknown".
 *
 * Nothing is enforced here: an untrusted or wrongly named certificate is reported, and the
 * handshake goes on. Nothing secret is sent. Every wait has a deadline, every read a maximum.
 */
#ifndef NET_PROBE_H
#define NET_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/strs.h"
#include "net/resolve.h"
#include "pki/bundle.h"
#include "proc/loop.h"
#include "secret/arena.h"

#define PROBE_LIMIT	  256 /* where the options have 0 */
#define PROBE_DEADLINE_MS 10000
#define PROBE_GRACE_MS	  300
#define PROBE_CHAIN_MAX	  10
#define PROBE_NAMES_MAX	  1000 /* CA names of one CertificateRequest */

enum probe_protocol {
	PROBE_POSTGRES,
	PROBE_POSTGRES_DIRECT, /* TLS at once, ALPN "postgresql" (PostgreSQL 17 and later) */
	PROBE_TLS,
	PROBE_PROTOCOL__MAX
};

/* "postgres", "postgres-direct", "tls" */
const char *probe_protocol_name(enum probe_protocol protocol);
int probe_protocol_parse(enum probe_protocol *out, const char *text, struct err *err);

/* All is borrowed while probe_run runs. Pointers given to many targets (trust, cert_pem, key) are
 * loaded once. */
struct probe_target {
	const char *name;    /* for SNI and the name check; also looked up without an address */
	const char *address; /* a literal address or a name; NULL or "": name */
	unsigned port;
	enum probe_protocol protocol;
	const char *cert_pem;	  /* the client's leaf and what follows it; NULL: none is shown */
	const struct secret *key; /* PEM, not encrypted; with cert_pem */
	const char *trust_pem;	  /* verified against (for servers); NULL: not verified */
	/* Of the StartupMessage. Without a user nothing is sent after the handshake. */
	const char *user;
	const char *database; /* NULL: "postgres" */
};

enum probe_outcome {
	PROBE_CONNECTED,   /* TLS is up; client and login say how it went on */
	PROBE_ALERT,	   /* the server ended TLS with an alert: see alert */
	PROBE_NO_ADDRESS,  /* the name was not found */
	PROBE_REFUSED,	   /* nothing listens: connection refused */
	PROBE_UNREACHABLE, /* no route, host down, network error before TLS */
	PROBE_TIMEOUT,	   /* at any stage; stage says where */
	PROBE_NOT_TLS,	   /* answered "no" to the SSLRequest, an error, or something else */
	PROBE_CLOSED,	   /* the connection ended during the handshake without an alert */
	PROBE_TLS_FAILED,  /* our side ended TLS: protocol version, malformed handshake */
	PROBE_LOCAL,	   /* could not be tried: key, certificate, descriptors of ours */
	PROBE_OUTCOME__MAX
};

/* What became of our client certificate. */
enum probe_client {
	PROBE_CLIENT_NONE, /* none was given, or no handshake came about */
	PROBE_CLIENT_ACCEPTED,
	PROBE_CLIENT_REFUSED,	/* by an alert */
	PROBE_CLIENT_NOT_ASKED, /* the server asked for none: it verifies no clients */
	PROBE_CLIENT_NOT_SENT,	/* asked, but its key fits no signature algorithm of the server */
	PROBE_CLIENT_UNKNOWN,	/* closed without a word, or silent */
	PROBE_CLIENT__MAX
};

enum probe_login {
	PROBE_LOGIN_NONE,     /* not asked (no user), or no answer */
	PROBE_LOGIN_OK,	      /* AuthenticationOk */
	PROBE_LOGIN_CONTINUE, /* a password or the like is wanted */
	PROBE_LOGIN_ERROR,    /* ErrorResponse: see sqlstate and server_message */
	PROBE_LOGIN__MAX
};

enum probe_stage {
	PROBE_STAGE_LOOKUP,
	PROBE_STAGE_CONNECT,
	PROBE_STAGE_SSLREQUEST,
	PROBE_STAGE_HANDSHAKE,
	PROBE_STAGE_ANSWER, /* after the handshake */
	PROBE_STAGE_DONE,
	PROBE_STAGE__MAX
};

struct probe_name {
	unsigned char *der; /* an X.501 Name */
	size_t len;
};

struct probe_result {
	size_t target; /* index of the target; one with several addresses has several results */
	char address[RESOLVE_TEXT_SIZE]; /* which was tried; "" where none was found */
	enum probe_outcome outcome;
	enum probe_client client;
	enum probe_login login;
	enum probe_stage stage; /* how far it came */
	/* For people: "db1.example.com:5432 (10.0.4.42): connection refused". Never NULL. */
	char *message;
	const char *reason;   /* the same without the endpoint: alike for all that failed so */
	char alert[48];	      /* "unknown ca"; "" without an alert */
	char sqlstate[6];     /* of PROBE_LOGIN_ERROR */
	char *server_message; /* of PROBE_LOGIN_ERROR, made harmless for terminals; else NULL */
	char version[16];     /* "TLSv1.3" */
	struct cert *leaf;    /* served; NULL where none was seen. Also after a later failure */
	struct bundle chain;  /* all that was served, leaf first */
	bool client_asked;    /* a CertificateRequest came */
	struct strs ca_names; /* subjects of the CertificateRequest, as cert_subject() */
	struct probe_name *ca_ders; /* the same as DER; ca_names.count of them */
	bool trusted;		    /* the chain leads to trust_pem, for a server, today */
	char verify_error[512];	    /* one sentence; "" if trusted or not verified */
	bool name_matches;	    /* name is in the leaf, by libpq's rule */
	int64_t elapsed_ms;
};

struct probe_results {
	struct probe_result *items; /* ordered by target, then by address */
	size_t count;
};

struct probe_options {
	size_t limit;	     /* probes at the same time; lowered to what RLIMIT_NOFILE allows */
	int64_t deadline_ms; /* of each: connect, SSLRequest, handshake and answer together */
	int64_t grace_ms;    /* how long a verdict of a server that says nothing is waited for */
};

/*
 * Runs all of them. 0 also where each one failed: that is what the results say. ERR_STOPPED on a
 * stop request, ERR_FAIL without memory; then *out is empty. options may be NULL.
 */
int probe_run(struct probe_results *out, struct loop *loop, const struct probe_target *targets,
	      size_t count, const struct probe_options *options, struct err *err);
void probe_results_release(struct probe_results *results);

const char *probe_outcome_name(enum probe_outcome outcome); /* "connected", "tls-alert" */
const char *probe_client_name(enum probe_client client);    /* "accepted", "not-asked" */
const char *probe_stage_name(enum probe_stage stage);	    /* for people: "TLS handshake" */

#endif
