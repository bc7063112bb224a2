/* SPDX-License-Identifier: PostgreSQL */
/* Which forge it is, where its project's pages and its API are. */
#include <stdlib.h>
#include <string.h>

#include "outside/forge_place.h"
#include "outside/forge_table.h"
#include "tests/outside/suites.h"

static struct err err;
static const struct forge_config nothing = {.kind = FORGE__MAX};

#define GITLAB                                                                                     \
	"/-/merge_requests/new?merge_request%5Bsource_branch%5D=certrotate%2Fpoc%2Ftrust"          \
	"&merge_request%5Btarget_branch%5D=dev"
#define PATHS "/compare/dev...certrotate/poc/trust"

START_TEST(links_are_made_for_known_hosts)
{
	static const struct {
		const char *url, *link;
	} cases[] = {
		{"git@gitlab.com:dba/pg/infra.git", "https://gitlab.com/dba/pg/infra" GITLAB},
		{"ssh://git@gitlab.example.com:2222/dba/pg.git",
		 "https://gitlab.example.com/dba/pg" GITLAB},
		{"https://oauth2:secret@gitlab.example.com:8443/a/b.git/",
		 "https://gitlab.example.com:8443/a/b" GITLAB},
		{"http://gitlab.lan/a/b", "http://gitlab.lan/a/b" GITLAB},
		{"git@altssh.gitlab.com:a/b.git", "https://gitlab.com/a/b" GITLAB},
		{"git@github.com:o/r.git", "https://github.com/o/r" PATHS "?expand=1"},
		{"ssh://git@ssh.github.com:443/o/r.git",
		 "https://github.com/o/r" PATHS "?expand=1"},
		{"https://GitHub.com/o/r", "https://GitHub.com/o/r" PATHS "?expand=1"},
		{"https://codeberg.org/o/r.git", "https://codeberg.org/o/r" PATHS},
		{"forgejo@forgejo.example.com:o/r", "https://forgejo.example.com/o/r" PATHS},
		{"https://gitea.example.com:3000/o/r.git",
		 "https://gitea.example.com:3000/o/r" PATHS},
		{"https://gitlab.com/a b/c&d.git", "https://gitlab.com/a%20b/c%26d" GITLAB},
		{"https://git.example.com/o/r.git", ""},
		{"/srv/gitlab/o/r.git", ""},
		{"file:///srv/gitlab/o/r.git", ""},
		{"../gitlab:x/y", ""},
		{"https://gitlab.com/", ""},
		{"https://gitlab.com/only", ""},
		{"https://", ""},
		{"", ""},
		{"https://gitlab.com'x/o/r", ""},
	};
	struct forge_place place;
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		ck_ok(forge_place_find(&place, &nothing, cases[i].url, &err), &err);
		ck_ok(forge_place_page(&out, &place, "certrotate/poc/trust", "dev", &err), &err);
		ck_assert_msg(!strcmp(out.data, cases[i].link), "%s: %s", cases[i].url, out.data);
		forge_place_release(&place);
	}
	buf_release(&out);
}
END_TEST

START_TEST(what_is_configured_goes_before_the_remote)
{
	const struct {
		struct forge_config config;
		const char *remote, *page;
	} cases[] = {
		{{.kind = FORGE_FORGEJO},
		 "git@git.example.com:o/r",
		 "https://git.example.com/o/r/compare/dev...b"},
		{{.kind = FORGE__MAX, .url = (char[]){"https://gitlab.lan:8443/git"}},
		 "ssh://git@gitlab.lan:2222/o/r.git",
		 "https://gitlab.lan:8443/git/o/r/-/merge_requests/new?merge_request%5B"
		 "source_branch%5D=b&merge_request%5Btarget_branch%5D=dev"},
		/* the prefix is no group */
		{{.kind = FORGE_GITHUB, .url = (char[]){"https://git.lan/hub"}},
		 "https://git.lan/hub/o/r.git",
		 "https://git.lan/hub/o/r/compare/dev...b?expand=1"},
		{{.kind = FORGE_GITHUB, .url = (char[]){"https://git.lan/hub"}},
		 "https://git.lan/hubs/r.git",
		 "https://git.lan/hub/hubs/r/compare/dev...b?expand=1"},
		{{.kind = FORGE_FORGEJO,
		  .url = (char[]){"https://git.lan"},
		  .project = (char[]){"x/y"}},
		 "/srv/git/inventory.git",
		 "https://git.lan/x/y/compare/dev...b"},
		{{.kind = FORGE_FORGEJO, .project = (char[]){"x/y"}},
		 "git@git.lan:a/b",
		 "https://git.lan/x/y/compare/dev...b"},
		{{.kind = FORGE_FORGEJO}, "/srv/git/inventory.git", ""},
	};
	struct forge_place place;
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		ck_ok(forge_place_find(&place, &cases[i].config, cases[i].remote, &err), &err);
		ck_ok(forge_place_page(&out, &place, "b", "dev", &err), &err);
		ck_assert_msg(!strcmp(out.data, cases[i].page), "%zu: %s", i, out.data);
		forge_place_release(&place);
	}
	buf_release(&out);
}
END_TEST

