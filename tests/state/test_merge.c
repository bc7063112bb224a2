/* SPDX-License-Identifier: PostgreSQL */
/* What merge requests say, whatever names and reasons hold, and what is remembered of them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "git/repo.h"
#include "state/merge.h"
#include "state/merge_note.h"
#include "state/merge_text.h"
#include "tests/state/scene.h"
#include "tests/support/httpd.h"

/* What a forge would take for a table, markup, a mention or a command. */
#define HOSTILE	 "`/close` | @all <!-- [x](javascript:y) **"
#define HARMLESS "`'/close' | @all <!-- [x](javascript:y) **"

static struct err err;
static struct session session;

static void begin(void)
{
	ck_ok(session_open(&session, &scene_options, &err), &err);
	ck_ok(session_fetch(&session, &err), &err);
	ck_ok(session_load(&session, &err), &err);
	ck_ok(session_make_local(&session, NULL, &err), &err);
}

START_TEST(names_cannot_act_in_a_text)
{
	struct strs refs = STRS_INIT;
	struct merge_text text;
	struct oid tip;

	scene_sh("git config --file \"$HOME/.gitconfig\" user.name '" HOSTILE "'; cd work && "
		 "git config user.name '" HOSTILE "'");
	scene_configure(SCENE_QUIET "  git: {flow: merge_request}\n");
	ck_assert_int_eq(scene_run(EVENT_NEXT, STATE__MAX, &err), ERR_GATE);
	begin();
	ck_ok(repo_refs_below(&refs, session.repo, "refs/remotes/origin/certrotate/poc-", &err),
	      &err);
	ck_assert_uint_eq(refs.count, 1);
	ck_ok(repo_ref(&tip, session.repo, refs.items[0], &err), &err);
	ck_ok(merge_text_make(&text, &session, &tip, &err), &err);
	ck_assert_str_eq(text.title, "certrotate poc: trust");
	ck_assert(str_starts(text.text, text.marker));
	ck_assert(str_starts(text.marker, MERGE_MARK));
	ck_contains(text.marker, "/trust/forward ");
	ck_contains(text.marker, tip.hex);
	/* git itself takes the angle bracket out of a name */
	ck_contains(text.text, "Opened by `'/close' | @all !-- [x](javascript:y) ** <");
	ck_assert_ptr_null(strstr(text.text, "`/close"));
	ck_contains(text.text, "\n    certrotate next --env poc\n");
	ck_contains(text.text, "- `environments/poc/group_vars/all/certs.yml`\n");
	ck_contains(text.text,
		    "\n**The new chain** `g2`\n\n| certificate | valid until |\n|---|---|\n");
	ck_contains(text.text, "    On the way from generated to trusted. Proven before: ");
	ck_assert_ptr_null(strstr(text.text, "Certrotate-"));
	ck_assert_ptr_null(strstr(text.text, "PRIVATE"));
	/* commits of others on top of it change nothing but where it is */
	scene_sh("cd work && git checkout -q -b side %s && echo x >>notes && git add notes && "
		 "git commit -q -m more && git checkout -q dev",
		 refs.items[0]);
	merge_text_release(&text);
	ck_ok(repo_ref(&tip, session.repo, "refs/heads/side", &err), &err);
	ck_ok(merge_text_make(&text, &session, &tip, &err), &err);
	ck_assert_str_eq(text.title, "certrotate poc: trust");
	merge_text_release(&text);
	strs_release(&refs);
	session_close(&session);
}
END_TEST

