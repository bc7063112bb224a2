/* SPDX-License-Identifier: PostgreSQL */
#include "proc/ansible.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "proc/ansible_args.h"
#include "proc/ansible_say.h"
#include "proc/child.h"
#include "proc/filter.h"
#include "proc/scratch.h"

#define FILTERED_MAX ((size_t)1 << 20)	 /* of one read */
#define LOG_MAX	     ((size_t)256 << 20) /* of one run */
#define TICK_MS	     1000

struct run {
	const struct ansible_spec *spec;
	struct loop *loop;
	struct child *child;
	struct loop_timer tick;
	struct filter filter;
	struct strip strip, color_strip;
	struct recap recap;
	struct buf filtered, colored, plain;
	struct scratch scratch;
	struct strs args, call, set, unset; /* call: what args are executed as */
	int log_fd;
	bool log_failed;
	size_t logged;
	int64_t started;
};

static void show_progress(struct run *run)
{
	const struct ansible_spec *spec = run->spec;
	const struct recap *recap = &run->recap;
	const char *title = spec->title ? spec->title : spec->playbook;
	int64_t seconds = (loop_now(run->loop) - run->started) / 1000;
	size_t hosts = spec->hosts > recap->most ? spec->hosts : recap->most;
	char done[64] = "";

	if (hosts)
		(void)snprintf(done, sizeof(done), ": %zu of %zu hosts", recap->done, hosts);
	log_progress(spec->log, "%s: %s%s, %02d:%02d", title,
		     recap->task[0] ? recap->task : "starting", done, (int)(seconds / 60),
		     (int)(seconds % 60));
}

static void on_tick(struct loop_timer *timer, void *ctx)
{
	struct run *run = ctx;

	show_progress(run);
	loop_timer_set(run->loop, timer, TICK_MS, on_tick, run);
}

static void add_filtered(void *ctx, const char *data, size_t len)
{
	struct run *run = ctx;

	buf_add(&run->filtered, data, len);
}

/* A full disk must not end a rollout half-way: it is said once. */
static void write_log(struct run *run)
{
	struct err err = {0};

	if (run->log_fd < 0 || run->log_failed || !run->plain.len)
		return;
	run->logged += run->plain.len;
	if (run->logged > LOG_MAX) {
		run->log_failed = true;
		log_line(run->spec->log, LOG_WARNING,
			 "%s: Ansible says more than %zu MiB; the rest is not kept",
			 run->spec->log_path, LOG_MAX >> 20);
		return;
	}
	if (file_write_all(run->log_fd, run->plain.data, run->plain.len, run->spec->log_path,
			   &err)) {
		run->log_failed = true;
		log_line(run->spec->log, LOG_WARNING, "%s; the rest of the output is not kept",
			 err.msg);
	}
}

static void pass_on(struct run *run)
{
	struct buf *text = &run->plain;

	if (run->spec->color) {
		strip_to_colors(&run->color_strip, &run->colored, run->filtered.data,
				run->filtered.len);
		log_output(run->spec->log, run->colored.data, run->colored.len);
		buf_reset(&run->colored);
	}
	strip_controls(&run->strip, text, run->filtered.data, run->filtered.len);
	buf_reset(&run->filtered);
	if (!run->spec->color)
		log_output(run->spec->log, text->data, text->len);
	write_log(run);
	recap_feed(&run->recap, text->data, text->len);
	buf_reset(text);
}

static void on_output(void *ctx, const char *data, size_t len)
{
	struct run *run = ctx;
	size_t task = run->recap.task_number, done = run->recap.done;

	filter_feed(&run->filter, data, len);
	pass_on(run);
	if (task != run->recap.task_number || done != run->recap.done)
		show_progress(run);
}

static void on_done(struct child *child, void *ctx)
{
	(void)child;
	(void)ctx; /* has_ended sees it */
}

static bool has_ended(void *ctx)
{
	const struct run *run = ctx;

	return child_result(run->child)->end != CHILD_RUNNING;
}

