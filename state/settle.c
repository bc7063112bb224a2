/* SPDX-License-Identifier: PostgreSQL */
/* The end of a transition: evidence and final state. See steps.h. */
#include <stdlib.h>
#include <string.h>

#include "state/hooks.h"
#include "state/publish.h"
#include "state/steps.h"

/* Two rotations and some turns: the file is read by every command, and at most 16 MiB long. */
#define HISTORY_WHOLE 12

static const char *outcome(const struct transition *row)
{
	if (row->direction == DIRECTION_FORWARD)
		return "completed";
	return row->phase == PHASE_GENERATE ? "abandoned" : "reverted";
}

static struct json *findings_json(const struct findings *findings)
{
	struct json *array = js_new_array();

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];
		struct json *object = js_new_object();

		/* What is merely worth knowing now is noise in a history. */
		if (finding->severity == SEVERITY_INFO) {
			js_free(object);
			continue;
		}
		(void)js_set_str(object, "check", finding->check);
		(void)js_set_str(object, "severity", severity_name(finding->severity));
		(void)js_set_str(object, "subject", finding->subject);
		(void)js_set_str(object, "reason", finding->reason);
		(void)js_set_bool(object, "waived", finding->waived);
		(void)js_push(array, object);
	}
	return array;
}

/* One that the phase began with may have been given again. */
static bool was_given(const struct waivers *given, const struct json *kept)
{
	for (size_t i = 0; given && i < given->count; i++) {
		if (!strcmp(given->items[i].gate, js_str(kept, "gate", "")) &&
		    !strcmp(given->items[i].subject, js_str(kept, "subject", "")))
			return true;
	}
	return false;
}

static void add_waiver(struct json *array, const char *gate, const char *subject,
		       const char *reason, const char *by, const char *at)
{
	struct json *object = js_new_object();

	(void)js_set_str(object, "gate", gate);
	(void)js_set_str(object, "subject", subject);
	(void)js_set_str(object, "reason", reason);
	(void)js_set_str(object, "by", by);
	/* A waiver is given for one phase and ends with it. */
	(void)js_set_str(object, "expires", at);
	(void)js_push(array, object);
}

static struct json *all_waivers(const struct session *session, const struct plan *plan)
{
	const struct waivers *given = plan->given;
	const struct json *kept = plan->resume ? plan->store.waivers : NULL;
	struct json *array = js_new_array();
	char at[SYS_TIME_SIZE];

	sys_time_text(session->sys->now(session->sys), at);
	for (size_t i = 0; i < js_count(kept); i++) {
		const struct json *waiver = js_at(kept, i);

		if (!was_given(given, waiver))
			add_waiver(array, js_str(waiver, "gate", ""), js_str(waiver, "subject", ""),
				   js_str(waiver, "reason", ""), js_str(waiver, "by", ""), at);
	}
	for (size_t i = 0; given && i < given->count; i++)
		add_waiver(array, given->items[i].gate, given->items[i].subject,
			   given->items[i].reason, session->by, at);
	return array;
}

static struct json *make_entry(struct session *session, const struct plan *plan,
			       struct json *rollout, struct json *probes)
{
	const struct transition *row = &plan->row;
	struct json *entry = js_new_object(), *proof = js_new_object();
	char at[SYS_TIME_SIZE];

	sys_time_text(session->sys->now(session->sys), at);
	(void)js_set_str(entry, "rotation", plan->rotation);
	(void)js_set_str(entry, "phase", phase_name(row->phase));
	(void)js_set_str(entry, "direction", direction_name(row->direction));
	(void)js_set_str(entry, "from", state_name(row->from));
	(void)js_set_str(entry, "to", state_name(row->to));
	(void)js_set_str(entry, "outcome", outcome(row));
	(void)js_set_str(entry, "by", session->by);
	(void)js_set_str(entry, "host", session->host);
	(void)js_set_str(entry, "since", plan->store.under_way.since);
	(void)js_set_str(entry, "at", at);
	(void)js_set_str(entry, "commit", session->base.hex);
	/* As it was given when the phase began: whoever goes on with it need not say it again. */
	if (plan->store.under_way.reason)
		(void)js_set_str(entry, "reason", plan->store.under_way.reason);
	(void)js_set(entry, "findings", findings_json(&plan->findings));
	(void)js_set_int(proof, "leaves", (int64_t)plan->proof.leaves);
	(void)js_set_int(proof, "pairs", (int64_t)plan->proof.pairs);
	(void)js_set_int(proof, "handshakes", (int64_t)plan->proof.handshakes);
	(void)js_set(entry, "proof", proof);
	(void)js_set(entry, "rollout", js_copy(rollout));
	(void)js_set(entry, "probes", probes ? js_copy(probes) : js_new_null());
	(void)js_set(entry, "waivers", all_waivers(session, plan));
	return entry;
}

