/* SPDX-License-Identifier: PostgreSQL */
/* What reports from the hosts come to: files, canaries, orphans. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "state/canary.h"
#include "state/orphans.h"
#include "state/verify_hosts.h"
#include "tests/state/suites.h"

#define DB1 "db1.example.com"

static struct arena *arena;
static struct generation gens[2];
static struct test_chain chains[2];
static struct target target;
static struct verify_result result;
static struct reports reports;
static struct err err;

static void make(size_t number, const char *id)
{
	struct generation *gen = &gens[number];

	fixture_generation(gen, arena, &chains[number], id, BOTH_AUTHORITIES);
	fixture_add_leaf(gen, arena, &chains[number], "server", DB1, LEAF_SERVER);
	fixture_add_leaf(gen, arena, &chains[number], "client", "app", LEAF_CLIENT);
}

static void setup(void)
{
	err_clear(&err);
	arena = arena_new((size_t)16 << 20);
	make(0, "g1");
	make(1, "g2");
	ck_ok(target_init(&target, STATE_SERVERS_SWITCHED, &gens[0], &gens[1], &err), &err);
	result = (struct verify_result){.evidence = js_new_object()};
	reports = (struct reports){.items = NULL};
}

static void teardown(void)
{
	reports_release(&reports);
	verify_release(&result);
	target_release(&target);
	for (size_t i = 0; i < 2; i++) {
		generation_release(&gens[i]);
		test_chain_release(&chains[i]);
	}
	arena_free(arena);
}

/* Names must come sorted, as from Ansible's recap. text NULL: no report, for that reason. */
static void report(const char *host, const char *text, const char *why)
{
	struct report *item;

	reports.items = realloc(reports.items, (reports.count + 1) * sizeof(*reports.items));
	ck_assert_ptr_nonnull(reports.items);
	item = &reports.items[reports.count++];
	*item = (struct report){.host = strdup(host), .why = why ? strdup(why) : NULL};
	reports.missing += text == NULL;
	if (text)
		ck_ok(js_parse(&item->value, text, strlen(text), host, &err), &err);
}

static const char *leaf_of(size_t number, const char *authority, const char *name)
{
	return cert_fingerprint(generation_leaf(&gens[number], authority, name)->cert);
}

static const char *ca_of(size_t number, size_t which)
{
	return cert_fingerprint(chains[number].bundle.items[which]);
}

/* A report about db1; zero where all is right in STATE_SERVERS_SWITCHED. */
struct said {
	bool old_leaf, old_served, new_client;
	const char *problems; /* JSON strings */
	const char *unloaded;
	const char *ignored;
	size_t lacks;	  /* how many of the four CAs */
	const char *more; /* a further fingerprint of the bundle */
	const char *client_problems;
	bool client_missing;
};

static const char *or_none(const char *text)
{
	return text ? text : "";
}

static void report_db1(const struct said *said)
{
	char text[8192], bundle[1024] = "";

	for (size_t i = 0; i < 4 - said->lacks; i++) {
		size_t len = strlen(bundle);

		(void)snprintf(bundle + len, sizeof(bundle) - len, "%s\"%s\"", i ? "," : "",
			       ca_of(i < 2, i % 2));
	}
	(void)snprintf(text, sizeof(text),
		       "{\"version\": 1, \"clusters\": [{\"ssl\": true, \"problems\": [%s], "
		       "\"unloaded\": [%s], \"ignored\": \"%s\", \"leaf\": \"%s\", \"served\": "
		       "\"%s\", \"bundle\": [%s%s], \"paths\": {\"cert\": \"/d/server.crt\", "
		       "\"bundle\": \"/d/root.crt\"}}], \"clients\": [{\"user\": \"app\", \"cn\": "
		       "\"app\", \"named\": true, \"present\": %s, \"problems\": [%s], \"leaf\": "
		       "\"%s\", \"bundle\": [%s], \"paths\": {\"cert\": \"/h/postgresql.crt\", "
		       "\"bundle\": \"/h/root.crt\"}}]}",
		       or_none(said->problems), or_none(said->unloaded), or_none(said->ignored),
		       leaf_of(!said->old_leaf, "server", DB1),
		       leaf_of(!said->old_served, "server", DB1), bundle, or_none(said->more),
		       said->client_missing ? "false" : "true", or_none(said->client_problems),
		       leaf_of(said->new_client, "client", "app"), bundle);
	report(DB1, text, NULL);
}

