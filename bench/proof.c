/* SPDX-License-Identifier: PostgreSQL */
/*
 * The proof of a large environment, from the files that bench/leaves.c made:
 *
 *   proof chains DIR SERVERS CLIENTS       all leaves of both generations against two bundles,
 *                                          without handshakes
 *   proof handshakes DIR SERVERS CLIENTS   the same without and with them, and what one costs:
 *                                          prints "chains", "with" (seconds by the clock), "single"
 *                                          (seconds of one processor), "count", "processors"
 *
 * Both bundles, old and new CAs in either order, verify all of them: what nobody does at once, but
 * what costs most.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/drive.h"
#include "net/handshake.h"
#include "safety/proof.h"

#define KEYS	  8
#define DAY	  ((int64_t)86400)
#define NAME_SIZE 32
#define PATH_SIZE 512
#define SAMPLE	  400 /* handshakes that are timed one by one */

struct world {
	struct sys sys;
	struct arena *arena;
	const char *dir;
	struct secret keys[KEYS];
	struct proof_peer *peers[2]; /* servers, clients */
	char (*names[2])[NAME_SIZE];
	size_t counts[2];
	struct proof_bundle bundles[2];
	struct err err;
};

static char *read_text(const struct world *world, const char *name, size_t *len)
{
	char path[PATH_SIZE];
	struct buf buf;

	(void)snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	drive_read(&buf, path);
	*len = buf.len;
	return must_have(buf_detach(&buf));
}

static void read_bundle(struct world *world, size_t which, const char *label, const char *name)
{
	struct proof_bundle *bundle = &world->bundles[which];

	*bundle = (struct proof_bundle){.label = label, .live = which == 0};
	bundle->pem = read_text(world, name, &bundle->len);
}

static void read_keys(struct world *world)
{
	char path[PATH_SIZE];

	for (size_t i = 0; i < KEYS; i++) {
		(void)snprintf(path, sizeof(path), "%s/key-%zu.pem", world->dir, i);
		drive_read_secret(&world->keys[i], world->arena, path);
	}
}

static void read_peers(struct world *world, int side)
{
	static const char *const labels[] = {"old", "new"};
	size_t count = world->counts[side];
	char file[NAME_SIZE];

	world->peers[side] = must_have(calloc(count, sizeof(*world->peers[side])));
	world->names[side] = must_have(calloc(count, sizeof(*world->names[side])));
	for (size_t i = 0; i < count; i++) {
		struct proof_peer *peer = &world->peers[side][i];

		(void)snprintf(world->names[side][i], NAME_SIZE,
			       side ? "user%05zu" : "db%05zu.example.com", i);
		peer->name = world->names[side][i];
		for (size_t g = 0; g < PROOF__MAX; g++) {
			(void)snprintf(file, sizeof(file), "%c%05zu.%s.pem", side ? 'c' : 's', i,
				       labels[g]);
			peer->leaves[g].pem = read_text(world, file, &peer->leaves[g].len);
			peer->leaves[g].key = &world->keys[(i + g) % KEYS];
		}
	}
}

static void release(struct world *world)
{
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < world->counts[side]; i++)
			for (size_t g = 0; g < PROOF__MAX; g++)
				free((char *)(uintptr_t)world->peers[side][i].leaves[g].pem);
		free(world->peers[side]);
		free(world->names[side]);
		free((char *)(uintptr_t)world->bundles[side].pem);
	}
	arena_free(world->arena);
}

