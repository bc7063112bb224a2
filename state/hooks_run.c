/* SPDX-License-Identifier: PostgreSQL */
/* One hook, once: its key, its lines in the journal, its record. See hooks.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/sum.h"
#include "state/hooks_impl.h"
#include "state/steps.h"

#define FINISHING "the hook that runs is brought to its end first"
#define SAID_MAX  300 /* of a failure, in the record */

const struct generation *hooks_generation(const struct plan *plan)
{
	return plan->has_new ? &plan->new_gen : &plan->old_gen;
}

int hooks_run_open(struct hooks_run *run, struct session *session, const struct plan *plan,
		   enum direction direction, struct err *err)
{
	int rc;

	*run = (struct hooks_run){.session = session, .plan = plan, .direction = direction};
	run->takes_back = direction != plan->row.direction;
	run->started = session->sys->now(session->sys);
	rc = hooks_record_open(&run->record, session, err);
	if (rc || (!plan->has_new && !plan->has_old))
		return rc;
	return hooks_list(&run->list, session, plan->row.phase, direction, hooks_generation(plan),
			  err);
}

void hooks_run_close(struct hooks_run *run)
{
	hooks_record_release(&run->record);
	hook_list_release(&run->list);
	strs_release(&run->waits_of);
	strs_release(&run->failed);
}

/* ---- keys */

static unsigned attempt_of(const struct journal *journal, const char *base, unsigned wave,
			   struct err *err)
{
	for (unsigned attempt = 1;; attempt++) {
		char *key = str_fmt("%s/wave/%u/%u/back", base, wave, attempt);
		bool ended = key && journal_ended(journal, key);

		free(key);
		if (!key) {
			(void)err_nomem(err);
			return 0;
		}
		if (!ended)
			return attempt;
	}
}

/*
 * Another machine may have taken it back, which the state tells; between its push and the journal's
 * line this one may have been killed.
 */
unsigned hooks_attempt(const struct hooks_run *run, unsigned wave, struct err *err)
{
	unsigned here = attempt_of(&run->session->journal, run->record.base, wave, err);
	unsigned all = store_taken_back(&run->session->store, wave) + 1;

	return here && here < all ? all : here;
}

char *hooks_wave_key(const struct hooks_run *run, unsigned wave, const char *what)
{
	unsigned attempt = hooks_attempt(run, wave, NULL);

	return attempt ? str_fmt("%s/wave/%u/%u/%s", run->record.base, wave, attempt, what) : NULL;
}

static char *stem_of(const char *base, const struct hook_item *item, unsigned attempt, bool back)
{
	return attempt ? str_fmt("%s/hook/%s/%s/%u%s", base, item->app->name, item->hook->name,
				 attempt, back ? "/back" : "")
		       : NULL;
}

char *hooks_stem(const struct hooks_run *run, const struct hook_item *item, bool back)
{
	return stem_of(run->record.base, item, hooks_attempt(run, item->app->wave, NULL), back);
}

/* What is configured in its place since then was not run. */
static int sum_call(char out[SUM_SIZE], const struct hook *hook, struct err *err)
{
	const struct rollout_step *play = &hook->play;
	struct buf text;
	int rc;

	buf_init(&text, BUF_TEXT_MAX);
	buf_adds(&text, hook_kind_name(hook->kind));
	for (size_t i = 0; i < hook->command.count; i++)
		buf_addf(&text, "\n%s", hook->command.items[i]);
	buf_addf(&text, "\n%s\n%s\n%s\n%s", hook->webhook.url ? hook->webhook.url : "",
		 hook->webhook.url_file ? hook->webhook.url_file : "", hook->text ? hook->text : "",
		 play->playbook ? play->playbook : "");
	buf_addf(&text, "\n%s\n%s\n%s", play->tags ? play->tags : "",
		 play->skip_tags ? play->skip_tags : "", play->limit ? play->limit : "");
	for (size_t i = 0; i < play->extra_args.count; i++)
		buf_addf(&text, "\n%s", play->extra_args.items[i]);
	rc = buf_check(&text, "hook", err);
	rc = rc ? rc : sum_text(out, text.data, text.len, err);
	buf_release(&text);
	return rc;
}