static const struct {
	struct said said;
	enum severity severity; /* SEVERITY__MAX: nothing is found */
	const char *reason;
} cases[] = {
	{{.problems = NULL}, SEVERITY__MAX, NULL},
	{{.problems = "\"/d/server.key has mode 0644\", \"/d/root.crt is glued\""},
	 SEVERITY_BLOCK,
	 "it serves the right certificate from memory, but its files would not survive a restart: "
	 "/d/server.key has mode 0644; /d/root.crt is glued"},
	{{.old_served = true, .problems = "\"/d/server.key has mode 0644\""},
	 SEVERITY_BLOCK,
	 "its files would not survive a restart: /d/server.key has mode 0644"},
	{{.ignored = "could not load the file"},
	 SEVERITY_BLOCK,
	 "its last reload did not take its TLS files, and its next start would fail: could not "
	 "load the file"},
	{{.unloaded = "\"/d/root.crt is not what port 5432 trusts\""},
	 SEVERITY_BLOCK,
	 "it goes on with what it has in memory: /d/root.crt is not what port 5432 trusts"},
	{{.old_leaf = true},
	 SEVERITY_BLOCK,
	 "the certificate in /d/server.crt is still the one of generation g1"},
	{{.more = ",\"00\""},
	 SEVERITY_WARNING,
	 "the bundle /d/root.crt holds 1 certificate that certrotate does not know"},
	{{.client_problems = "\"/h/postgresql.key has mode 0644\""},
	 SEVERITY_BLOCK,
	 "the client app cannot log in with its files: /h/postgresql.key has mode 0644"},
	{{.new_client = true},
	 SEVERITY_BLOCK,
	 "the certificate of the client app in /h/postgresql.crt is still the one of generation "
	 "g2"},
	{{.client_missing = true},
	 SEVERITY_BLOCK,
	 "the client app has no certificate at /h/postgresql.crt"},
};

static void judge(void)
{
	struct verify_input in = {.target = &target, .old_gen = &gens[0], .new_gen = &gens[1]};

	ck_ok(hosts_judge(&result, &reports, &in, &err), &err);
}

START_TEST(what_a_host_says_is_held_against_the_inventory)
{
	const struct verify_tally *tally = &result.tallies[CHECK_HOST_FILES];

	report_db1(&cases[_i].said);
	judge();
	ck_assert_uint_eq(tally->asked, 1);
	ck_assert_uint_eq(tally->held, cases[_i].severity != SEVERITY_BLOCK);
	ck_assert_uint_eq(result.findings.count, cases[_i].reason != NULL);
	ck_assert_int_eq(js_int(js_get(result.evidence, "hosts"), "looked_at", -1), 1);
	if (!cases[_i].reason)
		return;
	ck_assert_str_eq(result.findings.items[0].check, "host-files");
	ck_assert_int_eq(result.findings.items[0].severity, cases[_i].severity);
	ck_assert_str_eq(result.findings.items[0].subject, DB1);
	ck_assert_str_eq(result.findings.items[0].reason, cases[_i].reason);
}
END_TEST

/* Who made his key elsewhere has a certificate of which the inventory knows nothing. */
START_TEST(a_client_without_a_key_here_is_not_compared)
{
	struct said said = {.new_client = true};
	struct gen_leaf *leaf = (struct gen_leaf *)(uintptr_t)generation_leaf(&gens[0], "client",
									      "app");

	secret_wipe(&leaf->key);
	report_db1(&said);
	judge();
	ck_assert_uint_eq(result.findings.count, 0);
	ck_assert_uint_eq(result.tallies[CHECK_HOST_FILES].held, 1);
}
END_TEST

