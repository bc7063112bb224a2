/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "pki/sum.h"
#include "state/store.h"
#include "tests/state/suites.h"

static int parse(struct store *store, const char *text, struct err *err)
{
	return store_parse(store, text, strlen(text), "dev:state.json", "poc", err);
}

/* The same with the sum that belongs to it, where it is an object at all. */
static int parse_summed(struct store *store, const char *text, struct err *err)
{
	struct json *root = NULL;
	struct buf summed;
	int rc;

	buf_init(&summed, BUF_TEXT_MAX);
	if (js_parse(&root, text, strlen(text), "text", NULL) || !js_is_object(root)) {
		buf_adds(&summed, text);
	} else {
		ck_ok(sum_add(root, err), err);
		ck_ok(js_dump(&summed, root, true, err), err);
	}
	rc = parse(store, summed.data, err);
	js_free(root);
	buf_release(&summed);
	return rc;
}

START_TEST(a_state_survives_writing_and_reading)
{
	struct store store, again;
	struct err err = {0};
	struct buf text, text_again;

	buf_init(&text, BUF_TEXT_MAX);
	buf_init(&text_again, BUF_TEXT_MAX);
	ck_ok(store_init(&store, "poc", STATE_GENERATED, &err), &err);
	ck_ok(store_set(&store.old_gen, "g1", &err), &err);
	ck_ok(store_set(&store.new_gen, "g2", &err), &err);
	ck_ok(store_set(&store.last_gen, "g2", &err), &err);
	ck_ok(store_set(&store.rotation, "20261121T013000Z-7f3a", &err), &err);
	ck_ok(strs_add(&store.host_set, "db1.example.com", &err), &err);
	ck_ok(strs_add(&store.behind, "db3.example.com", &err), &err);
	ck_ok(store_begin(&store, table_find(STATE_GENERATED, EVENT_NEXT), "DBA <dba@x>", "laptop",
			  1795224600, NULL, &err),
	      &err);
	ck_ok(store_dump(&text, &store, &err), &err);
	ck_ok(parse(&again, text.data, &err), &err);
	ck_ok(store_dump(&text_again, &again, &err), &err);
	ck_assert_str_eq(text.data, text_again.data);
	ck_assert(again.under_way.active);
	ck_assert_int_eq(again.under_way.phase, PHASE_TRUST);
	ck_assert_int_eq(again.under_way.to, STATE_TRUSTED);
	ck_assert_str_eq(again.under_way.host, "laptop");
	ck_assert_str_eq(again.last_gen, "g2");
	ck_assert_int_eq(again.revision, 1);
	ck_contains(text.data, "\"state\": \"generated\"");
	store_release(&store);
	store_release(&again);
	buf_release(&text);
	buf_release(&text_again);
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} bad[] = {
	{"{\"version\": 2, \"environment\": \"poc\", \"state\": \"idle\"}",
	 "dev:state.json: state of version 2, this certrotate knows version 1"},
	{"{\"version\": 1, \"environment\": \"prod\", \"state\": \"idle\"}",
	 "dev:state.json: the state of environment 'prod', not of 'poc'"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"2\"}",
	 "dev:state.json: unknown state"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"trusted\"}",
	 "dev:state.json: the state needs an old and a new generation"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", "
	 "\"generations\": {\"old\": \"../../etc\"}}",
	 "dev:state.json: 'generations' holds a name that is not g1, g2, …"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", "
	 "\"under_way\": {\"phase\": \"x\"}}",
	 "dev:state.json: 'under_way' names no known phase, direction or state"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", \"history\": 7}",
	 "dev:state.json: 'history' is not a list"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", \"host_set\": 7}",
	 "dev:state.json: 'host_set' is not a list of names"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", \"rotation\": 7}",
	 "dev:state.json: 'rotation' is not a text"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", \"rotation\": "
	 "\"a\\u001b[2J\"}",
	 "dev:state.json: control characters in 'rotation'"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", "
	 "\"generations\": {\"old\": \"g1\", \"new\": [\"g2\"]}}",
	 "dev:state.json: 'new' is not a text"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", \"phase\": \"x\"}",
	 "dev:state.json: unknown phase"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", "
	 "\"under_way\": true}",
	 "dev:state.json: 'under_way' is not an object"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", \"behind\": [7]}",
	 "dev:state.json: 'behind' is not a list of names"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", \"behind\": [\"a\\nb\"]}",
	 "dev:state.json: 'behind' is not a list of names"},
	{"{}", "dev:state.json: not a certrotate state file: it has no 'version'"},
	{"[]", "dev:state.json: not a certrotate state file: it has no 'version'"},
	{"{\"version\": 1,\n", "dev:state.json:2: not valid JSON"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", \"revision\": -1}",
	 "dev:state.json: no such 'revision' was ever written"},
	{"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", "
	 "\"revision\": 9007199254740993}",
	 "dev:state.json: no such 'revision' was ever written"},
};

