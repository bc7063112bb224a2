/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/commands.h"
#include "cmd/context.h"
#include "state/holdings.h"
#include "state/runner.h"
#include "state/verify.h"

/* What is live now: the recorded generations, or the inventory where none is recorded yet. */
struct live {
	struct generation old_gen;
	struct generation new_gen;
	struct generation retired; /* what the last prune or emergency took out of use */
	bool has_old;
	bool has_new;
	bool has_retired;
	struct target target;
};

static int take_inventory(struct live *live, struct session *session, struct err *err)
{
	struct holdings holdings;
	int rc = holdings_load(&holdings, session, &session->base, true, err);

	if (rc)
		return rc;
	rc = holdings_snapshot(&live->old_gen, &holdings, "g0", session->chain, err);
	live->has_old = !rc;
	holdings_release(&holdings);
	return rc;
}

/* What was retired has to be refused, as long as its certificates are still kept. */
static void take_retired(struct live *live, struct session *session)
{
	const struct store *store = &session->store;
	struct err unread = {0};

	if (store->under_way.active || store->state != STATE_IDLE || !store->retired_gen)
		return;
	live->has_retired = !session_generation(&live->retired, session, store->retired_gen, true,
						&unread);
	if (!live->has_retired)
		log_line(session->log, LOG_WARNING,
			 "%s: whether the chain before this one is refused is not looked at",
			 unread.msg);
}

static int load_live(struct live *live, struct session *session, struct err *err)
{
	const struct store *store = &session->store;
	enum state state = store->under_way.active ? store->under_way.to : store->state;
	int rc = session_chain(session, err);

	if (!rc && state == STATE_ABSENT)
		return err_set(err, ERR_USAGE, "%s has no chain yet: there is nothing to look for",
			       session->env->name);
	/* A first generation has none before it; a revert of "generate" has removed the new one. */
	if (!rc && store->new_gen && store->old_gen &&
	    !(state == STATE_IDLE && store->under_way.phase == PHASE_GENERATE)) {
		rc = session_generation(&live->old_gen, session, store->old_gen, true, err);
		live->has_old = !rc;
		rc = rc ? rc
			: session_generation(&live->new_gen, session, store->new_gen, true, err);
		live->has_new = !rc;
	} else {
		rc = rc ? rc : take_inventory(live, session, err);
	}
	if (rc)
		return rc;
	take_retired(live, session);
	/* An unfinished prune: the inventory holds the new chain alone. */
	if (state == STATE_IDLE && live->has_new && store->under_way.direction == DIRECTION_FORWARD)
		return target_init(&live->target, STATE_IDLE, &live->new_gen, NULL, err);
	return target_init(&live->target, state, &live->old_gen,
			   live->has_new ? &live->new_gen : NULL, err);
}

static void live_release(struct live *live)
{
	target_release(&live->target);
	if (live->has_old)
		generation_release(&live->old_gen);
	if (live->has_new)
		generation_release(&live->new_gen);
	if (live->has_retired)
		generation_release(&live->retired);
}

static int print_result(struct ui *ui, const struct options *options, const struct live *live,
			const struct verify_result *result, struct err *err)
{
	size_t bad = findings_count(&result->findings, SEVERITY_BLOCK);

	if (options->json) {
		struct json *root = js_new_object();

		(void)js_set_int(root, "version", 1);
		(void)js_set_str(root, "state", state_name(live->target.state));
		(void)js_set(root, "findings", ui_findings_json(&result->findings));
		(void)js_set(root, "evidence", js_copy(result->evidence));
		return ui_json(ui, root, err);
	}
	(void)ui_findings(ui, &result->findings);
	ui_out(ui, "%s: %zu endpoint%s, %zu login%s: %s\n", state_name(live->target.state),
	       result->endpoints, result->endpoints == 1 ? "" : "s", result->logins,
	       result->logins == 1 ? "" : "s",
	       bad		   ? "something differs"
	       : result->endpoints ? "all as it should be"
				   : "nothing was looked at");
	return 0;
}

int cmd_verify(const struct options *options, struct ui *ui, struct err *err)
{
	struct verify_result result = {0};
	struct live live = {0};
	struct verify_input input = {.target = &live.target};
	struct context context;
	struct session session;
	int rc = context_init(&context, options, ui, err);

	if (rc)
		return rc;
	rc = runner_look(&session, &context.session, err);
	if (!rc) {
		rc = load_live(&live, &session, err);
		input.skip = &session.store.behind;
		input.old_gen = live.has_new	   ? &live.old_gen
				: live.has_retired ? &live.retired
						   : NULL;
		input.new_gen = live.has_new ? &live.new_gen : &live.old_gen;
		rc = rc ? rc : verify_run(&result, &session, &input, err);
		rc = rc ? rc : session_notes(&result.findings, &session, err);
		rc = rc ? rc : print_result(ui, options, &live, &result, err);
		if (!rc && findings_count(&result.findings, SEVERITY_BLOCK))
			rc = err_exit_code(ERR_GATE);
		verify_release(&result);
		live_release(&live);
		session_close(&session);
	}
	context_release(&context);
	return rc;
}
