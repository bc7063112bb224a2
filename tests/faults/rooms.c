/* SPDX-License-Identifier: PostgreSQL */
/*
 * What each room does with every one of its own allocations failing, one after the other: an error
 * that says "out of memory", nothing handed out, no leak (the address sanitizer looks), and files
 * as they were. Where a room goes on without, err_ailment knows it.
 * OpenSSL's own are not among them here (a vault's key takes tens of thousands): faults.py lets
 * these fail by their places.
 *
 *   rooms DATA    the folder tests/data/chainsmith-python
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "inventory/certs.h"
#include "inventory/chain.h"
#include "inventory/config.h"
#include "inventory/hosts.h"
#include "outside/template.h"
#include "outside/webhook.h"
#include "pki/bundle.h"
#include "proc/child.h"
#include "proc/recap.h"
#include "state/journal.h"
#include "state/store.h"
#include "tests/faults/alloc.h"
#include "vault/vault.h"

#define TEXT_MAX   ((size_t)1 << 20)
#define COUNT_MAX  20000L
#define CERTS_FILE "environments/poc/group_vars/all/certs.yml"
#define NEW_VALUE  "-----BEGIN-----\nAa+/=\n-----END-----\n"

/* The sanitizer's own, where it is linked. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

struct bench {
	const char *data; /* the fixture */
	char dir[64];	  /* of our own */
	char *journal;
	pid_t server;
	char url[64];
	struct buf certs, chain;
	struct sys sys;
	long bad;
};

static int do_vault(struct bench *bench, struct err *err)
{
	struct arena *arena = arena_new((size_t)1 << 20);
	struct vault_passwords passwords = {0};
	struct secret plain = {0}, out = {0};
	struct buf text;
	int rc = arena ? arena_copy(&plain, arena, "a: b\n", 5, err) : err_nomem(err);

	buf_init(&text, TEXT_MAX);
	rc = rc ? rc : vault_passwords_add(&passwords, arena, "secret", 6, "prod", "test", err);
	rc = rc ? rc : vault_encrypt(&text, &plain, &passwords.items[0], NULL, &bench->sys, err);
	rc = rc ? rc
		: vault_decrypt(&out, NULL, arena, text.data, text.len, "v.yml", &passwords, err);
	if (!rc && (out.len != 5 || memcmp(out.data, "a: b\n", 5) != 0))
		bench->bad++;
	buf_release(&text);
	vault_passwords_release(&passwords);
	arena_free(arena);
	return rc;
}

static int do_chain(struct bench *bench, struct err *err)
{
	struct chain_desc *chain = NULL;
	int rc = chain_load(&chain, bench->data, "config/chainsmith_poc.yml", "environments/poc",
			    err);

	chain_free(chain);
	return rc;
}

static int do_certs(struct bench *bench, struct err *err)
{
	struct certs_change change = {
		.verb = CERTS_SET, .kind = CERTS_CHAIN, .authority = "server", .text = NEW_VALUE};
	struct certs *certs = NULL;
	struct buf out;
	int rc = certs_open(&certs, bench->certs.data, bench->certs.len, "certs.yml", NULL, err);

	change.len = strlen(change.text);
	buf_init(&out, TEXT_MAX);
	rc = rc ? rc : certs_edit(&out, certs, &change, 1, err);
	if (rc && out.len)
		bench->bad++; /* "on an error nothing was added" */
	buf_release(&out);
	certs_close(certs);
	return rc;
}

static int do_bundle(struct bench *bench, struct err *err)
{
	struct bundle bundle = {0}, merged = {0};
	struct buf text;
	int rc = bundle_from_pem(&bundle, bench->chain.data, bench->chain.len, "chain", err);

	buf_init(&text, TEXT_MAX);
	rc = rc ? rc : bundle_merge(&merged, &bundle, &bundle, err);
	rc = rc ? rc : bundle_to_pem(&text, &merged, err);
	if (!rc && merged.count != bundle.count)
		bench->bad++;
	buf_release(&text);
	bundle_release(&merged);
	bundle_release(&bundle);
	return rc;
}

static int do_hosts(struct bench *bench, struct err *err)
{
	struct hosts hosts = HOSTS_INIT;
	int rc = hosts_read(&hosts, bench->data, "environments/poc", err);

	hosts_release(&hosts);
	return rc;
}

static int do_config(struct bench *bench, struct err *err)
{
	struct config *config = NULL;
	const struct environment *env;
	int rc = config_load(&config, bench->data, NULL, err);

	rc = rc ? rc : config_find(&env, config, "poc", err);
	config_free(config);
	return rc;
}