START_TEST(evidence_cannot_act_either)
{
	static const char entry_text[] =
		"{\"rotation\": \"r\", \"phase\": \"trust\", \"direction\": \"forward\", \"to\": "
		"\"trusted\", \"outcome\": \"completed\", \"by\": \"" HOSTILE
		"\", \"host\": \"h\", "
		"\"proof\": {\"leaves\": 8, \"pairs\": 12, \"handshakes\": 3}, \"rollout\": "
		"[{\"playbook\": \"a.yml\", \"hosts\": [\"db1\", \"db2\"], \"changed\": 1, \"ms\": "
		"2500}], \"probes\": {\"leaves\": [1], \"logins\": [1, 2]}, \"findings\": "
		"[{\"check\": "
		"\"x\", \"severity\": \"warning\", \"subject\": \"\\n/merge\", \"reason\": "
		"\"@all\", "
		"\"waived\": true}], \"waivers\": [{\"gate\": \"g\", \"subject\": \"s\", "
		"\"reason\": "
		"\"`\", \"by\": \"me\"}]}";
	struct json *entry;
	struct buf text;
	char *marker;

	begin();
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(js_parse(&entry, entry_text, strlen(entry_text), "entry", &err), &err);
	ck_ok(merge_text_evidence(&marker, &text, &session, entry, &err), &err);
	ck_assert_str_eq(marker, "<!-- certrotate r/trust/forward evidence -->");
	ck_contains(text.data, "**completed**: `trust` in `poc`. The state is now `trusted`: ");
	ck_contains(text.data, "- by " HARMLESS "` on `h`");
	ck_contains(text.data, "- proven: 8 leaves, 12 pairs of leaf and bundle, 3 handshakes\n");
	ck_contains(text.data, "- rolled out with `a.yml`: 2 hosts, 1 changed, 2 s\n");
	ck_contains(text.data, "- probed: 1 endpoint, 2 logins; ");
	ck_contains(text.data, "- waived warning: `\\x0a/merge`: `@all`\n");
	ck_contains(text.data, "- `g` of `s`: `'`, by `me`\n");
	/* no line begins with what GitLab takes for a command */
	ck_assert_ptr_null(strstr(text.data, "\n/"));
	free(marker);
	js_free(entry);
	buf_release(&text);
	session_close(&session);
}
END_TEST

/* GitHub refuses a comment of more than 65,536 characters, and would do so for ever. */
START_TEST(evidence_fits_into_a_comment)
{
	struct json *entry = js_new_object(), *findings = js_new_array();
	struct buf text, reason;
	char *marker;

	buf_init(&reason, 4096);
	while (reason.len < 2000)
		buf_adds(&reason, "\xc3\xbc");
	for (int i = 0; i < 40; i++) {
		struct json *finding = js_new_object();

		(void)js_set_str(finding, "severity", "warning");
		(void)js_set_str(finding, "subject", "db1.example.com");
		(void)js_set_str(finding, "reason", i < 15 ? reason.data : "short");
		(void)js_push(findings, finding);
	}
	(void)js_set(entry, "findings", findings);
	begin();
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(merge_text_evidence(&marker, &text, &session, entry, &err), &err);
	ck_assert_uint_lt(text.len, 65536);
	ck_contains(text.data, "\xc3\xbc …`\n");
	ck_contains(text.data, "- and 10 more\n");
	ck_contains(text.data, "<details>");
	free(marker);
	buf_release(&text);
	while (js_count(js_get(entry, "waivers")) < 30) {
		struct json *waiver = js_new_object();

		if (!js_get(entry, "waivers"))
			(void)js_set(entry, "waivers", js_new_array());
		(void)js_set_str(waiver, "reason", reason.data);
		(void)js_push(js_get(entry, "waivers"), waiver);
	}
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(merge_text_evidence(&marker, &text, &session, entry, &err), &err);
	ck_assert_uint_lt(text.len, 65536);
	ck_contains(text.data, "`certrotate log --json` has all of it");
	free(marker);
	js_free(entry);
	buf_release(&text);
	buf_release(&reason);
	session_close(&session);
}
END_TEST

START_TEST(what_was_seen_is_remembered)
{
	struct merge_request request = {.number = 17,
					.name = (char[]){"!17"},
					.url = (char[]){"https://git.example.com/17"},
					.state = MERGE_OPEN,
					.draft = true};
	struct merge_note note;
	char *path;

	begin();
	ck_assert(!merge_note_load(&note, &session, NULL));
	merge_note_keep(&session, "certrotate/poc-trust-r3", 3, "merge request", &request);
	ck_assert(!merge_note_load(&note, &session, "certrotate/poc-trust-r5"));
	ck_assert(merge_note_load(&note, &session, "certrotate/poc-trust-r3"));
	ck_assert_int_eq(note.number, 17);
	ck_assert_int_eq(note.revision, 3);
	ck_assert_str_eq(note.name, "!17");
	ck_assert_str_eq(note.thing, "merge request");
	ck_assert_str_eq(note.url, "https://git.example.com/17");
	ck_assert_int_eq(note.state, MERGE_OPEN);
	ck_assert(note.draft);
	merge_note_release(&note);
	/* it may be anything, or gone: then the forge is asked */
	path = str_fmt("%s/merge.json", session.local_dir);
	test_write(path, "{\"name\": 5");
	ck_assert(!merge_note_load(&note, &session, NULL));
	free(path);
	merge_note_drop(&session);
	merge_note_drop(&session);
	session_close(&session);
}
END_TEST

