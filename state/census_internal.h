/* SPDX-License-Identifier: PostgreSQL */
/* The parts of a census: with what servers are asked, what they said, whose serials these are. */
#ifndef STATE_CENSUS_INTERNAL_H
#define STATE_CENSUS_INTERNAL_H

#include "net/pg.h"
#include "state/census.h"
#include "state/live.h"
#include "state/reports.h"

/* Who logs in. Texts are borrowed from a generation, or from the struct census_monitor. */
struct census_login {
	const char *user;
	const char *cert_pem;
	const struct secret *key;
	const struct cert *cert;
};

/* The monitoring certificate of the configuration. */
struct census_monitor {
	struct buf pem;
	struct bundle chain; /* the leaf first */
	struct secret key;
	struct census_login login;
};

/* Reads and checks it: ERR_USAGE, with the file's name, for what cannot be used. */
int census_monitor_load(struct census_monitor *out, struct session *session, struct err *err);
void census_monitor_release(struct census_monitor *monitor);

/* What one server said. */
struct census_server {
	char *label; /* the endpoint's name; with its port where it has several */
	char *name;
	char *address;
	unsigned port;
	char *why;    /* it counts as missed, and why; NULL where it told all */
	char *advice; /* what to do about it; NULL for nothing */
	bool pooler;  /* something in front of a server: neither asked nor missed */
	struct census_session *sessions; /* texts borrowed from the answers */
	size_t count;
};

struct census_asked {
	struct census_server *items;
	size_t count, cap;
	struct pg_results answers[2]; /* of the first login, and of the second */
	struct reports reports;
};

void census_asked_release(struct census_asked *asked);
/* A server at the end, all zero but for these. NULL when out of memory. */
struct census_server *census_new_server(struct census_asked *asked, const char *name,
					const char *address, unsigned port);
/* Why it is missed: told once of each server. */
int census_not_asked(struct census_server *server, const char *advice, struct err *err,
		     const char *why, ...) __attribute__((format(printf, 4, 5)));

/* Asks all of them over the network; the second login where a server refuses the first. */
int census_ask_network(struct census_asked *asked, struct session *session,
		       const struct target *target, const struct census_login *logins,
		       size_t login_count, struct err *err);
/* Asks through the playbook of the configuration; clusters without an endpoint are added. */
int census_ask_hosts(struct census_asked *asked, struct session *session, const struct strs *skip,
		     struct err *err);

/*
 * What a server answered to a login and its queries; now: when it did. The sessions borrow their
 * texts from result.
 */
int census_take_answer(struct census_server *server, const struct pg_result *result,
		       const struct census_login *login, int64_t now, struct err *err);
/* What the hosts' reports say; now: when they did. */
int census_take_reports(struct census_asked *asked, int64_t now, struct err *err);
/* Adds it all to the record, under its lock: what others recorded meanwhile stays. */
int census_record(struct census *out, struct census_run *run, const struct session *session,
		  const struct census_asked *asked, const struct census_index *index,
		  struct err *err);

/* Every leaf of every generation that is kept at the base's tip, and of the live inventory. */
int census_known_leaves(struct census_index **out, struct session *session, const struct live *live,
			struct err *err);

#endif
