/* SPDX-License-Identifier: PostgreSQL */
/* What came of a phase, as a comment of its merge request: see merge.h. */
#include <stdlib.h>
#include <string.h>

#include "state/merge_impl.h"
#include "state/merge_note.h"
#include "state/merge_text.h"

#define COMMENTS_MAX 10 /* of a forge that stays away; the newest count */
#define PATIENCE_MS  30000

/* The branch by which the base got the phase: its state is still as that branch had it. */
static int merged_branch(char **out, struct session *session, struct err *err)
{
	const struct under_way *under_way;
	struct store store;
	int rc = session_state_of(&store, session, &session->base, session->env->base, err);

	*out = NULL;
	if (rc)
		return rc;
	under_way = &store.under_way;
	if (under_way->active)
		*out = merge_branch_name(session, under_way->phase, under_way->direction,
					 store.revision);
	store_release(&store);
	return *out ? 0 : err_set(err, ERR_NOENT, "the base names no branch");
}

static int keep(struct session *session, struct json *comment, struct err *err)
{
	struct json *before = merge_comments_load(session), *now = js_new_array();
	size_t count = js_count(before);
	int rc;

	for (size_t i = count < COMMENTS_MAX ? 0 : count - COMMENTS_MAX + 1; i < count; i++)
		(void)js_push(now, js_copy(js_at(before, i)));
	(void)js_push(now, comment);
	rc = merge_comments_save(session, now, err);
	js_free(before);
	js_free(now);
	return rc;
}

void merge_evidence(struct session *session, const struct json *entry)
{
	struct json *comment = js_new_object();
	char *branch = NULL, *marker = NULL;
	struct err err = {0};
	struct buf text;
	int rc = 0;

	buf_init(&text, BUF_TEXT_MAX);
	if (session->settle_ref && forge_has_token(&session->env->forge)) {
		rc = merged_branch(&branch, session, &err);
		rc = rc ? rc : merge_text_evidence(&marker, &text, session, entry, &err);
	}
	if (!rc && branch) {
		(void)js_set_str(comment, "branch", branch);
		(void)js_set_str(comment, "base", session->env->base);
		(void)js_set_str(comment, "marker", marker);
		(void)js_set_str(comment, "text", text.data);
		rc = keep(session, comment, &err);
		comment = NULL;
	}
	if (rc && rc != ERR_NOENT)
		log_line(session->log, LOG_WARNING, "the evidence will not be posted: %s", err.msg);
	js_free(comment);
	free(branch);
	free(marker);
	buf_release(&text);
}

/* By its branch: what this machine knows of a merge request may be about an earlier one. */
static int post(struct session *session, struct forge *forge, const struct json *comment,
		struct err *err)
{
	const char *branch = js_str(comment, "branch", "");
	struct merge_request request;
	bool added = false;
	int rc;

	forge->patience_ms = PATIENCE_MS;
	rc = forge_find(&request, forge, branch, js_str(comment, "base", ""), NULL, err);
	/* People opened it elsewhere, or not at all: there is nothing to comment. */
	if (!rc)
		rc = forge_comment(&added, forge, request.number, js_str(comment, "marker", ""),
				   js_str(comment, "text", ""), err);
	else if (rc == ERR_NOENT)
		rc = 0;
	merge_request_release(&request);
	forge->patience_ms = 0;
	if (!rc && added)
		log_line(session->log, LOG_INFO, "the evidence was posted to the %s of %s",
			 forge_thing(forge), branch);
	return rc;
}

/* The newest first, and the rest is left alone behind a failure: the forge is away, mostly. */
static size_t post_newest(struct session *session, const struct json *comments, struct err *err)
{
	struct forge *forge = NULL;
	size_t left = js_count(comments);
	int rc = merge_forge(&forge, session, err);

	while (left && !rc && forge) {
		rc = post(session, forge, js_at(comments, left - 1), err);
		left -= rc ? 0 : 1;
	}
	if (rc)
		log_line(session->log, LOG_WARNING,
			 "the evidence was not posted to the merge request of %s, the next call "
			 "tries again: %s",
			 js_str(js_at(comments, left - 1), "branch", ""), err->msg);
	return left;
}

void merge_evidence_post(struct session *session)
{
	struct json *comments, *rest;
	struct err err = {0};
	size_t left;

	if (!session->settle_ref || !forge_has_token(&session->env->forge))
		return;
	comments = merge_comments_load(session);
	rest = js_new_array();
	left = js_count(comments) ? post_newest(session, comments, &err) : 0;
	for (size_t i = 0; i < left; i++)
		(void)js_push(rest, js_copy(js_at(comments, i)));
	/* Where that fails they are posted once more, and found to be there. */
	if (left < js_count(comments))
		(void)merge_comments_save(session, rest, NULL);
	js_free(comments);
	js_free(rest);
}
