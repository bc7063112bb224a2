/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/context.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A signal handler has nothing but file scope to find it by. */
static struct loop_stop *stop_of_process;

static void say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

static void on_signal(int number)
{
	const char *finishing;

	if (!stop_of_process)
		return;
	if (loop_stop_count(stop_of_process) > 0) {
		/* A terminal that goes away says so more than once. */
		if (number == SIGHUP)
			return;
		(void)signal(number, SIG_DFL);
		(void)raise(number);
		return;
	}
	loop_stop_request(stop_of_process);
	finishing = atomic_load(&stop_of_process->finishing);
	say("\ncertrotate: stopping at the next safe point");
	if (finishing) {
		say(": ");
		say(finishing);
	}
	say("; once more ends it at once\n");
}

/* Who has it ignored (nohup) goes on without a terminal. */
static void handle_hangup(const struct sigaction *action)
{
	struct sigaction before;

	if (!sigaction(SIGHUP, NULL, &before) && before.sa_handler != SIG_IGN)
		(void)sigaction(SIGHUP, action, NULL);
}

int context_init(struct context *context, const struct options *options, struct ui *ui,
		 struct err *err)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	int rc;

	sys_init(&context->sys);
	rc = loop_stop_init(&context->stop, err);
	if (rc)
		return rc;
	stop_of_process = &context->stop;
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	handle_hangup(&action);
	context->session = (struct session_options){.dir = options->dir,
						    .config_file = options->config_file,
						    .env = options->env,
						    .sys = &context->sys,
						    .log = &ui->log,
						    .stop = &context->stop};
	return 0;
}

void context_release(struct context *context)
{
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	if (signal(SIGHUP, SIG_DFL) == SIG_IGN)
		(void)signal(SIGHUP, SIG_IGN);
	stop_of_process = NULL;
	loop_stop_release(&context->stop);
}

void context_when(char *out, size_t size, int64_t when, int64_t now)
{
	char date[SYS_TIME_SIZE], left[32];

	sys_time_text(when, date);
	sys_duration_text(when > now ? when - now : now - when, left, sizeof(left));
	(void)snprintf(out, size, when > now ? "%.10s (in %s)" : "%.10s (%s AGO)", date, left);
}
