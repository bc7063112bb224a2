/* SPDX-License-Identifier: PostgreSQL */
/* Playbooks of a phase: what is passed over, what runs again, what is said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/scene.h"

Suite *rollout_suite(void)
{
	Suite *suite = suite_create("rollout");

	return suite;
}
