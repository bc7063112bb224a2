/* SPDX-License-Identifier: PostgreSQL */
/* The hooks of a phase in their order, and a wave that is taken back alone: see hooks.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "outside/exec_hook.h"
#include "state/hooks_impl.h"
#include "state/others.h"
#include "state/play.h"
#include "state/publish.h"
#include "state/receiver.h"
#include "state/steps.h"

#define NAMES_SHOWN 5

/* ---- before anything begins */

/* A program of the repository is what the team has seen: as playbooks are. */
static int check_committed(struct session *session, const char *program, struct err *err)
{
	struct oid blob;
	const char *path = str_starts(program, "./") ? program + 2 : program;
	int rc = repo_path_oid(&blob, session->repo, &session->base, path, err);

	if (rc != ERR_NOENT)
		return rc;
	err_set(err, ERR_USAGE, "%s: not in the branch %s", program, session->env->base);
	return err_hint(err, "commit and push it: hooks run what the team can see");
}

/* Its address and secret are read when it is sent: here it is seen that they are there. */
static int check_webhook(const struct session *session, const struct webhook_config *webhook,
			 struct err *err)
{
	struct receiver receiver;
	int rc = receiver_open(&receiver, session, webhook, err);

	if (rc)
		return rc;
	if (receiver.ca_file && access(receiver.ca_file, R_OK)) {
		rc = err_sys(err, errno, "cannot read %s", receiver.ca_file);
		rc = err_blame(err, rc, ERR_USAGE);
	}
	receiver_release(&receiver);
	return rc;
}

static int check_one(struct session *session, const struct plan *plan, const struct hook *hook,
		     struct err *err)
{
	const struct play play = {.step = &hook->play,
				  .phase = phase_name(plan->row.phase),
				  .direction = direction_name(plan->row.direction),
				  .skip = &plan->skip};
	char *program = NULL;
	int rc = 0;

	if (hook->kind == HOOK_ANSIBLE) {
		rc = check_committed(session, hook->play.playbook, err);
		return rc ? rc : play_check(session, &play, err);
	}
	if (hook->kind == HOOK_WEBHOOK)
		return check_webhook(session, &hook->webhook, err);
	if (hook->kind != HOOK_EXEC)
		return 0;
	rc = exec_hook_find(&program, hook->command.items[0], repo_root(session->repo), err);
	if (!rc && hook->command.items[0][0] != '/' && strchr(hook->command.items[0], '/'))
		rc = check_committed(session, hook->command.items[0], err);
	free(program);
	return rc;
}

static int check_list(struct session *session, const struct plan *plan,
		      const struct hook_list *list, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < list->count && !rc; i++) {
		rc = check_one(session, plan, list->items[i].hook, err);
		if (rc)
			err_prefix(err, "hook '%s' of application %s", list->items[i].hook->name,
				   list->items[i].app->name);
	}
	return rc;
}

int step_check_hooks(struct session *session, const struct plan *plan, struct err *err)
{
	struct hook_list list = {.items = NULL};
	int rc = 0;

	if (plan->has_new || plan->has_old)
		rc = hooks_list(&list, session, plan->row.phase, plan->row.direction,
				hooks_generation(plan), err);
	rc = rc ? rc : check_list(session, plan, &list, err);
	hook_list_release(&list);
	return rc;
}

/* ---- all of a phase */

static int say_waits(const struct hooks_run *run, struct err *err)
{
	const struct application *app = NULL;
	const char *first = run->waits_of.items[0];
	char names[512];

	if (config_application(&app, run->session->config, first, NULL))
		app = NULL;
	strs_join(&run->waits_of, NAMES_SHOWN, names, sizeof(names));
	err_set(err, ERR_GATE, "%s%s waits for the word of %s: %s",
		run->direction == DIRECTION_BACK ? "the revert of " : "",
		phase_name(run->plan->row.phase), names, run->waits_for);
	return err_hint(err,
			"%s%s'certrotate ack --app %s --by WHO' records it; then 'certrotate %s' "
			"goes on",
			app ? app->contact : "", app && app->contact[0] ? " does it; " : "", first,
			direction_verb(run->direction));
}

/* Half of a wave must not go forward while the other half is on the way back. */
static int check_taken_back(const struct hooks_run *run, unsigned wave, struct err *err)
{
	const struct journal *journal = &run->session->journal;
	char *key = hooks_wave_key(run, wave, "back");
	bool open = key && journal_knows(journal, key) && !journal_ended(journal, key);

	free(key);
	if (!key)
		return err_nomem(err);
	if (!open || run->direction == DIRECTION_BACK)
		return 0;
	err_set(err, ERR_GATE, "wave %u is being taken back, and that has not ended", wave);
	return err_hint(err,
			"'certrotate revert --wave %u' goes on with it; 'certrotate revert' "
			"takes the whole phase back",
			wave);
}

static size_t end_of_wave(const struct hook_list *list, size_t from)
{
	size_t to = from;

	while (to < list->count && list->items[to].app->wave == list->items[from].app->wave)
		to++;
	return to;
}

