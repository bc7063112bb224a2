/* SPDX-License-Identifier: PostgreSQL */
/* What a census and a look at the servers need before anybody is asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "state/access.h"
#include "state/census_internal.h"
#include "tests/state/scene.h"

static struct err err;
static struct session session;
static struct environment env;

/* Whatever the tests change of the environment is theirs alone. */
static void begin(void)
{
	err_clear(&err);
	ck_ok(session_open(&session, &scene_options, &err), &err);
	ck_ok(session_load(&session, &err), &err);
	env = *session.env;
	session.env = &env;
}

static void setup(void)
{
	scene_setup();
	begin();
}

static void teardown(void)
{
	session_close(&session);
	scene_teardown();
}

/* ---- the monitoring certificate */

static char cert_name[] = "monitor.crt", key_name[] = "monitor.key", user[] = "monitor";
static struct sys other_time;
static int64_t days;

static int64_t some_day(struct sys *sys)
{
	struct sys real;

	(void)sys;
	sys_init(&real);
	return real.now(&real) + days * TEST_DAY;
}

/* cn NULL: none. The key lies beside it. */
static void write_monitor(const char *cn)
{
	struct test_chain chain = {0};
	struct issue_spec spec = {0};
	struct strs names = STRS_INIT, usages = STRS_INIT;
	struct key *key = NULL;
	struct cert *cert = NULL;
	struct dn dn = DN_INIT;
	struct secret text;
	struct buf pem;
	char *path;

	test_chain_init(&chain, "monitor CA");
	ck_ok(key_generate(&key, KEY_ECDSA_P256, &err), &err);
	ck_ok(dn_add(&dn, cn ? "CN" : "O", cn ? cn : "Acme", &err), &err);
	ck_ok(strs_add(&usages, "clientAuth", &err), &err);
	spec = (struct issue_spec){.sys = &chain.sys,
				   .issuer = chain.ca,
				   .issuer_key = chain.ca_key,
				   .subject = &dn,
				   .key = key,
				   .names = &names,
				   .ext_usages = &usages,
				   .not_after = chain.sys.now(&chain.sys) + 30 * TEST_DAY};
	ck_ok(cert_issue(&cert, &spec, &err), &err);
	buf_init(&pem, BUF_TEXT_MAX);
	ck_ok(cert_to_pem(&pem, cert, &err), &err);
	path = test_path("work/monitor.crt");
	test_write(path, pem.data);
	free(path);
	ck_ok(key_to_pem(&text, session.arena, key, &err), &err);
	path = test_path("work/monitor.key");
	test_write(path, text.data);
	ck_assert_int_eq(chmod(path, 0600), 0);
	free(path);
	secret_wipe(&text);
	buf_release(&pem);
	dn_release(&dn);
	strs_release(&usages);
	cert_free(cert);
	key_free(key);
	test_chain_release(&chain);
	env.census_certificate = cert_name;
	env.census_key = key_name;
}

static void is_refused(enum err_code code, const char *message, const char *hint)
{
	struct census_monitor monitor;

	ck_assert_int_eq(census_monitor_load(&monitor, &session, &err), code);
	ck_contains(err.msg, message);
	ck_contains(err.hint, hint);
	err_clear(&err);
}

START_TEST(a_certificate_without_a_name_is_nobodys)
{
	struct census_monitor monitor;

	write_monitor(NULL);
	is_refused(ERR_USAGE, "/work/monitor.crt has no common name, hence no user",
		   "make one for the user who counts");
	env.census_user = user;
	is_refused(ERR_USAGE, "/work/monitor.crt has no common name, hence no user",
		   "make one for the user who counts");
	write_monitor("monitor");
	ck_ok(census_monitor_load(&monitor, &session, &err), &err);
	ck_assert_str_eq(monitor.login.user, "monitor");
	census_monitor_release(&monitor);
}
END_TEST

START_TEST(a_certificate_counts_while_it_is_valid)
{
	write_monitor("monitor");
	sys_init(&other_time);
	other_time.now = some_day;
	session.sys = &other_time;
	days = 40;
	is_refused(ERR_FAIL, "/work/monitor.crt expired at 20",
		   "bring the new certificate of user 'monitor' and its key to this machine");
	days = -2;
	is_refused(ERR_FAIL, "/work/monitor.crt is not valid before 20",
		   "bring the new certificate of user 'monitor'");
}
END_TEST

START_TEST(a_key_is_a_file)
{
	write_monitor("monitor");
	scene_sh("rm work/monitor.key");
	is_refused(ERR_USAGE, "cannot read /", "census.certificate and census.key");
	scene_sh("mkdir work/monitor.key");
	is_refused(ERR_USAGE, "/work/monitor.key is no file", "census.certificate and census.key");
}
END_TEST

/* ---- the record */

START_TEST(a_record_that_cannot_be_locked_is_said)
{
	struct census_asked asked = {.items = NULL};
	struct census_run run = {.findings = FINDINGS_INIT};
	struct census_index *none = NULL;
	struct census census;

	scene_sh("mkdir -p work/.git/certrotate/poc/census.lock");
	ck_ok(census_index_new(&none, &err), &err);
	ck_assert_int_eq(census_record(&census, &run, &session, &asked, none, &err), ERR_FAIL);
	ck_contains(err.msg, "work/.git/certrotate/poc/census.lock: ");
	ck_assert_str_eq(err.hint, "the record is that of the clone: count as the user who types "
				   "'certrotate next' there");
	census_index_free(none);
}
END_TEST

