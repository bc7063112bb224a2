/* SPDX-License-Identifier: PostgreSQL */
/*
 * The hosts of an Ansible inventory with their addresses (ansible_host), read natively. The
 * authority on inventories is ansible-inventory, which takes half a second: what is read here only
 * gives endpoints their default addresses, and a chain's description without servers its hosts.
 *
 * Read are YAML and INI files and folders of these (as Ansible does: every file but hidden ones,
 * those with an ignored extension, group_vars and host_vars, in the order of their names), ranges
 * "db[01:03]", and host_vars/HOST, HOST.yml, HOST.yaml, HOST.json and HOST/… beside the inventory.
 * Not read: inventory scripts and plug-ins, group variables, vaults, YAML aliases. A value with a
 * template in it counts as not given: the address is then the host's name.
 */
#ifndef INVENTORY_HOSTS_H
#define INVENTORY_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/strs.h"

#define HOSTS_MAX      200000
#define HOSTS_TEXT_MAX ((size_t)64 << 20) /* of one file */

struct host {
	char *name;
	char *address; /* ansible_host, else the name */
	bool top;      /* in a group directly below "all", or from INI: those chainsmith takes */
};

struct hosts {
	struct host *items; /* in the order in which they were found first */
	size_t count;
	size_t cap;
	struct strmap index;
	struct strs passed_over; /* "FILE: why", for files that could not be read as an inventory */
};

#define HOSTS_INIT                                                                                 \
	{                                                                                          \
		NULL, 0, 0, STRMAP_INIT, STRS_INIT                                                 \
	}

/*
 * inventory: a file or folder, relative to root. ERR_NOENT where it is missing; a file that cannot
 * be understood is in passed_over and no error.
 */
int hosts_read(struct hosts *out, const char *root, const char *inventory, struct err *err);
const struct host *hosts_find(const struct hosts *hosts, const char *name); /* NULL: not there */
void hosts_release(struct hosts *hosts);

#endif
