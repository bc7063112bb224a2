/* SPDX-License-Identifier: PostgreSQL */
#include "state/live.h"

#include "state/holdings.h"

static int take_inventory(struct live *live, struct session *session, bool with_keys,
			  struct err *err)
{
	/* The name that the first rotation will give it. */
	const char *id = session->store.old_gen ? session->store.old_gen : "g1";
	struct holdings holdings;
	int rc = holdings_load(&holdings, session, &session->base, with_keys, err);

	if (rc)
		return rc;
	rc = holdings_snapshot(&live->old_gen, &holdings, id, session->chain, err);
	live->has_old = !rc;
	holdings_release(&holdings);
	return rc;
}

/* What was retired has to be refused, as long as its certificates are still kept. */
static void take_retired(struct live *live, struct session *session, bool with_keys)
{
	const struct store *store = &session->store;
	struct err unread = {0};

	if (store->under_way.active || store->state != STATE_IDLE || !store->retired_gen)
		return;
	live->has_retired = !session_generation(&live->retired, session, store->retired_gen,
						with_keys, &unread);
	if (!live->has_retired)
		log_line(session->log, LOG_WARNING,
			 "%s: whether the chain before this one is refused is not looked at",
			 unread.msg);
}

int live_load(struct live *live, struct session *session, bool with_keys, struct err *err)
{
	const struct store *store = &session->store;
	enum state state = store->under_way.active ? store->under_way.to : store->state;
	int rc;

	*live = (struct live){0};
	rc = session_chain(session, err);
	if (!rc && state == STATE_ABSENT)
		return err_set(err, ERR_USAGE, "%s has no chain yet: there is nothing to look for",
			       session->env->name);
	/* A first generation has none before it; a revert of "generate" has removed the new one. */
	if (!rc && store->new_gen && store->old_gen &&
	    !(state == STATE_IDLE && store->under_way.phase == PHASE_GENERATE)) {
		rc = session_generation(&live->old_gen, session, store->old_gen, with_keys, err);
		live->has_old = !rc;
		rc = rc ? rc
			: session_generation(&live->new_gen, session, store->new_gen, with_keys,
					     err);
		live->has_new = !rc;
	} else {
		rc = rc ? rc : take_inventory(live, session, with_keys, err);
	}
	if (rc)
		return rc;
	take_retired(live, session, with_keys);
	/* An unfinished prune: the inventory holds the new chain alone. */
	if (state == STATE_IDLE && live->has_new && store->under_way.direction == DIRECTION_FORWARD)
		return target_init(&live->target, STATE_IDLE, &live->new_gen, NULL, err);
	return target_init(&live->target, state, &live->old_gen,
			   live->has_new ? &live->new_gen : NULL, err);
}

void live_release(struct live *live)
{
	target_release(&live->target);
	if (live->has_old)
		generation_release(&live->old_gen);
	if (live->has_new)
		generation_release(&live->new_gen);
	if (live->has_retired)
		generation_release(&live->retired);
	*live = (struct live){0};
}
