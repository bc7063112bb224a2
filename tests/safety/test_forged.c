/* SPDX-License-Identifier: PostgreSQL */
/* Certificates that the program would never issue, but an inventory can hold. */
#include <stdlib.h>
#include <string.h>

#include "tests/differential/forge.h"
#include "tests/safety/safety_tests.h"

#define MINUTE 60

enum rank { ROOT, CA, LEAF, RANK__MAX };

static struct env env;
static EVP_PKEY *keys[RANK__MAX];

static void setup(void)
{
	env_open(&env);
	for (int i = 0; i < RANK__MAX; i++)
		keys[i] = forge_key("P-256");
}

static void teardown(void)
{
	for (int i = 0; i < RANK__MAX; i++)
		EVP_PKEY_free(keys[i]);
	env_close(&env);
}

/* A chain without a fault. */
static void sound(struct forge_spec specs[RANK__MAX], bool server)
{
	specs[ROOT] = (struct forge_spec){.key = keys[ROOT],
					  .dn = "O=Acme/CN=root",
					  .basic = "critical,CA:TRUE",
					  .usage = "critical,keyCertSign"};
	specs[CA] = (struct forge_spec){.key = keys[CA],
					.dn = "O=Acme/CN=ca",
					.basic = "critical,CA:TRUE,pathlen:0",
					.usage = "critical,keyCertSign"};
	specs[LEAF] = (struct forge_spec){.key = keys[LEAF],
					  .dn = server ? "O=Acme/CN=db1.example.com"
						       : "O=Acme/CN=app",
					  .usage = "critical,digitalSignature",
					  .ext_usage = server ? "serverAuth" : "clientAuth",
					  .names = server ? "DNS:db1.example.com" : NULL};
}

/* Proves that one leaf alone, which would be rolled out, against its own CAs. */
static void prove(struct forge_spec specs[RANK__MAX], bool server)
{
	struct forged made[RANK__MAX];
	struct proof_peer peer = {.name = server ? "db1.example.com" : "app"};
	struct proof_bundle bundle = {.label = "new"};
	struct proof_side *side = server ? &env.in.servers : &env.in.clients;
	char *key = forge_key_pem(specs[LEAF].key), *cas;
	struct secret secret = {.data = key, .len = strlen(key)};

	for (int i = 0; i < RANK__MAX; i++) {
		specs[i].issuer = i ? &made[i - 1] : NULL;
		forge(&made[i], &specs[i]);
	}
	cas = forge_join(made[CA].pem, made[ROOT].pem, NULL);
	peer.leaves[PROOF_NEW] = (struct proof_leaf){
		.pem = made[LEAF].pem, .len = strlen(made[LEAF].pem), .key = &secret};
	bundle.pem = cas;
	bundle.len = strlen(cas);
	env.in.servers = env.in.clients = (struct proof_side){0};
	*side = (struct proof_side){.peers = &peer,
				    .count = 1,
				    .occurs = {false, true},
				    .bundles = &bundle,
				    .bundle_count = 1};
	env_prove(&env);
	for (int i = 0; i < RANK__MAX; i++)
		forged_release(&made[i]);
	free(cas);
	free(key);
}

static void leaf_sha1(struct forge_spec *specs)
{
	specs[LEAF].digest = "SHA1";
}

static void ca_sha1(struct forge_spec *specs)
{
	specs[CA].digest = "SHA1";
}

static void key_usage(struct forge_spec *specs)
{
	specs[LEAF].usage = "critical,keyCertSign";
}

static void ext_usage(struct forge_spec *specs)
{
	specs[LEAF].ext_usage = "emailProtection";
}

static void ca_ext_usage(struct forge_spec *specs)
{
	specs[CA].ext_usage = "emailProtection";
}

static void no_ca(struct forge_spec *specs)
{
	specs[CA].basic = "critical,CA:FALSE";
}

static void no_constraints_at_all(struct forge_spec *specs)
{
	specs[CA].basic = NULL;
	specs[CA].usage = NULL;
}

static void path_length(struct forge_spec *specs)
{
	specs[ROOT].basic = "critical,CA:TRUE,pathlen:0";
}

static void permitted(struct forge_spec *specs)
{
	specs[CA].constraints = "critical,permitted;DNS:other.org";
	specs[LEAF].names = "DNS:db1.example.com";
}

