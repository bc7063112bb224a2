/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the proof of a large environment costs:
 *
 *   proof [SERVERS [CLIENTS]]      default 1000 and 1000, then ten times as many
 *   proof --chains [...]           without the handshakes
 *
 * Times are by the clock, with the processors' time behind them: on a machine that is not idle
 * only the latter tells.
 *
 * Every server and every client has a leaf of the old and of the new chain (RSA-2048, distinct
 * certificates; their keys come from a pool of eight, which changes nothing about the cost of
 * verifying). Both bundles, old and new CAs together, verify all of them. Beside it: what as many
 * single handshakes cost, and what that is divided by the processors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "net/handshake.h"
#include "pki/issue.h"
#include "safety/pool.h"
#include "safety/proof.h"

#define KEYS	  8
#define DAY	  ((int64_t)86400)
#define NAME_SIZE 32
#define SAMPLE	  400 /* handshakes that are timed one by one */

struct chain {
	struct key *root_key, *ca_key;
	struct cert *root, *ca;
};

struct world {
	struct sys sys;
	struct arena *arena;
	struct chain chains[PROOF__MAX];
	struct key *keys[KEYS];
	struct secret key_texts[KEYS];
	struct proof_peer *peers[2]; /* servers, clients */
	char (*names[2])[NAME_SIZE];
	size_t counts[2];
	struct proof_bundle bundles[3]; /* old, both, new */
	bool chains_only;
	struct err err;
};

static void must(const struct world *world, int rc)
{
	if (!rc)
		return;
	(void)fprintf(stderr, "bench-proof: %s\n", world->err.msg);
	exit(1);
}

static void must_have(const void *memory)
{
	if (memory)
		return;
	(void)fprintf(stderr, "bench-proof: out of memory\n");
	exit(1);
}

struct span {
	double wall, cpu;
};

