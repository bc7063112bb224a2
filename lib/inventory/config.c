/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/file.h"
#include "inventory/config_build.h"
#include "inventory/schema.h"
#include "inventory/yaml.h"

#define ENVIRONMENTS_DIR "environments"
#define ENVIRONMENTS_MAX 10000

bool environment_name_valid(const char *name)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-";
	size_t len = strlen(name);

	return len && len <= ENVIRONMENT_NAME_MAX && strspn(name, safe) == len && name[0] != '.' &&
	       name[0] != '-';
}

const char *git_flow_name(enum git_flow flow)
{
	static const char *const names[FLOW__MAX] = {
		[FLOW_DIRECT] = "direct", [FLOW_MERGE_REQUEST] = "merge_request"};

	return flow < FLOW__MAX ? names[flow] : "";
}

const char *forge_kind_name(enum forge_kind kind)
{
	static const char *const names[FORGE__MAX] = {
		[FORGE_GITLAB] = "gitlab", [FORGE_GITHUB] = "github", [FORGE_FORGEJO] = "forgejo"};

	return kind < FORGE__MAX ? names[kind] : "";
}

const char *ca_keys_name(enum ca_keys ca_keys)
{
	static const char *const names[CA_KEYS__MAX] = {
		[CA_KEYS_KEEP] = "keep", [CA_KEYS_DISCARD] = "discard"};

	return ca_keys < CA_KEYS__MAX ? names[ca_keys] : "";
}

const char *endpoint_protocol_name(enum endpoint_protocol protocol)
{
	static const char *const names[ENDPOINT__MAX] = {
		[ENDPOINT_POSTGRES] = "postgres",
		[ENDPOINT_TLS] = "tls",
		[ENDPOINT_POSTGRES_DIRECT] = "postgres-direct"};

	return protocol < ENDPOINT__MAX ? names[protocol] : "";
}

const char *rollout_phase_name(enum rollout_phase phase)
{
	static const char *const names[ROLLOUT__MAX] = {[ROLLOUT_TRUST] = "trust",
							[ROLLOUT_SERVERS] = "servers",
							[ROLLOUT_CLIENTS] = "clients",
							[ROLLOUT_PRUNE] = "prune"};

	return phase < ROLLOUT__MAX ? names[phase] : "";
}

const char *hook_kind_name(enum hook_kind kind)
{
	static const char *const names[HOOK__MAX] = {[HOOK_EXEC] = "exec",
						     [HOOK_WEBHOOK] = "webhook",
						     [HOOK_ANSIBLE] = "ansible",
						     [HOOK_MANUAL] = "manual"};

	return kind < HOOK__MAX ? names[kind] : "";
}

static int add_environment(struct config *config, const struct yaml *yaml, const char *name,
			   const struct yaml_node *own, struct err *err)
{
	struct config_layers layers = {.root = config->root, .env = name, .yaml = yaml, .own = own};
	struct environment *items;
	int rc;

	if (config->environment_count >= ENVIRONMENTS_MAX)
		return err_set(err, ERR_USAGE, "more than %d environments", ENVIRONMENTS_MAX);
	/* doubles at powers of two */
	if (!(config->environment_count & (config->environment_count - 1))) {
		size_t cap = config->environment_count ? config->environment_count * 2 : 1;

		items = realloc(config->environments, cap * sizeof(*items));
		if (!items)
			return err_nomem(err);
		config->environments = items;
	}
	if (yaml)
		layers.defaults = yaml_get(yaml, yaml_root(yaml), "defaults");
	rc = environment_build(&config->environments[config->environment_count], &layers, err);
	if (!rc)
		config->environment_count++;
	return rc;
}

/* A name that cannot be used is an error, not passed over. */
static int add_folder(struct strs *out, const char *name, struct err *err)
{
	struct buf shown;

	if (environment_name_valid(name))
		return strs_add(out, name, err);
	buf_init(&shown, 1024);
	buf_add_safe(&shown, name, strlen(name));
	err_set(err, ERR_USAGE, ENVIRONMENTS_DIR "/%s: not a name for an environment", shown.data);
	buf_release(&shown);
	(void)err_hint(err, "rename the folder, or list the environments in certrotate.yml");
	return ERR_USAGE;
}

