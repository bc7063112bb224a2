/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/census_view.h"
#include "cmd/commands.h"
#include "cmd/context.h"
#include "state/access.h"

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

/* What servers say of their own logins elsewhere; a timer's record is about sessions alone. */
static int look_for_hidden(void *ctx, struct session *session, const struct live *live,
			   struct err *err)
{
	const struct access_options options = {
		.live = &live->target, .hidden = true, .phase = PHASE__MAX};

	return access_look(ctx, session, &options, err);
}

static void print_hidden(struct ui *ui, const struct hidden_clients *clients)
{
	struct buf line;

	buf_init(&line, BUF_TEXT_MAX);
	if (clients->count)
		ui_out(ui,
		       "\nservers that are clients themselves, and have to be switched as well:\n");
	for (size_t i = 0; i < clients->count; i++) {
		buf_reset(&line);
		hidden_client_text(&line, &clients->items[i]);
		ui_prose(ui, 2, "  %s: %s\n", clients->items[i].server, line.data);
	}
	buf_release(&line);
}

static int print_document(struct ui *ui, const struct census_view *view,
			  const struct hidden_clients *hidden, struct err *err)
{
	struct json *document = census_document(view);

	(void)js_set(document, "hidden_clients", hidden_clients_json(hidden));
	return ui_json(ui, document, err);
}

static int show(struct ui *ui, const struct options *options, const struct session *session,
		const struct census *census, struct census_run *run,
		const struct access_look *hidden, struct err *err)
{
	struct census_view view;
	int rc = options->record ? 0 : session_notes(&run->findings, session, err);

	for (size_t i = 0; i < hidden->findings.count && !rc; i++) {
		const struct finding *finding = &hidden->findings.items[i];

		rc = findings_add(&run->findings, finding->check, finding->severity,
				  finding->subject, finding->advice, err, "%s", finding->reason);
	}
	if (!rc && !options->record && session->env->census_playbook)
		rc = findings_add(
			&run->findings, "hidden-client", SEVERITY_INFO, session->env->name,
			"'certrotate prove' asks for them before 'trust' and 'clients'", err,
			"servers are not asked over the network: standbys, subscriptions "
			"and foreign servers that log in elsewhere are not listed");
	findings_sort(&run->findings);
	rc = rc ? rc : census_view_make(&view, session, census, run, err);
	if (rc)
		return rc;
	if (options->json)
		rc = print_document(ui, &view, &hidden->hidden, err);
	else
		(void)ui_findings(ui, &run->findings);
	if (!options->json && !options->record && !ui->quiet)
		census_print(ui, &view);
	if (!options->json && !options->record && !ui->quiet)
		print_hidden(ui, &hidden->hidden);
	census_view_release(&view);
	return rc;
}

int cmd_census(const struct options *options, struct ui *ui, struct err *err)
{
	struct access_look hidden = {.asked = 0};
	const struct census_options how = {.monitor = options->record,
					   .also = options->record ? NULL : look_for_hidden,
					   .ctx = &hidden};
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
			rc = show(ui, options, &session, &census, &run, &hidden, err);
			if (!rc && run.answered < run.asked)
				rc = err_exit_code(ERR_FAIL);
			census_release(&census);
			census_run_release(&run);
		}
		access_look_release(&hidden);
		session_close(&session);
	}
	context_release(&context);
	return rc;
}
