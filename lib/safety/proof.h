/* SPDX-License-Identifier: PostgreSQL */
/*
 * The proof of a transition, before anything is touched. A rollout is not atomic: while it runs,
 * each file on each host is the one before or the one after. For every leaf that can be on a host
 * and every bundle that its peers can hold, the peers must accept it. Each distinct pair of leaf
 * and bundle is checked once, with the very texts that will be rolled out.
 *
 * Pure: no files, no network; the clock comes from the input. Findings, by the name of the check
 * (severity in brackets; "today": what is live already and fails already is a warning, not our
 * doing):
 *
 *   pem-text         a text that a peer could not read, a glued one above all [block; today:
 *                    a warning for a leaf, but nothing can be proven without a bundle]
 *   chain            a peer refuses a leaf: chain, purpose, validity, name constraints, weak
 *                    algorithm [block; today]
 *   expires-soon     a pair that is good now fails before the rotation can end [block]
 *   behind           a host that was left behind refuses a leaf, or its own is refused [block;
 *                    today]; clients' leaves that it may have are refused [warning]
 *   host-name        a host's name is not in the leaf by libpq's rule [block; today];
 *                    only in the CN: newer clients refuse that [warning]
 *   no-san           a server's leaf without any name in the SAN [warning]
 *   key              the key is unreadable, or of another certificate [block; today];
 *                    the keys that would be rolled out are not known [warning]
 *   handshake        a real TLS handshake in memory fails [block; today]; with TLS 1.2 only,
 *                    where TLS 1.3 works: the leaf before is better [block], or it is not
 *                    [warning]
 *   outlives-ca      a leaf is valid longer than its CA [warning]
 *   ed25519          a server's leaf is signed with Ed25519: breaks SCRAM logins [block; today];
 *                    where SCRAM is known not to be used [warning]
 *   client-name      a client's new leaf has another CN than the user, and its old one had not
 *                    [block; today]; without an old one [warning]
 *   leaf-names, leaf-usage, leaf-subject
 *                    see cert_covers() in pki/cert.h
 *   no-successor     an old leaf has no new one, though there is a new generation [block]
 *   ca-same-subject  CAs of a bundle have one subject, and what they issued has no AKI to tell
 *                    them apart: which one a peer tries is chance [warning]
 *   bundle-ca        a certificate in a bundle is no CA, or has expired [warning]
 *
 * Subjects are "server NAME", "client NAME", "host NAME" for one that was left behind, and
 * "bundle of the clients 'LABEL'" (or "of the servers"): also where a bundle refuses more than
 * three leaves for one reason, which is one finding. Where the leaves themselves are at fault,
 * that finding's subject is "servers" or "clients".
 */
#ifndef SAFETY_PROOF_H
#define SAFETY_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/finding.h"
#include "base/log.h"
#include "base/strs.h"
#include "base/sys.h"
#include "pki/cert.h"
#include "secret/arena.h"

enum proof_generation { PROOF_OLD, PROOF_NEW, PROOF__MAX };

/*
 * Whether users log in with SCRAM passwords (pg_hba.conf's scram-sha-256, or md5 with such a
 * password) over TLS: that binds them to the server's certificate.
 */
enum proof_scram { PROOF_SCRAM_UNKNOWN, PROOF_SCRAM_USED, PROOF_SCRAM_NOT_USED };

/* All in the input is borrowed while proof_run runs. */
struct proof_leaf {
	const char
		*pem; /* the text as it is rolled out: the leaf, then intermediates; NULL: none */
	size_t len;
	const struct secret *key; /* PEM; NULL where it is not known */
	/* Made of that text already: the text is judged all the same. NULL: it is made here. */
	const struct cert *known;
};

struct proof_peer {
	const char *name;	  /* a server's or a user's, as in the inventory */
	const struct strs *hosts; /* servers: what clients connect to; NULL: name alone */
	struct proof_leaf leaves[PROOF__MAX];
	/* Left out of a rollout: it has that generation's leaf, whatever the others have. */
	bool behind[PROOF__MAX];
};

/* What peers of the other side hold and verify with. */
struct proof_bundle {
	const char *label; /* "old", "old and new", "new", "what db3 still has": for messages */
	const char *pem;   /* as it is rolled out */
	size_t len;
	bool live; /* somebody holds it today */
	/*
	 * The only one that has it: a host that was left behind. NULL: anybody may. Bundles without
	 * a holder come first.
	 */
	const char *holder;
};

struct proof_side {
	const struct proof_peer *peers;
	size_t count;
	bool occurs[PROOF__MAX]; /* leaves of that generation can be on a host meanwhile */
	bool live[PROOF__MAX];	 /* they are on hosts today; live ones occur, too */
	bool stray[PROOF__MAX];	 /* they may be on hosts that were left behind, unknown which */
	/* Who verifies these leaves: for the servers' side what clients hold, and the other way. */
	const struct proof_bundle *bundles;
	size_t bundle_count;
};

struct proof_input {
	struct proof_side servers;
	struct proof_side clients;
	int64_t now;		   /* seconds since the epoch */
	int64_t end;		   /* when the rotation can have ended */
	int level;		   /* OpenSSL's security level of the peers, VERIFY_LEVEL_DEFAULT */
	enum proof_scram scram;	   /* on any of the servers */
	const struct strs *behind; /* hosts that were left behind; NULL: none */
	struct sys *sys;	   /* random bytes for the handshakes' own certificate */
	unsigned threads;	   /* 0: one for each processor */
	/*
	 * The transition goes back to the old generation: what is wrong with the new one does not
	 * matter where it is not live, and nothing needs a successor.
	 */
	bool reverting;
	bool no_handshakes;    /* leave them out, where speed matters more (plan) */
	const struct log *log; /* progress; may be NULL */
};

struct proof_result {
	struct findings findings;
	size_t leaves;	   /* distinct ones */
	size_t bundles;	   /* distinct ones */
	size_t pairs;	   /* of leaf and bundle that were verified */
	size_t handshakes; /* that were run */
	size_t checks;	   /* all of the checks together */
};

/* 0 also with findings that block; an error only where the proof itself cannot be made. */
int proof_run(struct proof_result *out, const struct proof_input *in, struct err *err);
/*
 * Makes the findings about Ed25519 right where the servers were asked after a proof that did not
 * know (proof_input.scram).
 */
int proof_scram_known(struct findings *findings, enum proof_scram scram, struct err *err);
void proof_result_release(struct proof_result *result);

#endif
