/* SPDX-License-Identifier: PostgreSQL */
#include "state/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/hosts.h"
#include "state/gates.h"
#include "state/hooks.h"
#include "state/issue.h"
#include "state/notify.h"
#include "state/plan_files.h"
#include "state/prove.h"

#define NAMES_SHOWN 20
#define DAY	    ((int64_t)86400)
#define TAKE_BACK_S (7 * DAY)

static unsigned highest(const struct store *store)
{
	const char *ids[] = {store->old_gen, store->new_gen, store->retired_gen, store->last_gen};
	unsigned highest = 0;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		unsigned number = generation_number(ids[i]);

		highest = number > highest ? number : highest;
	}
	return highest;
}

static int note_change(void *ctx, const struct difference *difference, struct err *err)
{
	return strs_addf(ctx, err, "%s.%s.%s",
			 difference->kind == CERTS_KEY ? KEYS_ROOT : CERTS_ROOT,
			 difference->authority, difference->name);
}

/*
 * The live generation before a rotation: as recorded, where the inventory still is that, so that
 * its files stay as they are; else the inventory as it stands, with a finding that says so.
 */
static int take_live(struct plan *plan, struct session *session, struct err *err)
{
	const char *id = plan->store.old_gen ? plan->store.old_gen : "g1";
	struct strs changed = STRS_INIT;
	struct target target;
	int rc = 0;

	if (plan->store.old_gen) {
		rc = session_generation(&plan->old_gen, session, id, true, err);
		plan->has_old = !rc;
		rc = rc ? rc : target_init(&target, STATE_IDLE, &plan->old_gen, NULL, err);
		rc = rc ? rc
			: holdings_each_difference(&plan->holdings, &target, note_change, &changed,
						   err);
		plan->old_recorded = !rc && !changed.count;
		if (rc || plan->old_recorded)
			goto out;
		rc = findings_add(&plan->findings, "inventory-changed", SEVERITY_WARNING,
				  changed.items[0], NULL, err,
				  "%zu value(s) differ from generation %s; the inventory as it is "
				  "now counts as the old chain",
				  changed.count, id);
		generation_release(&plan->old_gen);
		plan->has_old = false;
	}
	rc = rc ? rc : holdings_snapshot(&plan->old_gen, &plan->holdings, id, session->chain, err);
	plan->has_old = !rc;
out:
	strs_release(&changed);
	return rc;
}

static int load_recorded(struct plan *plan, struct session *session, struct err *err)
{
	const struct store *store = &plan->store;
	bool back_to_retired = plan->row.event == EVENT_REVERT_PRUNE && !plan->resume &&
			       !plan->turn;
	/* Its files went with the commit that is gone on with. */
	bool removed = plan->resume && plan->row.phase == PHASE_GENERATE &&
		       plan->row.direction == DIRECTION_BACK;
	const char *old_id = back_to_retired ? store->retired_gen : store->old_gen;
	const char *new_id = back_to_retired ? store->old_gen : store->new_gen;
	int rc = 0;

	if ((!old_id && plan->row.phase != PHASE_FIRST) || (!new_id && !removed)) {
		err_set(err, ERR_FAIL, "%s: it does not name the generations of the phase %s",
			session->state_path, phase_name(plan->row.phase));
		return err_hint(err,
				"nobody but certrotate writes it: take the last one back that it "
				"wrote ('git log -- %s')",
				session->state_path);
	}
	if (removed)
		new_id = NULL;
	if (plan->row.phase != PHASE_FIRST) {
		rc = session_generation(&plan->old_gen, session, old_id, true, err);
		plan->has_old = !rc;
	}
	if (!rc && new_id) {
		rc = session_generation(&plan->new_gen, session, new_id, true, err);
		plan->has_new = !rc;
	}
	return rc;
}

static int make_new(struct plan *plan, struct session *session, struct err *err)
{
	char id[16];
	struct issue_options options = {.id = id,
					.chain = session->chain,
					.old_gen = plan->has_old ? &plan->old_gen : NULL,
					.arena = session->arena,
					.sys = session->sys,
					.log = session->log,
					.stop = session->stop};
	int rc;

	(void)snprintf(id, sizeof(id), "g%u",
		       highest(&plan->store) + (plan->store.old_gen || !plan->has_old ? 1 : 2));
	rc = generation_issue(&plan->new_gen, &options, err);
	plan->has_new = !rc;
	return rc;
}

