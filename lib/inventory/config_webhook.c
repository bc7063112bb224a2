/* SPDX-License-Identifier: PostgreSQL */
/* Webhooks: those of applications, and the notifications. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/config_build.h"
#include "inventory/schema.h"

static const char *const event_names[] = {
	[NOTIFY_START] = "start",     [NOTIFY_END] = "end",	      [NOTIFY_FAILURE] = "failure",
	[NOTIFY_WAITING] = "waiting", [NOTIFY_EXPIRING] = "expiring",
};

const char *notify_event_name(enum notify_event event)
{
	return event_names[event];
}

/* Two keys of which at most one is given. */
static int only_one(const struct config_layers *layers, const struct yaml_node *one,
		    const struct yaml_node *other, const char *names, const char *hint,
		    struct err *err)
{
	if (yaml_is_null(one) || yaml_is_null(other))
		return 0;
	(void)yaml_err(layers->yaml, other, ERR_USAGE, err, "%s are both given", names);
	return err_hint(err, "%s", hint);
}

/* The rest of what is wrong with an address is found when it is read (net/http.h). */
static int url_build(char **out, const struct config_layers *layers, const struct yaml_node *node,
		     struct err *err)
{
	const char *host = strstr(node->value, "://");

	if (!str_starts(node->value, "https://") && !str_starts(node->value, "http://"))
		return yaml_err(layers->yaml, node, ERR_USAGE, err,
				"expected an https:// or http:// address");
	if (memchr(host + 3, '@', strcspn(host + 3, "/?#"))) {
		(void)yaml_err(layers->yaml, node, ERR_USAGE, err,
			       "the address has a user or password in it");
		return err_hint(err, "this file is committed: give secrets with secret_file or "
				     "secret_env, or the whole address with url_file");
	}
	return layer_expand(out, layers, node->value, err);
}

static int variable_build(char **out, const struct config_layers *layers,
			  const struct yaml_node *node, struct err *err)
{
	bool good = !isdigit((unsigned char)node->value[0]);

	for (const char *at = node->value; *at; at++)
		good = good && (isalnum((unsigned char)*at) || *at == '_');
	if (good)
		return layer_expand(out, layers, node->value, err);
	(void)yaml_err(layers->yaml, node, ERR_USAGE, err,
		       "expected the name of an environment variable");
	return err_hint(err, "a secret itself does not belong into a file that is committed");
}

int webhook_build(struct webhook_config *out, const struct config_layers *layers,
		  const struct yaml_node *node, struct err *err)
{
	const struct yaml *yaml = layers->yaml;
	const struct yaml_node *url = yaml_get(yaml, node, "url");
	const struct yaml_node *url_file = yaml_get(yaml, node, "url_file");
	const struct yaml_node *secret = yaml_get(yaml, node, "secret_file");
	const struct yaml_node *variable = yaml_get(yaml, node, "secret_env");
	const struct yaml_node *ca_file = yaml_get(yaml, node, "ca_file");
	int rc = 0;

	if (yaml_is_null(url) && yaml_is_null(url_file))
		return yaml_err(yaml, node, ERR_USAGE, err, "'url' or 'url_file' is missing");
	rc = only_one(layers, url, url_file, "url and url_file",
		      "url_file is for addresses that nobody else may know", err);
	rc = rc ? rc
		: only_one(layers, secret, variable, "secret_file and secret_env",
			   "one of them says where the secret is", err);
	if (!rc && !yaml_is_null(url))
		rc = url_build(&out->url, layers, url, err);
	if (!rc && !yaml_is_null(url_file))
		rc = layer_file(&out->url_file, layers, url_file, err);
	if (!rc && !yaml_is_null(secret))
		rc = layer_file(&out->secret_file, layers, secret, err);
	if (!rc && !yaml_is_null(variable))
		rc = variable_build(&out->secret_env, layers, variable, err);
	if (!rc && !yaml_is_null(ca_file))
		rc = layer_file(&out->ca_file, layers, ca_file, err);
	return rc;
}

void webhook_release(struct webhook_config *webhook)
{
	free(webhook->url);
	free(webhook->url_file);
	free(webhook->secret_file);
	free(webhook->secret_env);
	free(webhook->ca_file);
	*webhook = (struct webhook_config){.url = NULL};
}

/* ---- notifications */

static int event_build(struct notify *out, const struct config_layers *layers,
		       const struct yaml_node *node, struct err *err)
{
	for (int i = 0; i < NOTIFY__MAX; i++) {
		if (!strcmp(node->value, event_names[i])) {
			out->events[i] = true;
			return 0;
		}
	}
	(void)yaml_err(layers->yaml, node, ERR_USAGE, err, "'%s' is no event", node->value);
	return schema_suggest(node->value, event_names, NOTIFY__MAX, err);
}

static int notify_build(struct notify *out, const struct config_layers *layers,
			const struct yaml_node *node, size_t number, struct err *err)
{
	const struct yaml_node *events = yaml_get(layers->yaml, node, "events");
	const struct yaml_node *template = yaml_get(layers->yaml, node, "template");
	bool all = yaml_is_null(events);
	int rc = 0;

	out->number = number;
	for (int i = 0; i < NOTIFY__MAX; i++)
		out->events[i] = all;
	for (const struct yaml_node *m = all ? NULL : events->first; m && !rc; m = m->next)
		rc = event_build(out, layers, m, err);
	if (!rc && !yaml_is_null(template))
		rc = layer_path(&out->template, layers, template, err);
	return rc ? rc : webhook_build(&out->webhook, layers, node, err);
}

int notifies_build(struct notifies *out, const struct config_layers *layers, struct err *err)
{
	const struct yaml_node *list = layer_pick(layers, "notify", NULL);
	int rc = 0;

	if (!list || !list->count)
		return 0;
	out->items = calloc(list->count, sizeof(*out->items));
	if (!out->items)
		return err_nomem(err);
	for (const struct yaml_node *m = list->first; m && !rc; m = m->next) {
		rc = notify_build(&out->items[out->count], layers, m, out->count, err);
		out->count++;
	}
	return rc;
}

void notifies_release(struct notifies *notifies)
{
	for (size_t i = 0; i < notifies->count; i++) {
		free(notifies->items[i].template);
		webhook_release(&notifies->items[i].webhook);
	}
	free(notifies->items);
	*notifies = (struct notifies){.items = NULL};
}