/* ---- with a forge beside it */

#define LIST   "/api/v4/projects/dba%2Finventory/merge_requests"
#define LIST_F "/api/v4/projects/dba%%2Finventory/merge_requests" /* in a format */
#define ONE(state)                                                                                 \
	"{\"iid\": 17, \"state\": \"" state "\", \"sha\": \"%s\", \"web_url\": "                   \
	"\"https://git.example.com/17\", \"source_branch\": \"%s\", \"target_branch\": \"dev\", "  \
	"\"source_project_id\": 1, \"target_project_id\": 1}"
#define NEXT_IS_AWAITED ck_assert_int_eq(scene_run(EVENT_NEXT, STATE__MAX, &err), ERR_GATE)

static struct httpd httpd;

static void serve(void)
{
	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	if (!httpd.pid)
		ck_ok(httpd_start(&httpd, &err), &err);
}

void merge_suite_end(void)
{
	if (httpd.pid)
		httpd_stop(&httpd);
}

/* token: git.forge's keys for it. */
static void with_forge(const char *token)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       SCENE_QUIET "  rollout: {trust: [], servers: []}\n"
				   "  git:\n    flow: merge_request\n    forge: {kind: gitlab, "
				   "project: dba/inventory, ca_file: %s, %s,\n"
				   "            url: 'https://localhost:%u'}\n",
		       httpd.ca_file, token, httpd.good);
	scene_configure(text);
	scene_sh("(umask 077; echo a-token >token)");
}

/* What the forge says: opened it is, later found in that state, and commented. */
static void forge_says(const char *state, const char *branch, int comment)
{
	char one[512], text[4096], source[128];
	const char *tip;

	(void)snprintf(source, sizeof(source), "%s", branch);
	tip = scene_says("git -C origin.git for-each-ref --format='%%(objectname)' refs/heads/%s",
			 source);
	(void)snprintf(one, sizeof(one), ONE("%s"), state, tip, source);
	(void)snprintf(text, sizeof(text),
		       "{\"POST " LIST_F "\": [{\"status\": 201, \"json\": " ONE(
			       "opened") "}], \"GET " LIST_F "\": [{\"json\": [%s]}], \"GET " LIST_F
					 "/17\": [{\"json\": %s}], \"GET " LIST_F
					 "/17/notes\": [{\"json\": []}], "
					 "\"POST " LIST_F
					 "/17/notes\": [{\"status\": %d, \"json\": {}}]}",
		       tip, source, one, one, comment);
	httpd_script(&httpd, text);
}

static size_t posted(const char *path)
{
	struct json *requests = httpd_requests(&httpd);
	size_t count = 0;

	for (size_t i = 0; i < js_count(requests); i++)
		count += !strcmp(js_str(js_at(requests, i), "method", ""), "POST") &&
			 !strcmp(js_str(js_at(requests, i), "path", ""), path);
	js_free(requests);
	return count;
}

/* The branch that waits, in a buffer of its own. */
static const char *waiting(void)
{
	return scene_says("git -C origin.git for-each-ref --format='%%(refname:short)' "
			  "'refs/heads/certrotate/poc-*'");
}

static void merge_it(void)
{
	scene_sh("git -C origin.git update-ref refs/heads/dev %s", waiting());
}

START_TEST(closed_with_its_branch_deleted_is_abandoned_too)
{
	with_forge("token_file: ~/token");
	forge_says("opened", "x", 201);
	NEXT_IS_AWAITED;
	ck_contains(err.hint, "merge request !17 (https://git.example.com/17) is open");
	scene_sh("git -C origin.git update-ref -d refs/heads/%s", waiting());
	forge_says("closed", "x", 201);
	NEXT_IS_AWAITED;
	ck_contains(err.msg, "merge request !17 https://git.example.com/17 was closed without "
			     "being merged, and its branch certrotate/poc-trust-r");
	ck_contains(err.msg, " is gone: the phase is abandoned");
	ck_contains(err.hint, "the same command again begins afresh");
	ck_assert_uint_eq(posted(LIST), 0);
	/* said once */
	NEXT_IS_AWAITED;
	ck_assert_uint_eq(posted(LIST), 1);
}
END_TEST