static void excluded(struct forge_spec *specs)
{
	specs[CA].constraints = "critical,excluded;DNS:example.com";
	specs[LEAF].names = "DNS:db1.example.com";
}

static void in_ten_minutes(struct forge_spec *specs)
{
	specs[LEAF].from = 10 * MINUTE;
	specs[LEAF].until = 300 * FORGE_DAY;
}

static void ca_tomorrow(struct forge_spec *specs)
{
	specs[CA].from = FORGE_DAY;
	specs[CA].until = 300 * FORGE_DAY;
}

static void yesterday_until_now(struct forge_spec *specs)
{
	specs[LEAF].from = -FORGE_DAY;
	specs[LEAF].until = -MINUTE;
}

static void until_tomorrow(struct forge_spec *specs)
{
	specs[LEAF].from = -FORGE_DAY;
	specs[LEAF].until = FORGE_DAY;
}

static void outlives(struct forge_spec *specs)
{
	specs[CA].from = -FORGE_DAY;
	specs[CA].until = 100 * FORGE_DAY;
}

static void without_san(struct forge_spec *specs)
{
	specs[LEAF].names = NULL;
}

#define STRONG "issue it anew with a key of 2048 bits or more and SHA-256"
#define USAGES "issue it anew with the right usages (keyUsages, extendedKeyUsages, path length)"

/* part holds for servers and clients; advice is whole. */
static const struct {
	void (*change)(struct forge_spec *specs);
	enum severity severity;
	const char *check, *part, *advice;
	bool servers_only;
} rows[] = {
	{leaf_sha1, SEVERITY_BLOCK, "chain",
	 "is too weak for the TLS security level (OpenSSL: CA signature digest algorithm too weak)",
	 STRONG, false},
	{ca_sha1, SEVERITY_BLOCK, "chain",
	 "the digest in the signature of O=Acme, CN=ca is too weak for the TLS security level",
	 STRONG, false},
	{key_usage, SEVERITY_BLOCK, "chain", ": its usages forbid it (OpenSSL: ", USAGES, false},
	{ext_usage, SEVERITY_BLOCK, "chain", ": its usages forbid it (OpenSSL: ", USAGES, false},
	{ca_ext_usage, SEVERITY_BLOCK, "chain", "O=Acme, CN=ca may not be used as a ", USAGES,
	 false},
	{no_ca, SEVERITY_BLOCK, "chain",
	 "O=Acme, CN=ca signed another certificate but is no CA (OpenSSL: invalid CA certificate)",
	 USAGES, false},
	{no_constraints_at_all, SEVERITY_BLOCK, "chain",
	 "O=Acme, CN=ca signed another certificate but is no CA", USAGES, false},
	{path_length, SEVERITY_BLOCK, "chain",
	 "there are more CAs below O=Acme, CN=root than its path length allows", USAGES, false},
	{permitted, SEVERITY_BLOCK, "chain",
	 "forbid a name in it (OpenSSL: permitted subtree violation)",
	 "issue it from a CA whose name constraints allow its names, or without the name", false},
	{excluded, SEVERITY_BLOCK, "chain",
	 "forbid a name in it (OpenSSL: excluded subtree violation)",
	 "issue it from a CA whose name constraints allow its names, or without the name", false},
	{in_ten_minutes, SEVERITY_BLOCK, "chain", " is not valid before ",
	 "set the clocks right, or wait", false},
	{ca_tomorrow, SEVERITY_BLOCK, "chain", "O=Acme, CN=ca is not valid before ",
	 "set the clocks right, or wait", false},
	{yesterday_until_now, SEVERITY_BLOCK, "chain", " expired at ", "issue it anew", false},
	{until_tomorrow, SEVERITY_BLOCK, "expires-soon", "before the rotation can end (",
	 "shorten the rotation (census: quiet in certrotate.yml), or waive this where it ends in "
	 "time",
	 false},
	{outlives, SEVERITY_WARNING, "outlives-ca", "but its CA O=Acme, CN=ca ends at ",
	 "count on the CA's end, not on its own", false},
	{without_san, SEVERITY_WARNING, "no-san",
	 "its new certificate names the host in the CN only, it has no SAN: libpq takes that, "
	 "clients in Go and newer Java do not",
	 "issue it with the host's names in the SAN", true},
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

START_TEST(what_is_wrong_with_a_certificate_is_said)
{
	static const char *const subjects[] = {"client app", "server db1.example.com"};

	for (int server = rows[_i].servers_only; server < 2; server++) {
		struct forge_spec specs[RANK__MAX];
		const char *subject = subjects[server];

		sound(specs, server);
		rows[_i].change(specs);
		prove(specs, server);
		env_expect(&env, rows[_i].check, rows[_i].severity, subject, rows[_i].part);
		ck_assert_str_eq(env_finding(&env, rows[_i].check, subject)->advice,
				 rows[_i].advice);
	}
}
END_TEST

START_TEST(a_sound_forged_chain_is_proven)
{
	for (int server = 0; server < 2; server++) {
		struct forge_spec specs[RANK__MAX];

		sound(specs, server);
		prove(specs, server);
		env_expect_none(&env);
		ck_assert_uint_ge(env.result.handshakes, 1);
	}
}
END_TEST

START_TEST(a_short_key_is_told_from_a_weak_digest)
{
	struct forge_spec specs[RANK__MAX];
	EVP_PKEY *weak = forge_key("RSA-1024");

	sound(specs, true);
	specs[LEAF].key = weak;
	prove(specs, true);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "the key of O=Acme, CN=db1.example.com is too short for the TLS security level "
		   "(OpenSSL: EE certificate key too weak)");
	sound(specs, true);
	specs[CA].key = weak;
	prove(specs, true);
	env_expect(&env, "chain", SEVERITY_BLOCK, "server db1.example.com",
		   "the key of O=Acme, CN=ca is too short for the TLS security level");
	EVP_PKEY_free(weak);
}
END_TEST