START_TEST(what_is_no_state_of_ours_is_refused)
{
	struct err err = {0};
	struct store store;

	ck_assert_int_eq(parse_summed(&store, bad[_i].text, &err), ERR_FAIL);
	ck_contains(err.msg, bad[_i].message);
	ck_assert_str_ne(err.hint, "");
}
END_TEST

START_TEST(a_state_without_the_sum_of_its_content_is_refused)
{
	static const char good[] =
		"{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\"}";
	struct err err = {0};
	struct store store;

	ck_assert_int_eq(parse(&store, good, &err), ERR_FAIL);
	ck_assert_str_eq(err.msg, "dev:state.json: it has no 'sum' of its content");
	ck_assert_int_eq(parse(&store,
			       "{\"version\": 1, \"environment\": \"poc\", \"state\": \"absent\","
			       " \"sum\": \"sha256:00\"}",
			       &err),
			 ERR_FAIL);
	ck_assert_str_eq(err.msg, "dev:state.json: its 'sum' is not that of its content");
	ck_assert_str_eq(
		err.hint,
		"the file changes only inside certrotate's own commits; an edit, a merge as "
		"text or damage breaks it: find the last good one with 'git log -- "
		".certrotate/poc/state.json', then 'git checkout COMMIT -- "
		".certrotate/poc/state.json', commit and push");
	ck_ok(parse_summed(&store, good, &err), &err);
	store_release(&store);
}
END_TEST

START_TEST(a_state_cut_anywhere_is_refused)
{
	struct err err = {0};
	struct store store;
	struct buf text;

	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(store_init(&store, "poc", STATE_IDLE, &err), &err);
	ck_ok(store_dump(&text, &store, &err), &err);
	store_release(&store);
	for (size_t len = 0; len + 2 < text.len; len++)
		ck_assert_int_eq(store_parse(&store, text.data, len, "s", "poc", &err), ERR_FAIL);
	buf_release(&text);
}
END_TEST

START_TEST(the_last_entry_of_an_outcome_is_found)
{
	struct err err = {0};
	struct store store;
	const char text[] = "{\"version\": 1, \"environment\": \"poc\", \"state\": \"idle\", "
			    "\"history\": [{\"outcome\": \"completed\", \"phase\": \"trust\"}, "
			    "{\"outcome\": \"completed\", \"phase\": \"prune\"}, "
			    "{\"outcome\": \"reverted\", \"phase\": \"x\"}]}";

	ck_ok(parse_summed(&store, text, &err), &err);
	ck_assert_str_eq(js_str(store_last(&store, "completed"), "phase", ""), "prune");
	ck_assert_ptr_null(store_last(&store, "abandoned"));
	store_release(&store);
}
END_TEST

