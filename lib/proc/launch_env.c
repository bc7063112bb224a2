/* SPDX-License-Identifier: PostgreSQL */
/* Which program, and with which environment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strs.h"
#include "proc/launch.h"

extern char **environ;

static bool is_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		err_ail(errno, "cannot look at %s", path);
		return false;
	}
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static const char *package_hint(const char *program)
{
	static const struct {
		const char *prefix, *hint;
	} known[] = {
		{"ansible", "install Ansible (Debian: apt install ansible; or pipx install "
			    "ansible-core), or put it into PATH"},
		{"git", "install git (Debian: apt install git), or put it into PATH"},
		{"ssh", "install the OpenSSH client (Debian: apt install openssh-client)"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_starts(program, known[i].prefix))
			return known[i].hint;
	}
	return "install it, or put its directory into PATH";
}

int child_find(char **out, const char *program, struct err *err)
{
	const char *path = getenv("PATH");
	const char *end;

	*out = NULL;
	if (strchr(program, '/')) {
		*out = strdup(program);
		return *out ? 0 : err_nomem(err);
	}
	for (path = path ? path : "/usr/local/bin:/usr/bin:/bin"; *path;
	     path = *end ? end + 1 : end) {
		char *full;

		end = strchrnul(path, ':');
		if (*path != '/')
			continue;
		full = str_fmt("%.*s/%s", (int)(end - path), path, program);
		if (!full)
			return err_nomem(err);
		if (is_program(full)) {
			*out = full;
			return 0;
		}
		free(full);
	}
	err_set(err, ERR_NOENT, "%s was not found in PATH", program);
	return err_hint(err, "%s", package_hint(program));
}

static size_t name_len(const char *entry)
{
	return (size_t)(strchrnul(entry, '=') - entry);
}

/* Whether one of the list is about the same variable. */
static bool names(const char *const *list, const char *entry)
{
	size_t len = name_len(entry);

	for (; list && *list; list++) {
		if (name_len(*list) == len && memcmp(*list, entry, len) == 0)
			return true;
	}
	return false;
}

int launch_environment(char ***out, const struct child_spec *spec, struct err *err)
{
	struct strs env = STRS_INIT;
	int rc = 0;

	*out = NULL;
	for (char **at = environ; at && *at && !rc; at++) {
		if (!names(spec->env_set, *at) && !names(spec->env_unset, *at))
			rc = strs_add(&env, *at, err);
	}
	for (const char *const *at = spec->env_set; at && *at && !rc; at++)
		rc = strs_add(&env, *at, err);
	if (!rc && !env.items) {
		env.items = calloc(1, sizeof(*env.items));
		rc = env.items ? 0 : err_nomem(err);
	}
	if (rc) {
		strs_release(&env);
		return rc;
	}
	*out = env.items;
	return 0;
}

void launch_environment_free(char **env)
{
	for (char **at = env; at && *at; at++)
		free(*at);
	free(env);
}
