/* SPDX-License-Identifier: PostgreSQL */
#include "vault/password.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "proc/child.h"
#include "vault/ansible_cfg.h"
#include "vault/vault.h"

#define PASSWORD_MAX	   ((size_t)64 << 10)
#define SCRIPT_DEADLINE_MS 60000
#define UNKNOWN_ID	   2 /* exit code of a -client script that knows no such label */

struct finder {
	struct vault_passwords *out;
	struct arena *arena;
	const char *dir;
	const struct strs *hidden;
	struct sys *sys;
	const struct log *log;
};

/* One place where a password should be. */
struct source {
	const char *label;	  /* the vault id to file it under */
	const char *script_label; /* for a -client script; NULL where no vault id was given */
	const char *path;	  /* absolute */
	const char *setting;	  /* "vault_password_file in /repo/ansible.cfg" */
};

int vault_passwords_add(struct vault_passwords *list, struct arena *arena, const void *text,
			size_t len, const char *label, const char *origin, struct err *err)
{
	struct vault_password *item;

	if (!len)
		return err_set(err, ERR_FAIL, "the vault password of %s is empty", origin);
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 4;
		struct vault_password *items = realloc(list->items, cap * sizeof(*items));

		if (!items)
			return err_nomem(err);
		list->items = items;
		list->cap = cap;
	}
	item = &list->items[list->count];
	memset(item, 0, sizeof(*item));
	item->label = strdup(label ? label : "default");
	item->origin = strdup(origin);
	item->path = strdup("");
	if (!item->label || !item->origin || !item->path ||
	    arena_copy(&item->text, arena, text, len, err)) {
		free(item->label);
		free(item->origin);
		free(item->path);
		return err_nomem(err);
	}
	list->count++;
	return 0;
}

void vault_passwords_release(struct vault_passwords *list)
{
	for (size_t i = 0; i < list->count; i++) {
		secret_wipe(&list->items[i].text);
		free(list->items[i].label);
		free(list->items[i].path);
		free(list->items[i].origin);
	}
	free(list->items);
	free(list->encrypt_label);
	strs_release(&list->passed_over);
	strs_release(&list->ansible_args);
	memset(list, 0, sizeof(*list));
}

const struct vault_password *vault_passwords_for_new(const struct vault_passwords *list)
{
	if (!list->encrypt_label)
		return list->count ? &list->items[0] : NULL;
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i].label, list->encrypt_label))
			return &list->items[i];
	return NULL;
}

/* Narrows a secret to what is left without those characters at both ends. */
static void strip(struct secret *text, const char *chars)
{
	while (text->len && strchr(chars, text->data[0]) && text->data[0]) {
		text->data++;
		text->len--;
	}
	while (text->len && strchr(chars, text->data[text->len - 1]) && text->data[text->len - 1])
		text->data[--text->len] = '\0';
}

/* A name like get-pass-client or get-pass-client.sh, as os.path.splitext sees it. */
static bool is_client_script(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');
	size_t len;

	while (*name == '.')
		name++;
	if (dot && dot > name)
		len = (size_t)(dot - name);
	else
		len = strlen(name);
	return len >= 7 && memcmp(name + len - 7, "-client", 7) == 0;
}

static void forward(void *ctx, const char *data, size_t len)
{
	log_output(ctx, data, len);
}

static int run_script(struct secret *out, const struct finder *f, const struct source *source,
		      struct err *err)
{
	bool client = is_client_script(source->path) && source->script_label;
	const char *argv[] = {source->path, client ? "--vault-id" : NULL, source->script_label,
			      NULL};
	struct log log = f->log ? *f->log : (struct log){0};
	struct child_result result = {.end = CHILD_RUNNING};
	struct child_spec spec = {
		.argv = argv,
		.env_unset = f->hidden ? (const char *const *)f->hidden->items : NULL,
		.cwd = f->dir,
		.out = {.arena = f->arena, .secret_max = PASSWORD_MAX},
		.err = {.data = forward, .ctx = &log},
		.terminal = true,
		.deadline_ms = SCRIPT_DEADLINE_MS,
		.sys = f->sys,
	};
	int rc = child_run(&result, &spec, err);

	if (rc == ERR_STOPPED)
		return rc;
	if (!rc && client && result.end == CHILD_EXITED && result.code == UNKNOWN_ID)
		return err_set(err, ERR_FAIL, "%s knows no password for the vault id '%s'",
			       source->path, source->script_label);
	if (!rc)
		rc = child_check(&result, source->path, err);
	if (rc) {
		(void)err_prefix(err, "the vault password script failed");
		return err_hint(err,
				"run %s by hand and see; where it is no program but holds the "
				"password, take its execute bit away",
				source->path);
	}
	*out = result.secret;
	strip(out, "\r\n");
	return 0;
}

