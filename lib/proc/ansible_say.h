/* SPDX-License-Identifier: PostgreSQL */
/* Within the room: whether a run went well, and the message where it did not. */
#ifndef PROC_ANSIBLE_SAY_H
#define PROC_ANSIBLE_SAY_H

#include "proc/ansible.h"
#include "proc/child.h"
#include "proc/recap.h"

int ansible_say(const struct ansible_result *result, const struct ansible_spec *spec,
		const struct child_result *child, const struct recap *recap, struct err *err);

#endif
