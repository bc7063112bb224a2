/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ui.h"
#include "state/table.h"

struct option_row {
	const char *name; /* "--env" */
	char letter;	  /* 'C' for -C, or 0 */
	const char *value;
	const char *commands; /* " next revert ", or NULL for all */
	const char *help;
};

static const struct option_row option_rows[] = {
	{"--directory", 'C', "DIR", NULL, "work on the repository in DIR"},
	{"--config", 'c', "FILE", NULL, "read FILE instead of certrotate.yml"},
	{"--env", 0, "ENV", NULL, "the environment; not needed where there is one"},
	{"--json", 0, NULL, NULL, "one JSON document on standard output"},
	{"--verbose", 'v', NULL, NULL, "say more"},
	{"--quiet", 'q', NULL, NULL, "say only what went wrong"},
	{"--help", 'h', NULL, NULL, "show this text"},
	{"--version", 'V', NULL, NULL, "show the version"},
	{"--to", 0, "STATE", " next revert ", "go on until STATE is reached"},
	{"--yes", 'y', NULL, " next revert ", "do not ask"},
	{"--waive", 0, "GATE[=SUBJECT]:REASON", " plan next revert prove ",
	 "go on although a gate does not hold"},
	{"--first", 0, NULL, " next plan ", "issue generation 1 where there is no chain yet"},
	{"--emergency", 0, "REASON", " next plan ", "after a leak: distrust the old chain at once"},
	{"--take-over", 0, NULL, " next revert ", "go on with what another machine has under way"},
	{"--prune", 0, NULL, " revert ", "take back a prune, for 7 days"},
	{"--wave", 0, "N", " revert ", "take back wave N of the applications' hooks alone"},
	{"--app", 0, "NAME", " ack deliver ", "the application"},
	{"--by", 0, "WHO", " ack ", "who of its administrators gave it"},
	{"--phase", 0, "PHASE", " deliver ", "trust, clients, prune, or present: what holds now"},
	{"--out", 0, "DIR", " deliver ", "the folder for the files"},
	{"--passphrase-file", 0, "FILE", " deliver ", "the keys' passphrase, in FILE (mode 0600)"},
	{"--record", 0, NULL, " census ", "for a timer: no password, says only what is wrong"},
	{"--no-login", 0, NULL, " verify ", "only what is served; needs no vault password"},
	{"--no-hosts", 0, NULL, " verify ", "without the files on the hosts; runs no playbook"},
	{"--warning", 0, "DAYS", " check ", "warn this long before an expiry (30)"},
	{"--critical", 0, "DAYS", " check ", "critical this long before an expiry (7)"},
	{"--prometheus", 0, NULL, " check ", "metrics in Prometheus' text format"},
	{"--notify", 0, NULL, " check ", "for a timer: tell once what expires"},
	{"--dot", 0, NULL, " states ", "a graph for Graphviz"},
};

#define OPTION_COUNT (sizeof(option_rows) / sizeof(option_rows[0]))

static int days(int *out, const char *value, const char *option, struct err *err)
{
	char *end = NULL;
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): the row says that it has one */
	long number = strtol(value, &end, 10);

	if (!value[0] || *end || number < 0 || number > 36500)
		return err_set(err, ERR_USAGE, "%s takes a number of days, not '%s'", option,
			       value);
	*out = (int)number;
	return 0;
}

static int wave(unsigned *out, const char *value, struct err *err)
{
	char *end = NULL;
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): the row says that it has one */
	long number = strtol(value, &end, 10);

	if (!value[0] || *end || number < 1 || number > 1000000)
		return err_set(err, ERR_USAGE, "--wave takes the number of a wave, not '%s'",
			       value);
	*out = (unsigned)number;
	return 0;
}

