/* SPDX-License-Identifier: PostgreSQL */
#include "state/prove.h"

#include <stdlib.h>
#include <string.h>

#include "pki/verify.h"
#include "safety/proof.h"
#include "state/behind.h"
#include "state/prove_hosts.h"

#define DAY ((int64_t)86400)

/* A host that an earlier phase left behind and this one leaves out again: what it may hold. */
struct held {
	const char *host;
	char *label;
	const struct target *targets[2]; /* the second only where it is not known */
	size_t count;
};

/* The transition as the proof sees it. */
struct proving {
	struct plan *plan;
	struct session *session;
	const struct target *from; /* NULL where nothing is live yet */
	const struct target *to;
	struct target trusted;		 /* what is generated is proven for */
	struct target older[STATE__MAX]; /* what hosts that were left behind have */
	struct held *held;
	size_t held_count;
	struct strs held_names;
};

/* One authority's part of it. */
struct part {
	const struct proving *proving;
	const char *authority;
	struct proof_peer *servers, *clients;
	struct server_names names;
	struct proof_bundle *bundles;
	size_t bundle_count;
};

static enum proof_generation picked(const struct plan *plan, const struct target *target,
				    enum leaf_kind kind)
{
	const struct target_row *row = target_row(target->state);
	enum pick pick = kind == LEAF_SERVER ? row->servers : row->clients;

	if (plan->has_new && target->old_gen == &plan->new_gen)
		return PROOF_NEW;
	return pick == PICK_NEW ? PROOF_NEW : PROOF_OLD;
}

static struct proof_leaf proof_leaf(const struct generation *gen, const char *authority,
				    const char *name)
{
	const struct gen_leaf *leaf = generation_leaf(gen, authority, name);

	if (!leaf)
		return (struct proof_leaf){0};
	return (struct proof_leaf){leaf->pem, strlen(leaf->pem), leaf->key.data ? &leaf->key : NULL,
				   leaf->cert};
}

/* The authority's leaves of one kind, in both generations. */
static size_t fill_peers(struct proof_peer *peers, const struct plan *plan, const char *authority,
			 enum leaf_kind kind)
{
	const struct generation *gens[] = {plan->has_old ? &plan->old_gen : NULL,
					   plan->has_new ? &plan->new_gen : NULL};
	size_t count = 0;

	for (size_t g = 0; g < 2; g++) {
		for (size_t i = 0; gens[g] && i < gens[g]->leaf_count; i++) {
			const struct gen_leaf *leaf = &gens[g]->leaves[i];

			if (leaf->kind != kind || strcmp(leaf->authority, authority) != 0 ||
			    (g && gens[0] && generation_leaf(gens[0], authority, leaf->name)))
				continue;
			peers[count] = (struct proof_peer){.name = leaf->name};
			for (size_t k = 0; k < 2; k++) {
				if (gens[k])
					peers[count].leaves[k] = proof_leaf(gens[k], authority,
									    leaf->name);
			}
			count++;
		}
	}
	return count;
}

static const char *bundle_label(const struct plan *plan, const struct target *target)
{
	if (target_row(target->state)->bundles == PICK_BOTH)
		return "old and new";
	return plan->has_new && target->old_gen == &plan->new_gen ? "new" : "old";
}

static void add_bundle(struct part *part, const struct target *target, const struct held *held,
		       bool live)
{
	struct target_value chain = target_chain(target, part->authority);

	if (!chain.present)
		return;
	part->bundles[part->bundle_count++] = (struct proof_bundle){
		.label = held ? held->label : bundle_label(part->proving->plan, target),
		.pem = chain.text,
		.len = chain.len,
		.live = live,
		.holder = held ? held->host : NULL};
}

static void fill_bundles(struct part *part)
{
	const struct proving *proving = part->proving;

	if (proving->from)
		add_bundle(part, proving->from, NULL, true);
	add_bundle(part, proving->to, NULL, false);
	if (part->bundle_count == 2 && !strcmp(part->bundles[0].pem, part->bundles[1].pem))
		part->bundle_count = 1;
	for (size_t i = 0; i < proving->held_count; i++) {
		const struct held *held = &proving->held[i];

		for (size_t k = 0; k < held->count; k++)
			add_bundle(part, held->targets[k], held, true);
	}
}

/* Which clients' certificates a host has is not known: any may be there. */
static void fill_held(struct proof_side *servers, struct proof_side *clients,
		      const struct part *part)
{
	const struct proving *proving = part->proving;

	for (size_t i = 0; i < proving->held_count; i++) {
		const struct held *held = &proving->held[i];
		size_t peer;

		for (size_t k = 0; k < held->count; k++) {
			enum proof_generation server = picked(proving->plan, held->targets[k],
							      LEAF_SERVER);
			enum proof_generation client = picked(proving->plan, held->targets[k],
							      LEAF_CLIENT);

			if (server_names_find(&part->names, held->host, &peer))
				part->servers[peer].behind[server] = !servers->live[server];
			clients->stray[client] = !clients->occurs[client];
		}
	}
}

