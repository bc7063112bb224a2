/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/census_view.h"
#include "cmd/commands.h"
#include "cmd/context.h"
#include "cmd/each.h"

#define WARNING_S ((int64_t)30 * 86400)
#define COLUMN	  12 /* where values stand */

static void print_generations(struct ui *ui, const struct store *store)
{
	if (store->new_gen)
		ui_out(ui, "  chain     %s%sgoing to %s (rotation %s)\n",
		       store->old_gen ? store->old_gen : "", store->old_gen ? ", " : "",
		       store->new_gen, store->rotation);
	else if (store->old_gen)
		ui_out(ui, "  chain     %s%s%s\n", store->old_gen,
		       store->retired_gen ? "; kept: " : "",
		       store->retired_gen ? store->retired_gen : "");
}

/* From this machine's record alone: who was connected with what when it was last asked. */
static void print_census(struct ui *ui, const struct session *session)
{
	struct census census = CENSUS_INIT;
	struct err err = {0};
	char text[1024];

	if (census_load(&census, session, &err)) {
		ui_prose(ui, COLUMN, "  %scensus%s    %s\n", ui_color(ui, UI_YELLOW),
			 ui_color(ui, UI_PLAIN), err.msg);
		ui_prose(ui, COLUMN, "%*s%s\n", COLUMN, "", err.hint);
		return;
	}
	census_summary(text, sizeof(text), &census, session->sys->now(session->sys));
	if (text[0])
		ui_prose(ui, COLUMN, "  census    %s\n", text);
	census_release(&census);
}

static void print_one(struct ui *ui, const struct session *session, const struct survey *survey)
{
	const struct store *store = &session->store;
	char when[64];

	ui_prose(ui, COLUMN, "%s%s%s  %s: %s\n", ui_color(ui, UI_BOLD), session->env->name,
		 ui_color(ui, UI_PLAIN), state_name(store->state), state_meaning(store->state));
	print_generations(ui, store);
	if (survey->first_expiry) {
		context_when(when, sizeof(when), survey->first_expiry,
			     session->sys->now(session->sys));
		ui_out(ui, "  expiry    first %s: %s\n", survey->first_name, when);
	}
	print_census(ui, session);
	for (size_t i = 0; i < survey->findings.count; i++) {
		const struct finding *finding = &survey->findings.items[i];
		bool bad = finding->severity == SEVERITY_BLOCK;

		ui_prose(ui, COLUMN, "  %s%-9s%s %s: %s\n", ui_color(ui, bad ? UI_RED : UI_YELLOW),
			 finding->check, ui_color(ui, UI_PLAIN), finding->subject, finding->reason);
		if (finding->advice[0])
			ui_prose(ui, COLUMN, "%*s%s\n", COLUMN, "", finding->advice);
	}
	ui_out(ui, "  next      %s\n", survey->next);
}

static struct json *census_object(const struct session *session)
{
	struct census census = CENSUS_INIT;
	struct err err = {0};
	struct json *object = NULL;

	if (!census_load(&census, session, &err)) {
		object = census_summary_json(&census, session->sys->now(session->sys));
		census_release(&census);
		return object ? object : js_new_null();
	}
	object = js_new_object();
	(void)js_set_str(object, "error", err.msg);
	return object;
}

static struct json *one_json(const struct session *session, const struct survey *survey)
{
	const struct store *store = &session->store;
	const struct under_way *under_way = &store->under_way;
	struct json *object = js_new_object(), *generations = js_new_object();
	char text[SYS_TIME_SIZE];

	(void)js_set_str(object, "environment", session->env->name);
	(void)js_set_str(object, "state", state_name(store->state));
	(void)js_set_str(object, "rotation", store->rotation);
	(void)js_set_str(object, "under_way",
			 under_way->active ? phase_name(under_way->phase) : NULL);
	(void)js_set_str(object, "direction",
			 under_way->active ? direction_name(under_way->direction) : NULL);
	(void)js_set_str(generations, "old", store->old_gen);
	(void)js_set_str(generations, "new", store->new_gen);
	(void)js_set_str(generations, "retired", store->retired_gen);
	(void)js_set(object, "generations", generations);
	sys_time_text(survey->first_expiry, text);
	(void)js_set_str(object, "first_expiry", survey->first_expiry ? text : NULL);
	(void)js_set_str(object, "first_expiry_of", survey->first_name);
	(void)js_set(object, "findings", ui_findings_json(&survey->findings));
	(void)js_set(object, "census", census_object(session));
	(void)js_set_str(object, "next", survey->next);
	return object;
}

struct listing {
	struct ui *ui;
	struct json *environments; /* with --json */
	bool wrong;
	bool drifted;
	size_t count;
};

static int show(void *ctx, struct session *session, const struct survey *survey, struct err *err)
{
	struct listing *listing = ctx;

	(void)err;
	listing->wrong = listing->wrong || findings_count(&survey->findings, SEVERITY_BLOCK);
	listing->drifted = listing->drifted || survey_drifted(survey);
	if (listing->environments)
		return js_push(listing->environments, one_json(session, survey));
	if (listing->count++)
		ui_out(listing->ui, "\n");
	print_one(listing->ui, session, survey);
	return 0;
}

int cmd_status(const struct options *options, struct ui *ui, struct err *err)
{
	struct listing listing = {.ui = ui};
	int rc;

	if (options->json)
		listing.environments = js_new_array();
	rc = each_environment(options, ui, WARNING_S, show, &listing, err);
	if (!rc && options->json) {
		struct json *root = js_new_object();

		(void)js_set_int(root, "version", 1);
		(void)js_set(root, "environments", js_copy(listing.environments));
		rc = ui_json(ui, root, err);
	}
	js_free(listing.environments);
	if (!rc && listing.drifted)
		return err_exit_code(ERR_DRIFT);
	return rc ? rc : (listing.wrong ? err_exit_code(ERR_GATE) : 0);
}