static double seconds(clockid_t clock_id)
{
	struct timespec ts;

	(void)clock_gettime(clock_id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct span begin(void)
{
	return (struct span){seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct span since(struct span began)
{
	struct span now = begin();

	return (struct span){now.wall - began.wall, now.cpu - began.cpu};
}

static struct cert *issue(struct world *world, const struct chain *chain, const struct key *key,
			  const char *cn, const char *usage, bool is_ca, int pathlen)
{
	int64_t days = !chain ? 3650 : is_ca ? 2650 : 365;
	struct issue_spec spec = {.sys = &world->sys,
				  .key = key,
				  .is_ca = is_ca,
				  .pathlen = pathlen,
				  .not_after = world->sys.now(&world->sys) + days * DAY};
	struct strs usages = STRS_INIT;
	struct cert *cert = NULL;
	struct dn dn = DN_INIT;

	if (chain) {
		spec.issuer = is_ca ? chain->root : chain->ca;
		spec.issuer_key = is_ca ? chain->root_key : chain->ca_key;
	}
	must(world, dn_add(&dn, "O", "Acme", &world->err));
	must(world, dn_add(&dn, "CN", cn, &world->err));
	if (usage)
		must(world, strs_add(&usages, usage, &world->err));
	spec.subject = &dn;
	spec.ext_usages = &usages;
	must(world, cert_issue(&cert, &spec, &world->err));
	strs_release(&usages);
	dn_release(&dn);
	return cert;
}

static void make_chain(struct world *world, struct chain *chain, const char *root, const char *ca)
{
	must(world, key_generate(&chain->root_key, KEY_RSA2048, &world->err));
	must(world, key_generate(&chain->ca_key, KEY_RSA2048, &world->err));
	chain->root = issue(world, NULL, chain->root_key, root, NULL, true, 1);
	chain->ca = issue(world, chain, chain->ca_key, ca, NULL, true, 0);
}

static char *pem_of(struct world *world, const struct cert *const *certs, size_t count, size_t *len)
{
	struct buf buf;

	buf_init(&buf, BUF_TEXT_MAX);
	for (size_t i = 0; i < count; i++)
		must(world, cert_to_pem(&buf, certs[i], &world->err));
	*len = buf.len;
	return buf_detach(&buf);
}

static void make_bundles(struct world *world)
{
	const struct chain *older = &world->chains[PROOF_OLD], *newer = &world->chains[PROOF_NEW];
	const struct cert *all[] = {newer->ca, newer->root, older->ca, older->root};
	const struct {
		const char *label;
		size_t first, count;
	} rows[] = {{"old", 2, 2}, {"old and new", 0, 4}, {"new", 0, 2}};

	for (size_t i = 0; i < 3; i++) {
		struct proof_bundle *bundle = &world->bundles[i];

		bundle->label = rows[i].label;
		bundle->live = i == 1;
		bundle->pem = pem_of(world, all + rows[i].first, rows[i].count, &bundle->len);
		must_have(bundle->pem);
	}
}

static int make_peer(void *ctx, void *local, size_t i, struct err *err)
{
	struct world *world = ctx;
	int side = i >= world->counts[0];
	size_t at = side ? i - world->counts[0] : i;
	struct proof_peer *peer = &world->peers[side][at];
	char *name = world->names[side][at];

	(void)local;
	(void)err;
	(void)snprintf(name, NAME_SIZE, side ? "user%05zu" : "db%05zu.example.com", at);
	peer->name = name;
	for (int g = 0; g < PROOF__MAX; g++) {
		size_t key = (at + (size_t)g) % KEYS;
		struct cert *cert = issue(world, &world->chains[g], world->keys[key], name,
					  side ? "clientAuth" : "serverAuth", false, 0);
		const struct cert *one = cert;

		peer->leaves[g].pem = pem_of(world, &one, 1, &peer->leaves[g].len);
		must_have(peer->leaves[g].pem);
		peer->leaves[g].key = &world->key_texts[key];
		cert_free(cert);
	}
	return 0;
}

static void make_peers(struct world *world, size_t servers, size_t clients)
{
	struct pool pool = {.ctx = world, .job = make_peer, .what = "issuing"};

	world->counts[0] = servers;
	world->counts[1] = clients;
	for (int side = 0; side < 2; side++) {
		world->peers[side] = calloc(world->counts[side], sizeof(*world->peers[side]));
		world->names[side] = calloc(world->counts[side], sizeof(*world->names[side]));
		must_have(world->peers[side]);
		must_have(world->names[side]);
	}
	must(world, pool_run(&pool, servers + clients, &world->err));
}

static void free_peers(struct world *world)
{
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < world->counts[side]; i++)
			for (int g = 0; g < PROOF__MAX; g++)
				free((char *)world->peers[side][i].leaves[g].pem);
		free(world->peers[side]);
		free(world->names[side]);
	}
}

/* All leaves of both generations against two bundles; what nobody does at once, but what costs
 * most. */
static struct span prove(struct world *world, bool handshakes, struct proof_result *result)
{
	int64_t now = world->sys.now(&world->sys);
	struct proof_input in = {.now = now,
				 .end = now + 3 * DAY,
				 .level = VERIFY_LEVEL_DEFAULT,
				 .sys = &world->sys,
				 .no_handshakes = !handshakes};
	struct proof_bundle bundles[2] = {world->bundles[1], world->bundles[1]};
	struct proof_side *sides[] = {&in.servers, &in.clients};
	struct span began;
	char *text;

	/* the second differs by its order only, so that both accept every leaf */
	text = malloc(world->bundles[0].len + world->bundles[2].len + 1);
	must_have(text);
	(void)sprintf(text, "%s%s", world->bundles[0].pem, world->bundles[2].pem);
	bundles[1].label = "new and old";
	bundles[1].pem = text;
	bundles[1].len = strlen(text);
	for (int side = 0; side < 2; side++)
		*sides[side] = (struct proof_side){.peers = world->peers[side],
						   .count = world->counts[side],
						   .occurs = {true, true},
						   .live = {true, false},
						   .bundles = bundles,
						   .bundle_count = 2};
	began = begin();
	must(world, proof_run(result, &in, &world->err));
	began = since(began);
	free(text);
	if (result->findings.count) {
		(void)fprintf(stderr, "bench-proof: %s: %s\n", result->findings.items[0].subject,
			      result->findings.items[0].reason);
		exit(1);
	}
	proof_result_release(result);
	return began;
}

/*
 * Single handshakes on one processor, each with a leaf and a key that OpenSSL has not used before,
 * as it is with so many of them; reading them is not counted. Half are a server's that a client
 * verifies, half a client's that a server with a leaf like that verifies. Seconds for each.
 */
static double one_handshake(struct world *world)
{
	struct handshaker *handshaker = NULL;
	struct bundle trusted = BUNDLE_INIT;
	struct verifier *verifier = NULL;
	struct handshake_result result;
	struct handshake_peer server, client;
	struct cert *leaves[SAMPLE];
	struct key *keys[SAMPLE] = {NULL};
	struct span began;

	for (size_t i = 0; i < SAMPLE; i++) {
		leaves[i] = issue(world, &world->chains[PROOF_NEW], world->keys[i % KEYS],
				  "db.example.com", i % 2 ? "clientAuth" : "serverAuth", false, 0);
		must(world,
		     key_from_pem(&keys[i], &world->key_texts[i % KEYS], "key", &world->err));
	}
	must(world, bundle_from_pem(&trusted, world->bundles[1].pem, world->bundles[1].len, "both",
				    &world->err));
	must(world, verifier_new(&verifier, &trusted, VERIFY_LEVEL_DEFAULT, &world->err));
	must(world, handshaker_new(&handshaker, VERIFY_LEVEL_DEFAULT, world->sys.now(&world->sys),
				   &world->err));
	began = begin();
	for (size_t i = 0; i < SAMPLE; i++) {
		struct handshake_peer shown = {.leaf = leaves[i], .key = keys[i]};
		struct handshake_peer asks = {
			.leaf = leaves[0], .key = keys[0], .trusted = verifier};

		server = i % 2 ? asks : shown;
		client = i % 2 ? shown : (struct handshake_peer){.trusted = verifier};
		must(world,
		     handshake_run(&result, handshaker, &server, &client, false, &world->err));
		if (!result.ok) {
			(void)fprintf(stderr, "bench-proof: %s\n", result.reason);
			exit(1);
		}
	}
	began = since(began);
	handshaker_free(handshaker);
	verifier_free(verifier);
	bundle_release(&trusted);
	for (size_t i = 0; i < SAMPLE; i++) {
		cert_free(leaves[i]);
		key_free(keys[i]);
	}
	return began.cpu / SAMPLE;
}

static void print_span(const char *what, struct span span, size_t leaves)
{
	(void)printf("  %-19s %8.2f s, %.2f s of processors (%.3f ms a leaf)\n", what, span.wall,
		     span.cpu, span.cpu * 1e3 / (double)leaves);
}

struct costs {
	struct span chains, with;
};

static struct costs run(struct world *world, size_t servers, size_t clients, double single)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t leaves = 2 * (servers + clients);
	struct proof_result result = {0};
	struct costs costs;
	struct rusage usage;

	make_peers(world, servers, clients);
	(void)printf("%zu servers, %zu clients: %zu leaves, two bundles\n", servers, clients,
		     leaves);
	costs.chains = prove(world, false, &result);
	print_span("chain checks", costs.chains, leaves);
	if (world->chains_only) {
		costs.with = costs.chains;
		free_peers(world);
		return costs;
	}
	costs.with = prove(world, true, &result);
	print_span("with handshakes", costs.with, leaves);
	print_span("  more than without",
		   (struct span){costs.with.wall - costs.chains.wall,
				 costs.with.cpu - costs.chains.cpu},
		   leaves);
	(void)getrusage(RUSAGE_SELF, &usage);
	(void)printf("  single handshakes   %8.2f s, on %ld processors (%.3f ms each)\n",
		     single * (double)leaves / (double)cpus, cpus, single * 1e3);
	(void)printf("  memory              %8ld MiB\n", usage.ru_maxrss / 1024);
	free_peers(world);
	return costs;
}

int main(int argc, char **argv)
{
	struct world world = {.chains_only = argc > 1 && !strcmp(argv[1], "--chains")};
	int first = world.chains_only ? 2 : 1;
	size_t servers = argc > first ? strtoul(argv[first], NULL, 10) : 1000;
	size_t clients = argc > first + 1 ? strtoul(argv[first + 1], NULL, 10) : servers;
	struct costs once, ten;
	double single, load[1] = {0};

	sys_init(&world.sys);
	world.arena = arena_new(1 << 20);
	must_have(world.arena);
	for (size_t i = 0; i < KEYS; i++) {
		must(&world, key_generate(&world.keys[i], KEY_RSA2048, &world.err));
		must(&world,
		     key_to_pem(&world.key_texts[i], world.arena, world.keys[i], &world.err));
	}
	make_chain(&world, &world.chains[PROOF_OLD], "Acme root", "Acme");
	make_chain(&world, &world.chains[PROOF_NEW], "Acme root G2", "Acme G2");
	make_bundles(&world);
	(void)getloadavg(load, 1);
	(void)printf("load before: %.2f\n", load[0]);
	single = one_handshake(&world);
	once = run(&world, servers, clients, single);
	if (argc <= first) {
		ten = run(&world, servers * 10, clients * 10, single);
		(void)printf(
			"ten times as many: chain checks %.1f times (%.1f of processors), with "
			"handshakes %.1f (%.1f)\n",
			ten.chains.wall / once.chains.wall, ten.chains.cpu / once.chains.cpu,
			ten.with.wall / once.with.wall, ten.with.cpu / once.with.cpu);
	}
	for (size_t i = 0; i < 3; i++)
		free((char *)world.bundles[i].pem);
	for (int g = 0; g < PROOF__MAX; g++) {
		cert_free(world.chains[g].root);
		cert_free(world.chains[g].ca);
		key_free(world.chains[g].root_key);
		key_free(world.chains[g].ca_key);
	}
	for (size_t i = 0; i < KEYS; i++)
		key_free(world.keys[i]);
	arena_free(world.arena);
	return 0;
}