/* Good by this clock; one that is five minutes behind refuses it. */
START_TEST(a_certificate_of_this_minute_is_named)
{
	struct forge_spec specs[RANK__MAX];

	sound(specs, true);
	specs[LEAF].from = specs[CA].from = -4 * MINUTE;
	specs[LEAF].until = specs[CA].until = 300 * FORGE_DAY;
	prove(specs, true);
	env_expect(&env, "clock-skew", SEVERITY_WARNING, "server db1.example.com",
		   "its new certificate is not valid before ");
	env_expect(&env, "clock-skew", SEVERITY_WARNING, "server db1.example.com",
		   "Z, minutes ago: a host whose clock is behind refuses it");
	env_expect(&env, "clock-skew", SEVERITY_WARNING, "bundle of the clients 'new'",
		   "the CA O=Acme, CN=ca in it is not valid before ");
	ck_contains(env_finding(&env, "clock-skew", "server db1.example.com")->advice,
		    "or make sure that the hosts' clocks agree (timedatectl, chronyc tracking)");
	ck_assert_uint_eq(env.result.findings.count, 2);
	/* an hour later it is good for all */
	env.in.now += 3600;
	prove(specs, true);
	env_expect_none(&env);
}
END_TEST

/* A CA of tomorrow is in the bundle's finding as well: other leaves may need it. */
START_TEST(a_ca_of_tomorrow_is_named_with_its_time)
{
	struct forge_spec specs[RANK__MAX];

	sound(specs, false);
	ca_tomorrow(specs);
	prove(specs, false);
	env_expect(&env, "clock-skew", SEVERITY_WARNING, "bundle of the servers 'new'",
		   "the CA O=Acme, CN=ca in it is not valid before ");
	env_expect(&env, "clock-skew", SEVERITY_WARNING, "bundle of the servers 'new'",
		   "Z, which is still to come: a host whose clock is behind refuses it");
}
END_TEST

Suite *forged_suite(void)
{
	Suite *suite = suite_create("forged");
	TCase *tc = tcase_create("forged");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_sound_forged_chain_is_proven);
	tcase_add_loop_test(tc, what_is_wrong_with_a_certificate_is_said, 0, ROWS);
	tcase_add_test(tc, a_short_key_is_told_from_a_weak_digest);
	tcase_add_test(tc, a_certificate_of_this_minute_is_named);
	tcase_add_test(tc, a_ca_of_tomorrow_is_named_with_its_time);
	suite_add_tcase(suite, tc);
	return suite;
}
