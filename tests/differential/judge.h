/* SPDX-License-Identifier: PostgreSQL */
/* What the proof says, of texts as they would be rolled out. */
#ifndef TESTS_DIFFERENTIAL_JUDGE_H
#define TESTS_DIFFERENTIAL_JUDGE_H

#include <stdbool.h>
#include <stdint.h>
#include "pki/verify.h"
#include "safety/proof.h"

#define EXAM_BUNDLES 2

/* One server or one client, and those that verify it. Texts are borrowed; NULL: there is none. */
struct exam {
	enum verify_purpose purpose;
	const char *name;     /* NULL: BED_HOST, BED_USER */
	const char *hosts[3]; /* up to the first NULL; none: the name alone */
	const char *leaf[PROOF__MAX];
	const char *key[PROOF__MAX];
	const char *bundle[EXAM_BUNDLES];
	bool live[PROOF__MAX]; /* which leaves are on the host today */
	bool bundle_live;
	int64_t end; /* the rotation's, in seconds from now */
};

/* Ends the process where the proof itself cannot be made. */
void exam_run(struct proof_result *out, const struct exam *exam);

struct claim {
	bool ok;
	bool ok_tls12; /* with TLS 1.2, too */
	char why[600]; /* the finding, where it is refused */
};

/* Whether the proof lets this leaf, shown to those that hold this bundle, pass. */
void judge(struct claim *out, enum verify_purpose purpose, const char *host, const char *leaf,
	   const char *key, const char *bundle);

#endif
