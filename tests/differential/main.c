/* SPDX-License-Identifier: PostgreSQL */
/*
 * The proof against the real thing:
 *
 *   differential [--cases N] [--seed S] [--no-traps]
 *
 * First each named trap and each style of text, then N random pairs of chains, from another seed
 * each time. One that failed is tried again with --no-traps --seed S --cases 1. Ends with 1 where
 * they disagree, with 2 where it could not be tried.
 */
#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/differential/bed.h"
#include "tests/differential/compare.h"
#include "tests/differential/random.h"
#include "tests/differential/traps.h"

#define CASES_DEFAULT 30
#define SHARE_LEAST   10 /* of accepted and of refused ones, in 100: else nothing is compared */
#define PROGRESS      100

struct options {
	uint64_t seed;
	size_t cases;
	bool traps;
	const char *dir;
};

static int run_suites(struct bed *bed, const struct scene *good)
{
	SRunner *runner = srunner_create(traps_suite(bed, good));
	int failed;

	srunner_add_suite(runner, texts_suite(bed, good));
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? -1 : 0;
}

static int run_random(struct bed *bed, const struct party *good, const struct options *options)
{
	struct tally tally = {.dir = options->dir};
	time_t began = time(NULL);
	size_t least;

	(void)printf("differential: %zu cases, seed %llu\n", options->cases,
		     (unsigned long long)options->seed);
	pool_fill();
	for (size_t i = 0; i < options->cases; i++) {
		(void)fflush(stdout);
		compare_case(&tally, bed, good, options->seed + i);
		if (!(tally.cases % PROGRESS))
			(void)printf("differential: %zu cases, %zu disagreements\n", tally.cases,
				     tally.disagreements);
	}
	pool_release();
	(void)printf(
		"differential: %zu cases, %zu combinations of leaf and bundle: %zu accepted (%zu "
		"with TLS 1.3 only, %zu texts that the proof does not take), %zu refused\n",
		tally.cases, tally.combinations, tally.accepted, tally.tls13_only, tally.stricter,
		tally.refused);
	(void)printf(
		"differential: %zu reloads, %zu logins; %zu got in by what the peer's own bundle "
		"adds, %lld s: %zu disagreements\n",
		tally.reloads, tally.logins, tally.completed, (long long)(time(NULL) - began),
		tally.disagreements);
	least = options->cases >= CASES_DEFAULT ? tally.combinations * SHARE_LEAST / 100 : 0;
	if (tally.accepted < least || tally.refused < least) {
		(void)fprintf(stderr, "differential: too few of one kind to compare anything\n");
		return -1;
	}
	return tally.disagreements ? -1 : 0;
}

static void parse(struct options *out, int argc, char **argv)
{
	static const struct option longs[] = {{"cases", required_argument, NULL, 'c'},
					      {"seed", required_argument, NULL, 's'},
					      {"no-traps", no_argument, NULL, 't'},
					      {NULL, 0, NULL, 0}};
	int option;

	/* BUILD of BUILD/tests/differential */
	*out = (struct options){.dir = dirname(dirname(argv[0])),
				.seed = (uint64_t)time(NULL) * 1000000,
				.cases = CASES_DEFAULT,
				.traps = true};
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 'c') {
			out->cases = strtoul(optarg, NULL, 10);
		} else if (option == 's') {
			out->seed = strtoull(optarg, NULL, 10);
		} else if (option == 't') {
			out->traps = false;
		} else {
			(void)fprintf(stderr,
				      "usage: differential [--cases N] [--seed S] [--no-traps]\n");
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct scene good[VERIFY__MAX];
	struct options options;
	struct party server;
	struct bed bed;
	int rc = 0;

	parse(&options, argc, argv);
	for (int purpose = 0; purpose < VERIFY__MAX; purpose++) {
		scene_plan(&good[purpose], (enum verify_purpose)purpose);
		scene_make(&good[purpose]);
	}
	server = (struct party){.leaf = good[VERIFY_SERVER].leaf[PROOF_NEW],
				.key = good[VERIFY_SERVER].key[PROOF_NEW],
				.bundle = good[VERIFY_CLIENT].bundle};
	bed_open(&bed, &server);
	if (options.traps)
		rc = run_suites(&bed, good);
	if (options.cases && run_random(&bed, &server, &options))
		rc = -1;
	bed_close(&bed);
	for (int purpose = 0; purpose < VERIFY__MAX; purpose++)
		scene_release(&good[purpose]);
	scene_keys_release();
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
