/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "inventory/chain.h"
#include "inventory/hosts.h"
#include "inventory/schema.h"

#define NAMES_SHOWN 12

/* A list of borrowed names, for a message; free() the list alone. */
static const char **environment_names(const struct config *config)
{
	const char **names = calloc(config->environment_count + 1, sizeof(*names));

	for (size_t i = 0; names && i < config->environment_count; i++)
		names[i] = config->environments[i].name;
	return names;
}

static int none_or_many(const struct config *config, struct err *err)
{
	struct strs names = STRS_INIT;
	char list[512];

	if (!config->environment_count) {
		(void)err_set(err, ERR_USAGE, "%s: there is no environment", config->root);
		(void)err_hint(err, "every folder of environments/ is one; -C names another "
				    "repository");
		return ERR_USAGE;
	}
	for (size_t i = 0; i < config->environment_count; i++)
		(void)strs_add(&names, config->environments[i].name, NULL);
	strs_join(&names, NAMES_SHOWN, list, sizeof(list));
	strs_release(&names);
	(void)err_set(err, ERR_USAGE, "there are %zu environments: name one with --env",
		      config->environment_count);
	(void)err_hint(err, "there are %s", list);
	return ERR_USAGE;
}

int config_find(const struct environment **out, const struct config *config, const char *name,
		struct err *err)
{
	const char **names;

	*out = NULL;
	if (!config->environment_count || (!name && config->environment_count > 1))
		return none_or_many(config, err);
	if (!name) {
		*out = &config->environments[0];
		return 0;
	}
	for (size_t i = 0; i < config->environment_count; i++) {
		if (!strcmp(config->environments[i].name, name)) {
			*out = &config->environments[i];
			return 0;
		}
	}
	names = environment_names(config);
	if (!names)
		return err_nomem(err);
	(void)err_set(err, ERR_USAGE, "there is no environment '%.80s'", name);
	(void)schema_suggest(name, names, config->environment_count, err);
	free(names);
	return ERR_USAGE;
}

int config_application(const struct application **out, const struct config *config,
		       const char *name, struct err *err)
{
	const char **names;

	*out = NULL;
	for (size_t i = 0; i < config->application_count; i++) {
		if (!strcmp(config->applications[i].name, name)) {
			*out = &config->applications[i];
			return 0;
		}
	}
	(void)err_set(err, ERR_USAGE, "there is no application '%.80s'", name);
	if (!config->application_count) {
		(void)err_hint(err, "applications are listed in certrotate.yml");
		return ERR_USAGE;
	}
	names = calloc(config->application_count, sizeof(*names));
	if (!names)
		return err_nomem(err);
	for (size_t i = 0; i < config->application_count; i++)
		names[i] = config->applications[i].name;
	(void)schema_suggest(name, names, config->application_count, err);
	free(names);
	return ERR_USAGE;
}

static int check_readable(const struct config *config, const struct environment *env,
			  const char *path, const char *what, const char *key, bool folder_too,
			  struct err *err)
{
	char *full = path_join(config->root, path);
	int rc = 0;

	if (!full)
		return err_nomem(err);
	if (access(full, R_OK) != 0)
		rc = err_blame(
			err,
			err_sys(err, errno, "%s of environment '%s': %s", what, env->name, path),
			ERR_USAGE);
	else if (!folder_too && file_is_dir(full))
		rc = err_set(err, ERR_USAGE, "%s of environment '%s': %s is a folder", what,
			     env->name, path);
	if (rc)
		(void)err_hint(err, "'%s' in certrotate.yml says where it is", key);
	free(full);
	return rc;
}

static int check_playbooks(const struct config *config, const struct environment *env,
			   struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < env->check.count && !rc; i++)
		rc = check_readable(config, env, env->check.items[i].playbook, "a playbook",
				    "rollout.check", false, err);
	if (!rc && env->census_playbook)
		rc = check_readable(config, env, env->census_playbook, "a playbook",
				    "census.playbook", false, err);
	for (int phase = 0; phase < ROLLOUT__MAX && !rc; phase++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "rollout.%s",
			       rollout_phase_name((enum rollout_phase)phase));
		for (size_t i = 0; i < env->rollout[phase].count && !rc; i++)
			rc = check_readable(config, env, env->rollout[phase].items[i].playbook,
					    "a playbook", key, false, err);
	}
	return rc;
}