char *hooks_key(const struct hooks_run *run, const struct hook_item *item)
{
	char *stem = hooks_stem(run, item, run->takes_back), *key = NULL;
	char sum[SUM_SIZE];

	if (stem && !sum_call(sum, item->hook, NULL))
		key = str_fmt("%s/%.16s", stem, strchr(sum, ':') + 1);
	free(stem);
	return key;
}

bool hooks_ended(const struct hooks_run *run, const struct hook_item *item)
{
	char *key = hooks_key(run, item);
	bool ended = key && journal_ended(&run->session->journal, key);

	free(key);
	return ended;
}

/*
 * On the way back of a phase that did not come to its end: whether this machine had begun it. Where
 * that is not known all run; taking back what was never begun changes nothing.
 */
static bool was_begun(const struct hooks_run *run, const struct hook_item *item)
{
	const struct journal *journal = &run->session->journal;
	const char *turned = run->plan->store.under_way.turned;
	char *base = NULL, *stem = NULL;
	bool begun;

	if (run->direction == DIRECTION_FORWARD || run->takes_back || !turned || journal->damaged)
		return true;
	base = str_fmt("%s/%s/%s/%s", run->plan->rotation, phase_name(run->plan->row.phase),
		       direction_name(DIRECTION_FORWARD), turned);
	stem = base ? stem_of(base, item, attempt_of(journal, base, item->app->wave, NULL), false)
		    : NULL;
	begun = !stem || journal_knows(journal, stem);
	free(base);
	free(stem);
	return begun;
}

/* ---- journal and record */

static int mark(struct hooks_run *run, const struct hook_item *item, const char *which,
		const char *key, const char *why, struct err *err)
{
	char *note = why ? str_fmt("%s of application %s: %s", item->hook->name, item->app->name,
				   why)
			 : str_fmt("%s of application %s", item->hook->name, item->app->name);
	/* A person's end is not known because it is waited for. */
	const char *step = item->hook->kind == HOOK_MANUAL ? "word" : "hook";
	int rc = note ? step_mark(run->session, run->plan, step, which, key, note, err)
		      : err_nomem(err);

	free(note);
	return rc;
}

static struct json *new_record(const struct hooks_run *run, const struct hook_item *item)
{
	struct json *record = js_new_object();
	char at[SYS_TIME_SIZE];

	sys_time_text(run->session->sys->now(run->session->sys), at);
	(void)js_set_str(record, "application", item->app->name);
	(void)js_set_str(record, "hook", item->hook->name);
	(void)js_set_str(record, "kind", hook_kind_name(item->hook->kind));
	(void)js_set_int(record, "wave", item->app->wave);
	(void)js_set_str(record, "direction", direction_name(run->direction));
	(void)js_set_str(record, "at", at);
	if (item->hook->kind == HOOK_MANUAL)
		(void)js_set_str(record, "text", item->hook->text);
	return record;
}

/* Keeps the moment at which it was begun first: what came since then counts as after it. */
static int keep(struct hooks_run *run, const struct hook_item *item, const char *key,
		const char *outcome, struct json **record, struct err *err)
{
	struct json *kept = js_get(run->record.runs, key);

	if (!kept) {
		if (js_set(run->record.runs, key, new_record(run, item)))
			return err_nomem(err);
		kept = js_get(run->record.runs, key);
	}
	if (js_set_str(kept, "outcome", outcome))
		return err_nomem(err);
	if (record)
		*record = kept;
	return hooks_record_save(&run->record, err);
}

/* ---- a person's */

static void show_text(const struct hooks_run *run, const struct hook_item *item)
{
	const char *contact = item->app->contact;

	log_line(run->session->log, LOG_WARNING, "application %s%s%s%s: %s%s", item->app->name,
		 contact[0] ? " (" : "", contact, contact[0] ? ")" : "",
		 run->direction == DIRECTION_BACK ? "take back: " : "", item->hook->text);
}

/* Where nobody can wait, and where a wave alone is taken back, the text is shown and that is all.
 */
static bool waits_for_word(const struct hooks_run *run)
{
	return run->plan->row.phase != PHASE_EMERGENCY && !run->takes_back;
}

