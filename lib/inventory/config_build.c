/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/config_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/file.h"
#include "base/sys.h"
#include "inventory/repopath.h"

#define PLACEHOLDER "{env}"
#define VALUE_MAX   ((size_t)64 << 10)

const struct yaml_node *layer_pick(const struct config_layers *layers, const char *key,
				   const char *inner)
{
	const struct yaml_node *const sources[] = {layers->own, layers->defaults};

	for (size_t i = 0; layers->yaml && i < 2; i++) {
		const struct yaml_node *node = yaml_get(layers->yaml, sources[i], key);

		if (node && inner && !yaml_is_null(node)) {
			node = yaml_get(layers->yaml, node, inner);
			if (!node)
				continue;
		}
		if (node)
			return yaml_is_null(node) ? NULL : node;
	}
	return NULL;
}

int layer_expand(char **out, const struct config_layers *layers, const char *text, struct err *err)
{
	struct buf buf;
	int rc;

	buf_init(&buf, VALUE_MAX);
	while (*text) {
		const char *at = strstr(text, PLACEHOLDER);

		if (!at || !layers->env) {
			buf_adds(&buf, text);
			break;
		}
		buf_add(&buf, text, (size_t)(at - text));
		/* "{{env}}" is a template of Ansible's, not ours */
		if (at > text && at[-1] == '{')
			buf_adds(&buf, PLACEHOLDER);
		else
			buf_adds(&buf, layers->env);
		text = at + strlen(PLACEHOLDER);
	}
	rc = buf_check(&buf, "a value of " CONFIG_FILE, err);
	if (!rc) {
		*out = buf_detach(&buf);
		if (!*out)
			rc = err_nomem(err);
	}
	buf_release(&buf);
	return rc;
}

/* Puts where the value stands before a message about it. */
static int at_node(const struct config_layers *layers, const struct yaml_node *node, int rc,
		   struct err *err)
{
	struct err copy;

	if (rc && err && node) {
		copy = *err;
		(void)yaml_err(layers->yaml, node, copy.code, err, "%s", copy.msg);
		(void)err_hint(err, "%s", copy.hint);
	}
	return rc;
}

int layer_path(char **out, const struct config_layers *layers, const struct yaml_node *node,
	       struct err *err)
{
	char *text = NULL;
	int rc = layer_expand(&text, layers, node->value, err);

	if (!rc && strpbrk(text, "{}"))
		rc = err_set(err, ERR_USAGE, "'%s': only " PLACEHOLDER " is replaced in a path%s",
			     node->value, layers->env ? "" : ", and only in an environment's");
	if (!rc)
		rc = repo_path(out, layers->root, text, err);
	free(text);
	return at_node(layers, node, rc, err);
}

int layer_file(char **out, const struct config_layers *layers, const struct yaml_node *node,
	       struct err *err)
{
	const char *home = getenv("HOME");
	char *text = NULL;
	int rc = layer_expand(&text, layers, node->value, err);

	if (rc)
		return rc;
	if (text[0] == '~' && text[1] == '/' && home && home[0] == '/') {
		*out = path_join(home, text + 2);
		free(text);
		return *out ? 0 : err_nomem(err);
	}
	if (text[0] != '/') {
		rc = at_node(layers, node, repo_path(out, layers->root, text, err), err);
		free(text);
		return rc;
	}
	*out = text;
	return 0;
}

int layer_texts(struct strs *out, const struct config_layers *layers, const struct yaml_node *node,
		struct err *err)
{
	const struct yaml_node *m = node->kind == YAML_KIND_SCALAR ? node : node->first;
	int rc = 0;

	for (; m && !rc; m = node->kind == YAML_KIND_SCALAR ? NULL : m->next) {
		char *text = NULL;

		rc = layer_expand(&text, layers, m->value, err);
		if (!rc)
			rc = strs_add(out, text, err);
		free(text);
	}
	return rc;
}

/* A text or a list of them as "a,b". */
static int words(char **out, const struct config_layers *layers, const struct yaml_node *node,
		 struct err *err)
{
	struct strs list = STRS_INIT;
	struct buf buf;
	int rc;

	if (yaml_is_null(node))
		return 0;
	buf_init(&buf, VALUE_MAX);
	rc = layer_texts(&list, layers, node, err);
	for (size_t i = 0; i < list.count; i++)
		buf_addf(&buf, "%s%s", i ? "," : "", list.items[i]);
	if (!rc)
		rc = buf_check(&buf, "a list of tags", err);
	if (!rc && buf.len) {
		*out = buf_detach(&buf);
		if (!*out)
			rc = err_nomem(err);
	}
	buf_release(&buf);
	strs_release(&list);
	return rc;
}

