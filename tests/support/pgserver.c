/* SPDX-License-Identifier: PostgreSQL */
#include "tests/support/pgserver.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "proc/child.h"

#define PATH_SIZE     256
#define LOG_MAX	      ((size_t)4 << 20)
#define WAIT_MS	      15000
#define POLL_MS	      2
#define RELOADED_TEXT "received SIGHUP, reloading configuration files"
#define REFUSED_TEXT  "SSL configuration was not reloaded"
#define READY_TEXT    "database system is ready to accept connections"

static const char hba[] = "local all all trust\n"
			  "hostssl all alice,postgres all cert\n"
			  "hostssl all bob all scram-sha-256\n"
			  "hostssl all carol all cert clientname=DN map=dn\n";

static const char ident[] = "dn \"CN=carol,O=Acme\" carol\n";

static const struct passwd *other_user(void)
{
	return geteuid() == 0 ? getpwnam("postgres") : NULL;
}

static void path_of(const struct pgserver *server, const char *name, char out[PATH_SIZE])
{
	(void)snprintf(out, PATH_SIZE, "%s/%s", server->dir, name);
}

/* Written as the server's user, mode 0600: PostgreSQL refuses a key that others may read. */
static int write_file(const struct pgserver *server, const char *name, const char *data, size_t len,
		      struct err *err)
{
	const struct passwd *user = other_user();
	char path[PATH_SIZE];
	int rc;

	path_of(server, name, path);
	rc = file_replace(path, NULL, data, len, 0600, err);
	if (!rc && user && chown(path, user->pw_uid, user->pw_gid) < 0)
		rc = err_sys(err, errno, "cannot give away %s", path);
	return rc;
}

static int write_settings(struct pgserver *server, const struct pgserver_tls *tls, struct err *err)
{
	struct buf conf;
	int rc = 0;

	buf_init(&conf, 65536);
	buf_addf(&conf,
		 "listen_addresses = '127.0.0.1,::1'\nport = %u\n"
		 "unix_socket_directories = '%s'\nfsync = off\nshared_buffers = 16MB\n"
		 "max_connections = 150\nlogging_collector = off\nssl = %s\n",
		 server->port, server->dir, tls->cert_pem ? "on" : "off");
	if (tls->cert_pem) {
		buf_addf(&conf, "ssl_cert_file = '%s/server.crt'\nssl_key_file = '%s/server.key'\n",
			 server->dir, server->dir);
		rc = write_file(server, "server.crt", tls->cert_pem, strlen(tls->cert_pem), err);
		if (!rc)
			rc = write_file(server, "server.key", tls->key->data, tls->key->len, err);
	}
	if (!rc && tls->ca_pem) {
		buf_addf(&conf, "ssl_ca_file = '%s/ca.crt'\n", server->dir);
		rc = write_file(server, "ca.crt", tls->ca_pem, strlen(tls->ca_pem), err);
	}
	buf_adds(&conf, tls->settings ? tls->settings : "");
	if (!rc)
		rc = buf_check(&conf, "postgresql.conf", err);
	if (!rc)
		rc = write_file(server, "data/postgresql.conf", conf.data, conf.len, err);
	/* hostssl lines and the method cert are errors where ssl is off or no CA is known */
	if (!rc)
		rc = write_file(server, "data/pg_hba.conf", hba,
				tls->cert_pem && tls->ca_pem ? sizeof(hba) - 1
							     : strcspn(hba, "\n") + 1,
				err);
	if (!rc)
		rc = write_file(server, "data/pg_ident.conf", ident, sizeof(ident) - 1, err);
	buf_release(&conf);
	return rc;
}

/* One of PostgreSQL's programs, as the server's user. */
static int run(const char *const *words, struct err *err)
{
	const char *argv[24] = {"setpriv", "--reuid",  "postgres",
				"--regid", "postgres", "--init-groups"};
	static const char *const no_env[] = {"PGHOST",	  "PGPORT",	"PGUSER",
					     "PGSERVICE", "PGDATABASE", NULL};
	struct child_result result;
	const char *name = *words;
	size_t at = other_user() ? 6 : 0;

	while (*words && at < 23)
		argv[at++] = *words++;
	argv[at] = NULL;
	if (child_run(&result,
		      &(struct child_spec){
			      .argv = argv, .env_unset = no_env, .cwd = "/", .deadline_ms = 60000},
		      err))
		return ERR_FAIL;
	return child_check(&result, name, err);
}

