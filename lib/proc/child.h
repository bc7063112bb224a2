/* SPDX-License-Identifier: PostgreSQL */
/*
 * Child processes: an argument list (no shell), a session and process group of their own, a
 * deadline, bounded output, no descriptor of ours but 0, 1 and 2, signals as a shell would give
 * them, and an end when we end (PR_SET_PDEATHSIG of prctl(2)).
 *
 * When the deadline passes, on a stop request, or by child_stop, the whole group gets SIGTERM, and
 * SIGKILL after the grace. A descendant that keeps the pipes open after the leader has ended is
 * waited for a moment (linger_ms), then the group is killed: nothing here waits without an end.
 */
#ifndef PROC_CHILD_H
#define PROC_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/sys.h"
#include "proc/loop.h"
#include "secret/arena.h"

#define CHILD_DEADLINE_MS 600000 /* where the spec has 0 */
#define CHILD_GRACE_MS	  5000
#define CHILD_LINGER_MS	  2000
#define CHILD_TAIL_MAX	  2048

/* Where output goes: the first that is set, or nowhere (it is read and dropped). */
struct child_sink {
	struct buf *buf;     /* up to its max; what is beyond is dropped and said in the result */
	struct arena *arena; /* gives child_result.secret; up to secret_max bytes */
	size_t secret_max;
	void (*data)(void *ctx, const char *data, size_t len); /* as it comes, in pieces */
	void *ctx;
};

/* Zero what is not needed. All is borrowed: input, sinks, sys and stop until the child has ended.
 */
struct child_spec {
	/* argv[0] without a '/' is looked up in PATH (child_find); NULL at the end. */
	const char *const *argv;
	const char *const *env_set;   /* "NAME=value", over what we inherited; NULL at the end */
	const char *const *env_unset; /* "NAME"; before env_set */
	const char *cwd;	      /* NULL: ours */
	const void *input;	      /* fed to stdin; NULL: /dev/null. May lie in an arena */
	size_t input_len;
	struct child_sink out; /* stdout */
	struct child_sink err; /* stderr; its end is always kept in child_result.tail as well */
	bool err_to_out;       /* stderr goes the way of stdout, in the order in which it comes */
	/*
	 * It may talk with the operator: it keeps our controlling terminal, and gets the foreground
	 * when it asks (see proc/foreground.h; Ctrl-C then goes to it alone, and counts as
	 * stopped). Otherwise it has no controlling terminal: a prompt fails at once instead of
	 * waiting.
	 */
	bool terminal;
	/*
	 * What must not be cut in half: it is started in spite of a first stop request, and not
	 * ended by it. The second one ends it.
	 */
	bool finishes;
	bool guard; /* when we are killed its whole group ends, not the leader alone */
	const char *guard_removes; /* a folder that goes with it then; NULL: none */
	const struct secret *hide; /* what the tail must not hold (filter_hide); NULL: nothing */
	mode_t umask;		   /* 0: ours (secret_harden_process makes that 077) */
	int64_t deadline_ms;	   /* 0: CHILD_DEADLINE_MS */
	int64_t grace_ms;	   /* between SIGTERM and SIGKILL; 0: CHILD_GRACE_MS */
	int64_t linger_ms;	   /* after the leader's end; 0: CHILD_LINGER_MS */
	const char *hint; /* for the operator where the program is not there; NULL: by its name */
	/* For child_run alone, which makes its own loop. */
	struct sys *sys;	/* NULL: the machine's */
	struct loop_stop *stop; /* NULL: cannot be stopped */
};

enum child_end {
	CHILD_RUNNING,
	CHILD_EXITED,	/* code: the exit code */
	CHILD_SIGNALED, /* code: the signal */
	CHILD_TIMED_OUT,
	CHILD_STOPPED, /* by a stop request, child_stop, or Ctrl-C on its terminal */
	CHILD_END__MAX
};

struct child_result {
	enum child_end end;
	int code;     /* also where it timed out or was stopped: 128 + signal, or the exit code */
	bool out_cut; /* stdout is not whole: larger than its sink, no memory, io_errno */
	bool err_cut;
	bool starved;	      /* there was no memory for one of the two */
	int io_errno;	      /* why stdin could not be written or stdout be read to its end; 0 */
	bool lingered;	      /* a descendant kept the pipes open and was killed */
	int64_t ms;	      /* how long it ran */
	struct secret secret; /* stdout, where spec.out.arena was given */
	size_t tail_len;
	char tail[CHILD_TAIL_MAX + 1]; /* the end of stderr (of both with err_to_out) */
};

struct child;

/*
 * Starts it on a loop. done is told once, from the loop, when all is over: not before child_start
 * has returned. ERR_NOENT where the program is not there, ERR_FAIL otherwise (with the reason of
 * execve(2)); then nothing was started and done is not told.
 */
int child_start(struct child **out, struct loop *loop, const struct child_spec *spec,
		void (*done)(struct child *child, void *ctx), void *ctx, struct err *err);
/* Borrowed from the child; end is CHILD_RUNNING before done was told. */
const struct child_result *child_result(const struct child *child);
pid_t child_pid(const struct child *child); /* also the id of its process group */
/* Ends it as a stop request does. A second call kills. */
void child_stop(struct child *child);
/* Kills the group of one that still runs. NULL is fine. May be called from done. */
void child_free(struct child *child);

/*
 * Runs one to its end. 0 where it exited by itself, with whatever code; ERR_NOENT and ERR_FAIL as
 * child_start; ERR_FAIL where it was killed by a signal or timed out; ERR_STOPPED; ERR_FAIL where
 * stdout did not fit its sink, ERR_MACHINE where there was no memory for it; err_sys's code where
 * its input or output broke off. The result is filled in each case.
 */
int child_run(struct child_result *result, const struct child_spec *spec, struct err *err);

/*
 * 0 where it exited with 0 and its input and output were whole; else a message "NAME: …" with the
 * reason and the last lines of stderr (made one line, PEM private keys removed). For done
 * callbacks, and for the exit code after child_run.
 */
int child_check(const struct child_result *result, const char *name, struct err *err);

/*
 * The absolute path of a program in PATH (relative entries of PATH are passed over: the child's
 * working directory is a repository). free() *out. ERR_NOENT with a hint about what to install.
 */
int child_find(char **out, const char *program, struct err *err);

#endif
