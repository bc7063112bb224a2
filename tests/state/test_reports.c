/* SPDX-License-Identifier: PostgreSQL */
/* What a playbook leaves about each host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/scene.h"

Suite *reports_suite(void)
{
	Suite *suite = suite_create("reports");

	return suite;
}
