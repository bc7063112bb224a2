/* SPDX-License-Identifier: PostgreSQL */
#include "tests/inventory/suites.h"

int main(void)
{
	static Suite *(*const suites[])(void) = {
		yaml_suite,
		certs_suite,
		config_suite,
		config_errors_suite,
		chain_suite,
		hosts_suite,
		repopath_suite,
		certs_random_suite,
		certs_refused_suite,
		certs_files_suite,
		config_check_suite,
		config_git_suite,
		NULL,
	};

	return test_main(suites);
}
