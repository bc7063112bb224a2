/* SPDX-License-Identifier: PostgreSQL */
/*
 * What servers said of themselves before a phase: how often archiving had failed, how many standbys
 * streamed. The look before a phase records it in this machine's folder, and the look after it
 * compares. Figures are by endpoint, "HOST:PORT". File, version 1:
 *
 *   {"version": 1, "key": "ROTATION/PHASE/DIRECTION", "servers": {"db1.example.com:5432":
 *    {"archive_failures": 3, "archive_fails": false, "standbys_streaming": 2}},
 *    "sum": "sha256:…"}
 */
#ifndef STATE_BASELINE_H
#define STATE_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"
#include "base/strs.h"

struct baseline_figures {
	int64_t archive_failures; /* pg_stat_archiver.failed_count */
	bool archive_fails;	  /* the last try failed */
	int64_t standbys_streaming;
};

struct baseline {
	struct baseline_figures *items;
	size_t count;
	struct strmap index; /* by endpoint */
};

#define BASELINE_INIT                                                                              \
	{                                                                                          \
		NULL, 0, STRMAP_INIT                                                               \
	}

#define BASELINE_FILE "before.json" /* in the local folder */

/* "ROTATION/PHASE/DIRECTION": free() it. */
char *baseline_key(const char *rotation, const char *phase, const char *direction);
/* The figures in a result's evidence, replacing the file. key: which phase begins. */
int baseline_write(const char *path, const char *key, const struct json *evidence, struct err *err);
/*
 * ERR_NOENT where there is none for that key; a file that is damaged counts as none: it is a help,
 * no record.
 */
int baseline_read(struct baseline *out, const char *path, const char *key, struct err *err);
/* The same; to have none is no error: *out is empty. */
int baseline_load(struct baseline *out, const char *path, const char *key, struct err *err);
/* NULL where the endpoint was not asked. */
const struct baseline_figures *baseline_find(const struct baseline *baseline, const char *endpoint);
void baseline_release(struct baseline *baseline);

#endif
