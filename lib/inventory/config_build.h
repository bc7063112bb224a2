/* SPDX-License-Identifier: PostgreSQL */
/* From certrotate.yml, already checked against its schema, to environments and applications. */
#ifndef INVENTORY_CONFIG_BUILD_H
#define INVENTORY_CONFIG_BUILD_H

#include "base/err.h"
#include "inventory/config.h"
#include "inventory/yaml.h"

/* What an environment's values come from; yaml and both nodes may be NULL. */
struct config_layers {
	const char *root;
	const char *env;
	const struct yaml *yaml;
	const struct yaml_node *own;
	const struct yaml_node *defaults;
};

int environment_build(struct environment *out, const struct config_layers *layers, struct err *err);
void environment_release(struct environment *env);

/* The keys of "git". */
int git_build(struct environment *out, const struct config_layers *layers, struct err *err);
void git_release(struct environment *env);

/* The keys of a webhook in a mapping that may hold other keys too. */
int webhook_build(struct webhook_config *out, const struct config_layers *layers,
		  const struct yaml_node *node, struct err *err);
void webhook_release(struct webhook_config *webhook);
/* The list "notify". */
int notifies_build(struct notifies *out, const struct config_layers *layers, struct err *err);
void notifies_release(struct notifies *notifies);

/* node is the application's mapping. */
int application_build(struct application *out, const char *root, const struct yaml *yaml,
		      const struct yaml_node *node, struct err *err);
void application_release(struct application *application);

/* For both: one step, from a mapping that may hold other keys too. */
int step_build(struct rollout_step *out, const struct config_layers *layers,
	       const struct yaml_node *node, struct err *err);
void step_release(struct rollout_step *step);
/*
 * The node that decides a value: the environment's own, else that of defaults. NULL where neither
 * says anything, or where the first that does says null. inner is a key inside key, or NULL.
 */
const struct yaml_node *layer_pick(const struct config_layers *layers, const char *key,
				   const char *inner);
/* The node's text, or fallback (NULL for none), expanded. */
int layer_text(char **out, const struct config_layers *layers, const struct yaml_node *node,
	       const char *fallback, struct err *err);
/* A copy of a scalar's text with "{env}" replaced. */
int layer_expand(char **out, const struct config_layers *layers, const char *text, struct err *err);
/* As layer_expand of the node's text, and inside the repository. */
int layer_path(char **out, const struct config_layers *layers, const struct yaml_node *node,
	       struct err *err);
/* A file that may be anywhere: "~/" is the home directory. */
int layer_file(char **out, const struct config_layers *layers, const struct yaml_node *node,
	       struct err *err);
int layer_texts(struct strs *out, const struct config_layers *layers, const struct yaml_node *node,
		struct err *err);

#endif
