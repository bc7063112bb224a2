/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/hosts.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/file.h"
#include "inventory/hosts_read.h"

#define FOLDERS_MAX 8 /* folders inside each other */

bool hosts_address_usable(const char *value)
{
	return value[0] && !strstr(value, "{{") && !strstr(value, "{%") &&
	       !strpbrk(value, " \t\r\n/@");
}

static int add_one(struct hosts *hosts, const char *name, const char *address, bool top,
		   struct err *err)
{
	struct host *host;
	size_t at;
	int rc;

	if (!strmap_get(&hosts->index, name, &at)) {
		if (!name[0])
			return err_set(err, ERR_USAGE, "a host without a name");
		if (hosts->count == HOSTS_MAX)
			return err_set(err, ERR_USAGE, "more than %d hosts", HOSTS_MAX);
		if (hosts->count == hosts->cap) {
			size_t cap = hosts->cap ? hosts->cap * 2 : 64;
			struct host *items = realloc(hosts->items, cap * sizeof(*items));

			if (!items)
				return err_nomem(err);
			hosts->items = items;
			hosts->cap = cap;
		}
		at = hosts->count;
		rc = strmap_put(&hosts->index, name, at, err);
		if (rc)
			return rc;
		hosts->items[at] = (struct host){.name = strdup(name)};
		hosts->count++;
	}
	host = &hosts->items[at];
	if (address && hosts_address_usable(address)) {
		free(host->address);
		host->address = strdup(address);
	} else if (!host->address) {
		host->address = strdup(name);
	}
	host->top = host->top || top;
	return host->name && host->address ? 0 : err_nomem(err);
}

int hosts_add(struct hosts *hosts, const char *pattern, const char *address, bool top,
	      struct err *err)
{
	struct strs names = STRS_INIT;
	int rc;

	if (!strchr(pattern, '['))
		return add_one(hosts, pattern, address, top, err);
	rc = hosts_expand(&names, pattern, err);
	for (size_t i = 0; i < names.count && !rc; i++)
		rc = add_one(hosts, names.items[i], address, top, err);
	strs_release(&names);
	return rc;
}

const struct host *hosts_find(const struct hosts *hosts, const char *name)
{
	size_t at;

	return strmap_get(&hosts->index, name, &at) ? &hosts->items[at] : NULL;
}

void hosts_release(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++) {
		free(hosts->items[i].name);
		free(hosts->items[i].address);
	}
	free(hosts->items);
	strmap_release(&hosts->index);
	strs_release(&hosts->passed_over);
	*hosts = (struct hosts)HOSTS_INIT;
}

/* A file that is no inventory we know is told, not an error: Ansible may well read it. */
static int pass_over(struct hosts *hosts, int rc, const struct err *why, struct err *err)
{
	if (rc && why->code == ERR_MACHINE) {
		if (err)
			*err = *why;
		return ERR_MACHINE;
	}
	return rc ? strs_add(&hosts->passed_over, why->msg, err) : 0;
}

static bool is_yaml(const char *name)
{
	return str_ends(name, ".yml") || str_ends(name, ".yaml") || str_ends(name, ".json");
}

/* A file without an ending, as "hosts": "---", or a first key with nothing behind it ("all:"). */
static bool begins_as_yaml(const char *text)
{
	size_t len;

	while (*text && (*text == '#' || *text == '\n' || *text == '\r')) {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	len = strcspn(text, "\r\n");
	return str_starts(text, "---") || (len > 1 && text[len - 1] == ':');
}

/*
 * As Ansible does: YAML first, then INI. Of the two messages that one is told which fits: a text
 * that begins as YAML does is meant to be YAML. An INI file's hosts are taken only when all of it
 * is understood, so both read into a list of their own.
 */
static int read_text(struct hosts *hosts, const struct buf *text, const char *name, struct err *err)
{
	bool yaml_like = is_yaml(name) || begins_as_yaml(text->data);
	struct hosts fresh = HOSTS_INIT;
	struct err why = {0}, ini = {0};
	int rc;

	if (memchr(text->data, '\0', text->len))
		return strs_addf(&hosts->passed_over, err, "%s: is no text", name);
	rc = hosts_read_yaml(&fresh, text->data, text->len, name, &why);
	if (rc && !yaml_like) {
		hosts_release(&fresh);
		rc = hosts_read_ini(&fresh, text->data, name, &ini);
		why = ini;
	}
	if (rc) {
		hosts_release(&fresh);
		return pass_over(hosts, rc, &why, err);
	}
	for (size_t i = 0; i < fresh.count && !rc; i++) {
		const struct host *host = &fresh.items[i];
		bool known = strcmp(host->name, host->address) != 0;

		rc = add_one(hosts, host->name, known ? host->address : NULL, host->top, err);
	}
	hosts_release(&fresh);
	return rc;
}

static int read_file(struct hosts *hosts, const char *full, const char *name, struct err *err)
{
	struct err why = {0};
	struct buf text;
	int rc;

	buf_init(&text, HOSTS_TEXT_MAX + 1);
	rc = file_read(&text, full, HOSTS_TEXT_MAX, &why);
	if (rc)
		rc = pass_over(hosts, rc, &why, err);
	else if (str_starts(text.data, "#!") && access(full, X_OK) == 0)
		rc = strs_addf(&hosts->passed_over, err, "%s: a script is only known to Ansible",
			       name);
	else
		rc = read_text(hosts, &text, name, err);
	buf_release(&text);
	return rc;
}

/* Ansible's INVENTORY_IGNORE_EXTS, and what it never takes for an inventory. */
static bool ignored(const char *name)
{
	static const char *const endings[] = {".pyc", ".pyo",	".swp", ".bak", "~",
					      ".rpm", ".md",	".txt", ".rst", ".orig",
					      ".cfg", ".retry", ".ini"};

	if (name[0] == '.' || !strcmp(name, "group_vars") || !strcmp(name, "host_vars"))
		return true;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (str_ends(name, endings[i]))
			return true;
	}
	return false;
}

