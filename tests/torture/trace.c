/* SPDX-License-Identifier: PostgreSQL */
/*
 * Runs a program and looks at its own system calls (those of its threads too, not those of its
 * children), or interferes with one of them:
 *
 *   trace [--list FILE] [--kill N:before | N:after] [--fault N:ERRNO | N:short | NAME/N:…]
 *         [--where REGEX] [--report FILE] [--deadline SECONDS] PROGRAM ARGUMENT...
 *
 * Calls are counted from where the program has made itself undumpable (prctl(2)), which is its
 * first own act: what the loader does before is not the program's. --list writes a line for each
 * call that changes something, syncs, starts a process or can be made to fail, tab separated:
 *
 *   CHANGE FAILING NAME EFFECT RESULT TEXT...     CHANGE and FAILING are numbers, "-" for none
 *   - - exec - PID ARGUMENT...                    what a process that was started has become
 *
 * --kill takes the number of a change, --fault that of a call that can fail, or the Nth of those of
 * one name (how often a program waits is not the same twice); with --where only those count whose
 * TEXT matches, an extended regular expression. Ends with the program's exit code, or 128 and its
 * signal's number; with 125 where it cannot do what it was asked for. --report says what happened:
 * "killed", "faulted", "not reached", "late" (the deadline passed) and a line "left PID NAME" for
 * each process that outlived the program by 15 seconds.
 */
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/torture/calls.h"

#define THREADS_MAX  256
#define LEFT_SECONDS 15
#define LINE_MAX_    4096

struct thread {
	pid_t pid;
	bool inside; /* of a call: the next stop is its end */
	bool known;
	struct call call;
	long change, failing; /* its numbers; 0 for none */
	int error;	      /* what it is made to end with */
};

struct trace {
	FILE *list;
	FILE *report;
	long kill_at, fault_at;
	const char *fault_name; /* fault_at counts the calls of this name; NULL: all */
	regex_t where;
	bool has_where;
	long named;
	bool kill_after, shorten;
	int error;
	int deadline;
	pid_t main_pid;
	bool counting, acted;
	long changes, failings;
	struct thread threads[THREADS_MAX];
	size_t count;
};

static struct trace trace;
static volatile sig_atomic_t late;

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)fprintf(stderr, "trace: ");
	(void)vfprintf(stderr, fmt, args);
	(void)fprintf(stderr, "\n");
	va_end(args);
	exit(125);
}

static void on_alarm(int sig)
{
	(void)sig;
	late = 1;
}

static struct thread *find_thread(pid_t pid)
{
	for (size_t i = 0; i < trace.count; i++) {
		if (trace.threads[i].pid == pid)
			return &trace.threads[i];
	}
	if (trace.count == THREADS_MAX)
		give_up("more than %d threads", THREADS_MAX);
	trace.threads[trace.count] = (struct thread){.pid = pid};
	return &trace.threads[trace.count++];
}

static void drop_thread(pid_t pid)
{
	for (size_t i = 0; i < trace.count; i++) {
		if (trace.threads[i].pid == pid)
			trace.threads[i] = trace.threads[--trace.count];
	}
}

static void say(const char *text)
{
	if (trace.report) {
		(void)fprintf(trace.report, "%s\n", text);
		(void)fflush(trace.report);
	}
}

/* ---- what is written down */

static size_t read_file(char *out, size_t size, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t got = file ? fread(out, 1, size - 1, file) : 0;

	if (file)
		(void)fclose(file);
	out[got] = '\0';
	return got;
}

/* What a process that was started has become: it has just taken on another program. */
static void list_started(pid_t pid)
{
	char path[64], text[LINE_MAX_];
	size_t len;

	(void)snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
	len = read_file(text, sizeof(text), path);
	for (size_t i = 0; i + 1 < len; i++) {
		if (!text[i])
			text[i] = '\t';
		else if (text[i] == '\n')
			text[i] = ' ';
	}
	(void)fprintf(trace.list, "-\t-\texec\t-\t%ld\t%s\n", (long)pid, text);
}

/* What goes into a journal is part of its line: the order of steps is told by it. */
static void list_data(const struct thread *thread, int64_t result)
{
	char text[LINE_MAX_];
	struct iovec here = {text, sizeof(text) - 1};
	struct iovec there = {(void *)(uintptr_t)thread->call.args[1], (size_t)result};
	ssize_t got;

	if (!strstr(thread->call.text, "/journal\t") || result <= 0)
		return;
	got = process_vm_readv(thread->pid, &here, 1, &there, 1, 0);
	text[got < 0 ? 0 : got] = '\0';
	text[strcspn(text, "\n")] = '\0';
	(void)fprintf(trace.list, "\t%s", text);
}

