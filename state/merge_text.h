/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a merge request says, in Markdown. All of it comes from the commit on its branch, so that
 * any machine writes the same; names and texts from files stand in code spans and indented blocks,
 * where no forge takes them for markup, mentions or commands. Subjects and dates of certificates
 * only, never keys.
 */
#ifndef STATE_MERGE_TEXT_H
#define STATE_MERGE_TEXT_H

#include "base/json.h"
#include "state/session.h"

struct merge_text {
	char *title; /* "certrotate poc: trust" */
	char *text;
	char *marker; /* its first line, a hidden comment that names rotation, phase and commit */
};

#define MERGE_MARK "<!-- certrotate " /* how every marker begins */

/*
 * tip: the branch's. The newest commit of ours at or below it is described. ERR_FAIL where there is
 * none.
 */
int merge_text_make(struct merge_text *out, struct session *session, const struct oid *tip,
		    struct err *err);
void merge_text_release(struct merge_text *text);

/* The evidence of a history entry, and the marker by which it is found again. */
int merge_text_evidence(char **marker, struct buf *out, const struct session *session,
			const struct json *entry, struct err *err);

#endif
