/* SPDX-License-Identifier: PostgreSQL */
#include "tests/safety/safety_tests.h"

int main(void)
{
	Suite *(*const suites[])(void) = {
		proof_suite,  trap_suite,	    leaf_suite,	  handshake_suite,
		tls12_suite,  differential_suite,   census_suite, census_gate_suite,
		access_suite, access_compare_suite, forged_suite, census_wave_suite,
		NULL};

	return test_main(suites);
}
