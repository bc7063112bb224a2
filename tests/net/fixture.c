/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tests/net/suites.h"

struct fixture fx;

static char *bundle_text(const struct bundle *bundle)
{
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, BUF_TEXT_MAX);
	ck_ok(bundle_to_pem(&buf, bundle, &err), &err);
	return buf_detach(&buf);
}

static void finish_identity(struct identity *identity, const struct test_chain *chain)
{
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, BUF_TEXT_MAX);
	ck_ok(cert_to_pem(&buf, identity->cert, &err), &err);
	ck_ok(cert_to_pem(&buf, chain->ca, &err), &err);
	identity->pem = buf_detach(&buf);
}

static void make_client(struct identity *identity, struct test_chain *chain, const char *user)
{
	identity->cert = test_client(chain, &identity->own, user);
	finish_identity(identity, chain);
}

static void make_material(void)
{
	static const char *const names[] = {"db1.example.com", "localhost", "127.0.0.1", "::1",
					    NULL};

	sys_init(&fx.sys);
	test_chain_init(&fx.ours, "ours");
	test_chain_init(&fx.other, "other");
	fx.ours_pem = bundle_text(&fx.ours.bundle);
	fx.other_pem = bundle_text(&fx.other.bundle);
	fx.server.cert = test_leaf(&fx.ours, &fx.server.own, "db1.example.com", names,
				   "serverAuth");
	finish_identity(&fx.server, &fx.ours);
	make_client(&fx.alice, &fx.ours, "alice");
	make_client(&fx.bob, &fx.ours, "bob");
	make_client(&fx.stranger, &fx.ours, "stranger");
	make_client(&fx.alice_of_other, &fx.other, "alice");
}

void fixture_keys(void)
{
	struct identity *const all[] = {&fx.server, &fx.alice, &fx.bob, &fx.stranger,
					&fx.alice_of_other};
	struct err err = {0};

	arena_free(fx.arena);
	fx.arena = arena_new((size_t)1 << 20);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ck_ok(key_to_pem(&all[i]->key, fx.arena, all[i]->own, &err), &err);
}

void fixture_start(void)
{
	struct err err = {0};

	if (fx.started)
		return;
	fx.started = true;
	make_material();
	fixture_keys();
	fx.pg_tls = (struct pgserver_tls){
		.cert_pem = fx.server.pem, .key = &fx.server.key, .ca_pem = fx.ours_pem};
	ck_assert_msg(pgserver_start(&fx.pg, &fx.pg_tls, &err) == 0, "%s (HINT: %s)", err.msg,
		      err.hint);
}

static void drop_identity(struct identity *identity)
{
	cert_free(identity->cert);
	key_free(identity->own);
	free(identity->pem);
}

void fixture_stop(void)
{
	if (!fx.started)
		return;
	pgserver_stop(&fx.pg);
	drop_identity(&fx.server);
	drop_identity(&fx.alice);
	drop_identity(&fx.bob);
	drop_identity(&fx.stranger);
	drop_identity(&fx.alice_of_other);
	test_chain_release(&fx.ours);
	test_chain_release(&fx.other);
	free(fx.ours_pem);
	free(fx.other_pem);
	arena_free(fx.arena);
}

void fixture_restore(void)
{
	struct err err = {0};

	ck_ok(pgserver_reload(&fx.pg, &fx.pg_tls, &err), &err);
}

struct loop *fixture_loop(void)
{
	struct loop *loop = NULL;
	struct err err = {0};

	fixture_keys();
	ck_ok(loop_new(&loop, &fx.sys, NULL, &err), &err);
	return loop;
}
