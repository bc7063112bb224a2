/* SPDX-License-Identifier: PostgreSQL */
#include "state/login.h"

#include <string.h>

const struct gen_leaf *login_server_leaf(const struct generation *gen, const char *name)
{
	for (size_t a = 0; gen && a < gen->authority_count; a++) {
		const struct gen_leaf *leaf = generation_leaf(gen, gen->authorities[a].name, name);

		if (leaf && leaf->kind == LEAF_SERVER)
			return leaf;
	}
	return NULL;
}

const struct gen_leaf *login_served(const struct target *target, const char *name)
{
	const struct gen_leaf *any = login_server_leaf(target->old_gen, name);

	any = any ? any : login_server_leaf(target->new_gen, name);
	return any ? target_pick(target, any->authority, name) : NULL;
}

const char *login_bundle(const struct target *target, const char *name)
{
	const struct gen_leaf *leaf = login_served(target, name);
	struct target_value chain;

	if (!leaf) {
		for (size_t i = 0; !leaf && i < target->old_gen->leaf_count; i++) {
			if (target->old_gen->leaves[i].kind == LEAF_SERVER)
				leaf = &target->old_gen->leaves[i];
		}
	}
	if (!leaf)
		return NULL;
	chain = target_chain(target, leaf->authority);
	return chain.present ? chain.text : NULL;
}

const struct gen_leaf *login_client_leaf(const struct generation *gen, const char *user)
{
	const struct gen_leaf *first = NULL;

	for (size_t i = 0; gen && i < gen->leaf_count; i++) {
		const struct gen_leaf *leaf = &gen->leaves[i];

		if (leaf->kind != LEAF_CLIENT || !leaf->key.data)
			continue;
		if (!strcmp(leaf->name, user))
			return leaf;
		first = first ? first : leaf;
	}
	return first;
}
