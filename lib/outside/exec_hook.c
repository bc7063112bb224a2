/* SPDX-License-Identifier: PostgreSQL */
#include "outside/exec_hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "inventory/repopath.h"
#include "proc/child.h"
#include "proc/filter.h"

#define PIECE_MAX ((size_t)1 << 20) /* of one read, filtered */

struct run {
	const struct exec_hook *hook;
	struct exec_hook_result *result;
	struct filter filter;
	struct strip strip;
	struct buf filtered, plain;
	int log_fd;
	bool full; /* nothing more is kept or shown */
};

static int refused(const char *program, const char *why, struct err *err)
{
	err_set(err, ERR_USAGE, "%s: %s", program, why);
	return err_hint(err, "a hook's 'command' begins with an absolute path, a path in the "
			     "repository, or the name of a program in PATH");
}

static int check_program(const char *program, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st))
		return refused(program, strerror(errno), err);
	if (!S_ISREG(st.st_mode))
		return refused(program, "not a program: no regular file", err);
	if (access(path, X_OK)) {
		err_set(err, ERR_USAGE, "%s: not executable", program);
		return err_hint(err, "chmod +x %s (and commit it, where it is in the repository)",
				program);
	}
	return 0;
}

int exec_hook_find(char **out, const char *program, const char *root, struct err *err)
{
	char *inside = NULL;
	int rc = 0;

	*out = NULL;
	if (!strchr(program, '/')) {
		rc = child_find(out, program, err);
		return rc == ERR_NOENT ? err->code = ERR_USAGE : rc;
	}
	if (program[0] == '/') {
		*out = strdup(program);
	} else {
		rc = repo_path(&inside, root, program, err);
		*out = rc ? NULL : path_join(root, inside);
		free(inside);
	}
	if (!rc && !*out)
		rc = err_nomem(err);
	rc = rc ? rc : check_program(program, *out, err);
	if (rc) {
		free(*out);
		*out = NULL;
	}
	return rc;
}

static void add_filtered(void *ctx, const char *data, size_t len)
{
	struct run *run = ctx;

	buf_add(&run->filtered, data, len);
}

/* A full disk must not end a hook half-way: it is said once. */
static void keep(struct run *run, const char *data, size_t len)
{
	struct err err = {0};

	log_output(run->hook->log, data, len);
	if (run->log_fd < 0 || !file_write_all(run->log_fd, data, len, run->hook->log_path, &err))
		return;
	log_line(run->hook->log, LOG_WARNING, "%s; the rest of the output is not kept", err.msg);
	(void)close(run->log_fd);
	run->log_fd = -1;
}

static void pass_on(struct run *run)
{
	static const char cut[] = "\n[the rest of the output is not kept]\n";
	struct buf *text = &run->plain;

	strip_controls(&run->strip, text, run->filtered.data, run->filtered.len);
	buf_reset(&run->filtered);
	run->result->printed += text->len;
	if (!run->full && run->result->printed > EXEC_HOOK_LOG_MAX) {
		run->full = true;
		keep(run, cut, sizeof(cut) - 1);
	}
	if (!run->full && text->len)
		keep(run, text->data, text->len);
	buf_reset(text);
}

static void on_output(void *ctx, const char *data, size_t len)
{
	struct run *run = ctx;

	filter_feed(&run->filter, data, len);
	pass_on(run);
}

/* The log begins with what was called. */
static void log_call(struct run *run)
{
	const struct exec_hook *hook = run->hook;

	buf_addf(&run->plain, "# %s", hook->program);
	for (size_t i = 1; i < hook->command->count; i++) {
		buf_addc(&run->plain, ' ');
		buf_add_safe(&run->plain, hook->command->items[i], strlen(hook->command->items[i]));
	}
	buf_addc(&run->plain, '\n');
	if (run->log_fd >= 0)
		(void)file_write_all(run->log_fd, run->plain.data, run->plain.len, hook->log_path,
				     NULL);
	buf_reset(&run->plain);
}

static int run_child(struct run *run, struct err *err)
{
	const struct exec_hook *hook = run->hook;
	const char **argv = calloc(hook->command->count + 1, sizeof(*argv));
	struct child_spec spec = {
		.env_set = hook->env ? (const char *const *)hook->env->items : NULL,
		.env_unset = hook->hidden ? (const char *const *)hook->hidden->items : NULL,
		.cwd = hook->directory,
		.input = hook->input,
		.input_len = hook->input_len,
		.hide = &hook->secret,
		.out = {.data = on_output, .ctx = run},
		.err_to_out = true,
		.finishes = true,
		.guard = true,
		.guard_removes = hook->removes,
		.deadline_ms = hook->deadline_s * 1000,
		.sys = hook->sys,
		.stop = hook->stop};
	struct child_result result = {.end = CHILD_RUNNING};
	int rc;

	if (!argv)
		return err_nomem(err);
	argv[0] = hook->program;
	for (size_t i = 1; i < hook->command->count; i++)
		argv[i] = hook->command->items[i];
	spec.argv = argv;
	log_call(run);
	rc = child_run(&result, &spec, err);
	rc = rc ? rc : child_check(&result, hook->command->items[0], err);
	run->result->code = result.code;
	run->result->ms = result.ms;
	free(argv);
	return rc;
}

int exec_hook_run(struct exec_hook_result *result, const struct exec_hook *hook, struct err *err)
{
	struct run run = {.hook = hook, .result = result, .log_fd = -1};
	int rc;

	*result = (struct exec_hook_result){0};
	buf_init(&run.filtered, PIECE_MAX);
	buf_init(&run.plain, PIECE_MAX);
	filter_init(&run.filter, add_filtered, &run);
	filter_hide(&run.filter, &hook->secret);
	rc = hook->log_path ? file_open_log(&run.log_fd, hook->log_path, err) : 0;
	if (!rc) {
		rc = run_child(&run, err);
		filter_end(&run.filter);
		pass_on(&run);
		result->keys_removed = run.filter.removed;
		if (rc && hook->log_path)
			err_hint_default(err, "its output is in %s", hook->log_path);
	}
	if (run.log_fd >= 0)
		(void)close(run.log_fd);
	buf_release(&run.filtered);
	buf_release(&run.plain);
	return rc;
}
