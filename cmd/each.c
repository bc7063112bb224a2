/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/each.h"

#include "cmd/context.h"

static int survey_one(const struct session_options *options, int64_t warning, each_fn *fn,
		      void *ctx, struct err *err)
{
	struct session session;
	struct survey survey;
	int rc = session_open(&session, options, err);

	if (rc)
		return rc;
	rc = session_load(&session, err);
	rc = rc ? rc : survey_make(&survey, &session, warning, err);
	if (!rc) {
		rc = fn(ctx, &session, &survey, err);
		survey_release(&survey);
	}
	session_close(&session);
	return rc;
}

/* The names first: a session opens one environment. */
static int list_names(struct strs *out, const struct session_options *options, struct err *err)
{
	struct config *config = NULL;
	struct repo *repo = NULL;
	int rc = repo_open(&repo, options->dir, err);

	rc = rc ? rc : session_config(&config, repo, options->config_file, err);
	for (size_t i = 0; !rc && i < config->environment_count; i++)
		rc = strs_add(out, config->environments[i].name, err);
	config_free(config);
	repo_close(repo);
	return rc;
}

int each_environment(const struct options *options, struct ui *ui, int64_t warning, each_fn *fn,
		     void *ctx, struct err *err)
{
	struct strs names = STRS_INIT;
	struct context context;
	int failed = 0;
	int rc = context_init(&context, options, ui, err);

	if (rc)
		return rc;
	rc = options->env ? strs_add(&names, options->env, err)
			  : list_names(&names, &context.session, err);
	if (!rc && !names.count) {
		rc = err_set(err, ERR_USAGE,
			     "no environment here: there is no folder in "
			     "environments/ and none in certrotate.yml");
		err_hint(err, "is this the Ansible repository? Name it with -C DIR");
	}
	for (size_t i = 0; i < names.count && !rc; i++) {
		int one;

		context.session.env = names.items[i];
		one = survey_one(&context.session, warning, fn, ctx, err);
		failed = one ? one : failed;
		/* The last failure is the command's own; those before it are said on the way. */
		if (one && names.count > 1) {
			err_prefix(err, "environment %s", names.items[i]);
			if (i + 1 < names.count)
				ui_error(ui, err);
		}
	}
	rc = rc ? rc : failed;
	context_release(&context);
	strs_release(&names);
	return rc;
}
