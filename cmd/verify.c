/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "base/file.h"
#include "cmd/commands.h"
#include "cmd/context.h"
#include "state/live.h"
#include "state/runner.h"
#include "state/verify.h"
#include "state/verify_hosts.h"

#define NAMES_SHOWN 4
#define NAMES_SIZE  2048

/* "600 of 1000 endpoints serve the new certificate; stragglers: db7, db9 and 398 more" */
static void print_tally(struct ui *ui, const struct verify_tally *tally, enum check check)
{
	const char *text = expect_text(check, tally->want);
	bool all = tally->held == tally->asked;
	char names[NAMES_SIZE];

	if (!tally->asked || !text || (all && !ui->verbose))
		return;
	strs_join(&tally->stragglers, NAMES_SHOWN, names, sizeof(names));
	ui_prose(ui, 4, "  %zu of %zu %s %s%s%s\n", tally->held, tally->asked,
		 check == CHECK_HOST_FILES ? "hosts" : "endpoints", text,
		 all ? "" : "; stragglers: ", all ? "" : names);
}

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
	ui_out(ui, "%s: %zu endpoint%s, ", state_name(live->target.state), result->endpoints,
	       result->endpoints == 1 ? "" : "s");
	if (options->no_login)
		ui_out(ui, "no login tried: ");
	else
		ui_out(ui, "%zu login%s: ", result->logins, result->logins == 1 ? "" : "s");
	ui_out(ui, "%s\n",
	       bad		   ? "something differs"
	       : result->endpoints ? "all as it should be"
				   : "nothing was looked at");
	for (int c = 0; c < CHECK__MAX; c++)
		print_tally(ui, &result->tallies[c], (enum check)c);
	return 0;
}

/* The figures from before the phase that is under way, or was the last. */
static int read_before(struct baseline *out, const struct session *session, struct err *err)
{
	const struct store *store = &session->store;
	const struct json *last = store_last(store, NULL);
	bool active = store->under_way.active;
	char *path = path_join(session->local_dir, BASELINE_FILE);
	char *key = baseline_key(active ? store->rotation : js_str(last, "rotation", ""),
				 active ? phase_name(store->under_way.phase)
					: js_str(last, "phase", ""),
				 active ? direction_name(store->under_way.direction)
					: js_str(last, "direction", ""));
	int rc = path && key ? baseline_load(out, path, key, err) : err_nomem(err);

	free(path);
	free(key);
	return rc;
}

static int look(struct verify_result *result, struct session *session, struct live *live,
		const struct options *options, struct err *err)
{
	struct verify_input input = {.target = &live->target,
				     .skip = &session->store.behind,
				     .no_login = options->no_login};
	struct baseline before = BASELINE_INIT;
	int rc = live_load(live, session, !options->no_login, err);

	input.old_gen = live->has_new ? &live->old_gen : live->has_retired ? &live->retired : NULL;
	input.new_gen = live->has_new ? &live->new_gen : &live->old_gen;
	rc = rc ? rc : read_before(&before, session, err);
	input.before = before.count ? &before : NULL;
	rc = rc ? rc : verify_run(result, session, &input, err);
	if (!rc && !options->no_hosts && !options->no_login)
		rc = verify_hosts(result, session, &input, NULL, err)
			     ? err_hint_default(err, "--no-hosts leaves the files on the hosts out")
			     : 0;
	baseline_release(&before);
	return rc ? rc : session_notes(&result->findings, session, err);
}

int cmd_verify(const struct options *options, struct ui *ui, struct err *err)
{
	struct verify_result result = {0};
	struct live live = {0};
	struct context context;
	struct session session;
	int rc = context_init(&context, options, ui, err);

	if (rc)
		return rc;
	rc = runner_look(&session, &context.session, err);
	if (!rc) {
		rc = look(&result, &session, &live, options, err);
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
