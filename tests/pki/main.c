/* SPDX-License-Identifier: PostgreSQL */
#include "tests/pki/suites.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	static Suite *(*const suites[])(void) = {
		key_suite,    bundle_suite,	dn_suite,     issue_suite, verify_suite,
		covers_suite, chainsmith_suite, pkcs12_suite, hmac_suite,  packed_suite,
		NULL,
	};
	struct err err = {0};

	if (key_harden_process(&err)) {
		(void)fprintf(stderr, "%s\n", err.msg);
		return EXIT_FAILURE;
	}
	return test_main(suites);
}