/* What the new chain would take out of the inventory; only an emergency can find something. */
static int check_lost(struct plan *plan, struct err *err)
{
	const struct certs *certs = plan->holdings.certs.certs;
	int rc = 0;

	for (size_t i = 0; i < certs_count(certs) && !rc; i++) {
		const struct certs_entry *entry = certs_at(certs, i);
		char *subject;

		if (entry->kind != CERTS_LEAF ||
		    generation_leaf(&plan->new_gen, entry->authority, entry->name))
			continue;
		subject = str_fmt("%s %s", entry->authority, entry->name);
		rc = subject ? findings_add(&plan->findings, "leaf-lost", SEVERITY_BLOCK, subject,
					    "add it to the chain's description", err,
					    "it would get no certificate of the new chain")
			     : err_nomem(err);
		free(subject);
	}
	return rc;
}

static int load_generations(struct plan *plan, struct session *session,
			    const struct plan_options *options, struct err *err)
{
	enum phase phase = plan->row.phase;
	int rc = 0;

	if (!plan_issues(plan))
		return load_recorded(plan, session, err);
	/* In the middle of a rotation the inventory holds some of both. */
	if (phase == PHASE_EMERGENCY && plan->store.new_gen) {
		rc = session_generation(&plan->old_gen, session, plan->store.old_gen, true, err);
		plan->has_old = plan->old_recorded = !rc;
	} else if (phase != PHASE_FIRST) {
		rc = take_live(plan, session, err);
	}
	rc = rc ? rc
		: issue_findings(&plan->findings, session->chain,
				 plan->has_old ? &plan->old_gen : NULL, err);
	rc = rc || options->dry_run ? rc : make_new(plan, session, err);
	return rc || !plan->has_new ? rc : check_lost(plan, err);
}

/* After a prune, an emergency or a first generation, "idle" holds the new generation alone. */
static int side(struct target *out, const struct plan *plan, enum state state, struct err *err)
{
	enum phase phase = plan->row.phase;
	bool after = state == STATE_IDLE &&
		     (phase == PHASE_PRUNE || phase == PHASE_EMERGENCY || phase == PHASE_FIRST);

	if (after && plan->has_new)
		return target_init(out, STATE_IDLE, &plan->new_gen, NULL, err);
	return target_init(out, state, &plan->old_gen, plan->has_new ? &plan->new_gen : NULL, err);
}

static int make_targets(struct plan *plan, const struct plan_options *options, struct err *err)
{
	const struct transition *row = &plan->row;
	enum state from = row->phase == PHASE_EMERGENCY ? STATE_IDLE : row->from;
	int rc;

	/* An emergency starts from the old generation alone: that is what has to go. */
	if (row->phase == PHASE_EMERGENCY)
		rc = target_init(&plan->from, STATE_IDLE, &plan->old_gen, NULL, err);
	else
		rc = row->phase == PHASE_FIRST ? 0 : side(&plan->from, plan, from, err);
	plan->from.absent = &plan->members.came;
	if (!rc && (plan->has_new || !options->dry_run))
		rc = side(&plan->to, plan, row->to, err);
	return rc;
}

/* Whether the inventory is to be what two generations say, so that who came or went is known. */
static bool has_members(const struct plan *plan)
{
	return plan->has_old && plan->has_new && !plan_issues(plan) &&
	       plan->row.phase != PHASE_EMERGENCY && plan->row.phase != PHASE_FIRST &&
	       plan->row.event != EVENT_REVERT_PRUNE;
}

/* Who went need not be brought up to date any more. */
static int forget_behind(struct strs *behind, const struct plan *plan, struct err *err)
{
	struct strs still = STRS_INIT;
	int rc = 0;

	for (size_t i = 0; i < behind->count && !rc; i++) {
		bool gone = false;

		for (size_t a = 0; a < plan->old_gen.authority_count && !gone && !rc; a++) {
			char *key = str_fmt("%s/%s", plan->old_gen.authorities[a].name,
					    behind->items[i]);

			gone = key && strmap_get(&plan->members.gone, key, NULL);
			rc = key ? 0 : err_nomem(err);
			free(key);
		}
		if (!gone && !rc)
			rc = strs_add(&still, behind->items[i], err);
	}
	strs_release(behind);
	*behind = still;
	return rc;
}