static bool has_work(const struct hooks_run *run, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (!hooks_ended(run, &run->list.items[i]))
			return true;
	}
	return false;
}

/* In an emergency everybody is cut off until his own hooks have run: nobody waits for a failure. */
static int run_without(struct hooks_run *run, const struct hook_item *item, struct err *err)
{
	struct err failure = {0};
	int rc;

	if (strs_has(&run->failed, item->app->name))
		return 0;
	rc = hooks_run_item(run, item, &failure);
	if (rc != ERR_FAIL && rc != ERR_USAGE) {
		if (rc && err)
			*err = failure;
		return rc;
	}
	log_line(run->session->log, LOG_WARNING, "%s", failure.msg);
	if (!run->failed.count)
		run->failure = failure;
	return strs_add(&run->failed, item->app->name, err);
}

static int say_failed(const struct hooks_run *run, struct err *err)
{
	char names[512];

	if (!run->failed.count)
		return 0;
	if (err)
		*err = run->failure;
	strs_join(&run->failed, NAMES_SHOWN, names, sizeof(names));
	if (run->failed.count > 1)
		err_prefix(err, "hooks of %zu applications failed (%s), the first",
			   run->failed.count, names);
	return run->failure.code;
}

/* Who waits for a person does not hold up the others of its wave, only its own hooks. */
static int run_wave(struct hooks_run *run, size_t from, size_t to, struct err *err)
{
	bool emergency = run->plan->row.phase == PHASE_EMERGENCY;
	int rc = hooks_wave_gate(run, run->list.items[from].app->wave, err);

	for (size_t i = from; i < to && !rc; i++) {
		const struct hook_item *item = &run->list.items[i];

		if (emergency)
			rc = run_without(run, item, err);
		else if (!strs_has(&run->waits_of, item->app->name))
			rc = hooks_run_item(run, item, err);
	}
	return rc || !run->waits_of.count ? rc : say_waits(run, err);
}

int step_hooks(struct session *session, struct plan *plan, struct err *err)
{
	struct hooks_run run;
	int rc = hooks_run_open(&run, session, plan, plan->row.direction, err);

	for (size_t from = 0, to; from < run.list.count && !rc; from = to) {
		to = end_of_wave(&run.list, from);
		rc = check_taken_back(&run, run.list.items[from].app->wave, err);
		if (!rc && has_work(&run, from, to))
			rc = run_wave(&run, from, to, err);
	}
	rc = rc ? rc : say_failed(&run, err);
	hooks_run_close(&run);
	return rc;
}

/* ---- what becomes of it in the history */

int hooks_evidence(struct json *entry, const struct session *session, struct err *err)
{
	struct hooks_record record;
	struct json *list = js_new_array();
	int rc = hooks_record_open(&record, session, err);

	for (const char *key = js_first_key(record.runs); key; key = js_next_key(record.runs, key))
		(void)js_push(list, js_copy(js_get(record.runs, key)));
	if (!rc && js_count(list)) {
		(void)js_set(entry, "hooks", list);
		list = NULL;
		if (js_count(record.waves))
			(void)js_set(entry, "waves", js_copy(record.waves));
	}
	js_free(list);
	hooks_record_release(&record);
	return rc;
}

/*
 * A program or a playbook that ended well did its work, and is its application's word that it
 * trusts both chains. A webhook was received, and that is all that is known.
 */
static bool is_word(const struct hook *hook)
{
	return hook->kind == HOOK_EXEC || hook->kind == HOOK_ANSIBLE;
}

int hooks_give_words(struct store *store, const struct session *session, const struct plan *plan,
		     struct err *err)
{
	struct hook_list list = {.items = NULL};
	int rc = 0;

	if (plan->row.phase != PHASE_TRUST || plan->row.direction != DIRECTION_FORWARD)
		return 0;
	rc = hooks_list(&list, session, PHASE_TRUST, DIRECTION_FORWARD, hooks_generation(plan),
			err);
	for (size_t i = 0; i < list.count && !rc; i++) {
		const struct hook_item *item = &list.items[i];
		char *by;

		if (!is_word(item->hook) || store_ack(store, item->app->name, PHASE_TRUST))
			continue;
		by = str_fmt("hook %s", item->hook->name);
		rc = by ? store_add_ack(store, item->app->name, PHASE_TRUST, DIRECTION_FORWARD, "",
					by, session->sys->now(session->sys), err)
			: err_nomem(err);
		free(by);
	}
	hook_list_release(&list);
	return rc;
}

/* ---- a wave alone */

static int check_phase(const struct session *session, struct err *err)
{
	const struct under_way *under_way = &session->store.under_way;

	if (under_way->active && under_way->host && strcmp(under_way->host, session->host) != 0)
		return others_under_way(under_way, err);
	if (under_way->active && under_way->direction == DIRECTION_FORWARD &&
	    under_way->phase != PHASE_EMERGENCY && hooks_run_in(session))
		return 0;
	err_set(err, ERR_USAGE, "no phase with waves is under way in %s", session->env->name);
	return err_hint(err, "'certrotate revert' takes a whole phase back");
}

