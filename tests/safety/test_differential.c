/* SPDX-License-Identifier: PostgreSQL */
/*
 * The proof against the thing itself: for random leaves, bundles and times it has to say what
 * libssl does in a handshake. Also the pool that both sides of it run on.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "net/handshake.h"
#include "safety/pool.h"
#include "tests/safety/safety_tests.h"

#define CHAINS	 4
#define LEAVES	 (CHAINS * 4)
#define ROUNDS	 150
#define CAS_MOST 5

struct sample {
	struct cert *cert;
	struct key *key;
	struct bundle chain; /* sent along */
	const char *name;
	bool is_server;
};

static struct test_chain chains[CHAINS];
static struct sample samples[LEAVES];
static struct env env; /* for its texts only */

static void add_sample(size_t at, size_t c, bool is_server, bool with_ca)
{
	struct sample *s = &samples[at];

	s->is_server = is_server;
	s->name = is_server ? "db1.example.com" : "app";
	s->cert = is_server ? test_server(&chains[c], &s->key, s->name)
			    : test_client(&chains[c], &s->key, s->name);
	if (with_ca)
		ck_ok(bundle_add(&s->chain, chains[c].ca, &env.err), &env.err);
}

/* Two generations of one name without key identifiers, two with, so that all mixtures occur. */
static void setup(void)
{
	static const char *const names[CHAINS] = {"twin", "twin", "private", "private"};

	env_open(&env);
	memset(chains, 0, sizeof(chains));
	memset(samples, 0, sizeof(samples));
	for (size_t c = 0; c < CHAINS; c++) {
		chains[c].without_aki = c < 2;
		test_chain_init(&chains[c], names[c]);
		for (size_t i = 0; i < 4; i++)
			add_sample(c * 4 + i, c, i < 2, i % 2);
	}
}

static void teardown(void)
{
	for (size_t i = 0; i < LEAVES; i++) {
		cert_free(samples[i].cert);
		key_free(samples[i].key);
		bundle_release(&samples[i].chain);
	}
	for (size_t c = 0; c < CHAINS; c++)
		test_chain_release(&chains[c]);
	env_close(&env);
}

static size_t pick(unsigned *seed, size_t of)
{
	return (size_t)rand_r(seed) % of;
}

/* Any CAs, and sometimes a leaf, in any order. */
static void random_bundle(struct bundle *out, unsigned *seed)
{
	size_t count = 1 + pick(seed, CAS_MOST);

	for (size_t i = 0; i < count; i++) {
		struct test_chain *chain = &chains[pick(seed, CHAINS)];
		size_t kind = pick(seed, 9);
		const struct cert *cert = kind < 4   ? chain->ca
					  : kind < 8 ? chain->root
						     : samples[pick(seed, LEAVES)].cert;

		ck_ok(bundle_add(out, cert, &env.err), &env.err);
	}
}

static bool really_connects(const struct sample *s, const struct bundle *bundle, int64_t at)
{
	struct handshake_peer shown = {.leaf = s->cert, .key = s->key, .chain = &s->chain};
	struct handshake_peer other = {.leaf = samples[0].cert, .key = samples[0].key};
	struct handshake_result result;
	struct handshaker *handshaker = NULL;
	struct verifier *verifier = NULL;

	ck_ok(handshaker_new(&handshaker, VERIFY_LEVEL_DEFAULT, at, &env.err), &env.err);
	ck_ok(verifier_new(&verifier, bundle, VERIFY_LEVEL_DEFAULT, &env.err), &env.err);
	other.trusted = verifier;
	if (s->is_server)
		other.leaf = NULL;
	ck_ok(handshake_run(&result, handshaker, s->is_server ? &shown : &other,
			    s->is_server ? &other : &shown, false, &env.err),
	      &env.err);
	verifier_free(verifier);
	handshaker_free(handshaker);
	return result.ok;
}

