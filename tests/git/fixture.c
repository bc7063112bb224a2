/* SPDX-License-Identifier: PostgreSQL */
#include "tests/git/fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUTS 8

struct repo *repo;
struct sys test_sys;
struct err err;

static char template_dir[] = "/tmp/certrotate-git-XXXXXX";
static const char *directory;
static char *outputs[OUTPUTS];
static size_t next_output;

/* libgit2 1.5 loses a match's data where nothing matches (git_regexp_match over PCRE2). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpcre2";
}

static int64_t fixed_now(struct sys *sys)
{
	(void)sys;
	return WHEN;
}

static int run(const char *command, char **out)
{
	char chunk[4096];
	struct buf text, full;
	FILE *pipe;
	size_t got;
	int status;

	buf_init(&full, BUF_TEXT_MAX);
	buf_addf(&full, "cd '%s' && { %s\n} 2>&1", directory, command);
	buf_init(&text, BUF_TEXT_MAX);
	pipe = popen(full.data, "r");
	ck_assert_ptr_nonnull(pipe);
	while ((got = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		buf_add(&text, chunk, got);
	status = pclose(pipe);
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	*out = buf_detach(&text);
	buf_release(&full);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

const char *sh(const char *fmt, ...)
{
	char command[8192], *out;
	va_list ap;
	int code;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	code = run(command, &out);
	ck_assert_msg(code == 0, "%s: exit code %d: %s", command, code, out);
	free(outputs[next_output % OUTPUTS]);
	outputs[next_output % OUTPUTS] = out;
	return outputs[next_output++ % OUTPUTS];
}

int sh_code(const char *fmt, ...)
{
	char command[8192], *out;
	va_list ap;
	int code;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	code = run(command, &out);
	free(out);
	return code;
}

struct oid rev(const char *name)
{
	struct oid oid;

	ck_ok(oid_parse(&oid, sh("git -C work rev-parse --verify '%s^{commit}'", name), &err),
	      &err);
	return oid;
}

struct oid commit_file(const struct oid *parent, const char *path, const char *text)
{
	struct change change = {.path = path, .data = text, .len = text ? strlen(text) : 0};
	struct oid oid;

	ck_ok(commit_build(&oid, repo, parent, &change, 1, "poc: trust\n", &test_sys, &err), &err);
	return oid;
}

const char *everything_else(void)
{
	return sh("cd work && git status --porcelain=v2 --untracked-files=all --ignored | "
		  "grep -v -e ' certs.yml$' -e ' .certrotate/'; git diff --cached -- . "
		  "':!certs.yml' ':!.certrotate'; "
		  "git diff -- . ':!certs.yml' ':!.certrotate'; git ls-files -s -v -- . "
		  "':!certs.yml' ':!.certrotate'; "
		  "git ls-files --debug -- . ':!certs.yml' ':!.certrotate' | grep -E '^[^ "
		  "]|size|flags'; true");
}

static void clean_environment(void)
{
	static const char *const names[] = {"GIT_DIR",
					    "GIT_WORK_TREE",
					    "GIT_INDEX_FILE",
					    "GIT_CONFIG_GLOBAL",
					    "GIT_CONFIG_SYSTEM",
					    "GIT_CONFIG_COUNT",
					    "GIT_CONFIG_PARAMETERS",
					    "GIT_AUTHOR_NAME",
					    "GIT_AUTHOR_EMAIL",
					    "GIT_AUTHOR_DATE",
					    "GIT_COMMITTER_NAME",
					    "GIT_COMMITTER_EMAIL",
					    "GIT_COMMITTER_DATE",
					    "EMAIL",
					    "XDG_CONFIG_HOME",
					    "GIT_SSH_COMMAND",
					    "SSH_AUTH_SOCK"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unsetenv(names[i]);
	(void)setenv("HOME", directory, 1);
	(void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
}

/* Made once by main(), where check's assertions do not work yet: each test gets a copy. */
static bool make_template(void)
{
	directory = template_dir;
	if (!mkdtemp(template_dir) || chdir(template_dir) < 0)
		return false;
	clean_environment();
	return system("git init -q --bare -b dev origin.git && git init -q -b dev work && "
		      "cd work && git config user.name Ada && "
		      "git config user.email ada@example.com && "
		      "git config core.fsync none && git remote add origin ../origin.git && "
		      "mkdir -p roles/pg environments/poc && echo one >certs.yml && "
		      "echo task >roles/pg/main.yml && echo h >environments/poc/hosts && "
		      "echo '*.log' >.gitignore && git add . && git commit -q -m start && "
		      "git push -q origin dev && git fetch -q") == 0;
}

void fixture_setup(void)
{
	char *path;

	memset(&err, 0, sizeof(err));
	sys_init(&test_sys);
	test_sys.now = fixed_now;
	directory = test_mkdir();
	clean_environment();
	(void)sh("cp -a %s/. . && git -C work update-index -q --refresh", template_dir);
	path = test_path("work");
	ck_ok(repo_open(&repo, path, &err), &err);
	free(path);
}

void reopen(void)
{
	char *path = test_path("work");

	repo_close(repo);
	ck_ok(repo_open(&repo, path, &err), &err);
	free(path);
}

void fixture_teardown(void)
{
	repo_close(repo);
	repo = NULL;
	for (size_t i = 0; i < OUTPUTS; i++) {
		free(outputs[i]);
		outputs[i] = NULL;
	}
	test_rmdir();
}

int main(void)
{
	static Suite *(*const suites[])(void) = {repo_suite,	  commit_suite, worktree_suite,
						 crash_suite,	  remote_suite, text_suite,
						 clear_key_suite, NULL};

	int code = EXIT_FAILURE;

	if (make_template())
		code = test_main(suites);
	if (system("rm -rf \"$PWD\"") != 0)
		code = EXIT_FAILURE;
	return code;
}
