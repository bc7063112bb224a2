/* SPDX-License-Identifier: PostgreSQL */
#include "state/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "git/commit.h"
#include "git/remote.h"
#include "proc/scratch.h"
#include "state/lock.h"
#include "state/merge.h"
#include "state/seen.h"
#include "vault/vault.h"

#define STATE_FILE_MAX ((size_t)16 << 20)

static int make_names(struct session *session, struct err *err)
{
	const struct environment *env = session->env;

	session->local_dir = str_fmt("%s/certrotate/%s", repo_common_dir(session->repo), env->name);
	session->state_path = str_fmt(".certrotate/%s/state.json", env->name);
	session->base_branch_ref = str_fmt("refs/heads/%s", env->base);
	session->base_ref = env->push ? str_fmt("refs/remotes/%s/%s", env->remote, env->base)
				      : strdup(session->base_branch_ref);
	if (env->push && env->flow == FLOW_MERGE_REQUEST)
		session->settle_ref = str_fmt("refs/remotes/%s/certrotate/%s", env->remote,
					      env->name);
	if (!session->local_dir || !session->state_path || !session->base_branch_ref ||
	    !session->base_ref ||
	    (env->flow == FLOW_MERGE_REQUEST && env->push && !session->settle_ref))
		return err_nomem(err);
	return 0;
}

/*
 * Who has a phase under way is known by machine and checkout: colleagues with a clone each on one
 * jump host are not one another. Nothing is made here: a monitoring user may only look.
 */
static int open_local(struct session *session, bool glance, struct err *err)
{
	char host[256] = "";
	char *journal = path_join(session->local_dir, "journal");
	int rc = 0;

	(void)gethostname(host, sizeof(host) - 1);
	session->host = str_fmt("%s:%s", host[0] ? host : "localhost", repo_root(session->repo));
	if (!session->host || !journal)
		rc = err_nomem(err);
	else if (glance)
		rc = journal_glance(&session->journal, journal, session->sys, err);
	else
		rc = journal_open(&session->journal, journal, session->sys, err);
	free(journal);
	return rc;
}

int session_config(struct config **out, const struct repo *repo, const char *file, struct err *err)
{
	int rc = config_load(out, repo_root(repo), file, err);

	return rc ? err_hint_default(err, "certrotate.yml(5) describes the file") : 0;
}

int session_shared_open(struct session_shared *shared, const struct session_options *options,
			struct err *err)
{
	int rc;

	*shared = (struct session_shared){.tip = OID_NONE};
	rc = repo_open(&shared->repo, options->dir, err);
	if (!rc)
		repo_use_stop(shared->repo, options->stop);
	rc = rc ? rc : session_config(&shared->config, shared->repo, options->config_file, err);
	if (!rc)
		repo_hide(shared->repo, &shared->config->secret_variables);
	if (rc)
		session_shared_close(shared);
	return rc;
}

void session_shared_close(struct session_shared *shared)
{
	config_free(shared->config);
	repo_close(shared->repo);
	free(shared->ref);
	*shared = (struct session_shared){.tip = OID_NONE};
}

/* shared's are taken over where it succeeds, unless they are lent. */
static int open_in(struct session *session, const struct session_options *options,
		   struct session_shared *shared, bool lent, struct err *err)
{
	int rc;

	*session = (struct session){.sys = options->sys,
				    .log = options->log,
				    .stop = options->stop,
				    .lent = shared,
				    .repo = shared->repo,
				    .config = shared->config,
				    .lock = -1};
	session->arena = arena_new(SESSION_SECRET_MAX);
	rc = session->arena ? 0 : err_nomem(err);
	rc = rc ? rc : config_find(&session->env, session->config, options->env, err);
	rc = rc ? rc : make_names(session, err);
	rc = rc ? rc : open_local(session, lent, err);
	if (rc)
		session_close(session);
	else if (!lent)
		session->lent = NULL;
	return rc;
}

int session_open_in(struct session *session, const struct session_options *options,
		    struct session_shared *shared, struct err *err)
{
	return open_in(session, options, shared, true, err);
}

int session_open(struct session *session, const struct session_options *options, struct err *err)
{
	struct session_shared own;
	int rc = session_shared_open(&own, options, err);

	if (rc) {
		*session = (struct session){.lock = -1};
		return rc;
	}
	rc = open_in(session, options, &own, false, err);
	if (rc)
		session_shared_close(&own);
	return rc;
}

