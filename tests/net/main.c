/* SPDX-License-Identifier: PostgreSQL */
#include "tests/net/http_bed.h"
#include "tests/net/suites.h"

int main(void)
{
	static Suite *(*const suites[])(void) = {resolve_suite, listener_suite,	  tls_suite,
						 probe_suite,	login_suite,	  reason_suite,
						 http_suite,	http_retry_suite, NULL};
	int rc = test_main(suites);

	fixture_stop();
	http_bed_stop();
	return rc;
}
