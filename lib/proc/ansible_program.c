/* SPDX-License-Identifier: PostgreSQL */
/*
 * How ansible-playbook is started, so that a pipe gets what it prints when it prints it. Python
 * keeps output for a pipe back, and Ansible does not flush (utils/display.py of 2.14).
 *
 * PYTHONUNBUFFERED would do it, and is inherited: where a module runs on this machine (connection
 * local, delegate_to) and comes through a pipe to its own Python, that one then reads its program
 * byte by byte (CPython, Python/initconfig.c: config_init_stdio takes stdin's buffer away too),
 * which takes each module 0.05 s of a processor. The option -u is for one interpreter alone.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/ansible_args.h"
#include "proc/child.h"

#define FIRST_LINE_MAX 256 /* of what Linux looks at: BINPRM_BUF_SIZE, execve(2) */

/* The words of a script's first line: the interpreter and, where it has one, its only argument. */
struct shebang {
	char line[FIRST_LINE_MAX + 1];
	const char *interpreter, *argument;
};

static bool read_line(struct shebang *out, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : pread(fd, out->line, FIRST_LINE_MAX, 0);
	char *end;

	if (fd >= 0)
		(void)close(fd);
	if (got < 3 || memcmp(out->line, "#!", 2) != 0)
		return false;
	out->line[got] = '\0';
	end = strchr(out->line, '\n');
	if (!end)
		return false;
	while (end > out->line && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return true;
}

static bool is_python(const char *program)
{
	const char *slash = strrchr(program, '/');

	return str_starts(slash ? slash + 1 : program, "python");
}

/* Whether Python runs the script: "#!/venv/bin/python3 -sP", "#!/usr/bin/env python3". */
static bool read_shebang(struct shebang *out, const char *path)
{
	char *at;

	if (!read_line(out, path))
		return false;
	at = out->line + 2;
	at += strspn(at, " \t");
	out->interpreter = at;
	at += strcspn(at, " \t");
	if (*at)
		*at++ = '\0';
	at += strspn(at, " \t");
	out->argument = *at ? at : NULL;
	if (access(out->interpreter, X_OK) != 0)
		return false; /* execve of the script itself says so, and we then what is missing */
	if (is_python(out->interpreter))
		return true;
	return str_ends(out->interpreter, "/env") && out->argument && is_python(out->argument);
}

static int add_call(struct strs *out, const struct shebang *shebang, const char *path,
		    const struct strs *args, struct err *err)
{
	int rc = strs_add(out, shebang->interpreter, err);

	if (!rc && shebang->argument)
		rc = strs_add(out, shebang->argument, err);
	rc = rc ? rc : strs_add(out, "-u", err);
	rc = rc ? rc : strs_add(out, path, err);
	for (size_t i = 1; i < args->count && !rc; i++)
		rc = strs_add(out, args->items[i], err);
	return rc;
}

int ansible_program(struct strs *out, struct strs *set, const struct strs *args, struct err *err)
{
	struct shebang shebang;
	char *path = NULL;
	int rc = child_find(&path, args->items[0], err);

	if (!rc && read_shebang(&shebang, path))
		rc = add_call(out, &shebang, path, args, err);
	else if (!rc) {
		rc = strs_copy(out, args, err);
		rc = rc ? rc : ansible_set(set, "PYTHONUNBUFFERED=1", err);
	}
	free(path);
	return rc;
}
