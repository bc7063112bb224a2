/* SPDX-License-Identifier: PostgreSQL */
/* A small environment with two generations, and what is proven about it. */
#ifndef TESTS_SAFETY_TESTS_H
#define TESTS_SAFETY_TESTS_H

#include "pki/verify.h"
#include "safety/proof.h"
#include "tests/support/pki.h"
#include "tests/support/support.h"

Suite *proof_suite(void);
Suite *trap_suite(void);
Suite *leaf_suite(void);
Suite *forged_suite(void);
Suite *handshake_suite(void);
Suite *tls12_suite(void);
Suite *differential_suite(void);
Suite *census_gate_suite(void);
Suite *census_wave_suite(void);
Suite *census_suite(void);
Suite *access_suite(void);
Suite *access_compare_suite(void);

#define PEERS_MAX 4
#define TEXTS_MAX 64

enum test_phase { PHASE_TRUST, PHASE_SERVERS, PHASE_CLIENTS, PHASE_PRUNE };

struct env {
	struct sys sys;
	struct err err;
	struct arena *arena;
	struct test_chain chains[PROOF__MAX];
	struct proof_peer servers[PEERS_MAX];
	struct proof_peer clients[PEERS_MAX];
	struct proof_bundle held[2][3]; /* by clients, by servers */
	struct strs hosts[PEERS_MAX];
	char *texts[TEXTS_MAX];
	size_t text_count;
	struct proof_input in;
	struct proof_result result;
};

/* Two chains, servers db1 and db2 (.example.com), clients app and report; phase PHASE_TRUST. */
void env_open(struct env *env);
/* The same, with chains that are made beforehand as the flags say. */
void env_open_with(struct env *env, bool same_subjects, bool without_aki);
void env_close(struct env *env);
void env_phase(struct env *env, enum test_phase phase);
void env_prove(struct env *env);

/* The text lives as long as the environment. */
const char *env_pem(struct env *env, const struct cert *cert);
const char *env_bundle_pem(struct env *env, const struct bundle *bundle);
const char *env_keep(struct env *env, char *text); /* takes over */
const struct secret *env_key(struct env *env, const struct key *key);
/* Gives a peer another leaf; takes cert and key over (key may be NULL). */
void env_set_leaf(struct env *env, struct proof_peer *peer, enum proof_generation g,
		  struct cert *cert, struct key *key);
/* Replaces a bundle's text on the side of those who hold it (0: clients, 1: servers). */
void env_set_bundle(struct env *env, int side, size_t at, const char *label, const char *pem,
		    bool live);

/* A leaf with everything given; name and ext_usage may be NULL. */
struct cert *env_issue(struct env *env, struct test_chain *chain, const struct key *key,
		       const char *cn, const char *name, const char *ext_usage, int64_t not_after);
/* Gives db1 a leaf like that, with a key of its own. */
void env_set_server(struct env *env, enum proof_generation g, const char *cn, const char *name,
		    const char *ext_usage);
/* A certificate of an authority's key and subject that differs from the authority's own. */
struct cert *env_reissue_ca(struct env *env, struct test_chain *chain, bool is_ca, int pathlen,
			    int64_t not_after);
/* Clients hold one bundle alone, 'changed', of these certificates; second may be NULL. */
void env_only_bundle(struct env *env, const struct cert *first, const struct cert *second,
		     bool live);

/* The finding of a check about a subject; NULL where there is none. */
const struct finding *env_finding(const struct env *env, const char *check, const char *subject);
/* Fails the test where there is none of that severity, or its reason lacks the part. */
void env_expect(const struct env *env, const char *check, enum severity severity,
		const char *subject, const char *part);
void env_expect_none(const struct env *env);

#endif
