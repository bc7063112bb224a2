/* SPDX-License-Identifier: PostgreSQL */
#include "state/deliver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "git/worktree.h"
#include "state/gates.h"
#include "state/live.h"

#define DELIVERIES "deliveries"
#define BIT(state) (1U << (unsigned)(state))

/* What a phase gives. Where it is not under way, only in these states does it do no harm. */
struct rule {
	enum phase phase;
	enum direction direction;
	enum delivery_purpose purpose;
	enum state target;
	unsigned states;
	const char *else_refused; /* in any other state: why not */
};

#define NO_SERVER_KNOWS "the servers do not trust the new certificates yet"
#define OLD_SERVED	"servers show certificates of the old chain still, or may do so again"
#define NEW_SERVED	"servers show certificates of the new chain"
#define NOT_MADE	"no new chain is made yet"

static const struct rule rules[] = {
	{PHASE_TRUST, DIRECTION_FORWARD, DELIVERY_TRUST, STATE_TRUSTED,
	 BIT(STATE_GENERATED) | BIT(STATE_TRUSTED) | BIT(STATE_SERVERS_SWITCHED) |
		 BIT(STATE_CLIENTS_SWITCHED),
	 NOT_MADE},
	{PHASE_TRUST, DIRECTION_BACK, DELIVERY_TRUST_BACK, STATE_GENERATED,
	 BIT(STATE_GENERATED) | BIT(STATE_TRUSTED), NEW_SERVED},
	{PHASE_CLIENTS, DIRECTION_FORWARD, DELIVERY_CLIENTS, STATE_CLIENTS_SWITCHED,
	 BIT(STATE_TRUSTED) | BIT(STATE_SERVERS_SWITCHED) | BIT(STATE_CLIENTS_SWITCHED),
	 NO_SERVER_KNOWS},
	{PHASE_CLIENTS, DIRECTION_BACK, DELIVERY_CLIENTS_BACK, STATE_SERVERS_SWITCHED,
	 BIT(STATE_SERVERS_SWITCHED) | BIT(STATE_CLIENTS_SWITCHED), NOT_MADE},
	{PHASE_PRUNE, DIRECTION_FORWARD, DELIVERY_PRUNE, STATE_IDLE,
	 BIT(STATE_IDLE) | BIT(STATE_CLIENTS_SWITCHED), OLD_SERVED},
	{PHASE_PRUNE, DIRECTION_BACK, DELIVERY_PRUNE_BACK, STATE_CLIENTS_SWITCHED,
	 BIT(STATE_CLIENTS_SWITCHED), NOT_MADE},
	{PHASE_EMERGENCY, DIRECTION_FORWARD, DELIVERY_EMERGENCY, STATE_IDLE, BIT(STATE_IDLE),
	 "no emergency is under way"},
};

static const struct rule *find_rule(enum phase phase, enum direction direction)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].phase == phase && rules[i].direction == direction)
			return &rules[i];
	}
	return NULL;
}

/* The last phase, where it left something to the application and holds still. */
static const struct rule *last_rule(const struct store *store)
{
	const struct json *last = store_last(store, NULL);
	enum phase phase = phase_parse(js_str(last, "phase", ""));
	enum direction direction = direction_parse(js_str(last, "direction", ""));
	const struct rule *rule = find_rule(phase, direction);

	if (!rule || store->state != rule->target)
		return NULL;
	return direction == DIRECTION_BACK || phase == PHASE_EMERGENCY ? rule : NULL;
}

/* What is meant: NULL for all of the present state. */
static int choose(const struct rule **out, const struct store *store,
		  const struct deliver_options *options, struct err *err)
{
	const struct under_way *under_way = &store->under_way;
	bool same = under_way->active && under_way->phase == options->phase;

	*out = NULL;
	if (options->present || options->phase == PHASE_FIRST)
		return 0;
	if (options->phase != PHASE__MAX) {
		/* Who brings the generations knows the direction: a wave alone may go back. */
		*out = find_rule(options->phase, same && !options->new_gen ? under_way->direction
									   : options->direction);
		if (*out)
			return 0;
		err_set(err, ERR_USAGE, "the phase %s asks nothing of an application",
			phase_name(options->phase));
		return err_hint(err, "trust, clients and prune do; see certrotate(1)");
	}
	if (under_way->active) {
		*out = find_rule(under_way->phase, under_way->direction);
		return 0;
	}
	*out = last_rule(store);
	if (!*out)
		*out = find_rule(gates_ack_phase(store), DIRECTION_FORWARD);
	return 0;
}

static int check_time(const struct rule *rule, const struct session *session, struct err *err)
{
	const struct store *store = &session->store;
	const struct under_way *under_way = &store->under_way;
	bool back = under_way->active && under_way->direction == DIRECTION_BACK;
	/* What is undone holds no longer, although it was the last that was proven. */
	enum state state = back ? under_way->to : store->state;

	if (!rule ||
	    (under_way->active && under_way->phase == rule->phase &&
	     under_way->direction == rule->direction) ||
	    (rule->states & BIT(state)))
		return 0;
	err_set(err, ERR_GATE, "%s is %s%s: %s", session->env->name,
		back ? "on its way back to " : "", state_name(state), rule->else_refused);
	return err_hint(
		err,
		"what belongs to %s is delivered from then on; '--phase present' gives what "
		"holds now",
		phase_name(rule->phase));
}