static void fill_side(struct proof_side *side, const struct part *part, enum leaf_kind kind,
		      const struct proof_peer *peers, size_t count)
{
	const struct proving *proving = part->proving;

	side->peers = peers;
	side->count = count;
	side->bundles = part->bundles;
	/* an authority of clients only: nobody holds its chain to verify servers with it */
	side->bundle_count = count ? part->bundle_count : 0;
	side->occurs[picked(proving->plan, proving->to, kind)] = true;
	if (proving->from) {
		side->occurs[picked(proving->plan, proving->from, kind)] = true;
		side->live[picked(proving->plan, proving->from, kind)] = true;
	}
}

static int move_findings(struct findings *out, const struct findings *in, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < in->count && !rc; i++) {
		const struct finding *finding = &in->items[i];

		rc = findings_add(out, finding->check, finding->severity, finding->subject,
				  finding->advice, err, "%s", finding->reason);
	}
	return rc;
}

static int run_part(struct part *part, size_t server_count, size_t client_count, struct err *err)
{
	const struct proving *proving = part->proving;
	struct session *session = proving->session;
	struct plan *plan = proving->plan;
	int64_t now = session->sys->now(session->sys);
	struct proof_input input = {.now = now,
				    .end = now + session->env->census_quiet + 2 * DAY,
				    .level = VERIFY_LEVEL_DEFAULT,
				    .behind = &proving->held_names,
				    .reverting = plan->row.direction == DIRECTION_BACK,
				    .sys = session->sys,
				    .log = session->log};
	struct proof_result result = {0};
	int rc;

	fill_side(&input.servers, part, LEAF_SERVER, part->servers, server_count);
	fill_side(&input.clients, part, LEAF_CLIENT, part->clients, client_count);
	fill_held(&input.servers, &input.clients, part);
	rc = proof_run(&result, &input, err);
	if (rc)
		return rc;
	plan->proof.leaves += result.leaves;
	plan->proof.pairs += result.pairs;
	plan->proof.handshakes += result.handshakes;
	plan->proof.checks += result.checks;
	rc = move_findings(&plan->findings, &result.findings, err);
	proof_result_release(&result);
	return rc;
}

/* Leaves of an authority are verified with that authority's chain, and nothing else is. */
static int prove_authority(const struct proving *proving, const char *authority, struct err *err)
{
	const struct plan *plan = proving->plan;
	size_t most = plan->old_gen.leaf_count + plan->new_gen.leaf_count + 1;
	struct part part = {.proving = proving, .authority = authority};
	size_t server_count, client_count;
	int rc = 0;

	part.servers = calloc(most, sizeof(*part.servers));
	part.clients = calloc(most, sizeof(*part.clients));
	part.bundles = calloc(2 + 2 * proving->held_count, sizeof(*part.bundles));
	if (!part.servers || !part.clients || !part.bundles) {
		rc = err_nomem(err);
		goto out;
	}
	server_count = fill_peers(part.servers, plan, authority, LEAF_SERVER);
	client_count = fill_peers(part.clients, plan, authority, LEAF_CLIENT);
	fill_bundles(&part);
	rc = server_names_init(&part.names, part.servers, server_count, proving->session->chain,
			       authority, proving->session->env, err);
	rc = rc ? rc : run_part(&part, server_count, client_count, err);
	server_names_release(&part.names);
out:
	free(part.servers);
	free(part.clients);
	free(part.bundles);
	return rc;
}

static int say_behind(struct plan *plan, const char *host, const char *advice, const char *reason,
		      struct err *err)
{
	char *subject = str_fmt("host %s", host);
	int rc = subject ? findings_add(&plan->findings, "behind", SEVERITY_WARNING, subject,
					advice, err, "%s", reason)
			 : err_nomem(err);

	free(subject);
	return rc;
}

static int older_target(const struct target **out, struct proving *proving, enum state state,
			struct err *err)
{
	const struct plan *plan = proving->plan;
	bool new_alone = state == STATE_IDLE;
	struct target *target = &proving->older[state];

	*out = target;
	if (target->old_gen)
		return 0;
	return target_init(target, state, new_alone ? &plan->new_gen : &plan->old_gen,
			   new_alone ? NULL : &plan->new_gen, err);
}

