/* SPDX-License-Identifier: PostgreSQL */
#include "state/canary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/reached.h"
#include "state/steps.h"
#include "state/verify_hosts.h"

#define TICK_MS	    250
#define NAMES_SHOWN 5
#define NAMES_SIZE  1400
#define STEP	    "canary"

/* --- judging -------------------------------------------------------------------------------- */

static int judge_failure(struct canary_news *out, const char *host, const struct json *failure,
			 int64_t began, int64_t from, struct err *err)
{
	const char *address = js_str(failure, "address", "");
	int64_t count = js_int(failure, "count", 0);
	struct buf text;
	int rc;

	if (js_int(failure, "first", 0) < began || js_int(failure, "last", 0) < from)
		return 0;
	buf_init(&text, BUF_TEXT_MAX);
	if (address[0])
		buf_add_safe(&text, address, strlen(address));
	else
		buf_adds(&text, "an address that its log does not have");
	buf_adds(&text, ": ");
	address = js_str(failure, "reason", "");
	buf_add_safe(&text, address, strlen(address));
	buf_addf(&text, " (%" PRId64 " time%s, on %s)", count, count == 1 ? "" : "s", host);
	rc = text.data ? strs_add(&out->failures, text.data, err) : err_nomem(err);
	buf_release(&text);
	return rc;
}

static int judge_cluster(struct canary_news *out, const char *host, const struct json *cluster,
			 int64_t began, int64_t from, struct err *err)
{
	const struct json *failures = js_get(cluster, "failures");
	const struct json *log = js_get(cluster, "log");
	int rc = 0;

	if (!js_bool(cluster, "ssl", false))
		return 0;
	if (!js_bool(log, "read", false))
		rc = strs_addf(&out->unknown, err, "%s: %s", host,
			       js_str(log, "why", "nothing is said about its log"));
	else if (js_bool(log, "cut", false))
		rc = strs_addf(&out->unknown, err, "%s: its log is too long to be read whole",
			       host);
	for (size_t i = 0; i < js_count(failures) && !rc; i++)
		rc = judge_failure(out, host, js_at(failures, i), began, from, err);
	return rc;
}

int canary_judge(struct canary_news *out, const struct reports *reports, int64_t began,
		 int64_t from, struct err *err)
{
	int rc = 0;

	*out = (struct canary_news){STRS_INIT, STRS_INIT};
	for (size_t i = 0; i < reports->count && !rc; i++) {
		const struct report *report = &reports->items[i];
		const struct json *clusters = js_get(report->value, "clusters");

		if (!report->value)
			rc = strs_addf(&out->unknown, err, "%s: %s", report->host, report->why);
		for (size_t c = 0; c < js_count(clusters) && !rc; c++)
			rc = judge_cluster(out, report->host, js_at(clusters, c), began, from, err);
	}
	if (!rc && !reports->count)
		rc = strs_add(&out->unknown, "no host was asked", err);
	if (rc)
		canary_news_release(out);
	return rc;
}

void canary_news_release(struct canary_news *news)
{
	strs_release(&news->failures);
	strs_release(&news->unknown);
}

/* --- waiting -------------------------------------------------------------------------------- */

struct watch {
	struct session *session;
	const struct plan *plan;
	const struct rollout_step *step;
	struct strs hosts; /* those of the step; empty where that is not known */
	char names[256];   /* and in words */
	int64_t began, ended, from, until;
	struct loop *loop;
	struct loop_timer timer;
	bool over;
};

static void on_tick(struct loop_timer *timer, void *ctx)
{
	struct watch *watch = ctx;
	struct sys *sys = watch->session->sys;
	int64_t left = watch->until - sys->now(sys);

	watch->over = left <= 0 || loop_stop_count(watch->session->stop);
	if (watch->over)
		return;
	log_progress(watch->session->log,
		     "canary: waiting for TLS failures on %s, %02" PRId64 ":%02" PRId64 " left",
		     watch->names, left / 60, left % 60);
	loop_timer_set(watch->loop, timer, TICK_MS, on_tick, watch);
}

static bool is_over(void *ctx)
{
	return ((const struct watch *)ctx)->over;
}

static int wait_for_it(struct watch *watch, struct err *err)
{
	struct session *session = watch->session;
	int rc = loop_new(&watch->loop, session->sys, session->stop, err);

	if (rc)
		return rc;
	on_tick(&watch->timer, watch);
	rc = loop_run(watch->loop, is_over, watch, -1, err);
	loop_timer_del(&watch->timer);
	loop_free(watch->loop);
	log_progress(session->log, "%s", "");
	if (!rc && loop_stop_count(session->stop))
		rc = err_set(err, ERR_STOPPED, "stopped while waiting behind the canary, as asked");
	return rc;
}

/* --- the whole ------------------------------------------------------------------------------ */

static int ask(struct reports *out, struct watch *watch, struct err *err)
{
	struct session *session = watch->session;
	char since[64], now[64];
	const char *const vars[] = {since, now, NULL};

	(void)snprintf(since, sizeof(since), "certrotate_since=%" PRId64,
		       watch->began - watch->step->canary);
	(void)snprintf(now, sizeof(now), "certrotate_now=%" PRId64,
		       session->sys->now(session->sys));
	return hosts_ask(out, session, phase_name(watch->plan->row.phase),
			 watch->hosts.count ? &watch->hosts : NULL, &watch->plan->skip, vars, err);
}