static int apply(struct options *options, const struct option_row *row, const char *value,
		 struct err *err)
{
	const struct {
		const char *name;
		const char **text;
		bool *flag;
	} fields[] = {
		{"--directory", &options->dir, NULL},
		{"--config", &options->config_file, NULL},
		{"--env", &options->env, NULL},
		{"--to", &options->to, NULL},
		{"--emergency", &options->emergency, NULL},
		{"--app", &options->app, NULL},
		{"--by", &options->by, NULL},
		{"--phase", &options->phase, NULL},
		{"--out", &options->out, NULL},
		{"--passphrase-file", &options->passphrase_file, NULL},
		{"--json", NULL, &options->json},
		{"--verbose", NULL, &options->verbose},
		{"--quiet", NULL, &options->quiet},
		{"--help", NULL, &options->help},
		{"--version", NULL, &options->version},
		{"--yes", NULL, &options->yes},
		{"--first", NULL, &options->first},
		{"--take-over", NULL, &options->take_over},
		{"--prune", NULL, &options->prune},
		{"--record", NULL, &options->record},
		{"--no-login", NULL, &options->no_login},
		{"--no-hosts", NULL, &options->no_hosts},
		{"--prometheus", NULL, &options->prometheus},
		{"--notify", NULL, &options->notify},
		{"--dot", NULL, &options->dot},
	};

	if (!strcmp(row->name, "--waive"))
		return strs_add(&options->waive, value, err);
	if (!strcmp(row->name, "--wave"))
		return wave(&options->wave, value, err);
	if (!strcmp(row->name, "--warning"))
		return days(&options->warning_days, value, row->name, err);
	if (!strcmp(row->name, "--critical"))
		return days(&options->critical_days, value, row->name, err);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].name, row->name) != 0)
			continue;
		if (fields[i].text)
			*fields[i].text = value;
		else
			*fields[i].flag = true;
		break;
	}
	return 0;
}

static const struct option_row *find_option(const char *arg, size_t name_len)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];

		if (arg[1] == '-'
			    ? strlen(row->name) == name_len && !strncmp(row->name, arg, name_len)
			    : arg[1] == row->letter && row->letter)
			return row;
	}
	return NULL;
}

static int unknown_option(const char *arg, size_t name_len, struct err *err)
{
	const char *names[OPTION_COUNT];
	char name[64];
	const char *nearest;

	(void)snprintf(name, sizeof(name), "%.*s", (int)name_len, arg);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		names[i] = option_rows[i].name + 1;
	/* Without one of the dashes, which make every name a little alike. */
	nearest = str_nearest(name + (name[1] == '-'), names, OPTION_COUNT);
	err_set(err, ERR_USAGE, "unknown option '%s'", name);
	return nearest ? err_hint(err, "did you mean '-%s'?", nearest)
		       : err_hint(err, "see 'certrotate --help'");
}

static int find_command(const struct command **out, const char *name, struct err *err)
{
	const char *names[32];
	const char *nearest;
	size_t count = 0;

	for (const struct command *command = commands; command->name; command++) {
		if (!strcmp(command->name, name)) {
			*out = command;
			return 0;
		}
		if (count < sizeof(names) / sizeof(names[0]))
			names[count++] = command->name;
	}
	nearest = str_nearest(name, names, count);
	err_set(err, ERR_USAGE, "unknown command '%s'", name);
	return nearest ? err_hint(err, "did you mean '%s'?", nearest)
		       : err_hint(err, "see 'certrotate --help'");
}

static bool belongs(const struct option_row *row, const struct command *command)
{
	char padded[64];

	if (!row->commands || !command)
		return true;
	(void)snprintf(padded, sizeof(padded), " %s ", command->name);
	return strstr(row->commands, padded) != NULL;
}

/* One option with its value, which may stand behind '=', behind the letter, or in the next word. */
static int take_option(struct options *options, bool used[], int argc, char **argv, int *i,
		       struct err *err)
{
	const char *arg = argv[*i];
	const char *equals = arg[1] == '-' ? strchr(arg, '=') : NULL;
	size_t name_len = equals ? (size_t)(equals - arg) : strlen(arg);
	const struct option_row *row = find_option(arg, name_len);
	const char *value = equals ? equals + 1 : NULL;

	if (!row)
		return unknown_option(arg, name_len, err);
	if (!row->value && (equals || (arg[1] != '-' && arg[2])))
		return err_set(err, ERR_USAGE, "%s takes no value", row->name);
	if (row->value && arg[1] != '-' && arg[2])
		value = arg + 2;
	if (row->value && !value) {
		if (*i + 1 >= argc)
			return err_set(err, ERR_USAGE, "%s needs a value: %s %s", row->name,
				       row->name, row->value);
		value = argv[++*i];
	}
	used[row - option_rows] = true;
	return apply(options, row, value, err);
}

