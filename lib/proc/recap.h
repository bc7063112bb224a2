/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reads what Ansible's default callback prints, line by line: the task under way, who is done with
 * it, what failed, and the recap. Takes filtered text without control sequences, in any pieces.
 */
#ifndef PROC_RECAP_H
#define PROC_RECAP_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/strs.h"
#include "proc/ansible.h"

#define RECAP_LINE_MAX ((size_t)256 << 10) /* what is longer is cut */

struct recap_host {
	struct ansible_host host;
	size_t done_task; /* the last task that it is done with */
	bool listed;	  /* by the recap */
};

struct recap {
	struct buf line;
	struct recap_host *hosts;
	size_t count, cap;
	struct strmap index;
	char task[ANSIBLE_TEXT_MAX];
	size_t task_number;
	size_t done, most; /* hosts done with this task; the most that any task had */
	bool in_recap, seen_recap;
	size_t open; /* 1 + the host whose failure goes on in the next lines; 0: none */
	bool vault;  /* an error that is about decryption */
	char error[ANSIBLE_TEXT_MAX * 2]; /* the last line that begins with "ERROR" */
	int rc;				  /* out of memory, or too many hosts */
};

void recap_init(struct recap *recap);
void recap_release(struct recap *recap);
void recap_feed(struct recap *recap, const char *data, size_t len);
void recap_end(struct recap *recap); /* an unfinished last line counts */
/* Hands the hosts of the recap over, sorted by name. */
int recap_take(struct ansible_result *out, struct recap *recap, struct err *err);

#endif