/* Who came or went is found out before the targets are made: the generations change with it. */
static int take_members(struct plan *plan, struct session *session, struct findings *drift,
			struct err *err)
{
	struct target now = {0};
	struct members_input in = {.session = session,
				   .holdings = &plan->holdings,
				   .old_gen = &plan->old_gen,
				   .new_gen = &plan->new_gen,
				   .now = &now,
				   .row = plan->resume ? NULL : &plan->row};
	int rc;

	if (!has_members(plan))
		return 0;
	rc = side(&now, plan, plan->resume ? plan->row.to : plan->row.from, err);
	rc = rc ? rc : members_take(&plan->members, &plan->findings, drift, &in, err);
	if (!rc && plan->members.gone.count && !plan->resume) {
		rc = forget_behind(&plan->store.behind, plan, err);
		rc = rc ? rc : forget_behind(&session->store.behind, plan, err);
	}
	target_release(&now);
	return rc;
}

static int check_drift(struct plan *plan, struct session *session, struct findings *drift,
		       struct err *err)
{
	struct drift_input in = {.session = session,
				 .holdings = &plan->holdings,
				 .target = plan->resume ? &plan->to : &plan->from,
				 .spared = &plan->members.spared};
	int rc;

	if (plan->row.phase == PHASE_FIRST ||
	    (plan->row.phase == PHASE_EMERGENCY && !plan->resume) || plan_issues(plan))
		return 0;
	rc = drift_look(drift, &in, err);
	return rc ? rc : drift_refuse(drift, err);
}

/* What only the new chain gave a certificate to has none once that chain is distrusted. */
static int check_alone(struct plan *plan, struct err *err)
{
	int rc = 0;

	if (plan->row.phase != PHASE_TRUST || plan->row.direction != DIRECTION_BACK)
		return 0;
	for (size_t i = 0; i < plan->new_gen.leaf_count && !rc; i++) {
		const struct gen_leaf *leaf = &plan->new_gen.leaves[i];
		char *subject = str_fmt("%s %s", leaf->authority, leaf->name);

		if (!subject)
			rc = err_nomem(err);
		else if (!generation_leaf(&plan->old_gen, leaf->authority, leaf->name))
			rc = findings_add(&plan->findings, "leaf-lost", SEVERITY_BLOCK, subject,
					  "see that nobody needs it until the next rotation", err,
					  "it came in the middle of the rotation and has no "
					  "certificate of generation %s: it is left without one",
					  plan->old_gen.id);
		free(subject);
	}
	return rc;
}

static int check_inventory(struct plan *plan, struct session *session,
			   const struct plan_options *options, struct err *err)
{
	struct findings drift = FINDINGS_INIT;
	int rc = take_members(plan, session, &drift, err);

	rc = rc ? rc : make_targets(plan, options, err);
	rc = rc ? rc : check_drift(plan, session, &drift, err);
	rc = rc ? rc : check_alone(plan, err);
	findings_release(&drift);
	return rc;
}

/* What is expired cannot be rotated quietly; what soon will be leaves no time. */
static int check_expiry(struct plan *plan, struct session *session, struct err *err)
{
	int64_t now = session->sys->now(session->sys);
	int64_t end = now + session->env->census_quiet + 2 * DAY;
	char text[SYS_TIME_SIZE];
	int rc = 0;

	if (plan->row.phase != PHASE_GENERATE || !plan_issues(plan))
		return 0;
	for (size_t i = 0; i < plan->old_gen.leaf_count && !rc; i++) {
		const struct gen_leaf *leaf = &plan->old_gen.leaves[i];
		int64_t until = cert_not_after(leaf->cert);
		char *subject = str_fmt("%s %s", leaf->authority, leaf->name);

		sys_time_text(until, text);
		if (!subject)
			rc = err_nomem(err);
		else if (until <= now)
			rc = findings_add(
				&plan->findings, "expired", SEVERITY_BLOCK, subject,
				"it is refused today: 'certrotate next --emergency REASON' "
				"replaces the chain at once",
				err, "expired at %s", text);
		else if (until < end)
			rc = findings_add(&plan->findings, "expiry", SEVERITY_WARNING, subject,
					  "do the phases without a pause", err,
					  "expires at %s, before the rotation can end in its usual "
					  "time",
					  text);
		free(subject);
	}
	for (size_t a = 0; a < plan->old_gen.authority_count && !rc; a++) {
		const struct gen_authority *authority = &plan->old_gen.authorities[a];
		const struct cert *ca = bundle_first_to_expire(&authority->bundle);

		if (!ca || cert_not_after(ca) > now)
			continue;
		sys_time_text(cert_not_after(ca), text);
		rc = findings_add(&plan->findings, "expired", SEVERITY_BLOCK, authority->name,
				  "everything that it signed is refused today: 'certrotate next "
				  "--emergency REASON' replaces the chain at once",
				  err, "its CA '%s' expired at %s", cert_subject(ca), text);
	}
	return rc;
}

