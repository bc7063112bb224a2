/* SPDX-License-Identifier: PostgreSQL */
/* What a look knows from the one before, and when that counts for nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "state/seen.h"
#include "state/survey.h"
#include "tests/state/scene.h"

#define KEPT   "work/.git/certrotate/.seen"
#define CERTS  "environments/poc/group_vars/all/certs.yml"
#define A_YEAR ((int64_t)366 * 86400)

static struct session_shared shared;
static struct session session;
static struct survey survey;
static struct seen seen;
static struct err err;

static void forget(void)
{
	survey_release(&survey);
	session_close(&session);
	seen_release(&seen);
	session_shared_close(&shared);
}

static void setup(void)
{
	scene_setup();
	memset(&session, 0, sizeof(session));
	session.lock = -1;
}

static void teardown(void)
{
	forget();
	scene_teardown();
}

/* As each_environment does it, a process each. */
static int look(int64_t warning)
{
	int rc;

	forget();
	ck_ok(session_shared_open(&shared, &scene_options, &err), &err);
	seen_load(&seen, shared.repo);
	shared.seen = &seen;
	ck_ok(session_open_in(&session, &scene_options, &shared, &err), &err);
	ck_ok(session_load_known(&session, &err), &err);
	rc = survey_make(&survey, &session, warning, &err);
	seen_save(&seen, shared.repo);
	return rc;
}

static const struct finding *found(const char *check)
{
	for (size_t i = 0; i < survey.findings.count; i++) {
		if (!strcmp(survey.findings.items[i].check, check))
			return &survey.findings.items[i];
	}
	return NULL;
}

static void commit_line(const char *path, const char *line)
{
	scene_sh("cd work && printf '%%s\\n' '%s' >>%s && git add %s && git commit -q -m hand && "
		 "git push -q origin HEAD:dev && git fetch -q",
		 line, path, path);
}

START_TEST(what_is_the_same_is_not_read_again)
{
	char *name, *next, *rotation;
	int64_t expiry;
	size_t findings;

	ck_ok(look(0), &err);
	ck_assert(survey.has_live);
	ck_assert(!session.in_brief);
	name = strdup(survey.first_name);
	next = strdup(survey.next);
	rotation = strdup(session.store.rotation);
	expiry = survey.first_expiry;
	findings = survey.findings.count;
	ck_assert_str_eq(scene_says("stat -c %%a " KEPT), "600");
	ck_ok(look(0), &err);
	ck_assert(!survey.has_live);
	ck_assert(session.in_brief);
	ck_assert_str_eq(survey.first_name, name);
	ck_assert_str_eq(survey.next, next);
	ck_assert_int_eq(survey.first_expiry, expiry);
	ck_assert_uint_eq(survey.findings.count, findings);
	ck_assert_int_eq(session.store.state, STATE_GENERATED);
	ck_assert_int_eq(session.store.phase, PHASE_GENERATE);
	ck_assert_str_eq(session.store.rotation, rotation);
	ck_assert_str_eq(session.store.old_gen, "g1");
	ck_assert_str_eq(session.store.new_gen, "g2");
	ck_assert_ptr_null(session.store.retired_gen);
	free(name);
	free(next);
	free(rotation);
}
END_TEST

START_TEST(another_file_in_the_base_changes_nothing)
{
	ck_ok(look(0), &err);
	commit_line("notes.txt", "by hand");
	ck_ok(look(0), &err);
	ck_assert(!session.in_brief);
	ck_assert(!survey.has_live);
	/* and now that commit is known */
	ck_ok(look(0), &err);
	ck_assert(session.in_brief);
	ck_assert(!survey.has_live);
}
END_TEST

START_TEST(what_was_changed_by_hand_is_found)
{
	ck_ok(look(0), &err);
	scene_sh("cd work && grep -q '\"db1.example.com\": |' " CERTS
		 " && sed -i s/db1.example.com/db9.example.com/ " CERTS
		 " && git commit -q -am hand && git push -q origin HEAD:dev && git fetch -q");
	ck_ok(look(0), &err);
	ck_assert(survey.has_live);
	ck_assert(survey.findings.count > 0);
	/* what is wrong is looked at each time */
	ck_ok(look(0), &err);
	ck_assert(survey.has_live);
	ck_assert(survey.findings.count > 0);
}
END_TEST