static int halt(const struct watch *watch, const struct canary_news *news, struct err *err)
{
	const char *phase = phase_name(watch->plan->row.phase);
	char list[NAMES_SIZE];

	if (news->failures.count) {
		strs_join(&news->failures, NAMES_SHOWN, list, sizeof(list));
		err_set(err, ERR_GATE,
			"%s: the canary found TLS failures that were not there before it: %s",
			phase, list);
		return err_hint(err, "the rest is not rolled out: mend these clients and type "
				     "'certrotate next', which waits once more, or turn round with "
				     "'certrotate revert'");
	}
	strs_join(&news->unknown, NAMES_SHOWN, list, sizeof(list));
	err_set(err, ERR_GATE, "%s: the canary says nothing: %s", phase, list);
	return err_hint(err, "the rest is not rolled out: see to it that the log can be read "
			     "(a file, in English, log_line_prefix with %%m and %%h) and type "
			     "'certrotate next', take 'canary' out of certrotate.yml, or turn "
			     "round with 'certrotate revert'");
}

static int look(struct watch *watch, struct json *run, struct err *err)
{
	struct canary_news news = {STRS_INIT, STRS_INIT};
	struct reports reports;
	struct json *object = js_new_object();
	int rc = ask(&reports, watch, err);

	rc = rc ? rc : canary_judge(&news, &reports, watch->began, watch->from, err);
	(void)js_set_int(object, "seconds", watch->step->canary);
	(void)js_set_int(object, "new_failures", (int64_t)news.failures.count);
	if (run)
		(void)js_set(run, "canary", object);
	else
		js_free(object);
	for (size_t i = 0; i < news.failures.count; i++)
		log_line(watch->session->log, LOG_WARNING, "canary: %s", news.failures.items[i]);
	if (!rc && (news.failures.count || news.unknown.count))
		rc = halt(watch, &news, err);
	canary_news_release(&news);
	reports_release(&reports);
	return rc;
}

/* From the step's evidence: whom to ask, and since when. */
static int watch_init(struct watch *watch, const struct json *run, bool again, struct err *err)
{
	struct sys *sys = watch->session->sys;
	const struct json *hosts = js_get(run, "hosts");
	int64_t now = sys->now(sys);
	int rc = 0;

	for (size_t i = 0; i < js_count(hosts) && !rc; i++) {
		const char *host = js_string_value(js_at(hosts, i));

		if (host && strcmp(host, "localhost") != 0)
			rc = strs_add(&watch->hosts, host, err);
	}
	strs_join(&watch->hosts, NAMES_SHOWN, watch->names, sizeof(watch->names));
	if (!watch->hosts.count)
		(void)snprintf(watch->names, sizeof(watch->names), "all hosts");
	watch->began = js_int(run, "at", now);
	watch->ended = watch->began + js_int(run, "ms", 0) / 1000;
	watch->from = again ? now : js_int(js_get(run, "canary"), "from", watch->began);
	watch->until = (watch->from > watch->ended ? watch->from : watch->ended) +
		       watch->step->canary;
	return rc;
}

/* A second watch may be cut off as well: then it is still the second. */
static int keep_from(const struct watch *watch, const char *key, struct json *run, struct err *err)
{
	struct json *object = js_new_object();

	(void)js_set_int(object, "from", watch->from);
	if (js_set(run, "canary", object))
		return err_nomem(err);
	return reached_keep(watch->session, key, false, run, err);
}

static int watch_it(struct watch *watch, const char *key, struct json *run, bool again,
		    struct err *err)
{
	int rc = watch_init(watch, run, again, err);

	if (!rc && again && run)
		rc = keep_from(watch, key, run, err);

	if (!rc)
		log_line(watch->session->log, LOG_INFO,
			 "canary: the new files are on %s; the rest waits %" PRId64
			 " s for TLS failures there",
			 watch->names, watch->step->canary);
	rc = rc ? rc : wait_for_it(watch, err);
	rc = rc ? rc : look(watch, run, err);
	/* A laptop may have slept through it. */
	rc = rc ? rc : step_claimed(watch->session, watch->plan, err);
	strs_release(&watch->hosts);
	return rc;
}

int canary_watch(struct session *session, const struct plan *plan, const struct rollout_step *step,
		 const char *key, struct json *run, struct err *err)
{
	struct watch watch = {.session = session, .plan = plan, .step = step, .hosts = STRS_INIT};
	const struct journal *journal = &session->journal;
	bool again = journal->last_step && !strcmp(journal->last_step, STEP) &&
		     !strcmp(journal->last_mark, "fail");
	char *own;
	int rc;

	if (!step->canary || plan->row.direction != DIRECTION_FORWARD ||
	    plan->row.phase == PHASE_EMERGENCY)
		return 0;
	own = str_fmt("%s/" STEP, key);
	if (!own)
		return err_nomem(err);
	if (journal_ended(journal, own)) {
		free(own);
		return 0;
	}
	rc = step_mark(session, plan, STEP, "begin", own, step->playbook, err);
	if (!rc) {
		rc = watch_it(&watch, key, run, again, err);
		if (rc == ERR_GATE)
			(void)step_mark(session, plan, STEP, "fail", own, err->msg, NULL);
		else if (!rc)
			rc = step_mark(session, plan, STEP, "end", own, step->playbook, err);
	}
	free(own);
	return rc;
}