static int check_take_back(const struct plan *plan, struct session *session, struct err *err)
{
	const struct json *last = store_last(&plan->store, "completed");
	int64_t at = 0;
	int rc;

	if (plan->row.event != EVENT_REVERT_PRUNE || plan->resume || plan->turn)
		return 0;
	if (!plan->store.retired_gen || strcmp(js_str(last, "phase", ""), "prune") != 0) {
		err_set(err, ERR_USAGE, "the last phase was no prune that can be taken back");
		return err_hint(err, "after an emergency, or once a new generation was made, the "
				     "old chain stays distrusted");
	}
	rc = sys_time_parse(js_str(last, "at", ""), &at, err);
	if (rc)
		return err_prefix(err, "%s: 'at' of the last prune", session->state_path);
	if (session->sys->now(session->sys) - at > TAKE_BACK_S) {
		err_set(err, ERR_USAGE, "the prune of %s is more than 7 days old",
			js_str(last, "at", ""));
		return err_hint(err, "rotate again with 'certrotate next'");
	}
	return 0;
}

static int open_holdings(struct plan *plan, struct session *session, struct err *err)
{
	int rc;

	if (plan->row.phase == PHASE_FIRST && !plan->resume)
		rc = holdings_empty(&plan->holdings, session, err);
	else
		rc = holdings_load(&plan->holdings, session, &session->base, true, err);
	plan->has_holdings = !rc;
	return rc;
}

/* What the inventory holds now is needed no more once the files are made of it. */
static void close_holdings(struct plan *plan)
{
	if (plan->has_holdings)
		holdings_release(&plan->holdings);
	plan->has_holdings = false;
}

/* The price of an emergency, by name, before anybody says yes. */
static int check_refused(struct plan *plan, const struct session *session, struct err *err)
{
	struct strs users = STRS_INIT;
	char names[1024];
	int rc = 0;

	/* Also where it goes on: what it was done in spite of belongs to the history. */
	if (plan->row.phase != PHASE_EMERGENCY || !plan->has_old)
		return 0;
	for (size_t i = 0; i < plan->old_gen.leaf_count && !rc; i++) {
		if (plan->old_gen.leaves[i].kind == LEAF_CLIENT)
			rc = strs_add(&users, plan->old_gen.leaves[i].name, err);
	}
	strs_join(&users, NAMES_SHOWN, names, sizeof(names));
	if (!rc && users.count)
		rc = findings_add(&plan->findings, "refused", SEVERITY_WARNING, session->env->name,
				  "tell those whom no playbook serves; sessions that are open now "
				  "stay open with the old certificate until they end",
				  err,
				  "from the rollout on these clients are refused until they have "
				  "their new certificate: %s",
				  names);
	strs_release(&users);
	return rc;
}

