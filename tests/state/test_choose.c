/* SPDX-License-Identifier: PostgreSQL */
/* What an event means while a phase is unfinished, and where it can lead. */
#include "state/plan.h"
#include "tests/state/suites.h"

enum sense { REFUSED, NEW, RESUME, TURN };

struct choice {
	enum phase phase; /* what is under way; PHASE__MAX for nothing */
	enum direction direction;
	enum state from;
	enum event event;
	enum sense sense;
	enum state to; /* where the chosen row leads */
};

#define F DIRECTION_FORWARD
#define B DIRECTION_BACK

/* clang-format off */
static const struct choice choices[] = {
	{PHASE__MAX, F, STATE_IDLE, EVENT_NEXT, NEW, STATE_GENERATED},
	{PHASE__MAX, F, STATE_IDLE, EVENT_REVERT, REFUSED, STATE__MAX},
	{PHASE_FIRST, F, STATE_ABSENT, EVENT_FIRST, RESUME, STATE_IDLE},
	{PHASE_FIRST, F, STATE_ABSENT, EVENT_NEXT, RESUME, STATE_IDLE},
	{PHASE_FIRST, F, STATE_ABSENT, EVENT_REVERT, REFUSED, STATE__MAX},
	{PHASE_FIRST, F, STATE_ABSENT, EVENT_EMERGENCY, REFUSED, STATE__MAX},
	{PHASE_GENERATE, F, STATE_IDLE, EVENT_NEXT, RESUME, STATE_GENERATED},
	{PHASE_GENERATE, F, STATE_IDLE, EVENT_REVERT, TURN, STATE_IDLE},
	{PHASE_GENERATE, B, STATE_GENERATED, EVENT_REVERT, RESUME, STATE_IDLE},
	{PHASE_GENERATE, B, STATE_GENERATED, EVENT_NEXT, TURN, STATE_GENERATED},
	{PHASE_TRUST, F, STATE_GENERATED, EVENT_NEXT, RESUME, STATE_TRUSTED},
	{PHASE_TRUST, F, STATE_GENERATED, EVENT_REVERT, TURN, STATE_GENERATED},
	{PHASE_TRUST, F, STATE_GENERATED, EVENT_FIRST, REFUSED, STATE__MAX},
	{PHASE_TRUST, F, STATE_GENERATED, EVENT_REVERT_PRUNE, REFUSED, STATE__MAX},
	{PHASE_TRUST, F, STATE_GENERATED, EVENT_EMERGENCY, NEW, STATE_IDLE},
	{PHASE_SERVERS, B, STATE_SERVERS_SWITCHED, EVENT_REVERT, RESUME, STATE_TRUSTED},
	{PHASE_SERVERS, B, STATE_SERVERS_SWITCHED, EVENT_NEXT, TURN, STATE_SERVERS_SWITCHED},
	{PHASE_PRUNE, F, STATE_CLIENTS_SWITCHED, EVENT_NEXT, RESUME, STATE_IDLE},
	{PHASE_PRUNE, F, STATE_CLIENTS_SWITCHED, EVENT_REVERT, TURN, STATE_CLIENTS_SWITCHED},
	{PHASE_PRUNE, F, STATE_CLIENTS_SWITCHED, EVENT_REVERT_PRUNE, TURN, STATE_CLIENTS_SWITCHED},
	{PHASE_PRUNE, F, STATE_CLIENTS_SWITCHED, EVENT_EMERGENCY, NEW, STATE_IDLE},
	{PHASE_PRUNE, B, STATE_IDLE, EVENT_REVERT_PRUNE, RESUME, STATE_CLIENTS_SWITCHED},
	{PHASE_PRUNE, B, STATE_IDLE, EVENT_REVERT, RESUME, STATE_CLIENTS_SWITCHED},
	{PHASE_PRUNE, B, STATE_IDLE, EVENT_NEXT, TURN, STATE_IDLE},
	{PHASE_EMERGENCY, F, STATE_TRUSTED, EVENT_EMERGENCY, RESUME, STATE_IDLE},
	{PHASE_EMERGENCY, F, STATE_TRUSTED, EVENT_NEXT, RESUME, STATE_IDLE},
	{PHASE_EMERGENCY, F, STATE_TRUSTED, EVENT_REVERT, REFUSED, STATE__MAX},
};
/* clang-format on */

static struct store under_way(const struct choice *choice)
{
	const struct transition *row = table_find_phase(choice->from, choice->phase,
							choice->direction);
	struct store store = {.state = choice->from, .phase = choice->phase};

	ck_assert(choice->phase == PHASE__MAX || row);
	if (row)
		store.under_way = (struct under_way){.active = true,
						     .phase = choice->phase,
						     .direction = choice->direction,
						     .from = row->from,
						     .to = row->to};
	return store;
}

START_TEST(an_event_means)
{
	const struct choice *choice = &choices[_i];
	struct store store = under_way(choice);
	struct transition row = {0};
	struct err err = {0};
	bool resume, turn;
	int rc = plan_choose(&row, &resume, &turn, &store, choice->event, &err);

	if (choice->sense == REFUSED) {
		ck_assert_int_eq(rc, ERR_USAGE);
		ck_assert(err.msg[0]);
		return;
	}
	ck_ok(rc, &err);
	ck_assert_int_eq(resume, choice->sense == RESUME);
	ck_assert_int_eq(turn, choice->sense == TURN);
	ck_assert_str_eq(state_name(row.to), state_name(choice->to));
}
END_TEST

