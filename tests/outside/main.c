/* SPDX-License-Identifier: PostgreSQL */
#include "tests/outside/suites.h"

int main(void)
{
	Suite *(*const suites[])(void) = {
		exec_hook_suite,
		NULL,
	};

	return test_main(suites);
}