START_TEST(an_old_entry_keeps_the_lengths_of_its_lists)
{
	static const char entry[] =
		"{\"findings\": [{}, {}], \"rollout\": [{\"hosts\": [\"db1\", \"db2\", \"db3\"]}],"
		" \"probes\": {\"leaves\": [{}], \"logins\": []}}";
	struct store store;
	struct err err = {0};
	struct json *old_entry, *new_entry;

	ck_ok(store_init(&store, "poc", STATE_IDLE, &err), &err);
	for (int i = 0; i < 3; i++) {
		struct json *value = NULL;

		ck_ok(js_parse(&value, entry, sizeof(entry) - 1, "entry", &err), &err);
		ck_ok(js_push(store.history, value), &err);
	}
	/* Again and again, as each phase does. */
	for (int i = 0; i < 3; i++)
		ck_ok(store_shorten_history(&store, 2, &err), &err);
	old_entry = js_at(store.history, 0);
	new_entry = js_at(store.history, 1);
	ck_assert_int_eq(js_int(old_entry, "findings", -1), 2);
	ck_assert(js_is_array(js_get(new_entry, "findings")));
	ck_assert_uint_eq(store_list_count(js_at(js_get(old_entry, "rollout"), 0), "hosts"), 3);
	ck_assert_uint_eq(store_list_count(js_at(js_get(new_entry, "rollout"), 0), "hosts"), 3);
	ck_assert_uint_eq(store_list_count(js_get(old_entry, "probes"), "leaves"), 1);
	ck_assert_uint_eq(store_list_count(js_get(old_entry, "probes"), "logins"), 0);
	store_release(&store);
}
END_TEST

/* An entry of the history, as settling writes it. */
static void add_entry(struct store *store, const char *phase, const char *direction,
		      const char *rotation, int64_t at)
{
	struct json *entry = js_new_object();
	char text[SYS_TIME_SIZE];

	sys_time_text(at, text);
	(void)js_set_str(entry, "phase", phase);
	(void)js_set_str(entry, "direction", direction);
	(void)js_set_str(entry, "rotation", rotation);
	(void)js_set_str(entry, "at", text);
	ck_assert_int_eq(js_push(store->history, entry), 0);
}

START_TEST(when_a_phase_was_completed_counts_for_the_last_direction_of_this_rotation)
{
	struct store store;
	struct err err = {0};

	ck_ok(store_init(&store, "poc", STATE_CLIENTS_SWITCHED, &err), &err);
	ck_assert_int_eq(store_when(&store, PHASE_CLIENTS, DIRECTION_FORWARD), 0);
	ck_ok(store_set(&store.rotation, "r2", &err), &err);
	add_entry(&store, "clients", "forward", "r1", 1795000000);
	ck_assert_int_eq(store_when(&store, PHASE_CLIENTS, DIRECTION_FORWARD), 0);
	add_entry(&store, "clients", "forward", "r2", 1795000100);
	ck_assert_int_eq(store_when(&store, PHASE_CLIENTS, DIRECTION_FORWARD), 1795000100);
	ck_assert_int_eq(store_when(&store, PHASE_CLIENTS, DIRECTION_BACK), 0);
	add_entry(&store, "clients", "back", "r2", 1795000200);
	ck_assert_int_eq(store_when(&store, PHASE_CLIENTS, DIRECTION_FORWARD), 0);
	ck_assert_int_eq(store_when(&store, PHASE_CLIENTS, DIRECTION_BACK), 1795000200);
	add_entry(&store, "clients", "forward", "r2", 1795000300);
	ck_assert_int_eq(store_when(&store, PHASE_CLIENTS, DIRECTION_FORWARD), 1795000300);
	ck_assert_int_eq(store_when(&store, PHASE_SERVERS, DIRECTION_FORWARD), 0);
	store_release(&store);
}
END_TEST

START_TEST(words_are_kept_and_taken_by_phase)
{
	struct store store, again;
	struct err err = {0};
	struct json *taken = js_new_array();
	int64_t revision;

	ck_ok(store_init(&store, "poc", STATE_TRUSTED, &err), &err);
	ck_ok(store_set(&store.old_gen, "g1", &err), &err);
	ck_ok(store_set(&store.new_gen, "g2", &err), &err);
	revision = store.revision;
	ck_ok(store_add_ack(&store, "billing", PHASE_TRUST, DIRECTION_FORWARD, "Ann", "DBA <d@x>",
			    1795000000, &err),
	      &err);
	ck_ok(store_add_ack(&store, "shop", PHASE_CLIENTS, DIRECTION_FORWARD, "", "DBA <d@x>",
			    1795000060, &err),
	      &err);
	ck_assert_int_eq(store.revision, revision + 2);
	ck_ok(store_copy(&again, &store, &err), &err);
	ck_assert_ptr_nonnull(store_ack(&again, "billing", PHASE_TRUST));
	ck_assert_str_eq(js_str(store_ack(&again, "billing", PHASE_TRUST), "who", ""), "Ann");
	ck_assert_ptr_null(store_ack(&again, "billing", PHASE_CLIENTS));
	ck_assert_ptr_null(store_ack(&again, "nobody", PHASE_TRUST));
	ck_ok(store_take_acks(&again, PHASE_TRUST, NULL, &err), &err);
	ck_assert_ptr_null(store_ack(&again, "billing", PHASE_TRUST));
	ck_assert_ptr_nonnull(store_ack(&again, "shop", PHASE_CLIENTS));
	ck_ok(store_take_acks(&store, PHASE__MAX, taken, &err), &err);
	ck_assert_uint_eq(js_count(taken), 2);
	ck_assert_uint_eq(js_count(store.acks), 0);
	js_free(taken);
	store_release(&store);
	store_release(&again);
}
END_TEST

