/* SPDX-License-Identifier: PostgreSQL */
#include "state/plan_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/issue.h"

static struct holding_file *add_file(struct plan *plan, const struct session *session,
				     const char *id, const char *suffix, struct err *err)
{
	char *path = str_fmt(".certrotate/%s/%s%s", session->env->name, id, suffix);
	struct holding_file *file = path ? holding_files_add(&plan->files, path) : NULL;

	free(path);
	if (!file)
		err_nomem(err);
	return file;
}

static int add_vault(struct plan *plan, struct session *session, const char *id, const char *suffix,
		     const struct secret *plain, struct err *err)
{
	struct holding_file *file = add_file(plan, session, id, suffix, err);
	int rc = file ? session_passwords(session, err) : ERR_MACHINE;

	if (file)
		file->vault = true;
	return rc ? rc
		  : vault_encrypt(&file->data, plain, vault_passwords_for_new(&session->passwords),
				  session->passwords.encrypt_label, session->sys, err);
}

static int add_generation(struct plan *plan, struct session *session, const struct generation *gen,
			  bool ca_keys, struct err *err)
{
	struct holding_file *file = add_file(plan, session, gen->id, ".yml", err);
	struct secret keys = {0};
	int rc = file ? generation_dump(&file->data, gen, err) : ERR_MACHINE;

	rc = rc ? rc : generation_dump_keys(&keys, gen, err);
	rc = rc ? rc : add_vault(plan, session, gen->id, ".vault.yml", &keys, err);
	secret_wipe(&keys);
	if (rc || !ca_keys)
		return rc;
	rc = generation_dump_ca_keys(&keys, gen, err);
	rc = rc ? rc : add_vault(plan, session, gen->id, ".ca.vault.yml", &keys, err);
	secret_wipe(&keys);
	return rc;
}

static int remove_generation(struct plan *plan, struct session *session, const char *id,
			     struct err *err)
{
	static const char *const suffixes[] = {".yml", ".vault.yml", ".ca.vault.yml"};
	int rc = 0;

	for (size_t i = 0; id && i < 3 && !rc; i++) {
		struct holding_file *file = NULL;
		struct oid blob;
		char *path = str_fmt(".certrotate/%s/%s%s", session->env->name, id, suffixes[i]);

		rc = path ? repo_path_oid(&blob, session->repo, &session->base, path, err)
			  : err_nomem(err);
		free(path);
		if (!rc)
			file = add_file(plan, session, id, suffixes[i], err);
		if (file)
			file->remove = true;
		else if (!rc)
			rc = ERR_MACHINE;
		/* Not every generation has kept its CA keys. */
		rc = rc == ERR_NOENT ? 0 : rc;
	}
	return rc;
}

static int new_generation_files(struct plan *plan, struct session *session, struct err *err)
{
	const struct store *before = &session->store;
	bool emergency = plan->row.phase == PHASE_EMERGENCY;
	int rc = 0;

	if (plan->has_old && !plan->old_recorded)
		rc = add_generation(plan, session, &plan->old_gen, false, err);
	rc = rc ? rc
		: add_generation(plan, session, &plan->new_gen,
				 session->env->ca_keys == CA_KEYS_KEEP, err);
	rc = rc ? rc : remove_generation(plan, session, before->retired_gen, err);
	/* After a leak the half-introduced generation goes as well. */
	if (!rc && emergency && before->new_gen && strcmp(before->new_gen, plan->new_gen.id) != 0)
		rc = remove_generation(plan, session, before->new_gen, err);
	return rc;
}

/* Who came or went is in the generations' files from now on; their CA keys stay as they are. */
static int changed_generations(struct plan *plan, struct session *session, struct err *err)
{
	bool removed = plan->row.phase == PHASE_GENERATE && plan->row.direction == DIRECTION_BACK;
	int rc = 0;

	if (plan->members.old_changed)
		rc = add_generation(plan, session, &plan->old_gen, false, err);
	if (!rc && plan->members.new_changed && !removed)
		rc = add_generation(plan, session, &plan->new_gen, false, err);
	return rc;
}

static int state_file(struct plan *plan, struct session *session, struct err *err)
{
	struct holding_file *file = holding_files_add(&plan->files, session->state_path);

	return file ? store_dump(&file->data, &plan->store, err) : err_nomem(err);
}

int plan_files(struct plan *plan, struct session *session, struct err *err)
{
	const struct transition *row = &plan->row;
	bool forward = row->direction == DIRECTION_FORWARD;
	int rc = 0;

	if (row->phase == PHASE_GENERATE && forward)
		rc = new_generation_files(plan, session, err);
	else if (row->phase == PHASE_GENERATE)
		rc = remove_generation(plan, session, plan->new_gen.id, err);
	else if (row->phase == PHASE_FIRST || row->phase == PHASE_EMERGENCY)
		rc = new_generation_files(plan, session, err);
	rc = rc ? rc : changed_generations(plan, session, err);
	if (!rc && row->phase != PHASE_GENERATE)
		rc = holdings_edit(&plan->files, &plan->holdings, &plan->to, err);
	return rc ? rc : state_file(plan, session, err);
}

