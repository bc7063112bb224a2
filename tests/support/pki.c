/* SPDX-License-Identifier: PostgreSQL */
#include "tests/support/pki.h"

#include <stdio.h>
#include "tests/support/support.h"

static struct cert *make_ca(struct test_chain *chain, const struct key *key, const char *cn,
			    bool is_root)
{
	struct issue_spec spec = {.sys = &chain->sys,
				  .key = key,
				  .is_ca = true,
				  .pathlen = is_root ? 1 : 0,
				  .without_aki = chain->without_aki};
	struct cert *cert = NULL;
	struct err err = {0};
	struct dn dn = DN_INIT;

	ck_ok(dn_add(&dn, "O", "Acme", &err), &err);
	ck_ok(dn_add(&dn, "CN", cn, &err), &err);
	spec.subject = &dn;
	spec.issuer = is_root ? NULL : chain->root;
	spec.issuer_key = is_root ? NULL : chain->root_key;
	spec.not_after = chain->sys.now(&chain->sys) + (int64_t)3650 * TEST_DAY;
	ck_ok(cert_issue(&cert, &spec, &err), &err);
	dn_release(&dn);
	return cert;
}

void test_chain_init(struct test_chain *chain, const char *name)
{
	struct err err = {0};
	char root[64];

	sys_init(&chain->sys);
	chain->bundle = (struct bundle)BUNDLE_INIT;
	(void)snprintf(root, sizeof(root), "%s root", name);
	ck_ok(key_generate(&chain->root_key, KEY_ECDSA_P256, &err), &err);
	ck_ok(key_generate(&chain->ca_key, KEY_ECDSA_P256, &err), &err);
	chain->root = make_ca(chain, chain->root_key, root, true);
	chain->ca = make_ca(chain, chain->ca_key, name, false);
	ck_ok(bundle_add(&chain->bundle, chain->ca, &err), &err);
	ck_ok(bundle_add(&chain->bundle, chain->root, &err), &err);
}

void test_chain_release(struct test_chain *chain)
{
	bundle_release(&chain->bundle);
	cert_free(chain->ca);
	cert_free(chain->root);
	key_free(chain->ca_key);
	key_free(chain->root_key);
}

struct cert *test_leaf(struct test_chain *chain, struct key **key, const char *cn,
		       const char *const *names, const char *ext_usage)
{
	struct issue_spec spec = {.sys = &chain->sys,
				  .issuer = chain->ca,
				  .issuer_key = chain->ca_key,
				  .without_aki = chain->without_aki};
	struct strs list = STRS_INIT, usages = STRS_INIT;
	struct cert *cert = NULL;
	struct err err = {0};
	struct dn dn = DN_INIT;

	ck_ok(key_generate(key, KEY_ECDSA_P256, &err), &err);
	ck_ok(dn_add(&dn, "O", "Acme", &err), &err);
	ck_ok(dn_add(&dn, "CN", cn, &err), &err);
	for (; names && *names; names++)
		ck_ok(strs_add(&list, *names, &err), &err);
	ck_ok(strs_add(&usages, ext_usage, &err), &err);
	spec.subject = &dn;
	spec.key = *key;
	spec.names = &list;
	spec.ext_usages = &usages;
	spec.not_after = chain->sys.now(&chain->sys) + (int64_t)365 * TEST_DAY;
	ck_ok(cert_issue(&cert, &spec, &err), &err);
	strs_release(&list);
	strs_release(&usages);
	dn_release(&dn);
	return cert;
}

struct cert *test_server(struct test_chain *chain, struct key **key, const char *host)
{
	return test_leaf(chain, key, host, NULL, "serverAuth");
}

struct cert *test_client(struct test_chain *chain, struct key **key, const char *user)
{
	return test_leaf(chain, key, user, NULL, "clientAuth");
}
