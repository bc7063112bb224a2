/* SPDX-License-Identifier: PostgreSQL */
/* A wave begins once those before it were seen switched: see hooks.h and safety/census_wave.h. */
#include <stdio.h>
#include <stdlib.h>

#include "proc/loop.h"
#include "safety/census_wave.h"
#include "state/census.h"
#include "state/gates.h"
#include "state/hooks_impl.h"
#include "state/steps.h"

#define PATIENCE_MS 15000 /* a restarted application takes a moment to log in */
#define PAUSE_MS    3000

struct wave_users {
	struct census_wave_user *items;
	size_t count;
};

static int64_t time_of(const char *text, int64_t fallback)
{
	int64_t at = fallback;

	if (!text || sys_time_parse(text, &at, NULL))
		return fallback;
	return at;
}

/* When an application's hooks began and ended, as it is kept; else the phase, and now. */
static void times_of(struct census_wave_user *user, const struct hooks_run *run,
		     const struct application *app)
{
	const struct hooks *hooks = hooks_of(app, run->plan->row.phase);
	int64_t begun = 0, ended = 0;

	for (size_t i = 0; hooks && i < hooks->count; i++) {
		const struct hook_item item = {app, &hooks->items[i]};
		char *key = hooks_key(run, &item);
		const struct json *one = key ? js_get(run->record.runs, key) : NULL;
		int64_t at = time_of(js_str(one, "at", NULL), 0);

		free(key);
		if (!at)
			continue;
		begun = !begun || at < begun ? at : begun;
		at = time_of(js_str(one, "ended", NULL), at);
		ended = at > ended ? at : ended;
	}
	user->begun = begun ? begun : time_of(run->plan->store.under_way.begun, run->started);
	user->ended = ended ? ended : run->started;
}

/* Users of applications whose turn has not come. */
static int later_users(struct strmap *out, const struct hooks_run *run, unsigned wave,
		       struct err *err)
{
	const struct config *config = run->session->config;
	int rc = 0;

	for (size_t i = 0; i < config->application_count; i++) {
		const struct application *app = &config->applications[i];

		for (size_t u = 0; u < app->users.count && app->wave > wave && !rc; u++)
			rc = strmap_put(out, app->users.items[u], 0, err);
	}
	return rc;
}

static int add_users(struct wave_users *out, const struct hooks_run *run,
		     const struct application *app, const struct strmap *later, struct err *err)
{
	struct census_wave_user times = {.application = app->name};
	struct census_wave_user *items = reallocarray(out->items, out->count + app->users.count,
						      sizeof(*items));

	if (!items)
		return err_nomem(err);
	out->items = items;
	times_of(&times, run, app);
	for (size_t u = 0; u < app->users.count; u++) {
		const char *name = app->users.items[u];

		if (!gates_has_client(hooks_generation(run->plan), name))
			continue;
		items[out->count] = times;
		items[out->count].name = name;
		/* What the other application still shows is no refusal. */
		if (strmap_get(later, name, NULL))
			items[out->count].ended = INT64_MAX;
		out->count++;
	}
	return 0;
}

/* Of the applications of one wave that have not confirmed that they are through. */
static int users_of_wave(struct wave_users *out, const struct hooks_run *run, unsigned wave,
			 struct err *err)
{
	const struct config *config = run->session->config;
	struct strmap later = STRMAP_INIT;
	int rc = later_users(&later, run, wave, err);

	for (size_t i = 0; i < config->application_count && !rc; i++) {
		const struct application *app = &config->applications[i];

		if (app->wave == wave && !hooks_word(&run->session->store, app->name))
			rc = add_users(out, run, app, &later, err);
	}
	strmap_release(&later);
	return rc;
}

static void wake(struct loop_timer *timer, void *ctx)
{
	(void)timer;
	loop_quit(ctx);
}

static int pause_a_moment(struct hooks_run *run, struct loop *loop, struct err *err)
{
	struct loop_timer timer = {0};
	int rc;

	log_progress(run->session->log, "waiting for the users of the wave before");
	loop_timer_set(loop, &timer, PAUSE_MS, wake, loop);
	rc = loop_run(loop, NULL, NULL, -1, err);
	loop_timer_del(&timer);
	log_progress(run->session->log, "%s", "");
	if (!rc && loop_stop_count(run->session->stop))
		rc = err_set(err, ERR_STOPPED, "stopped while waiting for a wave, as asked");
	return rc;
}

struct wave_look {
	struct findings findings;
	size_t asked, answered;
};

static int look_once(struct wave_look *look, struct hooks_run *run, const struct wave_users *users,
		     struct err *err)
{
	const struct census_options options = {.skip = &run->plan->skip};
	struct census census = CENSUS_INIT;
	struct census_run asked = {.findings = FINDINGS_INIT};
	struct census_wave wave = {.census = &census,
				   .users = users->items,
				   .count = users->count,
				   .keep = hooks_generation(run->plan)->id};
	int rc = census_run(&census, &asked, run->session, &options, err);

