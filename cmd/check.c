/* SPDX-License-Identifier: PostgreSQL */
/*
 * A monitoring plug-in: one line and an exit code as the Monitoring Plugins' guidelines want them
 * (0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN), or metrics in Prometheus' text format.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/each.h"
#include "state/census.h"
#include "state/notify.h"

#define DAY  ((int64_t)86400)
#define HOUR ((int64_t)3600)

enum level { LEVEL_OK, LEVEL_WARNING, LEVEL_CRITICAL, LEVEL_UNKNOWN, LEVEL__MAX };

static const char *const level_names[LEVEL__MAX] = {
	[LEVEL_OK] = "OK",
	[LEVEL_WARNING] = "WARNING",
	[LEVEL_CRITICAL] = "CRITICAL",
	[LEVEL_UNKNOWN] = "UNKNOWN",
};

struct checking {
	const struct options *options;
	enum level level;
	struct buf text;    /* "poc idle, server db1 expires in 363 days; …" */
	struct buf data;    /* performance data */
	struct buf metrics; /* Prometheus' samples */
	struct json *list;
};

/*
 * Whether prune waits for a census that nobody takes: twice the time in which the gate wants a
 * sample is over. A record that this user may not read tells nothing.
 */
static bool census_overdue(const struct session *session, const struct census *census)
{
	const struct environment *env = session->env;
	int64_t last = census->sample_count
			       ? census->samples[census->sample_count - 1].at
			       : store_when(&session->store, PHASE_CLIENTS, DIRECTION_FORWARD);

	if (session->store.state != STATE_CLIENTS_SWITCHED || !env->census_samples || !last)
		return false;
	return session->sys->now(session->sys) - last >
	       2 * (env->census_quiet / env->census_samples) + HOUR;
}

static void add_census(struct checking *checking, const struct session *session,
		       const struct census *census)
{
	const struct census_sample *last;
	struct buf *out = &checking->metrics;
	const char *env = session->env->name;

	if (!census->sample_count)
		return;
	last = &census->samples[census->sample_count - 1];
	buf_addf(out, "certrotate_census_timestamp_seconds{environment=\"%s\"} %lld\n", env,
		 (long long)last->at);
	buf_addf(out, "certrotate_census_servers_missed{environment=\"%s\"} %zu\n", env,
		 last->servers - last->answered);
	for (size_t i = 0; i < last->count_count; i++)
		buf_addf(out,
			 "certrotate_census_sessions{environment=\"%s\",generation=\"%s\"} %zu\n",
			 env, last->counts[i].generation, last->counts[i].sessions);
	buf_addf(out, "certrotate_census_sessions{environment=\"%s\",generation=\"unknown\"} %zu\n",
		 env, last->by_unknown);
	buf_addf(out, "certrotate_census_sessions{environment=\"%s\",generation=\"none\"} %zu\n",
		 env, last->without);
}

static enum level judge(const struct checking *checking, const struct session *session,
			const struct survey *survey, int64_t left, bool overdue)
{
	if (survey->first_expiry && left < checking->options->critical_days * DAY)
		return LEVEL_CRITICAL;
	if ((survey->first_expiry && left < checking->options->warning_days * DAY) ||
	    session->store.under_way.active || session->store.behind.count || overdue ||
	    survey_drifted(survey))
		return LEVEL_WARNING;
	return LEVEL_OK;
}

static void add_metrics(struct checking *checking, const struct session *session,
			const struct survey *survey)
{
	struct buf *out = &checking->metrics;
	const char *env = session->env->name;

	for (int state = 0; state < STATE__MAX; state++)
		buf_addf(out, "certrotate_state{environment=\"%s\",state=\"%s\"} %d\n", env,
			 state_name((enum state)state), session->store.state == (enum state)state);
	buf_addf(out, "certrotate_unfinished{environment=\"%s\"} %d\n", env,
		 session->store.under_way.active);
	buf_addf(out, "certrotate_hosts_behind{environment=\"%s\"} %zu\n", env,
		 session->store.behind.count);
	buf_addf(out, "certrotate_drift{environment=\"%s\"} %d\n", env, survey_drifted(survey));
	if (survey->first_expiry)
		buf_addf(out,
			 "certrotate_first_expiry_timestamp_seconds{environment=\"%s\"} %lld\n",
			 env, (long long)survey->first_expiry);
}

/* Each threshold is told once; the levels themselves say it as often as they are asked. */
static void tell(const struct checking *checking, struct session *session,
		 const struct survey *survey, int64_t left)
{
	const char *threshold = left < 0					? "expired"
				: left < checking->options->critical_days * DAY ? "critical"
				: left < checking->options->warning_days * DAY	? "warning"
										: NULL;

	if (checking->options->notify && survey->first_expiry && threshold)
		notify_expiring(session, survey->first_name, survey->first_expiry, threshold);
}

