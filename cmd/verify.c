/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/commands.h"
#include "cmd/context.h"
#include "state/live.h"
#include "state/runner.h"
#include "state/verify.h"

static int print_result(struct ui *ui, const struct options *options, const struct live *live,
			const struct verify_result *result, struct err *err)
{
	size_t bad = findings_count(&result->findings, SEVERITY_BLOCK);

	if (options->json) {
		struct json *root = js_new_object();

		(void)js_set_int(root, "version", 1);
		(void)js_set_str(root, "state", state_name(live->target.state));
		(void)js_set(root, "findings", ui_findings_json(&result->findings));
		(void)js_set(root, "evidence", js_copy(result->evidence));
		return ui_json(ui, root, err);
	}
	(void)ui_findings(ui, &result->findings);
	ui_out(ui, "%s: %zu endpoint%s, %zu login%s: %s\n", state_name(live->target.state),
	       result->endpoints, result->endpoints == 1 ? "" : "s", result->logins,
	       result->logins == 1 ? "" : "s",
	       bad		   ? "something differs"
	       : result->endpoints ? "all as it should be"
				   : "nothing was looked at");
	return 0;
}

int cmd_verify(const struct options *options, struct ui *ui, struct err *err)
{
	struct verify_result result = {0};
	struct live live = {0};
	struct verify_input input = {.target = &live.target};
	struct context context;
	struct session session;
	int rc = context_init(&context, options, ui, err);

	if (rc)
		return rc;
	rc = runner_look(&session, &context.session, err);
	if (!rc) {
		rc = live_load(&live, &session, true, err);
		input.skip = &session.store.behind;
		input.old_gen = live.has_new	   ? &live.old_gen
				: live.has_retired ? &live.retired
						   : NULL;
		input.new_gen = live.has_new ? &live.new_gen : &live.old_gen;
		rc = rc ? rc : verify_run(&result, &session, &input, err);
		rc = rc ? rc : session_notes(&result.findings, &session, err);
		rc = rc ? rc : print_result(ui, options, &live, &result, err);
		if (!rc && findings_count(&result.findings, SEVERITY_BLOCK))
			rc = err_exit_code(ERR_GATE);
		verify_release(&result);
		live_release(&live);
		session_close(&session);
	}
	context_release(&context);
	return rc;
}
