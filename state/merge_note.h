/* SPDX-License-Identifier: PostgreSQL */
/* What this machine remembers of merge requests: files below .git/certrotate/ENV/, no secret. */
#ifndef STATE_MERGE_NOTE_H
#define STATE_MERGE_NOTE_H

#include <stdbool.h>
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
	enum merge_state state;
	bool draft;
};

/* false where there is none about that branch (NULL: any), or it cannot be read. */
bool merge_note_load(struct merge_note *out, const struct session *session, const char *branch);
void merge_note_release(struct merge_note *note);
/* What cannot be kept is asked again: no error. */
void merge_note_keep(const struct session *session, const char *branch, const char *thing,
		     const struct merge_request *request);
void merge_note_drop(const struct session *session);

/* comment.json: a comment that could not be posted. */
struct merge_comment {
	char *branch;
	char *base;
	char *marker;
	char *text;
};

bool merge_comment_load(struct merge_comment *out, const struct session *session);
void merge_comment_release(struct merge_comment *comment);
int merge_comment_keep(const struct session *session, const struct merge_comment *comment,
		       struct err *err);
void merge_comment_drop(const struct session *session);

#endif
