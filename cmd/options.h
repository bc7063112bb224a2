/* SPDX-License-Identifier: PostgreSQL */
/*
 * The command line. One table of commands and one of options; parsing, --help, the completion and
 * the check of the man page all read these two.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>
#include "base/err.h"
#include "base/strs.h"

struct ui;

struct options {
	const char *dir;	     /* -C, "." by default */
	const char *config_file;     /* -c, or NULL */
	const char *env;	     /* --env, CERTROTATE_ENV, or NULL */
	const char *to;		     /* --to STATE, or NULL */
	const char *emergency;	     /* --emergency REASON, or NULL */
	const char *app;	     /* --app NAME, or NULL */
	const char *by;		     /* --by WHO, or NULL */
	const char *phase;	     /* --phase PHASE, or NULL */
	const char *out;	     /* --out DIR, or NULL */
	const char *passphrase_file; /* --passphrase-file FILE, or NULL */
	struct strs waive;	     /* --waive, as typed */
	unsigned wave;		     /* --wave, or 0 */
	int warning_days;	     /* --warning */
	int critical_days;	     /* --critical */
	bool json;
	bool dot;
	bool prometheus;
	bool notify;
	bool yes;
	bool first;
	bool prune;
	bool record;
	bool take_over;
	bool no_login;
	bool no_hosts;
	bool verbose;
	bool quiet;
	bool help;
	bool version;
};

struct command {
	const char *name;
	const char *summary;
	int (*run)(const struct options *options, struct ui *ui, struct err *err);
};

/* All commands, in the order in which help shows them; ends with a NULL name. */
extern const struct command commands[];

/*
 * Reads the arguments; *command is NULL where none was given (--help, --version). The strings are
 * borrowed from argv. ERR_USAGE with the nearest valid name on a mistake.
 */
int options_parse(struct options *options, const struct command **command, int argc, char **argv,
		  struct err *err);
void options_release(struct options *options);
/* The text of --help, for all commands or one. */
int options_help(struct ui *ui, const struct command *command, struct err *err);

#endif
