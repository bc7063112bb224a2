/* SPDX-License-Identifier: PostgreSQL */
/* Whole phases in a clone, and what stands in their way: every refusal's words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/scene.h"

static struct err err;

/* The next phase is refused with that code and these words; hint NULL: none is looked for. */
static void refused(int code, const char *message, const char *hint)
{
	int rc = scene_run(EVENT_NEXT, STATE__MAX, &err);

	ck_assert_msg(rc == code, "%d, not %d: %s", rc, code, err.msg);
	ck_contains(err.msg, message);
	if (hint)
		ck_contains(err.hint, hint);
}

/* ---- the remote */

START_TEST(a_base_that_moves_while_it_is_read)
{
	scene_at_fetch("colleague");
	refused(ERR_LOCK, "the branch dev moves too fast: try again", NULL);
	ck_assert_int_eq(scene_plays(), 0);
}
END_TEST

START_TEST(a_base_that_moves_at_each_push_of_the_edit)
{
	scene_at_push("colleague");
	refused(ERR_LOCK, "the branch dev moves too fast: try again", NULL);
	ck_contains(scene_log(), "the branch dev moved on: the commit is made anew on its tip\n");
	ck_assert_int_eq(scene_plays(), 0);
}
END_TEST

START_TEST(a_base_that_moves_at_each_push_of_the_result)
{
	scene_behind_push("[ \"$subject\" != 'certrotate poc: trust' ] || touch \"$HOME/moves\"");
	scene_at_push("[ ! -e \"$HOME/moves\" ] || colleague");
	refused(ERR_LOCK, "the branch dev moves too fast: try again", NULL);
	ck_assert_int_eq(scene_plays(), 1);
	scene_at_push(NULL);
	ck_ok(scene_run(EVENT_NEXT, STATE_TRUSTED, &err), &err);
	ck_assert_int_eq(scene_plays(), 1);
}
END_TEST

START_TEST(a_remote_that_does_not_take_the_commit)
{
	scene_sh("touch origin.git/refs/heads/dev.lock");
	refused(ERR_LOCK, "refs/heads/dev.lock", NULL);
	scene_sh("rm origin.git/refs/heads/dev.lock && cd origin.git/hooks && printf "
		 "'#!/bin/sh\\necho no ticket >&2; exit 1\\n' >pre-receive && chmod 755 "
		 "pre-receive");
	refused(ERR_FAIL, "no ticket", NULL);
	ck_assert_int_eq(scene_plays(), 0);
}
END_TEST

START_TEST(a_remote_that_goes_while_the_base_moves)
{
	scene_at_push("colleague; touch \"$HOME/gone\"");
	scene_at_fetch("[ ! -e \"$HOME/gone\" ] || exit 1");
	refused(ERR_FAIL, "git fetch", NULL);
	ck_assert_int_eq(scene_plays(), 0);
	ck_assert_str_eq(scene_says("git -C work status --porcelain"), "");
}
END_TEST

START_TEST(a_remote_that_goes_before_the_rollout)
{
	scene_behind_push("touch \"$HOME/gone\"");
	scene_at_fetch("[ ! -e \"$HOME/gone\" ] || exit 1");
	refused(ERR_FAIL, "git fetch", NULL);
	ck_assert_int_eq(scene_plays(), 0);
	scene_behind_push(NULL);
	scene_sh("rm gone");
	ck_ok(scene_run(EVENT_NEXT, STATE_TRUSTED, &err), &err);
	ck_assert_int_eq(scene_plays(), 1);
}
END_TEST

/* ---- merge requests */

#define SSH                                                                                        \
	"#!/bin/sh\nshift\ncd \"$HOME\" && "                                                       \
	"eval \"$(echo \"$*\" | sed \"s#'[^']*'#origin.git#\")\"\n"

START_TEST(a_branch_that_waits_for_its_merge)
{
	char *path = test_path("bin/ssh");

	test_write(path, SSH);
	free(path);
	scene_configure(SCENE_QUIET "  git: {flow: merge_request}\n");
	scene_sh("chmod 755 bin/ssh && cd work && git config core.sshCommand \"$HOME/bin/ssh\" && "
		 "git config ssh.variant simple && git push -q origin "
		 "start:refs/heads/certrotate/poc "
		 "start:refs/heads/certrotate/poc-notes && "
		 "git config remote.origin.url git@gitlab.example.com:dba/inventory.git");
	refused(ERR_GATE, "waiting for the merge of certrotate/poc-trust-r", "");
	ck_contains(err.hint,
		    "open the merge request at https://gitlab.example.com/dba/inventory/-/"
		    "merge_requests/new?merge_request%5Bsource_branch%5D=certrotate%2Fpoc-trust-r");
	ck_contains(err.hint, "; once it is merged, type 'certrotate next' again");
	/* somebody's own branches below the same names, which hold no state, are none of ours */
	refused(ERR_GATE, "waiting for the merge of certrotate/poc-trust-r", "");
	ck_assert_str_eq(scene_says("git -C origin.git branch --list 'certrotate/poc-*' | wc -l"),
			 "2");
	ck_assert_int_eq(scene_plays(), 0);
	/* a state that is damaged there is one */
	scene_sh("cd work && git checkout -q -b broken && echo '{' >.certrotate/poc/state.json && "
		 "git commit -q -a -m broken && git push -q -f origin HEAD:certrotate/poc && "
		 "git checkout -q dev");
	refused(ERR_FAIL, "refs/remotes/origin/certrotate/poc:.certrotate/poc/state.json",
		"git log -- .certrotate/poc/state.json");
}
END_TEST

/* ---- first */

