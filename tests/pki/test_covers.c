/* SPDX-License-Identifier: PostgreSQL */
#include "tests/pki/suites.h"

#include <stdio.h>
#include <string.h>

static struct test_chain chain;

static void setup(void)
{
	test_chain_init(&chain, "server");
}

static void teardown(void)
{
	test_chain_release(&chain);
}

struct side {
	enum key_alg alg;
	const char *cn;
	const char *names[4];
	const char *key_usages[4];
	const char *ext_usages[4];
};

static const struct {
	struct side older;
	struct side newer;
	const char *found; /* "check severity reason" of each, with a line end */
} rows[] = {
	{{KEY_ECDSA_P256, "db1", {"db1", "10.0.0.1"}, {NULL}, {"serverAuth"}},
	 {KEY_ECDSA_P256, "db1", {"10.0.0.1", "DB1", "db2"}, {NULL}, {"serverAuth", "clientAuth"}},
	 ""},
	{{KEY_ECDSA_P256, "db1", {"db1.lan", "10.0.0.1", "fd00::1"}, {NULL}, {"serverAuth"}},
	 {KEY_ECDSA_P256, "db1", {"*.lan", "10.0.0.2"}, {NULL}, {"serverAuth"}},
	 "leaf-names block the name IP:10.0.0.1 of the certificate before is missing\n"
	 "leaf-names block the name IP:fd00::1 of the certificate before is missing\n"},
	/* the older has no SAN at all, as those of chainsmith with one name */
	{{KEY_ECDSA_P256, "db1.lan", {NULL}, {NULL}, {"clientAuth"}},
	 {KEY_ECDSA_P256, "db1.lan", {"other.lan"}, {NULL}, {"clientAuth"}},
	 "leaf-names block clients no longer accept the host name db1.lan, which was the CN of the "
	 "certificate before\n"},
	{{KEY_ECDSA_P256, "db1", {NULL}, {NULL}, {"serverAuth", "clientAuth"}},
	 {KEY_ECDSA_P256, "db1", {NULL}, {NULL}, {"serverAuth"}},
	 "leaf-usage block the extended usage clientAuth of the certificate before is missing\n"},
	{{KEY_ECDSA_P256, "db1", {"db1"}, {NULL}, {NULL}},
	 {KEY_ECDSA_P256, "db1", {"db1"}, {NULL}, {"serverAuth", "clientAuth"}},
	 "leaf-usage warning the certificate before was good for every use; now for serverAuth, "
	 "clientAuth only\n"},
	{{KEY_ECDSA_P256, "db1", {"db1"}, {NULL}, {"serverAuth"}},
	 {KEY_ECDSA_P256, "db1", {"db1"}, {NULL}, {NULL}},
	 ""},
	{{KEY_ECDSA_P256, "db1", {"db1"}, {"nonRepudiation"}, {"serverAuth"}},
	 {KEY_ECDSA_P256, "db1", {"db1"}, {NULL}, {"serverAuth"}},
	 "leaf-usage block the key usage nonRepudiation of the certificate before is missing\n"},
	{{KEY_RSA2048, "db1", {"db1"}, {"keyEncipherment"}, {"serverAuth"}},
	 {KEY_ECDSA_P256, "db1", {"db1"}, {"keyEncipherment"}, {"serverAuth"}},
	 "leaf-usage info the key usage keyEncipherment goes: ECDSA P-256 keys have no use for "
	 "it\n"},
	{{KEY_ECDSA_P256, "app", {NULL}, {NULL}, {"clientAuth"}},
	 {KEY_ECDSA_P256, "App", {NULL}, {NULL}, {"clientAuth"}},
	 "leaf-subject block the subject was O=Acme, CN=app and would be O=Acme, CN=App\n"},
};

static void list(struct strs *out, const char *const items[4])
{
	struct err err = {0};

	for (size_t i = 0; i < 4 && items[i]; i++)
		ck_ok(strs_add(out, items[i], &err), &err);
}

static struct cert *make(const struct side *side)
{
	struct strs names = STRS_INIT, key_usages = STRS_INIT, ext_usages = STRS_INIT;
	struct cert *cert = NULL;
	struct key *key = NULL;
	struct dn dn = DN_INIT;
	struct err err = {0};

	list(&names, side->names);
	list(&key_usages, side->key_usages);
	list(&ext_usages, side->ext_usages);
	ck_ok(dn_add(&dn, "O", "Acme", &err), &err);
	ck_ok(dn_add(&dn, "CN", side->cn, &err), &err);
	ck_ok(key_generate(&key, side->alg, &err), &err);
	ck_ok(cert_issue(&cert,
			 &(struct issue_spec){.sys = &chain.sys,
					      .key = key,
					      .issuer = chain.ca,
					      .issuer_key = chain.ca_key,
					      .subject = &dn,
					      .names = &names,
					      .key_usages = &key_usages,
					      .ext_usages = &ext_usages,
					      .not_after = chain.sys.now(&chain.sys) + TEST_DAY},
			 &err),
	      &err);
	key_free(key);
	dn_release(&dn);
	strs_release(&names);
	strs_release(&key_usages);
	strs_release(&ext_usages);
	return cert;
}

START_TEST(what_a_successor_loses_is_found)
{
	struct cert *older = make(&rows[_i].older), *newer = make(&rows[_i].newer);
	struct findings found = FINDINGS_INIT;
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, 65536);
	ck_ok(cert_covers(&found, newer, older, "server db1", &err), &err);
	for (size_t i = 0; i < found.count; i++) {
		ck_assert_str_eq(found.items[i].subject, "server db1");
		buf_addf(&buf, "%s %s %s\n", found.items[i].check,
			 severity_name(found.items[i].severity), found.items[i].reason);
	}
	ck_assert_str_eq(buf.data, rows[_i].found);
	findings_release(&found);
	buf_release(&buf);
	cert_free(older);
	cert_free(newer);
}
END_TEST

Suite *covers_suite(void)
{
	Suite *suite = suite_create("covers");
	TCase *tcase = tcase_create("covers");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, what_a_successor_loses_is_found, 0, ROWS(rows));
	suite_add_tcase(suite, tcase);
	return suite;
}