START_TEST(a_branch_that_is_gone_is_not_taken_for_the_phase_before)
{
	with_forge("token_file: ~/token");
	forge_says("opened", "x", 201);
	NEXT_IS_AWAITED;
	scene_sh("git -C origin.git update-ref -d refs/heads/%s", waiting());
	forge_says("merged", "x", 201);
	ck_assert_int_eq(scene_run(EVENT_REVERT, STATE__MAX, &err), ERR_GATE);
	ck_contains(err.msg, "GitLab says that merge request !17 https://git.example.com/17 is "
			     "merged, but dev on origin does not have it, and its branch ");
	/* nor for anything where the forge does not know it any more */
	NEXT_IS_AWAITED;
	scene_sh("git -C origin.git update-ref -d refs/heads/%s", waiting());
	httpd_script(&httpd, "{\"*\": [{\"status\": 404}], \"POST " LIST
			     "\": [{\"status\": 201, \"json\": {\"iid\": 18, \"state\": "
			     "\"opened\"}}]}");
	NEXT_IS_AWAITED;
	ck_contains(err.hint, "merge request !18 is open");
	/* nor where it cannot be asked */
	scene_sh("git -C origin.git update-ref -d refs/heads/%s", waiting());
	httpd_script(&httpd, "{\"*\": [{\"status\": 403}], \"POST " LIST
			     "\": [{\"status\": 201, \"json\": {\"iid\": 19, \"state\": "
			     "\"opened\"}}]}");
	NEXT_IS_AWAITED;
	ck_contains(err.hint, "merge request !19 is open");
	ck_contains(scene_log(), " is gone, and whether its merge request was closed is not known: "
				 "GET https://localhost:");
}
END_TEST

/* It may have gone elsewhere: what the hint promises has to work. */
START_TEST(what_is_merged_elsewhere_can_be_taken_back)
{
	with_forge("token_file: ~/token");
	forge_says("opened", "x", 201);
	NEXT_IS_AWAITED;
	forge_says("merged", waiting(), 201);
	NEXT_IS_AWAITED;
	ck_contains(err.hint, "'certrotate revert' takes the branch back");
	ck_ok(scene_run(EVENT_REVERT, STATE__MAX, &err), &err);
	ck_contains(scene_log(), "GitLab says that merge request !17 is merged, but dev on origin "
				 "does not have it");
	ck_assert_str_eq(waiting(), "");
}
END_TEST

START_TEST(what_is_merged_in_the_meantime_is_not_taken_back)
{
	char branch[128];

	with_forge("token_file: ~/token");
	forge_says("opened", "x", 201);
	NEXT_IS_AWAITED;
	(void)snprintf(branch, sizeof(branch), "%s", waiting());
	forge_says("merged", branch, 201);
	/* the first fetch does not see it yet */
	scene_at_fetch(
		"[ ! -e $HOME/seen ] || git -C $HOME/origin.git update-ref "
		"refs/heads/dev \"$(git -C $HOME/origin.git for-each-ref "
		"--format='%(objectname)' 'refs/heads/certrotate/poc-*')\"; touch $HOME/seen");
	ck_assert_int_eq(scene_run(EVENT_REVERT, STATE__MAX, &err), ERR_GATE);
	ck_contains(err.msg, "merge request !17 is merged already, GitLab says");
	ck_contains(err.hint, "type the command again");
	ck_assert_str_eq(waiting(), branch);
}
END_TEST

/* The program that gives the token is run when the evidence is about to be posted. */
START_TEST(evidence_is_kept_before_it_is_posted)
{
	with_forge("token_command: [sh, -c, 'cp .git/certrotate/poc/comment.json ../kept; "
		   "echo a-token']");
	forge_says("opened", "x", 201);
	NEXT_IS_AWAITED;
	merge_it();
	forge_says("merged", waiting(), 201);
	ck_ok(scene_run(EVENT_NEXT, STATE__MAX, &err), &err);
	scene_sh("grep -q '<!-- certrotate .*/trust/forward evidence -->' kept");
	ck_assert_uint_eq(posted(LIST "/17/notes"), 1);
	scene_sh("[ ! -e work/.git/certrotate/poc/comment.json ]");
}
END_TEST