int layer_text(char **out, const struct config_layers *layers, const struct yaml_node *node,
	       const char *fallback, struct err *err)
{
	if (yaml_is_null(node) && !fallback)
		return 0;
	return layer_expand(out, layers, yaml_is_null(node) ? fallback : node->value, err);
}

/*
 * Arguments that take a rollout's meaning away: it would succeed without having changed a host, or
 * it would print private keys.
 */
static int check_extra_args(const struct config_layers *layers, const struct yaml_node *node,
			    struct err *err)
{
	static const struct {
		const char *arg, *why;
	} refused[] = {
		{"--check", "the rollout would change nothing"},
		{"-C", "the rollout would change nothing"},
		{"--list-hosts", "the rollout would change nothing"},
		{"--list-tasks", "the rollout would change nothing"},
		{"--list-tags", "the rollout would change nothing"},
		{"--syntax-check", "the rollout would change nothing"},
		{"--step", "nobody is there to answer"},
		{"--diff", "private keys would be printed"},
		{"-D", "private keys would be printed"},
		{"-i", "'inventory' says which one is used"},
		{"--inventory", "'inventory' says which one is used"},
	};

	for (const struct yaml_node *m = node ? node->first : NULL; m; m = m->next) {
		for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
			if (!strcmp(m->value, refused[i].arg))
				return yaml_err(layers->yaml, m, ERR_USAGE, err,
						"%s cannot be used here: %s", refused[i].arg,
						refused[i].why);
		}
	}
	return 0;
}

int step_build(struct rollout_step *out, const struct config_layers *layers,
	       const struct yaml_node *node, struct err *err)
{
	const struct yaml *yaml = layers->yaml;
	const struct yaml_node *args = yaml_get(yaml, node, "extra_args");
	const struct yaml_node *deadline = yaml_get(yaml, node, "deadline");
	const struct yaml_node *canary = yaml_get(yaml, node, "canary");
	int rc = layer_path(&out->playbook, layers, yaml_get(yaml, node, "playbook"), err);

	if (!rc)
		rc = words(&out->tags, layers, yaml_get(yaml, node, "tags"), err);
	if (!rc)
		rc = words(&out->skip_tags, layers, yaml_get(yaml, node, "skip_tags"), err);
	if (!rc)
		rc = layer_text(&out->limit, layers, yaml_get(yaml, node, "limit"), NULL, err);
	if (!rc && !yaml_is_null(args)) {
		rc = check_extra_args(layers, args, err);
		if (!rc)
			rc = layer_texts(&out->extra_args, layers, args, err);
	}
	out->deadline = CONFIG_DEADLINE_S;
	if (!rc && !yaml_is_null(deadline))
		rc = sys_duration_parse(deadline->value, &out->deadline, err);
	if (!rc && !yaml_is_null(canary))
		rc = sys_duration_parse(canary->value, &out->canary, err);
	return rc;
}

static int default_step(struct rollout_step *out, const struct config_layers *layers,
			const char *playbook, struct err *err)
{
	out->deadline = CONFIG_DEADLINE_S;
	return repo_path(&out->playbook, layers->root, playbook, err);
}

/* The list of steps at rollout.KEY; fallback: the playbook of its only step where it is left out.
 */
static int steps_build(struct rollout *out, const struct config_layers *layers, const char *key,
		       const char *fallback, struct err *err)
{
	const struct yaml_node *list = layer_pick(layers, "rollout", key);
	size_t count = list ? list->count : fallback != NULL;
	const struct yaml_node *m = list ? list->first : NULL;
	int rc = 0;

	if (!count)
		return 0;
	out->items = calloc(count, sizeof(*out->items));
	if (!out->items)
		return err_nomem(err);
	while (out->count < count && !rc) {
		struct rollout_step *step = &out->items[out->count++];

		rc = m ? step_build(step, layers, m, err)
		       : default_step(step, layers, fallback, err);
		m = m ? m->next : NULL;
	}
	return rc;
}

/* Who waits for failures has to be able to see them. */
static int check_canaries(const struct environment *env, const struct config_layers *layers,
			  enum rollout_phase phase, struct err *err)
{
	const struct yaml_node *list = layer_pick(layers, "rollout", rollout_phase_name(phase));

	for (const struct yaml_node *m = list ? list->first : NULL; m; m = m->next) {
		const struct yaml_node *canary = yaml_get(layers->yaml, m, "canary");

		if (yaml_is_null(canary) || env->check.count)
			continue;
		(void)yaml_err(layers->yaml, canary, ERR_USAGE, err,
			       "a canary needs a playbook that reads the servers' logs, and "
			       "environment '%s' has none",
			       env->name);
		return err_hint(err, "bring " CONFIG_CHECK " into the repository, or name another "
				     "with rollout.check");
	}
	return 0;
}

