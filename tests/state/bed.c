/* SPDX-License-Identifier: PostgreSQL */
#include "tests/state/bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static struct sys sys;
static int64_t later;
static const char *root;
static char logged[8192];
static char kept[STATE__MAX][128]; /* folders of prepare's */

static void keep_line(void *ctx, enum log_level level, const char *text)
{
	size_t len = strlen(logged);

	(void)ctx;
	(void)level;
	(void)snprintf(logged + len, sizeof(logged) - len, "%s\n", text);
}

static const struct log bed_log = {.line = keep_line};

const char *bed_logged(void)
{
	return logged;
}

static int64_t bed_now(struct sys *own)
{
	(void)own;
	return INT64_C(1795138200) + later; /* 2026-11-20T01:30:00Z */
}

void bed_later(int64_t seconds)
{
	later += seconds;
}

void bed_sh(const char *command)
{
	char text[4096];

	ck_assert_uint_lt((size_t)snprintf(text, sizeof(text), "cd %s && %s", root, command),
			  sizeof(text));
	ck_assert_msg(system(text) == 0, "%s", command);
}

void bed_write(const char *path, const char *text)
{
	char *whole = test_path(path);

	test_write(whole, text);
	free(whole);
}

char *bed_read(const char *path)
{
	char *whole = test_path(path);
	char *text = test_read(whole, NULL);

	free(whole);
	return text;
}

void bed_commit(void)
{
	bed_sh("git add -A && git commit -qm change");
}

void bed_change(const char *path, const char *from, const char *to)
{
	char *text = bed_read(path);
	char *at = strstr(text, from);
	struct buf changed;

	ck_assert_msg(at != NULL, "%s has no '%s'", path, from);
	buf_init(&changed, BUF_TEXT_MAX);
	buf_add(&changed, text, (size_t)(at - text));
	buf_adds(&changed, to);
	buf_adds(&changed, at + strlen(from));
	bed_write(path, changed.data);
	bed_commit();
	buf_release(&changed);
	free(text);
}

void bed_describe(const char *intermediates)
{
	char text[4096];

	(void)snprintf(text, sizeof(text),
		       "subject: {O: Acme, CN: postgres}\nkey: ecdsa-p256\nintermediates:\n%s",
		       intermediates);
	bed_write(BED_CHAIN, text);
}

void bed_make(void)
{
	static const char *const strange[] = {"GIT_DIR",
					      "GIT_WORK_TREE",
					      "GIT_INDEX_FILE",
					      "GIT_CONFIG_GLOBAL",
					      "ANSIBLE_CONFIG",
					      "ANSIBLE_VAULT_PASSWORD_FILE",
					      "ANSIBLE_VAULT_IDENTITY_LIST",
					      "XDG_CONFIG_HOME"};

	sys_init(&sys);
	sys.now = bed_now;
	later = 0;
	logged[0] = '\0';
	root = test_mkdir();
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
		(void)unsetenv(strange[i]);
	(void)setenv("HOME", root, 1);
	(void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	bed_sh("git init -q -b main --template= && "
	       "printf '[user]\\nname = Ada\\nemail = ada@example.com\\n[core]\\nfsync = none\\n' "
	       ">>.git/config && umask 077 && echo secret >.git/pass && "
	       "mkdir -p config environments/poc/group_vars/all");
	bed_write(BED_INVENTORY, "db1.example.com\ndb2.example.com\n");
	bed_write("certrotate.yml",
		  "version: 1\ndefaults:\n  vault_password: .git/pass\n"
		  "  git: {base: main, push: false}\n  endpoints: []\n  census: {samples: 0}\n"
		  "  rollout: {trust: [], servers: [], clients: [], prune: []}\n"
		  "environments: {poc: {}}\n");
	bed_describe("  - {name: server, servers: {db1.example.com: [], db2.example.com: []}}\n"
		     "  - {name: client, clients: [app, postgres]}\n");
	bed_commit();
}

void bed_remove(void)
{
	test_rmdir();
}

static struct session_options options(void)
{
	return (struct session_options){.dir = root, .sys = &sys, .log = &bed_log};
}

int bed_try(enum event event, enum state to, const char *waivers, struct err *err)
{
	struct session_options own = options();
	struct waivers list = {.items = NULL};
	struct run_options run = {.event = event, .to = to, .waivers = &list};
	char *lines = strdup(waivers ? waivers : ""), *rest;
	int rc;

	ck_assert_ptr_nonnull(lines);
	for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		ck_ok(waivers_add(&list, line, err), err);
	rc = runner_run(&own, &run, err);
	waivers_release(&list);
	free(lines);
	return rc;
}

void bed_run(enum event event, enum state to)
{
	struct err err = {0};

	ck_ok(bed_try(event, to, NULL, &err), &err);
}

static void keep(enum state state)
{
	char command[256];

	(void)snprintf(kept[state], sizeof(kept[state]), "%s.%s", root, state_name(state));
	(void)snprintf(command, sizeof(command), "git repack -adq && cp -a . %s", kept[state]);
	bed_sh(command);
}

static void prepare(void)
{
	char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;

	if (!kept[STATE_IDLE][0]) {
		bed_make();
		bed_run(EVENT_FIRST, STATE__MAX);
		keep(STATE_IDLE);
		for (int s = STATE_GENERATED; s <= STATE_SERVERS_SWITCHED; s++) {
			bed_run(EVENT_NEXT, (enum state)s);
			keep((enum state)s);
		}
		bed_remove();
	}
	if (home)
		(void)setenv("HOME", home, 1);
	free(home);
}

TCase *bed_case(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_unchecked_fixture(tc, prepare, NULL);
	tcase_add_checked_fixture(tc, bed_make, bed_remove);
	tcase_set_timeout(tc, 60);
	return tc;
}

void bed_reach(enum state state)
{
	char command[256];

	ck_assert(kept[state][0]);
	(void)snprintf(command, sizeof(command),
		       "find . -mindepth 1 -delete && cp -a %s/. . && "
		       "git update-index -q --refresh",
		       kept[state]);
	bed_sh(command);
}

void bed_store(const struct session *session)
{
	struct err err = {0};
	struct buf text;

	buf_init(&text, BUF_TEXT_MAX);
	ck_ok(store_dump(&text, &session->store, &err), &err);
	bed_write(session->state_path, text.data);
	buf_release(&text);
	bed_commit();
}

void bed_open(struct session *session)
{
	struct session_options own = options();
	struct err err = {0};

	ck_ok(session_open(session, &own, &err), &err);
	ck_ok(session_load(session, &err), &err);
	ck_ok(session_identity(session, &err), &err);
}

int bed_plan(struct plan *plan, struct session *session, enum event event, bool dry_run,
	     struct err *err)
{
	struct plan_options plan_options = {.dry_run = dry_run};

	bed_open(session);
	return plan_make(plan, session, event, &plan_options, err);
}

const struct finding *bed_finding(const struct findings *findings, const char *check,
				  const char *subject)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];

		if (!strcmp(finding->check, check) &&
		    (!subject || !strcmp(finding->subject, subject)))
			return finding;
	}
	return NULL;
}
