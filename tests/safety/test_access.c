/* SPDX-License-Identifier: PostgreSQL */
/* Rules of pg_hba.conf and maps of pg_ident.conf against certificates' names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/safety/rules.h"
#include "tests/safety/safety_tests.h"

static struct err err;

/*
 * The name maps of PostgreSQL's documentation ("User Name Maps"), and regular expressions as its
 * pages show them.
 */
#define DOC_MAP                                                                                    \
	"omicron bryanh bryanh\n"                                                                  \
	"omicron ann ann\n"                                                                        \
	"omicron robert bob\n"                                                                     \
	"omicron bryanh guest1\n"
#define DOC_REGEX                                                                                  \
	"mymap /^(.*)@mydomain\\.com$ \\1\n"                                                       \
	"mymap /^(.*)@otherdomain\\.com$ guest1\n"
#define DN_MAP "dn /^.*CN=(.*)$ \\1\n"
#define ALL    "0.0.0.0 0.0.0.0"

static const struct {
	int version;
	const char *rules;
	const char *maps; /* NULL: not readable */
	const char *role;
	const char *cn;
	const char *dn;
	enum access_verdict verdict;
	const char *why;
} judged[] = {
	/* the name itself */
	{150004, "hostssl all all " ALL " cert clientcert=verify-full", "", "app", "app",
	 "CN=app,O=Acme", ACCESS_FITS,
	 "pg_hba.conf line 1 (hostssl all all 0.0.0.0/0 cert) lets in role app"},
	{150004, "hostssl all all " ALL " cert", "", "app", "App", "CN=App,O=Acme", ACCESS_NAME,
	 "pg_hba.conf line 1 (hostssl all all 0.0.0.0/0 cert) asks for the CN 'app', the "
	 "certificate has 'App'"},
	{150004, "hostssl all all " ALL " cert", "", "app", "", "O=Acme", ACCESS_NAME,
	 "the certificate has ''"},
	{150004, "hostssl all all " ALL " scram-sha-256 clientcert=verify-full", "", "app", "App",
	 "CN=App", ACCESS_NAME,
	 "(hostssl all all 0.0.0.0/0 scram-sha-256 clientcert=verify-full) asks for"},
	{150004, "hostssl all all " ALL " trust clientcert=verify-full", "", "app", "app", "CN=app",
	 ACCESS_FITS, "lets in role app"},
	{150004, "hostssl all all " ALL " trust clientcert=verify-ca", "", "app", "whoever",
	 "CN=whoever", ACCESS_FITS, "lets in role app"},
	{130004, "hostssl all all " ALL " cert", NULL, "app", "app", "CN=app", ACCESS_FITS, ""},
	/* whose rule it is */
	{150004, "hostssl all report " ALL " cert\nhostssl all +staff all md5", "", "app", "x",
	 "CN=x", ACCESS_OTHERWISE,
	 "line 2 (hostssl all +staff all md5) lets in role app without comparing a certificate"},
	{150004, "hostssl all +staff " ALL " cert", "", "report", "report", "CN=report",
	 ACCESS_NONE, "no line of pg_hba.conf is for role report over the network"},
	{150004, "hostssl all +app " ALL " cert", "", "app", "app", "CN=app", ACCESS_FITS, ""},
	{150004, "hostssl all report,app,bob,ann " ALL " cert", "", "app", "app", "CN=app",
	 ACCESS_FITS, "(hostssl all report,app,bob,… 0.0.0.0/0 cert)"},
	{150004, "local all all trust", "", "app", "app", "CN=app", ACCESS_NONE, "no line"},
	{150004, "hostssl all all " ALL " reject\nhostssl all all " ALL " cert", "", "app", "app",
	 "CN=app", ACCESS_NONE, "line 1 (hostssl all all 0.0.0.0/0 reject) refuses role app"},
	{150004, "hostssl replication all " ALL " cert", "", "app", "app", "CN=app", ACCESS_NONE,
	 "no line"},
	{150004, "hostssl replication all " ALL " cert", "", "repl", "repl", "CN=repl", ACCESS_FITS,
	 ""},
	{150004, "hostssl sameuser,samerole,+x all " ALL " cert", "", "app", "app", "CN=app",
	 ACCESS_FITS, ""},
	{150004, "! all all", "", "app", "app", "CN=app", ACCESS_UNKNOWN,
	 "line 1 of pg_hba.conf has an error: the server goes on with the rules that it read "
	 "before"},
	{150004, "", "", "app", "app", "CN=app", ACCESS_UNKNOWN, "shows no rule at all"},
	/* regular expressions among users, from 16 on */
	{150004, "hostssl all /^a " ALL " cert", "", "app", "app", "CN=app", ACCESS_NONE, ""},
	{160000, "hostssl all /^a " ALL " cert", "", "app", "app", "CN=app", ACCESS_FITS, ""},
	{160000, "hostssl all /^b " ALL " cert", "", "app", "app", "CN=app", ACCESS_NONE, ""},
	{160000, "hostssl all /^(?!b) " ALL " cert", "", "app", "app", "CN=app", ACCESS_UNKNOWN,
	 "a regular expression there means something that only PostgreSQL knows"},
	/* an earlier rule that always comes first hides a later one */
	{150004, "hostssl all all " ALL " cert\nhostssl all app 10.0.0.0 255.0.0.0 trust", "",
	 "app", "x", "CN=x", ACCESS_NAME, "line 1"},
	{150004, "host all all all cert\nhostssl all app 10.0.0.0 255.0.0.0 trust", "", "app", "x",
	 "CN=x", ACCESS_NAME, "line 1"},
	{150004,
	 "hostssl all app 10.0.0.0 255.0.0.0 cert\nhostssl a app 10.1.0.0 255.255.0.0 trust", "",
	 "app", "x", "CN=x", ACCESS_NAME, "line 1 (hostssl all app 10.0.0.0/8 cert)"},
	{150004,
	 "hostssl all app 10.1.0.0 255.255.0.0 cert\nhostssl all app 10.0.0.0 255.0.0.0 md5", "",
	 "app", "x", "CN=x", ACCESS_OTHERWISE, "line 2"},
	{150004, "hostssl one all all cert\nhostssl all all all trust", "", "app", "x", "CN=x",
	 ACCESS_OTHERWISE, "line 2"},
	{150004,
	 "hostssl all all fe80:: ffff:: cert\nhostssl all all fe80::1 "
	 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff md5",
	 "", "app", "x", "CN=x", ACCESS_NAME, "line 1 (hostssl all all fe80::/16 cert)"},
	{150004, "hostssl all all .example.com cert\nhostssl all all .example.com md5", "", "app",
	 "x", "CN=x", ACCESS_NAME, "line 1"},
	/* the server's own host says nothing of clients */
	{150004, "host all all 127.0.0.1 255.255.255.255 trust\nhostssl all all all cert", "",
	 "app", "x", "CN=x", ACCESS_NAME, "line 2"},
	{150004, "host all all ::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff trust", "", "app", "x",
	 "CN=x", ACCESS_OTHERWISE, "line 1"},
	/* maps */
	{150004, "hostssl all all all cert map=omicron", DOC_MAP, "bryanh", "bryanh", "CN=bryanh",
	 ACCESS_FITS, "(hostssl all all all cert map=omicron)"},
	{150004, "hostssl all all all cert map=omicron", DOC_MAP, "guest1", "bryanh", "CN=bryanh",
	 ACCESS_FITS, ""},
	{150004, "hostssl all all all cert map=omicron", DOC_MAP, "bob", "robert", "CN=robert",
	 ACCESS_FITS, ""},
	{150004, "hostssl all all all cert map=omicron", DOC_MAP, "robert", "robert", "CN=robert",
	 ACCESS_NAME,
	 "pg_hba.conf line 1 (hostssl all all all cert map=omicron): map 'omicron' does not give "
	 "role robert to the CN 'robert'"},
	{150004, "hostssl all all all cert map=other", DOC_MAP, "ann", "ann", "CN=ann", ACCESS_NAME,
	 "map 'other' does not give"},
	{150004, "hostssl all all all cert map=mymap", DOC_REGEX, "ann", "ann@mydomain.com",
	 "CN=ann@mydomain.com", ACCESS_FITS, ""},
	{150004, "hostssl all all all cert map=mymap", DOC_REGEX, "ann", "ann@mydomainxcom",
	 "CN=ann@mydomainxcom", ACCESS_NAME, ""},
	{150004, "hostssl all all all cert map=mymap", DOC_REGEX, "guest1", "x@otherdomain.com",
	 "CN=x@otherdomain.com", ACCESS_FITS, ""},
	{150004, "hostssl all all all cert map=omicron", NULL, "ann", "ann", "CN=ann",
	 ACCESS_UNKNOWN,
	 "(hostssl all all all cert map=omicron): map 'omicron' is in pg_ident.conf, which cannot "
	 "be read"},
	{150004, "hostssl all all all cert map=omicron", "! x y", "ann", "ann", "CN=ann",
	 ACCESS_UNKNOWN, "line 1 of pg_ident.conf has an error"},
	/* the DN, as the documentation of clientname has it */
	{150004, "hostssl all all all cert clientname=DN map=dn", DN_MAP, "app", "app",
	 "O=Acme,CN=app", ACCESS_FITS, "(hostssl all all all cert clientname=DN map=dn)"},
	{150004, "hostssl all all all cert clientname=DN map=dn", DN_MAP, "app", "app",
	 "CN=app,O=Acme", ACCESS_NAME, "does not give role app to the DN 'CN=app,O=Acme'"},
	{150004, "hostssl all all all cert clientname=DN map=dn", "dn CN=app,O=Acme app", "app",
	 "app", "CN=app,O=Acme", ACCESS_FITS, ""},
	{150004, "hostssl all all all cert clientname=DN map=dn", "dn CN=app,O=Acme app", "app",
	 "app", "CN=app,O=Acme BV", ACCESS_NAME, "to the DN 'CN=app,O=Acme BV'"},
	{150004, "hostssl all all all cert clientname=DN", "", "app", "app", "CN=app", ACCESS_NAME,
	 "asks for the DN 'app', the certificate has 'CN=app'"},
	/* regular expressions in maps: what POSIX knows, and what it does not */
	{150004, "hostssl all all all cert map=m", "m /^CN=(?:x-)?(\\w+),\\s*O=.*$ \\1", "app",
	 "CN=x-app, O=Acme", "", ACCESS_FITS, ""},
	{150004, "hostssl all all all cert map=m", "m /^[\\w.]+\\-(\\D+)$ \\1", "app", "a.b-app",
	 "", ACCESS_FITS, ""},
	{150004, "hostssl all all all cert map=m", "m /^(app){1,2}$ \\1", "app", "appapp", "",
	 ACCESS_FITS, ""},
	{150004, "hostssl all all all cert map=m", "m /^(.*?)-x$ \\1", "app", "app-x", "",
	 ACCESS_UNKNOWN, "only PostgreSQL knows"},
	{150004, "hostssl all all all cert map=m", "m /(?i)app app", "app", "APP", "",
	 ACCESS_UNKNOWN, ""},
	{150004, "hostssl all all all cert map=m", "m /^a{5000} app", "app", "a", "",
	 ACCESS_UNKNOWN, ""},
	{150004, "hostssl all all all cert map=m", "m /^(((a{1,99}){1,99})x)+ app", "app", "a", "",
	 ACCESS_UNKNOWN, ""},
	{150004, "hostssl all all all cert map=m", "m /^a++ app", "app", "a", "", ACCESS_UNKNOWN,
	 ""},
	{150004, "hostssl all all all cert map=m",
	 "m /^((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)$ app", "app", "a", "", ACCESS_UNKNOWN,
	 ""},
	{150004, "hostssl all all all cert map=m", "m /^(a{2,})p{2}$ \\1pp", "app", "aapp", "",
	 ACCESS_NAME, ""},
	{150004, "hostssl all all all cert map=m", "m /^(ap{2})x*-{2,}$ \\1", "app", "appxx---", "",
	 ACCESS_FITS, ""},
	{150004, "hostssl all all all cert map=m", "m /\\mapp\\M app", "app", "app", "",
	 ACCESS_UNKNOWN, ""},
	{150004, "hostssl all all all cert map=m", "m /[[=a=]]pp app", "app", "app", "",
	 ACCESS_UNKNOWN, ""},
	{150004, "hostssl all all all cert map=m", "m /^.o.$ app", "app", "Zoë", "", ACCESS_UNKNOWN,
	 ""},
	/* what it gives is another role, whatever it matches */
	{150004, "hostssl all all all cert map=m", "m /(?i)app report", "app", "APP", "",
	 ACCESS_NAME, ""},
	{150004, "hostssl all all all cert map=m", "m /(?i)x \\1\nm app app", "app", "app", "",
	 ACCESS_FITS, ""},
	/* PostgreSQL gives up where \1 has nothing to stand for, and reads no further */
	{150004, "hostssl all all all cert map=m", "m /^app$ \\1\nm app app", "app", "app", "",
	 ACCESS_NAME, ""},
	{150004, "hostssl all all all cert map=m", "m app app\nm /^app$ \\1", "app", "app", "",
	 ACCESS_FITS, ""},
	{150004, "hostssl all all all cert map=m", "m /^(a)pp$ x\\1y\\1", "app", "app", "",
	 ACCESS_NAME, ""},
	/* roles in maps, from 16 on */
	{150004, "hostssl all all all cert map=m", "m x all", "app", "x", "", ACCESS_NAME, ""},
	{160000, "hostssl all all all cert map=m", "m x all", "app", "x", "", ACCESS_FITS, ""},
	{160000, "hostssl all all all cert map=m", "m x +staff", "app", "x", "", ACCESS_FITS, ""},
	{160000, "hostssl all all all cert map=m", "m x +staff", "bob", "x", "", ACCESS_NAME, ""},
	{160000, "hostssl all all all cert map=m", "m x /^a", "app", "x", "", ACCESS_FITS, ""},
	{160000, "hostssl all all all cert map=m", "m /^(.*)$ +staff", "app", "x", "", ACCESS_FITS,
	 ""},
	{160000, "hostssl all all all cert map=m", "m /^x(.*)$ /\\1", "app", "xapp", "",
	 ACCESS_NAME, ""},
};

