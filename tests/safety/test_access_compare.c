/* SPDX-License-Identifier: PostgreSQL */
/* What becomes of a user's login between an old certificate and a new one. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/safety/rules.h"
#include "tests/safety/safety_tests.h"

static struct err err;

static struct findings report(const struct access *access, const char *user,
			      const struct access_leaf *old, const struct access_leaf *newer)
{
	struct findings findings = FINDINGS_INIT;
	struct access_report *report;

	ck_ok(access_report_new(&report, &err), &err);
	ck_ok(access_report_add(report, access, user, old, newer, &err), &err);
	ck_ok(access_report_findings(&findings, report, &err), &err);
	access_report_free(report);
	return findings;
}

/* old CN and DN, new ones; the one finding */
static const struct {
	const char *rules, *maps, *user;
	struct access_leaf old, newer;
	enum severity severity;
	const char *subject, *reason, *advice;
} compared[] = {
	{"hostssl all all all cert",
	 "",
	 "app",
	 {"app", "CN=app,O=A"},
	 {"app", "CN=app,O=B"},
	 SEVERITY__MAX,
	 NULL,
	 NULL,
	 NULL},
	{"hostssl all all all cert",
	 "",
	 "app",
	 {"app", "CN=app"},
	 {"App", "CN=App"},
	 SEVERITY_BLOCK,
	 "client app",
	 "on db1.example.com, pg_hba.conf line 1 (hostssl all all all cert) lets in the CN 'app' "
	 "of "
	 "the old certificate as role app, not the new one's 'App'",
	 "issue the new certificate with the CN app, or give that line a map that knows both "
	 "names"},
	{"hostssl all all all cert clientname=DN map=dn",
	 "dn CN=app,O=A app",
	 "app",
	 {"app", "CN=app,O=A"},
	 {"app", "CN=app,O=B"},
	 SEVERITY_BLOCK,
	 "client app",
	 "on db1.example.com, pg_hba.conf line 1 (hostssl all all all cert clientname=DN map=dn), "
	 "map 'dn', lets in the DN 'CN=app,O=A' of the old certificate as role app, not the new "
	 "one's 'CN=app,O=B'",
	 "before clients are switched, add this line to pg_ident.conf there and reload: dn "
	 "\"CN=app,O=B\" app"},
	/* the role has another name than the user */
	{"hostssl all owner all cert map=dn clientname=DN",
	 "dn CN=svc,O=A owner",
	 "svc",
	 {"svc", "CN=svc,O=A"},
	 {"svc", "CN=svc,O=B"},
	 SEVERITY_BLOCK,
	 "client svc",
	 "of the old certificate as role owner, not",
	 "dn \"CN=svc,O=B\" owner"},
	/* another rule does not help those who come from the first one's addresses */
	{"hostssl all app 10.0.0.0 255.0.0.0 cert map=m\nhostssl all all all md5",
	 "m a app",
	 "app",
	 {"a", "CN=a"},
	 {"b", "CN=b"},
	 SEVERITY_BLOCK,
	 "client app",
	 "line 1",
	 "m \"b\" app"},
	/* both fail, or both are the same */
	{"hostssl all all all cert map=m",
	 "m x app",
	 "app",
	 {"a", "CN=a"},
	 {"b", "CN=b"},
	 SEVERITY_WARNING,
	 "client app",
	 "does not let in the CN 'b' of the new certificate, nor the old one as role app",
	 "the login fails today and will fail"},
	{"hostssl all all all cert map=m",
	 "m x app",
	 "app",
	 {"a", "CN=a"},
	 {"a", "CN=a"},
	 SEVERITY_WARNING,
	 "client app",
	 "nor the old one",
	 "fails today"},
	/* gets in as another role: it is not his own name that he uses */
	{"hostssl all all all cert map=m",
	 "m a owner",
	 "app",
	 {"a", "CN=a"},
	 {"a", "CN=a"},
	 SEVERITY__MAX,
	 NULL,
	 NULL,
	 NULL},
	/* what cannot be known does not matter where the name stays the same */
	{"hostssl all all all cert map=m",
	 NULL,
	 "app",
	 {"a", "CN=a"},
	 {"a", "CN=a"},
	 SEVERITY__MAX,
	 NULL,
	 NULL,
	 NULL},
	{"hostssl all all all cert map=m",
	 NULL,
	 "app",
	 {"a", "CN=a"},
	 {"b", "CN=b"},
	 SEVERITY_INFO,
	 "server db1.example.com",
	 "whether the new certificate of app gets in is not known: pg_hba.conf line 1 (hostssl all "
	 "all all cert map=m): map 'm' is in pg_ident.conf, which cannot be read",
	 "let the login user read the rules"},
	{"hostssl all all all cert map=m",
	 "m /(?i)a app",
	 "app",
	 {"a", "CN=a"},
	 {"\xc3\xab", "x"},
	 SEVERITY_INFO,
	 "server db1.example.com",
	 "a regular expression there",
	 ""},
	{"! all all",
	 "",
	 "app",
	 {"a", "CN=a"},
	 {"b", "CN=b"},
	 SEVERITY_INFO,
	 "server db1.example.com",
	 "line 1 of pg_hba.conf has an error",
	 "mend pg_hba.conf"},
	/* a new user has no old certificate */
	{"hostssl all all all cert map=m",
	 "m x app",
	 "app",
	 {NULL, NULL},
	 {"a", "CN=a"},
	 SEVERITY_WARNING,
	 "client app",
	 "does not let in the CN 'a' of the new user as role app",
	 "add the name to pg_ident.conf"},
	/* no role, no user */
	{"hostssl all all all cert",
	 "",
	 "nobody",
	 {"nobody", "CN=nobody"},
	 {"x", "CN=x"},
	 SEVERITY__MAX,
	 NULL,
	 NULL,
	 NULL},
	{"hostssl all report all cert",
	 "",
	 "app",
	 {"app", "CN=app"},
	 {"x", "CN=x"},
	 SEVERITY__MAX,
	 NULL,
	 NULL,
	 NULL},
};