static int free_port(struct pgserver *server, struct err *err)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		rc = err_sys(err, errno, "no free port");
	server->port = ntohs(addr.sin_port);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int make_dir(struct pgserver *server, struct err *err)
{
	const struct passwd *user = other_user();

	(void)strcpy(server->dir, "/tmp/certrotate-pg-XXXXXX");
	if (!mkdtemp(server->dir)) {
		server->dir[0] = '\0';
		return err_sys(err, errno, "no temporary directory");
	}
	if (user && chown(server->dir, user->pw_uid, user->pw_gid) < 0)
		return err_sys(err, errno, "cannot give away %s", server->dir);
	return 0;
}

static int launch(struct pgserver *server, struct err *err)
{
	const struct passwd *user = other_user();
	char data[PATH_SIZE], log[PATH_SIZE];

	path_of(server, "data", data);
	path_of(server, "log", log);
	server->pid = fork();
	if (server->pid < 0)
		return err_sys(err, errno, "cannot start PostgreSQL");
	if (server->pid == 0) {
		int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);

		if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
			_exit(126);
		if (user && (initgroups(user->pw_name, user->pw_gid) < 0 ||
			     setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0))
			_exit(126);
		/* after setuid, which clears it; SIGQUIT is the immediate shutdown */
		if (prctl(PR_SET_PDEATHSIG, SIGQUIT) < 0 || setpgid(0, 0) < 0)
			_exit(126);
		(void)execl(PGSERVER_BIN "/postgres", PGSERVER_BIN "/postgres", "-D", data,
			    (char *)NULL);
		_exit(127);
	}
	return 0;
}

static off_t log_size(const struct pgserver *server)
{
	char path[PATH_SIZE];
	struct stat st;

	path_of(server, "log", path);
	return stat(path, &st) < 0 ? 0 : st.st_size;
}

/* What was logged from that byte on. */
static void read_log(const struct pgserver *server, off_t from, struct buf *log)
{
	char path[PATH_SIZE], part[4096];
	ssize_t got;
	int fd;

	path_of(server, "log", path);
	buf_reset(log);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (got = pread(fd, part, sizeof(part), from)) > 0) {
		buf_add(log, part, (size_t)got);
		from += got;
	}
	if (fd >= 0)
		(void)close(fd);
}

static int wait_for_log(struct pgserver *server, const char *text, off_t from, struct err *err)
{
	struct timespec pause = {0, POLL_MS * 1000000L};
	struct buf log;
	int rc = 0;

	buf_init(&log, LOG_MAX);
	for (int ms = 0; !rc; ms += POLL_MS) {
		bool ended = waitpid(server->pid, NULL, WNOHANG) == server->pid;
		const char *said;

		read_log(server, from, &log);
		said = log.data;
		if (strstr(said, text))
			break;
		if (ended) {
			server->pid = 0;
			rc = err_set(err, ERR_FAIL, "PostgreSQL ended: %s", said);
		} else if (ms > WAIT_MS) {
			rc = err_set(err, ERR_FAIL, "PostgreSQL does not say '%s': %s", text, said);
		}
		(void)nanosleep(&pause, NULL);
	}
	buf_release(&log);
	return rc;
}

int pgserver_sql(const struct pgserver *server, const char *sql, struct err *err)
{
	char port[16];
	/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one path */
	const char *const words[] = {PGSERVER_BIN "/psql",
				     "-XqAt",
				     "-v",
				     "ON_ERROR_STOP=1",
				     "-h",
				     server->dir,
				     "-p",
				     port,
				     "-U",
				     "postgres",
				     "-c",
				     sql,
				     "postgres",
				     NULL};

	(void)snprintf(port, sizeof(port), "%u", server->port);
	return run(words, err);
}

static int init(struct pgserver *server, struct err *err)
{
	char data[PATH_SIZE];
	const char *const words[] = {
		/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one path */
		PGSERVER_BIN "/initdb", "-A", "trust", "-U", "postgres", "--no-sync",
		"--locale=C",		"-E", "UTF8",  "-D", data,	 NULL};

	path_of(server, "data", data);
	return run(words, err);
}

