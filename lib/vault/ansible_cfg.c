/* SPDX-License-Identifier: PostgreSQL */
#include "vault/ansible_cfg.h"

#include <errno.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define CFG_MAX	     ((size_t)1 << 20)
#define SYSTEM_CFG   "/etc/ansible/ansible.cfg"
#define SECTION_SIZE 64

static const struct {
	const char *env;
	const char *key;
} names[ANSIBLE_KEY__MAX] = {
	[ANSIBLE_PASSWORD_FILE] = {"ANSIBLE_VAULT_PASSWORD_FILE", "vault_password_file"},
	[ANSIBLE_IDENTITY_LIST] = {"ANSIBLE_VAULT_IDENTITY_LIST", "vault_identity_list"},
	[ANSIBLE_IDENTITY] = {"ANSIBLE_VAULT_IDENTITY", "vault_identity"},
	[ANSIBLE_ENCRYPT_IDENTITY] = {"ANSIBLE_VAULT_ENCRYPT_IDENTITY", "vault_encrypt_identity"},
	[ANSIBLE_ID_MATCH] = {"ANSIBLE_VAULT_ID_MATCH", "vault_id_match"},
};

static int set_value(struct ansible_cfg *cfg, enum ansible_key key, const char *text, size_t len,
		     const char *origin, const char *base, struct err *err)
{
	struct ansible_value *value = &cfg->values[key];

	free(value->text);
	free(value->origin);
	free(value->base);
	value->text = strndup(text, len);
	value->origin = strdup(origin);
	value->base = strdup(base);
	return value->text && value->origin && value->base ? 0 : err_nomem(err);
}

/* Where the line stands in the file: a value belongs to a key, a key to a section. */
struct ini {
	struct ansible_cfg *cfg;
	const char *path;
	size_t line;
	char section[SECTION_SIZE]; /* "" before the first */
	size_t indent;		    /* of the last key or section */
	enum ansible_key key;	    /* of the value that the next line may go on with */
	bool in_value;		    /* some key came before in this section */
	bool ours;		    /* and it is one of names[] */
	struct buf value;
};

static int flush_value(struct ini *ini, struct err *err)
{
	char *origin = NULL;
	char *base = NULL;
	const char *slash = strrchr(ini->path, '/');
	int rc;

	if (!ini->ours)
		return 0;
	ini->ours = false;
	while (ini->value.len && isspace((unsigned char)ini->value.data[ini->value.len - 1]))
		ini->value.data[--ini->value.len] = '\0';
	rc = buf_check(&ini->value, ini->path, err);
	if (rc)
		return rc;
	origin = str_fmt("%s in %s", names[ini->key].key, ini->path);
	base = strndup(ini->path, slash > ini->path ? (size_t)(slash - ini->path) : 1);
	rc = origin && base ? set_value(ini->cfg, ini->key, ini->value.data, ini->value.len, origin,
					base, err)
			    : err_nomem(err);
	free(origin);
	free(base);
	return rc;
}

/* The length without a comment that begins with ';' after a blank, and without blanks at the end.
 */
static size_t strip_end(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (line[i] == ';' && (i == 0 || isspace((unsigned char)line[i - 1]))) {
			len = i;
			break;
		}
	}
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	return len;
}

static int begin_key(struct ini *ini, const char *text, size_t len, struct err *err)
{
	size_t key_len = 0, at;

	while (key_len < len && text[key_len] != '=' && text[key_len] != ':')
		key_len++;
	at = key_len + 1;
	while (key_len && isspace((unsigned char)text[key_len - 1]))
		key_len--;
	if (at > len || !key_len)
		return err_set(err, ERR_USAGE, "%s:%zu: neither a section nor 'key = value'",
			       ini->path, ini->line);
	while (at < len && isspace((unsigned char)text[at]))
		at++;
	ini->in_value = true;
	for (size_t k = 0; k < ANSIBLE_KEY__MAX && !strcmp(ini->section, "defaults"); k++) {
		if (strlen(names[k].key) != key_len ||
		    strncasecmp(names[k].key, text, key_len) != 0)
			continue;
		ini->key = (enum ansible_key)k;
		ini->ours = true;
		buf_reset(&ini->value);
		buf_add(&ini->value, text + at, len - at);
	}
	return 0;
}

static int begin_section(struct ini *ini, const char *text, size_t len)
{
	size_t end = len;

	while (end && text[end - 1] != ']')
		end--;
	if (end < 3 || end - 2 >= SECTION_SIZE)
		return -1;
	memcpy(ini->section, text + 1, end - 2);
	ini->section[end - 2] = '\0';
	ini->in_value = false;
	return 0;
}