START_TEST(calls_are_encoded)
{
	static const struct {
		const char *remote, *find, *comments;
	} cases[] = {
		{"git@gitlab.com:dba/pg/in fra.git",
		 "https://gitlab.com/api/v4/projects/dba%2Fpg%2Fin%20fra/"
		 "merge_requests?state=all&scope=all"
		 "&source_branch=certrotate%2Fp%26oc&target_branch=dev%23&order_by=created_at&sort="
		 "desc"
		 "&per_page=100&page=3",
		 "https://gitlab.com/api/v4/projects/dba%2Fpg%2Fin%20fra/merge_requests/17/"
		 "notes?sort=desc"
		 "&order_by=created_at&per_page=100&page=3"},
		{"git@github.com:o/r.git",
		 "https://api.github.com/repos/o/r/"
		 "pulls?state=all&head=o:certrotate%2Fp%26oc&base=dev%23"
		 "&sort=created&direction=desc&per_page=100&page=3",
		 "https://api.github.com/repos/o/r/issues/17/comments?per_page=100&page=3"},
		{"https://github.example.com:8443/o/r.git",
		 "https://github.example.com:8443/api/v3/repos/o/r/"
		 "pulls?state=all&head=o:certrotate%2F"
		 "p%26oc&base=dev%23&sort=created&direction=desc&per_page=100&page=3",
		 "https://github.example.com:8443/api/v3/repos/o/r/issues/17/"
		 "comments?per_page=100&page=3"},
		{"https://codeberg.org/o/r",
		 "https://codeberg.org/api/v1/repos/o/r/"
		 "pulls?state=all&sort=recentupdate&limit=50&page=3",
		 "https://codeberg.org/api/v1/repos/o/r/issues/17/comments"},
	};
	struct forge_place place;
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct forge_form *form;

		ck_ok(forge_place_find(&place, &nothing, cases[i].remote, &err), &err);
		ck_ok(forge_place_check(&place, "origin", &err), &err);
		form = forge_form(place.kind);
		buf_reset(&out);
		ck_ok(forge_place_call(&out, &place, form->find, "certrotate/p&oc", "dev#", 17, 3,
				       &err),
		      &err);
		ck_assert_str_eq(out.data, cases[i].find);
		buf_reset(&out);
		ck_ok(forge_place_call(&out, &place, form->comments, NULL, NULL, 17, 3, &err),
		      &err);
		ck_assert_str_eq(out.data, cases[i].comments);
		forge_place_release(&place);
	}
	buf_release(&out);
}
END_TEST

START_TEST(what_does_not_follow_is_named)
{
	static const struct {
		const char *remote, *message, *hint;
	} cases[] = {
		{"/srv/git/inventory.git",
		 "which project of a forge the remote origin is does not follow from its URL",
		 "set git.forge.url and git.forge.project in certrotate.yml, or take the token out "
		 "of it"},
		{"git@git.example.com:o/r",
		 "whether https://git.example.com is GitLab, GitHub or Forgejo does not follow "
		 "from its name",
		 "set git.forge.kind in certrotate.yml"},
		{"http://gitlab.lan:8080/o/r",
		 "http://gitlab.lan:8080: a token is not sent without TLS",
		 "set git.forge.url in certrotate.yml to the https:// address"},
	};
	struct forge_place place;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_ok(forge_place_find(&place, &nothing, cases[i].remote, &err), &err);
		ck_assert_int_eq(forge_place_check(&place, "origin", &err), ERR_USAGE);
		ck_assert_str_eq(err.msg, cases[i].message);
		ck_assert_str_eq(err.hint, cases[i].hint);
		forge_place_release(&place);
	}
}
END_TEST

Suite *forge_place_suite(void)
{
	Suite *suite = suite_create("forge_place");
	TCase *tcase = tcase_create("place");

	tcase_add_test(tcase, links_are_made_for_known_hosts);
	tcase_add_test(tcase, what_is_configured_goes_before_the_remote);
	tcase_add_test(tcase, calls_are_encoded);
	tcase_add_test(tcase, what_does_not_follow_is_named);
	suite_add_tcase(suite, tcase);
	return suite;
}
