/* SPDX-License-Identifier: PostgreSQL */
/* What the parts of verify share; nothing outside state/verify*.c includes it. */
#ifndef STATE_VERIFY_IMPL_H
#define STATE_VERIFY_IMPL_H

#include "net/pg.h"
#include "net/probe.h"
#include "pki/bundle.h"
#include "state/verify.h"

/* What a check came to for one endpoint. */
enum outcome { OUTCOME_NONE, OUTCOME_HELD, OUTCOME_FAILED };

/* One endpoint: what the last look at it showed. */
struct subject {
	const struct endpoint *endpoint;
	const char *place; /* "host:port" */
	bool alone;	   /* no other endpoint has this name */
	size_t addresses;
	struct findings findings;
	struct json *leaves, *logins; /* arrays: the evidence */
	enum outcome outcomes[CHECK__MAX];
	size_t login_count;
	bool answered;	    /* with a certificate, at one of its addresses at least */
	bool asks;	    /* for a client certificate */
	bool unable;	    /* to check one, although its pg_hba.conf demands it: nobody gets in */
	bool foreign;	    /* asks for one of CAs that are not the inventory's */
	bool turned_away;   /* it was said that it does not take the user */
	bool looked_inside; /* it was asked for replication and archiving */
	bool differs;	    /* something that time may mend */
};

/* The CAs whose clients a server lets in, as far as their names tell the generations apart. */
struct ca_names {
	struct bundle old_only, new_only;
};

struct look {
	struct session *session;
	const struct verify_input *in;
	struct loop *loop;
	struct endpoints endpoints; /* those that are looked at */
	struct strs places;	    /* "host:port" of each */
	struct subject *subjects;   /* one for each */
	size_t *due;		    /* those that this round looks at, by index */
	size_t due_count;
	struct ca_names names;
};

/* One client certificate at one endpoint. */
struct attempt {
	size_t subject;
	enum check check; /* CHECK_OLD_CLIENT, CHECK_NEW_CLIENT */
	const struct gen_leaf *leaf;
	bool settled; /* there is a word of the server about the certificate */
};

enum client_word { CLIENT_IN, CLIENT_OUT, CLIENT_NOT_ASKED, CLIENT_UNKNOWN };

static inline enum want look_wants(const struct look *look, enum check check)
{
	return expect(look->in->target->state, check);
}

/* verify_look.c: looks at those that are due; what was seen before of them is forgotten. */
int verify_look(struct look *look, struct err *err);

/* verify_judge.c: one look's results against what is expected. */
int verify_names_init(struct ca_names *names, const struct verify_input *in, struct err *err);
void verify_names_release(struct ca_names *names);
int judge_leaf(struct look *look, struct subject *subject, const struct probe_result *result,
	       struct err *err);
int judge_client(struct look *look, struct subject *subject, const struct attempt *attempt,
		 enum client_word word, const char *address, const char *reason, struct err *err);

/* verify_server.c: what a server says of itself to a login. */
int judge_server(struct look *look, struct subject *subject, const struct pg_rows *rows,
		 struct json *entry, struct err *err);

/* A finding about an endpoint; address NULL where it does not matter which. */
int verify_say(struct subject *subject, enum check check, enum severity severity,
	       const char *address, const char *advice, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));
/* The check's outcome; one that failed stays so. */
void verify_outcome(struct subject *subject, enum check check, bool held);

#endif