/* The names in a folder, sorted; none where it is missing. */
static int list_folder(struct strs *out, const char *full, struct err *err)
{
	struct dirent *entry;
	DIR *stream = opendir(full);
	int rc = 0;

	if (!stream)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, errno, "%s", full);
	while (!rc && (entry = file_next(stream, full))) {
		if (entry->d_name[0] != '.')
			rc = strs_add(out, entry->d_name, err);
	}
	(void)closedir(stream);
	strs_sort(out);
	return rc;
}

static int read_path(struct hosts *hosts, const char *full, const char *name, int depth,
		     struct err *err);

static int read_folder(struct hosts *hosts, const char *full, const char *name, int depth,
		       struct err *err)
{
	struct strs entries = STRS_INIT;
	int rc = list_folder(&entries, full, err);

	if (!rc && depth > FOLDERS_MAX)
		rc = strs_addf(&hosts->passed_over, err, "%s: folders lie too deep", name);
	for (size_t i = 0; i < entries.count && !rc && depth <= FOLDERS_MAX; i++) {
		char *below, *shown;

		if (ignored(entries.items[i]))
			continue;
		below = path_join(full, entries.items[i]);
		shown = path_join(name, entries.items[i]);
		rc = below && shown ? read_path(hosts, below, shown, depth + 1, err)
				    : err_nomem(err);
		free(below);
		free(shown);
	}
	strs_release(&entries);
	return rc;
}

static int read_path(struct hosts *hosts, const char *full, const char *name, int depth,
		     struct err *err)
{
	return file_is_dir(full) ? read_folder(hosts, full, name, depth, err)
				 : read_file(hosts, full, name, err);
}

static int read_vars_file(struct hosts *hosts, const char *host, const char *full, const char *name,
			  struct err *err)
{
	struct err why = {0};
	struct buf text;
	int rc;

	buf_init(&text, HOSTS_TEXT_MAX + 1);
	rc = file_read(&text, full, HOSTS_TEXT_MAX, &why);
	/* a vault holds no address that we could see */
	if (!rc && !str_starts(text.data, "$ANSIBLE_VAULT;"))
		rc = hosts_read_vars(hosts, host, text.data, text.len, name, &why);
	rc = pass_over(hosts, rc, &why, err);
	buf_release(&text);
	return rc;
}

/* host_vars/HOST/…: every YAML file in it. */
static int read_vars_folder(struct hosts *hosts, const char *host, const char *full,
			    const char *name, struct err *err)
{
	struct strs entries = STRS_INIT;
	int rc = list_folder(&entries, full, err);

	for (size_t i = 0; i < entries.count && !rc; i++) {
		char *below = path_join(full, entries.items[i]);
		char *shown = path_join(name, entries.items[i]);

		if (!below || !shown)
			rc = err_nomem(err);
		else if (!file_is_dir(below) &&
			 (is_yaml(entries.items[i]) || !strchr(entries.items[i], '.')))
			rc = read_vars_file(hosts, host, below, shown, err);
		free(below);
		free(shown);
	}
	strs_release(&entries);
	return rc;
}

/* One entry of host_vars: it is HOST, or HOST with an extension, of a host that is known. */
static int read_vars_entry(struct hosts *hosts, const char *dir, const char *entry,
			   const char *shown, struct err *err)
{
	char *host = strdup(entry), *full = path_join(dir, entry), *name = path_join(shown, entry);
	char *dot = host ? strrchr(host, '.') : NULL;
	int rc = 0;

	if (!host || !full || !name) {
		rc = err_nomem(err);
		goto out;
	}
	if (!hosts_find(hosts, host) && dot && is_yaml(host))
		*dot = '\0';
	if (!hosts_find(hosts, host))
		goto out;
	rc = file_is_dir(full) ? read_vars_folder(hosts, host, full, name, err)
			       : read_vars_file(hosts, host, full, name, err);
out:
	free(host);
	free(full);
	free(name);
	return rc;
}

/* Reads the folder once, whatever the number of hosts: most have no variables of their own. */
static int read_host_vars(struct hosts *hosts, const char *root, const char *beside,
			  struct err *err)
{
	char *shown = path_join(beside, "host_vars"), *full = shown ? path_join(root, shown) : NULL;
	struct strs entries = STRS_INIT;
	int rc = full ? list_folder(&entries, full, err) : err_nomem(err);

	for (size_t i = 0; i < entries.count && !rc; i++)
		rc = read_vars_entry(hosts, full, entries.items[i], shown, err);
	strs_release(&entries);
	free(shown);
	free(full);
	return rc;
}

int hosts_read(struct hosts *out, const char *root, const char *inventory, struct err *err)
{
	char *full = path_join(root, inventory), *beside = strdup(inventory);
	int rc = 0;

	*out = (struct hosts)HOSTS_INIT;
	if (!full || !beside) {
		rc = err_nomem(err);
	} else if (!file_exists(full)) {
		rc = err_set(err, ERR_NOENT, "%s: %s", inventory, strerror(ENOENT));
	} else {
		char *slash = file_is_dir(full) ? NULL : strrchr(beside, '/');

		if (slash)
			*slash = '\0';
		else if (!file_is_dir(full))
			beside[0] = '\0';
		rc = read_path(out, full, inventory, 0, err);
		if (!rc)
			rc = read_host_vars(out, root, beside, err);
	}
	free(full);
	free(beside);
	if (rc)
		hosts_release(out);
	return rc;
}
