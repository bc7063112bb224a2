/* SPDX-License-Identifier: PostgreSQL */
/* What Ansible thinks of a playbook and its inventory, before anything depends on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/ansible.h"
#include "proc/ansible_args.h"
#include "proc/ansible_say.h"
#include "proc/child.h"
#include "proc/filter.h"
#include "proc/recap.h"
#include "proc/scratch.h"

#define CHECK_DEADLINE_S 300
#define OUTPUT_MAX	 ((size_t)16 << 20)
#define REASON_MAX	 300

/* It would ask for a password, which a look is not worth. */
static bool asks(const struct strs *args)
{
	for (size_t i = 0; args && i < args->count; i++) {
		const char *arg = args->items[i];

		if (str_starts(arg, "--ask") ||
		    (arg[0] == '-' && arg[1] != '-' &&
		     strspn(arg + 1, "vbCkKJ") == strlen(arg + 1) && strpbrk(arg, "kKJ")))
			return true;
	}
	return false;
}

static int run_it(struct child_result *result, struct buf *out, const struct ansible_spec *spec,
		  struct err *err)
{
	struct strs args = STRS_INIT, set = STRS_INIT, unset = STRS_INIT, extra = STRS_INIT;
	struct ansible_spec look = *spec;
	struct scratch scratch = {0};
	struct child_spec child = {.cwd = spec->directory,
				   .out = {.buf = out},
				   .err_to_out = true,
				   .umask = spec->umask ? spec->umask : 022,
				   .guard = true,
				   .deadline_ms = (int64_t)CHECK_DEADLINE_S * 1000,
				   .sys = spec->sys,
				   .stop = spec->stop};
	int rc = spec->extra_args ? strs_copy(&extra, spec->extra_args, err) : 0;

	look.extra_args = &extra;
	look.color = false;
	rc = rc ? rc : strs_add(&extra, "--list-hosts", err);
	rc = rc ? rc : ansible_args(&args, &look, err);
	rc = rc ? rc : scratch_make(&scratch, err);
	rc = rc ? rc : ansible_env(&set, &unset, &look, scratch.path, err);
	child.guard_removes = scratch.path;
	child.argv = (const char *const *)args.items;
	child.env_set = (const char *const *)set.items;
	child.env_unset = (const char *const *)unset.items;
	rc = rc ? rc : child_run(result, &child, err);
	scratch_remove(&scratch);
	strs_release(&args);
	strs_release(&set);
	strs_release(&unset);
	strs_release(&extra);
	return rc;
}

/* The sum of "hosts (2):" over the plays. */
static unsigned long hosts_of(const char *text)
{
	unsigned long count = 0;

	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		const char *line = at + strspn(at, " ");

		if (str_starts(line, "hosts ("))
			count += strtoul(line + 7, NULL, 10);
	}
	return count;
}

/* "FILE:LINE" of "The error appears to be in 'PATH': line 8, column 2"; "" where there is none. */
static void place_of(char *out, size_t size, const char *text, const char *directory)
{
	static const char mark[] = "The error appears to be in '";
	const char *path = strstr(text, mark), *end;
	size_t root = strlen(directory);

	out[0] = '\0';
	path = path ? path + sizeof(mark) - 1 : NULL;
	end = path ? strstr(path, "': line ") : NULL;
	if (!end || memchr(path, '\n', (size_t)(end - path)))
		return;
	if (!strncmp(path, directory, root) && path[root] == '/')
		path += root + 1;
	(void)snprintf(out, size, "%.*s:%lu", (int)(end - path), path, strtoul(end + 8, NULL, 10));
}

/* libyaml's own words where YAML is what is wrong: Ansible's first line does not have them. */
static void reason_of(char *out, size_t size, const char *text, const char *first)
{
	static const char mark[] = "Syntax Error while loading YAML.\n";
	const char *said = strstr(text, mark);

	said = said ? said + sizeof(mark) - 1 : first;
	said += strspn(said, " \n");
	(void)snprintf(out, size, "%.*s", (int)strcspn(said, "\n"), said);
}

static int say_failed(const struct ansible_spec *spec, const struct child_result *result,
		      const char *text, struct err *err)
{
	struct ansible_result nobody = {.exit_code = result->code};
	struct ansible_spec quiet = *spec;
	char place[512], reason[REASON_MAX];
	struct recap recap;
	int rc;

	recap_init(&recap);
	recap_feed(&recap, text, strlen(text));
	recap_end(&recap);
	quiet.log_path = NULL;
	rc = ansible_say(&nobody, &quiet, result, &recap, err);
	if (recap.error[0] && !recap.vault) {
		place_of(place, sizeof(place), text, spec->directory);
		reason_of(reason, sizeof(reason), text, recap.error);
		err_set(err, ERR_FAIL, "%s: ansible-playbook refuses %s: %s",
			place[0] ? place : spec->inventory, spec->playbook, reason);
	}
	recap_release(&recap);
	return err && !err->hint[0]
		       ? err_hint(err,
				  "nothing was changed; see it whole with 'ansible-playbook -i %s "
				  "--list-hosts %s'",
				  spec->inventory, spec->playbook)
		       : rc;
}

int ansible_check(const struct ansible_spec *spec, struct err *err)
{
	struct child_result result;
	struct buf out, text;
	int rc;

	if (asks(spec->extra_args))
		return 0;
	buf_init(&out, OUTPUT_MAX);
	buf_init(&text, OUTPUT_MAX);
	rc = run_it(&result, &out, spec, err);
	if (!rc)
		filter_text(&text, out.data, out.len);
	if (!rc && result.code)
		rc = say_failed(spec, &result, text.data, err);
	else if (!rc && !hosts_of(text.data)) {
		err_set(err, ERR_FAIL, "%s: it has no host of %s%s%s", spec->playbook,
			spec->inventory, spec->limit ? ", limited to " : "",
			spec->limit ? spec->limit : "");
		rc = err_hint(err,
			      "nothing was changed; compare its hosts: with the groups that "
			      "'ansible-inventory -i %s --graph' shows",
			      spec->inventory);
	}
	buf_release(&out);
	buf_release(&text);
	return rc;
}
