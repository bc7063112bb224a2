/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/config_build.h"

#include <stdlib.h>
#include <string.h>
#include "base/strs.h"
#include "base/sys.h"

#define HOOK_KEYS_MAX 8

/* Which keys belong to which kind; "kind" and "name" to all. The first is required. */
static const char *const hook_keys[HOOK__MAX][HOOK_KEYS_MAX] = {
	[HOOK_EXEC] = {"command", "deadline"},
	[HOOK_WEBHOOK] = {"url", "url_file", "secret_file", "secret_env", "ca_file", "deadline"},
	[HOOK_ANSIBLE] = {"playbook", "tags", "skip_tags", "limit", "extra_args", "deadline"},
	[HOOK_MANUAL] = {"text"},
};

static bool goes_with(enum hook_kind kind, const char *key)
{
	if (!strcmp(key, "kind") || !strcmp(key, "name"))
		return true;
	for (size_t i = 0; i < HOOK_KEYS_MAX && hook_keys[kind][i]; i++) {
		if (!strcmp(hook_keys[kind][i], key))
			return true;
	}
	return false;
}

static int check_keys(enum hook_kind kind, const struct yaml *yaml, const struct yaml_node *node,
		      struct err *err)
{
	const struct yaml_node *needed = yaml_get(yaml, node, hook_keys[kind][0]);

	for (const struct yaml_node *m = node->first; m; m = m->next) {
		if (!yaml_is_null(m) && !goes_with(kind, m->key->value))
			return yaml_err(yaml, m, ERR_USAGE, err, "does not go with kind %s",
					hook_kind_name(kind));
	}
	/* a webhook's address has two keys to choose from: see webhook_build */
	if (yaml_is_null(needed) && kind == HOOK_WEBHOOK)
		return 0;
	if (yaml_is_null(needed))
		return yaml_err(yaml, node, ERR_USAGE, err, "'%s' is missing for kind %s",
				hook_keys[kind][0], hook_kind_name(kind));
	if (needed->kind == YAML_KIND_SEQUENCE && !needed->count)
		return yaml_err(yaml, needed, ERR_USAGE, err, "must not be empty");
	return 0;
}

static int hook_body(struct hook *out, const struct config_layers *layers,
		     const struct yaml_node *node, struct err *err)
{
	const struct yaml *yaml = layers->yaml;

	switch (out->kind) {
	case HOOK_EXEC:
		return layer_texts(&out->command, layers, yaml_get(yaml, node, "command"), err);
	case HOOK_WEBHOOK:
		return webhook_build(&out->webhook, layers, node, err);
	case HOOK_ANSIBLE:
		return step_build(&out->play, layers, node, err);
	case HOOK_MANUAL:
	case HOOK__MAX:
	default:
		out->text = strdup(yaml_get(yaml, node, "text")->value);
		return out->text ? 0 : err_nomem(err);
	}
}

static int hook_build(struct hook *out, const struct config_layers *layers,
		      const struct yaml_node *node, size_t number, struct err *err)
{
	const struct yaml *yaml = layers->yaml;
	const char *kind = yaml_get(yaml, node, "kind")->value;
	const struct yaml_node *name = yaml_get(yaml, node, "name");
	const struct yaml_node *deadline = yaml_get(yaml, node, "deadline");
	int rc;

	for (int i = 0; i < HOOK__MAX; i++) {
		if (!strcmp(kind, hook_kind_name((enum hook_kind)i)))
			out->kind = (enum hook_kind)i;
	}
	rc = check_keys(out->kind, yaml, node, err);
	if (rc)
		return rc;
	out->name = yaml_is_null(name) ? str_fmt("%s %zu", kind, number) : strdup(name->value);
	if (!out->name)
		return err_nomem(err);
	if (out->kind != HOOK_MANUAL)
		out->deadline = out->kind == HOOK_WEBHOOK ? CONFIG_WEBHOOK_S : CONFIG_DEADLINE_S;
	if (!yaml_is_null(deadline))
		rc = sys_duration_parse(deadline->value, &out->deadline, err);
	return rc ? rc : hook_body(out, layers, node, err);
}

static int hooks_build(struct hooks *out, const struct config_layers *layers,
		       const struct yaml_node *list, struct err *err)
{
	struct strmap names = STRMAP_INIT;
	int rc = 0;

	if (yaml_is_null(list) || !list->count)
		return 0;
	out->items = calloc(list->count, sizeof(*out->items));
	if (!out->items)
		return err_nomem(err);
	for (const struct yaml_node *m = list->first; m && !rc; m = m->next) {
		struct hook *hook = &out->items[out->count++];

		rc = hook_build(hook, layers, m, out->count, err);
		if (!rc && strmap_get(&names, hook->name, NULL))
			rc = yaml_err(layers->yaml, m, ERR_USAGE, err,
				      "another hook is called '%s' already", hook->name);
		if (!rc)
			rc = strmap_put(&names, hook->name, 0, err);
	}
	strmap_release(&names);
	return rc;
}

static int users_build(struct application *out, const struct config_layers *layers,
		       const struct yaml_node *list, struct err *err)
{
	struct strmap seen = STRMAP_INIT;
	int rc = 0;

	for (const struct yaml_node *m = list->first; m && !rc; m = m->next) {
		if (strmap_get(&seen, m->value, NULL))
			rc = yaml_err(layers->yaml, m, ERR_USAGE, err, "user '%s' is listed twice",
				      m->value);
		if (!rc)
			rc = strmap_put(&seen, m->value, 0, err);
		if (!rc)
			rc = strs_add(&out->users, m->value, err);
	}
	strmap_release(&seen);
	return rc;
}

int application_build(struct application *out, const char *root, const struct yaml *yaml,
		      const struct yaml_node *node, struct err *err)
{
	const struct config_layers layers = {.root = root, .yaml = yaml};
	const struct yaml_node *contact = yaml_get(yaml, node, "contact");
	int64_t wave = 1;
	int rc = 0;

	*out = (struct application){.name = strdup(node->key->value)};
	out->contact = strdup(yaml_is_null(contact) ? "" : contact->value);
	if (!out->name || !out->contact)
		rc = err_nomem(err);
	(void)yaml_int(yaml_get(yaml, node, "wave"), &wave);
	out->wave = (unsigned)wave;
	if (!rc)
		rc = users_build(out, &layers, yaml_get(yaml, node, "users"), err);
	if (!rc)
		rc = hooks_build(&out->trust, &layers, yaml_get(yaml, node, "trust"), err);
	if (!rc)
		rc = hooks_build(&out->clients, &layers, yaml_get(yaml, node, "clients"), err);
	if (!rc)
		rc = hooks_build(&out->prune, &layers, yaml_get(yaml, node, "prune"), err);
	if (rc)
		application_release(out);
	return rc;
}

static void hooks_release(struct hooks *hooks)
{
	for (size_t i = 0; i < hooks->count; i++) {
		struct hook *hook = &hooks->items[i];

		free(hook->name);
		strs_release(&hook->command);
		webhook_release(&hook->webhook);
		step_release(&hook->play);
		free(hook->text);
	}
	free(hooks->items);
}

void application_release(struct application *application)
{
	free(application->name);
	free(application->contact);
	strs_release(&application->users);
	hooks_release(&application->trust);
	hooks_release(&application->clients);
	hooks_release(&application->prune);
	*application = (struct application){.name = NULL};
}