void session_close(struct session *session)
{
	if (session->loaded)
		store_release(&session->store);
	journal_release(&session->journal);
	chain_free(session->chain);
	merge_link_free(session->merge);
	vault_passwords_release(&session->passwords);
	arena_free(session->arena);
	if (!session->lent) {
		config_free(session->config);
		repo_close(session->repo);
	}
	free(session->by);
	free(session->host);
	free(session->local_dir);
	free(session->state_path);
	free(session->base_ref);
	free(session->base_branch_ref);
	free(session->settle_ref);
	free(session->known);
	if (session->lock >= 0)
		(void)close(session->lock);
	*session = (struct session){.lock = -1};
}

int session_identity(struct session *session, struct err *err)
{
	struct identity identity = {0};
	struct buf text;
	int rc;

	if (session->by)
		return 0;
	rc = repo_identity(&identity, session->repo, err);
	/* It is kept in the state and shown to colleagues: whatever somebody calls himself. */
	buf_init(&text, BUF_TEXT_MAX);
	if (!rc) {
		buf_add_safe(&text, identity.name, strlen(identity.name));
		buf_adds(&text, " <");
		buf_add_safe(&text, identity.email, strlen(identity.email));
		buf_addc(&text, '>');
		session->by = buf_detach(&text);
		rc = session->by ? 0 : err_nomem(err);
	}
	buf_release(&text);
	identity_release(&identity);
	return rc;
}

/* The folders from git's own on: "certrotate", the environment's, and one in that. */
int session_make_local(const struct session *session, const char *name, struct err *err)
{
	char *path = path_join(session->local_dir, name ? name : "");
	char *at = path ? path + strlen(session->local_dir) : NULL;
	int rc;

	if (!path)
		return err_nomem(err);
	if (!name)
		*at = '\0';
	for (int up = 0; up < 2 && at > path;) {
		at--;
		up += *at == '/';
	}
	*at = '\0';
	rc = file_private_dirs(path, at + 1, err);
	free(path);
	return rc;
}

int session_lock(struct session *session, struct err *err)
{
	char *path = path_join(session->local_dir, "lock");
	int rc = path ? session_make_local(session, NULL, err) : err_nomem(err);

	if (!rc)
		rc = session_identity(session, err);
	if (!rc) {
		session->lock = lock_take(path, session->by, session->sys, err);
		rc = session->lock < 0 ? session->lock : 0;
		file_sweep(session->local_dir, ".", FILE_TEMPORARY_PART);
		scratch_sweep();
	}
	free(path);
	return rc;
}

void session_finishing(struct session *session, const char *what)
{
	loop_stop_finishing(session->stop, what);
	repo_finish(session->repo, what != NULL);
}

int session_fetch(struct session *session, struct err *err)
{
	const struct environment *env = session->env;
	int rc;

	if (!env->push)
		return 0;
	log_progress(session->log, "fetching %s", env->remote);
	rc = remote_fetch(session->repo, env->remote, env->base, err);
	log_progress(session->log, "%s", "");
	return rc;
}

/* A state that cannot be read was changed by somebody: whom to ask. */
static void add_who(struct err *err, struct session *session, const struct oid *commit)
{
	struct buf who;
	size_t len = strlen(err->msg);

	buf_init(&who, sizeof(err->msg));
	if (!commit_who_changed(&who, session->repo, commit, session->state_path, NULL) && who.len)
		(void)snprintf(err->msg + len, sizeof(err->msg) - len,
			       "; the file was changed by %s", who.data);
	buf_release(&who);
}

int session_state_of(struct store *store, struct session *session, const struct oid *commit,
		     const char *ref, struct err *err)
{
	struct buf text;
	char *name = str_fmt("%s:%s", ref, session->state_path);
	int rc = name ? 0 : err_nomem(err);

	buf_init(&text, STATE_FILE_MAX);
	rc = rc ? rc
		: repo_read(&text, session->repo, commit, session->state_path, STATE_FILE_MAX, err);
	if (!rc) {
		rc = store_parse(store, text.data, text.len, name, session->env->name, err);
		if (rc && err)
			add_who(err, session, commit);
	}
	buf_release(&text);
	free(name);
	return rc;
}

int session_read_state(struct store *store, struct session *session, const char *ref,
		       struct err *err)
{
	struct oid tip;
	int rc = repo_ref(&tip, session->repo, ref, err);

	return rc ? rc : session_state_of(store, session, &tip, ref, err);
}