/* A file, which may be a vault itself that an earlier password opens. */
static int read_password(struct secret *out, const struct finder *f, const struct source *source,
			 struct err *err)
{
	int rc = secret_read_file(out, f->arena, source->path, PASSWORD_MAX, err);

	if (rc)
		return rc;
	strip(out, " \t\n\r\v\f");
	if (out->len && vault_is(out->data, out->len))
		rc = vault_decrypt(out, NULL, f->arena, out->data, out->len, source->path, f->out,
				   err);
	if (!rc)
		strip(out, "\r\n");
	return rc;
}

static int read_source(struct secret *out, const struct finder *f, const struct source *source,
		       struct err *err)
{
	struct stat st;
	int rc = stat(source->path, &st) < 0 ? errno : 0;

	if (rc == ENOENT || rc == ENOTDIR)
		return err_set(err, ERR_FAIL, "the vault password file %s is not there",
			       source->path);
	if (rc)
		return err_sys(err, rc, "cannot look at the vault password file %s", source->path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_FAIL, "the vault password file %s is a folder",
			       source->path);
	if (st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))
		rc = run_script(out, f, source, err);
	else
		rc = read_password(out, f, source, err);
	if (!rc && !out->len)
		rc = err_set(err, ERR_FAIL, "the vault password that %s gives is empty",
			     source->path);
	return rc;
}

/* 0 also where the source gives nothing: then err is filled and passed_over has one more. */
static int take_source(const struct finder *f, const struct source *source, struct err *err)
{
	struct secret text = {NULL, 0};
	struct err why = {0};
	char *origin = str_fmt("%s (%s)", source->path, source->setting);
	int rc = origin ? 0 : err_nomem(err);

	if (!rc && read_source(&text, f, source, &why)) {
		if (why.code == ERR_STOPPED)
			rc = err_set(err, ERR_STOPPED, "%s", why.msg);
		else
			rc = strs_addf(&f->out->passed_over, err, "%s: %s", source->setting,
				       why.msg);
		if (!rc && err)
			*err = why;
	} else if (!rc) {
		rc = vault_passwords_add(f->out, f->arena, text.data, text.len, source->label,
					 origin, err);
		if (!rc) {
			struct vault_password *item = &f->out->items[f->out->count - 1];

			free(item->path);
			item->path = strdup(source->path);
			rc = item->path ? 0 : err_nomem(err);
		}
	}
	secret_wipe(&text);
	free(origin);
	return rc;
}

static int refuse_prompt(const struct finder *f, const char *entry, const char *setting,
			 struct err *err)
{
	struct err why;

	(void)err_set(&why, ERR_USAGE,
		      "'%s' in %s asks at the terminal, which certrotate does not do", entry,
		      setting);
	(void)err_hint(&why, "name a file or a script that gives the password");
	if (err)
		*err = why;
	return strs_add(&f->out->passed_over, why.msg, NULL) ? err_nomem(err) : 0;
}

/* One entry of the identity list: "label@path" or "path"; relative to Ansible's folder. */
static int take_identity(const struct finder *f, char *entry, const char *setting, const char *base,
			 const char *unnamed, struct err *err)
{
	char *at = strchr(entry, '@');
	const char *value = at ? at + 1 : entry;
	struct source source = {.setting = setting};
	char *path;
	int rc;

	if (!strcmp(value, "prompt") || !strcmp(value, "prompt_ask_vault_pass"))
		return refuse_prompt(f, entry, setting, err);
	path = ansible_path(value, base, f->dir);
	if (!path)
		return err_nomem(err);
	if (at)
		*at = '\0';
	source.label = at && entry[0] ? entry : unnamed;
	source.script_label = at && entry[0] ? entry : NULL;
	source.path = path;
	rc = take_source(f, &source, err);
	free(path);
	return rc;
}

/* Blanks around an entry and one pair of quotes do not count. */
static char *trim_entry(char *entry)
{
	size_t len;

	while (isspace((unsigned char)*entry))
		entry++;
	len = strlen(entry);
	while (len && isspace((unsigned char)entry[len - 1]))
		entry[--len] = '\0';
	if (len > 1 && (entry[0] == '"' || entry[0] == '\'') && entry[len - 1] == entry[0]) {
		entry[len - 1] = '\0';
		entry++;
	}
	return entry;
}

static int take_list(const struct finder *f, const struct ansible_cfg *cfg, const char *unnamed,
		     struct err *err)
{
	const struct ansible_value *value = &cfg->values[ANSIBLE_IDENTITY_LIST];
	char *next = value->text;
	int rc = 0;

	while (!rc && next) {
		char *entry = next;

		next = strchr(next, ',');
		if (next)
			*next++ = '\0';
		entry = trim_entry(entry);
		if (entry[0])
			rc = take_identity(f, entry, value->origin, f->dir, unnamed, err);
	}
	return rc;
}

