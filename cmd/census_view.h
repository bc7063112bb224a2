/* SPDX-License-Identifier: PostgreSQL */
/* The census for people, and as a document. */
#ifndef CMD_CENSUS_VIEW_H
#define CMD_CENSUS_VIEW_H

#include "cmd/ui.h"
#include "state/census.h"

/*
 * Several users behind one address (a pooler, or a host that they share), or with one certificate
 * (a pooler, or a user name map).
 */
struct census_crowd {
	const char *name; /* the address, or the leaf's name */
	struct strs users;
	size_t sessions;
};

struct census_crowds {
	struct census_crowd *items;
	size_t count;
};

struct census_view {
	const struct session *session;
	const struct census *census;
	const struct census_run *run;
	const struct census_sample *last; /* NULL where nobody was asked */
	int64_t switched;		  /* when clients got run->generation; 0 unknown */
	const struct sighting **sorted;	  /* by user, generation, kind, what is connected first */
	struct census_crowds addresses;
	struct census_crowds certificates;
	struct strs unseen; /* users who were never seen with run->generation */
};

int census_view_make(struct census_view *view, const struct session *session,
		     const struct census *census, const struct census_run *run, struct err *err);
void census_view_release(struct census_view *view);
/* Whether the last sample saw it. */
bool census_view_connected(const struct census_view *view, const struct sighting *sighting);

void census_print(struct ui *ui, const struct census_view *view);
struct json *census_document(const struct census_view *view);

/*
 * "g1 12, g2 30 (25 min ago; 24 h ago: g1 40, g2 0)" from the record alone, for status; "" without
 * a sample. now: seconds since the epoch.
 */
void census_summary(char *out, size_t size, const struct census *census, int64_t now);
/* The same as an object; NULL without a sample. */
struct json *census_summary_json(const struct census *census, int64_t now);
/* "3 days", "1 h", "5 min": one word less than sys_duration_text. */
void census_age(char *out, size_t size, int64_t seconds);

#endif
