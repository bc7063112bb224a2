/* SPDX-License-Identifier: PostgreSQL */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "state/census_internal.h"
#include "state/lock.h"
#include "tests/state/suites.h"

#define NOW INT64_C(1795250000)
#define DAY INT64_C(86400)

static struct err err;
static struct sys sys;
static int64_t clock_now;
static struct session session;
static struct census_index *none;

static int64_t fixed_now(struct sys *unused)
{
	(void)unused;
	return clock_now;
}

static void setup(void)
{
	err_clear(&err);
	sys_init(&sys);
	sys.now = fixed_now;
	clock_now = NOW;
	session = (struct session){.sys = &sys, .local_dir = NULL};
	(void)test_mkdir();
	session.local_dir = test_path("poc");
	ck_ok(census_index_new(&none, &err), &err);
}

static void teardown(void)
{
	census_index_free(none);
	free(session.local_dir);
	test_rmdir();
}

static char *record_path(void)
{
	return path_join(session.local_dir, "census.json");
}

static struct census_server *add_server(struct census_asked *asked, const char *name, unsigned port)
{
	struct census_server *server = census_new_server(asked, name, NULL, port);

	ck_assert_ptr_nonnull(server);
	return server;
}

/* One session of that user, as if the server had said so. */
static void give(struct census_server *server, const char *user)
{
	server->sessions = calloc(1, sizeof(*server->sessions));
	ck_assert_ptr_nonnull(server->sessions);
	server->sessions[server->count++] = (struct census_session){.user = user,
								    .application = "web",
								    .address = "10.0.0.7",
								    .database = "shop",
								    .backend = "client backend",
								    .serial = "4711",
								    .tls = true,
								    .since = clock_now - 60};
}

/* A run in which db1 has a session of that user. */
static void record_user(const char *user)
{
	struct census_asked asked = {0};
	struct census_run run = {.findings = FINDINGS_INIT};
	struct census census;

	give(add_server(&asked, "db1", 5432), user);
	ck_ok(census_record(&census, &run, &session, &asked, none, &err), &err);
	census_release(&census);
	census_run_release(&run);
	census_asked_release(&asked);
}

START_TEST(without_a_record_there_is_an_empty_one)
{
	struct census census;

	ck_ok(census_load(&census, &session, &err), &err);
	ck_assert_uint_eq(census.sample_count + census.sighting_count, 0);
	ck_assert_str_eq(err.msg, "");
}
END_TEST

START_TEST(runs_are_added_to_the_record)
{
	struct census census;
	char *path = record_path();
	struct stat st;

	record_user("app");
	clock_now += 3600;
	record_user("report");
	ck_ok(census_load(&census, &session, &err), &err);
	ck_assert_uint_eq(census.sample_count, 2);
	ck_assert_int_eq(census.samples[1].at, NOW + 3600);
	ck_assert_uint_eq(census.sighting_count, 2);
	ck_assert_str_eq(census.sightings[0].user, "app");
	ck_assert_int_eq(census.sightings[0].last_seen, NOW);
	ck_assert_str_eq(census.sightings[1].user, "report");
	census_release(&census);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777U, 0600);
	ck_assert_int_eq(stat(session.local_dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777U, 0700);
	free(path);
}
END_TEST

START_TEST(who_was_missed_is_in_sample_and_findings)
{
	struct census_asked asked = {0};
	struct census_run run = {.findings = FINDINGS_INIT};
	struct census census;

	give(add_server(&asked, "db1", 5432), "app");
	ck_ok(census_not_asked(add_server(&asked, "db2", 5432), "start it", &err, "%s", "no route"),
	      &err);
	add_server(&asked, "pool", 6432)->pooler = true;
	ck_ok(census_record(&census, &run, &session, &asked, none, &err), &err);
	ck_assert_uint_eq(run.asked, 2);
	ck_assert_uint_eq(run.answered, 1);
	ck_assert_uint_eq(census.samples[0].servers, 2);
	ck_assert_uint_eq(census.samples[0].answered, 1);
	ck_assert_uint_eq(census.samples[0].missed.count, 1);
	ck_assert_str_eq(census.samples[0].missed.items[0], "db2: no route");
	ck_assert_uint_eq(run.findings.count, 2);
	ck_assert_str_eq(run.findings.items[0].check, "census-server");
	ck_assert_str_eq(run.findings.items[0].subject, "db2");
	ck_assert_str_eq(run.findings.items[0].reason, "no route");
	ck_assert_str_eq(run.findings.items[0].advice, "start it");
	ck_assert_str_eq(run.findings.items[1].check, "census-pooler");
	ck_contains(run.findings.items[1].reason, "port 6432 answers for another server");
	census_release(&census);
	census_run_release(&run);
	census_asked_release(&asked);
}
END_TEST

