/* SPDX-License-Identifier: PostgreSQL */
#include "tests/proc/suites.h"

int main(void)
{
	Suite *(*const suites[])(void) = {
		loop_suite,	     child_suite,	    child_end_suite,
		filter_suite,	     recap_suite,	    ansible_suite,
		ansible_check_suite, ansible_program_suite, NULL};

	return test_main(suites);
}