static int take_file(const struct finder *f, const struct ansible_cfg *cfg, const char *unnamed,
		     struct err *err)
{
	const struct ansible_value *value = &cfg->values[ANSIBLE_PASSWORD_FILE];
	struct source source = {.label = unnamed, .script_label = unnamed};
	char *path;
	int rc;

	if (!value->text)
		return 0;
	if (!value->text[0]) {
		(void)err_set(err, ERR_USAGE, "%s is empty", value->origin);
		return strs_addf(&f->out->passed_over, err, "%s is empty", value->origin);
	}
	if (!strcmp(value->text, "prompt") || !strcmp(value->text, "prompt_ask_vault_pass"))
		return refuse_prompt(f, value->text, value->origin, err);
	path = ansible_path(value->text, value->base, f->dir);
	if (!path)
		return err_nomem(err);
	source.path = path;
	source.setting = value->origin;
	rc = take_source(f, &source, err);
	free(path);
	return rc;
}

/* certrotate.yml's own setting. Ansible is told, unless it would find the same file itself. */
static int take_explicit(const struct finder *f, const struct ansible_cfg *cfg, const char *value,
			 const char *unnamed, struct err *err)
{
	const struct ansible_value *theirs = &cfg->values[ANSIBLE_PASSWORD_FILE];
	struct source source = {.label = unnamed,
				.script_label = unnamed,
				.setting = "vault_password in certrotate.yml"};
	char *path = ansible_path(value, f->dir, f->dir);
	char *found = theirs->text && theirs->text[0]
			      ? ansible_path(theirs->text, theirs->base, f->dir)
			      : NULL;
	int rc = path ? 0 : err_nomem(err);

	source.path = path;
	if (!rc)
		rc = take_source(f, &source, err);
	if (!rc && !(found && !strcmp(found, path))) {
		rc = strs_add(&f->out->ansible_args, "--vault-password-file", err);
		if (!rc)
			rc = strs_add(&f->out->ansible_args, path, err);
	}
	free(found);
	free(path);
	return rc;
}

static int nothing_configured(const struct ansible_cfg *cfg, struct err *err)
{
	struct buf places;

	buf_init(&places, sizeof(err->hint));
	for (size_t i = 0; i < cfg->looked_at.count; i++)
		buf_addf(&places, ", %s", cfg->looked_at.items[i]);
	(void)err_set(err, ERR_USAGE, "no vault password is configured");
	(void)err_hint(
		err,
		"name a file or a script in ANSIBLE_VAULT_PASSWORD_FILE, as "
		"vault_password_file in ansible.cfg, or as vault_password in certrotate.yml; "
		"looked at: certrotate.yml, ANSIBLE_VAULT_PASSWORD_FILE, "
		"ANSIBLE_VAULT_IDENTITY_LIST%s",
		places.data);
	buf_release(&places);
	return ERR_USAGE;
}

static bool is_true(const char *text)
{
	static const char *const words[] = {"y", "yes", "on", "1", "true", "t", "1.0"};

	for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

static int set_options(struct vault_passwords *out, const struct ansible_cfg *cfg, struct err *err)
{
	const char *label = cfg->values[ANSIBLE_ENCRYPT_IDENTITY].text;

	out->id_match = is_true(cfg->values[ANSIBLE_ID_MATCH].text);
	if (!label || !label[0])
		return 0;
	out->encrypt_label = strdup(label);
	return out->encrypt_label ? 0 : err_nomem(err);
}

int vault_passwords_find(struct vault_passwords *out, struct arena *arena, const char *dir,
			 const char *explicit_path, const struct strs *hidden, struct sys *sys,
			 const struct log *log, struct err *err)
{
	struct finder f = {
		.out = out, .arena = arena, .dir = dir, .hidden = hidden, .sys = sys, .log = log};
	struct err local = {0};
	struct ansible_cfg cfg;
	const char *unnamed;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = ansible_cfg_load(&cfg, dir, &local);
	if (rc)
		goto out;
	unnamed = cfg.values[ANSIBLE_IDENTITY].text;
	if (!unnamed || !unnamed[0])
		unnamed = "default";
	rc = set_options(out, &cfg, &local);
	if (!rc && explicit_path) {
		rc = take_explicit(&f, &cfg, explicit_path, unnamed, &local);
	} else if (!rc) {
		rc = take_list(&f, &cfg, unnamed, &local);
		if (!rc)
			rc = take_file(&f, &cfg, unnamed, &local);
	}
	if (!rc && !out->count) {
		if (!out->passed_over.count)
			rc = nothing_configured(&cfg, &local);
		else
			rc = local.code;
	}
	ansible_cfg_release(&cfg);
out:
	if (rc) {
		vault_passwords_release(out);
		if (err)
			*err = local;
	}
	return rc;
}
