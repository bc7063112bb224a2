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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "proc/child.h"

#define PATH_SIZE     256
#define LOG_MAX	      ((size_t)4 << 20)
#define WAIT_MS	      15000
#define POLL_MS	      10
#define RELOADED_TEXT "received SIGHUP, reloading configuration files"
#define READY_TEXT    "database system is ready to accept connections"

static const char hba[] = "local all all trust\n"
			  "hostssl all alice,postgres all cert\n"
			  "hostssl all bob all scram-sha-256\n";

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
	rc = file_replace(path, data, len, 0600, err);
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

static unsigned times_in_log(const struct pgserver *server, const char *text, struct buf *log)
{
	char path[PATH_SIZE];
	unsigned count = 0;

	path_of(server, "log", path);
	buf_reset(log);
	if (file_read(log, path, LOG_MAX, NULL))
		return 0;
	for (const char *at = log->data; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static int wait_for_log(struct pgserver *server, const char *text, unsigned times, struct err *err)
{
	struct timespec pause = {0, POLL_MS * 1000000L};
	struct buf log;
	int rc = 0;

	buf_init(&log, LOG_MAX + 1);
	for (int ms = 0; times_in_log(server, text, &log) < times && !rc; ms += POLL_MS) {
		size_t tail = log.len > 1500 ? log.len - 1500 : 0;

		if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
			server->pid = 0;
			rc = err_set(err, ERR_FAIL, "PostgreSQL ended: %s", log.data + tail);
		} else if (ms > WAIT_MS) {
			rc = err_set(err, ERR_FAIL, "PostgreSQL does not say '%s': %s", text,
				     log.data + tail);
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
		rc = wait_for_log(server, READY_TEXT, 1, err);
	if (!rc)
		rc = pgserver_sql(server,
				  "CREATE ROLE alice LOGIN IN ROLE pg_monitor; CREATE ROLE bob "
				  "LOGIN PASSWORD 'x'; CREATE ROLE stranger LOGIN",
				  err);
	if (rc)
		pgserver_stop(server);
	return rc;
}

int pgserver_reload(struct pgserver *server, const struct pgserver_tls *tls, struct err *err)
{
	struct buf log;
	unsigned before;
	int rc;

	buf_init(&log, LOG_MAX + 1);
	before = times_in_log(server, RELOADED_TEXT, &log);
	buf_release(&log);
	rc = write_settings(server, tls, err);
	if (!rc && kill(server->pid, SIGHUP) < 0)
		rc = err_sys(err, errno, "cannot reload PostgreSQL");
	/* the postmaster writes that line and reloads before it takes the next connection */
	return rc ? rc : wait_for_log(server, RELOADED_TEXT, before + 1, err);
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
	struct timespec pause = {0, POLL_MS * 1000000L};

	if (!server)
		return;
	if (server->pid > 0) {
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
	if (server->dir[0])
		(void)nftw(server->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	*server = (struct pgserver){0};
}