/* What was waited for when its wave was taken back is asked for anew, if at all. */
static void wait_no_more(struct hooks_run *run, const struct hook_item *item)
{
	for (const char *key = js_first_key(run->record.runs); key;
	     key = js_next_key(run->record.runs, key)) {
		struct json *one = js_get(run->record.runs, key);

		if (!strcmp(js_str(one, "outcome", ""), HOOK_WAITS) &&
		    !strcmp(js_str(one, "application", ""), item->app->name) &&
		    !strcmp(js_str(one, "hook", ""), item->hook->name))
			(void)js_set_str(one, "outcome", HOOK_TAKEN_BACK);
	}
}

static int run_manual(struct hooks_run *run, const struct hook_item *item, const char *key,
		      struct err *err)
{
	const struct json *word = run->takes_back
					  ? NULL
					  : hooks_word(&run->session->store, item->app->name);
	struct json *record = NULL;
	int rc = 0;

	if (!word && waits_for_word(run)) {
		show_text(run, item);
		rc = keep(run, item, key, HOOK_WAITS, NULL, err);
		if (!rc && !journal_knows(&run->session->journal, key))
			rc = mark(run, item, "begin", key, NULL, err);
		run->waits_for = run->waits_for ? run->waits_for : item->hook->text;
		return rc ? rc : strs_add_unique(&run->waits_of, item->app->name, err);
	}
	if (!word)
		show_text(run, item);
	if (run->takes_back)
		wait_no_more(run, item);
	rc = keep(run, item, key, HOOK_ENDED, &record, err);
	if (!rc && word) {
		const char *who = js_str(word, "who", "");

		(void)js_set_str(record, "by", who[0] ? who : js_str(word, "by", "?"));
		rc = hooks_record_save(&run->record, err);
	}
	return rc ? rc : mark(run, item, "end", key, NULL, err);
}

/* ---- a program's */

/* "logs/2026-11-21T01-30-00Z-hook-billing-exec-1.log" */
static char *log_path(const struct hooks_run *run, const struct hook_item *item)
{
	char at[SYS_TIME_SIZE];
	char *name;

	sys_time_text(run->session->sys->now(run->session->sys), at);
	name = str_fmt("%s-hook-%s-%s", at, item->app->name, item->hook->name);
	for (char *c = name; c && *c; c++) {
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || *c == '-' || *c == '_'))
			*c = '-';
	}
	if (name) {
		char *path = str_fmt("%s/logs/%.150s.log", run->session->local_dir, name);

		free(name);
		return path;
	}
	return NULL;
}

static int call_kind(struct hook_call *call, struct err *err)
{
	switch (call->item->hook->kind) {
	case HOOK_EXEC:
		return hooks_call_exec(call, err);
	case HOOK_ANSIBLE:
		return hooks_call_ansible(call, err);
	case HOOK_WEBHOOK:
		return hooks_call_webhook(call, err);
	case HOOK_MANUAL:
	case HOOK__MAX:
	default:
		return err_set(err, ERR_FAIL, "this kind of hook is not run");
	}
}

static int failed(const struct hooks_run *run, const struct hook_item *item, int rc,
		  struct err *err)
{
	const struct application *app = item->app;
	char hint[sizeof(err->hint)];

	(void)snprintf(hint, sizeof(hint), "%s", err->hint);
	err_prefix(err, "hook '%s' of application %s (wave %u) failed", item->hook->name, app->name,
		   app->wave);
	if (rc == ERR_STOPPED) {
		step_say_unfinished(run->plan, err);
		return rc;
	}
	if (run->takes_back)
		err_hint(err,
			 "%.400s%s%s%s'certrotate revert --wave %u' goes on, 'certrotate revert' "
			 "takes back the phase",
			 hint, hint[0] ? "; " : "", app->contact, app->contact[0] ? " knows; " : "",
			 app->wave);
	else if (run->plan->row.phase == PHASE_EMERGENCY)
		err_hint(err, "%.400s%s%s%sthe emergency is unfinished: 'certrotate next' goes on",
			 hint, hint[0] ? "; " : "", app->contact,
			 app->contact[0] ? " knows; " : "");
	else if (run->direction == DIRECTION_BACK)
		err_hint(err, "%.400s%s%s%sthe revert is unfinished: 'certrotate revert' goes on",
			 hint, hint[0] ? "; " : "", app->contact,
			 app->contact[0] ? " knows; " : "");
	else
		err_hint(err,
			 "%.400s%s%s%s%s is unfinished: 'certrotate next' runs it again, "
			 "'certrotate revert --wave %u' takes its wave back, 'certrotate revert' "
			 "the phase",
			 hint, hint[0] ? "; " : "", app->contact, app->contact[0] ? " knows; " : "",
			 phase_name(run->plan->row.phase), app->wave);
	return rc;
}