/* A host to be left out has to be one: a slip in its name would leave nobody out. */
static int check_skip(const struct plan *plan, const struct session *session, struct err *err)
{
	struct hosts hosts = HOSTS_INIT;
	struct strs servers = STRS_INIT;
	char names[512];
	int rc = plan->skip.count ? hosts_read(&hosts, repo_root(session->repo),
					       session->env->inventory, err)
				  : 0;

	for (size_t i = 0; i < plan->old_gen.leaf_count && !rc; i++) {
		if (plan->old_gen.leaves[i].kind == LEAF_SERVER)
			rc = strs_add_unique(&servers, plan->old_gen.leaves[i].name, err);
	}
	for (size_t i = 0; i < plan->skip.count && !rc; i++) {
		const char *host = plan->skip.items[i];

		/* A dynamic inventory has hosts that only Ansible knows. */
		if (strs_has(&servers, host) || hosts_find(&hosts, host) ||
		    strs_has(&plan->store.behind, host) || hosts.passed_over.count)
			continue;
		strs_join(&servers, NAMES_SHOWN, names, sizeof(names));
		rc = err_set(err, ERR_USAGE, "--waive hosts=%s: there is no such host in %s", host,
			     session->env->inventory);
		err_hint(err, "the servers are %s", names);
	}
	hosts_release(&hosts);
	strs_release(&servers);
	return rc;
}

static int add_applications(struct plan *plan, const struct session *session, struct err *err)
{
	const struct generation *gen = plan->has_new ? &plan->new_gen : &plan->old_gen;
	struct hook_list list = {.items = NULL};
	int rc = 0;

	if (plan->has_new || plan->has_old) {
		rc = gates_strangers(&plan->findings, session->config, session->env->name, gen,
				     err);
		rc = rc ? rc
			: hooks_list(&list, session, plan->row.phase, plan->row.direction, gen,
				     err);
	}
	rc = rc ? rc : hook_list_texts(&plan->hooks, &list, err);
	hook_list_release(&list);
	return rc;
}

int plan_make(struct plan *plan, struct session *session, enum event event,
	      const struct plan_options *options, struct err *err)
{
	int rc;

	*plan = (struct plan){.given = options->waivers};
	rc = store_copy(&plan->store, &session->store, err);
	rc = rc ? rc
		: plan_choose(&plan->row, &plan->resume, &plan->turn, &session->store, event, err);
	if (!rc && plan->resume)
		rc = waivers_from_json(&plan->kept, plan->store.waivers, err);
	rc = rc ? rc : session_chain(session, err);
	rc = rc ? rc : check_take_back(plan, session, err);
	rc = rc ? rc : waivers_subjects(&plan->skip, options->waivers, "hosts", err);
	rc = rc ? rc : open_holdings(plan, session, err);
	rc = rc ? rc : load_generations(plan, session, options, err);
	rc = rc ? rc
		: plan_full_names(&plan->skip, plan->has_old ? &plan->old_gen : &plan->new_gen,
				  err);
	rc = rc ? rc : check_skip(plan, session, err);
	rc = rc ? rc : check_inventory(plan, session, options, err);
	rc = rc ? rc : check_expiry(plan, session, err);
	rc = rc ? rc : check_refused(plan, session, err);
	rc = rc ? rc : session_notes(&plan->findings, session, err);
	rc = rc ? rc : plan_begin(plan, session, options, err);
	rc = rc ? rc : plan_summary(plan, session, err);
	rc = rc ? rc : add_applications(plan, session, err);
	rc = rc ? rc : notify_check(&plan->findings, session, plan->resume || plan->turn, err);
	if (!rc && !plan->resume && !(options->dry_run && plan_issues(plan)))
		rc = plan_files(plan, session, err);
	close_holdings(plan);
	rc = rc ? rc : prove_transition(plan, session, err);
	if (rc) {
		plan_release(plan);
		return rc;
	}
	plan_waive(plan, &plan->findings, false);
	findings_sort(&plan->findings);
	return 0;
}

void plan_waive(const struct plan *plan, struct findings *findings, bool named)
{
	waivers_apply(plan->given, findings, named);
	waivers_apply(&plan->kept, findings, named);
}

void plan_release(struct plan *plan)
{
	target_release(&plan->from);
	target_release(&plan->to);
	members_release(&plan->members);
	if (plan->has_old)
		generation_release(&plan->old_gen);
	if (plan->has_new)
		generation_release(&plan->new_gen);
	close_holdings(plan);
	findings_release(&plan->findings);
	holding_files_release(&plan->files);
	store_release(&plan->store);
	strs_release(&plan->skip);
	strs_release(&plan->hooks);
	waivers_release(&plan->kept);
	free(plan->rotation);
	free(plan->summary);
	free(plan->scope);
	*plan = (struct plan){0};
}
