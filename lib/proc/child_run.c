/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "proc/child.h"
#include "proc/filter.h"

#define SAID_MAX 600

/* The last lines as one, without control sequences: what a program says about its failure. */
static void last_lines(const struct child_result *result, char *out, size_t size)
{
	struct strip strip = {0};
	struct buf text;
	size_t used = 0;
	const char *at;

	buf_init(&text, CHILD_TAIL_MAX);
	strip_controls(&strip, &text, result->tail, result->tail_len);
	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
		text.data[--text.len] = '\0';
	at = text.len > SAID_MAX ? text.data + text.len - SAID_MAX : text.data;
	if (at > text.data && at[-1] != '\n') {
		const char *line = strchr(at, '\n');

		at = line ? line + 1 : at;
	}
	for (; *at && used + 3 < size; at++) {
		if (*at == '\n') {
			if (used && out[used - 1] != ' ') {
				out[used++] = ';';
				out[used++] = ' ';
			}
		} else if (*at == '\t') {
			out[used++] = ' ';
		} else {
			out[used++] = *at;
		}
	}
	out[used] = '\0';
	buf_release(&text);
}

static const char *colon(const char *said)
{
	return said[0] ? ": " : "";
}

int child_check(const struct child_result *result, const char *name, struct err *err)
{
	char said[SAID_MAX + 8];
	char took[32];

	/* Whatever it made of that itself: a pipe that nobody reads any more, half an input. */
	if (result->io_errno && (result->end == CHILD_EXITED || result->end == CHILD_SIGNALED))
		return err_sys(err, result->io_errno,
			       "%s: cannot write its input or read its output", name);
	last_lines(result, said, sizeof(said));
	switch (result->end) {
	case CHILD_EXITED:
		if (result->code)
			return err_set(err, ERR_FAIL, "%s: exit code %d%s%s", name, result->code,
				       colon(said), said);
		if (result->out_cut && result->starved)
			return err_nomem_for(err, name);
		if (result->out_cut)
			return err_set(err, ERR_FAIL, "%s: its output is larger than expected",
				       name);
		return 0;
	case CHILD_SIGNALED:
		return err_set(err, ERR_FAIL, "%s: killed by signal %d (%s)%s%s", name,
			       result->code, strsignal(result->code), colon(said), said);
	case CHILD_TIMED_OUT:
		sys_duration_text(result->ms / 1000, took, sizeof(took));
		return err_set(err, ERR_FAIL, "%s: not done after %s, ended%s%s", name, took,
			       colon(said), said);
	case CHILD_STOPPED:
		return err_set(err, ERR_STOPPED, "%s: stopped", name);
	case CHILD_RUNNING:
	case CHILD_END__MAX:
		break;
	}
	return err_set(err, ERR_FAIL, "%s: has not ended", name);
}

static bool has_ended(void *ctx)
{
	const struct child *child = ctx;

	return child_result(child)->end != CHILD_RUNNING;
}

static void on_done(struct child *child, void *ctx)
{
	(void)child;
	(void)ctx; /* has_ended sees it */
}

int child_run(struct child_result *result, const struct child_spec *spec, struct err *err)
{
	struct sys machine;
	struct loop *loop = NULL;
	struct child *child = NULL;
	const char *name;
	int rc;

	memset(result, 0, sizeof(*result));
	sys_init(&machine);
	rc = loop_new(&loop, spec->sys ? spec->sys : &machine, spec->stop, err);
	if (!rc)
		rc = child_start(&child, loop, spec, on_done, NULL, err);
	if (!rc)
		rc = loop_run(loop, has_ended, child, -1, err);
	if (rc)
		goto out;
	*result = *child_result(child);
	name = strrchr(spec->argv[0], '/');
	name = name ? name + 1 : spec->argv[0];
	if (result->end != CHILD_EXITED || result->out_cut || result->io_errno) {
		int code = result->code;

		if (result->end == CHILD_EXITED)
			result->code = 0;
		rc = child_check(result, name, err);
		result->code = code;
	}
out:
	child_free(child);
	loop_free(loop);
	return rc;
}