static void list_number(long number)
{
	if (number)
		(void)fprintf(trace.list, "%ld\t", number);
	else
		(void)fprintf(trace.list, "-\t");
}

static void list_call(const struct thread *thread, int64_t result)
{
	static const char *const effects[] = {"-", "change", "sync", "start"};

	if (!trace.list || !thread->known)
		return;
	list_number(thread->change);
	list_number(thread->failing);
	(void)fprintf(trace.list, "%s\t%s\t%lld\t%s", thread->call.kind->name,
		      effects[thread->call.effect], (long long)result, thread->call.text);
	if (thread->call.effect == EFFECT_CHANGE && thread->call.kind->nr == SYS_write)
		list_data(thread, result);
	(void)fprintf(trace.list, "\n");
}

/* ---- where it interferes */

static void kill_it(const char *why)
{
	(void)kill(trace.main_pid, SIGKILL);
	trace.acted = true;
	say(why);
}

static void set_registers(pid_t pid, void (*change)(struct user_regs_struct *, int64_t),
			  int64_t value)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs))
		give_up("cannot read registers: %s", strerror(errno));
	change(&regs, value);
	if (ptrace(PTRACE_SETREGS, pid, 0, &regs))
		give_up("cannot set registers: %s", strerror(errno));
}

static void set_number(struct user_regs_struct *regs, int64_t value)
{
	regs->orig_rax = (unsigned long long)value;
}

static void set_result(struct user_regs_struct *regs, int64_t value)
{
	regs->rax = (unsigned long long)value;
}

static void set_size(struct user_regs_struct *regs, int64_t value)
{
	regs->rdx = (unsigned long long)value;
}

static void fault(struct thread *thread)
{
	if (trace.shorten) {
		if (thread->call.args[2] > 1)
			set_registers(thread->pid, set_size, (int64_t)(thread->call.args[2] / 2));
	} else {
		/* a call that does not exist: nothing is done */
		set_registers(thread->pid, set_number, -1);
		thread->error = trace.error;
	}
	trace.acted = true;
	say("faulted");
}

static bool is_to_fail(const struct thread *thread)
{
	size_t len = trace.fault_name ? strcspn(trace.fault_name, "/") : 0;

	if (!trace.fault_name)
		return trace.fault_at && thread->failing == trace.fault_at;
	if (strlen(thread->call.kind->name) != len ||
	    strncmp(thread->call.kind->name, trace.fault_name, len) != 0)
		return false;
	if (trace.has_where && regexec(&trace.where, thread->call.text, 0, NULL, 0) != 0)
		return false;
	return ++trace.named == trace.fault_at;
}

static void begin_call(struct thread *thread, const struct __ptrace_syscall_info *info)
{
	uint64_t args[6];

	thread->inside = true;
	thread->known = false;
	thread->change = thread->failing = 0;
	thread->error = 0;
	if (info->entry.nr == SYS_prctl && info->entry.args[0] == PR_SET_DUMPABLE)
		trace.counting = true;
	if (!trace.counting)
		return;
	for (size_t i = 0; i < 6; i++)
		args[i] = info->entry.args[i];
	thread->known = call_look(&thread->call, thread->pid, (long)info->entry.nr, args);
	if (!thread->known)
		return;
	if (thread->call.effect == EFFECT_CHANGE || thread->call.effect == EFFECT_START)
		thread->change = ++trace.changes;
	if (thread->call.kind->faults[0])
		thread->failing = ++trace.failings;
	if (trace.kill_at && thread->change == trace.kill_at && !trace.kill_after)
		kill_it("killed");
	if (thread->failing && is_to_fail(thread) && !trace.acted)
		fault(thread);
}

static void end_call(struct thread *thread, const struct __ptrace_syscall_info *info)
{
	int64_t result = info->exit.rval;

	thread->inside = false;
	if (thread->error) {
		result = -thread->error;
		set_registers(thread->pid, set_result, result);
	}
	list_call(thread, result);
	if (trace.kill_at && thread->known && thread->change == trace.kill_at && trace.kill_after &&
	    !trace.acted)
		kill_it("killed");
}

static void at_call(pid_t pid)
{
	struct thread *thread = find_thread(pid);
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		begin_call(thread, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT && thread->inside)
		end_call(thread, &info);
}

/* ---- running it */

static pid_t start(char **argv)
{
	/* Of its children only what they become is listed. */
	const long children = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
			     (trace.list ? children : 0);
	int status;
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork: %s", strerror(errno));
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			give_up("ptrace: %s", strerror(errno));
		(void)raise(SIGSTOP);
		(void)execvp(argv[0], argv);
		give_up("%s: %s", argv[0], strerror(errno));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0, options) || ptrace(PTRACE_SYSCALL, pid, 0, 0))
		give_up("cannot trace: %s", strerror(errno));
	return pid;
}

