/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/census_view.h"
#include "cmd/commands.h"
#include "cmd/context.h"

/*
 * A timer has nobody to answer a question, and no name for a commit. Without the network the
 * generations are known as of the last fetch.
 */
static int look(struct session *session, const struct session_options *options, bool record,
		struct err *err)
{
	struct err fetch = {0};
	int rc = session_open(session, options, err);

	if (rc)
		return rc;
	if (record)
		repo_never_ask(session->repo);
	if (session_fetch(session, &fetch))
		log_line(session->log, record ? LOG_INFO : LOG_WARNING,
			 "%s; generations are as of the last fetch", fetch.msg);
	rc = session_load(session, err);
	if (rc)
		session_close(session);
	return rc;
}

static int show(struct ui *ui, const struct options *options, const struct session *session,
		const struct census *census, struct census_run *run, struct err *err)
{
	struct census_view view;
	int rc = options->record ? 0 : session_notes(&run->findings, session, err);

	findings_sort(&run->findings);
	rc = rc ? rc : census_view_make(&view, session, census, run, err);
	if (rc)
		return rc;
	if (options->json)
		rc = ui_json(ui, census_document(&view), err);
	else
		(void)ui_findings(ui, &run->findings);
	if (!options->json && !options->record && !ui->quiet)
		census_print(ui, &view);
	census_view_release(&view);
	return rc;
}

int cmd_census(const struct options *options, struct ui *ui, struct err *err)
{
	const struct census_options how = {.monitor = options->record};
	struct census_run run;
	struct census census;
	struct context context;
	struct session session;
	int rc;

	/* Quiet but for what is wrong: a timer's output is a message to somebody. */
	ui->quiet = ui->quiet || (options->record && !ui->verbose);
	rc = context_init(&context, options, ui, err);
	if (rc)
		return rc;
	rc = look(&session, &context.session, options->record, err);
	if (!rc) {
		rc = census_run(&census, &run, &session, &how, err);
		if (!rc) {
			rc = show(ui, options, &session, &census, &run, err);
			if (!rc && run.answered < run.asked)
				rc = err_exit_code(ERR_FAIL);
			census_release(&census);
			census_run_release(&run);
		}
		session_close(&session);
	}
	context_release(&context);
	return rc;
}