/* ---- whose certificates are known */

static void count_nobody(void)
{
	const struct census_options options = {.skip = NULL};
	struct census_run run;
	struct census census;

	ck_ok(census_run(&census, &run, &session, &options, &err), &err);
	ck_assert_str_eq(err.msg, "");
	ck_assert_uint_eq(run.asked, 0);
	ck_assert_str_eq(run.generation, "g1");
	ck_assert_uint_eq(run.users.count, 5);
	census_release(&census);
	census_run_release(&run);
}

START_TEST(before_the_first_rotation_the_inventory_is_all_there_is)
{
	session_close(&session);
	scene_first();
	begin();
	count_nobody();
	ck_assert_str_eq(scene_log(), "");
}
END_TEST

START_TEST(a_generation_that_cannot_be_read_is_left_out_and_said)
{
	session_close(&session);
	scene_commit(".certrotate/poc/g7.yml", "certs: 1\n");
	scene_sh("git -C work fetch -q");
	begin();
	count_nobody();
	ck_contains(scene_log(), "g7.yml");
	ck_contains(scene_log(), "; its certificates count as unknown\n");
}
END_TEST

/* Somebody put a file where the generations' folder is. */
START_TEST(generations_that_cannot_be_listed_are_an_error)
{
	const struct census_options options = {.skip = NULL};
	struct census_run run;
	struct census census;

	session_close(&session);
	scene_first();
	scene_sh("rm -rf work/.certrotate && mkdir work/.certrotate");
	scene_commit(".certrotate/poc", "a file\n");
	scene_sh("git -C work fetch -q");
	begin();
	ck_assert_int_ne(census_run(&census, &run, &session, &options, &err), 0);
	ck_contains(err.msg, ".certrotate/poc");
	ck_assert_uint_eq(census.sample_count, 0);
}
END_TEST

/* ---- who would ask the servers */

static struct generation gen;
static struct target target;
static struct access_options access_options;
static char db1[] = "db1";
static struct endpoint endpoint = {.name = db1, .port = 5432, .protocol = ENDPOINT_POSTGRES};

static void make_target(void)
{
	struct test_chain chain = {0};

	fixture_generation(&gen, session.arena, &chain, "g1", BOTH_AUTHORITIES);
	fixture_add_leaf(&gen, session.arena, &chain, "server", "db1", LEAF_SERVER);
	test_chain_release(&chain);
	ck_ok(target_init(&target, STATE_IDLE, &gen, NULL, &err), &err);
	access_options = (struct access_options){.live = &target, .phase = PHASE__MAX};
	env.endpoints = (struct endpoints){.items = &endpoint, .count = 1};
	env.endpoints_given = true;
}

static void is_not_looked_at(const char *check)
{
	struct access_look look;

	ck_ok(access_look(&look, &session, &access_options, &err), &err);
	ck_assert_uint_eq(look.asked, 1);
	ck_assert_uint_eq(look.answered, 0);
	ck_assert_uint_eq(look.findings.count, 1);
	ck_assert_str_eq(look.findings.items[0].check, check);
	ck_assert_str_eq(look.findings.items[0].subject, "server db1");
	ck_assert_str_eq(look.findings.items[0].reason,
			 "no client certificate with a key to log in with: the servers' rules were "
			 "not looked at");
	ck_contains(look.findings.items[0].advice, "give login.user in certrotate.yml");
	access_look_release(&look);
}

START_TEST(without_a_client_certificate_nobody_is_asked)
{
	make_target();
	access_options.hidden = true;
	is_not_looked_at("hidden-client");
	access_options.new_gen = &gen;
	is_not_looked_at("client-mapping");
	target_release(&target);
	generation_release(&gen);
}
END_TEST

START_TEST(what_cannot_be_described_is_an_error_and_no_finding)
{
	struct plan plan = {
		.row = *table_find(STATE_GENERATED, EVENT_NEXT), .has_old = true, .has_new = true};

	make_target();
	plan.from = target;
	scene_sh("rm work/config/chainsmith_poc.yml");
	ck_assert_int_ne(access_look_before(&plan, &session, NULL, &err), 0);
	ck_contains(err.msg, "config/chainsmith_poc.yml");
	ck_contains(err.hint, "'chain' in certrotate.yml says where");
	ck_assert_uint_eq(plan.findings.count, 0);
	target_release(&target);
	generation_release(&gen);
}
END_TEST

Suite *looks_suite(void)
{
	Suite *suite = suite_create("looks");
	TCase *tc = tcase_create("looks");

	tcase_set_timeout(tc, 30);
	tcase_add_unchecked_fixture(tc, scene_prepare, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_certificate_without_a_name_is_nobodys);
	tcase_add_test(tc, a_certificate_counts_while_it_is_valid);
	tcase_add_test(tc, a_key_is_a_file);
	tcase_add_test(tc, a_record_that_cannot_be_locked_is_said);
	tcase_add_test(tc, before_the_first_rotation_the_inventory_is_all_there_is);
	tcase_add_test(tc, a_generation_that_cannot_be_read_is_left_out_and_said);
	tcase_add_test(tc, generations_that_cannot_be_listed_are_an_error);
	tcase_add_test(tc, without_a_client_certificate_nobody_is_asked);
	tcase_add_test(tc, what_cannot_be_described_is_an_error_and_no_finding);
	suite_add_tcase(suite, tc);
	return suite;
}