int environment_check_files(const struct config *config, const struct environment *env,
			    bool need_certs, struct err *err)
{
	int rc = check_readable(config, env, env->inventory, "the inventory", "inventory", true,
				err);

	if (!rc)
		rc = check_readable(config, env, env->chain, "the chain's description", "chain",
				    false, err);
	if (!rc)
		rc = check_playbooks(config, env, err);
	if (!rc && need_certs)
		rc = check_readable(config, env, env->certs, "the certificates", "certs", false,
				    err);
	if (!rc && need_certs)
		rc = check_readable(config, env, env->keys, "the vault with the keys", "keys",
				    false, err);
	return rc;
}

static int endpoint_add(struct endpoints *out, const char *name, const char *address, unsigned port,
			enum endpoint_protocol protocol, struct err *err)
{
	struct endpoint *endpoint;

	if (out->count == out->cap) {
		size_t cap = out->cap ? out->cap * 2 : 16;
		struct endpoint *items = realloc(out->items, cap * sizeof(*items));

		if (!items)
			return err_nomem(err);
		out->items = items;
		out->cap = cap;
	}
	endpoint = &out->items[out->count++];
	*endpoint = (struct endpoint){.name = strdup(name),
				      .address = strdup(address),
				      .port = port,
				      .protocol = protocol};
	return endpoint->name && endpoint->address ? 0 : err_nomem(err);
}

static const char *address_of(const struct hosts *hosts, const char *name)
{
	const struct host *host = hosts_find(hosts, name);

	return host ? host->address : name;
}

/* A server that two authorities have is one endpoint. */
static int from_chain(struct endpoints *out, const struct chain_desc *chain,
		      const struct hosts *hosts, struct err *err)
{
	struct strmap seen = STRMAP_INIT;
	int rc = 0;

	for (size_t i = 0; i < chain->authority_count; i++) {
		const struct chain_authority *authority = &chain->authorities[i];

		for (size_t j = 0; j < authority->server_count && !rc; j++) {
			const char *host = authority->servers[j].host;

			if (strmap_get(&seen, host, NULL))
				continue;
			rc = strmap_put(&seen, host, 0, err);
			if (!rc)
				rc = endpoint_add(out, host, address_of(hosts, host), CONFIG_PORT,
						  ENDPOINT_POSTGRES, err);
		}
	}
	strmap_release(&seen);
	return rc;
}

int environment_endpoints(struct endpoints *out, const struct config *config,
			  const struct environment *env, const struct chain_desc *chain,
			  struct err *err)
{
	struct hosts hosts = HOSTS_INIT;
	int rc = 0;

	*out = (struct endpoints){.items = NULL};
	if (env->endpoints_given && !env->endpoints.count)
		return 0;
	rc = hosts_read(&hosts, config->root, env->inventory, err);
	if (rc == ERR_NOENT) {
		/* who needs the inventory itself says that it is missing */
		err_clear(err);
		rc = 0;
	}
	if (!rc && !env->endpoints_given)
		rc = from_chain(out, chain, &hosts, err);
	for (size_t i = 0; !rc && i < env->endpoints.count; i++) {
		const struct endpoint *e = &env->endpoints.items[i];

		rc = endpoint_add(out, e->name,
				  e->address ? e->address : address_of(&hosts, e->name), e->port,
				  e->protocol, err);
	}
	hosts_release(&hosts);
	if (rc)
		endpoints_release(out);
	return rc;
}

static void endpoint_release(struct endpoint *endpoint)
{
	free(endpoint->name);
	free(endpoint->address);
}

void endpoints_leave_out(struct endpoints *endpoints, const struct strs *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < endpoints->count; i++) {
		if (strs_has(names, endpoints->items[i].name))
			endpoint_release(&endpoints->items[i]);
		else
			endpoints->items[kept++] = endpoints->items[i];
	}
	endpoints->count = kept;
}

void endpoints_release(struct endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->count; i++)
		endpoint_release(&endpoints->items[i]);
	free(endpoints->items);
	*endpoints = (struct endpoints){.items = NULL};
}
