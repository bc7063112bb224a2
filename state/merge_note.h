/* SPDX-License-Identifier: PostgreSQL */
/* What this machine remembers of merge requests: files below .git/certrotate/ENV/, no secret. */
#ifndef STATE_MERGE_NOTE_H
#define STATE_MERGE_NOTE_H

#include <stdbool.h>
#include "base/json.h"
#include "outside/forge.h"
#include "state/session.h"

/* merge.json: the merge request of a branch, as it was when the forge was asked last. */
struct merge_note {
	char *branch;
	char *name;  /* "!17" */
	char *thing; /* "merge request" */
	char *url;
	char *seen; /* when: RFC 3339 */
	int64_t number;
	int64_t revision; /* of the state that the branch brings */
	enum merge_state state;
	bool draft;
};

/* false where there is none about that branch (NULL: any), or it cannot be read. */
bool merge_note_load(struct merge_note *out, const struct session *session, const char *branch);
void merge_note_release(struct merge_note *note);
/* What cannot be kept is asked again: no error. */
void merge_note_keep(const struct session *session, const char *branch, int64_t revision,
		     const char *thing, const struct merge_request *request);
void merge_note_drop(const struct session *session);

/*
 * comment.json: the comments that are not posted yet, an array with the newest last; each has
 * "branch", "base", "marker" and "text". Never NULL but for want of memory; js_free() it.
 */
struct json *merge_comments_load(const struct session *session);
int merge_comments_save(const struct session *session, const struct json *comments,
			struct err *err);

#endif
