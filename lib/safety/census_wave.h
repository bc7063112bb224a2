/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whether the users of a wave have switched to their new certificates, as the census has seen them.
 * A user has switched where the census saw it with the generation that it was given since that
 * moment, and no place (application and address) of it is connected with another one by a login
 * from behind it that did not log in with the new one since. Sessions from before that moment are
 * no reason to wait: the gates of prune ask for them (census_gate.h).
 *
 * Finding "wave-unseen" [block], subject "client NAME": with what it was seen instead, where and
 * when. Pure; times are seconds since the epoch.
 */
#ifndef SAFETY_CENSUS_WAVE_H
#define SAFETY_CENSUS_WAVE_H

#include "base/err.h"
#include "base/finding.h"
#include "base/strs.h"
#include "safety/census.h"

struct census_wave_user {
	const char *name;
	const char *application; /* whose it is, for the advice */
	int64_t begun;		 /* since when it could have the new certificate */
	int64_t ended; /* when all was done for it: a later login with another one is a refusal */
};

/*
 * All borrowed. A user of several applications is one: from the first moment to the last, and the
 * finding names the first of them.
 */
struct census_wave {
	const struct census *census;
	const struct census_wave_user *users;
	size_t count;
	const char *keep; /* the generation that they were given: "g2" */
	int64_t now;
};

int census_wave_check(struct findings *out, const struct census_wave *wave, struct err *err);

#endif
