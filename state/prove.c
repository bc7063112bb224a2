/* SPDX-License-Identifier: PostgreSQL */
#include "state/prove.h"

#include <stdlib.h>
#include <string.h>

#include "pki/verify.h"
#include "safety/proof.h"

#define DAY ((int64_t)86400)

/* The two sides of the transition as the proof sees them. */
struct sides {
	const struct target *from; /* NULL where nothing is live yet */
	const struct target *to;
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
	return (struct proof_leaf){leaf->pem, strlen(leaf->pem),
				   leaf->key.data ? &leaf->key : NULL};
}

/* One authority's leaves of one kind, in both generations. */
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

static size_t fill_bundles(struct proof_bundle bundles[2], const struct plan *plan,
			   const struct sides *sides, const char *authority)
{
	const struct target *targets[] = {sides->from, sides->to};
	size_t count = 0;

	for (size_t i = 0; i < 2; i++) {
		struct target_value chain;

		if (!targets[i])
			continue;
		chain = target_chain(targets[i], authority);
		if (!chain.present || (count && !strcmp(bundles[0].pem, chain.text)))
			continue;
		bundles[count++] = (struct proof_bundle){bundle_label(plan, targets[i]), chain.text,
							 chain.len, i == 0};
	}
	return count;
}

static void fill_side(struct proof_side *side, const struct plan *plan, const struct sides *sides,
		      const char *authority, enum leaf_kind kind, struct proof_peer *peers,
		      const struct proof_bundle *bundles, size_t bundle_count)
{
	side->peers = peers;
	side->count = fill_peers(peers, plan, authority, kind);
	side->bundles = bundles;
	side->bundle_count = bundle_count;
	side->occurs[picked(plan, sides->to, kind)] = true;
	if (sides->from) {
		side->occurs[picked(plan, sides->from, kind)] = true;
		side->live[picked(plan, sides->from, kind)] = true;
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

/* Leaves of an authority are verified with that authority's chain, and nothing else is. */
static int prove_authority(struct plan *plan, struct session *session, const struct sides *sides,
			   const char *authority, struct err *err)
{
	size_t most = plan->old_gen.leaf_count + plan->new_gen.leaf_count + 1;
	struct proof_peer *servers = calloc(most, sizeof(*servers));
	struct proof_peer *clients = calloc(most, sizeof(*clients));
	struct proof_bundle bundles[2];
	struct proof_result result = {0};
	int64_t now = session->sys->now(session->sys);
	struct proof_input input = {.now = now,
				    .end = now + session->env->census_quiet + 2 * DAY,
				    .level = VERIFY_LEVEL_DEFAULT,
				    .reverting = plan->row.direction == DIRECTION_BACK,
				    .sys = session->sys,
				    .log = session->log};
	size_t count = fill_bundles(bundles, plan, sides, authority);
	int rc = servers && clients ? 0 : err_nomem(err);

	if (!rc) {
		fill_side(&input.servers, plan, sides, authority, LEAF_SERVER, servers, bundles,
			  count);
		fill_side(&input.clients, plan, sides, authority, LEAF_CLIENT, clients, bundles,
			  count);
		rc = proof_run(&result, &input, err);
	}
	if (!rc) {
		plan->proof.leaves += result.leaves;
		plan->proof.pairs += result.pairs;
		plan->proof.handshakes += result.handshakes;
		rc = move_findings(&plan->findings, &result.findings, err);
		proof_result_release(&result);
	}
	free(servers);
	free(clients);
	return rc;
}

int prove_transition(struct plan *plan, struct session *session, struct err *err)
{
	const struct transition *row = &plan->row;
	bool fresh = row->phase == PHASE_FIRST || row->phase == PHASE_EMERGENCY;
	struct sides sides = {fresh ? NULL : &plan->from, &plan->to};
	struct target trusted = {0};
	int rc = 0;

	if ((row->phase == PHASE_GENERATE && row->direction == DIRECTION_BACK) || !plan->has_new)
		return 0;
	/* What is generated is proven at once for the phase that makes it live. */
	if (row->phase == PHASE_GENERATE) {
		rc = target_init(&trusted, STATE_TRUSTED, &plan->old_gen, &plan->new_gen, err);
		sides.to = &trusted;
	}
	for (size_t a = 0; a < plan->new_gen.authority_count && !rc; a++)
		rc = prove_authority(plan, session, &sides, plan->new_gen.authorities[a].name, err);
	target_release(&trusted);
	return rc;
}