START_TEST(evidence_of_each_phase_waits_for_the_forge)
{
	with_forge("token_file: ~/token");
	scene_sh("mkdir -p -m 700 work/.git/certrotate/poc; echo '[{\"branch\": "
		 "\"certrotate/poc-generate-r1\", \"base\": \"dev\", \"marker\": \"<!-- m -->\", "
		 "\"text\": \"t\"}]' >work/.git/certrotate/poc/comment.json");
	forge_says("merged", "certrotate/poc-generate-r1", 403);
	NEXT_IS_AWAITED;
	merge_it();
	httpd_script(&httpd, "{\"*\": [{\"status\": 403}]}");
	ck_ok(scene_run(EVENT_NEXT, STATE__MAX, &err), &err);
	ck_contains(scene_log(), "the evidence was not posted to the merge request of "
				 "certrotate/poc-generate-r1, the next call tries again: ");
	begin();
	{
		struct json *kept = merge_comments_load(&session);

		ck_assert_uint_eq(js_count(kept), 2);
		ck_assert_str_eq(js_str(js_at(kept, 0), "marker", ""), "<!-- m -->");
		ck_contains(js_str(js_at(kept, 1), "marker", ""), "/trust/forward evidence");
		js_free(kept);
	}
	/* when it is back, both; of the first it knows nothing any more */
	forge_says("merged", waiting(), 201);
	merge_evidence_post(&session);
	ck_assert_uint_eq(posted(LIST "/17/notes"), 1);
	scene_sh("[ ! -e work/.git/certrotate/poc/comment.json ]");
	session_close(&session);
}
END_TEST

/* The word and the branch would have the same revision: the branch was forgotten, and made again.
 */
START_TEST(no_word_is_taken_while_a_merge_is_awaited)
{
	struct waivers waivers = {0};
	struct run_options options = {.event = EVENT_NEXT, .to = STATE__MAX, .waivers = &waivers};
	enum direction direction;
	enum phase phase;
	bool known;

	scene_to(STATE_TRUSTED);
	scene_configure(SCENE_QUIET "  rollout: {servers: []}\n  git: {flow: merge_request}\n"
				    "applications:\n  shop: {users: [application]}\n");
	ck_ok(waivers_add(&waivers, "application=shop:in time for the next phase", &err), &err);
	ck_assert_int_eq(runner_run(&scene_options, &options, &err), ERR_GATE);
	ck_contains(err.msg, "waiting for the merge of certrotate/poc-servers-r");
	ck_assert_int_eq(
		runner_ack(&scene_options, "shop", "Ann", &phase, &direction, &known, &err),
		ERR_GATE);
	ck_contains(err.msg, "nothing can be confirmed now: waiting for the merge of "
			     "certrotate/poc-servers-r");
	ck_contains(err.hint, "take the branch back with 'certrotate revert'");
	ck_assert_int_eq(runner_run(&scene_options, &options, &err), ERR_GATE);
	ck_assert_ptr_null(strchr(waiting(), '\n'));
	waivers_release(&waivers);
}
END_TEST

Suite *merge_suite(void)
{
	Suite *suite = suite_create("merge");
	TCase *tc = tcase_create("merge");

	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_unchecked_fixture(tc, serve, NULL);
	tcase_add_checked_fixture(tc, scene_setup, scene_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, names_cannot_act_in_a_text);
	tcase_add_test(tc, evidence_cannot_act_either);
	tcase_add_test(tc, evidence_fits_into_a_comment);
	tcase_add_test(tc, what_was_seen_is_remembered);
	tcase_add_test(tc, closed_with_its_branch_deleted_is_abandoned_too);
	tcase_add_test(tc, a_branch_that_is_gone_is_not_taken_for_the_phase_before);
	tcase_add_test(tc, what_is_merged_elsewhere_can_be_taken_back);
	tcase_add_test(tc, what_is_merged_in_the_meantime_is_not_taken_back);
	tcase_add_test(tc, evidence_is_kept_before_it_is_posted);
	tcase_add_test(tc, evidence_of_each_phase_waits_for_the_forge);
	tcase_add_test(tc, no_word_is_taken_while_a_merge_is_awaited);
	suite_add_tcase(suite, tc);
	return suite;
}
