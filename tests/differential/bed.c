/* SPDX-License-Identifier: PostgreSQL */
#include "tests/differential/bed.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/support.h"

#define LOGINS_MAX  32
#define DEADLINE_MS 20000
#define PATH_SIZE   128

static _Noreturn void give_up(const char *what, const char *why)
{
	(void)fprintf(stderr, "differential: %s: %s\n", what, why);
	exit(2);
}

static void must(int rc, const struct err *err, const char *what)
{
	if (rc)
		give_up(what, err->msg);
}

/* Also where something gives up: no server and no key stay behind. */
static struct bed *opened;

static void close_opened(void)
{
	if (opened)
		bed_close(opened);
}

void bed_open(struct bed *bed, const struct party *server)
{
	struct secret key = {(char *)(uintptr_t)server->key, strlen(server->key)};
	struct pgserver_tls tls = {.cert_pem = server->leaf, .key = &key, .ca_pem = server->bundle};
	struct err err = {0};

	*bed = (struct bed){.dir = "/tmp/certrotate-bed-XXXXXX"};
	if (!mkdtemp(bed->dir))
		give_up("no temporary directory", bed->dir);
	opened = bed;
	if (atexit(close_opened) != 0)
		give_up("atexit", "no memory");
	must(pgserver_start(&bed->server, &tls, &err), &err, "cannot start PostgreSQL");
}

static void file_path(char out[PATH_SIZE], const struct bed *bed, size_t number, const char *kind)
{
	(void)snprintf(out, PATH_SIZE, "%s/%zu.%s", bed->dir, number, kind);
}

static const char *const kinds[] = {"crt", "key", "root"};

void bed_close(struct bed *bed)
{
	char path[PATH_SIZE];

	opened = NULL;
	pgserver_stop(&bed->server);
	for (size_t i = 0; i < LOGINS_MAX; i++) {
		for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
			file_path(path, bed, i, kinds[k]);
			(void)unlink(path);
		}
	}
	(void)rmdir(bed->dir);
}

char *bed_serve(struct bed *bed, const struct party *server)
{
	struct err err = {0};
	char *refusal;

	must(pgserver_files(&bed->server, server->leaf, server->key, server->bundle, &err), &err,
	     "cannot write the server's files");
	must(pgserver_take_files(&bed->server, &refusal, &err), &err, "cannot reload");
	return refusal;
}

char *bed_restart(struct bed *bed, const struct party *server)
{
	struct err err = {0};

	must(pgserver_files(&bed->server, server->leaf, server->key, server->bundle, &err), &err,
	     "cannot write the server's files");
	return pgserver_restart(&bed->server, &err) ? strdup(err.msg) : NULL;
}

/* Writes the file, or sees to it that there is none. */
static void put(char path[PATH_SIZE], const struct bed *bed, size_t number, const char *kind,
		const char *text)
{
	FILE *file;
	int fd;

	file_path(path, bed, number, kind);
	(void)unlink(path);
	if (!text)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		give_up("cannot write", path);
}

/* A root file that is not there means no verification with sslmode=require. */
static PGconn *start(const struct bed *bed, const struct login *login, size_t number)
{
	const struct party *client = &login->client;
	char crt[PATH_SIZE], key[PATH_SIZE], root[PATH_SIZE], port[16];
	const char *words[] = {"host",
			       "hostaddr",
			       "port",
			       "user",
			       "dbname",
			       "password",
			       "sslmode",
			       "sslcert",
			       "sslkey",
			       "sslrootcert",
			       "ssl_max_protocol_version",
			       "gssencmode",
			       "passfile",
			       "sslcrl",
			       "sslcrldir",
			       "channel_binding",
			       NULL};
	const char *values[] = {login->host ? login->host : BED_HOST,
				"127.0.0.1",
				port,
				login->user    ? login->user
				: client->leaf ? BED_USER
					       : "bob",
				"postgres",
				"x",
				client->bundle ? "verify-full" : "require",
				crt,
				key,
				root,
				login->tls12 ? "TLSv1.2" : "TLSv1.3",
				"disable",
				"/nonexistent",
				"/nonexistent",
				"",
				"prefer",
				NULL};
	PGconn *conn;

	put(crt, bed, number, kinds[0], client->leaf);
	put(key, bed, number, kinds[1], client->key);
	put(root, bed, number, kinds[2], client->bundle);
	(void)snprintf(port, sizeof(port), "%u", bed->server.port);
	conn = PQconnectStartParams(words, values, 0);
	if (!conn)
		give_up("libpq", "no memory");
	return conn;
}

static int64_t mono_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void finish(struct login *login, PGconn **conn)
{
	login->ok = PQstatus(*conn) == CONNECTION_OK;
	(void)snprintf(login->said, sizeof(login->said), "%s",
		       login->ok ? "" : PQerrorMessage(*conn));
	PQfinish(*conn);
	*conn = NULL;
}

/* One round of the event loop. */
static size_t turn(struct login *logins, PGconn **conns, PostgresPollingStatusType *waits,
		   size_t count)
{
	struct pollfd fds[LOGINS_MAX];
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		fds[i] = (struct pollfd){.fd = conns[i] ? PQsocket(conns[i]) : -1,
					 .events = waits[i] == PGRES_POLLING_READING ? POLLIN
										     : POLLOUT};
	}
	(void)poll(fds, (nfds_t)count, 200);
	for (size_t i = 0; i < count; i++) {
		if (!conns[i])
			continue;
		if (fds[i].revents)
			waits[i] = PQconnectPoll(conns[i]);
		if (waits[i] == PGRES_POLLING_OK || waits[i] == PGRES_POLLING_FAILED)
			finish(&logins[i], &conns[i]);
		else
			open++;
	}
	return open;
}

void bed_login(struct bed *bed, struct login *logins, size_t count)
{
	PostgresPollingStatusType waits[LOGINS_MAX];
	PGconn *conns[LOGINS_MAX];
	int64_t deadline = mono_ms() + DEADLINE_MS;

	if (count > LOGINS_MAX)
		give_up("too many logins", "at once");
	for (size_t i = 0; i < count; i++) {
		conns[i] = start(bed, &logins[i], i);
		waits[i] = PGRES_POLLING_WRITING;
		if (PQstatus(conns[i]) == CONNECTION_BAD)
			finish(&logins[i], &conns[i]);
	}
	while (turn(logins, conns, waits, count))
		if (mono_ms() > deadline)
			give_up("a login does not end", "20 s");
}