static double prove(struct world *world, bool handshakes, size_t *count)
{
	int64_t now = world->sys.now(&world->sys);
	struct proof_input in = {.now = now,
				 .end = now + 3 * DAY,
				 .level = VERIFY_LEVEL_DEFAULT,
				 .sys = &world->sys,
				 .no_handshakes = !handshakes};
	struct proof_side *sides[] = {&in.servers, &in.clients};
	struct proof_result result = {0};
	double began;

	for (int side = 0; side < 2; side++)
		*sides[side] = (struct proof_side){.peers = world->peers[side],
						   .count = world->counts[side],
						   .occurs = {true, true},
						   .live = {true, false},
						   .bundles = world->bundles,
						   .bundle_count = 2};
	began = drive_wall();
	must(proof_run(&result, &in, &world->err), &world->err);
	began = drive_wall() - began;
	if (result.findings.count) {
		(void)fprintf(stderr, "%s: %s\n", result.findings.items[0].subject,
			      result.findings.items[0].reason);
		exit(1);
	}
	*count = result.handshakes;
	proof_result_release(&result);
	return began;
}

/* The new generation's leaves and keys, in turn a server's and a client's. */
static void read_sample(struct world *world, struct cert *leaves[SAMPLE], struct key *keys[SAMPLE])
{
	for (size_t i = 0; i < SAMPLE; i++) {
		size_t at = i / 2 % world->counts[i % 2];
		const struct proof_leaf *leaf = &world->peers[i % 2][at].leaves[PROOF_NEW];

		must(cert_from_pem(&leaves[i], leaf->pem, leaf->len, "leaf", &world->err),
		     &world->err);
		must(key_from_pem(&keys[i], leaf->key, "key", &world->err), &world->err);
	}
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
	struct cert *leaves[SAMPLE] = {NULL};
	struct key *keys[SAMPLE] = {NULL};
	struct err *err = &world->err;
	double began;

	read_sample(world, leaves, keys);
	must(bundle_from_pem(&trusted, world->bundles[0].pem, world->bundles[0].len, "both", err),
	     err);
	must(verifier_new(&verifier, &trusted, VERIFY_LEVEL_DEFAULT, err), err);
	must(handshaker_new(&handshaker, VERIFY_LEVEL_DEFAULT, world->sys.now(&world->sys), err),
	     err);
	began = drive_cpu();
	for (size_t i = 0; i < SAMPLE; i++) {
		struct handshake_peer shown = {.leaf = leaves[i], .key = keys[i]};
		struct handshake_peer asks = {
			.leaf = leaves[0], .key = keys[0], .trusted = verifier};
		struct handshake_peer server = i % 2 ? asks : shown;
		struct handshake_peer client = i % 2 ? shown
						     : (struct handshake_peer){.trusted = verifier};

		must(handshake_run(&result, handshaker, &server, &client, false, err), err);
		if (!result.ok) {
			(void)fprintf(stderr, "%s\n", result.reason);
			exit(1);
		}
	}
	began = drive_cpu() - began;
	handshaker_free(handshaker);
	verifier_free(verifier);
	bundle_release(&trusted);
	for (size_t i = 0; i < SAMPLE; i++) {
		cert_free(leaves[i]);
		key_free(keys[i]);
	}
	return began / SAMPLE;
}

static void measure_handshakes(struct world *world)
{
	double single = one_handshake(world), chains, with;
	size_t none, count;

	chains = prove(world, false, &none);
	with = prove(world, true, &count);
	(void)printf("chains %.6f\nwith %.6f\nsingle %.6f\ncount %zu\nprocessors %ld\n", chains,
		     with, single, count, sysconf(_SC_NPROCESSORS_ONLN));
}

int main(int argc, char **argv)
{
	struct world world = {0};
	size_t none;

	drive_begin();
	if (argc != 5)
		return 2;
	sys_init(&world.sys);
	world.arena = must_have(arena_new(1 << 20));
	world.dir = argv[2];
	world.counts[0] = number(argv[3]);
	world.counts[1] = number(argv[4]);
	read_keys(&world);
	read_bundle(&world, 0, "new and old", "both.pem");
	read_bundle(&world, 1, "old and new", "turned.pem");
	read_peers(&world, 0);
	read_peers(&world, 1);
	if (!strcmp(argv[1], "handshakes"))
		measure_handshakes(&world);
	else
		(void)prove(&world, false, &none);
	release(&world);
	return 0;
}
