/* SPDX-License-Identifier: PostgreSQL */
#include "proc/ansible_args.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define VARS_MAX ((size_t)64 << 10)

/*
 * Over what ansible.cfg says, which may be the operator's own: the output must be the one that
 * recap.c reads, and keys must not be written anywhere (names from "ansible-config list").
 */
static const char *const settings[] = {
	"ANSIBLE_DIFF_ALWAYS=0",
	"ANSIBLE_LOG_PATH=/dev/null",
	"ANSIBLE_KEEP_REMOTE_FILES=0",
	"ANSIBLE_NO_TARGET_SYSLOG=1", /* modules log their arguments on each host */
	"ANSIBLE_DISPLAY_ARGS_TO_STDOUT=0",
	"ANSIBLE_STDOUT_CALLBACK=default",
	"ANSIBLE_CALLBACK_RESULT_FORMAT=json",
	"ANSIBLE_CALLBACK_FORMAT_PRETTY=0",
	"ANSIBLE_DISPLAY_OK_HOSTS=1",
	"ANSIBLE_DISPLAY_SKIPPED_HOSTS=1",
	"ANSIBLE_DISPLAY_FAILED_STDERR=0",
	"ANSIBLE_SHOW_PER_HOST_START=0",
	"ANSIBLE_NOCOWS=1",
	"ANSIBLE_RETRY_FILES_ENABLED=0",
	"ANSIBLE_ENABLE_TASK_DEBUGGER=0",
	"ANSIBLE_INVENTORY_UNPARSED_FAILED=1",
	/* Callbacks get results unfiltered, and keep them (log_plays, junit, ara): none but ours.
	 */
	"ANSIBLE_CALLBACKS_ENABLED=",
};

/* argparse(3) of Python takes "--dif" for "--diff", and "-vD" for "-v -D". */
static bool turns_diff_on(const char *arg)
{
	if (arg[0] != '-' || !arg[1])
		return false;
	if (arg[1] == '-')
		return strlen(arg) > 3 && str_starts("--diff", arg);
	return strspn(arg + 1, "vbCDkK") == strlen(arg + 1) && strchr(arg, 'D');
}

static int add_option(struct strs *out, const char *name, const char *value, struct err *err)
{
	int rc;

	if (!value)
		return 0;
	rc = strs_add(out, name, err);
	return rc ? rc : strs_add(out, value, err);
}

static int add_extra(struct strs *out, const struct strs *extra, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; extra && i < extra->count && !rc; i++) {
		if (turns_diff_on(extra->items[i]))
			return err_set(
				err, ERR_USAGE,
				"extra_args: %s would print the private keys that are rolled "
				"out",
				extra->items[i]);
		rc = strs_add(out, extra->items[i], err);
	}
	return rc;
}

static int add_vars(struct strs *out, const char *const *vars, struct err *err)
{
	struct json *object;
	struct buf text;
	int rc = 0;

	if (!vars || !*vars)
		return 0;
	buf_init(&text, VARS_MAX);
	object = js_new_object();
	if (!object)
		rc = err_nomem(err);
	for (; !rc && *vars; vars++) {
		const char *equals = strchr(*vars, '=');
		char *name = equals ? str_fmt("%.*s", (int)(equals - *vars), *vars) : NULL;

		if (!name || js_set_str(object, name, equals + 1))
			rc = err_starved()
				     ? err_nomem(err)
				     : err_set(err, ERR_FAIL, "cannot pass the variable %s", *vars);
		free(name);
	}
	if (!rc)
		rc = js_dump(&text, object, false, err);
	if (!rc)
		rc = add_option(out, "-e", text.data, err);
	js_free(object);
	buf_release(&text);
	return rc;
}

int ansible_args(struct strs *out, const struct ansible_spec *spec, struct err *err)
{
	int rc = strs_add(out, spec->program ? spec->program : "ansible-playbook", err);

	if (!rc)
		rc = add_option(out, "-i", spec->inventory, err);
	if (!rc)
		rc = add_option(out, "--vault-password-file", spec->vault_password_file, err);
	if (!rc)
		rc = add_option(out, "--tags", spec->tags, err);
	if (!rc)
		rc = add_option(out, "--skip-tags", spec->skip_tags, err);
	if (!rc)
		rc = add_option(out, "--limit", spec->limit, err);
	if (!rc)
		rc = add_extra(out, spec->extra_args, err);
	if (!rc) /* behind the extra arguments: of one name the last variable counts */
		rc = add_vars(out, spec->vars, err);
	return rc ? rc : add_option(out, "--", spec->playbook, err);
}

static bool is_set(const struct strs *list, const char *setting)
{
	size_t len = (size_t)(strchr(setting, '=') - setting) + 1;

	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->items[i], setting, len) == 0)
			return true;
	}
	return false;
}

int ansible_set(struct strs *set, const char *setting, struct err *err)
{
	return is_set(set, setting) ? 0 : strs_add(set, setting, err);
}

int ansible_env(struct strs *set, struct strs *unset, const struct ansible_spec *spec,
		const char *temp, struct err *err)
{
	int rc = spec->hidden ? strs_copy(unset, spec->hidden, err) : 0;

	for (const char *const *at = spec->env; at && *at && !rc; at++)
		rc = strs_add(set, *at, err);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && !rc; i++)
		rc = ansible_set(set, settings[i], err);
	if (!rc)
		rc = strs_addf(set, err, "ANSIBLE_LOCAL_TEMP=%s", temp);
	/* Nor those that need not be enabled: nothing is in there but temporary folders. */
	if (!rc)
		rc = strs_addf(set, err, "ANSIBLE_CALLBACK_PLUGINS=%s", temp);
	if (!rc)
		rc = strs_add(set, spec->color ? "ANSIBLE_FORCE_COLOR=1" : "ANSIBLE_NOCOLOR=1",
			      err);
	if (!rc)
		rc = strs_add(unset, spec->color ? "ANSIBLE_NOCOLOR" : "ANSIBLE_FORCE_COLOR", err);
	return rc ? rc : strs_add(unset, "ANSIBLE_DEBUG", err);
}
