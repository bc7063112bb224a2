/* SPDX-License-Identifier: PostgreSQL */
/*
 * Webhooks: a JSON text, posted to an address (net/http.h says what is refused, and what is tried
 * again). With these headers:
 *
 *   Content-Type: application/json
 *   User-Agent: certrotate/VERSION
 *   Idempotency-Key: KEY        the same over tries and resumes: who has seen it does nothing again
 *   Certrotate-Signature: t=UNIX,v1=HEX      where there is a secret: HMAC-SHA256 (RFC 2104) with
 *                               the secret over "UNIX." and the body, made anew for each try. The
 *                               receiver compares, and refuses times that are minutes away
 *
 * The address is a secret itself with many receivers (who knows it may post): messages show no more
 * of it than "https://HOST/…".
 */
#ifndef OUTSIDE_WEBHOOK_H
#define OUTSIDE_WEBHOOK_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "net/http.h"
#include "secret/arena.h"

#define WEBHOOK_BODY_MAX ((size_t)1 << 20)
#define WEBHOOK_TRY_MS	 15000 /* of one try, where deadline_ms is not less */

/* Where a webhook's address and secret come from; NULL for what is not given. */
struct webhook_source {
	const char *url;	 /* this one, or */
	const char *url_file;	 /* a file with it; absolute, see secret/source.h */
	const char *secret_file; /* a file with the secret, or */
	const char *secret_env;	 /* a variable that has it */
};

/* In the arena. */
struct webhook_target {
	struct secret url;
	struct secret secret; /* data is NULL where requests are not signed */
};

/* Reads both. ERR_USAGE naming the file or the variable. */
int webhook_target(struct webhook_target *out, struct arena *arena,
		   const struct webhook_source *source, struct err *err);

/* All is borrowed during the call; zero what is not needed. */
struct webhook {
	const struct webhook_target *target;
	const char *key; /* Idempotency-Key: printable ASCII, not NULL */
	const char *body;
	size_t body_len;
	int64_t deadline_ms; /* all tries and waits together; 0: HTTP_RETRY_ALL_MS */
	unsigned tries;	     /* 0: HTTP_TRIES */
};

struct webhook_result {
	int status;	/* of the last answer; 0: there was none */
	unsigned tries; /* 0: nothing was sent */
	int64_t ms;
};

/*
 * Posts it. 0 for 2xx. Otherwise "POST https://HOST/…: …": ERR_FAIL with status and the first line
 * of the answer, or with what happened on the way; ERR_USAGE where it can't be sent as configured;
 * ERR_STOPPED, ERR_MACHINE. *out is filled in each case.
 */
int webhook_post(struct webhook_result *out, struct http *http, const struct webhook *webhook,
		 struct err *err);

#endif
