/* SPDX-License-Identifier: PostgreSQL */
/* Where the token is: see forge.h. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/strs.h"
#include "outside/forge.h"
#include "proc/child.h"
#include "secret/source.h"

#define COMMAND_DEADLINE_MS 60000

bool forge_has_token(const struct forge_config *config)
{
	return config->token_file || config->token_env || config->token_command.count;
}

static int from_command(struct secret *out, struct arena *arena, const struct forge_config *config,
			const char *root, struct sys *sys, const struct strs *hidden,
			struct loop_stop *stop, struct err *err)
{
	const char *name = config->token_command.items[0];
	struct child_result result = {.end = CHILD_RUNNING};
	struct child_spec spec = {
		.argv = (const char *const *)config->token_command.items,
		.env_unset = hidden ? (const char *const *)hidden->items : NULL,
		.cwd = root,
		.out = {.arena = arena, .secret_max = SECRET_SOURCE_MAX},
		.terminal = true,
		.deadline_ms = COMMAND_DEADLINE_MS,
		.sys = sys,
		.stop = stop,
	};
	int rc = child_run(&result, &spec, err);

	if (rc == ERR_STOPPED)
		return rc;
	rc = rc ? rc : child_check(&result, name, err);
	if (rc) {
		(void)err_prefix(err, "the program of git.forge.token_command failed");
		rc = err_hint_default(err, "run it by hand in %s and see", root);
	}
	rc = rc ? rc
		: secret_from_text(out, arena, result.secret.data ? result.secret.data : "",
				   result.secret.len, "what git.forge.token_command prints", err);
	secret_wipe(&result.secret);
	return rc == ERR_NOENT ? err_blame(err, rc, ERR_USAGE) : rc;
}

int forge_token(struct secret *out, char **origin, struct arena *arena,
		const struct forge_config *config, const char *root, struct sys *sys,
		const struct strs *hidden, struct loop_stop *stop, struct err *err)
{
	char *path = NULL;
	int rc = 0;

	*out = (struct secret){0};
	*origin = NULL;
	if (config->token_file) {
		path = path_join(root, config->token_file);
		rc = path ? secret_from_file(out, arena, path, err) : err_nomem(err);
		*origin = str_fmt("the file %s", path ? path : "");
		free(path);
	} else if (config->token_env) {
		rc = secret_from_env(out, arena, config->token_env, err);
		*origin = str_fmt("the variable %s", config->token_env);
	} else {
		rc = from_command(out, arena, config, root, sys, hidden, stop, err);
		*origin = str_fmt("the program %s", config->token_command.items[0]);
	}
	if (!rc && !*origin)
		rc = err_nomem(err);
	if (rc) {
		(void)err_prefix(err, "the token for merge requests");
		secret_wipe(out);
		free(*origin);
		*origin = NULL;
	}
	return rc;
}
