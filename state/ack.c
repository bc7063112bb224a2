/* SPDX-License-Identifier: PostgreSQL */
/* An application's word: see runner.h. */
#include <stdlib.h>
#include <string.h>

#include "inventory/config.h"
#include "state/gates.h"
#include "state/hooks.h"
#include "state/holdings.h"
#include "state/publish.h"
#include "state/runner.h"
#include "state/steps.h"

static int nothing_waits(const struct session *session, struct err *err)
{
	const struct store *store = &session->store;

	if (store->under_way.active) {
		err_set(err, ERR_USAGE, "%s is under way in %s: nothing can be confirmed yet",
			phase_name(store->under_way.phase), session->env->name);
		return err_hint(err, "type 'certrotate %s' to end it, then confirm",
				direction_verb(store->under_way.direction));
	}
	err_set(err, ERR_USAGE, "in state %s nothing waits for an application's word",
		state_name(store->state));
	return err_hint(err, "applications confirm in 'trusted' (that they trust both chains) and "
			     "in 'clients-switched' (that they use their new certificates)");
}

/* A word from an application that has nobody here would look like one that was needed. */
static int check_users(struct session *session, const struct application *app, struct err *err)
{
	struct generation gen;
	char users[512];
	int rc = session_generation(&gen, session, session->store.new_gen, false, err);

	if (rc)
		return rc;
	if (!gates_concerns(app, &gen)) {
		strs_join(&app->users, 10, users, sizeof(users));
		rc = err_set(err, ERR_USAGE, "application %s has no client certificate in %s",
			     app->name, session->env->name);
		err_hint(err, "its users in certrotate.yml are %s", users);
	}
	generation_release(&gen);
	return rc;
}

/* What a word would be about now: the middle of a phase that runs hooks, else what has ended. */
struct word {
	enum phase phase;
	enum direction direction;
	bool known;
};

static struct word find_word(const struct session *session, const char *app)
{
	const struct store *store = &session->store;
	struct word word = {gates_ack_phase(store), DIRECTION_FORWARD, false};

	if (store->under_way.active && hooks_run_in(session)) {
		word.phase = store->under_way.phase;
		word.direction = store->under_way.direction;
		word.known = hooks_word(store, app) != NULL;
	} else if (word.phase != PHASE__MAX) {
		word.known = store_ack(store, app, word.phase) != NULL;
	}
	return word;
}

static int publish_ack(struct session *session, const struct application *app,
		       const struct word *word, const char *who, struct err *err)
{
	char *subject = str_fmt("certrotate %s: %s confirms %s%s", session->env->name, app->name,
				word->direction == DIRECTION_BACK ? "the revert of " : "",
				phase_name(word->phase));
	struct store store;
	int rc = subject ? store_copy(&store, &session->store, err) : err_nomem(err);

	if (!rc) {
		rc = store_add_ack(&store, app->name, word->phase, word->direction, who ? who : "",
				   session->by, session->sys->now(session->sys), err);
		rc = rc ? rc : publish_state(session, &store, subject, NULL, err);
		store_release(&store);
	}
	free(subject);
	return rc;
}

/* The state that waits to be merged was made without this word, and would take its place. */
static int check_awaited(struct session *session, struct err *err)
{
	int rc = step_awaited(session, err);

	if (rc != ERR_GATE)
		return rc;
	(void)err_prefix(err, "nothing can be confirmed now");
	return err_hint(err, "what has begun needs no more words: confirm what the phase asks for "
			     "once it is merged, or take the branch back with 'certrotate revert'");
}

static int acknowledge(struct session *session, const char *name, const char *who,
		       enum phase *phase, enum direction *direction, bool *known, struct err *err)
{
	const struct application *app = NULL;
	int rc = config_application(&app, session->config, name, err);
	struct word word = find_word(session, name);

	*phase = word.phase;
	*direction = word.direction;
	if (!rc && word.phase == PHASE__MAX)
		rc = nothing_waits(session, err);
	rc = rc ? rc : check_users(session, app, err);
	if (rc)
		return rc;
	*known = word.known;
	if (word.known)
		return 0;
	rc = check_awaited(session, err);
	return rc ? rc : publish_ack(session, app, &word, who, err);
}

int runner_ack(const struct session_options *options, const char *app, const char *who,
	       enum phase *phase, enum direction *direction, bool *known, struct err *err)
{
	struct session session;
	int rc = runner_open(&session, options, err);

	*phase = PHASE__MAX;
	*direction = DIRECTION_FORWARD;
	*known = false;
	if (rc)
		return rc;
	rc = acknowledge(&session, app, who, phase, direction, known, err);
	session_close(&session);
	return rc;
}
