/* SPDX-License-Identifier: PostgreSQL */
/* Which transition is meant, from the table and from what is under way: see plan.h. */
#include "state/plan.h"

static int refuse(const struct transition *row, struct err *err)
{
	(void)err_set(err, ERR_USAGE, "%s", row->refusal);
	return row->hint[0] ? err_hint(err, "%s", row->hint) : ERR_USAGE;
}

static int choose_under_way(const struct transition **found, bool *resume, bool *turn,
			    const struct under_way *under_way, enum event event, struct err *err)
{
	bool forward = event != EVENT_REVERT && event != EVENT_REVERT_PRUNE;
	bool other = (event == EVENT_FIRST && under_way->phase != PHASE_FIRST) ||
		     (event == EVENT_REVERT_PRUNE && under_way->phase != PHASE_PRUNE);

	if (other) {
		err_set(err, ERR_USAGE, "the phase %s is under way", phase_name(under_way->phase));
		return err_hint(err, "'certrotate next' and 'certrotate revert' deal with it");
	}
	if (forward == (under_way->direction == DIRECTION_FORWARD)) {
		*resume = true;
		*found = table_find_phase(under_way->from, under_way->phase, under_way->direction);
	} else {
		*turn = true;
		*found = table_find_phase(under_way->to, under_way->phase,
					  forward ? DIRECTION_FORWARD : DIRECTION_BACK);
	}
	if (*found)
		return 0;
	err_set(err, ERR_USAGE, "the phase %s is under way and cannot be taken back",
		phase_name(under_way->phase));
	return err_hint(err, "finish it with 'certrotate next'");
}

int plan_choose(struct transition *row, bool *resume, bool *turn, const struct store *store,
		enum event event, struct err *err)
{
	const struct under_way *under_way = &store->under_way;
	const struct transition *found = table_find(store->state, event);
	int rc;

	*resume = *turn = false;
	if (under_way->active &&
	    (event != EVENT_EMERGENCY || under_way->phase == PHASE_EMERGENCY)) {
		rc = choose_under_way(&found, resume, turn, under_way, event, err);
		if (rc)
			return rc;
	}
	if (found->refusal)
		return refuse(found, err);
	*row = *found;
	return 0;
}

/* What is typed for it. */
static const char *command_of(enum event event)
{
	static const char *const commands[EVENT__MAX] = {
		[EVENT_FIRST] = "next --first",
		[EVENT_NEXT] = "next",
		[EVENT_REVERT] = "revert",
		[EVENT_REVERT_PRUNE] = "revert --prune",
		[EVENT_EMERGENCY] = "next --emergency",
	};

	return commands[event];
}

int plan_reaches(const struct store *store, enum event event, enum state to, struct err *err)
{
	struct transition row;
	enum state ends;
	bool resume, turn;
	int rc = plan_choose(&row, &resume, &turn, store, event, err);

	if (rc)
		return rc;
	ends = row.to;
	for (int i = 0; i < STATE__MAX && row.to != to && row.to != STATE_IDLE; i++) {
		const struct transition *next = table_find(row.to, event);

		if (next->refusal)
			break;
		row = *next;
	}
	if (row.to == to)
		return 0;
	if (resume || turn)
		err_set(err, ERR_USAGE, "'%s' does not lead to %s: it %s the phase %s, to %s",
			command_of(event), state_name(to), turn ? "turns round" : "ends",
			phase_name(store->under_way.phase), state_name(ends));
	else
		err_set(err, ERR_USAGE, "'%s' does not lead from %s to %s", command_of(event),
			state_name(store->state), state_name(to));
	if (event == EVENT_REVERT_PRUNE)
		return err_hint(err,
				"'certrotate revert --prune' leads to %s, 'certrotate revert --to "
				"STATE' further back from there",
				state_name(ends));
	return err_hint(err, "%s",
			event == EVENT_NEXT ? "see 'certrotate revert --to STATE'"
					    : "see 'certrotate next --to STATE'");
}
