/* SPDX-License-Identifier: PostgreSQL */
#include "tests/vault/vault_tests.h"

int main(void)
{
	Suite *(*const suites[])(void) = {vault_suite,	  damage_suite, ansible_suite,
					  password_suite, script_suite, NULL};

	return test_main(suites);
}