/* The generations, from the caller or as the state names them. */
struct source {
	struct live live;
	const struct generation *old_gen;
	const struct generation *new_gen;
	struct target made;
	const struct target *target;
};

static int open_source(struct source *out, struct session *session, const struct rule *rule,
		       const struct deliver_options *options, struct err *err)
{
	bool keys = !rule || delivery_has_keys(rule->purpose);
	bool given = rule && options->new_gen;
	int rc = 0;

	if (given) {
		out->old_gen = options->old_gen;
		out->new_gen = options->new_gen;
	} else {
		rc = live_load(&out->live, session, keys, err);
		out->old_gen = out->live.has_old ? &out->live.old_gen : NULL;
		out->new_gen = out->live.has_new ? &out->live.new_gen : NULL;
		out->target = &out->live.target;
	}
	if (rc || !rule)
		return rc;
	out->target = &out->made;
	if (rule->target == STATE_IDLE)
		return target_init(&out->made, STATE_IDLE,
				   out->new_gen ? out->new_gen : out->old_gen, NULL, err);
	if (!out->old_gen || !out->new_gen)
		return err_set(err, ERR_FAIL,
			       "%s: it does not name both generations of the phase %s",
			       session->state_path, phase_name(rule->phase));
	return target_init(&out->made, rule->target, out->old_gen, out->new_gen, err);
}

static void close_source(struct source *source)
{
	target_release(&source->made);
	live_release(&source->live);
}

static bool has_servers(const struct generation *gen, const char *authority)
{
	for (size_t i = 0; gen && i < gen->leaf_count; i++) {
		if (gen->leaves[i].kind == LEAF_SERVER &&
		    !strcmp(gen->leaves[i].authority, authority))
			return true;
	}
	return false;
}

int deliver_bundle(struct bundle *out, const struct target *target, struct err *err)
{
	const struct generation *gen = target->old_gen;
	int rc = 0;

	for (size_t a = 0; a < gen->authority_count && !rc; a++) {
		const char *authority = gen->authorities[a].name;
		struct target_value chain = target_chain(target, authority);
		struct bundle all = BUNDLE_INIT;

		if (!chain.present ||
		    (!has_servers(gen, authority) && !has_servers(target->new_gen, authority)))
			continue;
		rc = bundle_from_pem(&all, chain.text, chain.len, authority, err);
		for (size_t i = 0; i < all.count && !rc; i++) {
			if (!bundle_contains(out, all.items[i]))
				rc = bundle_add(out, all.items[i], err);
		}
		bundle_release(&all);
	}
	if (!rc && !out->count)
		rc = err_set(err, ERR_FAIL, "no server has a certificate of generation %s",
			     gen->id);
	return rc;
}

static const struct gen_leaf *client_leaf(const struct target *target, const char *user)
{
	for (size_t a = 0; a < target->old_gen->authority_count; a++) {
		const struct gen_leaf *leaf = target_pick(
			target, target->old_gen->authorities[a].name, user);

		if (leaf && leaf->kind == LEAF_CLIENT)
			return leaf;
	}
	return NULL;
}

/* Its users that have a certificate here; others belong to another environment. */
static int collect_users(struct delivery_input *in, struct delivery_user **out,
			 const struct target *target, const struct application *app,
			 const struct session *session, struct err *err)
{
	struct delivery_user *users = calloc(app->users.count + 1, sizeof(*users));
	char names[512];

	if (!users)
		return err_nomem(err);
	*out = users;
	in->users = users;
	for (size_t i = 0; i < app->users.count; i++) {
		const struct gen_leaf *leaf = client_leaf(target, app->users.items[i]);

		if (leaf)
			users[in->user_count++] = (struct delivery_user){
				.name = leaf->name,
				.pem = leaf->pem,
				.len = strlen(leaf->pem),
				.key = leaf->key.data ? &leaf->key : NULL};
	}
	if (in->user_count)
		return 0;
	strs_join(&app->users, 10, names, sizeof(names));
	err_set(err, ERR_USAGE, "application %s has no client certificate in %s", app->name,
		session->env->name);
	return err_hint(err, "its users in certrotate.yml are %s", names);
}

static int choose_passphrase(struct delivered *out, struct session *session,
			     const struct delivery_input *in, const struct deliver_options *options,
			     struct err *err)
{
	bool needed = false;

	for (size_t i = 0; i < in->user_count; i++)
		needed = needed || in->users[i].key;
	if (!needed || !delivery_has_keys(in->purpose))
		return 0;
	if (options->passphrase) {
		out->passphrase = *options->passphrase;
		return passphrase_check(options->passphrase, "the keys", err);
	}
	if (options->never_made) {
		err_set(err, ERR_USAGE,
			"the keys need a passphrase, and none can be shown: this is no terminal");
		return err_hint(err, "give one in a file of mode 0600: --passphrase-file FILE");
	}
	out->generated = true;
	return passphrase_make(&out->passphrase, session->arena, session->sys, err);
}

