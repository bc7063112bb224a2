/* SPDX-License-Identifier: PostgreSQL */
#include "state/play.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define OWN_VARS 3
#define VARS_MAX 32

/*
 * "PATTERN:!db3" in Ansible's pattern language; NULL where nothing is limited. "all" leaves out the
 * localhost that no inventory names, where a playbook may hand an application its files.
 */
static char *limit_of(const struct play *play)
{
	const struct rollout_step *step = play->step;
	const struct strs *only = play->only, *skip = play->skip;
	struct buf text;
	char *limit;

	buf_init(&text, BUF_TEXT_MAX);
	for (size_t i = 0; only && i < only->count; i++)
		buf_addf(&text, "%s%s", i ? ":" : "", only->items[i]);
	if (!only && ((skip && skip->count) || step->limit))
		buf_adds(&text, step->limit ? step->limit : "all:localhost");
	for (size_t i = 0; !only && skip && i < skip->count; i++)
		buf_addf(&text, ":!%s", skip->items[i]);
	limit = text.len ? buf_detach(&text) : NULL;
	buf_release(&text);
	return limit;
}

static char *log_path(const struct session *session, const struct play *play)
{
	char at[SYS_TIME_SIZE];

	sys_time_text(session->sys->now(session->sys), at);
	for (char *c = at; *c; c++)
		*c = *c == ':' ? '-' : *c;
	return str_fmt("%s/logs/%s-%s-%zu.log", session->local_dir, at, play->log_name,
		       play->number + 1);
}

struct prepared {
	struct ansible_spec spec;
	struct log quiet;
	struct strs args;
	const char *vars[VARS_MAX + 1];
	char *own[OWN_VARS];
	char *limit;
	char *log;
};

static int prepare_vars(struct prepared *out, const struct session *session,
			const struct play *play, struct err *err)
{
	size_t count = 0;

	out->own[0] = str_fmt("certrotate_phase=%s", play->phase);
	out->own[1] = str_fmt("certrotate_environment=%s", session->env->name);
	out->own[2] = str_fmt("certrotate_direction=%s", play->direction);
	for (; count < OWN_VARS; count++) {
		out->vars[count] = out->own[count];
		if (!out->own[count])
			return err_nomem(err);
	}
	for (size_t i = 0; play->vars && play->vars[i]; i++) {
		if (count == VARS_MAX)
			return err_set(err, ERR_FAIL, "%s: more than %d variables",
				       play->step->playbook, VARS_MAX);
		out->vars[count++] = play->vars[i];
	}
	return 0;
}

static int prepare(struct prepared *out, struct session *session, const struct play *play,
		   struct err *err)
{
	const struct log *log = session->log;
	int rc = prepare_vars(out, session, play, err);

	out->limit = limit_of(play);
	out->log = play->log_name ? log_path(session, play) : NULL;
	if (!rc && play->log_name && !out->log)
		rc = err_nomem(err);
	if (log && play->quiet) {
		out->quiet = *log;
		out->quiet.output = NULL;
		log = &out->quiet;
	}
	out->spec = (struct ansible_spec){.directory = repo_root(session->repo),
					  .inventory = session->env->inventory,
					  .playbook = play->step->playbook,
					  .tags = play->step->tags,
					  .skip_tags = play->step->skip_tags,
					  .limit = out->limit,
					  .extra_args = &out->args,
					  .vars = out->vars,
					  .hidden = &session->config->secret_variables,
					  .deadline_s = play->step->deadline,
					  .may_miss = play->only != NULL,
					  .log_path = out->log,
					  .title = play->title ? play->title : play->phase,
					  .color = !play->quiet && log && log->color,
					  .terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
					  .finishes = play->finishes,
					  .log = log,
					  .sys = session->sys,
					  .stop = session->stop};
	rc = rc || !play->log_name ? rc : session_make_local(session, "logs", err);
	rc = rc ? rc : session_passwords(session, err);
	rc = rc ? rc : strs_copy(&out->args, &play->step->extra_args, err);
	return rc ? rc : strs_copy(&out->args, &session->passwords.ansible_args, err);
}

static void prepared_release(struct prepared *prepared)
{
	strs_release(&prepared->args);
	for (size_t i = 0; i < OWN_VARS; i++)
		free(prepared->own[i]);
	free(prepared->limit);
	free(prepared->log);
}

int play_run(struct ansible_result *out, struct session *session, const struct play *play,
	     struct err *err)
{
	struct prepared prepared = {.args = STRS_INIT};
	int rc = prepare(&prepared, session, play, err);

	*out = (struct ansible_result){.hosts = NULL};
	rc = rc ? rc : ansible_run(out, &prepared.spec, err);
	prepared_release(&prepared);
	return rc;
}

int play_check(struct session *session, const struct play *play, struct err *err)
{
	struct prepared prepared = {.args = STRS_INIT};
	int rc = prepare(&prepared, session, play, err);

	rc = rc ? rc : ansible_check(&prepared.spec, err);
	prepared_release(&prepared);
	return rc;
}
