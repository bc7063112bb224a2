/* SPDX-License-Identifier: PostgreSQL */
#include "proc/ansible_say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAILED_MAX 3 /* hosts whose reason is told */
#define NAMED_MAX    10
#define REASON_MAX   300

static bool went_wrong(const struct ansible_host *host)
{
	return host->failed || host->unreachable;
}

int ansible_failed(struct strs *out, const struct ansible_result *result, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < result->count && !rc; i++) {
		if (went_wrong(&result->hosts[i]))
			rc = strs_add(out, result->hosts[i].name, err);
	}
	return rc;
}

static int by_name(const void *key, const void *member)
{
	return strcmp(key, ((const struct ansible_host *)member)->name);
}

const struct ansible_host *ansible_host(const struct ansible_result *result, const char *name)
{
	if (!result->count)
		return NULL;
	return bsearch(name, result->hosts, result->count, sizeof(*result->hosts), by_name);
}

static void say_host(struct buf *text, const struct ansible_host *host)
{
	if (text->len)
		buf_adds(text, "; ");
	if (host->unreachable)
		buf_addf(text, "unreachable: %s", host->name);
	else
		buf_addf(text, "failed on %s", host->name);
	if (host->task[0] && !host->unreachable)
		buf_addf(text, " (task '%.100s')", host->task);
	if (host->message[0])
		buf_addf(text, ": %.*s", REASON_MAX, host->message);
}

static void say_others(struct buf *text, const struct strs *others)
{
	char names[512];

	if (!others->count)
		return;
	strs_join(others, NAMED_MAX, names, sizeof(names));
	buf_addf(text, "; also %s", names);
}

static int say_hosts(const struct ansible_result *result, const struct ansible_spec *spec,
		     struct err *err)
{
	struct strs others = STRS_INIT;
	struct buf text;
	size_t told = 0;

	buf_init(&text, sizeof(err->msg));
	for (size_t i = 0; i < result->count; i++) {
		const struct ansible_host *host = &result->hosts[i];

		if (!went_wrong(host))
			continue;
		if (told++ < DETAILED_MAX)
			say_host(&text, host);
		else
			(void)strs_add(&others, host->name, NULL);
	}
	say_others(&text, &others);
	err_set(err, ERR_FAIL, "%s: %s", spec->playbook, text.data);
	strs_release(&others);
	buf_release(&text);
	return ERR_FAIL;
}

static int say_nobody(const struct ansible_spec *spec, const struct recap *recap, struct err *err)
{
	if (!recap->seen_recap)
		return err_set(err, ERR_FAIL,
			       "%s: ansible ended without its recap: what it did is not known",
			       spec->playbook);
	err_set(err, ERR_FAIL, "%s: no host of %s was rolled out to%s%s", spec->playbook,
		spec->inventory, spec->limit ? ", limited to " : "",
		spec->limit ? spec->limit : "");
	return err_hint(err,
			"compare the playbook's hosts: with the groups of %s, and look at "
			"limit, tags and skip_tags",
			spec->inventory);
}

static int say_vault(const struct ansible_spec *spec, const struct recap *recap, struct err *err)
{
	err_set(err, ERR_FAIL, "%s: ansible cannot decrypt a vault%s%s", spec->playbook,
		recap->error[0] ? ": " : "", recap->error);
	return err_hint(err, "check the vault password: vault_password in certrotate.yml, "
			     "ANSIBLE_VAULT_PASSWORD_FILE, or vault_password_file in ansible.cfg");
}

static int say_exit(const struct ansible_spec *spec, const struct child_result *child,
		    const struct recap *recap, struct err *err)
{
	/* What it says behind output that nobody could read is not the cause. */
	if (recap->error[0] && !child->io_errno)
		return err_set(err, ERR_FAIL, "%s: ansible: %s", spec->playbook, recap->error);
	return child_check(child, spec->playbook, err);
}

/* Ended by us or by a signal: says in which task. */
static int say_ended(const struct ansible_spec *spec, const struct child_result *child,
		     const struct recap *recap, struct err *err)
{
	struct child_result bare = *child;
	char where[ANSIBLE_TEXT_MAX + 16] = "";

	bare.tail_len = 0; /* ordinary output: the task's name says more */
	bare.tail[0] = '\0';
	(void)child_check(&bare, spec->playbook, err);
	if (recap->task[0] && err) {
		size_t len = strlen(err->msg);

		(void)snprintf(where, sizeof(where), " in task '%.100s'", recap->task);
		(void)snprintf(err->msg + len, sizeof(err->msg) - len, "%s", where);
	}
	return child->end == CHILD_STOPPED ? ERR_STOPPED : ERR_FAIL;
}

static int say(const struct ansible_result *result, const struct ansible_spec *spec,
	       const struct child_result *child, const struct recap *recap, struct err *err)
{
	struct strs failed = STRS_INIT;
	size_t wrong;
	int rc = ansible_failed(&failed, result, err);

	wrong = failed.count;
	strs_release(&failed);
	if (rc)
		return rc;
	if (child->end != CHILD_EXITED)
		return say_ended(spec, child, recap, err);
	if (recap->vault && (child->code || wrong))
		return say_vault(spec, recap, err);
	if (wrong)
		return say_hosts(result, spec, err);
	if (child->code || child->io_errno)
		return say_exit(spec, child, recap, err);
	if (result->count || (spec->may_miss && recap->seen_recap))
		return 0;
	return say_nobody(spec, recap, err);
}

int ansible_say(const struct ansible_result *result, const struct ansible_spec *spec,
		const struct child_result *child, const struct recap *recap, struct err *err)
{
	int rc = say(result, spec, child, recap, err);

	if (rc && spec->log_path && err) {
		char hint[sizeof(err->hint)];

		(void)snprintf(hint, sizeof(hint), "%s", err->hint);
		err_hint(err, "%.500s%sthe whole output is in %s", hint, hint[0] ? "; " : "",
			 spec->log_path);
	}
	return rc;
}
