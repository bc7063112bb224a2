/* SPDX-License-Identifier: PostgreSQL */
/* What the files of a delivery share; not for others. */
#ifndef OUTSIDE_DELIVERY_INTERNAL_H
#define OUTSIDE_DELIVERY_INTERNAL_H

#include "outside/delivery.h"

#define DELIVERY_LIST_NAME "delivery.json"

/* A user as the page and the list tell of it. */
struct delivery_subject {
	const struct delivery_user *user;
	char *folder; /* below the delivery's */
	struct bundle certs;
};

/* The page. subjects: one for each user; NULL where no keys go along. */
int delivery_readme(struct buf *out, const struct delivery_input *in,
		    const struct delivery_subject *subjects, struct err *err);
/* Ready strings for each driver, with what each needs to be told; subject NULL: without keys. */
void delivery_strings(struct buf *out, const struct delivery_input *in,
		      const struct delivery_subject *subject);

#endif
