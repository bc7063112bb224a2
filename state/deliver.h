/* SPDX-License-Identifier: PostgreSQL */
/*
 * Delivery: what an application's administrators get, as a folder of files in the forms that
 * drivers read (outside/delivery.h has the layout), for one phase and nothing more:
 *
 *   trust     the bundle of both chains
 *   clients   for each of its users certificate and key, and the bundle of both chains
 *   prune     the bundle of the new chain alone
 *   emergency, first, and PHASE__MAX where nothing waits for the application: all that it needs in
 *             the state that holds (a new machine): certificates, keys and bundle
 *
 * On the way back it is what the state before that phase had: the old chain's bundle where trust is
 * undone, the old certificates where clients is. "generate" and "servers" concern no application.
 *
 * A private key leaves encrypted only, with a passphrase that is handed over another way: it is in
 * no file of the folder, in no log and in no state.
 */
#ifndef STATE_DELIVER_H
#define STATE_DELIVER_H

#include <stdbool.h>
#include "base/err.h"
#include "inventory/config.h"
#include "outside/delivery.h"
#include "state/session.h"
#include "state/table.h"
#include "state/target.h"

#define DELIVER_PRESENT "present" /* in the place of a phase's name */

struct deliver_options {
	/* PHASE__MAX: what waits for the application now, else all of the present state. */
	enum phase phase;
	enum direction direction; /* of a phase that is under way: its own, but with new_gen */
	/* All of the present state, although a phase waits; phase does not count then. */
	bool present;
	/* At least DELIVERY_PASSPHRASE_MIN printable ASCII characters; NULL: one is made. */
	const struct secret *passphrase;
	bool never_made; /* then ERR_USAGE instead: nobody could be shown it */
	/*
	 * Both with their keys, where the caller has them (a plan's, in the middle of a phase);
	 * NULL: read from the session's base, which opens the vault where keys are needed.
	 */
	const struct generation *old_gen;
	const struct generation *new_gen;
};

struct delivered {
	enum phase phase; /* as it was found; PHASE__MAX: of the present state */
	enum direction direction;
	enum state state; /* whose certificates these are */
	struct delivery_files files;
	/* What opens the keys: borrowed from the session's arena; data NULL where no key went. */
	struct secret passphrase;
	bool generated; /* the passphrase was made here: nobody has it yet */
};

/*
 * Writes the folder: as a whole or not at all, mode 0700, files 0600, durably. Where it exists it
 * is replaced if it is empty or an earlier delivery of this application, else refused; as is one
 * inside the work tree that git does not ignore. session is loaded. NULL as folder: the
 * application's own below .git/certrotate/ENV/deliveries, which is made.
 *
 * ERR_USAGE: the folder, the passphrase, no user of the application has a client certificate here;
 * ERR_GATE: that phase's files would be refused today (the servers do not know the new chain yet,
 * or still show the old one); ERR_FAIL: what else. delivered_release() it where it is 0.
 */
int deliver_write(struct delivered *out, struct session *session, const struct application *app,
		  const char *folder, const struct deliver_options *options, struct err *err);
/*
 * What a client has to trust: the chains of the authorities that servers' certificates have.
 * ERR_FAIL where no server has one. bundle_release() it in any case.
 */
int deliver_bundle(struct bundle *out, const struct target *target, struct err *err);
/* The phase's name, or DELIVER_PRESENT. */
const char *deliver_name(const struct delivered *delivered);
void delivered_release(struct delivered *delivered);

#endif