/* The log begins with what was called. */
static void log_call(struct run *run)
{
	struct sys *sys = loop_sys(run->loop);
	char when[SYS_TIME_SIZE];

	sys_time_text(sys->now(sys), when);
	buf_addf(&run->plain, "# %s:", when);
	for (size_t i = 0; i < run->args.count; i++) {
		buf_addc(&run->plain, ' ');
		buf_add_safe(&run->plain, run->args.items[i], strlen(run->args.items[i]));
	}
	buf_addc(&run->plain, '\n');
	write_log(run);
	buf_reset(&run->plain);
}

static int prepare(struct run *run, struct err *err)
{
	int rc = ansible_args(&run->args, run->spec, err);

	if (!rc)
		rc = scratch_make(&run->scratch, err);
	if (!rc && !run->scratch.memory)
		log_line(run->spec->log, LOG_WARNING,
			 "no memory file system (/dev/shm) here: Ansible's temporary files are in "
			 "%s until it ends",
			 run->scratch.path);
	if (!rc)
		rc = ansible_env(&run->set, &run->unset, run->spec, run->scratch.path, err);
	if (!rc)
		rc = ansible_program(&run->call, &run->set, &run->args, err);
	return rc || !run->spec->log_path ? rc
					  : file_open_log(&run->log_fd, run->spec->log_path, err);
}

static int start(struct run *run, struct err *err)
{
	const struct ansible_spec *spec = run->spec;
	struct child_spec child = {
		.argv = (const char *const *)run->call.items,
		.env_set = (const char *const *)run->set.items,
		.env_unset = (const char *const *)run->unset.items,
		.cwd = spec->directory,
		.out = {.data = on_output, .ctx = run},
		.err_to_out = true,
		.umask = spec->umask ? spec->umask : 022,
		.guard = true,
		.guard_removes = run->scratch.path,
		.terminal = spec->terminal,
		.finishes = spec->finishes,
		.deadline_ms = (spec->deadline_s ? spec->deadline_s : ANSIBLE_DEADLINE_S) * 1000,
		.grace_ms = ANSIBLE_GRACE_MS,
	};
	int rc = child_start(&run->child, run->loop, &child, on_done, run, err);

	if (rc)
		return rc;
	run->started = loop_now(run->loop);
	log_call(run);
	if (spec->log && spec->log->progress)
		on_tick(&run->tick, run);
	return 0;
}

static int run_child(struct run *run, struct err *err)
{
	int rc = prepare(run, err);

	if (!rc)
		rc = start(run, err);
	if (!rc)
		rc = loop_run(run->loop, has_ended, run, -1, err);
	loop_timer_del(&run->tick);
	filter_end(&run->filter);
	pass_on(run);
	recap_end(&run->recap);
	log_progress(run->spec->log, "%s", "");
	return rc;
}

static void release(struct run *run)
{
	child_free(run->child);
	loop_free(run->loop);
	recap_release(&run->recap);
	buf_release(&run->filtered);
	buf_release(&run->colored);
	buf_release(&run->plain);
	scratch_remove(&run->scratch);
	strs_release(&run->args);
	strs_release(&run->call);
	strs_release(&run->set);
	strs_release(&run->unset);
	if (run->log_fd >= 0)
		(void)close(run->log_fd);
}

int ansible_run(struct ansible_result *out, const struct ansible_spec *spec, struct err *err)
{
	struct run run = {.spec = spec, .log_fd = -1};
	struct sys machine;
	int rc;

	memset(out, 0, sizeof(*out));
	sys_init(&machine);
	recap_init(&run.recap);
	buf_init(&run.filtered, FILTERED_MAX);
	buf_init(&run.colored, FILTERED_MAX);
	buf_init(&run.plain, FILTERED_MAX);
	filter_init(&run.filter, add_filtered, &run);
	rc = loop_new(&run.loop, spec->sys ? spec->sys : &machine, spec->stop, err);
	if (!rc)
		rc = run_child(&run, err);
	if (!rc) {
		const struct child_result *result = child_result(run.child);

		out->exit_code = result->code;
		out->ms = result->ms;
		out->keys_removed = run.filter.removed;
		rc = recap_take(out, &run.recap, err);
		if (!rc)
			rc = ansible_say(out, spec, result, &run.recap, err);
	}
	release(&run);
	return rc;
}
