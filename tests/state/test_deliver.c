/* SPDX-License-Identifier: PostgreSQL */
/* What an application gets in which state: see deliver.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "state/deliver.h"
#include "tests/state/bed.h"
#include "tests/state/suites.h"

static struct session session;
static struct delivered delivered;
static struct err err;

/* The bed in a state, with an application of user app. */
static void reach(enum state state)
{
	err_clear(&err);
	bed_reach(state > STATE_SERVERS_SWITCHED ? STATE_SERVERS_SWITCHED : state);
	bed_change("certrotate.yml", "environments: {poc: {}}\n",
		   "environments: {poc: {}}\napplications:\n  shop: {users: [elsewhere, app]}\n"
		   "  other: {users: [nobody]}\n");
	if (state > STATE_SERVERS_SWITCHED)
		bed_run(EVENT_NEXT, STATE_CLIENTS_SWITCHED);
}

static int deliver(const char *app, const char *folder, const struct deliver_options *options)
{
	const struct application *found = NULL;
	int rc;

	bed_open(&session);
	ck_ok(config_application(&found, session.config, app, &err), &err);
	rc = deliver_write(&delivered, &session, found, folder, options, &err);
	return rc;
}

/* Where nothing else matters: into DIR.out beside the repository. */
static int deliver_phase(enum phase phase, enum direction direction)
{
	struct deliver_options options = {.phase = phase, .direction = direction};
	char *root = test_path(".");
	char *folder = str_fmt("%.*s.out", (int)strlen(root) - 2, root);
	int rc = deliver("shop", folder, &options);

	free(folder);
	free(root);
	return rc;
}

static void done(void)
{
	char *command = delivered.files.folder ? str_fmt("rm -rf '%s'", delivered.files.folder)
					       : NULL;

	if (command)
		ck_assert_int_eq(system(command), 0);
	free(command);
	delivered_release(&delivered);
	session_close(&session);
}

static struct bundle read_certs(const char *name)
{
	char *path = path_join(delivered.files.folder, name);
	size_t len;
	char *text = test_read(path, &len);
	struct bundle bundle = BUNDLE_INIT;

	ck_ok(bundle_from_pem(&bundle, text, len, name, &err), &err);
	free(text);
	free(path);
	return bundle;
}

/* "g1", "g1+g2": whose servers the delivered bundle lets trust, and " app of g2" or nothing. */
static const char *given(void)
{
	static char text[128];
	struct bundle root = read_certs("root.crt"), own = BUNDLE_INIT;
	bool user = delivery_find(&delivered.files, DELIVERY_CERTIFICATE, "app") != NULL;
	size_t known = 0;

	text[0] = '\0';
	if (user)
		own = read_certs("app/client.crt");
	for (int step = 0; step < 2; step++) {
		for (int g = 1; g <= 3; g++) {
			char id[16];
			struct generation gen;
			size_t at = strlen(text);

			(void)snprintf(id, sizeof(id), "g%d", g);
			if (session_generation(&gen, &session, id, false, NULL))
				continue;
			for (size_t i = 0; step == 0 && i < 2; i++)
				known += bundle_contains(
					&root,
					generation_authority(&gen, "server")->bundle.items[i]);
			if (step == 0 &&
			    bundle_contains(&root,
					    generation_authority(&gen, "server")->bundle.items[0]))
				(void)snprintf(text + at, sizeof(text) - at, "%s%s", at ? "+" : "",
					       id);
			if (step == 1 && user &&
			    cert_equal(own.items[0], generation_leaf(&gen, "client", "app")->cert))
				(void)snprintf(text + at, sizeof(text) - at, " app of %s", id);
			generation_release(&gen);
		}
	}
	/* and nothing that belongs to no server */
	ck_assert_uint_eq(root.count, known);
	bundle_release(&root);
	bundle_release(&own);
	return text;
}

