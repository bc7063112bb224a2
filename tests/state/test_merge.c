/* SPDX-License-Identifier: PostgreSQL */
/* What merge requests say, whatever names and reasons hold, and what is remembered of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "git/repo.h"
#include "state/merge_note.h"
#include "state/merge_text.h"
#include "tests/state/scene.h"

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

START_TEST(what_was_seen_is_remembered)
{
	struct merge_request request = {.number = 17,
					.name = (char[]){"!17"},
					.url = (char[]){"https://git.example.com/17"},
					.state = MERGE_OPEN,
					.draft = true};
	struct merge_comment kept = {.branch = (char[]){"b"},
				     .base = (char[]){"dev"},
				     .marker = (char[]){"<!-- m -->"},
				     .text = (char[]){"t"}};
	struct merge_comment comment;
	struct merge_note note;
	char *path;

	begin();
	ck_assert(!merge_note_load(&note, &session, NULL));
	merge_note_keep(&session, "certrotate/poc-trust-r3", "merge request", &request);
	ck_assert(!merge_note_load(&note, &session, "certrotate/poc-trust-r5"));
	ck_assert(merge_note_load(&note, &session, "certrotate/poc-trust-r3"));
	ck_assert_int_eq(note.number, 17);
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
	ck_assert(!merge_comment_load(&comment, &session));
	ck_ok(merge_comment_keep(&session, &kept, &err), &err);
	ck_assert(merge_comment_load(&comment, &session));
	ck_assert_str_eq(comment.marker, "<!-- m -->");
	merge_comment_release(&comment);
	merge_comment_drop(&session);
	ck_assert(!merge_comment_load(&comment, &session));
	session_close(&session);
}
END_TEST

Suite *merge_suite(void)
{
	Suite *suite = suite_create("merge");
	TCase *tc = tcase_create("merge");

	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_checked_fixture(tc, scene_setup, scene_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, names_cannot_act_in_a_text);
	tcase_add_test(tc, evidence_cannot_act_either);
	tcase_add_test(tc, what_was_seen_is_remembered);
	suite_add_tcase(suite, tc);
	return suite;
}