static int rollout_build(struct environment *env, const struct config_layers *layers,
			 struct err *err)
{
	char *path = path_join(layers->root, CONFIG_CHECK);
	int rc = path ? steps_build(&env->check, layers, "check",
				    file_exists(path) ? CONFIG_CHECK : NULL, err)
		      : err_nomem(err);

	free(path);
	for (int i = 0; i < ROLLOUT__MAX && !rc; i++) {
		const enum rollout_phase phase = (enum rollout_phase)i;

		rc = steps_build(&env->rollout[i], layers, rollout_phase_name(phase),
				 CONFIG_ROLLOUT, err);
		rc = rc ? rc : check_canaries(env, layers, phase, err);
	}
	return rc;
}

/* Two endpoints of one name and port would share their results. */
static int endpoint_unique(struct strmap *seen, const struct config_layers *layers,
			   const struct endpoint *endpoint, const struct yaml_node *node,
			   struct err *err)
{
	char *key = str_fmt("%s:%u", endpoint->name, endpoint->port);
	int rc;

	if (!key)
		return err_nomem(err);
	rc = strmap_get(seen, key, NULL)
		     ? yaml_err(layers->yaml, node, ERR_USAGE, err, "'%s' is listed twice", key)
		     : strmap_put(seen, key, 0, err);
	free(key);
	return rc;
}

static int endpoint_build(struct endpoint *out, const struct config_layers *layers,
			  const struct yaml_node *node, struct err *err)
{
	const struct yaml *yaml = layers->yaml;
	const struct yaml_node *protocol = yaml_get(yaml, node, "protocol");
	int64_t port = CONFIG_PORT;
	int rc = layer_text(&out->name, layers, yaml_get(yaml, node, "name"), NULL, err);

	if (!rc)
		rc = layer_text(&out->address, layers, yaml_get(yaml, node, "address"), NULL, err);
	if (!rc && out->name &&
	    (strpbrk(out->name, " /@") || (out->address && strpbrk(out->address, " /@"))))
		rc = yaml_err(yaml, node, ERR_USAGE, err,
			      "name and address are a host name or an address each");
	(void)yaml_int(yaml_get(yaml, node, "port"), &port);
	out->port = (unsigned)port;
	for (int i = 0; !yaml_is_null(protocol) && i < ENDPOINT__MAX; i++) {
		if (!strcmp(protocol->value, endpoint_protocol_name((enum endpoint_protocol)i)))
			out->protocol = (enum endpoint_protocol)i;
	}
	return rc;
}

static int endpoints_build(struct environment *env, const struct config_layers *layers,
			   struct err *err)
{
	const struct yaml_node *list = layer_pick(layers, "endpoints", NULL);
	struct strmap seen = STRMAP_INIT;
	int rc = 0;

	env->endpoints_given = list != NULL;
	if (!list || !list->count)
		return 0;
	env->endpoints.items = calloc(list->count, sizeof(*env->endpoints.items));
	if (!env->endpoints.items)
		return err_nomem(err);
	env->endpoints.cap = list->count;
	for (const struct yaml_node *m = list->first; m && !rc; m = m->next) {
		struct endpoint *endpoint = &env->endpoints.items[env->endpoints.count++];

		rc = endpoint_build(endpoint, layers, m, err);
		if (!rc)
			rc = endpoint_unique(&seen, layers, endpoint, m, err);
	}
	strmap_release(&seen);
	return rc;
}

/*
 * The file at key, or the first of the candidates that is there (the first of all, where none is).
 * real: as git knows it, for what is edited and committed.
 */
static int file_of(char **out, const struct config_layers *layers, const char *key,
		   const char *first, const char *second, bool real, struct err *err)
{
	const struct yaml_node *node = layer_pick(layers, key, NULL);
	const char *const candidates[] = {first, second};
	char *path = NULL, *full = NULL;
	int rc = 0;

	if (node)
		rc = layer_path(&path, layers, node, err);
	for (size_t i = 0; !node && !rc && i < 2 && candidates[i]; i++) {
		free(path);
		free(full);
		path = full = NULL;
		rc = layer_expand(&path, layers, candidates[i], err);
		if (!rc) {
			full = path_join(layers->root, path);
			if (!full)
				rc = err_nomem(err);
		}
		if (!rc && file_exists(full))
			break;
		if (!rc && i == 1) {
			free(path);
			path = NULL;
			rc = layer_expand(&path, layers, first, err);
		}
	}
	if (!rc)
		rc = real ? repo_path_real(out, layers->root, path, err)
			  : repo_path(out, layers->root, path, err);
	free(path);
	free(full);
	return rc;
}