static int ini_line(struct ini *ini, const char *line, size_t len, struct err *err)
{
	size_t indent = 0;
	int rc;

	ini->line++;
	while (indent < len && isspace((unsigned char)line[indent]))
		indent++;
	if (indent < len && (line[indent] == '#' || line[indent] == ';'))
		return 0;
	len = strip_end(line, len);
	if (indent >= len)
		return 0;
	if (ini->in_value && indent > ini->indent) {
		if (ini->ours) {
			buf_addc(&ini->value, '\n');
			buf_add(&ini->value, line + indent, len - indent);
		}
		return 0;
	}
	rc = flush_value(ini, err);
	if (rc)
		return rc;
	ini->indent = indent;
	if (line[indent] == '[' && begin_section(ini, line + indent, len - indent) == 0)
		return 0;
	if (!ini->section[0])
		return err_set(err, ERR_USAGE, "%s:%zu: the first line must be a [section]",
			       ini->path, ini->line);
	return begin_key(ini, line + indent, len - indent, err);
}

static int parse_file(struct ansible_cfg *cfg, struct err *err)
{
	struct ini ini = {.cfg = cfg, .path = cfg->path};
	struct buf text;
	size_t at = 0;
	int rc;

	buf_init(&text, CFG_MAX);
	buf_init(&ini.value, CFG_MAX);
	rc = file_read(&text, cfg->path, CFG_MAX, err);
	while (!rc && at < text.len) {
		const char *end = memchr(text.data + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.data) - at : text.len - at;

		rc = ini_line(&ini, text.data + at, len, err);
		at += len + 1;
	}
	if (!rc)
		rc = flush_value(&ini, err);
	buf_release(&ini.value);
	buf_release(&text);
	return rc;
}

/* Takes path over. 1 where this is the file that counts. */
static int consider(struct ansible_cfg *cfg, char *path, struct err *err)
{
	int rc;

	if (!path)
		return err_nomem(err);
	if (access(path, R_OK) == 0) {
		cfg->path = path;
		return 1;
	}
	err_ail(errno, "cannot look at %s", path);
	rc = strs_addf(&cfg->looked_at, err, "%s (not there)", path);
	free(path);
	return rc;
}

static int consider_env(struct ansible_cfg *cfg, const char *dir, struct err *err)
{
	const char *value = getenv("ANSIBLE_CONFIG");
	char *path, *inside;

	if (!value)
		return 0;
	path = ansible_path(value, dir, dir);
	if (path && file_is_dir(path)) {
		inside = path_join(path, "ansible.cfg");
		free(path);
		path = inside;
	}
	return consider(cfg, path, err);
}

static int consider_dir(struct ansible_cfg *cfg, const char *dir, struct err *err)
{
	struct stat st;

	if (stat(dir, &st) < 0) {
		err_ail(errno, "cannot look at %s", dir);
		return 0;
	}
	if (st.st_mode & S_IWOTH)
		return strs_addf(
			&cfg->looked_at, err,
			"%s/ansible.cfg (passed over, as Ansible does: everybody may write "
			"to the folder)",
			dir);
	return consider(cfg, path_join(dir, "ansible.cfg"), err);
}

static int find_file(struct ansible_cfg *cfg, const char *dir, struct err *err)
{
	int rc = consider_env(cfg, dir, err);

	if (!rc)
		rc = consider_dir(cfg, dir, err);
	if (!rc)
		rc = consider(cfg, ansible_path("~/.ansible.cfg", dir, dir), err);
	if (!rc)
		rc = consider(cfg, strdup(SYSTEM_CFG), err);
	if (rc != 1)
		return rc;
	if (!str_ends(cfg->path, ".cfg") && !str_ends(cfg->path, ".ini"))
		return err_set(err, ERR_USAGE,
			       "%s: Ansible reads a configuration from .cfg and .ini files only",
			       cfg->path);
	return parse_file(cfg, err);
}

int ansible_cfg_load(struct ansible_cfg *out, const char *dir, struct err *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = find_file(out, dir, err);
	for (size_t k = 0; k < ANSIBLE_KEY__MAX && !rc; k++) {
		const char *text = getenv(names[k].env);

		if (text)
			rc = set_value(out, (enum ansible_key)k, text, strlen(text), names[k].env,
				       dir, err);
	}
	if (!rc && out->path)
		rc = strs_addf(&out->looked_at, err, "%s (sets neither)", out->path);
	if (rc)
		ansible_cfg_release(out);
	return rc;
}

void ansible_cfg_release(struct ansible_cfg *cfg)
{
	for (size_t k = 0; k < ANSIBLE_KEY__MAX; k++) {
		free(cfg->values[k].text);
		free(cfg->values[k].origin);
		free(cfg->values[k].base);
	}
	free(cfg->path);
	strs_release(&cfg->looked_at);
	memset(cfg, 0, sizeof(*cfg));
}