START_TEST(old_and_new_are_compared)
{
	struct access *access = rules_server(150004, compared[_i].rules, compared[_i].maps);
	struct findings findings = report(access, compared[_i].user,
					  compared[_i].old.cn ? &compared[_i].old : NULL,
					  &compared[_i].newer);

	if (compared[_i].severity == SEVERITY__MAX) {
		ck_assert_msg(!findings.count, "%s",
			      findings.count ? findings.items[0].reason : "");
	} else {
		ck_assert_uint_eq(findings.count, 1);
		ck_assert_str_eq(findings.items[0].check, "client-mapping");
		ck_assert_int_eq(findings.items[0].severity, compared[_i].severity);
		ck_assert_str_eq(findings.items[0].subject, compared[_i].subject);
		ck_contains(findings.items[0].reason, compared[_i].reason);
		ck_contains(findings.items[0].advice, compared[_i].advice);
	}
	findings_release(&findings);
	access_free(access);
}
END_TEST

START_TEST(many_servers_make_one_finding_for_a_user)
{
	struct access *access = rules_server(150004, "hostssl all all all cert", "");
	struct access_leaf old = {"app", "CN=app"}, newer = {"x", "CN=x"}, same = {"bob", "CN=bob"};
	struct findings findings = FINDINGS_INIT;
	struct access_report *report;

	ck_ok(access_report_new(&report, &err), &err);
	for (int i = 0; i < 3; i++) {
		ck_ok(access_report_add(report, access, "app", &old, &newer, &err), &err);
		ck_ok(access_report_add(report, access, "bob", &same, &same, &err), &err);
	}
	ck_ok(access_report_findings(&findings, report, &err), &err);
	ck_assert_uint_eq(findings.count, 1);
	ck_contains(findings.items[0].reason, "on db1.example.com (and on 2 more), pg_hba.conf");
	ck_assert_uint_eq(access_report_count(report, ACCESS_FITS), 3);
	ck_assert_uint_eq(access_report_count(report, ACCESS_NAME), 3);
	findings_release(&findings);
	access_report_free(report);
	access_free(access);
}
END_TEST

/* A thousand rules that each name their users, ten thousand users: each look-up finds its own. */
START_TEST(many_users_do_not_cost_their_product)
{
	struct access_report *all;
	struct access *access;
	char name[32];

	ck_ok(access_new(&access, "db1", 150004, &err), &err);
	for (size_t i = 0; i < 1000; i++) {
		struct access_rule rule = {"", i + 1, "hostssl", "all", "", "cert", "", false};

		ck_ok(access_add_rule(access, &rule, &err), &err);
		ck_ok(access_add_database(access, i, "all", &err), &err);
		for (size_t k = 0; k < 10; k++) {
			(void)snprintf(name, sizeof(name), "user%zu", i * 10 + k);
			ck_ok(access_add_user(access, i, name, &err), &err);
			ck_ok(access_add_role(access, name, false, &err), &err);
		}
	}
	ck_ok(access_finish(access, &err), &err);
	ck_ok(access_report_new(&all, &err), &err);
	for (size_t i = 0; i < 10000; i++) {
		struct access_leaf leaf = {name, "CN=x"};

		(void)snprintf(name, sizeof(name), "user%zu", i);
		ck_ok(access_report_add(all, access, name, &leaf, &leaf, &err), &err);
	}
	ck_assert_uint_eq(access_report_count(all, ACCESS_FITS), 10000);
	access_report_free(all);
	access_free(access);
}
END_TEST

Suite *access_compare_suite(void)
{
	Suite *suite = suite_create("access_compare");
	TCase *tcase = tcase_create("access_compare");

	tcase_add_loop_test(tcase, old_and_new_are_compared, 0, RULES_COUNT(compared));
	tcase_add_test(tcase, many_servers_make_one_finding_for_a_user);
	tcase_add_test(tcase, many_users_do_not_cost_their_product);
	suite_add_tcase(suite, tcase);
	return suite;
}
