/* SPDX-License-Identifier: PostgreSQL */
/*
 * The few settings of Ansible that say where vault passwords are, from the environment and from
 * ansible.cfg (Python's configparser, with ';' for comments at the end of a line). Internal to the
 * room. Sources: ansible/config/manager.py, ansible/config/base.yml of ansible-core 2.14.
 */
#ifndef VAULT_ANSIBLE_CFG_H
#define VAULT_ANSIBLE_CFG_H

#include "base/err.h"
#include "base/strs.h"

enum ansible_key {
	ANSIBLE_PASSWORD_FILE,
	ANSIBLE_IDENTITY_LIST,
	ANSIBLE_IDENTITY,
	ANSIBLE_ENCRYPT_IDENTITY,
	ANSIBLE_ID_MATCH,
	ANSIBLE_KEY__MAX
};

struct ansible_value {
	char *text;   /* NULL where it is not set */
	char *origin; /* "ANSIBLE_VAULT_PASSWORD_FILE", "vault_password_file in /repo/ansible.cfg"
		       */
	char *base;   /* the folder where a relative path of type "path" starts */
};

struct ansible_cfg {
	char *path; /* of the ansible.cfg that counts; NULL where there is none */
	struct ansible_value values[ANSIBLE_KEY__MAX];
	struct strs looked_at; /* for the hint where nothing is set */
};

/* dir: Ansible's working directory. ERR_USAGE where ansible.cfg cannot be understood. */
int ansible_cfg_load(struct ansible_cfg *out, const char *dir, struct err *err);
void ansible_cfg_release(struct ansible_cfg *cfg);

/*
 * An absolute path: {{CWD}}, $VARIABLES and ~ are expanded, relative ones start at base, and "."
 * and ".." are taken out by name (links are not followed). cwd is what {{CWD}} stands for. free()
 * it; NULL when out of memory.
 */
char *ansible_path(const char *value, const char *base, const char *cwd);

#endif
