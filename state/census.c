/* SPDX-License-Identifier: PostgreSQL */
#include "state/census.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/sum.h"
#include "state/census_internal.h"
#include "state/lock.h"
#include "state/login.h"

#define RECORD_MAX ((size_t)16 << 20)
#define KEPT_S	   (INT64_C(60) * 86400)
#define LOCK_MS	   10000 /* another run holds it for as long as it takes to write a file */
#define LOCK_PAUSE 50

static char *record_path(const struct session *session)
{
	return path_join(session->local_dir, "census.json");
}

int census_load(struct census *out, const struct session *session, struct err *err)
{
	char *path = record_path(session);
	struct json *root = NULL;
	struct buf text;
	int rc = path ? 0 : err_nomem(err);

	*out = (struct census)CENSUS_INIT;
	buf_init(&text, RECORD_MAX);
	rc = rc ? rc : file_read(&text, path, RECORD_MAX, err);
	if (rc == ERR_NOENT) {
		err_clear(err);
		rc = 0;
	} else if (!rc) {
		rc = js_parse(&root, text.data, text.len, path, err);
		rc = rc ? rc : sum_check(root, path, err);
		rc = rc ? census_damaged(err) : census_read(out, root, path, err);
	}
	js_free(root);
	buf_release(&text);
	free(path);
	return rc;
}

static int save(const struct census *census, const struct session *session, struct err *err)
{
	char *path = record_path(session);
	struct json *root = census_json(census);
	int rc = path && root ? 0 : err_nomem(err);

	rc = rc ? rc : sum_add(root, err);
	rc = rc ? rc : js_save(path, root, false, RECORD_MAX, err);
	js_free(root);
	free(path);
	return rc;
}

static int lock_record(int *fd, const struct session *session, struct err *err)
{
	const struct timespec pause = {0, LOCK_PAUSE * 1000000L};
	char *path = path_join(session->local_dir, "census.lock");
	int rc = path ? session_make_local(session, NULL, err) : err_nomem(err);

	*fd = -1;
	for (int waited = 0; !rc; waited += LOCK_PAUSE) {
		*fd = lock_take(path, "census", session->sys, err);
		if (*fd != ERR_LOCK || waited >= LOCK_MS)
			break;
		(void)nanosleep(&pause, NULL);
	}
	free(path);
	if (!rc && *fd >= 0) {
		err_clear(err);
		return 0;
	}
	rc = rc ? rc : *fd;
	err_hint_default(err, "the record is that of the clone: count as the user who types "
			      "'certrotate next' there");
	return rc;
}

/* When the rotation under way began: "20261121T013000Z-7f3a". */
static bool rotation_began(int64_t *out, const struct store *store)
{
	const char *id = store->rotation;
	char text[SYS_TIME_SIZE];
	struct err unread = {0};

	if (!store->new_gen || !id || strlen(id) < sizeof("20261121T013000Z") - 1)
		return false;
	(void)snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", id, id + 4, id + 6,
		       id + 9, id + 11, id + 13);
	return sys_time_parse(text, out, &unread) == 0;
}

/* A rotation may take longer than that: its gates ask for what was seen since it began. */
static int64_t forget_before(const struct session *session)
{
	int64_t before = session->sys->now(session->sys) - KEPT_S, began;

	return rotation_began(&began, &session->store) && began < before ? began : before;
}

static int enter(struct census *census, struct census_run *run, const struct census_index *index,
		 const struct census_server *server, struct err *err)
{
	int rc = 0;

	if (server->pooler)
		return findings_add(&run->findings, "census-pooler", SEVERITY_INFO, server->label,
				    "name the servers behind it as endpoints: there it shows as an "
				    "address",
				    err,
				    "port %u answers for another server (a pooler, or a proxy that "
				    "ends TLS): who is connected to it is not known",
				    server->port);
	run->asked++;
	if (server->why) {
		rc = findings_add(&run->findings, "census-server", SEVERITY_WARNING, server->label,
				  server->advice, err, "%s", server->why);
		return rc ? rc : census_missed(census, server->label, server->why, err);
	}
	run->answered++;
	rc = census_answered(census, server->label, err);
	for (size_t i = 0; i < server->count && !rc; i++)
		rc = census_add(census, index, server->label, &server->sessions[i], err);
	return rc;
}

int census_record(struct census *out, struct census_run *run, const struct session *session,
		  const struct census_asked *asked, const struct census_index *index,
		  struct err *err)
{
	int fd = -1;
	int rc = lock_record(&fd, session, err);