static int files_build(struct environment *env, const struct config_layers *layers, struct err *err)
{
	const struct yaml_node *password = layer_pick(layers, "vault_password", NULL);
	int rc = file_of(&env->inventory, layers, "inventory", "environments/{env}", NULL, false,
			 err);

	if (!rc)
		rc = file_of(&env->chain, layers, "chain", "config/chainsmith_{env}.yml",
			     "config/chainsmith.yml", false, err);
	if (!rc)
		rc = file_of(&env->certs, layers, "certs",
			     "environments/{env}/group_vars/all/certs.yml", NULL, true, err);
	if (!rc)
		rc = file_of(&env->keys, layers, "keys",
			     "environments/{env}/group_vars/all/certs.vault.yml",
			     "environments/{env}/group_vars/all/certsvault.yml", true, err);
	if (!rc && password)
		rc = layer_file(&env->vault_password, layers, password, err);
	return rc;
}

/* A certificate without its key opens nothing, and a key alone neither. */
static int census_build(struct environment *env, const struct config_layers *layers,
			struct err *err)
{
	const struct yaml_node *certificate = layer_pick(layers, "census", "certificate");
	const struct yaml_node *key = layer_pick(layers, "census", "key");
	const struct yaml_node *quiet = layer_pick(layers, "census", "quiet");
	const struct yaml_node *samples = layer_pick(layers, "census", "samples");
	const struct yaml_node *playbook = layer_pick(layers, "census", "playbook");
	const struct yaml_node *user = layer_pick(layers, "census", "user");
	int64_t number = 4;
	int rc = 0;

	if (!certificate != !key)
		return yaml_err(layers->yaml, certificate ? certificate : key, ERR_USAGE, err,
				"census.certificate and census.key are given together");
	env->census_quiet = (int64_t)24 * 3600;
	if (quiet)
		rc = sys_duration_parse(quiet->value, &env->census_quiet, err);
	if (samples)
		(void)yaml_int(samples, &number);
	env->census_samples = (unsigned)number;
	if (!rc)
		rc = user ? layer_expand(&env->census_user, layers, user->value, err) : 0;
	if (!rc && certificate)
		rc = layer_file(&env->census_certificate, layers, certificate, err);
	if (!rc && key)
		rc = layer_file(&env->census_key, layers, key, err);
	if (!rc && playbook)
		rc = layer_path(&env->census_playbook, layers, playbook, err);
	return rc;
}

static int values_build(struct environment *env, const struct config_layers *layers,
			struct err *err)
{
	const struct yaml_node *ca_keys = layer_pick(layers, "ca_keys", NULL);
	int rc;

	env->ca_keys = ca_keys && !strcmp(ca_keys->value, ca_keys_name(CA_KEYS_DISCARD))
			       ? CA_KEYS_DISCARD
			       : CA_KEYS_KEEP;
	rc = census_build(env, layers, err);
	if (!rc)
		rc = git_build(env, layers, err);
	if (!rc)
		rc = layer_text(&env->login_user, layers, layer_pick(layers, "login", "user"),
				"postgres", err);
	if (!rc)
		rc = layer_text(&env->login_database, layers,
				layer_pick(layers, "login", "database"), "postgres", err);
	return rc;
}

int environment_build(struct environment *out, const struct config_layers *layers, struct err *err)
{
	int rc = 0;

	*out = (struct environment){.name = strdup(layers->env)};
	if (!out->name)
		rc = err_nomem(err);
	if (!rc)
		rc = files_build(out, layers, err);
	if (!rc)
		rc = values_build(out, layers, err);
	if (!rc)
		rc = rollout_build(out, layers, err);
	if (!rc)
		rc = endpoints_build(out, layers, err);
	if (!rc)
		rc = notifies_build(&out->notify, layers, err);
	if (rc)
		environment_release(out);
	return rc;
}

void step_release(struct rollout_step *step)
{
	free(step->playbook);
	free(step->tags);
	free(step->skip_tags);
	free(step->limit);
	strs_release(&step->extra_args);
}

static void steps_release(struct rollout *steps)
{
	for (size_t i = 0; i < steps->count; i++)
		step_release(&steps->items[i]);
	free(steps->items);
}

void environment_release(struct environment *env)
{
	free(env->name);
	free(env->inventory);
	free(env->chain);
	free(env->certs);
	free(env->keys);
	free(env->vault_password);
	git_release(env);
	free(env->login_user);
	free(env->login_database);
	free(env->census_user);
	free(env->census_certificate);
	free(env->census_key);
	free(env->census_playbook);
	for (int phase = 0; phase < ROLLOUT__MAX; phase++)
		steps_release(&env->rollout[phase]);
	steps_release(&env->check);
	endpoints_release(&env->endpoints);
	notifies_release(&env->notify);
	*env = (struct environment){.name = NULL};
}
