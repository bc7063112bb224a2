/* SPDX-License-Identifier: PostgreSQL */
/* Chains made at run time: P-256, a root with one intermediate. Every failure fails the test. */
#ifndef TESTS_SUPPORT_PKI_H
#define TESTS_SUPPORT_PKI_H

#include <stdbool.h>
#include "base/sys.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/issue.h"
#include "pki/key.h"

struct test_chain {
	struct sys sys;
	struct key *root_key;
	struct key *ca_key;
	struct cert *root;
	struct cert *ca;
	struct bundle bundle; /* ca, root: as certs.yml has it */
	bool without_aki;     /* of leaves; set it before test_chain_init for the CAs too */
};

#define TEST_DAY 86400

/* CNs "NAME root" and NAME; valid for 3650 days. */
void test_chain_init(struct test_chain *chain, const char *name);
void test_chain_release(struct test_chain *chain);

/*
 * A leaf of 365 days with CN cn. names: up to the first NULL, or NULL for none; ext_usage
 * "serverAuth" or "clientAuth". The key goes to *key (key_free).
 */
struct cert *test_leaf(struct test_chain *chain, struct key **key, const char *cn,
		       const char *const *names, const char *ext_usage);
struct cert *test_server(struct test_chain *chain, struct key **key, const char *host);
struct cert *test_client(struct test_chain *chain, struct key **key, const char *user);

#endif
