/* SPDX-License-Identifier: PostgreSQL */
/* Plans about a repository that is not as it should be, or not as it was. */
#include <stdlib.h>
#include <string.h>

#include "state/live.h"
#include "state/orphans.h"
#include "tests/state/bed.h"
#include "tests/state/suites.h"

#define DAY INT64_C(86400)

static struct session session;
static struct plan plan;
static struct err err;

static void release(void)
{
	plan_release(&plan);
	session_close(&session);
}

static const struct finding *found(const char *check, const char *subject)
{
	const struct finding *finding = bed_finding(&plan.findings, check, subject);

	ck_assert_msg(finding != NULL, "no %s about %s", check, subject ? subject : "anybody");
	return finding;
}

static void planned(enum event event, bool dry_run)
{
	ck_ok(bed_plan(&plan, &session, event, dry_run, &err), &err);
}

static void not_planned(enum event event, int code, const char *message, const char *hint)
{
	ck_assert_int_eq(bed_plan(&plan, &session, event, true, &err), code);
	ck_assert_str_eq(err.msg, message);
	ck_contains(err.hint, hint);
	session_close(&session);
}

START_TEST(without_a_chain_there_is_nothing_to_look_for)
{
	struct live live;

	bed_open(&session);
	ck_assert_int_eq(live_load(&live, &session, false, &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "poc has no chain yet: there is nothing to look for");
	live_release(&live);
	session_close(&session);
	planned(EVENT_FIRST, true);
	ck_assert_str_eq(plan.summary, "first: issue generation 1");
	ck_assert_str_eq(plan.scope, "keys: 7 ecdsa-p256");
	ck_assert_uint_eq(plan.files.count, 0);
	release();
}
END_TEST

/* Before a rotation whatever stands there counts as the old chain. */
START_TEST(an_inventory_that_was_changed_by_hand_is_taken_as_it_is)
{
	const struct finding *finding;

	bed_reach(STATE_IDLE);
	bed_change(BED_CERTS, "    app: |\n", "    late: |\n");
	planned(EVENT_NEXT, false);
	finding = found("inventory-changed", NULL);
	ck_assert_int_eq(finding->severity, SEVERITY_WARNING);
	ck_assert_str_eq(finding->subject, "certs.client.late");
	ck_assert_str_eq(finding->reason, "2 value(s) differ from generation g1; the inventory as "
					  "it is now counts as the old chain");
	ck_assert_ptr_nonnull(generation_leaf(&plan.old_gen, "client", "late"));
	ck_assert_ptr_null(generation_leaf(&plan.old_gen, "client", "app"));
	ck_assert(!plan.old_recorded);
	release();
}
END_TEST

START_TEST(what_expires_soon_is_a_warning_and_what_has_expired_blocks)
{
	const struct finding *finding;

	bed_reach(STATE_IDLE);
	bed_later(364 * DAY);
	planned(EVENT_NEXT, true);
	finding = found("expiry", "client app");
	ck_assert_int_eq(finding->severity, SEVERITY_WARNING);
	ck_contains(finding->reason, ", before the rotation can end in its usual time");
	ck_contains(finding->advice, "without a pause");
	ck_assert_ptr_null(bed_finding(&plan.findings, "expired", NULL));
	release();
	bed_later(2 * DAY);
	planned(EVENT_NEXT, true);
	finding = found("expired", "server db2.example.com");
	ck_assert_int_eq(finding->severity, SEVERITY_BLOCK);
	ck_contains(finding->reason, "expired at 20");
	ck_contains(finding->advice, "--emergency REASON");
	ck_assert_ptr_null(bed_finding(&plan.findings, "expired", "server"));
	release();
	bed_later(10 * 365 * DAY);
	planned(EVENT_NEXT, true);
	finding = found("expired", "server");
	ck_assert_int_eq(finding->severity, SEVERITY_BLOCK);
	ck_contains(finding->reason, "its CA 'O=Acme, CN=server G1' expired at 20");
	ck_contains(finding->advice, "everything that it signed is refused today");
	release();
}
END_TEST

/* Of a rotation that is over, and of what came after it. */
START_TEST(a_prune_is_taken_back_for_seven_days)
{
	struct live live;

	bed_reach(STATE_IDLE);
	not_planned(EVENT_REVERT_PRUNE, ERR_USAGE,
		    "the last phase was no prune that can be taken back",
		    "the old chain stays distrusted");
	bed_reach(STATE_SERVERS_SWITCHED);
	bed_run(EVENT_NEXT, STATE_CLIENTS_SWITCHED);
	bed_run(EVENT_NEXT, STATE__MAX);
	bed_later(7 * DAY);
	planned(EVENT_REVERT_PRUNE, true);
	ck_assert_str_eq(plan.summary, "prune: let everyone trust the old chain again");
	release();
	bed_later(1);
	not_planned(EVENT_REVERT_PRUNE, ERR_USAGE,
		    "the prune of 2026-11-20T01:30:00Z is more than 7 days old",
		    "rotate again with 'certrotate next'");
	bed_open(&session);
	ck_assert_int_eq(js_set_str(store_last(&session.store, "completed"), "at", "lately"), 0);
	bed_store(&session);
	session_close(&session);
	not_planned(EVENT_REVERT_PRUNE, ERR_FAIL,
		    ".certrotate/poc/state.json: 'at' of the last prune: 'lately' is not a time "
		    "like 2026-11-21T01:30:00Z",
		    "");
	/* Its files are looked at as long as they are kept. */
	bed_open(&session);
	ck_ok(live_load(&live, &session, false, &err), &err);
	ck_assert(live.has_retired);
	live_release(&live);
	session_close(&session);
	bed_sh("git rm -q .certrotate/poc/g1.yml");
	bed_commit();
	bed_open(&session);
	ck_ok(live_load(&live, &session, false, &err), &err);
	ck_assert(!live.has_retired);
	ck_contains(bed_logged(), ".certrotate/poc/g1.yml is not in the branch main, and the state "
				  "names g1: whether the chain before this one is refused is not "
				  "looked at");
	live_release(&live);
	session_close(&session);
}
END_TEST

START_TEST(a_host_to_leave_out_has_to_be_one)
{
	bed_reach(STATE_GENERATED);
	ck_assert_int_eq(bed_try(EVENT_NEXT, STATE__MAX, "hosts=db9:down", &err), ERR_USAGE);
	ck_assert_str_eq(err.msg, "--waive hosts=db9: there is no such host in environments/poc");
	ck_assert_str_eq(err.hint, "the servers are " BED_TWO);
}
END_TEST

START_TEST(an_emergency_names_what_it_would_take_away)
{
	bed_reach(STATE_TRUSTED);
	bed_change(BED_CERTS, "    app: |\n", "    late: |\n");
	planned(EVENT_EMERGENCY, false);
	ck_assert_str_eq(found("leaf-lost", "client late")->reason,
			 "it would get no certificate of the new chain");
	ck_assert_int_eq(found("leaf-lost", "client late")->severity, SEVERITY_BLOCK);
	ck_contains(found("refused", "poc")->reason, "app, postgres");
	release();
}
END_TEST

/* An inventory that only Ansible can read does not stop a look. */
START_TEST(without_a_readable_inventory_it_is_not_known_who_is_a_host)
{
	struct findings findings = FINDINGS_INIT;

	bed_reach(STATE_GENERATED);
	bed_sh("git rm -q " BED_INVENTORY " && git commit -qm gone && rm -rf environments/poc");
	bed_open(&session);
	ck_ok(session_generation(&plan.old_gen, &session, "g1", false, &err), &err);
	ck_ok(orphans_find(&findings, &session, &plan.old_gen, NULL, NULL, &err), &err);
	ck_assert_ptr_nonnull(bed_finding(&findings, "orphan", "db1.example.com"));
	ck_assert_str_eq(bed_finding(&findings, "orphan", "db1.example.com")->reason,
			 "whether it is a host of the inventory is not known: only Ansible can "
			 "read that");
	findings_release(&findings);
	generation_release(&plan.old_gen);
	session_close(&session);
}
END_TEST

/* A state with the right sum that no certrotate wrote. */
START_TEST(a_state_that_names_no_generation_is_refused)
{
	static const enum event events[] = {EVENT_FIRST, EVENT_NEXT};

	bed_reach(STATE_IDLE);
	for (size_t i = 0; i < 2; i++) {
		bed_open(&session);
		ck_ok(store_begin(&session.store,
				  table_find(i ? STATE_IDLE : STATE_ABSENT, events[i]), session.by,
				  session.host, 0, NULL, &err),
		      &err);
		ck_ok(store_set(&session.store.old_gen, NULL, &err), &err);
		ck_ok(store_set(&session.store.new_gen, NULL, &err), &err);
		bed_store(&session);
		session_close(&session);
		not_planned(events[i], ERR_FAIL,
			    i ? ".certrotate/poc/state.json: it does not name the generations of "
				"the phase generate"
			      : ".certrotate/poc/state.json: it does not name the generations of "
				"the phase first",
			    "take the last one back that it wrote");
	}
}
END_TEST

/* One authority for both, as some make it. */
START_TEST(a_user_of_an_authority_for_both_is_a_client)
{
	bed_describe("  - {name: server, servers: {db1.example.com: []}, clients: [app]}\n"
		     "  - {name: client, clients: [postgres]}\n");
	bed_commit();
	bed_run(EVENT_FIRST, STATE__MAX);
	bed_sh("git rm -qr .certrotate && git commit -qm strange");
	planned(EVENT_NEXT, false);
	ck_assert_int_eq(generation_leaf(&plan.old_gen, "server", "app")->kind, LEAF_CLIENT);
	ck_assert_int_eq(generation_leaf(&plan.old_gen, "server", "db1.example.com")->kind,
			 LEAF_SERVER);
	ck_assert_str_eq(plan.scope, "1 server, 2 clients");
	release();
}
END_TEST

Suite *transitions_suite(void)
{
	Suite *suite = suite_create("transitions");
	TCase *tc = bed_case("transitions");

	tcase_add_test(tc, without_a_chain_there_is_nothing_to_look_for);
	tcase_add_test(tc, an_inventory_that_was_changed_by_hand_is_taken_as_it_is);
	tcase_add_test(tc, what_expires_soon_is_a_warning_and_what_has_expired_blocks);
	tcase_add_test(tc, a_prune_is_taken_back_for_seven_days);
	tcase_add_test(tc, a_host_to_leave_out_has_to_be_one);
	tcase_add_test(tc, an_emergency_names_what_it_would_take_away);
	tcase_add_test(tc, without_a_readable_inventory_it_is_not_known_who_is_a_host);
	tcase_add_test(tc, a_state_that_names_no_generation_is_refused);
	tcase_add_test(tc, a_user_of_an_authority_for_both_is_a_client);
	suite_add_tcase(suite, tc);
	return suite;
}