/* What a folder's absolute name is below another folder; NULL: elsewhere. */
static int find_below(const char **out, const char *full, const char *folder, struct err *err)
{
	char *real = realpath(folder, NULL);

	if (!real)
		return err_sys(err, errno, "cannot resolve %s", folder);
	*out = path_below(real, full);
	free(real);
	return 0;
}

/* A work tree is what is committed and pushed: nothing of a delivery may get there. */
static int check_folder(struct session *session, const char *folder, struct err *err)
{
	const char *inside = NULL, *common = NULL, *own = NULL;
	char *full = NULL, *probe = NULL;
	bool ignored = true;
	int rc = delivery_folder(&full, folder, err);

	rc = rc ? rc : find_below(&inside, full, repo_root(session->repo), err);
	rc = rc ? rc : find_below(&common, full, repo_common_dir(session->repo), err);
	rc = rc ? rc : find_below(&own, full, repo_git_dir(session->repo), err);
	if (!rc && inside && !common && !own) {
		probe = path_join(inside, "README.txt");
		rc = probe ? worktree_ignores(&ignored, session->repo, probe, err) : err_nomem(err);
	}
	if (!rc && !ignored) {
		err_set(err, ERR_USAGE,
			"%s is in the repository's work tree: it would be committed", folder);
		rc = err_hint(err, "name a folder outside, or one that .gitignore names");
	}
	free(full);
	free(probe);
	return rc;
}

static int default_folder(char **out, struct session *session, const struct application *app,
			  struct err *err)
{
	char *name = delivery_folder_name(app->name);
	int rc = name ? session_make_local(session, DELIVERIES, err) : err_nomem(err);

	if (!rc) {
		*out = str_fmt("%s/" DELIVERIES "/%s", session->local_dir, name);
		rc = *out ? 0 : err_nomem(err);
	}
	free(name);
	return rc;
}

static int write_all(struct delivered *out, struct session *session, const char *folder,
		     struct delivery_input *in, const struct deliver_options *options,
		     struct err *err)
{
	struct endpoints endpoints = {.items = NULL};
	int rc = session_endpoints(&endpoints, session, NULL, err);

	in->endpoints = &endpoints; /* for this call alone */
	rc = rc ? rc : choose_passphrase(out, session, in, options, err);
	in->passphrase = &out->passphrase;
	rc = rc ? rc : delivery_make(&out->files, in, err);
	rc = rc ? rc : delivery_write(&out->files, folder, in, err);
	in->endpoints = NULL;
	endpoints_release(&endpoints);
	return rc;
}

static int collect_and_write(struct delivered *out, struct session *session,
			     const struct application *app, const struct rule *rule,
			     const char *folder, const struct deliver_options *options,
			     struct err *err)
{
	struct delivery_input in = {
		.purpose = rule ? rule->purpose : DELIVERY_PRESENT,
		.environment = session->env->name,
		.application = app->name,
		.phase = rule ? phase_name(rule->phase) : DELIVER_PRESENT,
		.by = session->by ? session->by : "",
		.made = session->sys->now(session->sys),
	};
	struct source source = {.target = NULL};
	struct bundle bundle = BUNDLE_INIT;
	struct delivery_user *users = NULL;
	int rc = open_source(&source, session, rule, options, err);

	rc = rc ? rc : collect_users(&in, &users, source.target, app, session, err);
	rc = rc ? rc : deliver_bundle(&bundle, source.target, err);
	if (!rc) {
		in.bundle = &bundle;
		out->state = source.target->state;
		rc = write_all(out, session, folder, &in, options, err);
	}
	free(users);
	bundle_release(&bundle);
	close_source(&source);
	return rc;
}

int deliver_write(struct delivered *out, struct session *session, const struct application *app,
		  const char *folder, const struct deliver_options *options, struct err *err)
{
	const struct rule *rule;
	char *own = NULL;
	int rc = choose(&rule, &session->store, options, err);

	*out = (struct delivered){.phase = PHASE__MAX};
	rc = rc ? rc : check_time(rule, session, err);
	if (!rc)
		rc = folder ? check_folder(session, folder, err)
			    : default_folder(&own, session, app, err);
	if (!rc && rule) {
		out->phase = rule->phase;
		out->direction = rule->direction;
	}
	rc = rc ? rc : collect_and_write(out, session, app, rule, own ? own : folder, options, err);
	free(own);
	if (rc)
		delivered_release(out);
	return rc;
}

const char *deliver_name(const struct delivered *delivered)
{
	return delivered->phase == PHASE__MAX ? DELIVER_PRESENT : phase_name(delivered->phase);
}

void delivered_release(struct delivered *delivered)
{
	delivery_files_release(&delivered->files);
	if (delivered->generated)
		secret_wipe(&delivered->passphrase);
	*delivered = (struct delivered){.phase = PHASE__MAX};
}
