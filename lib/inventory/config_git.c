/* SPDX-License-Identifier: PostgreSQL */
/* The keys of "git": branches, remote, and the forge where merge requests are opened. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "inventory/config_build.h"

/* git would take a name with a leading dash for an option. */
static int git_name(char **out, const struct config_layers *layers, const char *key,
		    const char *fallback, struct err *err)
{
	const struct yaml_node *node = layer_pick(layers, "git", key);
	int rc = layer_text(out, layers, node, fallback, err);

	if (!rc && *out && ((*out)[0] == '-' || strpbrk(*out, " ~^:?*[\\") || strstr(*out, "..")))
		rc = yaml_err(layers->yaml, node, ERR_USAGE, err, "'%s' is no name of a %s", *out,
			      !strcmp(key, "base") ? "branch" : "remote");
	return rc;
}

/* As layer_pick, for a key of git.forge: mappings are merged key by key, at each depth. */
static const struct yaml_node *pick_forge(const struct config_layers *layers, const char *key)
{
	const struct yaml_node *const sources[] = {layers->own, layers->defaults};

	for (size_t i = 0; layers->yaml && i < 2; i++) {
		const struct yaml_node *node = yaml_get(layers->yaml, sources[i], "git");

		if (node && yaml_is_null(node))
			return NULL;
		node = node ? yaml_get(layers->yaml, node, "forge") : NULL;
		if (node && yaml_is_null(node))
			return NULL;
		node = node ? yaml_get(layers->yaml, node, key) : NULL;
		if (node)
			return yaml_is_null(node) ? NULL : node;
	}
	return NULL;
}

/* What would be sent elsewhere, or in the clear, or hide a password in a file that all can read. */
static int check_url(const struct config_layers *layers, const struct yaml_node *node, char *url,
		     struct err *err)
{
	const char *host = !strncasecmp(url, "https://", 8) ? url + 8 : NULL;
	size_t len = strlen(url);

	if (!host)
		return yaml_err(layers->yaml, node, ERR_USAGE, err,
				"expected an address that begins with https://");
	if (!host[0] || strchr("/:", host[0]) || strpbrk(url, " ?#\\\"<>{}|^`"))
		return yaml_err(layers->yaml, node, ERR_USAGE, err,
				"expected https://HOST, with a port and a path where it has them");
	if (strchr(host, '@')) {
		(void)yaml_err(layers->yaml, node, ERR_USAGE, err,
			       "a user or a password in the address is not used");
		return err_hint(err, "name the access token in token_file, token_env or "
				     "token_command");
	}
	while (len && url[len - 1] == '/')
		url[--len] = '\0';
	return 0;
}

/* "owner/project": what becomes part of an address. */
static int check_project(const struct config_layers *layers, const struct yaml_node *node,
			 const char *project, struct err *err)
{
	size_t len = strlen(project);

	if (!strchr(project, '/') || project[0] == '/' || project[len - 1] == '/' ||
	    strstr(project, "//") || strstr(project, "..") || strpbrk(project, " ?#%\\"))
		return yaml_err(layers->yaml, node, ERR_USAGE, err,
				"expected the project with its owner or groups, as in "
				"dba/inventory");
	return 0;
}

static int check_variable(const struct config_layers *layers, const struct yaml_node *node,
			  const char *name, struct err *err)
{
	bool good = !isdigit((unsigned char)name[0]);

	for (const char *at = name; *at; at++)
		good = good && (isalnum((unsigned char)*at) || *at == '_');
	if (good)
		return 0;
	(void)yaml_err(layers->yaml, node, ERR_USAGE, err,
		       "expected the name of an environment variable");
	return err_hint(err, "a token itself does not belong into a file that is committed");
}

static int token_build(struct forge_config *out, const struct config_layers *layers,
		       struct err *err)
{
	static const char *const keys[] = {"token_file", "token_env", "token_command"};
	const struct yaml_node *file = pick_forge(layers, keys[0]);
	const struct yaml_node *variable = pick_forge(layers, keys[1]);
	const struct yaml_node *command = pick_forge(layers, keys[2]);
	int rc = 0;

	if (!!file + !!variable + !!command > 1) {
		(void)yaml_err(layers->yaml, command ? command : variable, ERR_USAGE, err,
			       "%s and %s are both given", file ? keys[0] : keys[1],
			       command ? keys[2] : keys[1]);
		return err_hint(err, "one of them says where the token is; 'null' takes back "
				     "what 'defaults' has");
	}
	if (file)
		rc = layer_file(&out->token_file, layers, file, err);
	if (!rc && variable) {
		rc = layer_text(&out->token_env, layers, variable, NULL, err);
		rc = rc ? rc : check_variable(layers, variable, out->token_env, err);
	}
	if (!rc && command && !command->count)
		rc = yaml_err(layers->yaml, command, ERR_USAGE, err, "must not be empty");
	if (!rc && command)
		rc = layer_texts(&out->token_command, layers, command, err);
	return rc;
}

static int forge_build(struct forge_config *out, const struct config_layers *layers,
		       struct err *err)
{
	const struct yaml_node *kind = pick_forge(layers, "kind");
	const struct yaml_node *url = pick_forge(layers, "url");
	const struct yaml_node *project = pick_forge(layers, "project");
	const struct yaml_node *ca_file = pick_forge(layers, "ca_file");
	int rc = 0;

	out->kind = FORGE__MAX;
	for (int i = 0; kind && i < FORGE__MAX; i++) {
		if (!strcmp(kind->value, forge_kind_name((enum forge_kind)i)))
			out->kind = (enum forge_kind)i;
	}
	if (url) {
		rc = layer_text(&out->url, layers, url, NULL, err);
		rc = rc ? rc : check_url(layers, url, out->url, err);
	}
	if (!rc && project) {
		rc = layer_text(&out->project, layers, project, NULL, err);
		rc = rc ? rc : check_project(layers, project, out->project, err);
	}
	if (!rc && ca_file)
		rc = layer_file(&out->ca_file, layers, ca_file, err);
	return rc ? rc : token_build(out, layers, err);
}

int git_build(struct environment *env, const struct config_layers *layers, struct err *err)
{
	const struct yaml_node *flow = layer_pick(layers, "git", "flow");
	const struct yaml_node *push = layer_pick(layers, "git", "push");
	int rc;

	env->flow = flow && !strcmp(flow->value, git_flow_name(FLOW_MERGE_REQUEST))
			    ? FLOW_MERGE_REQUEST
			    : FLOW_DIRECT;
	env->push = true;
	if (push)
		(void)yaml_bool(push, &env->push);
	if (env->flow == FLOW_MERGE_REQUEST && !env->push)
		return yaml_err(layers->yaml, push, ERR_USAGE, err,
				"flow merge_request needs push: true");
	rc = git_name(&env->base, layers, "base", "dev", err);
	if (!rc)
		rc = git_name(&env->remote, layers, "remote", "origin", err);
	return rc ? rc : forge_build(&env->forge, layers, err);
}

void git_release(struct environment *env)
{
	free(env->base);
	free(env->remote);
	free(env->forge.url);
	free(env->forge.project);
	free(env->forge.token_file);
	free(env->forge.token_env);
	strs_release(&env->forge.token_command);
	free(env->forge.ca_file);
}
