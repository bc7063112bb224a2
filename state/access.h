/* SPDX-License-Identifier: PostgreSQL */
/*
 * What only the servers know of their clients: whether their rules of access let a user in with
 * the new certificate, and which of the servers are clients themselves. Every PostgreSQL endpoint
 * is asked over libpq with the login user's certificate; none where there are no endpoints.
 *
 * Findings: "client-mapping" (see safety/access.h), "hidden-client" (a standby's
 * primary_conninfo, a subscription, a foreign server of postgres_fdw or dblink with certificate
 * paths); each of them for information where a server, or a part of it, could not be looked at.
 */
#ifndef STATE_ACCESS_H
#define STATE_ACCESS_H

#include "base/buf.h"
#include "base/finding.h"
#include "base/json.h"
#include "safety/access.h"
#include "state/plan.h"
#include "state/session.h"
#include "state/target.h"

enum hidden_kind { HIDDEN_STANDBY, HIDDEN_SUBSCRIPTION, HIDDEN_FOREIGN_SERVER, HIDDEN__MAX };

/* A server that logs in elsewhere. Texts are "" where they are not given. */
struct hidden_client {
	enum hidden_kind kind;
	char *server;	/* the endpoint's name */
	char *database; /* where it is defined; "" for a standby */
	char *name;	/* the subscription's, the foreign server's */
	char *host;	/* where it logs in */
	char *user;	/* as whom */
	char *cert;	/* paths on that server */
	char *key;
	char *root;
};

struct hidden_clients {
	struct hidden_client *items;
	size_t count, cap;
};

const char *hidden_kind_name(enum hidden_kind kind); /* "standby", "subscription", … */
/* "subscription 'orders' (database shop) logs in to db9 as sub with /etc/tls/sub.crt": adds to out
 */
void hidden_client_text(struct buf *out, const struct hidden_client *client);
void hidden_clients_release(struct hidden_clients *clients);

struct access_options {
	const struct target *live; /* what the inventory holds: the login's leaf and bundle */
	const struct generation *old_gen; /* whose leaves are held against the rules */
	const struct generation *new_gen; /* NULL: the rules are not looked at */
	const struct strs *skip;	  /* hosts that are left out, by name; may be NULL */
	bool hidden;			  /* look for hidden clients */
	enum phase phase; /* before which they are said; PHASE__MAX: who asks says it */
};

struct access_look {
	struct findings findings;
	struct hidden_clients hidden;
	enum proof_scram scram; /* on any of the servers, as far as they were asked */
	size_t asked, answered;
	size_t verdicts[ACCESS__MAX]; /* users on servers, by what their new leaf gets */
};

/* 0 also where servers did not answer: that is what the findings say. */
int access_look(struct access_look *out, struct session *session,
		const struct access_options *options, struct err *err);
void access_look_release(struct access_look *look);

/* An array with an object for each: kind, server, database, name, host, user, files. */
struct json *hidden_clients_json(const struct hidden_clients *clients);

/*
 * The same for a transition that is about to begin: looks where the phase is one for which it
 * matters (trust, servers, clients; forward), and adds what it finds to the plan.
 */
int access_look_before(struct plan *plan, struct session *session, const struct strs *skip,
		       struct err *err);

#endif