static bool proof_accepts(const struct sample *s, const struct bundle *bundle, int64_t at)
{
	struct buf leaf_pem, bundle_pem;
	struct proof_peer peer = {.name = s->name};
	struct proof_bundle held = {.label = "random"};
	struct proof_side side = {.peers = &peer,
				  .count = 1,
				  .occurs = {true, false},
				  .bundles = &held,
				  .bundle_count = 1};
	struct proof_input in = env.in;
	struct proof_result result;
	bool accepted;

	buf_init(&leaf_pem, BUF_TEXT_MAX);
	buf_init(&bundle_pem, BUF_TEXT_MAX);
	ck_ok(cert_to_pem(&leaf_pem, s->cert, &env.err), &env.err);
	ck_ok(bundle_to_pem(&leaf_pem, &s->chain, &env.err), &env.err);
	ck_ok(bundle_to_pem(&bundle_pem, bundle, &env.err), &env.err);
	peer.leaves[PROOF_OLD].pem = leaf_pem.data;
	peer.leaves[PROOF_OLD].len = leaf_pem.len;
	held.pem = bundle_pem.data;
	held.len = bundle_pem.len;
	in.servers = in.clients = (struct proof_side){0};
	*(s->is_server ? &in.servers : &in.clients) = side;
	in.now = in.end = at;
	ck_ok(proof_run(&result, &in, &env.err), &env.err);
	accepted = findings_count(&result.findings, SEVERITY_BLOCK) == 0;
	ck_assert_uint_eq(result.pairs, 1);
	proof_result_release(&result);
	buf_release(&leaf_pem);
	buf_release(&bundle_pem);
	return accepted;
}

START_TEST(the_proof_says_what_a_handshake_does)
{
	static const int days[] = {0, 0, 0, 0, 400, 4000, -3};
	size_t accepted = 0, refused = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned seed = round;
		const struct sample *s = &samples[pick(&seed, LEAVES)];
		int64_t at = env.in.now + (int64_t)days[pick(&seed, 7)] * TEST_DAY;
		struct bundle bundle = BUNDLE_INIT;
		bool expected;

		random_bundle(&bundle, &seed);
		expected = really_connects(s, &bundle, at);
		ck_assert_msg(proof_accepts(s, &bundle, at) == expected,
			      "round %u: the handshake %s", round, expected ? "succeeds" : "fails");
		accepted += expected;
		refused += !expected;
		bundle_release(&bundle);
	}
	/* a generator that makes one kind only would compare nothing */
	ck_assert_uint_gt(accepted, ROUNDS / 10);
	ck_assert_uint_gt(refused, ROUNDS / 10);
}
END_TEST

#define JOBS 1000

static atomic_int runs[JOBS];
static atomic_int locals;

static int count_job(void *ctx, void *local, size_t i, struct err *job_err)
{
	size_t *bad = ctx;

	ck_assert_ptr_eq(local, &locals);
	atomic_fetch_add(&runs[i], 1);
	return *bad == i ? err_set(job_err, ERR_GATE, "job %zu failed", i) : 0;
}

static int new_local(void **local, void *ctx, struct err *job_err)
{
	(void)ctx;
	(void)job_err;
	atomic_fetch_add(&locals, 1);
	*local = &locals;
	return 0;
}

static void free_local(void *local)
{
	atomic_fetch_sub((atomic_int *)local, 1);
}

START_TEST(the_pool_does_each_job_once)
{
	size_t bad = JOBS;
	struct err pool_err = {0};
	struct pool pool = {.ctx = &bad,
			    .job = count_job,
			    .local_new = new_local,
			    .local_free = free_local,
			    .threads = (unsigned)_i,
			    .what = "counting"};

	ck_ok(pool_run(&pool, JOBS, &pool_err), &pool_err);
	for (size_t i = 0; i < JOBS; i++)
		ck_assert_int_eq(runs[i], 1);
	ck_assert_int_eq(locals, 0);
	ck_ok(pool_run(&pool, 0, &pool_err), &pool_err);
}
END_TEST

START_TEST(the_pool_hands_on_the_error)
{
	size_t bad = 17;
	struct err pool_err = {0};
	struct pool pool = {.ctx = &bad,
			    .job = count_job,
			    .local_new = new_local,
			    .local_free = free_local,
			    .threads = (unsigned)_i,
			    .what = "counting"};

	ck_assert_int_eq(pool_run(&pool, JOBS, &pool_err), ERR_GATE);
	ck_assert_str_eq(pool_err.msg, "job 17 failed");
	ck_assert_int_eq(locals, 0);
}
END_TEST

Suite *differential_suite(void)
{
	Suite *suite = suite_create("differential");
	TCase *tc = tcase_create("handshakes");
	TCase *pool = tcase_create("pool");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_proof_says_what_a_handshake_does);
	suite_add_tcase(suite, tc);
	tcase_set_timeout(pool, 60);
	tcase_add_loop_test(pool, the_pool_does_each_job_once, 0, 6);
	tcase_add_loop_test(pool, the_pool_hands_on_the_error, 0, 6);
	suite_add_tcase(suite, pool);
	return suite;
}