int pgserver_start(struct pgserver *server, const struct pgserver_tls *tls, struct err *err)
{
	int rc;

	*server = (struct pgserver){0};
	if (access(PGSERVER_BIN "/postgres", X_OK) != 0) {
		(void)err_set(err, ERR_FAIL, PGSERVER_BIN "/postgres is missing");
		return err_hint(err, "apt-get install postgresql-15");
	}
	if (geteuid() == 0 && !other_user())
		return err_set(err, ERR_FAIL, "there is no user postgres to run PostgreSQL");
	rc = make_dir(server, err);
	if (!rc)
		rc = free_port(server, err);
	if (!rc)
		rc = init(server, err);
	if (!rc)
		rc = write_settings(server, tls, err);
	if (!rc)
		rc = launch(server, err);
	if (!rc)
		rc = wait_for_log(server, READY_TEXT, 0, err);
	if (!rc)
		rc = pgserver_sql(server,
				  "CREATE ROLE alice LOGIN IN ROLE pg_monitor; CREATE ROLE bob "
				  "LOGIN PASSWORD 'x'; CREATE ROLE carol LOGIN; "
				  "CREATE ROLE stranger LOGIN",
				  err);
	if (rc)
		pgserver_stop(server);
	return rc;
}

/*
 * A new connection over the socket, which ends before anything is logged of it: the postmaster
 * takes none while it reloads. The bytes are a GSSENCRequest, which it answers with one byte.
 */
static int knock(const struct pgserver *server, struct err *err)
{
	static const unsigned char request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer;
	int rc = 0;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/.s.PGSQL.%u", server->dir,
		       server->port);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    write(fd, request, sizeof(request)) != sizeof(request) || read(fd, &answer, 1) != 1)
		rc = err_sys(err, errno, "PostgreSQL does not answer");
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int reload_now(struct pgserver *server, struct err *err)
{
	off_t from = log_size(server);
	int rc = 0;

	if (kill(server->pid, SIGHUP) < 0)
		rc = err_sys(err, errno, "cannot reload PostgreSQL");
	if (!rc)
		rc = wait_for_log(server, RELOADED_TEXT, from, err);
	return rc ? rc : knock(server, err);
}

int pgserver_reload(struct pgserver *server, const struct pgserver_tls *tls, struct err *err)
{
	int rc = write_settings(server, tls, err);

	return rc ? rc : reload_now(server, err);
}

/* In place: tests that reload thousands of times do without durable files. */
static int overwrite(const struct pgserver *server, const char *name, const char *text,
		     struct err *err)
{
	char path[PATH_SIZE];
	bool written;
	FILE *file;

	path_of(server, name, path);
	file = fopen(path, "we");
	written = file && fputs(text, file) >= 0;
	if (file && fclose(file) != 0)
		written = false;
	if (!written)
		return err_sys(err, errno, "cannot write %s", path);
	return 0;
}

int pgserver_files(const struct pgserver *server, const char *cert_pem, const char *key_pem,
		   const char *ca_pem, struct err *err)
{
	int rc = overwrite(server, "server.crt", cert_pem, err);

	if (!rc)
		rc = overwrite(server, "server.key", key_pem, err);
	return rc ? rc : overwrite(server, "ca.crt", ca_pem, err);
}

int pgserver_take_files(struct pgserver *server, char **refusal, struct err *err)
{
	off_t from = log_size(server);
	int rc = reload_now(server, err);
	struct buf log;

	*refusal = NULL;
	if (rc)
		return rc;
	buf_init(&log, LOG_MAX);
	read_log(server, from, &log);
	if (strstr(log.data, REFUSED_TEXT)) {
		*refusal = buf_detach(&log);
		return *refusal ? 0 : err_nomem(err);
	}
	buf_release(&log);
	return 0;
}

static void end_server(struct pgserver *server)
{
	struct timespec pause = {0, POLL_MS * 1000000L};

	if (server->pid <= 0)
		return;
	(void)kill(server->pid, SIGINT);
	for (int ms = 0; server->pid > 0; ms += POLL_MS) {
		if (waitpid(server->pid, NULL, WNOHANG) != 0)
			server->pid = 0;
		else if (ms == WAIT_MS)
			(void)kill(-server->pid, SIGKILL);
		else
			(void)nanosleep(&pause, NULL);
	}
}

int pgserver_restart(struct pgserver *server, struct err *err)
{
	off_t from;
	int rc;

	end_server(server);
	from = log_size(server);
	rc = launch(server, err);
	return rc ? rc : wait_for_log(server, READY_TEXT, from, err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void pgserver_stop(struct pgserver *server)
{
	if (!server)
		return;
	end_server(server);
	if (server->dir[0])
		(void)nftw(server->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	*server = (struct pgserver){0};
}
