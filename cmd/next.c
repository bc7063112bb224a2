/* SPDX-License-Identifier: PostgreSQL */
/* next and revert: one command in two directions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/context.h"
#include "state/runner.h"

struct doing {
	struct ui *ui;
	const struct options *options;
	const char *name;
	struct json *report; /* with --json: what was done */
};

static void show_plan(struct ui *ui, const struct plan *plan)
{
	ui_say(ui, "%s%s%s", ui_color_err(ui, UI_BOLD), plan->summary, ui_color_err(ui, UI_PLAIN));
	ui_say(ui, "  from %s to %s; %s", state_name(plan->row.from), state_name(plan->row.to),
	       plan->scope);
	for (size_t i = 0; i < plan->files.count; i++)
		ui_say(ui, "  %s %s", plan->files.items[i].remove ? "removes" : "writes ",
		       plan->files.items[i].path);
	for (size_t i = 0; i < plan->skip.count; i++)
		ui_say(ui, "  leaves out %s", plan->skip.items[i]);
	for (size_t i = 0; i < plan->hooks.count; i++)
		ui_say(ui, "  hook %s", plan->hooks.items[i]);
}

static bool confirm(void *ctx, const struct plan *plan)
{
	struct doing *doing = ctx;

	if (!doing->ui->quiet)
		show_plan(doing->ui, plan);
	if (doing->options->yes)
		return true;
	return ui_confirm(doing->ui,
			  plan->row.direction == DIRECTION_BACK ? "Take it back?" : "Go on?");
}

static void findings(void *ctx, const struct findings *list)
{
	struct doing *doing = ctx;

	(void)ui_findings(doing->ui, list);
	if (doing->report && list->count)
		(void)js_set(doing->report, "findings", ui_findings_json(list));
}

static void done(void *ctx, const struct plan *plan, const struct json *entry)
{
	struct doing *doing = ctx;
	enum state to = plan->row.to;

	if (doing->report)
		(void)js_push(js_get(doing->report, "phases"), js_copy(entry));
	if (doing->options->json || doing->ui->quiet)
		return;
	ui_prose(doing->ui, 0, "%s%s%s %s; now %s: %s\n", ui_color(doing->ui, UI_GREEN),
		 js_str(entry, "outcome", ""), ui_color(doing->ui, UI_PLAIN),
		 phase_name(plan->row.phase), state_name(to), state_meaning(to));
}

static int report(struct doing *doing, int rc, struct err *err)
{
	struct err json = {0};

	if (!doing->options->json)
		return rc;
	(void)js_set_int(doing->report, "exit", err_exit_code(rc));
	(void)js_set_str(doing->report, "message", rc ? err->msg : "done");
	(void)js_set_str(doing->report, "hint", rc ? err->hint : "");
	(void)ui_json(doing->ui, doing->report, &json);
	doing->report = NULL;
	return rc;
}

static int parse_options(struct run_options *run, struct waivers *waivers,
			 const struct options *options, struct err *err)
{
	int rc = 0;

	run->to = STATE__MAX;
	if (options->to) {
		run->to = state_parse(options->to);
		if (run->to == STATE__MAX) {
			const char *names[STATE__MAX];
			const char *nearest;

			for (int i = 0; i < STATE__MAX; i++)
				names[i] = state_name((enum state)i);
			nearest = str_nearest(options->to, names, STATE__MAX);
			err_set(err, ERR_USAGE, "'%s' is not a state", options->to);
			return nearest ? err_hint(err, "did you mean '%s'?", nearest)
				       : err_hint(err, "see 'certrotate states'");
		}
	}
	for (size_t i = 0; i < options->waive.count && !rc; i++)
		rc = waivers_add(waivers, options->waive.items[i], err);
	run->reason = options->emergency;
	run->take_over = options->take_over;
	run->waivers = waivers;
	return rc;
}

void waivers_say_unused(struct ui *ui, const struct waivers *waivers)
{
	for (size_t i = 0; i < waivers->count; i++) {
		const struct waiver *waiver = &waivers->items[i];

		if (!waiver->used)
			log_line(&ui->log, LOG_WARNING,
				 "--waive %s%s%s had no effect: no such finding stood in the way",
				 waiver->gate, waiver->subject[0] ? "=" : "", waiver->subject);
	}
}

/* What one wave's hooks do alone; the phase stays under way. */
static int revert_wave(const struct options *options, struct doing *doing, struct run_options *run,
		       const struct session_options *session, struct err *err)
{
	int rc = runner_revert_wave(session, options->wave, run, err);

	if (!rc && !options->json && !doing->ui->quiet)
		ui_prose(doing->ui, 0,
			 "%staken back%s wave %u; 'certrotate next' does it again, 'certrotate "
			 "revert' takes the phase back\n",
			 ui_color(doing->ui, UI_GREEN), ui_color(doing->ui, UI_PLAIN),
			 options->wave);
	return rc;
}

static int carry_out(const struct options *options, struct ui *ui, enum event event,
		     const char *name, struct err *err)
{
	struct doing doing = {ui, options, name, NULL};
	struct run_options run = {.event = event,
				  .confirm = confirm,
				  .done = done,
				  .findings = findings,
				  .ctx = &doing};
	struct waivers waivers = {0};
	struct context context;
	int rc = parse_options(&run, &waivers, options, err);

	if (!rc && !options->yes && !ui->ask) {
		rc = err_set(err, ERR_USAGE,
			     "'%s' asks before it acts, and nobody is there to "
			     "answer",
			     name);
		err_hint(err, "add --yes");
	}
	if (!rc && options->json) {
		doing.report = js_new_object();
		(void)js_set_int(doing.report, "version", 1);
		(void)js_set(doing.report, "phases", js_new_array());
	}
	if (!rc) {
		rc = context_init(&context, options, ui, err);
		if (!rc) {
			rc = options->wave
				     ? revert_wave(options, &doing, &run, &context.session, err)
				     : runner_run(&context.session, &run, err);
			context_release(&context);
			if (!rc)
				waivers_say_unused(ui, &waivers);
		}
		rc = report(&doing, rc, err);
	}
	js_free(doing.report);
	waivers_release(&waivers);
	return rc;
}

int cmd_next(const struct options *options, struct ui *ui, struct err *err)
{
	if (options->first && options->emergency)
		return err_set(err, ERR_USAGE, "--first and --emergency exclude each other");
	if (options->emergency && !options->emergency[strspn(options->emergency, " ")]) {
		err_set(err, ERR_USAGE, "--emergency needs a reason");
		return err_hint(err, "it becomes part of the history: --emergency 'key of "
				     "application leaked, ticket 42'");
	}
	return carry_out(options, ui,
			 options->first	      ? EVENT_FIRST
			 : options->emergency ? EVENT_EMERGENCY
					      : EVENT_NEXT,
			 "next", err);
}

int cmd_revert(const struct options *options, struct ui *ui, struct err *err)
{
	if (options->wave && (options->to || options->prune || options->take_over))
		return err_set(err, ERR_USAGE,
			       "--wave goes with neither --to, --prune nor --take-over");
	return carry_out(options, ui, options->prune ? EVENT_REVERT_PRUNE : EVENT_REVERT, "revert",
			 err);
}
