/* SPDX-License-Identifier: PostgreSQL */
#include "tests/outside/suites.h"

int main(void)
{
	Suite *(*const suites[])(void) = {
		exec_hook_suite,   delivery_suite, template_suite,    webhook_suite,
		forge_place_suite, forge_suite,	   forge_token_suite, NULL,
	};

	int rc = test_main(suites);

	webhook_suite_end();
	return rc;
}
