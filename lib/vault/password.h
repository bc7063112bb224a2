/* SPDX-License-Identifier: PostgreSQL */
/*
 * Where vault passwords come from, found as ansible-core 2.14 finds them (ansible/config/manager.py
 * find_ini_config_file and resolve_path, ansible/cli/__init__.py setup_vault_secrets,
 * ansible/parsing/vault get_file_vault_secret):
 *
 *   1. certrotate.yml's vault_password, where it is set: that file alone
 *   2. ANSIBLE_VAULT_IDENTITY_LIST, else vault_identity_list in ansible.cfg: "label@path, path, …"
 *   3. ANSIBLE_VAULT_PASSWORD_FILE, else vault_password_file in ansible.cfg
 *
 * ansible.cfg is the first that can be read of ANSIBLE_CONFIG (a file or a folder), ansible.cfg in
 * the repository (not where everybody may write there), ~/.ansible.cfg, /etc/ansible/ansible.cfg.
 * Paths may begin with ~ and hold $VARIABLES; relative ones start at the folder of the ansible.cfg
 * for vault_password_file, at the repository otherwise. A file with an execute bit is run in the
 * repository and its output is the password: it may ask on the terminal, has 60 seconds, and gets
 * "--vault-id LABEL" where its name ends in -client.
 *
 * As with Ansible, a source that fails is passed over as long as another one gives a password.
 */
#ifndef VAULT_PASSWORD_H
#define VAULT_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/log.h"
#include "base/strs.h"
#include "base/sys.h"
#include "secret/arena.h"

struct vault_password {
	struct secret text; /* in the arena that was given; never empty */
	char *label;	    /* the vault id, "default" where none was given */
	char *path;	    /* absolute */
	char *origin;	    /* "/repo/.pass (vault_password_file in /repo/ansible.cfg)" */
};

struct vault_passwords {
	struct vault_password *items;
	size_t count;
	size_t cap;
	bool id_match; /* Ansible's vault_id_match: only the password of that label is tried */
	char *encrypt_label;	 /* Ansible's vault_encrypt_identity, NULL where it is not set */
	struct strs passed_over; /* sources that gave none, as sentences: worth a warning */
	/*
	 * What has to be added to ansible-playbook's arguments so that it uses the same passwords:
	 * empty where Ansible finds them by itself. Giving both makes ansible-vault encrypt fail.
	 */
	struct strs ansible_args;
};

#define VAULT_PASSWORDS_INIT                                                                       \
	{                                                                                          \
		.items = NULL, .count = 0                                                          \
	}

/*
 * dir: the repository, which is Ansible's working directory; absolute. explicit_path:
 * vault_password of certrotate.yml or NULL; relative to dir. What a script says on stderr goes to
 * log's output (log may be NULL), and it does not get the environment variables in hidden (may be
 * NULL). ERR_USAGE where nothing is configured (the hint lists the places
 * that were looked at) or a setting cannot be used; ERR_FAIL where each source fails; ERR_STOPPED.
 */
int vault_passwords_find(struct vault_passwords *out, struct arena *arena, const char *dir,
			 const char *explicit_path, const struct strs *hidden, struct sys *sys,
			 const struct log *log, struct err *err);

/* One more password, for tests and callers that have it already; label may be NULL (default). */
int vault_passwords_add(struct vault_passwords *list, struct arena *arena, const void *text,
			size_t len, const char *label, const char *origin, struct err *err);

/* What a new vault is encrypted with: encrypt_label's, else the first. NULL where there is none. */
const struct vault_password *vault_passwords_for_new(const struct vault_passwords *list);

void vault_passwords_release(struct vault_passwords *list); /* wipes the texts */

#endif