/* The signal that a stop hands on: stops of the tracer's own making have none. */
static int at_stop(pid_t pid, int status)
{
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		at_call(pid);
		return 0;
	}
	if (status >> 16)
		return 0;
	/* a new thread begins with one, the program itself ends its exec with the other */
	return sig == SIGSTOP || sig == SIGTRAP ? 0 : sig;
}

static bool is_child(pid_t pid)
{
	char path[64], text[LINE_MAX_];
	const char *group;

	if (!trace.list || pid == trace.main_pid)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	(void)read_file(text, sizeof(text), path);
	group = strstr(text, "\nTgid:");
	return group && strtol(group + 6, NULL, 10) != trace.main_pid;
}

static void at_child(pid_t pid, int status)
{
	int sig = WSTOPSIG(status);

	if (status >> 16 == PTRACE_EVENT_EXEC) {
		list_started(pid);
		(void)ptrace(PTRACE_DETACH, pid, 0, 0);
		return;
	}
	/* it begins with a stop */
	(void)ptrace(PTRACE_CONT, pid, 0, status >> 16 || sig == SIGSTOP ? 0 : sig);
}

static int follow(void)
{
	int status, code = 125;

	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR && late) {
			kill_it("late");
			continue;
		}
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			break;
		if (WIFSTOPPED(status) && is_child(pid)) {
			at_child(pid, status);
			continue;
		}
		if (WIFSTOPPED(status)) {
			(void)ptrace(PTRACE_SYSCALL, pid, 0, at_stop(pid, status));
			continue;
		}
		drop_thread(pid);
		if (pid == trace.main_pid) {
			code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			break;
		}
	}
	return code;
}

static void name_left(void)
{
	char path[96], text[LINE_MAX_], line[LINE_MAX_ + 64];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	(void)read_file(text, sizeof(text), path);
	for (char *rest = text, *word; (word = strtok_r(rest, " \n", &rest));) {
		char name[256];

		(void)snprintf(path, sizeof(path), "/proc/%s/comm", word);
		(void)read_file(name, sizeof(name), path);
		name[strcspn(name, "\n")] = '\0';
		(void)snprintf(line, sizeof(line), "left %s %s", word, name);
		say(line);
		(void)kill((pid_t)strtol(word, NULL, 10), SIGKILL);
	}
}

/* The children of the dead come to us (PR_SET_CHILD_SUBREAPER): they have to end by themselves. */
static void await_children(void)
{
	const struct timespec moment = {0, 2000000};

	for (int tries = 0; tries < LEFT_SECONDS * 500; tries++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG | __WALL);

		if (pid < 0)
			return;
		if (pid == 0)
			(void)nanosleep(&moment, NULL);
	}
	name_left();
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

/* ---- what it was asked for */

static FILE *open_out(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		give_up("%s: %s", path, strerror(errno));
	return file;
}

static long number_of(const char *text, const char **rest)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (number < 1 || *end != ':')
		give_up("not NUMBER:HOW: %s", text);
	*rest = end + 1;
	return number;
}

static void take_option(const char *name, const char *value)
{
	const char *how;

	if (!strcmp(name, "--list")) {
		trace.list = open_out(value);
	} else if (!strcmp(name, "--report")) {
		trace.report = open_out(value);
	} else if (!strcmp(name, "--where")) {
		trace.has_where = !regcomp(&trace.where, value, REG_EXTENDED | REG_NOSUB);
		if (!trace.has_where)
			give_up("not a regular expression: %s", value);
	} else if (!strcmp(name, "--deadline")) {
		trace.deadline = (int)strtol(value, NULL, 10);
	} else if (!strcmp(name, "--kill")) {
		trace.kill_at = number_of(value, &how);
		trace.kill_after = !strcmp(how, "after");
	} else if (!strcmp(name, "--fault")) {
		if (strchr(value, '/')) {
			trace.fault_name = value;
			value = strchr(value, '/') + 1;
		}
		trace.fault_at = number_of(value, &how);
		trace.shorten = !strcmp(how, "short");
		trace.error = call_errno(how);
		if (!trace.shorten && !trace.error)
			give_up("unknown fault %s", how);
	} else {
		give_up("unknown option %s", name);
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alarm};
	int i = 1, code;

	for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2)
		take_option(argv[i], argv[i + 1]);
	if (i >= argc)
		give_up("no program was named");
	(void)sigaction(SIGALRM, &action, NULL);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		give_up("prctl: %s", strerror(errno));
	trace.main_pid = start(&argv[i]);
	if (trace.deadline)
		(void)alarm((unsigned)trace.deadline);
	code = follow();
	(void)alarm(0);
	await_children();
	if ((trace.kill_at || trace.fault_at) && !trace.acted)
		say("not reached");
	if (trace.list)
		(void)fclose(trace.list);
	return code;
}