START_TEST(a_first_chain_is_refused_where_there_was_one)
{
	scene_first();
	scene_sh("cd work && git rm -q -r environments/poc/group_vars && mkdir -p "
		 "environments/poc/group_vars/all && git commit -q -m gone && git push -q origin "
		 "HEAD:dev");
	refused(ERR_USAGE, "certs.yml is not in the branch dev: the environment has no chain yet",
		"type 'certrotate next --first'");
	ck_assert_int_eq(scene_run(EVENT_FIRST, STATE__MAX, &err), ERR_USAGE);
	ck_contains(err.msg, "certs.yml was in the repository already (commit ");
	ck_contains(err.hint, "bring the file back with git");
}
END_TEST

/* ---- the operator */

static bool answer_no(void *ctx, const struct plan *plan)
{
	(void)ctx;
	(void)plan;
	return false;
}

static bool answer_and_stop(void *ctx, const struct plan *plan)
{
	(void)plan;
	loop_stop_request(ctx);
	return true;
}

START_TEST(no_is_an_answer)
{
	struct run_options options = {.event = EVENT_NEXT, .to = STATE__MAX, .confirm = answer_no};

	ck_assert_int_eq(runner_run(&scene_options, &options, &err), ERR_STOPPED);
	ck_assert_str_eq(err.msg, "not confirmed: nothing was changed");
	options.confirm = answer_and_stop;
	options.ctx = &scene_stop;
	ck_assert_int_eq(runner_run(&scene_options, &options, &err), ERR_STOPPED);
	ck_assert_str_eq(err.msg, "stopped as asked: the inventory was not changed");
	ck_assert_str_eq(scene_says("git -C origin.git log -1 --format=%%s dev"),
			 "certrotate poc: settle generate");
}
END_TEST

/* ---- an emergency */

static void lose_the_census(void *ctx, const struct plan *plan, const struct json *entry)
{
	(void)ctx;
	(void)plan;
	(void)entry;
	scene_sh("mkdir work/.git/certrotate/poc/census.json");
}

START_TEST(behind_an_emergency_the_census_may_be_unknown)
{
	struct run_options options = {.event = EVENT_EMERGENCY,
				      .to = STATE__MAX,
				      .reason = "a key leaked",
				      .done = lose_the_census};

	ck_ok(runner_run(&scene_options, &options, &err), &err);
	ck_contains(scene_log(), "census.json");
	ck_contains(scene_log(), ": who is still connected with an old certificate is not known\n");
}
END_TEST

/* ---- looking */

START_TEST(without_the_network_the_last_fetch_is_shown)
{
	struct session_options nowhere = scene_options;
	struct session session;

	nowhere.env = "prod";
	ck_assert_int_eq(runner_look(&session, &nowhere, &err), ERR_USAGE);
	ck_contains(err.msg, "prod");
	scene_sh("mv origin.git away");
	ck_ok(runner_look(&session, &scene_options, &err), &err);
	ck_assert_int_eq(session.store.state, STATE_GENERATED);
	session_close(&session);
	ck_contains(scene_log(), "; what is shown is as of the last fetch\n");
	scene_sh("git -C work update-ref -d refs/remotes/origin/dev");
	ck_assert_int_eq(runner_look(&session, &scene_options, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "there is no branch 'dev' on origin");
	ck_contains(err.hint, "set git.base in certrotate.yml to the branch that is live");
}
END_TEST

/* As after a power cut: what is lost must not pass for an environment without a chain. */
START_TEST(a_folder_that_is_lost_in_the_clone_is_no_missing_chain)
{
	struct session session;

	scene_first();
	scene_sh("mv work/.git/objects/pack away && cd work && "
		 "cat ../away/*.pack | git unpack-objects -q && "
		 "id=$(git rev-parse HEAD:environments/poc) && "
		 "rm -f .git/objects/$(echo $id | cut -c 1-2)/$(echo $id | cut -c 3-)");
	ck_assert_int_eq(runner_look(&session, &scene_options, &err), ERR_FAIL);
	ck_contains(err.msg, "cannot find environments/poc/group_vars/all/certs.yml in commit ");
}
END_TEST

START_TEST(without_a_remote_the_branch_is_the_clones_own)
{
	scene_configure(SCENE_QUIET "  git: {base: live, push: false}\n");
	refused(ERR_USAGE, "there is no branch 'live'", "set git.base in certrotate.yml");
	ck_assert_ptr_null(strstr(err.msg, " on "));
}
END_TEST

Suite *runner_suite(void)
{
	Suite *suite = suite_create("runner");
	TCase *tc = tcase_create("phases");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_checked_fixture(tc, scene_setup, scene_teardown);
	tcase_add_test(tc, a_base_that_moves_while_it_is_read);
	tcase_add_test(tc, a_base_that_moves_at_each_push_of_the_edit);
	tcase_add_test(tc, a_base_that_moves_at_each_push_of_the_result);
	tcase_add_test(tc, a_remote_that_does_not_take_the_commit);
	tcase_add_test(tc, a_remote_that_goes_while_the_base_moves);
	tcase_add_test(tc, a_remote_that_goes_before_the_rollout);
	tcase_add_test(tc, a_branch_that_waits_for_its_merge);
	tcase_add_test(tc, behind_an_emergency_the_census_may_be_unknown);
	tcase_add_test(tc, a_first_chain_is_refused_where_there_was_one);
	tcase_add_test(tc, no_is_an_answer);
	tcase_add_test(tc, without_the_network_the_last_fetch_is_shown);
	tcase_add_test(tc, a_folder_that_is_lost_in_the_clone_is_no_missing_chain);
	tcase_add_test(tc, without_a_remote_the_branch_is_the_clones_own);
	suite_add_tcase(suite, tc);
	return suite;
}
