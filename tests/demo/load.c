/* SPDX-License-Identifier: PostgreSQL */
/*
 * The demo's load: clients that log in to each server in turn, a new connection each time, without
 * a second try. Each login is one line of the log:
 *
 *     SECONDS CLIENT SERVER CLIENT_SERIAL SERVER_SERIAL ok
 *     SECONDS CLIENT SERVER - - failed: WHAT LIBPQ SAID
 *
 * SECONDS since the epoch when it began; serials are decimal: the client's as the server has it
 * (pg_stat_ssl), the server's as the client was shown it. Ends with SIGTERM or SIGINT.
 *
 *     demo-load LOG MIN-MAX CLIENT=FOLDER... -- SERVER=ADDRESS:PORT...
 *
 * MIN-MAX are logins a second of each client. In between, a client rests twice as long as its last
 * login took, so that the load is as much as the machine can bear beside what it is there for.
 * A session is left open until the same client's next login to that server, so that whoever looks
 * at the sessions sees every client. FOLDER holds postgresql.crt, postgresql.key and root.crt;
 * SERVER is the name that is verified.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <openssl/bn.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PARTIES_MAX 32
#define SERIAL_SIZE 64
#define QUERY	    "SELECT client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

struct server {
	char *name;
	char *address;
	char *port;
};

struct load {
	FILE *log;
	double pause_min; /* seconds from one login's begin to the next, of each client */
	double pause_max;
	struct server servers[PARTIES_MAX];
	size_t server_count;
	atomic_bool stop;
};

struct client {
	struct load *load;
	char *name;
	char *folder;
	PGconn *open[PARTIES_MAX]; /* the last session on each server; may be NULL */
	pthread_t thread;
};

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void sleep_until(double when)
{
	double left = when - now();
	struct timespec pause;

	if (left <= 0)
		return;
	pause.tv_sec = (time_t)left;
	pause.tv_nsec = (long)((left - (double)pause.tv_sec) * 1e9);
	(void)nanosleep(&pause, NULL);
}

static PGconn *log_in(const struct client *client, const struct server *server)
{
	char cert[512], key[512], root[512];
	const char *const names[] = {"host",	    "hostaddr",	       "port",	  "user",
				     "dbname",	    "sslmode",	       "sslcert", "sslkey",
				     "sslrootcert", "connect_timeout", NULL};
	const char *const values[] = {server->name, server->address,
				      server->port, client->name,
				      "postgres",   "verify-full",
				      cert,	    key,
				      root,	    "20",
				      NULL};

	(void)snprintf(cert, sizeof(cert), "%s/postgresql.crt", client->folder);
	(void)snprintf(key, sizeof(key), "%s/postgresql.key", client->folder);
	(void)snprintf(root, sizeof(root), "%s/root.crt", client->folder);
	return PQconnectdbParams(names, values, 0);
}

/* "?" where the connection has no certificate to show. */
static void server_serial(char out[SERIAL_SIZE], PGconn *conn)
{
	SSL *ssl = PQsslStruct(conn, "OpenSSL");
	X509 *cert = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
	BIGNUM *number = cert ? ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL) : NULL;
	char *text = number ? BN_bn2dec(number) : NULL;

	(void)snprintf(out, SERIAL_SIZE, "%s", text ? text : "?");
	OPENSSL_free(text);
	BN_free(number);
	X509_free(cert);
}

/* libpq's message as one line. */
static void write_failure(struct load *load, const struct client *client,
			  const struct server *server, double began, const char *said)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "%s", said);
	for (char *c = text; *c; c++)
		*c = *c == '\n' || *c == '\t' ? ' ' : *c;
	(void)fprintf(load->log, "%.3f %s %s - - failed: %s\n", began, client->name, server->name,
		      text);
}

static void one_login(struct client *client, size_t number)
{
	struct load *load = client->load;
	const struct server *server = &load->servers[number];
	double began = now();
	PGconn *conn = log_in(client, server);
	PGresult *result = PQstatus(conn) == CONNECTION_OK ? PQexec(conn, QUERY) : NULL;
	char serial[SERIAL_SIZE];

	if (result && PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
		server_serial(serial, conn);
		(void)fprintf(load->log, "%.3f %s %s %s %s ok\n", began, client->name, server->name,
			      PQgetvalue(result, 0, 0), serial);
	} else {
		write_failure(load, client, server, began, PQerrorMessage(conn));
	}
	PQclear(result);
	PQfinish(client->open[number]);
	client->open[number] = conn;
}

static void *run_client(void *argument)
{
	struct client *client = argument;
	struct load *load = client->load;

	for (size_t i = 0; !atomic_load(&load->stop); i++) {
		double began = now(), pause;

		one_login(client, i % load->server_count);
		pause = 3 * (now() - began);
		pause = pause < load->pause_min ? load->pause_min : pause;
		pause = pause > load->pause_max ? load->pause_max : pause;
		sleep_until(began + pause);
	}
	for (size_t i = 0; i < load->server_count; i++)
		PQfinish(client->open[i]);
	return NULL;
}

/* NAME=VALUE, cut in place; NULL where it is not that. */
static char *cut(char *text, char at)
{
	char *value = strchr(text, at);

	if (!value || value == text || !value[1])
		return NULL;
	*value = '\0';
	return value + 1;
}

static int parse(struct load *load, struct client *clients, size_t *count, char **argv)
{
	bool servers = false;

	for (; *argv; argv++) {
		char *name = *argv, *value;

		if (!strcmp(name, "--")) {
			servers = true;
			continue;
		}
		value = cut(name, '=');
		if (!value || (servers ? load->server_count : *count) == PARTIES_MAX)
			return -1;
		if (!servers) {
			clients[(*count)++] = (struct client){
				.load = load, .name = name, .folder = value};
			continue;
		}
		load->servers[load->server_count] = (struct server){
			.name = name, .address = value, .port = cut(value, ':')};
		if (!load->servers[load->server_count++].port)
			return -1;
	}
	return *count && load->server_count ? 0 : -1;
}

static void wait_for_the_end(struct load *load)
{
	sigset_t set;
	int signal_number;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	(void)sigwait(&set, &signal_number);
	atomic_store(&load->stop, true);
}

int main(int argc, char **argv)
{
	static struct load load;
	static struct client clients[PARTIES_MAX];
	size_t count = 0, started = 0;
	double min = 0, max = 0;
	sigset_t set;

	if (argc < 4 || sscanf(argv[2], "%lf-%lf", &min, &max) != 2 || min <= 0 || max < min ||
	    parse(&load, clients, &count, argv + 3)) {
		(void)fprintf(stderr,
			      "usage: %s LOG MIN-MAX CLIENT=FOLDER... -- "
			      "SERVER=ADDRESS:PORT...\n",
			      argv[0]);
		return 2;
	}
	load.pause_min = 1 / max;
	load.pause_max = 1 / min;
	load.log = fopen(argv[1], "a");
	if (!load.log) {
		(void)fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	(void)setvbuf(load.log, NULL, _IOLBF, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (; started < count; started++) {
		if (pthread_create(&clients[started].thread, NULL, run_client, &clients[started]))
			break;
	}
	if (started == count)
		wait_for_the_end(&load);
	atomic_store(&load.stop, true);
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(clients[i].thread, NULL);
	return fclose(load.log) || started < count ? 1 : 0;
}