static int do_store(struct bench *bench, struct err *err)
{
	struct transition row = {
		.from = STATE_IDLE, .to = STATE_GENERATED, .phase = PHASE_GENERATE};
	struct store store, copy;
	struct buf text;
	int rc = store_init(&store, "poc", STATE_IDLE, err);

	if (rc)
		return rc;
	buf_init(&text, TEXT_MAX);
	rc = store_begin(&store, &row, "A DBA <dba@example.com>", "host:/repo",
			 bench->sys.now(&bench->sys), NULL, err);
	rc = rc ? rc : strs_add(&store.host_set, "db1.example.com", err);
	rc = rc ? rc : store_dump(&text, &store, err);
	if (!rc) {
		rc = store_copy(&copy, &store, err);
		if (!rc)
			store_release(&copy);
	}
	buf_release(&text);
	store_release(&store);
	return rc;
}

static int do_journal(struct bench *bench, struct err *err)
{
	struct journal journal;
	int rc;

	(void)unlink(bench->journal);
	rc = journal_open(&journal, bench->journal, &bench->sys, err);
	if (rc)
		return rc;
	rc = journal_write(&journal, "r", "trust", "forward", "rollout", "begin", "r/0", "a.yml",
			   err);
	rc = rc ? rc
		: journal_write(&journal, "r", "trust", "forward", "rollout", "end", "r/0", "a.yml",
				err);
	if (!rc && !journal_ended(&journal, "r/0"))
		bench->bad++;
	journal_release(&journal);
	return rc;
}

static int do_recap(struct bench *bench, struct err *err)
{
	static const char said[] =
		"\nTASK [Files] ****\nchanged: [db1]\nfatal: [db2]: FAILED! => {\"msg\": \"no\"}\n"
		"\nPLAY RECAP ****\ndb1 : ok=1 changed=1 unreachable=0 failed=0 skipped=0\n"
		"db2 : ok=0 changed=0 unreachable=0 failed=1 skipped=0\n";
	struct ansible_result result = {.hosts = NULL};
	struct recap recap;
	int rc;

	recap_init(&recap);
	recap_feed(&recap, said, sizeof(said) - 1);
	recap_end(&recap);
	rc = recap_take(&result, &recap, err);
	if (!rc && result.count != 2)
		bench->bad++;
	ansible_result_release(&result);
	recap_release(&recap);
	return rc;
}

/* What a program says is whole, or an error: half of it would be taken for a file. */
static int do_child(struct bench *bench, struct err *err)
{
	static const char *const argv[] = {"sh", "-c", "printf 1; sleep 0.02; printf %01000d 1",
					   NULL};
	struct child_result result;
	struct buf out;
	int rc;

	(void)bench;
	buf_init(&out, 65536);
	rc = child_run(&result, &(struct child_spec){.argv = argv, .out = {.buf = &out}}, err);
	if (!rc && out.len != 1001)
		rc = err_set(err, ERR_USAGE, "%zu bytes of 1001, and no error", out.len);
	buf_release(&out);
	return rc;
}

/* A webhook to a server of ours: libcurl's allocations are among them. */
static int do_webhook(struct bench *bench, struct err *err)
{
	const struct http_options options = {.sys = &bench->sys};
	struct webhook_source source = {.url = bench->url, .secret_env = "ROOMS_SECRET"};
	struct arena *arena = arena_new((size_t)1 << 20);
	struct webhook_target target;
	struct webhook webhook = {
		.target = &target, .key = "k", .body = "{}", .body_len = 2, .tries = 1};
	struct webhook_result result;
	struct http *http = NULL;
	int rc = arena ? http_new(&http, &options, err) : err_nomem(err);

	rc = rc ? rc : webhook_target(&target, arena, &source, err);
	rc = rc ? rc : webhook_post(&result, http, &webhook, err);
	if (!rc && result.status != 200)
		bench->bad++;
	http_free(http);
	arena_free(arena);
	return rc;
}

static int do_template(struct bench *bench, struct err *err)
{
	const struct template_word word = {.name = "text", .value = "\"quoted\""};
	struct buf out;
	int rc;

	buf_init(&out, 4096);
	rc = template_fill(&out, "{\"a\": \"{text}\"}", 15, "t", &word, 1, err);
	if (!rc && strcmp(out.data, "{\"a\": \"\\\"quoted\\\"\"}") != 0)
		bench->bad++;
	buf_release(&out);
	return rc;
}

static const struct {
	const char *name;
	int (*run)(struct bench *bench, struct err *err);
} rooms[] = {{"vault", do_vault},	{"chain", do_chain},	 {"certs edit", do_certs},
	     {"bundles", do_bundle},	{"hosts", do_hosts},	 {"config", do_config},
	     {"state store", do_store}, {"journal", do_journal}, {"recap", do_recap},
	     {"child", do_child},	{"webhook", do_webhook}, {"template", do_template}};

