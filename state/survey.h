/* SPDX-License-Identifier: PostgreSQL */
/*
 * What can be said about an environment from local references alone, without network and without
 * the vault's password: for status, check and verify.
 */
#ifndef STATE_SURVEY_H
#define STATE_SURVEY_H

#include "base/finding.h"
#include "state/holdings.h"
#include "state/session.h"

struct survey {
	struct generation live; /* as the inventory's files have it on the base */
	bool has_live;		/* false while absent, or where it is as seen.h has it */
	struct findings findings;
	/* The certificate that expires first of those that are in use, CAs included. */
	int64_t first_expiry; /* 0 where there is none */
	char *first_name;     /* "server db1.example.com", "CA CN=server" */
	char *next;	      /* what to type next; "" for nothing */
};

/* session is loaded. warning: seconds before an expiry that make a finding. */
int survey_make(struct survey *survey, struct session *session, int64_t warning, struct err *err);
/* Whether the inventory is not what the state says. */
bool survey_drifted(const struct survey *survey);
void survey_release(struct survey *survey);

#endif