START_TEST(bundles_lack_or_keep_what_they_should_not)
{
	struct said said = {.lacks = 1};

	report_db1(&said);
	judge();
	ck_assert_uint_eq(result.findings.count, 2);
	ck_assert_str_eq(result.findings.items[0].reason,
			 "the bundle /d/root.crt lacks 1 of the inventory's 4 certificates");
	ck_assert_str_eq(result.findings.items[1].reason,
			 "the bundle /h/root.crt lacks 1 of the inventory's 4 certificates");
	findings_release(&result.findings);
	reports_release(&reports);
	/* After the prune the old CAs have to be gone. */
	target_release(&target);
	ck_ok(target_init(&target, STATE_IDLE, &gens[1], NULL, &err), &err);
	said.lacks = 0;
	said.new_client = true;
	report_db1(&said);
	judge();
	ck_assert_uint_eq(result.findings.count, 2);
	ck_assert_str_eq(result.findings.items[0].reason,
			 "the bundle /d/root.crt still trusts 2 certificates that the inventory no "
			 "longer has");
	ck_assert_str_eq(result.findings.items[1].reason,
			 "the bundle /h/root.crt still trusts 2 certificates that the inventory no "
			 "longer has");
}
END_TEST

START_TEST(who_says_nothing_is_named)
{
	report("cache.example.com", NULL, "unreachable: no route to host");
	judge();
	ck_assert_uint_eq(result.findings.count, 2);
	ck_assert_int_eq(result.findings.items[0].severity, SEVERITY_BLOCK);
	ck_assert_str_eq(result.findings.items[0].subject, "cache.example.com");
	ck_assert_str_eq(result.findings.items[0].reason,
			 "its files could not be looked at: unreachable: no route to host");
	ck_assert_int_eq(result.findings.items[1].severity, SEVERITY_WARNING);
	ck_assert_str_eq(result.findings.items[1].subject, DB1);
	ck_assert_str_eq(result.findings.items[1].reason, "nobody looked at the files of " DB1);
}
END_TEST

START_TEST(a_report_of_another_kind_is_none)
{
	report(DB1, "{\"version\": 2, \"clusters\": [{\"ssl\": true}]}", NULL);
	judge();
	ck_assert_uint_eq(result.findings.count, 1);
	ck_assert_str_eq(result.findings.items[0].reason,
			 "its report is of a version that this certrotate does not know");
	findings_release(&result.findings);
	reports_release(&reports);
	report(DB1,
	       "{\"version\": 1, \"clusters\": [1, {}, {\"ssl\": true, \"problems\": [1, {}], "
	       "\"leaf\": 5, \"bundle\": [null], \"paths\": 1}], \"clients\": {\"a\": 1}}",
	       NULL);
	judge();
	ck_assert_int_eq(result.findings.items[0].severity, SEVERITY_BLOCK);
}
END_TEST

/* --- canaries ------------------------------------------------------------------------------- */

#define CLUSTER(log, failures)                                                                     \
	"{\"version\": 1, \"clusters\": [{\"ssl\": true, \"log\": " log                            \
	", \"failures\": [" failures "]}]}"
#define READ "{\"read\": true, \"cut\": false}"
#define FAILED(address, first, last)                                                               \
	"{\"address\": \"" address "\", \"reason\": \"tlsv1 alert unknown ca\", \"count\": 3, "    \
	"\"first\": " first ", \"last\": " last "}"

