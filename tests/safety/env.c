/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/safety/safety_tests.h"

const char *env_keep(struct env *env, char *text)
{
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_lt(env->text_count, TEXTS_MAX);
	env->texts[env->text_count++] = text;
	return text;
}

const char *env_pem(struct env *env, const struct cert *cert)
{
	struct buf buf;

	buf_init(&buf, BUF_TEXT_MAX);
	ck_ok(cert_to_pem(&buf, cert, &env->err), &env->err);
	return env_keep(env, buf_detach(&buf));
}

const char *env_bundle_pem(struct env *env, const struct bundle *bundle)
{
	struct buf buf;

	buf_init(&buf, BUF_TEXT_MAX);
	ck_ok(bundle_to_pem(&buf, bundle, &env->err), &env->err);
	return env_keep(env, buf_detach(&buf));
}

const struct secret *env_key(struct env *env, const struct key *key)
{
	struct secret *secret = arena_alloc(env->arena, sizeof(*secret));

	ck_assert_ptr_nonnull(secret);
	ck_ok(key_to_pem(secret, env->arena, key, &env->err), &env->err);
	return secret;
}

void env_set_leaf(struct env *env, struct proof_peer *peer, enum proof_generation g,
		  struct cert *cert, struct key *key)
{
	struct proof_leaf *leaf = &peer->leaves[g];

	leaf->pem = env_pem(env, cert);
	leaf->len = strlen(leaf->pem);
	leaf->key = key ? env_key(env, key) : NULL;
	cert_free(cert);
	key_free(key);
}

void env_set_bundle(struct env *env, int side, size_t at, const char *label, const char *pem,
		    bool live)
{
	env->held[side][at] = (struct proof_bundle){
		.label = label, .pem = pem, .len = strlen(pem), .live = live};
}

struct cert *env_issue(struct env *env, struct test_chain *chain, const struct key *key,
		       const char *cn, const char *name, const char *ext_usage, int64_t not_after)
{
	struct issue_spec spec = {.sys = &chain->sys,
				  .key = key,
				  .issuer = chain->ca,
				  .issuer_key = chain->ca_key,
				  .not_after = not_after};
	struct strs names = STRS_INIT, usages = STRS_INIT;
	struct cert *cert = NULL;
	struct dn dn = DN_INIT;

	ck_ok(dn_add(&dn, "O", "Acme", &env->err), &env->err);
	ck_ok(dn_add(&dn, "CN", cn, &env->err), &env->err);
	if (name)
		ck_ok(strs_add(&names, name, &env->err), &env->err);
	if (ext_usage)
		ck_ok(strs_add(&usages, ext_usage, &env->err), &env->err);
	spec.subject = &dn;
	spec.names = &names;
	spec.ext_usages = &usages;
	ck_ok(cert_issue(&cert, &spec, &env->err), &env->err);
	strs_release(&names);
	strs_release(&usages);
	dn_release(&dn);
	return cert;
}

void env_set_server(struct env *env, enum proof_generation g, const char *cn, const char *name,
		    const char *ext_usage)
{
	struct key *key = NULL;
	struct cert *cert;

	ck_ok(key_generate(&key, KEY_ECDSA_P256, &env->err), &env->err);
	cert = env_issue(env, &env->chains[g], key, cn, name, ext_usage,
			 env->in.now + 300 * TEST_DAY);
	env_set_leaf(env, &env->servers[0], g, cert, key);
}

struct cert *env_reissue_ca(struct env *env, struct test_chain *chain, bool is_ca, int pathlen,
			    int64_t not_after)
{
	struct issue_spec spec = {.sys = &chain->sys,
				  .key = chain->ca_key,
				  .issuer = chain->root,
				  .issuer_key = chain->root_key,
				  .subject_from = chain->ca,
				  .is_ca = is_ca,
				  .pathlen = pathlen,
				  .not_after = not_after};
	struct cert *cert = NULL;

	ck_ok(cert_issue(&cert, &spec, &env->err), &env->err);
	return cert;
}

void env_only_bundle(struct env *env, const struct cert *first, const struct cert *second,
		     bool live)
{
	struct bundle bundle = BUNDLE_INIT;

	ck_ok(bundle_add(&bundle, first, &env->err), &env->err);
	if (second)
		ck_ok(bundle_add(&bundle, second, &env->err), &env->err);
	env_set_bundle(env, 0, 0, "changed", env_bundle_pem(env, &bundle), live);
	env->in.servers.bundle_count = 1;
	bundle_release(&bundle);
}

static void add_peers(struct env *env)
{
	static const char *const hosts[] = {"db1.example.com", "db2.example.com"};
	static const char *const users[] = {"app", "report"};
	struct key *key = NULL;
	struct cert *cert;

	for (size_t i = 0; i < 2; i++) {
		env->servers[i].name = hosts[i];
		env->clients[i].name = users[i];
		for (int g = 0; g < PROOF__MAX; g++) {
			cert = test_server(&env->chains[g], &key, hosts[i]);
			env_set_leaf(env, &env->servers[i], (enum proof_generation)g, cert, key);
			cert = test_client(&env->chains[g], &key, users[i]);
			env_set_leaf(env, &env->clients[i], (enum proof_generation)g, cert, key);
		}
	}
}

