/* SPDX-License-Identifier: PostgreSQL */
/*
 * The journal: this machine's record of what it was about to do and what it has done, one fsynced
 * JSON line before and after each step, in .git/certrotate/ENV/journal:
 *
 *   {"at": "2026-11-21T01:30:00Z", "rotation": "…", "phase": "trust", "direction": "forward",
 *    "step": "rollout", "mark": "begin", "key": "…", "note": "…", "sum": "sha256:…"}
 *
 * key names an action so that it is done once: "ROTATION/PHASE/DIRECTION/SINCE/rollout/0/CALL"
 * (the playbook with its options), with "/!db3" behind it where that host was left out. What has
 * been done is decided by looking at the effect first, and here second.
 *
 * A line that a crash tore is the last one, and ignored; whoever writes next begins a new line and
 * gives it "torn": true. Any other line that is not as it was written (its sum, pki/sum.h) could
 * have said that something was begun anew: then nothing that was noted before it counts, and what
 * may have been done is done again. A phase that settled lets such a line rest.
 */
#ifndef STATE_JOURNAL_H
#define STATE_JOURNAL_H

#include <stdbool.h>
#include "base/err.h"
#include "base/strs.h"
#include "base/sys.h"

struct journal {
	char *path;
	struct sys *sys;
	struct strmap ended; /* each key: whether its last mark is "end" */
	/* the last line; NULL where there is none */
	char *last_at, *last_rotation, *last_phase, *last_direction;
	char *last_step, *last_mark, *last_note;
	bool open_end;	/* the file ends without a newline: the next record begins on a new line */
	bool torn;	/* and half a line is what it ends in */
	size_t damaged; /* lines since the last settled phase that are not as they were written */
	size_t damaged_line; /* the number of the last of them */
};

/* Reads what is there (a missing file is an empty journal). */
int journal_open(struct journal *journal, const char *path, struct sys *sys, struct err *err);
/*
 * For a look: the last line alone, where it is whole. Then no action is known, and no damage before
 * it. Otherwise as journal_open. Not to be written to.
 */
int journal_glance(struct journal *journal, const char *path, struct sys *sys, struct err *err);
void journal_release(struct journal *journal);

/* Writes and syncs one line. mark: "begin", "end" or "fail". key and note may be NULL. */
int journal_write(struct journal *journal, const char *rotation, const char *phase,
		  const char *direction, const char *step, const char *mark, const char *key,
		  const char *note, struct err *err);
/* Whether the last line is about that phase of that rotation. */
bool journal_is_about(const struct journal *journal, const char *rotation, const char *phase,
		      const char *direction);
/* Whether the last line says so; mark may be NULL. */
bool journal_last_is(const struct journal *journal, const char *step, const char *mark);
/* Whether there is a line about that action, with no damage behind it. */
bool journal_knows(const struct journal *journal, const char *key);
bool journal_ended(const struct journal *journal, const char *key);

#endif
