/* SPDX-License-Identifier: PostgreSQL */
/*
 * One run of ansible-playbook, and what came of it host by host. Ansible's exit code alone does
 * not say: it is 0 where the inventory is empty or no host matched, so the hosts of the recap
 * count (ansible-core 2.14, plugins/callback/default.py prints it).
 *
 * The output goes through filter.h before anybody sees it. Diff mode is off, Ansible's own log is
 * off, and its temporary folder is a private one on a memory file system where there is one: it
 * holds the decrypted vault for a while. ANSIBLE_* that the operator set otherwise stay.
 */
#ifndef PROC_ANSIBLE_H
#define PROC_ANSIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/log.h"
#include "base/strs.h"
#include "base/sys.h"
#include "proc/loop.h"

#define ANSIBLE_DEADLINE_S 3600
#define ANSIBLE_GRACE_MS   10000
#define ANSIBLE_HOSTS_MAX  100000
#define ANSIBLE_TEXT_MAX   400 /* of a task's name or a message that is kept */

/* All borrowed; zero or NULL where not needed. */
struct ansible_spec {
	const char *program;   /* NULL: ansible-playbook in PATH */
	const char *directory; /* of the repository: the working directory */
	const char *inventory; /* for -i; relative to directory, as the playbook */
	const char *playbook;
	const char *tags; /* "a,b" */
	const char *skip_tags;
	const char *limit;
	const struct strs *extra_args;
	const char *const *vars;   /* "name=value", as extra variables (strings); NULL at the end */
	const char *const *env;	   /* "NAME=value", over everything else; NULL at the end */
	const struct strs *hidden; /* names of variables that it does not get */
	const char *vault_password_file; /* a file or executable; NULL: as Ansible finds it */
	mode_t umask;			 /* for what it makes here; 0: 022 */
	int64_t deadline_s;		 /* 0: ANSIBLE_DEADLINE_S */
	/* Gets the filtered output, 256 MiB of it; made with mode 0600, its directories with 0700.
	 */
	const char *log_path;
	const char *title;	/* for progress: "rollout"; NULL: the playbook's name */
	size_t hosts;		/* how many are expected, for progress; 0: not known */
	bool may_miss;		/* no error where none of its hosts is within the limit */
	bool color;		/* the output goes to a terminal */
	bool terminal;		/* Ansible may ask there (--ask-become-pass): see child.h */
	bool finishes;		/* a first stop request does not end it: see child.h */
	const struct log *log;	/* output and progress */
	struct sys *sys;	/* NULL: the machine's */
	struct loop_stop *stop; /* NULL: cannot be stopped */
};

struct ansible_host {
	char *name;
	unsigned ok, changed, unreachable, failed, skipped, rescued, ignored;
	char *task;    /* where it failed last; "" where it did not */
	char *message; /* what was said about that, one line, filtered; "" for nothing */
};

struct ansible_result {
	struct ansible_host *hosts; /* those of the recap, sorted by name */
	size_t count;
	int exit_code;
	int64_t ms;
	size_t keys_removed; /* private keys that the filter took out of the output */
};

/*
 * 0 where Ansible exited with 0, at least one host was reached (or may_miss), and none failed or
 * was unreachable. Otherwise ERR_FAIL with the hosts' names, the tasks and reasons, and the log's
 * path as hint; ERR_NOENT where Ansible is not installed; ERR_STOPPED. The result holds what is
 * known in each case: release it always.
 */
int ansible_run(struct ansible_result *out, const struct ansible_spec *spec, struct err *err);
/*
 * Whether ansible-playbook takes this playbook with this inventory, and has a host for it: with
 * --list-hosts, so nothing is contacted or run. Passed over where extra_args ask for a password.
 * ERR_FAIL with the file and line that Ansible names, ERR_NOENT where it is not installed.
 */
int ansible_check(const struct ansible_spec *spec, struct err *err);
void ansible_result_release(struct ansible_result *result);
/* Names of those that failed, or were unreachable; sorted. */
int ansible_failed(struct strs *out, const struct ansible_result *result, struct err *err);
const struct ansible_host *ansible_host(const struct ansible_result *result, const char *name);

#endif