START_TEST(nobody_asked_is_no_sample)
{
	struct census_asked asked = {0};
	struct census_run run = {.findings = FINDINGS_INIT};
	struct census census;
	char *path = record_path();

	ck_ok(census_record(&census, &run, &session, &asked, none, &err), &err);
	ck_assert(!file_exists(path));
	census_release(&census);
	free(path);
}
END_TEST

START_TEST(sixty_days_are_kept_and_the_rotation_under_way)
{
	char began[] = "20261121T013000Z-7f3a", gen[] = "g2";
	int64_t start = 0;
	struct census census;

	ck_ok(sys_time_parse("2026-11-21T01:30:00Z", &start, &err), &err);
	clock_now = start - DAY;
	record_user("before");
	clock_now = start + DAY;
	record_user("early");
	session.store.rotation = began;
	session.store.new_gen = gen;
	clock_now = start + 90 * DAY;
	record_user("late");
	ck_ok(census_load(&census, &session, &err), &err);
	ck_assert_uint_eq(census.sample_count, 2);
	ck_assert_str_eq(census.sightings[0].user, "early");
	census_release(&census);
	/* When it has ended, the 60 days count alone. */
	session.store.new_gen = NULL;
	record_user("after");
	ck_ok(census_load(&census, &session, &err), &err);
	ck_assert_uint_eq(census.sample_count, 2);
	ck_assert_str_eq(census.sightings[0].user, "late");
	ck_assert_str_eq(census.sightings[1].user, "after");
	census_release(&census);
}
END_TEST

START_TEST(a_damaged_record_stays_as_it_is)
{
	struct census_asked asked = {0};
	struct census_run run = {.findings = FINDINGS_INIT};
	struct census census;
	char *path = record_path(), *after;
	size_t len = 0;

	ck_ok(file_mkdirs(session.local_dir, 0700, &err), &err);
	test_write(path, "{\"version\": 1, \"texts\"");
	give(add_server(&asked, "db1", 5432), "app");
	ck_assert_int_eq(census_record(&census, &run, &session, &asked, none, &err), ERR_FAIL);
	ck_contains(err.msg, path);
	ck_contains(err.hint, "the record is damaged: remove the file; only sightings are lost");
	after = test_read(path, &len);
	ck_assert_str_eq(after, "{\"version\": 1, \"texts\"");
	census_asked_release(&asked);
	free(after);
	free(path);
}
END_TEST

/* Another run has the lock already, and holds it for a moment. */
START_TEST(another_run_is_waited_for)
{
	char *path = path_join(session.local_dir, "census.lock");
	int held[2];
	char byte = 0;
	int status = 0;
	pid_t child;
	struct census census;

	ck_ok(file_mkdirs(session.local_dir, 0700, &err), &err);
	ck_assert_int_eq(pipe(held), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		bool ok = lock_take(path, "another", &sys, &err) >= 0 &&
			  write(held[1], "x", 1) == 1 && usleep(200000) == 0;

		_exit(ok ? 0 : 1);
	}
	ck_assert_int_eq(read(held[0], &byte, 1), 1);
	record_user("app");
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_ok(census_load(&census, &session, &err), &err);
	ck_assert_uint_eq(census.sample_count, 1);
	census_release(&census);
	(void)close(held[0]);
	(void)close(held[1]);
	free(path);
}
END_TEST

/* ---- through Ansible */

static const char db1_report[] =
	"{\"version\": 1, \"clusters\": [{\"data\": \"/a\", \"port\": 5432, \"error\": null, "
	"\"cut\": false,"
	" \"sessions\": [{\"user\": \"app\", \"application\": \"web\", \"address\": \"10.0.0.7\","
	" \"database\": \"shop\", \"backend\": \"walsender\", \"serial\": \"4711\", \"tls\": true,"
	" \"age\": 90}, {\"user\": 5, \"age\": -1}]}]}";

static void set_reports(struct census_asked *asked, const char *const (*reports)[3], size_t count)
{
	asked->reports.items = calloc(count, sizeof(*asked->reports.items));
	ck_assert_ptr_nonnull(asked->reports.items);
	for (size_t i = 0; i < count; i++) {
		struct report *report = &asked->reports.items[asked->reports.count++];

		report->host = strdup(reports[i][0]);
		if (reports[i][1])
			ck_ok(js_parse(&report->value, reports[i][1], strlen(reports[i][1]), "it",
				       &err),
			      &err);
		else
			report->why = strdup(reports[i][2]);
	}
}

