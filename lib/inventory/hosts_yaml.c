/* SPDX-License-Identifier: PostgreSQL */
/*
 * YAML inventories, as ansible-core's plugins/inventory/yaml.py reads them: groups with "hosts",
 * "children" and "vars", and files of host variables.
 */
#include "inventory/hosts_read.h"

#include <string.h>
#include "inventory/yaml.h"

static const char *address_in(const struct yaml *yaml, const struct yaml_node *vars)
{
	static const char *const keys[] = {"ansible_host", "ansible_ssh_host"};

	for (size_t i = 0; i < 2; i++) {
		const struct yaml_node *node = yaml_get(yaml, vars, keys[i]);

		if (node && node->kind == YAML_KIND_SCALAR && !node->tag && !yaml_is_null(node))
			return node->value;
	}
	return NULL;
}

static int add_hosts(struct hosts *hosts, const struct yaml *yaml, const struct yaml_node *list,
		     bool top, struct err *err)
{
	int rc = 0;

	if (yaml_is_null(list))
		return 0;
	/* Ansible takes "hosts: db1" as one host, and a list as well in older releases */
	if (list->kind == YAML_KIND_SCALAR)
		return hosts_add(hosts, list->value, NULL, top, err);
	for (const struct yaml_node *m = list->first; m && !rc; m = m->next) {
		if (list->kind == YAML_KIND_MAPPING)
			rc = hosts_add(hosts, m->key->value, address_in(yaml, m), top, err);
		else if (m->kind == YAML_KIND_SCALAR)
			rc = hosts_add(hosts, m->value, NULL, top, err);
	}
	return rc;
}

/* depth: 0 for the file's own groups ("all"), 1 for the groups directly below them, and so on. */
static int add_group(struct hosts *hosts, const struct yaml *yaml, const struct yaml_node *group,
		     unsigned depth, struct err *err)
{
	const struct yaml_node *children = yaml_get(yaml, group, "children");
	bool top = depth == 1 || (depth == 0 && strcmp(group->key->value, "all") != 0);
	int rc = add_hosts(hosts, yaml, yaml_get(yaml, group, "hosts"), top, err);

	/* nesting is bounded by YAML_DEPTH_MAX */
	if (children && children->kind == YAML_KIND_MAPPING) {
		for (const struct yaml_node *m = children->first; m && !rc; m = m->next)
			rc = add_group(hosts, yaml, m, depth + 1, err);
	}
	return rc;
}

int hosts_read_yaml(struct hosts *hosts, const char *text, size_t len, const char *name,
		    struct err *err)
{
	const struct yaml_node *root;
	struct yaml *yaml = NULL;
	int rc = yaml_parse(&yaml, text, len, name, NULL, err);

	if (rc)
		return err_blame(err, rc, ERR_USAGE);
	root = yaml_root(yaml);
	if (root && root->kind != YAML_KIND_MAPPING)
		rc = yaml_err(yaml, root, ERR_USAGE, err, "expected a mapping of groups");
	else if (yaml_get(yaml, root, "plugin"))
		rc = yaml_err(yaml, root, ERR_USAGE, err,
			      "a dynamic inventory is only known to Ansible itself");
	for (const struct yaml_node *m = root ? root->first : NULL; m && !rc; m = m->next) {
		rc = add_group(hosts, yaml, m, 0, err);
		if (rc)
			(void)err_prefix(err, "%s", name);
	}
	yaml_drop(yaml);
	return rc;
}

int hosts_read_vars(struct hosts *hosts, const char *host, const char *text, size_t len,
		    const char *name, struct err *err)
{
	const char *address;
	struct yaml *yaml = NULL;
	int rc = yaml_parse(&yaml, text, len, name, NULL, err);

	if (rc)
		return rc;
	address = address_in(yaml, yaml_root(yaml));
	/* the host's name is no pattern here: it is known already */
	if (address && hosts_find(hosts, host))
		rc = hosts_add(hosts, host, address, false, err);
	yaml_drop(yaml);
	return rc;
}
