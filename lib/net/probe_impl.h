/* SPDX-License-Identifier: PostgreSQL */
/* What the parts of the prober share; nothing outside lib/net/probe*.c includes it. */
#ifndef NET_PROBE_IMPL_H
#define NET_PROBE_IMPL_H

#include <openssl/ssl.h>
#include "net/probe.h"
#include "pki/verify.h"

#define PROBE_BYTES_MAX	 ((size_t)1 << 20) /* read from one endpoint, whatever it sends */
#define PROBE_ANSWER_MAX 4096
#define PROBE_LABEL_SIZE 400
#define PROBE_START_MAX	 1024 /* a StartupMessage */

/*
 * What targets share: an SSL_CTX for each pair of client certificate and key, a verifier for each
 * bundle. Made when first needed, freed when the last probe that needs it is over, so that probes
 * with 10,000 users' certificates hold no more keys than run at the same time.
 */
struct probe_creds {
	SSL_CTX *ctx;
	char *error; /* why there is none; the targets that use it say so */
	const struct probe_target *of;
	size_t users;
};

struct probe_trust {
	struct verifier *verifier;
	char *error;
	const char *pem;
	size_t users;
};

struct probe_shared {
	struct probe_creds *creds;
	struct probe_trust *trusts;
	size_t cred_count, trust_count;
	size_t *cred_of, *trust_of; /* by target; SIZE_MAX: no trust */
	BIO_METHOD *bio;
};

int probe_shared_init(struct probe_shared *shared, const struct probe_target *targets, size_t count,
		      struct err *err);
void probe_shared_release(struct probe_shared *shared);
void probe_shared_use(struct probe_shared *shared, size_t target); /* one more probe of it */
void probe_shared_done(struct probe_shared *shared, size_t target);
/* NULL with *why set (borrowed) where the material cannot be used. */
SSL_CTX *probe_shared_ctx(struct probe_shared *shared, size_t target, const char **why);
const struct verifier *probe_shared_trust(struct probe_shared *shared, size_t target,
					  const char **why);

/* One connection. */
struct probe_conn {
	const struct probe_target *target;
	struct probe_result *result;
	struct loop *loop;
	struct loop_fd watch;
	struct loop_timer deadline;
	struct loop_timer grace;
	struct net_address address;
	char label[PROBE_LABEL_SIZE];
	int fd;
	int64_t began;
	int64_t grace_ms;

	SSL *ssl;
	size_t bytes; /* read so far */
	bool flooded; /* more than PROBE_BYTES_MAX came */
	bool eof;     /* the server closed its side */
	int io_errno; /* of the last failed read or write */
	int alert;    /* fatal alert received; -1: none */
	bool cert_sent;
	bool ticket; /* a NewSessionTicket came */

	unsigned char start[PROBE_START_MAX];
	size_t start_len, start_sent;
	unsigned char answer[PROBE_ANSWER_MAX];
	size_t answer_len;

	void (*done)(struct probe_conn *conn, void *ctx);
	void *ctx;
};

/* probe_conn.c. done is told once, perhaps before probe_conn_start returns. */
void probe_conn_start(struct probe_conn *conn, struct probe_shared *shared, size_t target,
		      int64_t deadline_ms);
void probe_conn_close(struct probe_conn *conn);
/* Sets outcome and message ("LABEL: …"); the last word on it is the first one said. */
void probe_conn_say(struct probe_conn *conn, enum probe_outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* probe_tls.c: the handshake's objects. */
int probe_tls_open(struct probe_conn *conn, SSL_CTX *ctx, BIO_METHOD *method);
/* After a failed call on conn->ssl: outcome, message and what became of the client certificate. */
void probe_tls_failed(struct probe_conn *conn, int ssl_error);
/* Leaf, chain, CA names and version into the result; what the server sent may be partial. */
int probe_tls_collect(struct probe_conn *conn, struct err *err);
BIO_METHOD *probe_bio_method(void);

/* probe_start.c: PostgreSQL's messages. */
int probe_start_message(struct probe_conn *conn);
/* Whether answer holds enough; then login, sqlstate and server_message are in the result. */
bool probe_answer_read(struct probe_conn *conn, bool all);

#endif
