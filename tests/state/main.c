/* SPDX-License-Identifier: PostgreSQL */
#include "tests/state/suites.h"

int main(void)
{
	static Suite *(*const suites[])(void) = {table_suite,	    choose_suite,
						 store_suite,	    journal_suite,
						 damage_suite,	    generation_suite,
						 target_suite,	    waiver_suite,
						 prove_suite,	    expect_suite,
						 judge_suite,	    reached_suite,
						 census_suite,	    hosts_suite,
						 transitions_suite, genfile_suite,
						 runner_suite,	    rollout_suite,
						 reports_suite,	    unfinished_suite,
						 survey_suite,	    issue_suite,
						 lock_suite,	    asked_suite,
						 drift_suite,	    gates_suite,
						 canary_suite,	    looks_suite,
						 holdings_suite,    members_suite,
						 hooks_suite,	    hooks_team_suite,
						 hooks_wave_suite,  notify_suite,
						 deliver_suite,	    merge_suite,
						 seen_suite,	    NULL};

	int rc = test_main(suites);

	notify_suite_end();
	merge_suite_end();
	return rc;
}
