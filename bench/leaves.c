/* SPDX-License-Identifier: PostgreSQL */
/*
 * The certificates of a large environment, to be measured with:
 *
 *   leaves DIR SERVERS CLIENTS ALGORITHM GENERATIONS
 *
 *   key-0.pem …                    the leaves' keys, in turn
 *   s00000.old.pem, s00000.new.pem  each server's leaf, db00000.example.com
 *   c00000.old.pem, c00000.new.pem  each client's, user00000
 *   old.pem, new.pem                the CAs of each generation
 *   both.pem, turned.pem            new before old, and old before new
 *
 * Of each pair the second only for two GENERATIONS. Eight keys for all leaves change nothing about
 * what verifying costs, and 10,000 keys RSA-4096 would take hours.
 *
 * Names are by number; keys, and what is signed with them, differ from run to run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/drive.h"
#include "pki/issue.h"
#include "safety/pool.h"

#define KEYS	  8
#define DAY	  ((int64_t)86400)
#define NAME_SIZE 32
#define PATH_SIZE 512

struct chain {
	struct key *root_key, *ca_key;
	struct cert *root, *ca;
};

struct world {
	struct sys sys;
	const char *dir;
	enum key_alg alg;
	struct chain chains[2]; /* old, new */
	struct key *keys[KEYS];
	size_t servers, clients, generations;
	struct err err;
};

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
	struct err err = {0};

	if (chain) {
		spec.issuer = is_ca ? chain->root : chain->ca;
		spec.issuer_key = is_ca ? chain->root_key : chain->ca_key;
	}
	must(dn_add(&dn, "O", "Acme", &err), &err);
	must(dn_add(&dn, "CN", cn, &err), &err);
	if (usage)
		must(strs_add(&usages, usage, &err), &err);
	spec.subject = &dn;
	spec.ext_usages = &usages;
	must(cert_issue(&cert, &spec, &err), &err);
	strs_release(&usages);
	dn_release(&dn);
	return cert;
}

static void make_chain(struct world *world, struct chain *chain, const char *root, const char *ca)
{
	must(key_generate(&chain->root_key, world->alg, &world->err), &world->err);
	must(key_generate(&chain->ca_key, world->alg, &world->err), &world->err);
	chain->root = issue(world, NULL, chain->root_key, root, NULL, true, 1);
	chain->ca = issue(world, chain, chain->ca_key, ca, NULL, true, 0);
}

static void free_chain(struct chain *chain)
{
	cert_free(chain->root);
	cert_free(chain->ca);
	key_free(chain->root_key);
	key_free(chain->ca_key);
}

static void write_pems(const struct world *world, const char *name, const struct cert *const *certs,
		       size_t count)
{
	char path[PATH_SIZE];
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, BUF_TEXT_MAX);
	for (size_t i = 0; i < count; i++)
		must(cert_to_pem(&buf, certs[i], &err), &err);
	(void)snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	drive_write(path, buf.data, buf.len);
	buf_release(&buf);
}

static void write_bundles(const struct world *world)
{
	const struct chain *older = &world->chains[0], *newer = &world->chains[1];
	const struct cert *all[] = {newer->ca,	 newer->root, older->ca,
				    older->root, newer->ca,   newer->root};

	write_pems(world, "new.pem", all, 2);
	write_pems(world, "both.pem", all, 4);
	write_pems(world, "old.pem", all + 2, 2);
	write_pems(world, "turned.pem", all + 2, 4);
}

static int make_peer(void *ctx, void *local, size_t i, struct err *err)
{
	static const char *const labels[] = {"old", "new"};
	struct world *world = ctx;
	bool client = i >= world->servers;
	size_t at = client ? i - world->servers : i;
	char name[NAME_SIZE], file[NAME_SIZE];

	(void)local;
	(void)err;
	(void)snprintf(name, sizeof(name), client ? "user%05zu" : "db%05zu.example.com", at);
	for (size_t g = 0; g < world->generations && g < 2; g++) {
		struct cert *cert = issue(world, &world->chains[g], world->keys[(at + g) % KEYS],
					  name, client ? "clientAuth" : "serverAuth", false, 0);
		const struct cert *one = cert;

		(void)snprintf(file, sizeof(file), "%c%05zu.%s.pem", client ? 'c' : 's', at,
			       labels[g]);
		write_pems(world, file, &one, 1);
		cert_free(cert);
	}
	return 0;
}

static void make_keys(struct world *world)
{
	struct arena *arena = must_have(arena_new(1 << 20));
	char path[PATH_SIZE];

	for (size_t i = 0; i < KEYS; i++) {
		struct secret text = {0};

		must(key_generate(&world->keys[i], world->alg, &world->err), &world->err);
		must(key_to_pem(&text, arena, world->keys[i], &world->err), &world->err);
		(void)snprintf(path, sizeof(path), "%s/key-%zu.pem", world->dir, i);
		drive_write(path, text.data, text.len);
	}
	arena_free(arena);
}

int main(int argc, char **argv)
{
	struct world world = {0};
	struct pool pool = {.ctx = &world, .job = make_peer, .what = "issuing"};

	if (argc != 6)
		return 2;
	world.dir = argv[1];
	world.servers = number(argv[2]);
	world.clients = number(argv[3]);
	must(key_alg_parse(&world.alg, argv[4], &world.err), &world.err);
	world.generations = number(argv[5]);
	if (world.generations < 1 || world.generations > 2)
		return 2;
	sys_init(&world.sys);
	make_keys(&world);
	make_chain(&world, &world.chains[0], "Acme root", "Acme");
	make_chain(&world, &world.chains[1], "Acme root G2", "Acme G2");
	write_bundles(&world);
	must(pool_run(&pool, world.servers + world.clients, &world.err), &world.err);
	for (size_t i = 0; i < KEYS; i++)
		key_free(world.keys[i]);
	free_chain(&world.chains[0]);
	free_chain(&world.chains[1]);
	return 0;
}