/* The folders of environments/, sorted. */
static int list_folders(struct strs *out, const struct config *config, struct err *err)
{
	char *dir = path_join(config->root, ENVIRONMENTS_DIR), *path;
	struct dirent *entry;
	DIR *stream;
	int rc = 0;

	if (!dir)
		return err_nomem(err);
	stream = opendir(dir);
	if (!stream && errno != ENOENT)
		rc = err_sys(err, errno, ENVIRONMENTS_DIR);
	while (stream && !rc && (entry = file_next(stream, ENVIRONMENTS_DIR))) {
		if (entry->d_name[0] == '.')
			continue;
		path = path_join(dir, entry->d_name);
		if (!path) {
			rc = err_nomem(err);
		} else if (file_is_dir(path)) {
			rc = add_folder(out, entry->d_name, err);
		}
		free(path);
	}
	if (stream)
		(void)closedir(stream);
	free(dir);
	strs_sort(out);
	return rc;
}

static int find_environments(struct config *config, const struct yaml *yaml, struct err *err)
{
	const struct yaml_node *listed = yaml ? yaml_get(yaml, yaml_root(yaml), "environments")
					      : NULL;
	struct strs folders = STRS_INIT;
	int rc = 0;

	if (listed && !yaml_is_null(listed)) {
		for (const struct yaml_node *m = listed->first; m && !rc; m = m->next)
			rc = add_environment(config, yaml, m->key->value, m, err);
		return rc;
	}
	rc = list_folders(&folders, config, err);
	for (size_t i = 0; i < folders.count && !rc; i++)
		rc = add_environment(config, yaml, folders.items[i], NULL, err);
	strs_release(&folders);
	return rc;
}

/* One environment's rotation would edit the other's certificates. */
static int check_shared(const struct config *config, struct err *err)
{
	struct strmap files = STRMAP_INIT;
	int rc = 0;

	for (size_t i = 0; i < config->environment_count && !rc; i++) {
		const struct environment *env = &config->environments[i];
		const char *const paths[] = {env->certs, env->keys};
		size_t other = i;

		/* Certificates and keys of one environment may stand in one file (Go's chainsmith).
		 */
		for (size_t j = 0; j < 2 && !rc; j++) {
			if (!strmap_get(&files, paths[j], &other)) {
				rc = strmap_put(&files, paths[j], i, err);
			} else if (other != i) {
				rc = err_set(err, ERR_USAGE,
					     "%s: environment '%s' has %s for its %s, and so has "
					     "'%s'",
					     config->file, env->name, paths[j],
					     j ? "keys" : "certs",
					     config->environments[other].name);
				(void)err_hint(err, "each environment needs files of its own: "
						    "'{env}' stands for its name");
			}
		}
	}
	strmap_release(&files);
	return rc;
}

static int read_applications(struct config *config, const struct yaml *yaml, struct err *err)
{
	const struct yaml_node *list = yaml_get(yaml, yaml_root(yaml), "applications");
	int rc = 0;

	if (yaml_is_null(list) || !list->count)
		return 0;
	config->applications = calloc(list->count, sizeof(*config->applications));
	if (!config->applications)
		return err_nomem(err);
	for (const struct yaml_node *m = list->first; m && !rc; m = m->next) {
		rc = application_build(&config->applications[config->application_count],
				       config->root, yaml, m, err);
		if (!rc)
			config->application_count++;
	}
	return rc;
}

static int note_hooks(struct strs *out, const struct hooks *hooks, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < hooks->count && !rc; i++) {
		if (hooks->items[i].webhook.secret_env)
			rc = strs_add_unique(out, hooks->items[i].webhook.secret_env, err);
	}
	return rc;
}