static int check_one(void *ctx, struct session *session, const struct survey *survey,
		     struct err *err)
{
	struct checking *checking = ctx;
	const struct under_way *under_way = &session->store.under_way;
	int64_t left = survey->first_expiry - session->sys->now(session->sys);
	struct json *object = js_new_object();
	struct census census = CENSUS_INIT;
	struct err unread = {0};
	bool overdue = !census_load(&census, session, &unread) && census_overdue(session, &census);
	enum level level = judge(checking, session, survey, left, overdue);

	(void)err;
	tell(checking, session, survey, left);
	checking->level = level > checking->level ? level : checking->level;
	buf_addf(&checking->text, "%s%s %s", checking->text.len ? "; " : "", session->env->name,
		 state_name(session->store.state));
	if (under_way->active)
		buf_addf(&checking->text, ", %s unfinished", phase_name(under_way->phase));
	if (overdue)
		buf_adds(&checking->text, ", census overdue");
	if (session->store.behind.count)
		buf_addf(&checking->text, ", %zu host%s behind", session->store.behind.count,
			 session->store.behind.count == 1 ? "" : "s");
	if (survey_drifted(survey))
		buf_adds(&checking->text, ", drift: the inventory is not what the state says");
	if (survey->first_expiry)
		buf_addf(&checking->text,
			 left < 0 ? ", %s EXPIRED %lld days ago" : ", %s expires in %lld days",
			 survey->first_name, (long long)((left < 0 ? -left : left) / DAY));
	if (survey->first_expiry)
		buf_addf(&checking->data, " '%s'=%lldd;%d:;%d:", session->env->name,
			 (long long)(left / DAY), checking->options->warning_days,
			 checking->options->critical_days);
	add_metrics(checking, session, survey);
	add_census(checking, session, &census);
	census_release(&census);
	(void)js_set_str(object, "environment", session->env->name);
	(void)js_set_str(object, "level", level_names[level]);
	(void)js_set_str(object, "state", state_name(session->store.state));
	if (survey->first_expiry)
		(void)js_set_int(object, "days", left / DAY);
	return js_push(checking->list, object);
}

static void print_prometheus(struct ui *ui, const struct checking *checking)
{
	static const char *const types[] = {"certrotate_state gauge",
					    "certrotate_unfinished gauge",
					    "certrotate_hosts_behind gauge",
					    "certrotate_drift gauge",
					    "certrotate_first_expiry_timestamp_seconds gauge",
					    "certrotate_census_timestamp_seconds gauge",
					    "certrotate_census_servers_missed gauge",
					    "certrotate_census_sessions gauge"};

	/* Samples of one metric stand together (the format's rule), whatever the order of finding.
	 */
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t name = strcspn(types[i], " ");
		const char *at = checking->metrics.data;

		ui_out(ui, "# TYPE %s\n", types[i]);
		while (*at) {
			size_t line = strcspn(at, "\n") + 1;

			if (!strncmp(at, types[i], name) && at[name] == '{')
				ui_out(ui, "%.*s", (int)line, at);
			at += line;
		}
	}
}

int cmd_check(const struct options *options, struct ui *ui, struct err *err)
{
	struct checking checking = {.options = options, .list = js_new_array()};
	int rc;

	buf_init(&checking.text, BUF_TEXT_MAX);
	buf_init(&checking.data, BUF_TEXT_MAX);
	buf_init(&checking.metrics, BUF_TEXT_MAX);
	rc = each_environment(options, ui, options->warning_days * DAY, check_one, &checking, err);
	if (err_ailment() && !err->msg[0])
		rc = err_ailed(err);
	if (rc) {
		/* A plug-in says it in one line on standard output, whatever is wrong. */
		ui_out(ui, "CERTROTATE UNKNOWN - %s\n", err->msg);
		err_clear(err);
		checking.level = LEVEL_UNKNOWN;
	} else if (options->json) {
		struct json *root = js_new_object();

		(void)js_set_int(root, "version", 1);
		(void)js_set_str(root, "level", level_names[checking.level]);
		(void)js_set(root, "environments", js_copy(checking.list));
		if (ui_json(ui, root, err))
			checking.level = LEVEL_UNKNOWN;
	} else if (options->prometheus) {
		print_prometheus(ui, &checking);
	} else {
		ui_out(ui, "CERTROTATE %s - %s |%s\n", level_names[checking.level],
		       checking.text.data, checking.data.data);
	}
	/* Half an output would be taken for all of it. */
	if (err->code || ui_flush(ui, err) || (err_ailment() && checking.level != LEVEL_UNKNOWN)) {
		if (!err->code)
			(void)err_ailed(err);
		ui_error(ui, err);
		err_clear(err);
		checking.level = LEVEL_UNKNOWN;
	}
	js_free(checking.list);
	buf_release(&checking.text);
	buf_release(&checking.data);
	buf_release(&checking.metrics);
	return options->prometheus && checking.level != LEVEL_UNKNOWN ? 0 : (int)checking.level;
}
