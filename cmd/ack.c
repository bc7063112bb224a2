/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/commands.h"
#include "cmd/context.h"
#include "state/runner.h"

static int print_result(const struct options *options, struct ui *ui, enum phase phase, bool known,
			struct err *err)
{
	const char *what = phase == PHASE_TRUST	  ? "trusts both chains"
			   : phase == PHASE_PRUNE ? "trusts the new chain alone"
						  : "uses its new certificates";

	if (options->json) {
		struct json *root = js_new_object();

		(void)js_set_int(root, "version", 1);
		(void)js_set_str(root, "application", options->app);
		(void)js_set_str(root, "phase", phase_name(phase));
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
	rc = runner_ack(&context.session, options->app, options->by, &phase, &known, err);
	context_release(&context);
	return rc ? rc : print_result(options, ui, phase, known, err);
}