void env_open_with(struct env *env, bool same_subjects, bool without_aki)
{
	memset(env, 0, sizeof(*env));
	sys_init(&env->sys);
	env->arena = arena_new(1 << 20);
	env->chains[PROOF_OLD].without_aki = env->chains[PROOF_NEW].without_aki = without_aki;
	test_chain_init(&env->chains[PROOF_OLD], "private");
	test_chain_init(&env->chains[PROOF_NEW], same_subjects ? "private" : "private G2");
	add_peers(env);
	env->in = (struct proof_input){
		.servers = {.peers = env->servers, .count = 2},
		.clients = {.peers = env->clients, .count = 2},
		.now = env->sys.now(&env->sys),
		.end = env->sys.now(&env->sys) + (int64_t)30 * TEST_DAY,
		.level = VERIFY_LEVEL_DEFAULT,
		.sys = &env->sys,
		.threads = 2,
	};
	env_phase(env, PHASE_TRUST);
}

void env_open(struct env *env)
{
	env_open_with(env, false, false);
}

void env_close(struct env *env)
{
	proof_result_release(&env->result);
	for (int g = 0; g < PROOF__MAX; g++)
		test_chain_release(&env->chains[g]);
	for (size_t i = 0; i < PEERS_MAX; i++)
		strs_release(&env->hosts[i]);
	for (size_t i = 0; i < env->text_count; i++)
		free(env->texts[i]);
	arena_free(env->arena);
}

/* What hosts can hold and show while each phase runs: the table of the design. */
void env_phase(struct env *env, enum test_phase phase)
{
	struct bundle both = BUNDLE_INIT;
	const char *texts[3];
	bool servers_new = phase > PHASE_SERVERS, clients_new = phase > PHASE_CLIENTS;
	struct proof_side *s = &env->in.servers, *c = &env->in.clients;

	ck_ok(bundle_merge(&both, &env->chains[PROOF_NEW].bundle, &env->chains[PROOF_OLD].bundle,
			   &env->err),
	      &env->err);
	texts[0] = env_bundle_pem(env, &env->chains[PROOF_OLD].bundle);
	texts[1] = env_bundle_pem(env, &both);
	texts[2] = env_bundle_pem(env, &env->chains[PROOF_NEW].bundle);
	bundle_release(&both);
	for (int side = 0; side < 2; side++) {
		env_set_bundle(env, side, 0, "old", texts[0], true);
		env_set_bundle(env, side, 1, "old and new", texts[1], phase != PHASE_TRUST);
		env_set_bundle(env, side, 2, "new", texts[2], false);
	}
	s->live[PROOF_OLD] = s->occurs[PROOF_OLD] = !servers_new;
	s->live[PROOF_NEW] = servers_new;
	s->occurs[PROOF_NEW] = phase >= PHASE_SERVERS;
	c->live[PROOF_OLD] = c->occurs[PROOF_OLD] = !clients_new;
	c->live[PROOF_NEW] = clients_new;
	c->occurs[PROOF_NEW] = phase >= PHASE_CLIENTS;
	s->bundles = &env->held[0][phase == PHASE_TRUST ? 0 : 1];
	c->bundles = &env->held[1][phase == PHASE_TRUST ? 0 : 1];
	s->bundle_count = c->bundle_count = phase == PHASE_TRUST || phase == PHASE_PRUNE ? 2 : 1;
}

void env_prove(struct env *env)
{
	proof_result_release(&env->result);
	ck_ok(proof_run(&env->result, &env->in, &env->err), &env->err);
}

const struct finding *env_finding(const struct env *env, const char *check, const char *subject)
{
	for (size_t i = 0; i < env->result.findings.count; i++) {
		const struct finding *finding = &env->result.findings.items[i];

		if (!strcmp(finding->check, check) && !strcmp(finding->subject, subject))
			return finding;
	}
	return NULL;
}

static void print_all(const struct env *env)
{
	for (size_t i = 0; i < env->result.findings.count; i++) {
		const struct finding *f = &env->result.findings.items[i];

		(void)fprintf(stderr, "%s %s [%s]: %s (%s)\n", severity_name(f->severity),
			      f->subject, f->check, f->reason, f->advice);
	}
}

void env_expect(const struct env *env, const char *check, enum severity severity,
		const char *subject, const char *part)
{
	for (size_t i = 0; i < env->result.findings.count; i++) {
		const struct finding *f = &env->result.findings.items[i];

		if (!strcmp(f->check, check) && !strcmp(f->subject, subject) &&
		    f->severity == severity && strstr(f->reason, part)) {
			ck_assert(f->advice[0] || severity == SEVERITY_INFO);
			return;
		}
	}
	print_all(env);
	ck_abort_msg("no finding %s (%s) about %s with '%s'", check, severity_name(severity),
		     subject, part);
}

void env_expect_none(const struct env *env)
{
	if (env->result.findings.count)
		print_all(env);
	ck_assert_uint_eq(env->result.findings.count, 0);
}