/* 'next trusted' means 'next --to trusted', 'status poc' means 'status --env poc'. */
static int unexpected(const struct command *command, const char *word, struct err *err)
{
	bool has_to = !strcmp(command->name, "next") || !strcmp(command->name, "revert");

	err_set(err, ERR_USAGE, "unexpected argument '%s'", word);
	if (has_to && state_parse(word) != STATE__MAX)
		return err_hint(err, "did you mean '--to %s'?", word);
	return err_hint(err,
			"an environment is named with --env, a repository with -C; see "
			"'certrotate %s --help'",
			command->name);
}

int options_parse(struct options *options, const struct command **command, int argc, char **argv,
		  struct err *err)
{
	bool used[OPTION_COUNT] = {false};
	int rc = 0;

	*options = (struct options){.dir = ".", .warning_days = 30, .critical_days = 7};
	*command = NULL;
	for (int i = 1; i < argc && !rc; i++) {
		if (argv[i][0] == '-' && argv[i][1])
			rc = take_option(options, used, argc, argv, &i, err);
		else if (*command)
			rc = unexpected(*command, argv[i], err);
		else
			rc = find_command(command, argv[i], err);
	}
	for (size_t i = 0; i < OPTION_COUNT && !rc; i++) {
		if (used[i] && !belongs(&option_rows[i], *command)) {
			err_set(err, ERR_USAGE, "'%s' has no option %s", (*command)->name,
				option_rows[i].name);
			rc = err_hint(err, "see 'certrotate %s --help'", (*command)->name);
		}
	}
	if (!rc && !options->env) {
		const char *env = getenv("CERTROTATE_ENV");

		options->env = env && env[0] ? env : NULL;
	}
	if (rc)
		options_release(options);
	return rc;
}

void options_release(struct options *options)
{
	strs_release(&options->waive);
}

static void help_option(struct ui *ui, const struct option_row *row)
{
	char left[64];

	if (row->letter)
		(void)snprintf(left, sizeof(left), "-%c, %s%s%s", row->letter, row->name,
			       row->value ? " " : "", row->value ? row->value : "");
	else
		(void)snprintf(left, sizeof(left), "    %s%s%s", row->name, row->value ? " " : "",
			       row->value ? row->value : "");
	if (strlen(left) > 24)
		ui_out(ui, "  %s\n  %24s  %s\n", left, "", row->help);
	else
		ui_out(ui, "  %-24s  %s\n", left, row->help);
}

int options_help(struct ui *ui, const struct command *command, struct err *err)
{
	(void)err;
	if (command) {
		ui_out(ui, "certrotate %s: %s\n\n", command->name, command->summary);
		ui_out(ui, "usage: certrotate [OPTION...] %s [--env ENV] [OPTION...]\n",
		       command->name);
	} else {
		ui_out(ui, "certrotate replaces the certificate chain of a PostgreSQL "
			   "environment\nwithout downtime, a phase at a time.\n\n"
			   "usage: certrotate [OPTION...] COMMAND [--env ENV] [OPTION...]\n\n"
			   "Commands:\n");
		for (const struct command *c = commands; c->name; c++)
			ui_out(ui, "  %-10s  %s\n", c->name, c->summary);
	}
	for (int own = 1; own >= 0; own--) {
		bool title = false;

		for (size_t i = 0; i < OPTION_COUNT; i++) {
			const struct option_row *row = &option_rows[i];

			if ((row->commands != NULL) != own || !belongs(row, command))
				continue;
			if (!title)
				ui_out(ui, "\n%s:\n", own ? "Options" : "Options of every command");
			title = true;
			help_option(ui, row);
		}
	}
	ui_out(ui, "\nExit status: 0 done, 1 failed, 2 usage or configuration, 3 a gate does not\n"
		   "hold (yet), 4 another operator, 5 drift. See certrotate(1).\n");
	return 0;
}