/*
 * The words that this phase was waiting for become part of its entry. What is undone takes the
 * words about it along, and with the end of a rotation all of them have served.
 */
static int settle_acks(struct store *store, const struct transition *row, struct json *entry,
		       struct err *err)
{
	struct json *acks = js_new_array();
	int rc = acks ? 0 : err_nomem(err);

	if (!rc && row->to == STATE_IDLE)
		rc = store_take_acks(store, PHASE__MAX, acks, err);
	else if (!rc && row->direction == DIRECTION_BACK)
		rc = store_take_acks(store, row->phase, acks, err);
	for (size_t i = 0; i < js_count(store->acks) && !rc && row->phase == PHASE_SERVERS; i++) {
		if (js_push(acks, js_copy(js_at(store->acks, i))))
			rc = err_nomem(err);
	}
	if (rc) {
		js_free(acks);
		return rc;
	}
	return js_set(entry, "acks", acks) ? err_nomem(err) : 0;
}

/* Which generation is the live one, now that the transition has ended. */
static int settle_generations(struct store *store, const struct transition *row, struct err *err)
{
	char *retired = NULL;
	int rc = 0;

	if (row->to != STATE_IDLE)
		return 0;
	if (row->direction == DIRECTION_BACK)
		return store_set(&store->new_gen, NULL, err);
	retired = store->old_gen;
	store->old_gen = store->new_gen;
	store->new_gen = NULL;
	rc = store_set(&store->retired_gen, row->phase == PHASE_FIRST ? NULL : retired, err);
	free(retired);
	return rc;
}

/*
 * A rollout reached everybody but those who were left out. Who was given up by name for a prune is
 * nobody's business any more.
 */
static int settle_behind(struct store *store, const struct plan *plan, struct err *err)
{
	bool given_up = plan->row.phase == PHASE_PRUNE && plan->row.direction == DIRECTION_FORWARD;

	strs_release(&store->behind);
	return given_up ? 0 : strs_copy(&store->behind, &plan->skip, err);
}

/* Words may have come in since the plan was made: they are in the state, and raised its revision.
 */
static int take_words(struct store *store, const struct session *session, struct err *err)
{
	struct json *acks = js_copy(session->store.acks);

	if (!acks)
		return err_nomem(err);
	js_free(store->acks);
	store->acks = acks;
	if (store->revision < session->store.revision)
		store->revision = session->store.revision;
	return 0;
}

static int settle_store(struct store *store, const struct session *session, const struct plan *plan,
			struct json *entry, struct err *err)
{
	const struct transition *row = &plan->row;
	int rc = settle_generations(store, row, err);

	rc = rc ? rc : hooks_give_words(store, session, plan, err);
	store->state = row->to;
	store->revision++;
	store_end(store);
	rc = rc ? rc : settle_acks(store, row, entry, err);
	if (!rc && js_push(store->history, js_copy(entry)))
		rc = err_nomem(err);
	rc = rc ? rc : store_shorten_history(store, HISTORY_WHOLE, err);
	return rc || !phase_rolls_out(row->phase) ? rc : settle_behind(store, plan, err);
}

int step_settle(struct session *session, struct plan *plan, struct json *rollout,
		struct json *probes, const struct json **entry, struct err *err)
{
	struct json *made = make_entry(session, plan, rollout, probes);
	char *subject = str_fmt("certrotate %s: settle %s%s", session->env->name,
				plan->row.direction == DIRECTION_BACK ? "revert " : "",
				phase_name(plan->row.phase));
	char *body = str_fmt("Proven on the wire. The state is %s: %s.", state_name(plan->row.to),
			     state_meaning(plan->row.to));
	struct store store;
	int rc = made && subject && body ? store_copy(&store, &plan->store, err) : err_nomem(err);

	*entry = NULL;
	if (!rc) {
		rc = take_words(&store, session, err);
		rc = rc ? rc : hooks_evidence(made, session, err);
		rc = rc ? rc : settle_store(&store, session, plan, made, err);
		rc = rc ? rc : publish_state(session, &store, subject, body, err);
		store_release(&store);
	}
	if (!rc)
		*entry = store_last(&session->store, NULL);
	js_free(made);
	free(subject);
	free(body);
	return rc;
}
