/* SPDX-License-Identifier: PostgreSQL */
/* What the parts of the census share. */
#ifndef SAFETY_CENSUS_INTERNAL_H
#define SAFETY_CENSUS_INTERNAL_H

#include "safety/census.h"

#define CENSUS_TEXT_MAX 255		      /* bytes; PostgreSQL's names end at 63 */
#define CENSUS_TIME_MAX INT64_C(253402300799) /* the end of the year 9999 */

/* One leaf that a serial may belong to. Borrowed from the index. */
struct census_leaf {
	char *generation;
	char *name;
};

/* NULL where no leaf has that serial. */
const struct census_leaf *census_index_find(const struct census_index *index, const char *serial,
					    const char *user);
/* The generation with the highest number; "" where none was added. */
const char *census_index_newest(const struct census_index *index);

/* A copy that does no harm: see census_begin. NULL when out of memory. */
char *census_clean(const char *text);

/* Takes over the strings of *sighting; *at (may be NULL): its place. */
int census_append(struct census *census, const struct sighting *sighting, size_t *at,
		  struct err *err);
void census_sighting_release(struct sighting *sighting);
void census_sample_release(struct census_sample *sample);
/* A sample at the end, all zero. NULL when out of memory. */
struct census_sample *census_new_sample(struct census *census);

#endif
