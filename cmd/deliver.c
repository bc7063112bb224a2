/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/commands.h"
#include "cmd/context.h"
#include "secret/source.h"
#include "state/deliver.h"
#include "state/runner.h"

/* Where a person sees a passphrase that nobody else does: a terminal, or -1. */
static int terminal(const struct options *options)
{
	if (!options->json && isatty(STDOUT_FILENO))
		return STDOUT_FILENO;
	return isatty(STDERR_FILENO) ? STDERR_FILENO : -1;
}

static int read_options(struct deliver_options *out, struct secret *passphrase,
			const struct options *options, struct session *session, struct err *err)
{
	*out = (struct deliver_options){.phase = PHASE__MAX, .never_made = terminal(options) < 0};
	if (options->phase && !strcmp(options->phase, DELIVER_PRESENT)) {
		out->present = true;
	} else if (options->phase) {
		out->phase = phase_parse(options->phase);
		if (out->phase == PHASE__MAX) {
			err_set(err, ERR_USAGE, "there is no phase '%s'", options->phase);
			return err_hint(err, "trust, clients, prune, or " DELIVER_PRESENT
					     " for all that holds now");
		}
	}
	if (!options->passphrase_file)
		return 0;
	out->passphrase = passphrase;
	return secret_from_file(passphrase, session->arena, options->passphrase_file, err);
}

static const char *about_passphrase(const struct delivered *delivered)
{
	if (!delivered->passphrase.data)
		return "none";
	return delivered->generated ? "shown" : "given";
}

static int print_json(const struct options *options, struct ui *ui, const struct session *session,
		      const struct delivered *delivered, struct err *err)
{
	struct json *root = js_new_object(), *files = js_new_array();

	for (size_t i = 0; i < delivered->files.count; i++) {
		const struct delivery_file *file = &delivered->files.items[i];
		struct json *object = js_new_object();

		(void)js_set_str(object, "kind", delivery_kind_name(file->kind));
		(void)js_set_str(object, "path", file->path);
		(void)js_set_str(object, "user", file->user);
		(void)js_push(files, object);
	}
	(void)js_set_int(root, "version", 1);
	(void)js_set_str(root, "environment", session->env->name);
	(void)js_set_str(root, "application", options->app);
	(void)js_set_str(root, "phase", deliver_name(delivered));
	(void)js_set_str(root, "direction", direction_name(delivered->direction));
	(void)js_set_str(root, "folder", delivered->files.folder);
	(void)js_set_str(root, "passphrase", about_passphrase(delivered));
	(void)js_set(root, "files", files);
	return ui_json(ui, root, err);
}

/* Past every buffer: nothing else of this program ever holds it. */
static int show_passphrase(struct ui *ui, const struct options *options,
			   const struct delivered *delivered, struct err *err)
{
	static const char before[] = "passphrase of the keys, shown this once and kept nowhere:\n\n"
				     "    ";
	static const char after[] = "\n\n"
				    "hand it over another way than the files\n";
	int fd = terminal(options), rc;

	ui_clear_progress(ui);
	ui_out(ui, "%s", "");
	rc = file_write_all(fd, before, sizeof(before) - 1, "the terminal", err);
	rc = rc ? rc
		: file_write_all(fd, delivered->passphrase.data, delivered->passphrase.len,
				 "the terminal", err);
	return rc ? rc : file_write_all(fd, after, sizeof(after) - 1, "the terminal", err);
}

static int print_result(const struct options *options, struct ui *ui, const struct session *session,
			const struct delivered *delivered, struct err *err)
{
	const struct delivery_files *files = &delivered->files;
	int rc = 0;

	if (options->json) {
		rc = print_json(options, ui, session, delivered, err);
	} else if (!ui->quiet) {
		ui_out(ui, "%s%s: %zu files for application %s in %s\n", deliver_name(delivered),
		       delivered->direction == DIRECTION_BACK ? " (back)" : "", files->count,
		       options->app, files->folder);
		for (size_t i = 0; i < files->count && ui->verbose; i++)
			ui_out(ui, "  %-11s  %s\n", delivery_kind_name(files->items[i].kind),
			       files->items[i].path);
	}
	if (rc || !delivered->generated)
		return rc;
	return show_passphrase(ui, options, delivered, err);
}

static int deliver(const struct options *options, struct ui *ui, struct session *session,
		   struct err *err)
{
	const struct application *app = NULL;
	struct secret passphrase = {NULL, 0};
	struct deliver_options deliver_options;
	struct delivered delivered;
	int rc = config_application(&app, session->config, options->app, err);

	rc = rc ? rc : read_options(&deliver_options, &passphrase, options, session, err);
	rc = rc ? rc : deliver_write(&delivered, session, app, options->out, &deliver_options, err);
	if (rc)
		return rc;
	rc = print_result(options, ui, session, &delivered, err);
	delivered_release(&delivered);
	return rc;
}

int cmd_deliver(const struct options *options, struct ui *ui, struct err *err)
{
	struct context context;
	struct session session;
	int rc;

	if (!options->app) {
		err_set(err, ERR_USAGE, "'deliver' needs the application's name");
		return err_hint(err, "certrotate deliver --app NAME; the names are those of "
				     "'applications' in certrotate.yml");
	}
	rc = context_init(&context, options, ui, err);
	if (rc)
		return rc;
	rc = runner_look(&session, &context.session, err);
	if (!rc) {
		rc = deliver(options, ui, &session, err);
		session_close(&session);
	}
	context_release(&context);
	return rc;
}
