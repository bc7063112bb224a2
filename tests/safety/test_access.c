/* SPDX-License-Identifier: PostgreSQL */
/* Rules of pg_hba.conf and maps of pg_ident.conf against certificates' names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safety/access.h"
#include "tests/safety/safety_tests.h"

static struct err err;

/*
 * One a line, words apart by blanks, lists by commas, options last: the line's number is its place.
 * "!" is a line with an error, "~" at the end of options: clientname=DN, found in the file.
 */
static void add_rule(struct access *access, const char *text, size_t number)
{
	char line[512], *save = NULL, *words[8] = {NULL}, *list = NULL, options[256] = "";
	struct access_rule rule = {.line = number, .file = "", .netmask = "", .options = options};
	size_t count = 0;
	bool dn = false;

	(void)snprintf(line, sizeof(line), "%s", text);
	for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (strchr(word, '=')) {
			if (options[0])
				(void)strncat(options, "\n", sizeof(options) - 1 - strlen(options));
			if (!strcmp(word, "clientname=DN"))
				dn = true; /* the view does not show it */
			else
				(void)strncat(options, word, sizeof(options) - 1 - strlen(options));
		} else {
			ck_assert_uint_lt(count, 8);
			words[count++] = word;
		}
	}
	rule.type = words[0];
	rule.error = !strcmp(words[0], "!");
	rule.address = count > 4 ? words[3] : "";
	if (count > 5)
		rule.netmask = words[4];
	rule.method = rule.error ? "" : words[count - 1];
	ck_ok(access_add_rule(access, &rule, &err), &err);
	for (char *word = strtok_r(words[1], ",", &list); word; word = strtok_r(NULL, ",", &list))
		ck_ok(access_add_database(access, number - 1, word, &err), &err);
	for (char *word = strtok_r(words[2], ",", &list); word; word = strtok_r(NULL, ",", &list))
		ck_ok(access_add_user(access, number - 1, word, &err), &err);
	if (dn)
		ck_ok(access_add_clientname(access, "", number, "DN", &err), &err);
}

/* "map system role", a system name may have blanks: what stands between. */
static void add_mapping(struct access *access, const char *text, size_t number)
{
	const char *first = strchr(text, ' '), *last = strrchr(text, ' ');
	char *map = strndup(text, (size_t)(first - text));
	char *system = strndup(first + 1, (size_t)(last - first - 1));
	struct access_mapping mapping = {.file = "",
					 .line = number,
					 .map = map,
					 .system = system,
					 .role = last + 1,
					 .error = !strcmp(map, "!")};

	ck_ok(access_add_mapping(access, &mapping, &err), &err);
	free(map);
	free(system);
}

static struct access *server(int version, const char *rules, const char *maps)
{
	static const char *const roles[] = {"app", "report", "owner", "postgres", "bryanh",
					    "bob", "robert", "ann",   "guest1",	  "Zoë"};
	char *text = strdup(rules), *save = NULL;
	struct access *access;
	size_t number = 0;

	ck_ok(access_new(&access, "db1.example.com", version, &err), &err);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		add_rule(access, line, ++number);
	free(text);
	access_names_known(access);
	if (maps) {
		access_mappings_known(access);
		text = strdup(maps);
		number = 0;
		for (char *line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			add_mapping(access, line, ++number);
		free(text);
	}
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		ck_ok(access_add_role(access, roles[i], false, &err), &err);
	ck_ok(access_add_role(access, "repl", true, &err), &err);
	/* app is in writers, which is in staff */
	ck_ok(access_add_member(access, "writers", "app", &err), &err);
	ck_ok(access_add_member(access, "staff", "writers", &err), &err);
	ck_ok(access_finish(access, &err), &err);
	return access;
}

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
	struct access *access = server(judged[_i].version, judged[_i].rules, judged[_i].maps);
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
	add_rule(access, cases[_i].rule, 1);
	access_mappings_known(access);
	if (cases[_i].maps[0]) {
		char *maps = strdup(cases[_i].maps), *save = NULL;

		for (char *line = strtok_r(maps, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			add_mapping(access, line, 1);
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
	struct access *access = server(150004, compared[_i].rules, compared[_i].maps);
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
	struct access *access = server(150004, "hostssl all all all cert", "");
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
	struct access *access = server(150004, cases[_i].rules, "");

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

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *access_suite(void)
{
	Suite *suite = suite_create("access");
	TCase *tcase = tcase_create("access");

	tcase_add_loop_test(tcase, a_rule_and_a_name_give_a_verdict, 0, COUNT(judged));
	tcase_add_loop_test(tcase, clientname_is_not_guessed, 0, 4);
	tcase_add_loop_test(tcase, old_and_new_are_compared, 0, COUNT(compared));
	tcase_add_test(tcase, many_servers_make_one_finding_for_a_user);
	tcase_add_loop_test(tcase, scram_is_found_in_the_rules, 0, 11);
	tcase_add_test(tcase, words_need_their_rule);
	tcase_add_test(tcase, clientname_belongs_to_the_rule_above);
	tcase_add_test(tcase, many_users_do_not_cost_their_product);
	suite_add_tcase(suite, tcase);
	return suite;
}
