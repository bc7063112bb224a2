/* SPDX-License-Identifier: PostgreSQL */
/*
 * The census: who is connected with which generation's certificate. What servers say of their
 * sessions (pg_stat_ssl joined with pg_stat_activity) is joined by serial number to every leaf of
 * every generation, and each run is added to a record: sessions that are alike are one sighting
 * with the first and the last time it was seen. The record is what the gates ask.
 *
 * PostgreSQL gives serial numbers in decimal (pg_stat_ssl.client_serial), and cuts subject and
 * issuer at 63 bytes: with long subjects those of two generations look alike. Hence serials.
 *
 * Pure: no network, no files; the clock comes in. Times are seconds since the epoch.
 */
#ifndef SAFETY_CENSUS_H
#define SAFETY_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"
#include "base/strs.h"
#include "pki/cert.h"

#define CENSUS_UNKNOWN	   "unknown"  /* the generation of a serial that no known leaf has */
#define CENSUS_OTHERS	   "(others)" /* application, or server, of sightings that are joined */
#define CENSUS_SAMPLES_MAX 4000	      /* kept in a record; older ones are dropped */
#define CENSUS_MISSED_MAX  20	      /* reasons kept in a sample */
/*
 * Applications with a number in their name must not blow up the record: beyond so many of one
 * (server, user, generation, kind) the rest are one sighting, of CENSUS_OTHERS. In a record with
 * so many sightings all that are new are joined, over all servers.
 */
#define CENSUS_APART_MAX     50
#define CENSUS_SIGHTINGS_MAX 50000

/* How a session came in. */
enum census_kind {
	CENSUS_CERTIFICATE,    /* TLS, and it showed a certificate */
	CENSUS_NO_CERTIFICATE, /* TLS without one: it verifies the server, perhaps */
	CENSUS_NO_TLS,	       /* over the network in the clear */
	CENSUS_LOCAL,	       /* over a socket: no certificate is involved */
	CENSUS_KIND__MAX
};

/* One session as its server tells it. All borrowed. */
struct census_session {
	const char *user;
	const char *application; /* application_name; "" for none */
	const char *address;	 /* client_addr; "" over a socket */
	const char *database;	 /* "" for replication */
	const char *backend;	 /* backend_type: "client backend", "walsender" */
	const char *serial;	 /* decimal; "" without a certificate */
	bool tls;
	int64_t since; /* backend_start */
};

/*
 * Which leaf a serial belongs to. Several generations may share a leaf: the first added counts.
 * Authorities that count from 1 give one number to several leaves: the one whose name is the
 * session's user counts then.
 */
struct census_index;

int census_index_new(struct census_index **out, struct err *err);
void census_index_free(struct census_index *index); /* NULL is fine */
/* generation: "g2"; name: the leaf's, as in the inventory. Both are copied. */
int census_index_add(struct census_index *index, const char *generation, const char *name,
		     const struct cert *leaf, struct err *err);

/* Sessions that are alike, over all samples. */
struct sighting {
	char *server; /* the endpoint's name */
	char *user;
	char *application;
	char *address;
	char *generation; /* "g2", CENSUS_UNKNOWN, or "" without a certificate */
	char *leaf;	  /* whose certificate it is, by the inventory's name; "" if not known */
	char *serial;	  /* decimal; "" without one, and where sightings of several are joined */
	enum census_kind kind;
	bool replication;
	size_t sessions;    /* in the sample that saw it last */
	int64_t first_seen; /* times of samples */
	int64_t last_seen;
	int64_t oldest_since; /* of the sessions in that last sample: the first login */
	int64_t newest_since; /* the newest login that any sample saw */
};

struct census_count {
	char generation[16]; /* "g2" */
	size_t sessions;
};

/* One run over all servers. */
struct census_sample {
	int64_t at;	    /* later than that of the sample before */
	size_t servers;	    /* that were asked */
	size_t answered;    /* of them, and showed all sessions */
	struct strs missed; /* "db3.example.com: why" of those that did not: the first of them */
	/* Sessions by what they showed: for the trend. */
	size_t by_old; /* generations other than the newest that is known */
	size_t by_new; /* the newest */
	size_t by_unknown;
	size_t without; /* no certificate, over the network */
	size_t local;
	struct census_count *counts; /* by generation, the oldest first */
	size_t count_count;
};

struct census {
	struct census_sample *samples; /* oldest first */
	size_t sample_count, sample_cap;
	struct sighting *sightings; /* in the order in which they came */
	size_t sighting_count, sighting_cap;
	struct strmap index;  /* of sightings by what makes them alike */
	struct strmap groups; /* how many are kept apart, by (server, user, generation, kind) */
};

#define CENSUS_INIT                                                                                \
	{                                                                                          \
		NULL, 0, 0, NULL, 0, 0, STRMAP_INIT, STRMAP_INIT                                   \
	}

void census_release(struct census *census);

/*
 * A run: begin it, add what each server says, note those that did not answer. Sightings are
 * updated at once. A server that shows a role only its own sessions counts as missed: it is to be
 * given to census_missed. Control characters in what a server says, and bytes that are no UTF-8,
 * become '?'. Of a clock that was set back: samples from the future are dropped, and what was seen
 * then counts as seen now.
 */
int census_begin(struct census *census, int64_t at, struct err *err);
int census_add(struct census *census, const struct census_index *index, const char *server,
	       const struct census_session *session, struct err *err);
int census_answered(struct census *census, const char *server, struct err *err);
int census_missed(struct census *census, const char *server, const char *why, struct err *err);

/* Forgets samples and sightings that were seen last before that time. */
int census_forget(struct census *census, int64_t before, struct err *err);

/*
 * The record's file: JSON, version 1. Parsing refuses what was not written by this, ERR_FAIL. NULL
 * when out of memory.
 *
 *   {"version": 1, "texts": ["db1.example.com", "app", …],
 *    "samples": [[at, servers, answered, old, new, unknown, without, local, [[text, sessions], …],
 *                 [text, …]], …],
 *    "sightings": [[server, user, application, address, generation, leaf, serial, kind,
 *                   replication, sessions, first seen, last seen, oldest, newest], …]}
 *
 * Texts stand in rows as their index.
 */
struct json *census_json(const struct census *census);
int census_parse(struct census *out, const char *text, size_t len, const char *name,
		 struct err *err);
int census_read(struct census *out, const struct json *root, const char *name, struct err *err);
/* The hint for a record that is not what was written. Returns err->code. */
int census_damaged(struct err *err);

const char *census_kind_name(enum census_kind kind); /* "certificate", "no-certificate", … */

#endif