START_TEST(another_state_is_read)
{
	ck_ok(look(0), &err);
	scene_to(STATE_TRUSTED);
	ck_ok(look(0), &err);
	ck_assert(survey.has_live);
	ck_assert_int_eq(session.store.state, STATE_TRUSTED);
	ck_ok(look(0), &err);
	ck_assert(!survey.has_live);
	ck_assert_int_eq(session.store.state, STATE_TRUSTED);
}
END_TEST

START_TEST(a_state_that_cannot_be_read_is_said)
{
	ck_ok(look(0), &err);
	scene_sh("cd work && sed -i s/generated/idle/ .certrotate/poc/state.json && "
		 "git commit -q -am hand && git push -q origin HEAD:dev && git fetch -q");
	forget();
	ck_ok(session_shared_open(&shared, &scene_options, &err), &err);
	seen_load(&seen, shared.repo);
	shared.seen = &seen;
	ck_ok(session_open_in(&session, &scene_options, &shared, &err), &err);
	ck_assert_int_eq(session_load_known(&session, &err), ERR_FAIL);
	ck_contains(err.msg, "'sum' is not that of its content");
}
END_TEST

START_TEST(what_is_near_its_end_is_named)
{
	ck_ok(look(0), &err);
	ck_ok(look(A_YEAR), &err);
	ck_assert(survey.has_live);
	ck_assert(!session.in_brief);
	ck_assert_ptr_nonnull(found("expiry"));
	ck_ok(look(0), &err);
	ck_assert(!survey.has_live);
	ck_assert_ptr_null(found("expiry"));
}
END_TEST

START_TEST(a_damaged_record_counts_for_nothing)
{
	static const char *const damages[] = {"sed -i 's/\\t[0-9]*\\tserver/\\t1\\tserver/' " KEPT,
					      "truncate -s -2 " KEPT,
					      "sed -i '1s/0/1/' " KEPT,
					      "printf 'poc\\n' >" KEPT,
					      ": >" KEPT,
					      "printf '\\0' >>" KEPT};

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		ck_ok(look(0), &err);
		ck_ok(look(0), &err);
		ck_assert(!survey.has_live);
		scene_sh("%s", damages[i]);
		ck_ok(look(0), &err);
		ck_assert_msg(survey.has_live && !session.in_brief, "%s", damages[i]);
		ck_assert_int_gt(survey.first_expiry, A_YEAR);
	}
}
END_TEST

START_TEST(what_was_begun_here_is_compared_with_the_history)
{
	struct journal journal;

	ck_ok(look(0), &err);
	scene_sh("mkdir -p -m 700 work/.git/certrotate/poc");
	ck_ok(journal_open(&journal, session.journal.path, scene_options.sys, &err), &err);
	ck_ok(journal_write(&journal, "r", "trust", "forward", "publish", "begin", NULL, NULL,
			    &err),
	      &err);
	journal_release(&journal);
	ck_ok(look(0), &err);
	ck_assert(!session.in_brief);
	ck_assert(!survey.has_live);
	ck_assert_ptr_nonnull(found("interrupted"));
}
END_TEST

START_TEST(nothing_is_made_where_nobody_has_worked)
{
	scene_sh("rm -rf work/.git/certrotate");
	ck_ok(look(0), &err);
	ck_assert_str_eq(scene_says("ls -d work/.git/certrotate 2>/dev/null || echo none"), "none");
	scene_sh("mkdir elsewhere && ln -s ../../elsewhere work/.git/certrotate");
	ck_ok(look(0), &err);
	ck_assert_str_eq(scene_says("ls -A elsewhere"), "");
}
END_TEST

Suite *seen_suite(void)
{
	Suite *suite = suite_create("seen");
	TCase *tc = tcase_create("seen");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_the_same_is_not_read_again);
	tcase_add_test(tc, another_file_in_the_base_changes_nothing);
	tcase_add_test(tc, what_was_changed_by_hand_is_found);
	tcase_add_test(tc, another_state_is_read);
	tcase_add_test(tc, a_state_that_cannot_be_read_is_said);
	tcase_add_test(tc, what_is_near_its_end_is_named);
	tcase_add_test(tc, a_damaged_record_counts_for_nothing);
	tcase_add_test(tc, what_was_begun_here_is_compared_with_the_history);
	tcase_add_test(tc, nothing_is_made_where_nobody_has_worked);
	suite_add_tcase(suite, tc);
	return suite;
}
