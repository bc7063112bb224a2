/* SPDX-License-Identifier: PostgreSQL */
/*
 * Each trap that a rotation can fall into: what the proof says of it, and what a real PostgreSQL
 * with a real libpq does then.
 */
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/differential/bed.h"
#include "tests/differential/judge.h"
#include "tests/differential/traps.h"
#include "tests/support/support.h"

static struct bed *bed;
static const struct scene *good;

static enum proof_generation shown_by(const struct trap *trap)
{
	return trap->old_shown ? PROOF_OLD : PROOF_NEW;
}

/* ---- what the proof says */

static void expect_finding(const char *trap, const struct findings *list, const char *check,
			   enum severity severity, const char *part)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct finding *finding = &list->items[i];

		if (!strcmp(finding->check, check) && finding->severity == severity &&
		    strstr(finding->reason, part)) {
			ck_assert_msg(finding->advice[0], "%s: no advice", trap);
			return;
		}
	}
	for (size_t i = 0; i < list->count; i++)
		(void)fprintf(stderr, "%s %s: %s\n", severity_name(list->items[i].severity),
			      list->items[i].check, list->items[i].reason);
	ck_abort_msg("%s: no finding %s (%s) with '%s'", trap, check, severity_name(severity),
		     part);
}

static void ask_proof(const struct trap *trap, const struct scene *scene)
{
	struct exam exam = {.purpose = trap->purpose,
			    .name = trap->user,
			    .bundle = {scene->bundle},
			    .bundle_live = trap->today,
			    .end = trap->end};
	struct proof_result result;
	bool blocks = false;

	for (int g = 0; g < PROOF__MAX; g++) {
		if (!trap->both && g != (int)shown_by(trap))
			continue;
		exam.leaf[g] = scene->leaf[g];
		exam.key[g] = scene->key[g];
		exam.live[g] = trap->today;
	}
	if (trap->host)
		exam.hosts[0] = trap->host;
	exam_run(&result, &exam);
	for (size_t i = 0; i < SAYS_MAX && trap->says[i].check; i++) {
		expect_finding(trap->name, &result.findings, trap->says[i].check,
			       trap->says[i].severity, trap->says[i].part);
		blocks |= trap->says[i].severity == SEVERITY_BLOCK;
	}
	if (trap->quiet)
		ck_assert_msg(result.findings.count == 0, "%s: the proof says %s", trap->name,
			      result.findings.items[0].reason);
	if (!blocks)
		ck_assert_msg(findings_count(&result.findings, SEVERITY_BLOCK) == 0,
			      "%s: the proof blocks: %s", trap->name,
			      result.findings.items[0].reason);
	proof_result_release(&result);
}

/* ---- what really happens */

static struct party good_server(void)
{
	return (struct party){.leaf = good[VERIFY_SERVER].leaf[PROOF_NEW],
			      .key = good[VERIFY_SERVER].key[PROOF_NEW],
			      .bundle = good[VERIFY_CLIENT].bundle};
}

/* A reload passes over them, with a line in the log only; the next restart is the end. */
static void expect_not_taken(const struct trap *trap, const struct party *server)
{
	struct party restored = good_server();
	char *log = bed_serve(bed, server);

	ck_assert_msg(log, "%s: the reload takes it", trap->name);
	ck_contains(log, trap->said);
	free(log);
	log = bed_restart(bed, server);
	ck_assert_msg(log, "%s: the server starts with it", trap->name);
	ck_contains(log, trap->said);
	ck_contains(log, "FATAL");
	free(log);
	ck_assert_ptr_null(bed_restart(bed, &restored));
}

static void expect_login(const struct trap *trap, struct login *login, bool accepted)
{
	bed_login(bed, login, 1);
	ck_assert_msg(login->ok == accepted, "%s: the login %s: %s", trap->name,
		      login->ok ? "succeeds" : "fails", login->said);
	if (!accepted)
		ck_assert_msg(strstr(login->said, trap->said), "%s: '%s' is not in '%s'",
			      trap->name, trap->said, login->said);
}

static void ask_postgres(const struct trap *trap, const struct scene *scene)
{
	const bool of_client = trap->purpose == VERIFY_CLIENT || trap->as_client;
	const struct party shown = {.leaf = scene->leaf[shown_by(trap)],
				    .key = scene->key[shown_by(trap)]};
	struct party server = good_server();
	char *own = forge_join(scene->made[shown_by(trap)][RANK_CA].pem, good[VERIFY_CLIENT].bundle,
			       (char *)NULL);
	struct login login = {.host = trap->host, .user = trap->user, .tls12 = trap->tls12};
	char *refusal;

	if (of_client) {
		server.bundle = scene->bundle;
		login.client = shown;
	} else {
		server.leaf = shown.leaf;
		server.key = shown.key;
		login.client.bundle = scene->bundle;
		if (trap->own_ca)
			server.bundle = own;
	}
	if (trap->real == NOT_TAKEN) {
		expect_not_taken(trap, &server);
	} else {
		refusal = bed_serve(bed, &server);
		ck_assert_msg(!refusal, "%s: the reload does not take it: %s", trap->name, refusal);
		expect_login(trap, &login, trap->real != REFUSED);
	}
	if (trap->real == LAPSES) {
		(void)sleep(TRAP_LIFE_S + 1);
		expect_login(trap, &login, false);
	}
	free(own);
}

START_TEST(trap_is_told_and_real)
{
	const struct trap *trap = &traps[_i];
	struct scene scene;

	scene_plan(&scene, trap->purpose);
	if (trap->plan)
		trap->plan(&scene);
	scene_make(&scene);
	if (trap->files)
		trap->files(&scene);
	ask_proof(trap, &scene);
	ask_postgres(trap, &scene);
	if (trap->strict)
		ck_assert_int_eq(X509_check_host(scene.made[shown_by(trap)][RANK_LEAF].x509,
						 BED_HOST, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
						 NULL),
				 0);
	scene_release(&scene);
}
END_TEST

Suite *traps_suite(struct bed *real, const struct scene faultless[VERIFY__MAX])
{
	Suite *suite = suite_create("traps");
	TCase *tc = tcase_create("real");

	bed = real;
	good = faultless;
	tcase_add_loop_test(tc, trap_is_told_and_real, 0, (int)trap_count);
	suite_add_tcase(suite, tc);
	return suite;
}