	rc = rc ? rc : census_load(out, session, err);
	rc = rc ? rc : census_begin(out, session->sys->now(session->sys), err);
	for (size_t i = 0; i < asked->count && !rc; i++)
		rc = enter(out, run, index, &asked->items[i], err);
	rc = rc ? rc : census_forget(out, forget_before(session), err);
	/* Where nobody was asked, nothing was counted: that is no sample. */
	if (!rc && run->asked)
		rc = save(out, session, err);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int find_servers(struct census_asked *asked, struct session *session,
			const struct strs *skip, struct err *err)
{
	struct endpoints endpoints = {.items = NULL};
	struct strmap names = STRMAP_INIT;
	int rc = environment_endpoints(&endpoints, session->config, session->env, session->chain,
				       err);

	for (size_t i = 0; i < endpoints.count && !rc; i++) {
		const struct endpoint *endpoint = &endpoints.items[i];
		size_t ports = 0;

		if (endpoint->protocol == ENDPOINT_TLS || (skip && strs_has(skip, endpoint->name)))
			continue;
		(void)strmap_get(&names, endpoint->name, &ports);
		rc = strmap_put(&names, endpoint->name, ports + 1, err);
		if (!rc &&
		    !census_new_server(asked, endpoint->name, endpoint->address, endpoint->port))
			rc = err_nomem(err);
	}
	for (size_t i = 0; i < asked->count && !rc; i++) {
		struct census_server *server = &asked->items[i];
		size_t ports = 0;

		if (!strmap_get(&names, server->name, &ports) || ports < 2)
			continue;
		free(server->label);
		server->label = str_fmt("%s:%u", server->name, server->port);
		rc = server->label ? 0 : err_nomem(err);
	}
	strmap_release(&names);
	endpoints_release(&endpoints);
	return rc;
}

/* The generation that the state gives to clients. */
static const struct generation *clients_hold(const struct live *live)
{
	return target_row(live->target.state)->clients == PICK_NEW && live->has_new
		       ? live->target.new_gen
		       : live->target.old_gen;
}

/* The login user's leaf of a generation; false where it has none with a key. */
static bool leaf_of(struct census_login *out, const struct generation *gen, const char *user)
{
	const struct gen_leaf *leaf = login_client_leaf(gen, user);

	/* Another user's certificate opens the server too, but may not see who is connected. */
	if (!leaf || strcmp(leaf->name, user) != 0)
		return false;
	*out = (struct census_login){leaf->name, leaf->pem, &leaf->key, leaf->cert};
	return true;
}

/* The generation that the state gives to clients first: most servers let it in. */
static size_t choose_logins(struct census_login logins[2], const struct live *live,
			    const char *user)
{
	const struct generation *first = clients_hold(live);
	const struct generation *second = first != &live->old_gen ? &live->old_gen
					  : live->has_new	  ? &live->new_gen
					  : live->has_retired	  ? &live->retired
								  : NULL;
	size_t count = leaf_of(&logins[0], first, user) ? 1 : 0;

	return count + (second && leaf_of(&logins[count], second, user) ? 1 : 0);
}

static int nobody_to_log_in(struct census_asked *asked, const char *user, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < asked->count && !rc; i++)
		rc = census_not_asked(&asked->items[i],
				      "set login.user in certrotate.yml to a user with a "
				      "certificate and a key in the inventory, and with "
				      "pg_read_all_stats",
				      err, "there is no client certificate with a key for user %s",
				      user);
	return rc;
}

static int ask_network(struct census_asked *asked, struct session *session, const struct live *live,
		       const struct census_monitor *monitor, struct err *err)
{
	struct census_login logins[2] = {{0}};
	size_t count = 1;

	if (monitor)
		logins[0] = monitor->login;
	else
		count = choose_logins(logins, live, session->env->login_user);
	if (!count)
		return nobody_to_log_in(asked, session->env->login_user, err);
	return census_ask_network(asked, session, &live->target, logins, count, err);
}

static int note_users(struct census_run *run, const struct live *live, struct err *err)
{
	const struct generation *gen = clients_hold(live);
	int rc = 0;

	(void)snprintf(run->generation, sizeof(run->generation), "%s", gen->id);
	for (size_t i = 0; i < gen->leaf_count && !rc; i++) {
		if (gen->leaves[i].kind == LEAF_CLIENT)
			rc = strs_add(&run->users, gen->leaves[i].name, err);
	}
	return rc;
}

int census_run(struct census *out, struct census_run *run, struct session *session,
	       const struct census_options *options, struct err *err)
{
	const struct environment *env = session->env;
	bool hosts = env->census_playbook != NULL;
	bool monitor = !hosts && options->monitor && env->census_certificate;
	struct census_monitor credentials = {.chain = BUNDLE_INIT};
	struct census_asked asked = {0};
	struct census_index *index = NULL;
	struct live live = {0};
	int rc;

	*out = (struct census)CENSUS_INIT;
	*run = (struct census_run){.findings = FINDINGS_INIT};
	rc = monitor ? census_monitor_load(&credentials, session, err) : 0;
	rc = rc ? rc : live_load(&live, session, !hosts && !monitor, err);
	rc = rc ? rc : note_users(run, &live, err);
	rc = rc ? rc : census_known_leaves(&index, session, &live, err);
	rc = rc ? rc : find_servers(&asked, session, options->skip, err);
	if (!rc && hosts)
		rc = census_ask_hosts(&asked, session, options->skip, err);
	else if (!rc && asked.count)
		rc = ask_network(&asked, session, &live, monitor ? &credentials : NULL, err);
	if (!rc && !hosts && !monitor && asked.count && options->also)
		rc = options->also(options->ctx, session, &live, err);
	rc = rc ? rc : census_record(out, run, session, &asked, index, err);
	if (rc) {
		census_release(out);
		census_run_release(run);
	}
	census_asked_release(&asked);
	census_index_free(index);
	live_release(&live);
	if (monitor)
		census_monitor_release(&credentials);
	return rc;
}

void census_run_release(struct census_run *run)
{
	findings_release(&run->findings);
	strs_release(&run->users);
	*run = (struct census_run){.findings = FINDINGS_INIT};
}