static const struct {
	enum state state;
	enum phase phase;
	enum direction direction;
	int rc;
	const char *given; /* or the message */
	const char *name;
} asked[] = {
	{STATE_IDLE, PHASE__MAX, 0, 0, "g1 app of g1", "present"},
	{STATE_IDLE, PHASE_TRUST, 0, ERR_GATE, "poc is idle: no new chain is made yet", ""},
	{STATE_IDLE, PHASE_PRUNE, 0, 0, "g1", "prune"},
	{STATE_GENERATED, PHASE__MAX, 0, 0, "g1 app of g1", "present"},
	{STATE_GENERATED, PHASE_TRUST, 0, 0, "g1+g2", "trust"},
	{STATE_GENERATED, PHASE_CLIENTS, 0, ERR_GATE,
	 "poc is generated: the servers do not trust the new certificates yet", ""},
	{STATE_GENERATED, PHASE_EMERGENCY, 0, ERR_GATE,
	 "poc is generated: no emergency is under way", ""},
	{STATE_TRUSTED, PHASE__MAX, 0, 0, "g1+g2", "trust"},
	{STATE_TRUSTED, PHASE_TRUST, DIRECTION_BACK, 0, "g1", "trust"},
	{STATE_TRUSTED, PHASE_CLIENTS, 0, 0, "g1+g2 app of g2", "clients"},
	{STATE_TRUSTED, PHASE_PRUNE, 0, ERR_GATE,
	 "poc is trusted: servers show certificates of the old chain still, or may do so again",
	 ""},
	{STATE_TRUSTED, PHASE_SERVERS, 0, ERR_USAGE,
	 "the phase servers asks nothing of an application", ""},
	{STATE_SERVERS_SWITCHED, PHASE__MAX, 0, 0, "g1+g2 app of g1", "present"},
	{STATE_SERVERS_SWITCHED, PHASE_TRUST, DIRECTION_BACK, ERR_GATE,
	 "poc is servers-switched: servers show certificates of the new chain", ""},
	{STATE_CLIENTS_SWITCHED, PHASE__MAX, 0, 0, "g1+g2 app of g2", "clients"},
	{STATE_CLIENTS_SWITCHED, PHASE_CLIENTS, DIRECTION_BACK, 0, "g1+g2 app of g1", "clients"},
	{STATE_CLIENTS_SWITCHED, PHASE_PRUNE, 0, 0, "g2", "prune"},
};

START_TEST(each_state_gives_what_is_waited_for)
{
	int rc;

	reach(asked[_i].state);
	rc = deliver_phase(asked[_i].phase, asked[_i].direction);
	ck_assert_msg(rc == asked[_i].rc, "%d %s", rc, err.msg);
	if (rc) {
		ck_assert_str_eq(err.msg, asked[_i].given);
		ck_assert_str_ne(err.hint, "");
		ck_assert_ptr_null(delivered.files.folder);
		session_close(&session);
		return;
	}
	ck_assert_str_eq(given(), asked[_i].given);
	ck_assert_str_eq(deliver_name(&delivered), asked[_i].name);
	ck_assert_int_eq(delivered.direction, asked[_i].direction);
	ck_assert_int_eq(delivered.generated, strstr(asked[_i].given, "app of") != NULL);
	done();
}
END_TEST

static void expect_now(const char *what, const char *name, enum direction direction)
{
	ck_ok(deliver_phase(PHASE__MAX, DIRECTION_FORWARD), &err);
	ck_assert_str_eq(given(), what);
	ck_assert_str_eq(deliver_name(&delivered), name);
	ck_assert_int_eq(delivered.direction, direction);
	done();
}

START_TEST(what_was_undone_is_given_back)
{
	reach(STATE_CLIENTS_SWITCHED);
	bed_run(EVENT_REVERT, STATE__MAX);
	expect_now("g1+g2 app of g1", "clients", DIRECTION_BACK);
	bed_run(EVENT_REVERT, STATE__MAX);
	/* the servers' phase back: nothing waits */
	expect_now("g1+g2", "trust", DIRECTION_FORWARD);
}
END_TEST

START_TEST(a_trust_that_was_undone_is_given_back)
{
	reach(STATE_TRUSTED);
	bed_run(EVENT_REVERT, STATE__MAX);
	expect_now("g1", "trust", DIRECTION_BACK);
	bed_run(EVENT_REVERT, STATE__MAX);
	expect_now("g1 app of g1", "present", DIRECTION_FORWARD);
}
END_TEST

/* The last state that was proven is the one that is being left. */
START_TEST(what_goes_back_is_not_given_any_more)
{
	reach(STATE_TRUSTED);
	bed_open(&session);
	ck_ok(store_begin(&session.store, table_find(STATE_TRUSTED, EVENT_REVERT), "Ada",
			  session.host, 1795000000, NULL, &err),
	      &err);
	bed_store(&session);
	session_close(&session);
	ck_assert_int_eq(deliver_phase(PHASE_CLIENTS, DIRECTION_FORWARD), ERR_GATE);
	ck_assert_str_eq(err.msg, "poc is on its way back to generated: the servers do not trust "
				  "the new certificates yet");
	session_close(&session);
}
END_TEST

START_TEST(after_the_prune_and_back)
{
	reach(STATE_CLIENTS_SWITCHED);
	bed_run(EVENT_NEXT, STATE__MAX);
	expect_now("g2 app of g2", "present", DIRECTION_FORWARD);
	ck_ok(deliver_phase(PHASE_PRUNE, DIRECTION_FORWARD), &err);
	ck_assert_str_eq(given(), "g2");
	done();
	bed_run(EVENT_REVERT_PRUNE, STATE__MAX);
	expect_now("g1+g2", "prune", DIRECTION_BACK);
}
END_TEST