static void fill_id(struct hook_call *call, const char *key)
{
	char sum[SUM_SIZE] = "sha256:";

	(void)sum_text(sum, key, strlen(key), NULL);
	(void)snprintf(call->id, sizeof(call->id), "%.32s", strchr(sum, ':') + 1);
}

static void note_result(struct hook_call *call, int rc, const struct err *err)
{
	struct session *session = call->run->session;
	char at[SYS_TIME_SIZE], said[SAID_MAX + 1];

	sys_time_text(session->sys->now(session->sys), at);
	(void)js_set_str(call->record, "ended", at);
	if (rc) {
		(void)snprintf(said, sizeof(said), "%.*s", SAID_MAX, err->msg);
		(void)js_set_str(call->record, "error", said);
	} else {
		js_del(call->record, "error");
	}
}

static int run_program(struct hooks_run *run, const struct hook_item *item, const char *stem,
		       const char *key, struct err *err)
{
	struct session *session = run->session;
	struct hook_call call = {.run = run, .item = item, .log_path = log_path(run, item)};
	struct err later = {0};
	int rc = call.log_path ? step_claimed(session, run->plan, err) : err_nomem(err);

	fill_id(&call, key);
	rc = rc ? rc : session_make_local(session, "logs", err);
	rc = rc ? rc : keep(run, item, key, HOOK_BEGUN, &call.record, err);
	if (!rc && !journal_knows(&session->journal, stem))
		rc = mark(run, item, "begin", stem, NULL, err);
	rc = rc ? rc : mark(run, item, "begin", key, NULL, err);
	rc = rc ? rc : step_awake(session, run->plan, err);
	if (rc) {
		free(call.log_path);
		return rc;
	}
	log_line(session->log, LOG_INFO, "%s: hook '%s' of application %s (wave %u)",
		 phase_name(run->plan->row.phase), item->hook->name, item->app->name,
		 item->app->wave);
	/* A request is not: it is sent again, with the same key. */
	if (item->hook->kind != HOOK_WEBHOOK)
		loop_stop_finishing(session->stop, FINISHING);
	rc = call_kind(&call, err);
	loop_stop_finishing(session->stop, NULL);
	note_result(&call, rc, err);
	/* The failure is the message; that it cannot be noted as well is not. */
	if (rc) {
		(void)keep(run, item, key, HOOK_FAILED, NULL, &later);
		(void)mark(run, item, "fail", key, err->msg, &later);
		rc = failed(run, item, rc, err);
	} else {
		rc = keep(run, item, key, HOOK_ENDED, NULL, err);
		rc = rc ? rc : mark(run, item, "end", key, NULL, err);
	}
	free(call.log_path);
	return rc;
}

int hooks_run_item(struct hooks_run *run, const struct hook_item *item, struct err *err)
{
	char *stem = hooks_stem(run, item, run->takes_back);
	char *key = hooks_key(run, item);
	int rc = stem && key ? 0 : err_nomem(err);

	if (!rc && !journal_ended(&run->session->journal, key) && was_begun(run, item)) {
		if (item->hook->kind == HOOK_MANUAL) {
			/* For the way back: it is begun where its text was shown. */
			if (!journal_knows(&run->session->journal, stem))
				rc = mark(run, item, "begin", stem, NULL, err);
			rc = rc ? rc : run_manual(run, item, key, err);
		} else if (loop_stop_count(run->session->stop)) {
			rc = err_set(err, ERR_STOPPED, "stopped before a hook, as asked");
			step_say_unfinished(run->plan, err);
		} else {
			rc = run_program(run, item, stem, key, err);
		}
	}
	free(stem);
	free(key);
	return rc;
}