START_TEST(a_word_has_a_direction)
{
	struct store store, again;
	struct err err = {0};

	ck_ok(store_init(&store, "poc", STATE_IDLE, &err), &err);
	ck_ok(store_add_ack(&store, "billing", PHASE_TRUST, DIRECTION_BACK, "Ann", "DBA <d@x>",
			    1795000000, &err),
	      &err);
	ck_ok(store_copy(&again, &store, &err), &err);
	ck_assert_ptr_null(store_ack(&again, "billing", PHASE_TRUST));
	ck_assert_ptr_nonnull(store_word(&again, "billing", PHASE_TRUST, DIRECTION_BACK));
	ck_ok(store_add_ack(&again, "shop", PHASE_TRUST, DIRECTION_FORWARD, "", "DBA <d@x>",
			    1795000000, &err),
	      &err);
	ck_ok(store_take_ack(&again, "billing", PHASE_TRUST, &err), &err);
	ck_assert_uint_eq(js_count(again.acks), 1);
	ck_assert_ptr_nonnull(store_ack(&again, "shop", PHASE_TRUST));
	store_release(&store);
	store_release(&again);
}
END_TEST

/* Who takes over goes on with what was begun then; what was turned round is asked its own journal.
 */
START_TEST(what_is_under_way_remembers_its_beginning)
{
	struct store store, again;
	struct err err = {0};

	ck_ok(store_init(&store, "poc", STATE_IDLE, &err), &err);
	ck_ok(store_begin(&store, table_find(STATE_IDLE, EVENT_NEXT), "DBA", "laptop:/x",
			  1795000000, NULL, &err),
	      &err);
	ck_assert_str_eq(store.under_way.begun, store.under_way.since);
	ck_assert_ptr_null(store.under_way.turned);
	ck_ok(store_copy(&again, &store, &err), &err);
	ck_assert_str_eq(again.under_way.begun, store.under_way.since);
	store_release(&again);
	ck_ok(store_set(&store.under_way.since, "2026-11-18T12:00:00Z", &err), &err);
	ck_ok(store_set(&store.under_way.turned, "2026-11-18T11:00:00Z", &err), &err);
	ck_ok(store_copy(&again, &store, &err), &err);
	ck_assert_str_eq(again.under_way.since, "2026-11-18T12:00:00Z");
	ck_assert_str_eq(again.under_way.begun, "2026-11-18T11:06:40Z");
	ck_assert_str_eq(again.under_way.turned, "2026-11-18T11:00:00Z");
	store_release(&store);
	store_release(&again);
}
END_TEST

Suite *store_suite(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");

	tcase_add_test(tc, a_state_survives_writing_and_reading);
	tcase_add_loop_test(tc, what_is_no_state_of_ours_is_refused, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, a_state_without_the_sum_of_its_content_is_refused);
	tcase_add_test(tc, a_state_cut_anywhere_is_refused);
	tcase_add_test(tc, the_last_entry_of_an_outcome_is_found);
	tcase_add_test(tc, an_old_entry_keeps_the_lengths_of_its_lists);
	tcase_add_test(tc,
		       when_a_phase_was_completed_counts_for_the_last_direction_of_this_rotation);
	tcase_add_test(tc, words_are_kept_and_taken_by_phase);
	tcase_add_test(tc, a_word_has_a_direction);
	tcase_add_test(tc, what_is_under_way_remembers_its_beginning);
	suite_add_tcase(suite, tc);
	return suite;
}
