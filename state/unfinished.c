/* SPDX-License-Identifier: PostgreSQL */
#include "state/unfinished.h"

#include <stdio.h>
#include <string.h>

#include "state/table.h"

#define PROGRESS_SIZE 1024

/* Effects are published before they are journalled: what is under way is on the base already. */
static void say_progress(char out[PROGRESS_SIZE], const struct session *session)
{
	const struct under_way *under_way = &session->store.under_way;
	const struct journal *journal = &session->journal;
	const char *note = journal->last_note;

	out[0] = '\0';
	if (!journal_is_about(journal, session->store.rotation, phase_name(under_way->phase),
			      direction_name(under_way->direction)))
		return;
	if (!strcmp(journal->last_mark, "fail"))
		(void)snprintf(out, PROGRESS_SIZE, "; it stopped: %s", note);
	else if (journal_last_is(journal, "publish", NULL))
		(void)snprintf(out, PROGRESS_SIZE, "; it is published, and nothing is %s yet",
			       phase_rolls_out(under_way->phase) ? "rolled out" : "recorded");
	else if (journal_last_is(journal, "rollout", "begin"))
		(void)snprintf(out, PROGRESS_SIZE,
			       "; it is published; %s was begun, and its end is not known", note);
	else if (journal_last_is(journal, "rollout", "end"))
		(void)snprintf(out, PROGRESS_SIZE, "; %s has run to its end", note);
	else if (journal_last_is(journal, "hook", "begin"))
		(void)snprintf(out, PROGRESS_SIZE, "; hook %s was begun, and its end is not known",
			       note);
	else if (journal_last_is(journal, "hook", "end"))
		(void)snprintf(out, PROGRESS_SIZE, "; hook %s has run to its end", note);
	else if (journal_last_is(journal, "wave", "begin"))
		(void)snprintf(out, PROGRESS_SIZE, "; %s, and that has not ended", note);
	else if (journal_last_is(journal, "wave", "end"))
		(void)snprintf(out, PROGRESS_SIZE, "; %s", note);
	else if (journal_last_is(journal, "verify", "begin"))
		(void)snprintf(out, PROGRESS_SIZE, "; it is rolled out, and not looked at yet");
	else if (journal_last_is(journal, "verify", "end") ||
		 journal_last_is(journal, "settle", NULL))
		(void)snprintf(out, PROGRESS_SIZE, "; all is done but its record");
}

static const char *advice_for(const struct under_way *under_way, bool elsewhere)
{
	bool back = under_way->direction == DIRECTION_BACK;

	if (elsewhere)
		return "it goes on there; if it does not, add --take-over here";
	if (back)
		return "'certrotate revert' goes on, 'certrotate next' turns round";
	if (!table_find_phase(under_way->to, under_way->phase, DIRECTION_BACK))
		return "'certrotate next' goes on; it cannot be taken back";
	return "'certrotate next' goes on, 'certrotate revert' takes it back";
}

int unfinished_note(struct findings *out, const struct session *session, struct err *err)
{
	const struct under_way *under_way = &session->store.under_way;
	bool elsewhere = under_way->host && strcmp(under_way->host, session->host) != 0;
	char progress[PROGRESS_SIZE] = "";

	if (!elsewhere)
		say_progress(progress, session);
	return findings_add(
		out, "unfinished", SEVERITY_BLOCK, phase_name(under_way->phase),
		advice_for(under_way, elsewhere), err, "%s under way since %s, by %s%s%s%s",
		under_way->direction == DIRECTION_BACK ? "its revert is" : "it is",
		under_way->since ? under_way->since : "?", under_way->by ? under_way->by : "?",
		elsewhere ? " on " : "", elsewhere ? under_way->host : "", progress);
}

/* Whether the state has an entry of that moment or a later one: times compare as texts. */
static bool settled_since(const struct store *store, const char *at)
{
	const struct json *last = store_last(store, NULL);

	return last && strcmp(js_str(last, "at", ""), at) >= 0;
}

int interrupted_note(struct findings *out, const struct session *session, struct err *err)
{
	const struct journal *journal = &session->journal;
	bool back;

	if (!journal_last_is(journal, "publish", "begin") ||
	    settled_since(&session->store, journal->last_at))
		return 0;
	back = !strcmp(journal->last_direction, direction_name(DIRECTION_BACK));
	return findings_add(out, "interrupted", SEVERITY_INFO, journal->last_phase,
			    "type the command again: it goes on from what is there", err,
			    "%s begun here at %s and did not end; as fetched last, nothing of it "
			    "is published",
			    back ? "its revert was" : "it was", journal->last_at);
}
