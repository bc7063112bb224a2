/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/each.h"

#include "cmd/context.h"
#include "state/seen.h"

static int survey_one(const struct session_options *options, struct session_shared *shared,
		      int64_t warning, each_fn *fn, void *ctx, struct err *err)
{
	struct session session;
	struct survey survey;
	int rc = session_open_in(&session, options, shared, err);

	if (rc)
		return rc;
	rc = session_load_known(&session, err);
	rc = rc ? rc : survey_make(&survey, &session, warning, err);
	if (!rc) {
		rc = fn(ctx, &session, &survey, err);
		survey_release(&survey);
	}
	session_close(&session);
	return rc;
}

static int list_names(struct strs *out, const struct config *config, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < config->environment_count; i++)
		rc = strs_add(out, config->environments[i].name, err);
	if (!rc && !out->count) {
		rc = err_set(err, ERR_USAGE,
			     "no environment here: there is no folder in "
			     "environments/ and none in certrotate.yml");
		err_hint(err, "is this the Ansible repository? Name it with -C DIR");
	}
	return rc;
}

static int survey_each(const struct strs *names, struct session_options *options,
		       struct session_shared *shared, int64_t warning, each_fn *fn, void *ctx,
		       struct ui *ui, struct err *err)
{
	int failed = 0;

	for (size_t i = 0; i < names->count; i++) {
		int one;

		options->env = names->items[i];
		one = survey_one(options, shared, warning, fn, ctx, err);
		failed = one ? one : failed;
		/* The last failure is the command's own; those before it are said on the way. */
		if (one && names->count > 1) {
			err_prefix(err, "environment %s", names->items[i]);
			if (i + 1 < names->count)
				ui_error(ui, err);
		}
	}
	return failed;
}

int each_environment(const struct options *options, struct ui *ui, int64_t warning, each_fn *fn,
		     void *ctx, struct err *err)
{
	struct strs names = STRS_INIT;
	struct session_shared shared;
	struct context context;
	struct seen seen;
	int rc = context_init(&context, options, ui, err);

	if (rc)
		return rc;
	rc = session_shared_open(&shared, &context.session, err);
	if (!rc) {
		seen_load(&seen, shared.repo);
		shared.seen = &seen;
		rc = options->env ? strs_add(&names, options->env, err)
				  : list_names(&names, shared.config, err);
		rc = rc ? rc
			: survey_each(&names, &context.session, &shared, warning, fn, ctx, ui, err);
		seen_save(&seen, shared.repo);
		seen_release(&seen);
		session_shared_close(&shared);
	}
	context_release(&context);
	strs_release(&names);
	return rc;
}
