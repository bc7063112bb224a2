/* SPDX-License-Identifier: PostgreSQL */
/* What status finds, and looks at endpoints that nobody answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/survey.h"
#include "state/verify.h"
#include "tests/state/scene.h"

static struct session session;
static struct survey survey;
static struct err err;

static void setup(void)
{
	scene_setup();
	memset(&session, 0, sizeof(session));
	session.lock = -1;
}

static void teardown(void)
{
	survey_release(&survey);
	session_close(&session);
	scene_teardown();
}

static int look(void)
{
	session_close(&session);
	ck_ok(runner_look(&session, &scene_options, &err), &err);
	return survey_make(&survey, &session, 0, &err);
}

static const struct finding *found(const char *check)
{
	for (size_t i = 0; i < survey.findings.count; i++) {
		if (!strcmp(survey.findings.items[i].check, check))
			return &survey.findings.items[i];
	}
	return NULL;
}

static int64_t end;

static int64_t at_the_end(struct sys *sys)
{
	(void)sys;
	return end;
}

START_TEST(what_has_expired_is_refused_today)
{
	const struct finding *expired;
	char *first;

	ck_ok(look(), &err);
	ck_assert_ptr_null(found("expired"));
	end = survey.first_expiry;
	first = strdup(survey.first_name);
	survey_release(&survey);
	session.sys->now = at_the_end;
	/* this time the chain's description is there already */
	ck_ok(survey_make(&survey, &session, 0, &err), &err);
	expired = found("expired");
	ck_assert_ptr_nonnull(expired);
	ck_assert_int_eq(expired->severity, SEVERITY_BLOCK);
	ck_assert_str_eq(survey.first_name, first);
	ck_contains(expired->reason, "expired at 20");
	ck_assert_str_eq(expired->advice,
			 "it is refused today: 'certrotate next --emergency REASON'");
	free(first);
}
END_TEST

START_TEST(what_keeps_drift_from_being_known_is_said)
{
	const struct finding *unknown;

	scene_sh("cd work && git rm -q .certrotate/poc/g2.yml && git commit -q -m gone && "
		 "git push -q origin HEAD:dev");
	ck_ok(look(), &err);
	unknown = found("drift-unknown");
	ck_assert_ptr_nonnull(unknown);
	ck_assert_int_eq(unknown->severity, SEVERITY_WARNING);
	ck_assert_str_eq(unknown->subject, "poc");
	ck_assert_str_eq(unknown->reason,
			 "whether the inventory is as the state says is not known: "
			 ".certrotate/poc/g2.yml is not in the branch dev, and the state names g2");
	ck_contains(unknown->advice, "take them back from git");
	ck_assert(!survey_drifted(&survey));
}
END_TEST

START_TEST(a_description_that_is_not_committed_is_the_checkouts)
{
	scene_sh("cd work && git rm -q --cached config/chainsmith_poc.yml && git commit -q -m own "
		 "&& "
		 "git push -q origin HEAD:dev");
	ck_ok(look(), &err);
	ck_assert_ptr_null(found("drift-unknown"));
	ck_assert_ptr_null(found("drift"));
}
END_TEST

START_TEST(without_its_certificates_nothing_can_be_said)
{
	scene_sh("cd work && git rm -q environments/poc/group_vars/all/certs.yml && "
		 "git commit -q -m gone && git push -q origin HEAD:dev");
	ck_assert_int_ne(look(), 0);
	ck_contains(err.msg, "environments/poc/group_vars/all/certs.yml");
	ck_assert_uint_eq(survey.findings.count, 0);
	ck_assert_ptr_null(survey.next);
}
END_TEST

/* ---- endpoints */

static int no_random(struct sys *sys, void *out, size_t len, struct err *why)
{
	(void)sys;
	memset(out, 0, len);
	return err_set(why, ERR_MACHINE, "no random bytes");
}

START_TEST(looks_at_who_does_not_answer)
{
	struct arena *arena = arena_new((size_t)1 << 20);
	struct verify_input in = {.patience_ms = 60000};
	struct verify_result result;
	struct generation gen;
	struct test_chain chain = {0};
	struct target target;

	scene_configure(
		"  census: {samples: 0}\n  endpoints:\n"
		"    - {name: rest.example.com, address: 127.0.0.1, port: 1, protocol: tls}\n"
		"    - {name: db1.example.com, address: 127.0.0.1, port: 1}\n");
	ck_ok(runner_look(&session, &scene_options, &err), &err);
	fixture_generation(&gen, arena, &chain, "g1", BOTH_AUTHORITIES);
	ck_ok(target_init(&target, STATE_IDLE, &gen, NULL, &err), &err);
	in.target = &target;
	/* the pauses between two looks are random */
	session.sys->random = no_random;
	ck_assert_int_eq(verify_run(&result, &session, &in, &err), ERR_MACHINE);
	ck_assert_str_eq(err.msg, "no random bytes");
	ck_assert_uint_eq(result.findings.count, 0);
	ck_assert_ptr_null(result.evidence);
	in.patience_ms = 0;
	ck_ok(verify_run(&result, &session, &in, &err), &err);
	ck_assert_uint_eq(result.findings.count, 3);
	ck_assert_str_eq(result.findings.items[0].reason, "127.0.0.1 port 1: connection refused");
	ck_assert_str_eq(result.findings.items[2].check, "client-login");
	ck_assert_int_eq(result.findings.items[2].severity, SEVERITY_WARNING);
	ck_assert_str_eq(result.findings.items[2].reason,
			 "no client certificate with a key to log in with: nobody tried");
	verify_release(&result);
	target_release(&target);
	generation_release(&gen);
	test_chain_release(&chain);
	arena_free(arena);
}
END_TEST

Suite *survey_suite(void)
{
	Suite *suite = suite_create("survey");
	TCase *tc = tcase_create("survey");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_has_expired_is_refused_today);
	tcase_add_test(tc, what_keeps_drift_from_being_known_is_said);
	tcase_add_test(tc, a_description_that_is_not_committed_is_the_checkouts);
	tcase_add_test(tc, without_its_certificates_nothing_can_be_said);
	tcase_add_test(tc, looks_at_who_does_not_answer);
	suite_add_tcase(suite, tc);
	return suite;
}
