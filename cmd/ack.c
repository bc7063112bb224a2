/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/commands.h"
#include "cmd/context.h"
#include "state/runner.h"

/* What it does from now on, in the words of the phase. */
static const char *word_about(enum phase phase, enum direction direction)
{
	bool back = direction == DIRECTION_BACK;

	if (phase == PHASE_TRUST)
		return back ? "trusts the old chain alone" : "trusts both chains";
	if (phase == PHASE_PRUNE)
		return back ? "trusts both chains" : "trusts the new chain alone";
	return back ? "uses its old certificates" : "uses its new certificates";
}

static int print_result(const struct options *options, struct ui *ui, enum phase phase,
			enum direction direction, bool known, struct err *err)
{
	const char *what = word_about(phase, direction);

	if (options->json) {
		struct json *root = js_new_object();

		(void)js_set_int(root, "version", 1);
		(void)js_set_str(root, "application", options->app);
		(void)js_set_str(root, "phase", phase_name(phase));
		(void)js_set_str(root, "direction", direction_name(direction));
		(void)js_set_bool(root, "known", known);
		return ui_json(ui, root, err);
	}
	if (!ui->quiet)
		ui_out(ui, "%s: application %s %s\n", known ? "known already" : "recorded",
		       options->app, what);
	return 0;
}

int cmd_ack(const struct options *options, struct ui *ui, struct err *err)
{
	struct context context;
	enum direction direction;
	enum phase phase;
	bool known;
	int rc;

	if (!options->app) {
		err_set(err, ERR_USAGE, "'ack' needs the application's name");
		return err_hint(err, "certrotate ack --app NAME; the names are those of "
				     "'applications' in certrotate.yml");
	}
	rc = context_init(&context, options, ui, err);
	if (rc)
		return rc;
	rc = runner_ack(&context.session, options->app, options->by, &phase, &direction, &known,
			err);
	context_release(&context);
	return rc ? rc : print_result(options, ui, phase, direction, known, err);
}
