/* SPDX-License-Identifier: PostgreSQL */
/*
 * The files of a delivery: their names, their content and the page that goes along.
 *
 *   README.txt          what this is, what to do, connection strings, the traps of each driver
 *   delivery.json       the list of the files: what a program reads, and how an earlier delivery is
 *                       known again
 *   root.crt            the bundle: every CA certificate to be trusted (PEM)
 *   ca-1.crt …          the same, one in each file, for tools that read no more than one
 *   truststore.p12      the bundle for Java (PKCS#12); opened by "changeit", which is no secret
 *   USER/client.crt     the certificate as the inventory has it, with intermediates (PEM)
 *   USER/client.key     its key (encrypted PKCS#8, PEM)
 *   USER/client.pk8     the same (encrypted PKCS#8, DER)
 *   USER/client.p12     key and certificate (PKCS#12)
 *
 * In a user's folder name what is no letter, digit or one of "._@-" stands as %XX.
 */
#ifndef OUTSIDE_DELIVERY_H
#define OUTSIDE_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "inventory/config.h"
#include "pki/bundle.h"
#include "pki/pkcs12.h"
#include "secret/arena.h"

#define DELIVERY_PASSPHRASE_MIN PASSPHRASE_MIN
#define DELIVERY_STORE_PASSWORD "changeit" /* of truststore.p12 */

enum delivery_kind {
	DELIVERY_README,
	DELIVERY_LIST,	      /* delivery.json */
	DELIVERY_BUNDLE,      /* root.crt */
	DELIVERY_CA,	      /* ca-N.crt */
	DELIVERY_TRUSTSTORE,  /* truststore.p12 */
	DELIVERY_CERTIFICATE, /* client.crt */
	DELIVERY_KEY,	      /* client.key */
	DELIVERY_KEY_DER,     /* client.pk8 */
	DELIVERY_KEYSTORE,    /* client.p12 */
	DELIVERY_KIND__MAX
};

/* "readme", "list", "bundle", "ca", "truststore", "certificate", "key", "key-der", "keystore" */
const char *delivery_kind_name(enum delivery_kind kind);

/* What the application's administrators are to do with it. */
enum delivery_purpose {
	DELIVERY_TRUST,	       /* trust both chains */
	DELIVERY_TRUST_BACK,   /* the new chain goes again: trust the old one alone */
	DELIVERY_CLIENTS,      /* use the new certificates */
	DELIVERY_CLIENTS_BACK, /* use the old certificates again */
	DELIVERY_PRUNE,	       /* trust the new chain alone */
	DELIVERY_PRUNE_BACK,   /* the old chain came back: trust both */
	DELIVERY_EMERGENCY,    /* all at once: the old keys may be in wrong hands */
	DELIVERY_PRESENT,      /* nothing changes: all that a new machine needs */
	DELIVERY_PURPOSE__MAX
};

/* Whether certificates and keys go along. */
bool delivery_has_keys(enum delivery_purpose purpose);

struct delivery_user {
	const char *name;
	const char *pem; /* as the inventory has it: the certificate, then intermediates */
	size_t len;
	const struct secret *key; /* PEM; NULL where it is not ours: made by its holder */
};

/* All borrowed. */
struct delivery_input {
	enum delivery_purpose purpose;
	const char *environment;
	const char *application;
	const char *phase; /* "trust", "present", …: for the list */
	const char *by;	   /* who made it, for questions: "Anna DBA <anna@example.com>"; or "" */
	int64_t made;	   /* seconds since the epoch */
	const struct bundle *bundle;
	const struct delivery_user *users; /* with keys: at least one */
	size_t user_count;
	const struct endpoints *endpoints; /* what the application can connect to; may be empty */
	const struct secret *passphrase;   /* where a user has a key */
};

struct delivery_file {
	enum delivery_kind kind;
	char *path;	 /* below the folder */
	char *user;	 /* NULL: not one user's */
	struct buf data; /* nothing secret in the clear; empty once it is written */
};

struct delivery_files {
	char *folder; /* absolute, once it is written */
	struct delivery_file *items;
	size_t count;
	size_t cap;
};

/* Makes all files in memory. ERR_FAIL naming the user whose certificate or key cannot be used. */
int delivery_make(struct delivery_files *out, const struct delivery_input *in, struct err *err);
void delivery_files_release(struct delivery_files *files);
/* Lends the first of that kind (and user, NULL: any); NULL where there is none. */
const struct delivery_file *delivery_find(const struct delivery_files *files,
					  enum delivery_kind kind, const char *user);

/*
 * Puts them into a folder, as a whole or not at all: made beside it and renamed. Mode 0700, files
 * 0600, durably. Where the folder is there already it has to be empty, or an earlier delivery for
 * the same application and environment with nothing else in it, which goes: ERR_USAGE otherwise,
 * also for a symbolic link. The folder above it has to be there.
 */
int delivery_write(struct delivery_files *files, const char *folder,
		   const struct delivery_input *in, struct err *err);

/* The folder's absolute name, links above it resolved; free() it. ERR_USAGE where it has none. */
int delivery_folder(char **out, const char *folder, struct err *err);
/* A user's or application's name as a folder's; free() it. NULL when out of memory. */
char *delivery_folder_name(const char *name);

#endif