START_TEST(reports_are_taken_as_what_they_say)
{
	const char *const reports[][3] = {{"db1", db1_report, NULL}};
	struct census_asked asked = {0};
	const struct census_session *sessions;

	add_server(&asked, "db1", 5432);
	set_reports(&asked, reports, 1);
	ck_ok(census_take_reports(&asked, NOW, &err), &err);
	ck_assert_uint_eq(asked.count, 1);
	ck_assert_ptr_null(asked.items[0].why);
	ck_assert_uint_eq(asked.items[0].count, 2);
	sessions = asked.items[0].sessions;
	ck_assert_str_eq(sessions[0].user, "app");
	ck_assert_str_eq(sessions[0].application, "web");
	ck_assert_str_eq(sessions[0].address, "10.0.0.7");
	ck_assert_str_eq(sessions[0].database, "shop");
	ck_assert_str_eq(sessions[0].backend, "walsender");
	ck_assert_str_eq(sessions[0].serial, "4711");
	ck_assert(sessions[0].tls);
	ck_assert_int_eq(sessions[0].since, NOW - 90);
	/* A host that talks nonsense harms nobody. */
	ck_assert_str_eq(sessions[1].user, "");
	ck_assert_int_eq(sessions[1].since, NOW);
	census_asked_release(&asked);
}
END_TEST

START_TEST(hosts_without_an_answer_are_missed)
{
	const char *const reports[][3] = {
		{"db1", NULL, "unreachable: no route"},
		{"db2", "{\"version\": 2, \"clusters\": []}", NULL},
		{"db3", "{\"version\": 1, \"clusters\": []}", NULL},
		{"db4",
		 "{\"version\": 1, \"clusters\": [{\"port\": 5432, \"error\": \"psql failed\"}]}",
		 NULL},
		{"db5",
		 "{\"version\": 1, \"clusters\": [{\"port\": 5432, \"cut\": true, \"sessions\": "
		 "[]}]}",
		 NULL},
		{"db6", "{\"version\": 1, \"clusters\": [{\"port\": 5432, \"sessions\": 7}]}",
		 NULL},
	};
	static const char *const whys[] = {
		"unreachable: no route",
		"its report is not one of the census",
		"no cluster runs on this host (endpoint at port 5432)",
		"psql failed",
		"it has more sessions than the playbook reads",
		"its report has no list of sessions",
		"the census playbook did not come to a host of this name",
	};
	struct census_asked asked = {0};

	for (size_t i = 0; i < 7; i++) {
		char name[] = "db0";

		name[2] = "1234567"[i];
		add_server(&asked, name, 5432);
	}
	set_reports(&asked, reports, 6);
	ck_ok(census_take_reports(&asked, NOW, &err), &err);
	ck_assert_uint_eq(asked.count, 7);
	for (size_t i = 0; i < 7; i++) {
		ck_assert_ptr_nonnull(asked.items[i].why);
		ck_assert_str_eq(asked.items[i].why, whys[i]);
		ck_assert_uint_eq(asked.items[i].count, 0);
	}
	census_asked_release(&asked);
}
END_TEST

START_TEST(clusters_and_endpoints_find_each_other)
{
	const char *const reports[][3] = {
		/* two clusters, one endpoint by its port */
		{"db1",
		 "{\"version\": 1, \"clusters\": [{\"port\": 5433, \"sessions\": []},"
		 " {\"port\": 5432, \"sessions\": []}]}",
		 NULL},
		/* one cluster behind another port */
		{"db2", "{\"version\": 1, \"clusters\": [{\"port\": 5999, \"sessions\": []}]}",
		 NULL},
		/* no endpoint at all */
		{"db3", "{\"version\": 1, \"clusters\": [{\"port\": 5432, \"sessions\": []}]}",
		 NULL},
		{"web1", "{\"version\": 1, \"clusters\": []}", NULL},
	};
	struct census_asked asked = {0};

	add_server(&asked, "db1", 5432);
	add_server(&asked, "db2", 5432);
	set_reports(&asked, reports, 4);
	ck_ok(census_take_reports(&asked, NOW, &err), &err);
	ck_assert_uint_eq(asked.count, 4);
	ck_assert_str_eq(asked.items[2].label, "db1:5433");
	ck_assert_str_eq(asked.items[3].label, "db3");
	for (size_t i = 0; i < 4; i++)
		ck_assert_ptr_null(asked.items[i].why);
	census_asked_release(&asked);
}
END_TEST

Suite *census_suite(void)
{
	Suite *suite = suite_create("census");
	TCase *tcase = tcase_create("record and reports");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, without_a_record_there_is_an_empty_one);
	tcase_add_test(tcase, runs_are_added_to_the_record);
	tcase_add_test(tcase, who_was_missed_is_in_sample_and_findings);
	tcase_add_test(tcase, nobody_asked_is_no_sample);
	tcase_add_test(tcase, sixty_days_are_kept_and_the_rotation_under_way);
	tcase_add_test(tcase, a_damaged_record_stays_as_it_is);
	tcase_add_test(tcase, another_run_is_waited_for);
	tcase_add_test(tcase, reports_are_taken_as_what_they_say);
	tcase_add_test(tcase, hosts_without_an_answer_are_missed);
	tcase_add_test(tcase, clusters_and_endpoints_find_each_other);
	suite_add_tcase(suite, tcase);
	return suite;
}
