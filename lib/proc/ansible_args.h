/* SPDX-License-Identifier: PostgreSQL */
/* Within the room: how ansible-playbook is called. */
#ifndef PROC_ANSIBLE_ARGS_H
#define PROC_ANSIBLE_ARGS_H

#include "base/strs.h"
#include "proc/ansible.h"

/* ERR_USAGE where the extra arguments would turn the diff mode on. */
int ansible_args(struct strs *out, const struct ansible_spec *spec, struct err *err);
/* What is set for Ansible, and the names of what is taken away. */
int ansible_env(struct strs *set, struct strs *unset, const struct ansible_spec *spec,
		const char *temp, struct err *err);

#endif