START_TEST(an_emergency_gives_everything)
{
	reach(STATE_TRUSTED);
	bed_run(EVENT_EMERGENCY, STATE__MAX);
	expect_now("g3 app of g3", "emergency", DIRECTION_FORWARD);
}
END_TEST

START_TEST(the_present_is_given_although_a_phase_waits)
{
	struct deliver_options options = {.phase = PHASE__MAX, .present = true};

	reach(STATE_TRUSTED);
	ck_ok(deliver("shop", NULL, &options), &err);
	ck_assert_str_eq(given(), "g1+g2 app of g1");
	ck_assert(str_ends(delivered.files.folder, "/.git/certrotate/poc/deliveries/shop"));
	done();
}
END_TEST

START_TEST(a_bundle_needs_no_vault_password)
{
	reach(STATE_TRUSTED);
	bed_sh("echo wrong >.git/pass");
	expect_now("g1+g2", "trust", DIRECTION_FORWARD);
	ck_assert_int_eq(deliver_phase(PHASE_CLIENTS, DIRECTION_FORWARD), ERR_FAIL);
	ck_contains(err.msg, ".certrotate/poc/g1.vault.yml");
	session_close(&session);
}
END_TEST

START_TEST(a_passphrase_that_is_given_has_to_be_good)
{
	struct secret weak = {(char *)"short", 5}, good = {(char *)"long enough for it", 18};
	struct deliver_options options = {.phase = PHASE_CLIENTS, .passphrase = &weak};

	reach(STATE_TRUSTED);
	ck_assert_int_eq(deliver("shop", NULL, &options), ERR_USAGE);
	ck_assert_str_eq(err.msg, "the keys: a passphrase of 5 characters is too short");
	session_close(&session);
	options.passphrase = &good;
	options.never_made = true;
	ck_ok(deliver("shop", NULL, &options), &err);
	ck_assert(!delivered.generated);
	done();
	options.passphrase = NULL;
	ck_assert_int_eq(deliver("shop", NULL, &options), ERR_USAGE);
	ck_contains(err.msg, "none can be shown");
	session_close(&session);
	/* which is nothing to who gets no key */
	options.phase = PHASE_TRUST;
	ck_ok(deliver("shop", NULL, &options), &err);
	ck_assert_ptr_null(delivered.passphrase.data);
	done();
}
END_TEST

START_TEST(an_application_without_a_certificate_gets_nothing)
{
	struct deliver_options options = {.phase = PHASE__MAX};

	reach(STATE_TRUSTED);
	ck_assert_int_eq(deliver("other", NULL, &options), ERR_USAGE);
	ck_assert_str_eq(err.msg, "application other has no client certificate in poc");
	ck_assert_str_eq(err.hint, "its users in certrotate.yml are nobody");
	session_close(&session);
}
END_TEST

START_TEST(the_work_tree_is_no_place_for_it)
{
	struct deliver_options options = {.phase = PHASE__MAX};
	char *folder = test_path("out"), *kept = test_path("kept/shop");

	reach(STATE_TRUSTED);
	ck_assert_msg(deliver("shop", folder, &options) == ERR_USAGE, "%s", err.msg);
	ck_contains(err.msg, "/out is in the repository's work tree: it would be committed");
	ck_assert(!file_exists(folder));
	session_close(&session);
	bed_write(".gitignore", "/kept/\n");
	bed_commit();
	bed_sh("mkdir kept");
	ck_ok(deliver("shop", kept, &options), &err);
	ck_assert_str_eq(given(), "g1+g2");
	bed_sh("test -z \"$(git status --porcelain)\"");
	done();
	free(folder);
	free(kept);
}
END_TEST

Suite *deliver_suite(void)
{
	Suite *suite = suite_create("deliver");
	TCase *states = bed_case("states"), *ways = bed_case("ways"),
	      *refusals = bed_case("refusals");

	tcase_add_loop_test(states, each_state_gives_what_is_waited_for, 0,
			    (int)(sizeof(asked) / sizeof(asked[0])));
	suite_add_tcase(suite, states);
	tcase_add_test(ways, what_was_undone_is_given_back);
	tcase_add_test(ways, a_trust_that_was_undone_is_given_back);
	tcase_add_test(ways, what_goes_back_is_not_given_any_more);
	tcase_add_test(ways, after_the_prune_and_back);
	tcase_add_test(ways, an_emergency_gives_everything);
	tcase_add_test(ways, the_present_is_given_although_a_phase_waits);
	suite_add_tcase(suite, ways);
	tcase_add_test(refusals, a_bundle_needs_no_vault_password);
	tcase_add_test(refusals, a_passphrase_that_is_given_has_to_be_good);
	tcase_add_test(refusals, an_application_without_a_certificate_gets_nothing);
	tcase_add_test(refusals, the_work_tree_is_no_place_for_it);
	suite_add_tcase(suite, refusals);
	return suite;
}