START_TEST(a_failure_is_new_where_it_began_behind_the_step)
{
	struct canary_news news;

	report("db1", CLUSTER(READ, FAILED("10.0.0.7", "99", "150") "," FAILED("", "100", "101")),
	       NULL);
	report("db2", CLUSTER(READ, FAILED("10.0.0.8", "110", "120")), NULL);
	ck_ok(canary_judge(&news, &reports, 100, 100, &err), &err);
	ck_assert_uint_eq(news.unknown.count, 0);
	ck_assert_uint_eq(news.failures.count, 2);
	ck_assert_str_eq(news.failures.items[0],
			 "an address that its log does not have: tlsv1 alert unknown ca (3 times, "
			 "on db1)");
	ck_assert_str_eq(news.failures.items[1],
			 "10.0.0.8: tlsv1 alert unknown ca (3 times, on db2)");
	canary_news_release(&news);
	/* After a first watch that failed, only what goes on since then counts. */
	ck_ok(canary_judge(&news, &reports, 100, 115, &err), &err);
	ck_assert_uint_eq(news.failures.count, 1);
	ck_assert_str_eq(news.failures.items[0],
			 "10.0.0.8: tlsv1 alert unknown ca (3 times, on db2)");
	canary_news_release(&news);
}
END_TEST

START_TEST(a_canary_without_a_voice_is_none)
{
	struct canary_news news;

	ck_ok(canary_judge(&news, &reports, 100, 100, &err), &err);
	ck_assert_str_eq(news.unknown.items[0], "no host was asked");
	canary_news_release(&news);
	report("db1", CLUSTER("{\"read\": false, \"why\": \"it has no log file\"}", ""), NULL);
	report("db2", CLUSTER("{\"read\": true, \"cut\": true}", ""), NULL);
	report("db3", NULL, "unreachable");
	report("db4", "{\"version\": 1, \"clusters\": [{\"ssl\": false}]}", NULL);
	ck_ok(canary_judge(&news, &reports, 100, 100, &err), &err);
	ck_assert_uint_eq(news.failures.count, 0);
	ck_assert_uint_eq(news.unknown.count, 3);
	ck_assert_str_eq(news.unknown.items[0], "db1: it has no log file");
	ck_assert_str_eq(news.unknown.items[1], "db2: its log is too long to be read whole");
	ck_assert_str_eq(news.unknown.items[2], "db3: unreachable");
	canary_news_release(&news);
}
END_TEST

/* --- orphans -------------------------------------------------------------------------------- */

static struct findings orphans(bool asked, const char *inventory, const struct strs *skip)
{
	struct environment env = {.name = (char *)(uintptr_t) "poc",
				  .inventory = (char *)(uintptr_t) "hosts"};
	struct application shop = {.name = (char *)(uintptr_t) "shop"};
	struct config config = {.applications = &shop, .application_count = 1};
	struct session session = {.config = &config, .env = &env};
	struct findings found = FINDINGS_INIT;
	struct deployed deployed;
	char *path;

	config.root = strdup(test_mkdir());
	path = test_path("hosts");
	test_write(path, inventory);
	ck_ok(strs_add(&shop.users, "shopkeeper", &err), &err);
	ck_ok(deployed_read(&deployed, &reports, &err), &err);
	ck_ok(orphans_find(&found, &session, &gens[0], asked ? &deployed : NULL, skip, &err), &err);
	deployed_release(&deployed);
	strs_release(&shop.users);
	free(config.root);
	free(path);
	test_rmdir();
	return found;
}

static void is_finding(const struct findings *found, size_t at, enum severity severity,
		       const char *subject, const char *reason)
{
	ck_assert_uint_gt(found->count, at);
	ck_assert_str_eq(found->items[at].check, "orphan");
	ck_assert_int_eq(found->items[at].severity, severity);
	ck_assert_str_eq(found->items[at].subject, subject);
	ck_assert_str_eq(found->items[at].reason, reason);
}

#define STATIC_HOSTS "all:\n  hosts:\n    " DB1 ":\n"
#define NO_HOST	     "nobody would bring it its new certificate: no host of the inventory has this name"
#define NO_CLIENT                                                                                  \
	"nobody would bring it its new certificate: no host has this client, and no application"

