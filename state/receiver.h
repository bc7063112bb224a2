/* SPDX-License-Identifier: PostgreSQL */
/* Where a webhook of certrotate.yml goes: its address, secret and CAs, read for one use. */
#ifndef STATE_RECEIVER_H
#define STATE_RECEIVER_H

#include "outside/webhook.h"
#include "state/session.h"

struct receiver {
	struct arena *arena;
	struct webhook_target target; /* in the arena */
	char *ca_file;		      /* NULL: none */
};

/*
 * Files that are not absolute are below the repository. ERR_USAGE naming the file, the variable or
 * what is wrong with the address; receiver_release it where it is 0.
 */
int receiver_open(struct receiver *out, const struct session *session,
		  const struct webhook_config *config, struct err *err);
void receiver_release(struct receiver *receiver);

#endif