static void complain(struct bench *bench, size_t room, long number, const char *what,
		     const struct err *err)
{
	bench->bad++;
	(void)printf("FAILED %s, allocation %ld: %s (%s)\n", rooms[room].name, number, what,
		     err->msg);
}

static void judge(struct bench *bench, size_t room, long number, int rc, const struct err *err)
{
	if (!rc && !err_ailment())
		complain(bench, room, number, "it succeeded, and nobody knows", err);
	else if (rc && err_exit_code(rc) != 1)
		complain(bench, room, number, "the code blames something else", err);
	else if (rc && !strstr(err->msg, "out of memory") && !strstr(err->msg, "Cannot allocate"))
		complain(bench, room, number, "the message does not name the cause", err);
}

/* Every allocation once, until there is none left to fail. */
static long exhaust(struct bench *bench, size_t room)
{
	struct err err = {0};
	long bad = bench->bad;

	/* what a library keeps for ever is made before */
	if (rooms[room].run(bench, &err))
		complain(bench, room, 0, "it fails where nothing does", &err);
	for (long number = 1; number < COUNT_MAX; number++) {
		int rc;

		err_forget();
		err = (struct err){0};
		alloc_fail_at(number);
		rc = rooms[room].run(bench, &err);
		if (!alloc_failed()) {
			alloc_fail_at(0);
			err_forget();
			if (rc)
				complain(bench, room, number, "it fails where nothing does", &err);
			if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
				complain(bench, room, number, "memory was lost", &err);
			(void)printf("rooms: %s, %ld allocations, %s\n", rooms[room].name,
				     number - 1, bench->bad == bad ? "all survived" : "FAILED");
			return number - 1;
		}
		alloc_fail_at(0);
		judge(bench, room, number, rc, &err);
	}
	complain(bench, room, COUNT_MAX, "there is no end of it", &err);
	return COUNT_MAX;
}

/* Answers each request with 200, until it is ended. */
__attribute__((noreturn)) static void serve(int listening)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
	char request[4096];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept(listening, NULL, NULL);

		if (fd >= 0 && read(fd, request, sizeof(request)) > 0)
			(void)file_write_all(fd, answer, sizeof(answer) - 1, "a socket", NULL);
		if (fd >= 0)
			(void)close(fd);
	}
}

static int start_server(struct bench *bench, struct err *err)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)signal(SIGPIPE, SIG_IGN);
	(void)setenv("ROOMS_SECRET", "word", 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		return err_sys(err, errno, "no socket on 127.0.0.1");
	(void)snprintf(bench->url, sizeof(bench->url), "http://127.0.0.1:%u/x",
		       ntohs(addr.sin_port));
	bench->server = fork();
	if (!bench->server)
		serve(fd);
	(void)close(fd);
	return bench->server < 0 ? err_sys(err, errno, "cannot fork") : 0;
}

static int set_up(struct bench *bench, const char *data, struct err *err)
{
	char *path = path_join(data, CERTS_FILE);
	struct certs *certs = NULL;
	const struct certs_entry *chain;
	int rc = path ? 0 : err_nomem(err);

	bench->data = data;
	sys_init(&bench->sys);
	buf_init(&bench->certs, TEXT_MAX);
	buf_init(&bench->chain, TEXT_MAX);
	(void)snprintf(bench->dir, sizeof(bench->dir), "/tmp/certrotate-rooms-XXXXXX");
	if (!rc && !mkdtemp(bench->dir))
		rc = err_set(err, ERR_FAIL, "cannot make a folder in /tmp");
	bench->journal = path_join(bench->dir, "journal");
	rc = rc ? rc : file_read(&bench->certs, path, TEXT_MAX, err);
	rc = rc ? rc
		: certs_open(&certs, bench->certs.data, bench->certs.len, "certs.yml", NULL, err);
	chain = rc ? NULL : certs_find(certs, CERTS_CHAIN, "server", NULL);
	if (chain)
		buf_add(&bench->chain, chain->value, chain->len);
	certs_close(certs);
	free(path);
	return rc ? rc : start_server(bench, err);
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	struct err err = {0};
	long total = 0;

	if (argc != 2 || set_up(&bench, argv[1], &err)) {
		(void)fprintf(stderr, "usage: rooms DATA; %s\n", err.msg);
		return 2;
	}
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		total += exhaust(&bench, i);
	(void)printf("rooms: %ld allocations failed, %ld findings\n", total, bench.bad);
	(void)kill(bench.server, SIGKILL);
	(void)waitpid(bench.server, NULL, 0);
	(void)unlink(bench.journal);
	(void)rmdir(bench.dir);
	free(bench.journal);
	buf_release(&bench.certs);
	buf_release(&bench.chain);
	return bench.bad || !total ? 1 : 0;
}
