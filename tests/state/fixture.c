/* SPDX-License-Identifier: PostgreSQL */
#include "tests/state/suites.h"

void fixture_add_leaf(struct generation *gen, struct arena *arena, struct test_chain *chain,
		      const char *authority, const char *name, enum leaf_kind kind)
{
	struct key *key = NULL;
	struct cert *cert = kind == LEAF_SERVER ? test_server(chain, &key, name)
						: test_client(chain, &key, name);
	struct err err = {0};
	struct secret text;
	struct buf pem;

	buf_init(&pem, BUF_TEXT_MAX);
	ck_ok(cert_to_pem(&pem, cert, &err), &err);
	ck_ok(generation_add_leaf(gen, authority, name, kind, pem.data, pem.len, NULL, 0, &err),
	      &err);
	ck_ok(key_to_pem(&text, arena, key, &err), &err);
	ck_ok(generation_add_key(gen, authority, name, text.data, text.len, NULL, 0, &err), &err);
	buf_release(&pem);
	key_free(key);
	cert_free(cert);
}

void fixture_generation(struct generation *gen, struct arena *arena, struct test_chain *chain,
			const char *id, const char *const *authorities)
{
	struct err err = {0};
	struct buf text;

	test_chain_init(chain, id);
	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(generation_init(gen, id, arena, &err), &err);
	ck_ok(bundle_to_pem(&text, &chain->bundle, &err), &err);
	for (size_t i = 0; authorities[i]; i++)
		ck_ok(generation_add_authority(gen, authorities[i], text.data, text.len, NULL, 0,
					       &err),
		      &err);
	buf_release(&text);
}