struct reach {
	struct choice choice;
	enum state to;
	const char *refusal; /* NULL where it leads there */
	const char *hint;
};

#define SEE_REVERT "see 'certrotate revert --to STATE'"
#define SEE_NEXT   "see 'certrotate next --to STATE'"
#define FROM_THERE                                                                                 \
	"'certrotate revert --prune' leads to clients-switched, 'certrotate revert --to STATE' "   \
	"further back from there"

/* clang-format off */
static const struct reach reaches[] = {
	{{PHASE__MAX, F, STATE_IDLE, EVENT_NEXT, NEW, STATE__MAX}, STATE_CLIENTS_SWITCHED, NULL, NULL},
	{{PHASE__MAX, F, STATE_TRUSTED, EVENT_NEXT, NEW, STATE__MAX}, STATE_IDLE, NULL, NULL},
	/* Past the end of the rotation a new one would begin. */
	{{PHASE__MAX, F, STATE_TRUSTED, EVENT_NEXT, NEW, STATE__MAX}, STATE_GENERATED,
		"'next' does not lead from trusted to generated", SEE_REVERT},
	{{PHASE__MAX, F, STATE_TRUSTED, EVENT_REVERT, NEW, STATE__MAX}, STATE_IDLE, NULL, NULL},
	{{PHASE__MAX, F, STATE_TRUSTED, EVENT_REVERT, NEW, STATE__MAX}, STATE_SERVERS_SWITCHED,
		"'revert' does not lead from trusted to servers-switched", SEE_NEXT},
	/* "next" turns this revert round: it does not stop where the revert was going. */
	{{PHASE_SERVERS, B, STATE_SERVERS_SWITCHED, EVENT_NEXT, TURN, STATE__MAX}, STATE_TRUSTED,
		"'next' does not lead to trusted: it turns round the phase servers, to servers-switched", SEE_REVERT},
	{{PHASE_SERVERS, B, STATE_SERVERS_SWITCHED, EVENT_NEXT, TURN, STATE__MAX}, STATE_SERVERS_SWITCHED, NULL, NULL},
	{{PHASE_SERVERS, B, STATE_SERVERS_SWITCHED, EVENT_REVERT, RESUME, STATE__MAX}, STATE_TRUSTED, NULL, NULL},
	{{PHASE_SERVERS, F, STATE_TRUSTED, EVENT_REVERT, TURN, STATE__MAX}, STATE_TRUSTED, NULL, NULL},
	{{PHASE_SERVERS, F, STATE_TRUSTED, EVENT_REVERT, TURN, STATE__MAX}, STATE_SERVERS_SWITCHED,
		"'revert' does not lead to servers-switched: it turns round the phase servers, to trusted", SEE_NEXT},
	{{PHASE_SERVERS, F, STATE_TRUSTED, EVENT_NEXT, RESUME, STATE__MAX}, STATE_CLIENTS_SWITCHED, NULL, NULL},
	{{PHASE_SERVERS, F, STATE_TRUSTED, EVENT_NEXT, RESUME, STATE__MAX}, STATE_TRUSTED,
		"'next' does not lead to trusted: it ends the phase servers, to servers-switched", SEE_REVERT},
	/* A prune is taken back in one step: "next" would begin another rotation. */
	{{PHASE__MAX, F, STATE_IDLE, EVENT_REVERT_PRUNE, NEW, STATE__MAX}, STATE_CLIENTS_SWITCHED, NULL, NULL},
	{{PHASE__MAX, F, STATE_IDLE, EVENT_REVERT_PRUNE, NEW, STATE__MAX}, STATE_TRUSTED,
		"'revert --prune' does not lead from idle to trusted", FROM_THERE},
	{{PHASE__MAX, F, STATE_TRUSTED, EVENT_EMERGENCY, NEW, STATE__MAX}, STATE_TRUSTED,
		"'next --emergency' does not lead from trusted to trusted", SEE_NEXT},
	/* What is no transition at all leads nowhere. */
	{{PHASE__MAX, F, STATE_TRUSTED, EVENT_FIRST, REFUSED, STATE__MAX}, STATE_IDLE,
		"the environment has a chain already", "type 'certrotate next' to rotate it"},
};
/* clang-format on */

START_TEST(an_event_leads)
{
	const struct reach *reach = &reaches[_i];
	struct store store = under_way(&reach->choice);
	struct err err = {0};
	int rc = plan_reaches(&store, reach->choice.event, reach->to, &err);

	ck_assert_int_eq(rc, reach->refusal ? ERR_USAGE : 0);
	if (!reach->refusal)
		return;
	ck_assert_str_eq(err.msg, reach->refusal);
	ck_assert_str_eq(err.hint, reach->hint);
}
END_TEST

Suite *choose_suite(void)
{
	Suite *suite = suite_create("choosing the transition");
	TCase *tc = tcase_create("choosing the transition");

	tcase_add_loop_test(tc, an_event_means, 0, sizeof(choices) / sizeof(choices[0]));
	tcase_add_loop_test(tc, an_event_leads, 0, sizeof(reaches) / sizeof(reaches[0]));
	suite_add_tcase(suite, tc);
	return suite;
}
