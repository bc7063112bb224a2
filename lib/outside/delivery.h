/* SPDX-License-Identifier: PostgreSQL */
/*
 * The files of a delivery: their names, their content and the page that goes along.
 *
 *   README.txt          what this is, connection strings, the traps of each driver
 *   delivery.json       the list of the files: what a program reads, and how an earlier delivery is
 *                       known again
 *   root.crt            the bundle: every CA certificate to be trusted (PEM)
 *   root-N.crt          where it has more than one root: each root's part alone (PEM)
 *   truststore.p12      the bundle for Java (PKCS#12); opened by "changeit", which is no secret
 *   USER/client.crt     the certificate as the inventory has it, with intermediates (PEM)
 *   USER/client.key     its key (encrypted PKCS#8, PEM)
 *   USER/client.pk8     the same (encrypted PKCS#8, DER)
 *   USER/client.p12     key and certificate (PKCS#12)
 */
#ifndef OUTSIDE_DELIVERY_H
#define OUTSIDE_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

#define DELIVERY_PASSPHRASE_MIN 12

enum delivery_kind {
	DELIVERY_README,
	DELIVERY_LIST,	      /* delivery.json */
	DELIVERY_BUNDLE,      /* root.crt */
	DELIVERY_ROOT,	      /* root-N.crt */
	DELIVERY_TRUSTSTORE,  /* truststore.p12 */
	DELIVERY_CERTIFICATE, /* client.crt */
	DELIVERY_KEY,	      /* client.key */
	DELIVERY_KEY_DER,     /* client.pk8 */
	DELIVERY_KEYSTORE,    /* client.p12 */
	DELIVERY_KIND__MAX
};

/* "readme", "list", "bundle", "root", "truststore", "certificate", "key", "key-der", "keystore" */
const char *delivery_kind_name(enum delivery_kind kind);

struct delivery_file {
	enum delivery_kind kind;
	char *path; /* below the folder */
	char *user; /* NULL: not one user's */
};

struct delivery_files {
	char *folder; /* absolute */
	struct delivery_file *items;
	size_t count;
};

void delivery_files_release(struct delivery_files *files);

#endif