START_TEST(a_leaf_that_nobody_deploys_is_an_orphan)
{
	struct findings found;

	fixture_add_leaf(&gens[0], arena, &chains[0], "client", "shopkeeper", LEAF_CLIENT);
	report(DB1, "{\"version\": 1, \"clients\": [{\"user\": \"other\", \"cn\": \"app\"}]}",
	       NULL);
	found = orphans(true, STATIC_HOSTS, NULL);
	ck_assert_uint_eq(found.count, 0);
	findings_release(&found);
	fixture_add_leaf(&gens[0], arena, &chains[0], "client", "late", LEAF_CLIENT);
	fixture_add_leaf(&gens[0], arena, &chains[0], "server", "db9.example.com", LEAF_SERVER);
	found = orphans(true, STATIC_HOSTS, NULL);
	ck_assert_uint_eq(found.count, 2);
	is_finding(&found, 0, SEVERITY_BLOCK, "late", NO_CLIENT);
	is_finding(&found, 1, SEVERITY_BLOCK, "db9.example.com", NO_HOST);
	ck_assert_ptr_nonnull(strstr(found.items[0].advice, "--waive 'orphan=USER:REASON'"));
	findings_release(&found);
}
END_TEST

START_TEST(who_was_not_asked_may_have_it)
{
	struct strs skip = STRS_INIT;
	struct findings found;

	report(DB1, NULL, "unreachable");
	found = orphans(true, STATIC_HOSTS, NULL);
	ck_assert_uint_eq(found.count, 1);
	is_finding(&found, 0, SEVERITY_WARNING, "app",
		   "no application has this client, and no host that was asked; not asked "
		   "were " DB1);
	findings_release(&found);
	reports_release(&reports);
	ck_ok(strs_add(&skip, DB1, &err), &err);
	found = orphans(true, STATIC_HOSTS, &skip);
	ck_assert_uint_eq(found.count, 1);
	is_finding(&found, 0, SEVERITY_WARNING, "app",
		   "no application has this client, and no host that was asked; not asked "
		   "were " DB1);
	findings_release(&found);
	strs_release(&skip);
}
END_TEST

START_TEST(without_a_playbook_only_so_much_is_known)
{
	struct findings found = orphans(false, STATIC_HOSTS, NULL);

	ck_assert_uint_eq(found.count, 1);
	is_finding(&found, 0, SEVERITY_INFO, "poc",
		   "whether a playbook deploys the client app is not known: nobody looks at the "
		   "hosts");
	findings_release(&found);
	found = orphans(false, "all:\n  hosts:\n    db2.example.com:\n", NULL);
	is_finding(&found, 0, SEVERITY_WARNING, DB1, NO_HOST);
	findings_release(&found);
	found = orphans(false, "#!/bin/sh\necho '{}'\n", NULL);
	is_finding(&found, 0, SEVERITY_INFO, DB1,
		   "whether it is a host of the inventory is not known: only Ansible can read "
		   "that");
	findings_release(&found);
}
END_TEST

Suite *hosts_suite(void)
{
	Suite *suite = suite_create("hosts");
	TCase *tc = tcase_create("hosts");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_a_host_says_is_held_against_the_inventory, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, a_client_without_a_key_here_is_not_compared);
	tcase_add_test(tc, bundles_lack_or_keep_what_they_should_not);
	tcase_add_test(tc, who_says_nothing_is_named);
	tcase_add_test(tc, a_report_of_another_kind_is_none);
	tcase_add_test(tc, a_failure_is_new_where_it_began_behind_the_step);
	tcase_add_test(tc, a_canary_without_a_voice_is_none);
	tcase_add_test(tc, a_leaf_that_nobody_deploys_is_an_orphan);
	tcase_add_test(tc, who_was_not_asked_may_have_it);
	tcase_add_test(tc, without_a_playbook_only_so_much_is_known);
	suite_add_tcase(suite, tc);
	return suite;
}