static void count_leaves(const struct generation *gen, size_t counts[LEAF_KIND__MAX])
{
	for (size_t i = 0; i < gen->leaf_count; i++)
		counts[gen->leaves[i].kind]++;
}

static const char *what(enum phase phase, enum direction direction)
{
	static const char *const texts[PHASE__MAX][DIRECTION__MAX] = {
		[PHASE_FIRST] = {"issue generation 1", ""},
		[PHASE_GENERATE] = {"make a new chain and store it; nothing live changes",
				    "remove the stored new chain; nothing live changes"},
		[PHASE_TRUST] = {"let everyone trust the new chain beside the old one",
				 "take the new chain out of every bundle again"},
		[PHASE_SERVERS] = {"give the servers their new certificates",
				   "give the servers their old certificates back"},
		[PHASE_CLIENTS] = {"give the clients their new certificates",
				   "give the clients their old certificates back"},
		[PHASE_PRUNE] = {"remove the old chain from every bundle",
				 "let everyone trust the old chain again"},
		[PHASE_EMERGENCY] = {"replace the chain at once: clients WILL be refused meanwhile",
				     ""},
	};

	return texts[phase][direction];
}

int plan_summary(struct plan *plan, struct session *session, struct err *err)
{
	size_t counts[LEAF_KIND__MAX] = {0};
	struct buf scope;
	int rc = 0;

	buf_init(&scope, BUF_TEXT_MAX);
	plan->summary = str_fmt("%s: %s%s", phase_name(plan->row.phase),
				plan->resume ? "go on: " : (plan->turn ? "turn round: " : ""),
				what(plan->row.phase, plan->row.direction));
	count_leaves(plan->has_new ? &plan->new_gen : &plan->old_gen, counts);
	if (!plan->has_new && plan->row.direction == DIRECTION_FORWARD) {
		buf_adds(&scope, "keys: ");
		rc = issue_summary(&scope, session->chain, plan->has_old ? &plan->old_gen : NULL,
				   err);
	} else {
		buf_addf(&scope, "%zu server%s, %zu client%s", counts[LEAF_SERVER],
			 counts[LEAF_SERVER] == 1 ? "" : "s", counts[LEAF_CLIENT],
			 counts[LEAF_CLIENT] == 1 ? "" : "s");
	}
	plan->scope = buf_detach(&scope);
	buf_release(&scope);
	return rc || (plan->summary && plan->scope) ? rc : err_nomem(err);
}

static bool same_step(const struct rollout_step *a, const struct rollout_step *b)
{
	const char *as[] = {a->playbook, a->tags, a->skip_tags, a->limit};
	const char *bs[] = {b->playbook, b->tags, b->skip_tags, b->limit};

	for (size_t i = 0; i < 4; i++) {
		if (strcmp(as[i] ? as[i] : "", bs[i] ? bs[i] : "") != 0)
			return false;
	}
	return strs_equal(&a->extra_args, &b->extra_args);
}

static int add_steps(struct plan_steps *out, const struct rollout *rollout, struct err *err)
{
	const struct rollout_step **items = realloc(out->items, (out->count + rollout->count + 1) *
									sizeof(*items));

	if (!items)
		return err_nomem(err);
	out->items = items;
	for (size_t i = 0; i < rollout->count; i++) {
		bool known = false;

		for (size_t j = 0; j < out->count; j++)
			known = known || same_step(items[j], &rollout->items[i]);
		if (!known)
			items[out->count++] = &rollout->items[i];
	}
	return 0;
}

int plan_steps(struct plan_steps *out, const struct environment *env, enum phase phase,
	       struct err *err)
{
	int rc = 0;

	*out = (struct plan_steps){0};
	switch (phase) {
	case PHASE_TRUST:
		return add_steps(out, &env->rollout[ROLLOUT_TRUST], err);
	case PHASE_SERVERS:
		return add_steps(out, &env->rollout[ROLLOUT_SERVERS], err);
	case PHASE_CLIENTS:
		return add_steps(out, &env->rollout[ROLLOUT_CLIENTS], err);
	case PHASE_PRUNE:
		return add_steps(out, &env->rollout[ROLLOUT_PRUNE], err);
	case PHASE_EMERGENCY:
		for (int i = 0; i < ROLLOUT__MAX && !rc; i++)
			rc = add_steps(out, &env->rollout[i], err);
		return rc;
	case PHASE_FIRST:
	case PHASE_GENERATE:
	case PHASE__MAX:
		break;
	}
	return 0;
}

void plan_steps_release(struct plan_steps *steps)
{
	free(steps->items);
	*steps = (struct plan_steps){0};
}