	findings_release(&look->findings);
	wave.now = run->session->sys->now(run->session->sys);
	rc = rc ? rc : census_wave_check(&look->findings, &wave, err);
	look->asked = asked.asked;
	look->answered = asked.answered;
	census_run_release(&asked);
	census_release(&census);
	return rc;
}

static int look_patiently(struct wave_look *look, struct hooks_run *run,
			  const struct wave_users *users, struct err *err)
{
	struct session *session = run->session;
	struct loop *loop = NULL;
	int64_t start;
	int rc = loop_new(&loop, session->sys, session->stop, err);

	if (rc)
		return rc;
	start = loop_now(loop);
	rc = look_once(look, run, users, err);
	while (!rc && look->findings.count && look->answered &&
	       loop_now(loop) - start < PATIENCE_MS) {
		rc = pause_a_moment(run, loop, err);
		rc = rc ? rc : look_once(look, run, users, err);
	}
	if (rc == ERR_STOPPED)
		step_say_unfinished(run->plan, err);
	loop_free(loop);
	return rc;
}

static int say_unseen(const struct hooks_run *run, unsigned wave, const struct wave_look *look,
		      struct err *err)
{
	const struct finding *first = &look->findings.items[0];
	size_t more = look->findings.count - 1;
	char others[64] = "", missed[96] = "";

	for (size_t i = 0; i < look->findings.count; i++)
		log_line(run->session->log, LOG_WARNING, "wave %u: %s: %s; %s", wave,
			 look->findings.items[i].subject, look->findings.items[i].reason,
			 look->findings.items[i].advice);
	if (more)
		(void)snprintf(others, sizeof(others), "; and %zu more", more);
	if (look->answered < look->asked)
		(void)snprintf(missed, sizeof(missed), "; %zu of %zu servers did not answer",
			       look->asked - look->answered, look->asked);
	err_set(err, ERR_GATE,
		"%s: wave %u has not switched, so the next one does not begin: %s "
		"%s%s%s",
		phase_name(run->plan->row.phase), wave, first->subject, first->reason, others,
		missed);
	return err_hint(err,
			"%s; then 'certrotate next' goes on; 'certrotate revert --wave %u' takes "
			"the wave back",
			first->advice, wave);
}

static int note_seen(struct hooks_run *run, unsigned wave, size_t users, const char *key,
		     struct err *err)
{
	struct json *object = js_new_object();
	char at[SYS_TIME_SIZE], name[16];
	char *note = str_fmt("wave %u was seen switched", wave);
	int rc;

	sys_time_text(run->session->sys->now(run->session->sys), at);
	(void)snprintf(name, sizeof(name), "%u", wave);
	(void)js_set_str(object, "seen", at);
	(void)js_set_int(object, "users", (int64_t)users);
	rc = js_set(run->record.waves, name, object) || !note
		     ? err_nomem(err)
		     : hooks_record_save(&run->record, err);
	rc = rc ? rc : step_mark(run->session, run->plan, "wave", "end", key, note, err);
	free(note);
	return rc;
}

static int check_wave(struct hooks_run *run, unsigned wave, struct err *err)
{
	char *key = hooks_wave_key(run, wave, "seen");
	struct wave_users users = {.items = NULL};
	struct wave_look look = {.findings = FINDINGS_INIT};
	int rc = key ? 0 : err_nomem(err);

	if (!rc && !journal_ended(&run->session->journal, key)) {
		rc = users_of_wave(&users, run, wave, err);
		if (!rc && users.count)
			rc = look_patiently(&look, run, &users, err);
		if (!rc && look.findings.count)
			rc = say_unseen(run, wave, &look, err);
		rc = rc ? rc : note_seen(run, wave, users.count, key, err);
	}
	findings_release(&look.findings);
	free(users.items);
	free(key);
	return rc;
}

static unsigned next_wave(const struct hooks_run *run, unsigned above)
{
	const struct config *config = run->session->config;
	unsigned next = 0;

	for (size_t i = 0; i < config->application_count; i++) {
		const struct application *app = &config->applications[i];

		if (app->wave > above && (!next || app->wave < next) &&
		    gates_concerns(app, hooks_generation(run->plan)))
			next = app->wave;
	}
	return next;
}

int hooks_wave_gate(struct hooks_run *run, unsigned wave, struct err *err)
{
	int rc = 0;

	if (run->plan->row.phase != PHASE_CLIENTS || run->direction != DIRECTION_FORWARD)
		return 0;
	if (!run->session->env->census_samples) {
		if (next_wave(run, 0) < wave)
			log_line(run->session->log, LOG_WARNING,
				 "wave %u begins without a look at those before it: the samples of "
				 "'census' are 0",
				 wave);
		return 0;
	}
	/* Those that this run has looked at already stay seen. */
	for (unsigned before = next_wave(run, run->seen_to); before && before < wave && !rc;
	     before = next_wave(run, before)) {
		rc = check_wave(run, before, err);
		run->seen_to = rc ? run->seen_to : before;
	}
	return rc;
}
