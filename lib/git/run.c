/* SPDX-License-Identifier: PostgreSQL */
/* The git program, in our repository whatever the environment says, and with plain English. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "git/internal.h"
#include "git/remote.h"

#define ARGS_MAX    512
#define LINES_MAX   4
#define LOCK_ADVICE "Another git process seems to be running" /* and more lines */

/* git rev-parse --local-env-vars, without those that bring configuration. */
static const char *const foreign[] = {"GIT_ALTERNATE_OBJECT_DIRECTORIES",
				      "GIT_CONFIG",
				      "GIT_OBJECT_DIRECTORY",
				      "GIT_DIR",
				      "GIT_WORK_TREE",
				      "GIT_IMPLICIT_WORK_TREE",
				      "GIT_GRAFT_FILE",
				      "GIT_INDEX_FILE",
				      "GIT_NO_REPLACE_OBJECTS",
				      "GIT_REPLACE_REF_BASE",
				      "GIT_PREFIX",
				      "GIT_SHALLOW_FILE",
				      "GIT_COMMON_DIR",
				      "GIT_NAMESPACE",
				      "GIT_LITERAL_PATHSPECS",
				      "GIT_GLOB_PATHSPECS",
				      "GIT_NOGLOB_PATHSPECS",
				      "GIT_ICASE_PATHSPECS"};

static int add_args(const char **argv, const char *root, const struct run *run, struct err *err)
{
	/* By default git syncs packs alone: a reference may not outlive its commit in a crash. */
	static const char *const common[] = {"--no-pager", "--literal-pathspecs",
					     "--no-optional-locks", "-c",
					     "core.fsync=objects,reference,index"};
	size_t count = 0;

	argv[count++] = "git";
	argv[count++] = "-C";
	argv[count++] = root;
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		argv[count++] = common[i];
	for (const char *const *arg = run->args; *arg; arg++) {
		if (count + 1 >= ARGS_MAX)
			return err_set(err, ERR_FAIL, "git %s: too many arguments", run->args[0]);
		argv[count++] = *arg;
	}
	argv[count] = NULL;
	return 0;
}

static int taken_away(struct strs *out, const struct repo *repo, struct err *err)
{
	int rc = repo->hidden ? strs_copy(out, repo->hidden, err) : 0;

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]) && !rc; i++)
		rc = strs_add(out, foreign[i], err);
	return rc;
}

/* Ours is for secrets. What git makes may be read by those who may read the work tree. */
static mode_t umask_of(const struct repo *repo)
{
	struct stat st;

	return stat(repo->root, &st) == 0 ? ~st.st_mode & 077 : 077;
}

int run_git(struct child_result *result, struct repo *repo, const struct run *run, struct err *err)
{
	bool terminal = run->network && !repo->never_ask && isatty(STDIN_FILENO) &&
			isatty(STDERR_FILENO);
	const char *argv[ARGS_MAX], *env[12];
	struct strs unset = STRS_INIT;
	char *index = run->index ? str_fmt("GIT_INDEX_FILE=%s", run->index) : NULL;
	size_t count = 0;
	int rc = add_args(argv, repo->root, run, err);

	memset(result, 0, sizeof(*result));
	if (!rc && run->index && !index)
		rc = err_nomem(err);
	rc = rc ? rc : taken_away(&unset, repo, err);
	env[count++] = "LC_ALL=C";
	if (!terminal)
		env[count++] = "GIT_TERMINAL_PROMPT=0";
	if (index)
		env[count++] = index;
	for (const char *const *more = run->env; more && *more && count < 11; more++)
		env[count++] = *more;
	env[count] = NULL;
	if (!rc)
		rc = child_run(result,
			       &(struct child_spec){
				       .argv = argv,
				       .env_set = env,
				       .env_unset = (const char *const *)unset.items,
				       .input = run->input,
				       .input_len = run->input_len,
				       .out = {.buf = run->out},
				       .err = {.buf = run->errors},
				       .umask = umask_of(repo),
				       .terminal = terminal,
				       .finishes = !run->network || repo->finishes,
				       .deadline_ms = run->network
							      ? REMOTE_DEADLINE_S * INT64_C(1000)
							      : GIT_LOCAL_MS,
				       .hint = "install git",
				       .stop = repo->stop,
			       },
			       err);
	strs_release(&unset);
	free(index);
	/* a program that is missing is not the thing that a caller asked for */
	if (rc == ERR_NOENT && err)
		err->code = ERR_FAIL;
	return rc == ERR_NOENT ? ERR_FAIL : rc;
}

/* The last lines that say something; git's own advice is for those who typed the command. */
static void add_last_lines(struct buf *out, const char *text, size_t len)
{
	const char *lines[LINES_MAX];
	size_t lens[LINES_MAX], count = 0;
	const char *advice = len ? memmem(text, len, LOCK_ADVICE, strlen(LOCK_ADVICE)) : NULL;
	const char *end = advice ? advice : text + len;

	for (const char *at = text; at < end;) {
		size_t line = strcspn(at, "\r\n");

		if (line && !str_starts(at, "hint:") && !str_starts(at, "remote: \n") &&
		    !str_starts(at, "To ")) {
			if (count == LINES_MAX) {
				memmove(lines, lines + 1, sizeof(lines) - sizeof(lines[0]));
				memmove(lens, lens + 1, sizeof(lens) - sizeof(lens[0]));
				count--;
			}
			lines[count] = at;
			lens[count++] = line;
		}
		at += line + 1;
	}
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_adds(out, "; ");
		while (lens[i] && lines[i][lens[i] - 1] == ' ')
			lens[i]--;
		remote_add_clean(out, lines[i], lens[i]);
	}
}

int run_fail(struct err *err, const char *what, const struct child_result *result)
{
	struct buf text;
	int rc;

	buf_init(&text, 65536);
	add_last_lines(&text, result->tail, result->tail_len);
	if (!text.len)
		buf_addf(&text, "ended with exit code %d", result->code);
	rc = err_reason(err, ERR_FAIL, text.data, "git %s", what);
	buf_release(&text);
	return rc;
}

int run_git_ok(struct repo *repo, const struct run *run, const char *what, struct err *err)
{
	struct child_result result;
	int rc = run_git(&result, repo, run, err);

	if (rc)
		return (void)err_prefix(err, "git %s", what), rc;
	return result.code ? run_fail(err, what, &result) : 0;
}