/* Every environment variable of which the configuration says that it holds a secret. */
static int note_variables(struct config *config, struct err *err)
{
	struct strs *out = &config->secret_variables;
	int rc = 0;

	for (size_t i = 0; i < config->environment_count && !rc; i++) {
		const struct environment *env = &config->environments[i];

		if (env->forge.token_env)
			rc = strs_add_unique(out, env->forge.token_env, err);
		for (size_t k = 0; k < env->notify.count && !rc; k++) {
			if (env->notify.items[k].webhook.secret_env)
				rc = strs_add_unique(out, env->notify.items[k].webhook.secret_env,
						     err);
		}
	}
	for (size_t i = 0; i < config->application_count && !rc; i++) {
		const struct application *app = &config->applications[i];

		rc = note_hooks(out, &app->trust, err);
		rc = rc ? rc : note_hooks(out, &app->clients, err);
		rc = rc ? rc : note_hooks(out, &app->prune, err);
	}
	return rc;
}

static int check_document(const struct config *config, const struct yaml *yaml, struct err *err)
{
	const struct yaml_node *root = yaml_root(yaml);
	const struct yaml_node *version = yaml_get(yaml, root, "version");
	int64_t number;

	/* first of all: in another version every other message would mislead */
	if (!root || (root->kind == YAML_KIND_MAPPING && yaml_is_null(version))) {
		(void)err_set(err, ERR_USAGE, "%s: 'version' is missing", config->file);
		(void)err_hint(err, "put 'version: 1' at the top");
		return ERR_USAGE;
	}
	if (version && yaml_int(version, &number) && number != 1) {
		(void)yaml_err(yaml, version, ERR_USAGE, err, "expected 1, not %lld",
			       (long long)number);
		(void)err_hint(err, "this certrotate reads version 1 of the format");
		return ERR_USAGE;
	}
	if (yaml_refuse_aliases(yaml, root, err) != 0) {
		(void)err_hint(err, "'defaults' is there for what environments share");
		return err_blame(err, ERR_FAIL, ERR_USAGE);
	}
	return schema_check(yaml, &schema_root, root, err);
}

/* The file's text into buf; its absence is an error only where it was asked for. */
static int read_file(struct config *config, struct buf *buf, const char *file, struct err *err)
{
	char *path = path_join(config->root, file ? file : CONFIG_FILE);
	int rc;

	if (!path)
		return err_nomem(err);
	rc = file_read(buf, path, CONFIG_TEXT_MAX, err);
	free(path);
	config->file_exists = rc == 0;
	if (rc == ERR_NOENT && !file) {
		err_clear(err);
		return 0;
	}
	if (rc) {
		if (file)
			err_hint_default(err, "-c names the configuration, relative to the "
					      "repository's root");
		return err_blame(err, rc, ERR_USAGE);
	}
	return 0;
}

static int load_into(struct config *config, const char *file, struct err *err)
{
	struct yaml *yaml = NULL;
	struct buf buf;
	int rc;

	buf_init(&buf, CONFIG_TEXT_MAX + 1);
	rc = read_file(config, &buf, file, err);
	if (!rc && config->file_exists) {
		rc = yaml_parse(&yaml, buf.data, buf.len, config->file, NULL, err);
		rc = err_blame(err, rc, ERR_USAGE);
	}
	if (!rc && yaml)
		rc = check_document(config, yaml, err);
	if (!rc)
		rc = find_environments(config, yaml, err);
	if (!rc)
		rc = check_shared(config, err);
	if (!rc && yaml)
		rc = read_applications(config, yaml, err);
	if (!rc)
		rc = note_variables(config, err);
	yaml_drop(yaml);
	buf_release(&buf);
	return rc;
}

int config_load(struct config **out, const char *root, const char *file, struct err *err)
{
	struct config *config = calloc(1, sizeof(*config));
	int rc;

	*out = NULL;
	if (!config)
		return err_nomem(err);
	config->root = realpath(root, NULL);
	config->file = strdup(file ? file : CONFIG_FILE);
	if (!config->root)
		rc = err_blame(err, err_sys(err, errno, "%s", root), ERR_USAGE);
	else if (!config->file)
		rc = err_nomem(err);
	else
		rc = load_into(config, file, err);
	if (rc)
		config_free(config);
	else
		*out = config;
	return rc;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->environment_count; i++)
		environment_release(&config->environments[i]);
	for (size_t i = 0; i < config->application_count; i++)
		application_release(&config->applications[i]);
	free(config->environments);
	free(config->applications);
	strs_release(&config->secret_variables);
	free(config->root);
	free(config->file);
	free(config);
}