/* Those of the wave that were begun; without the journal's word, all of them. */
static int keep_wave(struct hooks_run *run, unsigned wave, struct err *err)
{
	const struct journal *journal = &run->session->journal;
	size_t all = run->list.count, kept = 0, in_wave = 0;
	int rc = 0;

	for (size_t i = 0; i < all && !rc; i++) {
		struct hook_item item = run->list.items[i];
		char *stem = hooks_stem(run, &item, false);

		rc = stem ? 0 : err_nomem(err);
		in_wave += item.app->wave == wave;
		if (!rc && item.app->wave == wave &&
		    (journal->damaged || journal_knows(journal, stem)))
			run->list.items[kept++] = item;
		free(stem);
	}
	run->list.count = kept;
	if (rc || kept)
		return rc;
	if (in_wave) {
		err_set(err, ERR_USAGE,
			"wave %u of %s has not begun: there is nothing to take back", wave,
			phase_name(run->plan->row.phase));
		return err_hint(err, "look with 'certrotate status'");
	}
	err_set(err, ERR_USAGE, "no application with hooks for %s is in wave %u",
		phase_name(run->plan->row.phase), wave);
	return err_hint(err, "the waves are those of 'applications' in certrotate.yml");
}

static int say_summary(struct plan *plan, const struct hooks_run *run, unsigned wave,
		       struct err *err)
{
	struct strs apps = STRS_INIT;
	char names[512];
	char *summary;
	int rc = 0;

	for (size_t i = 0; i < run->list.count && !rc; i++)
		rc = strs_add_unique(&apps, run->list.items[i].app->name, err);
	strs_join(&apps, NAMES_SHOWN, names, sizeof(names));
	summary = str_fmt("takes back wave %u of %s in %s: %s", wave, phase_name(plan->row.phase),
			  run->session->env->name, names);
	strs_release(&apps);
	if (!summary)
		return rc ? rc : err_nomem(err);
	free(plan->summary);
	plan->summary = summary;
	strs_release(&plan->hooks);
	return rc ? rc : hook_list_texts(&plan->hooks, &run->list, err);
}

/*
 * Whoever goes on with the phase has to know: the hooks' keys of before are used up. Their words
 * were about what is taken back.
 */
static int publish_back(struct session *session, const struct hooks_run *run, unsigned wave,
			struct err *err)
{
	struct store store;
	char *subject = str_fmt("certrotate %s: take back wave %u of %s", session->env->name, wave,
				phase_name(run->plan->row.phase));
	int rc = subject ? store_copy(&store, &session->store, err) : err_nomem(err);

	if (!rc) {
		rc = store_take_back(&store, wave, err);
		for (size_t i = 0; i < run->list.count && !rc; i++)
			rc = store_take_ack(&store, run->list.items[i].app->name,
					    run->plan->row.phase, err);
		rc = rc ? rc : publish_state(session, &store, subject, NULL, err);
		store_release(&store);
	}
	free(subject);
	return rc;
}

static int take_back(struct hooks_run *run, unsigned wave, struct err *err)
{
	struct session *session = run->session;
	char *key = hooks_wave_key(run, wave, "back");
	char *note = str_fmt("wave %u is taken back", wave);
	int rc = key && note ? step_claimed(session, run->plan, err) : err_nomem(err);

	rc = rc ? rc : step_mark(session, run->plan, "wave", "begin", key, note, err);
	for (size_t i = 0; i < run->list.count && !rc; i++)
		rc = hooks_run_item(run, &run->list.items[i], err);
	rc = rc ? rc : publish_back(session, run, wave, err);
	rc = rc ? rc : step_mark(session, run->plan, "wave", "end", key, note, err);
	free(key);
	free(note);
	return rc;
}

static int revert_wave(struct session *session, unsigned wave, const struct run_options *options,
		       struct err *err)
{
	const struct plan_options plan_options = {.waivers = options->waivers};
	struct hooks_run run = {.session = session};
	struct plan plan = {0};
	int rc = check_phase(session, err);

	rc = rc ? rc : plan_make(&plan, session, EVENT_NEXT, &plan_options, err);
	if (rc)
		return rc;
	rc = hooks_run_open(&run, session, &plan, DIRECTION_BACK, err);
	rc = rc ? rc : keep_wave(&run, wave, err);
	rc = rc ? rc : check_list(session, &plan, &run.list, err);
	rc = rc ? rc : say_summary(&plan, &run, wave, err);
	if (!rc && options->confirm && !options->confirm(options->ctx, &plan))
		rc = err_set(err, ERR_STOPPED, "not confirmed: nothing was changed");
	rc = rc ? rc : take_back(&run, wave, err);
	hooks_run_close(&run);
	plan_release(&plan);
	return rc;
}

int runner_revert_wave(const struct session_options *session_options, unsigned wave,
		       const struct run_options *options, struct err *err)
{
	struct session session;
	int rc = runner_open(&session, session_options, err);

	if (rc)
		return rc;
	rc = revert_wave(&session, wave, options, err);
	session_close(&session);
	return rc;
}
