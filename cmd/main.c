/* SPDX-License-Identifier: PostgreSQL */
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/ui.h"
#include "pki/key.h"
#include "secret/arena.h"

static int no_command(struct err *err)
{
	err_set(err, ERR_USAGE, "no command given");
	return err_hint(err, "'certrotate status' shows where everything stands; see "
			     "'certrotate --help'");
}

/* Whatever came of it, also "all is well": it may be the lack that was seen (err.h). */
static int unless_ailing(int rc, struct err *err)
{
	const char *ailment = err_ailment();

	if (err->code == ERR_MACHINE)
		return rc < 0 ? ERR_MACHINE : rc;
	if (!ailment)
		return rc;
	if (err->code)
		err_prefix(err, "%s", ailment);
	else
		(void)err_ailed(err);
	return err->code = ERR_MACHINE;
}

static int run(int argc, char **argv, struct ui *ui, struct err *err)
{
	const struct command *command;
	struct options options;
	int rc = options_parse(&options, &command, argc, argv, err);

	if (rc)
		return rc;
	ui->quiet = options.quiet;
	ui->verbose = options.verbose;
	if (options.help)
		rc = options_help(ui, command, err);
	else if (options.version)
		ui_out(ui, "certrotate " CERTROTATE_VERSION "\n");
	else if (!command)
		rc = no_command(err);
	else
		rc = command->run(&options, ui, err);
	/* A monitoring plug-in has a code and a line of its own for it. */
	if (!command || command->run != cmd_check)
		rc = unless_ailing(rc, err);
	options_release(&options);
	return rc;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	struct ui ui;
	int rc;

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	/* libyaml and libpq hold plain text on the heap for a while: what is freed is overwritten.
	 */
	(void)mallopt(M_PERTURB, 0xa5);
	secret_harden_process();
	(void)signal(SIGPIPE, SIG_IGN);
	ui_init(&ui);
	rc = key_harden_process(&err);
	if (!rc)
		rc = run(argc, argv, &ui, &err);
	ui_clear_progress(&ui);
	/* A command that has said it all already, in its own words, leaves no message. */
	if (rc < 0 && err.msg[0])
		ui_error(&ui, &err);
	if (ui_flush(&ui, &err)) {
		ui_error(&ui, &err);
		rc = rc ? rc : err.code;
	}
	return rc > 0 ? rc : err_exit_code(rc);
}