static int hold(struct proving *proving, const char *host, struct err *err)
{
	struct held *held = &proving->held[proving->held_count];
	enum state state = behind_state(&proving->session->store, host);
	bool known = state != STATE__MAX;
	int rc;

	*held = (struct held){.host = host, .label = str_fmt("what %s still has", host)};
	proving->held_count++;
	rc = held->label ? strs_add(&proving->held_names, host, err) : err_nomem(err);
	rc = rc ? rc
		: older_target(&held->targets[0], proving, known ? state : STATE_GENERATED, err);
	if (!rc)
		held->count = 1;
	if (rc || known)
		return rc;
	held->targets[held->count++] = proving->from;
	return say_behind(proving->plan, host, "bring it up to date",
			  "it was left behind, and the history does not tell in which state: it is "
			  "proven with the old chain and with what the others have now",
			  err);
}

/*
 * Who is not left out again is brought up to date before anything else changes, and nothing
 * changes where that fails.
 */
static int say_caught_up(struct plan *plan, const char *host, struct err *err)
{
	char *advice = str_fmt("have it up when you go on, or leave it out once more: --waive "
			       "'hosts=%s:REASON'",
			       host);
	int rc = advice ? say_behind(
				  plan, host, advice,
				  "an earlier phase left it out: it is brought up to date first, "
				  "and nothing else changes where that fails",
				  err)
			: err_nomem(err);

	free(advice);
	return rc;
}

static int hold_behind(struct proving *proving, struct err *err)
{
	const struct plan *plan = proving->plan;
	const struct strs *behind = &proving->session->store.behind;
	int rc = 0;

	proving->held = calloc(behind->count + 1, sizeof(*proving->held));
	if (!proving->held)
		return err_nomem(err);
	for (size_t i = 0; i < behind->count && !rc; i++) {
		if (strs_has(&plan->skip, behind->items[i]))
			rc = hold(proving, behind->items[i], err);
		else
			rc = say_caught_up(proving->plan, behind->items[i], err);
	}
	return rc;
}

/* Nothing comes back to them after a prune. */
static int say_given_up(struct plan *plan, struct err *err)
{
	int rc = 0;

	if (plan->row.phase != PHASE_PRUNE || plan->row.direction != DIRECTION_FORWARD)
		return 0;
	for (size_t i = 0; i < plan->skip.count && !rc; i++)
		rc = say_behind(plan, plan->skip.items[i],
				"run the playbooks on it before it serves anybody again",
				"it is given up: it goes on trusting the old chain, and no later "
				"phase brings it up to date",
				err);
	return rc;
}

static void release(struct proving *proving)
{
	target_release(&proving->trusted);
	for (int i = 0; i < STATE__MAX; i++)
		target_release(&proving->older[i]);
	for (size_t i = 0; i < proving->held_count; i++)
		free(proving->held[i].label);
	free(proving->held);
	strs_release(&proving->held_names);
}

/* Before there is a new chain, what is live is proven by itself. */
static int prove_today(struct proving *proving, struct err *err)
{
	const struct plan *plan = proving->plan;
	int rc = 0;

	proving->to = proving->from;
	for (size_t a = 0; a < plan->old_gen.authority_count && !rc; a++)
		rc = prove_authority(proving, plan->old_gen.authorities[a].name, err);
	return rc;
}

static int prove_change(struct proving *proving, bool fresh, struct err *err)
{
	struct plan *plan = proving->plan;
	int rc = 0;

	/* What is generated is proven at once for the phase that makes it live. */
	if (plan->row.phase == PHASE_GENERATE) {
		rc = target_init(&proving->trusted, STATE_TRUSTED, &plan->old_gen, &plan->new_gen,
				 err);
		proving->to = &proving->trusted;
	} else if (!fresh) {
		rc = hold_behind(proving, err);
		rc = rc ? rc : say_given_up(plan, err);
	}
	for (size_t a = 0; a < plan->new_gen.authority_count && !rc; a++)
		rc = prove_authority(proving, plan->new_gen.authorities[a].name, err);
	return rc;
}

int prove_transition(struct plan *plan, struct session *session, struct err *err)
{
	const struct transition *row = &plan->row;
	bool fresh = row->phase == PHASE_FIRST || row->phase == PHASE_EMERGENCY;
	struct proving proving = {.plan = plan,
				  .session = session,
				  .from = fresh ? NULL : &plan->from,
				  .to = &plan->to};
	int64_t began = session->sys->mono_ms(session->sys);
	int rc = 0;

	if (row->phase == PHASE_GENERATE && row->direction == DIRECTION_BACK)
		return 0;
	if (plan->has_new)
		rc = prove_change(&proving, fresh, err);
	else if (plan->has_old && !fresh)
		rc = prove_today(&proving, err);
	plan->proof.ms = session->sys->mono_ms(session->sys) - began;
	release(&proving);
	return rc;
}
