/* SPDX-License-Identifier: PostgreSQL */
#include "state/target.h"

#include <stdlib.h>
#include <string.h>

static const struct target_row rows[STATE__MAX] = {
	[STATE_ABSENT] = {PICK_OLD, PICK_OLD, PICK_OLD},
	[STATE_IDLE] = {PICK_OLD, PICK_OLD, PICK_OLD},
	[STATE_GENERATED] = {PICK_OLD, PICK_OLD, PICK_OLD},
	[STATE_TRUSTED] = {PICK_BOTH, PICK_OLD, PICK_OLD},
	[STATE_SERVERS_SWITCHED] = {PICK_BOTH, PICK_NEW, PICK_OLD},
	[STATE_CLIENTS_SWITCHED] = {PICK_BOTH, PICK_NEW, PICK_NEW},
};

const struct target_row *target_row(enum state state)
{
	return &rows[state];
}

static int merge(char **out, const struct generation *old_gen, const struct generation *new_gen,
		 const char *authority, struct err *err)
{
	const struct gen_authority *older = generation_authority(old_gen, authority);
	const struct gen_authority *newer = generation_authority(new_gen, authority);
	struct bundle both = BUNDLE_INIT;
	struct buf text;
	int rc;

	if (!newer)
		return err_set(err, ERR_FAIL, "generation %s has no authority '%s'", new_gen->id,
			       authority);
	buf_init(&text, BUF_TEXT_MAX);
	rc = bundle_merge(&both, &newer->bundle, &older->bundle, err);
	if (!rc)
		rc = bundle_to_pem(&text, &both, err);
	if (!rc) {
		*out = buf_detach(&text);
		rc = *out ? 0 : err_nomem(err);
	}
	buf_release(&text);
	bundle_release(&both);
	return rc;
}

int target_init(struct target *target, enum state state, const struct generation *old_gen,
		const struct generation *new_gen, struct err *err)
{
	int rc = 0;

	*target = (struct target){.state = state, .old_gen = old_gen, .new_gen = new_gen};
	if (rows[state].bundles != PICK_BOTH)
		return 0;
	target->merged = calloc(old_gen->authority_count + 1, sizeof(*target->merged));
	if (!target->merged)
		return err_nomem(err);
	target->count = old_gen->authority_count;
	for (size_t i = 0; i < target->count && !rc; i++)
		rc = merge(&target->merged[i], old_gen, new_gen, old_gen->authorities[i].name, err);
	if (rc)
		target_release(target);
	return rc;
}

void target_release(struct target *target)
{
	for (size_t i = 0; i < target->count; i++)
		free(target->merged[i]);
	free(target->merged);
	*target = (struct target){0};
}

static struct target_value value(const char *text, const char *raw)
{
	if (!text)
		return (struct target_value){0};
	return (struct target_value){true, text, strlen(text), raw, raw ? strlen(raw) : 0};
}

struct target_value target_chain(const struct target *target, const char *authority)
{
	const struct gen_authority *found;

	for (size_t i = 0; i < target->count; i++) {
		if (!strcmp(target->old_gen->authorities[i].name, authority))
			return value(target->merged[i], NULL);
	}
	found = generation_authority(target->old_gen, authority);
	return found ? value(found->chain, found->chain_raw) : value(NULL, NULL);
}

static bool is_absent(const struct target *target, const char *authority, const char *name)
{
	char *key = target->absent ? str_fmt("%s/%s", authority, name) : NULL;
	bool absent = key && strmap_get(target->absent, key, NULL);

	free(key);
	return absent;
}

const struct gen_leaf *target_pick(const struct target *target, const char *authority,
				   const char *name)
{
	const struct gen_leaf *older = generation_leaf(target->old_gen, authority, name);
	const struct gen_leaf *newer = target->new_gen
					       ? generation_leaf(target->new_gen, authority, name)
					       : NULL;
	const struct target_row *row = &rows[target->state];
	const struct gen_leaf *any = older ? older : newer;
	enum pick pick;

	if (!any || is_absent(target, authority, name))
		return NULL;
	pick = any->kind == LEAF_SERVER ? row->servers : row->clients;
	if (pick == PICK_NEW || (!older && row->bundles == PICK_BOTH))
		return newer;
	return older;
}

struct target_value target_leaf(const struct target *target, const char *authority,
				const char *name)
{
	const struct gen_leaf *leaf = target_pick(target, authority, name);

	return leaf ? value(leaf->pem, leaf->raw) : value(NULL, NULL);
}

struct target_value target_key(const struct target *target, const char *authority, const char *name)
{
	const struct gen_leaf *leaf = target_pick(target, authority, name);

	if (!leaf || !leaf->key.data)
		return value(NULL, NULL);
	return (struct target_value){true, leaf->key.data, leaf->key.len, leaf->key_raw.data,
				     leaf->key_raw.len};
}
