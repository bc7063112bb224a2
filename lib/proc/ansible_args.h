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

/* Adds "NAME=value", unless the caller has set that one: what the caller says goes before. */
int ansible_set(struct strs *set, const char *setting, struct err *err);
/*
 * What to execute for args (of ansible_args), so that its output is not kept back; adds to set what
 * has to be in the environment for it. ERR_NOENT where there is no such program.
 */
int ansible_program(struct strs *out, struct strs *set, const struct strs *args, struct err *err);

#endif
