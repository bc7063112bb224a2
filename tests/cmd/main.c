/* SPDX-License-Identifier: PostgreSQL */
#include "tests/cmd/suites.h"

int main(void)
{
	static Suite *(*const suites[])(void) = {options_suite, wrap_suite,	manual_suite,
						 census_suite,	findings_suite, show_suite,
						 NULL};

	return test_main(suites);
}