static int load_base(struct session *session, struct err *err)
{
	const char *certs = session->env->certs;
	struct oid blob;
	int rc = session_state_of(&session->store, session, &session->base, session->env->base,
				  err);

	if (rc != ERR_NOENT)
		return rc;
	rc = repo_path_oid(&blob, session->repo, &session->base, certs, err);
	if (rc && rc != ERR_NOENT)
		return rc;
	return store_init(&session->store, session->env->name, rc ? STATE_ABSENT : STATE_IDLE, err);
}

/*
 * Whether the base's state is still the one behind which that of the settle branch was written
 * (publish_state makes its commit on the base's tip). Not where a merge came since then: words that
 * were given in the meantime raise the revision as well. What a shallow clone lacks is not known.
 */
static bool is_behind_base(struct session *session)
{
	const char *path = session->state_path;
	struct oid tip, parent, then = OID_NONE, now = OID_NONE;
	struct err unknown = {0};

	if (repo_ref(&tip, session->repo, session->settle_ref, &unknown) ||
	    repo_parent(&parent, session->repo, &tip, &unknown) ||
	    repo_path_oid(&then, session->repo, &parent, path, &unknown) ||
	    repo_path_oid(&now, session->repo, &session->base, path, &unknown))
		return true;
	return oid_equal(&then, &now);
}

/*
 * In flow merge_request the evidence of the last phase waits on a branch of its own until the next
 * merge brings it to the base: the one with the higher revision counts.
 */
static int load_settled(struct session *session, struct err *err)
{
	struct store settled;
	int rc;

	if (!session->settle_ref || !repo_ref_exists(session->repo, session->settle_ref))
		return 0;
	rc = session_read_state(&settled, session, session->settle_ref, err);
	if (rc)
		return rc == ERR_NOENT ? 0 : rc;
	if (settled.revision > session->store.revision && is_behind_base(session)) {
		store_release(&session->store);
		session->store = settled;
	} else {
		store_release(&settled);
	}
	return 0;
}

static int find_base(struct session *session, struct err *err)
{
	struct session_shared *shared = session->lent;
	int rc;

	if (shared && shared->ref && !strcmp(shared->ref, session->base_ref)) {
		session->base = shared->tip;
		return 0;
	}
	rc = repo_ref(&session->base, session->repo, session->base_ref, err);
	if (!rc && shared)
		rc = store_set(&shared->ref, session->base_ref, err);
	if (!rc && shared)
		shared->tip = session->base;
	return rc;
}

int session_load_known(struct session *session, struct err *err)
{
	int rc;

	if (!session->lent || !session->lent->seen || session->loaded)
		return session_load(session, err);
	rc = find_base(session, err);
	session->in_brief = !rc && seen_state(&session->store, session->lent->seen, session);
	session->loaded = session->in_brief;
	/* What hinders the base is said by who looks for it. */
	return session->in_brief ? 0 : session_load(session, err);
}

int session_load(struct session *session, struct err *err)
{
	int rc;

	if (session->loaded)
		store_release(&session->store);
	session->loaded = session->in_brief = false;
	rc = find_base(session, err);
	if (rc == ERR_NOENT) {
		err_set(err, ERR_USAGE, "there is no branch '%s'%s%s", session->env->base,
			session->env->push ? " on " : "",
			session->env->push ? session->env->remote : "");
		return err_hint(err, "set git.base in certrotate.yml to the branch that is live");
	}
	rc = rc ? rc : load_base(session, err);
	if (rc)
		return rc;
	session->loaded = true;
	return load_settled(session, err);
}

static char *name_of(const struct under_way *under_way)
{
	if (!under_way->active)
		return strdup("");
	return str_fmt("%s %s", under_way->host ? under_way->host : "",
		       under_way->since ? under_way->since : "");
}

int session_know(struct session *session, struct err *err)
{
	struct err unread = {0};

	/* A clone that has never fetched the base, or not since it became readable, knows nobody.
	 */
	free(session->known);
	session->known = session_load(session, &unread) ? strdup("")
							: name_of(&session->store.under_way);
	return session->known ? 0 : err_nomem(err);
}

bool session_knew(const struct session *session, const struct under_way *under_way)
{
	char *now = name_of(under_way);
	bool same = now && session->known && !strcmp(now, session->known);

	free(now);
	return same;
}