START_TEST(a_rule_and_a_name_give_a_verdict)
{
	struct access *access = rules_server(judged[_i].version, judged[_i].rules, judged[_i].maps);
	struct access_leaf leaf = {judged[_i].cn, judged[_i].dn};
	struct access_judgement judgement;

	ck_ok(access_judge(&judgement, access, judged[_i].role, &leaf, &err), &err);
	ck_assert_msg(judgement.verdict == judged[_i].verdict, "%s / %s: %s, %s", judged[_i].rules,
		      judged[_i].maps ? judged[_i].maps : "",
		      access_verdict_name(judgement.verdict), judgement.why);
	ck_contains(judgement.why, judged[_i].why);
	access_free(access);
}
END_TEST

/* Before the file's text is read, a rule with a map may compare either. */
START_TEST(clientname_is_not_guessed)
{
	static const struct {
		const char *rule, *maps, *cn, *dn;
		enum access_verdict verdict;
	} cases[] = {
		{"hostssl all all all cert map=m", "m app app\nm CN=app app", "app", "CN=app",
		 ACCESS_FITS},
		{"hostssl all all all cert map=m", "m app app", "app", "CN=app", ACCESS_UNKNOWN},
		{"hostssl all all all cert map=m", "m x app", "app", "CN=app", ACCESS_NAME},
		{"hostssl all all all cert", "", "app", "CN=app", ACCESS_FITS},
	};
	struct access_leaf leaf = {cases[_i].cn, cases[_i].dn};
	struct access_judgement judgement;
	struct access *access;

	ck_ok(access_new(&access, "db1", 150004, &err), &err);
	rules_add(access, cases[_i].rule, 1);
	access_mappings_known(access);
	if (cases[_i].maps[0]) {
		char *maps = strdup(cases[_i].maps), *save = NULL;

		for (char *line = strtok_r(maps, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			rules_add_mapping(access, line, 1);
		free(maps);
	}
	ck_ok(access_finish(access, &err), &err);
	ck_ok(access_judge(&judgement, access, "app", &leaf, &err), &err);
	ck_assert_msg(judgement.verdict == cases[_i].verdict, "%s: %s",
		      access_verdict_name(judgement.verdict), judgement.why);
	if (judgement.verdict == ACCESS_UNKNOWN)
		ck_contains(judgement.why, "(clientname) stands in the file alone");
	access_free(access);
}
END_TEST

START_TEST(scram_is_found_in_the_rules)
{
	static const struct {
		const char *rules;
		enum proof_scram passwords, scram;
	} cases[] = {
		{"hostssl all all all cert", PROOF_SCRAM_USED, PROOF_SCRAM_NOT_USED},
		{"hostssl all all all scram-sha-256", PROOF_SCRAM_NOT_USED, PROOF_SCRAM_USED},
		{"host all all all scram-sha-256", PROOF_SCRAM_NOT_USED, PROOF_SCRAM_USED},
		{"hostnossl all all all scram-sha-256", PROOF_SCRAM_USED, PROOF_SCRAM_NOT_USED},
		{"local all all scram-sha-256", PROOF_SCRAM_USED, PROOF_SCRAM_NOT_USED},
		{"hostssl all all all md5", PROOF_SCRAM_USED, PROOF_SCRAM_USED},
		{"hostssl all all all md5", PROOF_SCRAM_NOT_USED, PROOF_SCRAM_NOT_USED},
		{"hostssl all all all md5", PROOF_SCRAM_UNKNOWN, PROOF_SCRAM_UNKNOWN},
		{"hostssl all all all password", PROOF_SCRAM_USED, PROOF_SCRAM_NOT_USED},
		{"host all all all cert\nhostssl all all all scram-sha-256", PROOF_SCRAM_USED,
		 PROOF_SCRAM_NOT_USED},
		{"! all all", PROOF_SCRAM_NOT_USED, PROOF_SCRAM_UNKNOWN},
	};
	struct access *access = rules_server(150004, cases[_i].rules, "");

	ck_assert_int_eq(access_scram(access, cases[_i].passwords), cases[_i].scram);
	access_free(access);
}
END_TEST

/* A rule that is not there is no rule: what the view says twice may have changed in between. */
START_TEST(words_need_their_rule)
{
	struct access *access;
	struct err failed = {0};

	ck_ok(access_new(&access, "db1", 150004, &err), &err);
	ck_assert_int_eq(access_add_user(access, 0, "app", &failed), ERR_FAIL);
	ck_assert_str_eq(failed.msg, "db1: pg_hba_file_rules changed while it was read");
	access_free(access);
}
END_TEST

/* An option on a continued line belongs to the rule above, of the same file. */
START_TEST(clientname_belongs_to_the_rule_above)
{
	struct access_rule rules[] = {
		{"/etc/a.conf", 3, "hostssl", "all", "", "cert", "map=m", false},
		{"/etc/b.conf", 5, "hostssl", "all", "", "cert", "map=m", false}};
	struct access_mapping mapping = {"", 1, "m", "CN=app", "app", false};
	struct access_leaf leaf = {"app", "CN=app"};
	struct access_judgement judgement;
	struct access *access;

	ck_ok(access_new(&access, "db1", 160000, &err), &err);
	for (size_t i = 0; i < 2; i++) {
		ck_ok(access_add_rule(access, &rules[i], &err), &err);
		ck_ok(access_add_database(access, i, "all", &err), &err);
		ck_ok(access_add_user(access, i, i ? "report" : "app", &err), &err);
	}
	ck_ok(access_add_clientname(access, "/etc/a.conf", 6, "DN", &err), &err);
	access_names_known(access);
	ck_ok(access_add_mapping(access, &mapping, &err), &err);
	access_mappings_known(access);
	ck_ok(access_finish(access, &err), &err);
	ck_ok(access_judge(&judgement, access, "app", &leaf, &err), &err);
	ck_assert_int_eq(judgement.verdict, ACCESS_FITS);
	ck_contains(judgement.why, "a.conf line 3 (hostssl all app all cert clientname=DN map=m)");
	ck_ok(access_judge(&judgement, access, "report", &leaf, &err), &err);
	ck_contains(judgement.why, "b.conf line 5 (hostssl all report all cert map=m)");
	access_free(access);
}
END_TEST

Suite *access_suite(void)
{
	Suite *suite = suite_create("access");
	TCase *tcase = tcase_create("access");

	tcase_add_loop_test(tcase, a_rule_and_a_name_give_a_verdict, 0, RULES_COUNT(judged));
	tcase_add_loop_test(tcase, clientname_is_not_guessed, 0, 4);
	tcase_add_loop_test(tcase, scram_is_found_in_the_rules, 0, 11);
	tcase_add_test(tcase, words_need_their_rule);
	tcase_add_test(tcase, clientname_belongs_to_the_rule_above);
	suite_add_tcase(suite, tcase);
	return suite;
}
