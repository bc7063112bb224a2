/* SPDX-License-Identifier: PostgreSQL */
#include "proc/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 30000 /* from fork to execve: a dead network file system must not hold us */

enum step { STEP_EXEC, STEP_CHDIR, STEP_SETUP };

/* What the new process needs: made before fork, because only async-signal-safe calls follow. */
struct plan {
	char *path;
	char **env;
	const struct child_spec *spec;
	int in, out, err; /* the child's ends */
	int status;	  /* tells the step and errno where execve was not reached */
	pid_t parent;
};

struct failure {
	int step;
	int error;
};

/* Not 0, 1 or 2, even where we were started without them: dup2 in the child would mix them up. */
static int above_standard(int *fd)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, 3);

	if (high < 0)
		return -1;
	(void)close(*fd);
	*fd = high;
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* ours gets O_NONBLOCK; theirs must not have it. */
static int make_pipe(int *read_end, int *write_end, int *ours, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return err_sys(err, errno, "cannot make a pipe");
	*read_end = fds[0];
	*write_end = fds[1];
	if ((fds[0] < 3 && above_standard(read_end)) || (fds[1] < 3 && above_standard(write_end)) ||
	    (ours && fcntl(*ours, F_SETFL, O_NONBLOCK)))
		return err_sys(err, errno, "cannot set up a pipe");
	return 0;
}

static int open_null(int *fd, int flags, struct err *err)
{
	*fd = open("/dev/null", flags | O_CLOEXEC);
	if (*fd < 0 || (*fd < 3 && above_standard(fd)))
		return err_sys(err, errno, "cannot open /dev/null");
	return 0;
}

static int make_pipes(struct launched *launched, struct plan *plan, struct err *err)
{
	int rc;

	if (plan->spec->input)
		rc = make_pipe(&plan->in, &launched->in, &launched->in, err);
	else
		rc = open_null(&plan->in, O_RDONLY, err);
	if (!rc)
		rc = make_pipe(&launched->out, &plan->out, &launched->out, err);
	if (!rc && !plan->spec->err_to_out)
		rc = make_pipe(&launched->err, &plan->err, &launched->err, err);
	return rc;
}

static void close_others(void)
{
	/* Libraries open descriptors without close-on-exec; Linux before 5.11 lacks close_range. */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC)) {
		long max = sysconf(_SC_OPEN_MAX);

		if (max < 0 || max > 65536)
			max = 65536;
		for (int fd = 3; fd < (int)max; fd++)
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
}

static void reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &action, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void fail(const struct plan *plan, int step)
{
	struct failure failure = {.step = step, .error = errno};

	if (write(plan->status, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

/* Runs with all signals blocked, so that no handler of ours runs in the wrong process. */
__attribute__((noreturn)) static void become(const struct plan *plan)
{
	const struct child_spec *spec = plan->spec;

	if (spec->terminal ? setpgid(0, 0) != 0 : setsid() < 0)
		fail(plan, STEP_SETUP);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		fail(plan, STEP_SETUP);
	if (getppid() != plan->parent) /* it ended before the prctl */
		_exit(127);
	if (dup2(plan->in, 0) < 0 || dup2(plan->out, 1) < 0 ||
	    dup2(spec->err_to_out ? plan->out : plan->err, 2) < 0)
		fail(plan, STEP_SETUP);
	if (spec->umask)
		(void)umask(spec->umask);
	if (spec->cwd && chdir(spec->cwd))
		fail(plan, STEP_CHDIR);
	close_others();
	reset_signals();
	/* execve takes char *const[] for historical reasons and changes nothing (POSIX). */
	(void)execve(plan->path, (char *const *)(uintptr_t)spec->argv, plan->env);
	fail(plan, STEP_EXEC);
}

static int say_failure(const struct failure *failure, const struct plan *plan, struct err *err)
{
	switch ((enum step)failure->step) {
	case STEP_CHDIR:
		return err_sys(err, failure->error, "cannot start %s: cannot enter %s", plan->path,
			       plan->spec->cwd);
	case STEP_EXEC:
		err_sys(err, failure->error, "cannot start %s", plan->path);
		if (failure->error == ENOENT && access(plan->path, F_OK) == 0)
			err_hint(err, "the interpreter in its first line is missing");
		else if (failure->error == ENOEXEC)
			err_hint(err, "a script needs a first line such as #!/bin/sh");
		return err->code;
	case STEP_SETUP:
		break;
	}
	return err_sys(err, failure->error, "cannot set up the process of %s", plan->path);
}

/* Waits until execve has closed the status pipe, or has failed. */
static int await_exec(int status, pid_t pid, const struct plan *plan, struct err *err)
{
	struct pollfd poll_fd = {.fd = status, .events = POLLIN};
	struct failure failure;
	struct err unused = {0};
	ssize_t got;
	int ready;

	if (!err)
		err = &unused;
	do {
		ready = poll(&poll_fd, 1, START_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready > 0) {
		do {
			got = read(status, &failure, sizeof(failure));
		} while (got < 0 && errno == EINTR);
		if (got == 0)
			return 0;
		if (got == (ssize_t)sizeof(failure)) {
			say_failure(&failure, plan, err);
		} else {
			/* it may run: nobody would read what it writes */
			err_sys(err, got < 0 ? errno : EPIPE, "cannot start %s", plan->path);
			(void)kill(-pid, SIGKILL);
			(void)kill(pid, SIGKILL);
		}
	} else {
		err_set(err, ERR_FAIL, "cannot start %s: nothing happened for %d seconds",
			plan->path, START_MS / 1000);
		(void)kill(pid, SIGKILL);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err->code;
}

static int fork_and_exec(struct launched *launched, struct plan *plan, int status_read,
			 struct err *err)
{
	sigset_t all, saved;
	pid_t pid;

	plan->parent = getpid();
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &saved);
	pid = fork();
	if (pid == 0)
		become(plan);
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (pid < 0)
		return err_sys(err, errno, "cannot start %s: fork", plan->path);
	close_fd(&plan->status);
	launched->pid = pid;
	return await_exec(status_read, pid, plan, err);
}

static int find(char **out, const struct child_spec *spec, struct err *err)
{
	int rc;

	if (!spec->argv || !spec->argv[0] || !spec->argv[0][0])
		return err_set(err, ERR_USAGE, "no program to start was named");
	rc = child_find(out, spec->argv[0], err);
	if (rc == ERR_NOENT && spec->hint)
		err_hint(err, "%s", spec->hint);
	return rc;
}

int launch(struct launched *out, const struct child_spec *spec, struct err *err)
{
	struct plan plan = {.spec = spec, .in = -1, .out = -1, .err = -1, .status = -1};
	struct launched made = {.pid = -1, .in = -1, .out = -1, .err = -1};
	int status_read = -1;
	int rc;

	*out = made;
	rc = find(&plan.path, spec, err);
	if (!rc)
		rc = launch_environment(&plan.env, spec, err);
	if (!rc)
		rc = make_pipes(&made, &plan, err);
	if (!rc)
		rc = make_pipe(&status_read, &plan.status, NULL, err);
	if (rc)
		goto out;
	rc = fork_and_exec(&made, &plan, status_read, err);
	if (rc)
		goto out;
	*out = made;
	made = (struct launched){.pid = -1, .in = -1, .out = -1, .err = -1};
out:
	close_fd(&plan.in);
	close_fd(&plan.out);
	close_fd(&plan.err);
	close_fd(&plan.status);
	close_fd(&status_read);
	close_fd(&made.in);
	close_fd(&made.out);
	close_fd(&made.err);
	free(plan.path);
	launch_environment_free(plan.env);
	return rc;
}