int session_passwords(struct session *session, struct err *err)
{
	int rc;

	if (session->passwords_found)
		return 0;
	rc = vault_passwords_find(&session->passwords, session->arena, repo_root(session->repo),
				  session->env->vault_password, &session->config->secret_variables,
				  session->sys, session->log, err);
	session->passwords_found = rc == 0;
	if (rc)
		err_hint_default(err, "the password is looked for as Ansible does: "
				      "ANSIBLE_VAULT_PASSWORD_FILE, ansible.cfg, vault_password in "
				      "certrotate.yml; try it by hand");
	return rc;
}

int session_chain(struct session *session, struct err *err)
{
	int rc;

	if (session->chain)
		return 0;
	rc = chain_load(&session->chain, repo_root(session->repo), session->env->chain,
			session->env->inventory, err);
	return rc ? err_hint_default(err, "certrotate.yml(5) describes the chain's description "
					  "under 'chain'")
		  : 0;
}

int session_endpoints(struct endpoints *out, struct session *session, const struct strs *skip,
		      struct err *err)
{
	int rc = session_chain(session, err);

	*out = (struct endpoints){.items = NULL};
	rc = rc ? rc
		: environment_endpoints(out, session->config, session->env, session->chain, err);
	if (!rc && skip)
		endpoints_leave_out(out, skip);
	return rc;
}

int session_notes(struct findings *out, const struct session *session, struct err *err)
{
	const struct environment *env = session->env;
	int rc = 0;

	if (env->endpoints_given && !env->endpoints.count)
		rc = findings_add(out, "no-endpoints", SEVERITY_WARNING, env->name,
				  "name them in certrotate.yml, so that a silent failure shows",
				  err, "'endpoints' is empty: nothing is probed");
	if (!rc && !env->census_samples)
		rc = findings_add(out, "no-census", SEVERITY_WARNING, env->name,
				  "set them in certrotate.yml, so that nobody is forgotten", err,
				  "the samples of 'census' are 0: a generation is taken away "
				  "without looking who still uses it");
	return rc;
}

char *session_path(const struct session *session, const char *name)
{
	return str_fmt(".certrotate/%s/%s", session->env->name, name);
}

static int read_vault(struct secret *out, struct session *session, struct arena *arena,
		      const char *path, struct err *err)
{
	struct buf text;
	int rc = session_passwords(session, err);

	buf_init(&text, SESSION_FILE_MAX);
	rc = rc ? rc : repo_read(&text, session->repo, &session->base, path, SESSION_FILE_MAX, err);
	rc = rc ? rc
		: vault_decrypt(out, NULL, arena, text.data, text.len, path, &session->passwords,
				err);
	buf_release(&text);
	return rc;
}

int session_generation(struct generation *out, struct session *session, const char *id,
		       bool with_keys, struct err *err)
{
	char *path = str_fmt(".certrotate/%s/%s.yml", session->env->name, id);
	char *keys_path = str_fmt(".certrotate/%s/%s.vault.yml", session->env->name, id);
	struct arena *arena = arena_new(
		SESSION_SECRET_MAX); /* of the file, not of what comes of it */
	struct secret keys = {0};
	struct buf text;
	int rc = path && keys_path && arena ? 0 : err_nomem(err);

	buf_init(&text, SESSION_FILE_MAX);
	rc = rc ? rc : repo_read(&text, session->repo, &session->base, path, SESSION_FILE_MAX, err);
	if (!rc && with_keys)
		rc = read_vault(&keys, session, arena, keys_path, err);
	if (rc == ERR_NOENT)
		rc = err_set(err, ERR_FAIL, "%s is not in the branch %s, and the state names %s",
			     text.len ? keys_path : path, session->env->base, id);
	rc = rc ? rc
		: generation_load(out, id, session->arena, text.data, text.len, path,
				  with_keys ? &keys : NULL, keys_path, err);
	if (rc)
		err_hint_default(err,
				 "nobody but certrotate writes the files of a generation: take "
				 "them back from git ('git log -- .certrotate/%s')",
				 session->env->name);
	arena_free(arena);
	buf_release(&text);
	free(path);
	free(keys_path);
	return rc;
}

int session_ca_keys(struct generation *gen, struct session *session, struct err *err)
{
	char *path = str_fmt(".certrotate/%s/%s.ca.vault.yml", session->env->name, gen->id);
	struct secret keys = {0};
	int rc = path ? read_vault(&keys, session, session->arena, path, err) : err_nomem(err);

	rc = rc ? rc : generation_load_ca_keys(gen, &keys, path, err);
	secret_wipe(&keys);
	free(path);
	return rc;
}
