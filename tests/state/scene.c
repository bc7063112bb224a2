/* SPDX-License-Identifier: PostgreSQL */
#include "tests/state/scene.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct session_options scene_options;
struct loop_stop scene_stop;
void (*scene_progress)(const char *text);

static const char *directory;
static char template_dir[128], work[128], logged[16384];
static struct sys clocks;
static struct log scene_log_to;

static const char colleague[] = "#!/bin/sh\n"
				"unset GIT_DIR GIT_QUARANTINE_PATH\n"
				"cd \"$HOME/origin.git\" && git update-ref refs/heads/dev "
				"\"$(git commit-tree -p dev -m else 'dev^{tree}')\"\n";

static const char stand_in[] =
	"#!/bin/sh\n"
	"phase= report=\n"
	"for arg; do\n"
	"	case $arg in\n"
	"	--list-hosts) echo '    hosts (2):'; exit 0 ;;\n"
	"	*certrotate_phase*)\n"
	"		phase=${arg##*'\"certrotate_phase\":\"'} phase=${phase%%'\"'*} ;;\n"
	"	esac\n"
	"	case $arg in *certrotate_report_dir*)\n"
	"		report=${arg##*'\"certrotate_report_dir\":\"'} report=${report%%'\"'*} ;;\n"
	"	esac\n"
	"done\n"
	"echo \"$phase\" >>../plays\n"
	"echo \"$*\" >>../calls\n"
	"printf 'PLAY [all] ****\\n\\nTASK [Certificates] ****\\n'\n"
	". ../during\n"
	"printf '\\nPLAY RECAP ****\\n'\n"
	"for host in db1.example.com db2.example.com; do\n"
	"	echo \"$host : ok=1 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 \"\\\n"
	"		\"ignored=0\"\n"
	"done\n";

static void keep_line(void *ctx, enum log_level level, const char *text)
{
	size_t len = strlen(logged);

	(void)ctx;
	(void)level;
	(void)snprintf(logged + len, sizeof(logged) - len, "%s\n", text);
}

static void show_progress(void *ctx, const char *text)
{
	(void)ctx;
	if (scene_progress)
		scene_progress(text);
}

static const char *run(const char *command)
{
	static char output[8192];
	char text[8192];
	FILE *pipe;
	size_t len;
	int status;

	(void)snprintf(text, sizeof(text), "cd '%s' && { %s\n} 2>&1", directory, command);
	pipe = popen(text, "r");
	ck_assert_ptr_nonnull(pipe);
	len = fread(output, 1, sizeof(output) - 1, pipe);
	while (len && output[len - 1] == '\n')
		len--;
	output[len] = '\0';
	status = pclose(pipe);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "%s: %s", command, output);
	return output;
}

void scene_sh(const char *fmt, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	(void)run(command);
}

const char *scene_says(const char *fmt, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return run(command);
}

static void write_file(const char *name, const char *text)
{
	char *path = test_path(name);

	test_write(path, text);
	free(path);
}

void scene_commit(const char *path, const char *text)
{
	char name[256];

	(void)snprintf(name, sizeof(name), "work/%s", path);
	write_file(name, text);
	scene_sh("cd work && git add -A && git commit -q -m '%s' && git push -q origin HEAD:dev",
		 path);
}

void scene_configure(const char *defaults)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "version: 1\ndefaults:\n%s", defaults);
	scene_commit("certrotate.yml", text);
}

static void write_program(const char *name, const char *before, const char *script)
{
	char text[8192];

	(void)snprintf(text, sizeof(text), "#!/bin/sh\n%s%s\n", before, script ? script : "");
	write_file(name, text);
	scene_sh("chmod 755 %s", name);
}

void scene_at_push(const char *script)
{
	write_program("work/.git/hooks/pre-push", "", script);
}

void scene_at_fetch(const char *script)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "{ %s\n} >&2\nexec git-upload-pack \"$@\"",
		       script ? script : ":");
	write_program("bin/fetched", "", text);
	scene_sh("git -C work config remote.origin.uploadpack \"$PWD/bin/fetched\"");
}

void scene_behind_push(const char *script)
{
	write_program("origin.git/hooks/post-receive",
		      "read -r old new ref\nsubject=$(git log -1 --format=%s $new)\n", script);
}

void scene_ansible(const char *script)
{
	write_file("during", script);
}

int scene_plays(void)
{
	return atoi(scene_says("touch plays; wc -l <plays"));
}

static void clean_environment(void)
{
	static const char *const names[] = {"GIT_DIR",
					    "GIT_WORK_TREE",
					    "GIT_INDEX_FILE",
					    "GIT_CONFIG_GLOBAL",
					    "GIT_CONFIG_SYSTEM",
					    "GIT_CONFIG_COUNT",
					    "GIT_AUTHOR_NAME",
					    "GIT_AUTHOR_EMAIL",
					    "GIT_COMMITTER_NAME",
					    "GIT_COMMITTER_EMAIL",
					    "XDG_CONFIG_HOME",
					    "ANSIBLE_VAULT_PASSWORD_FILE",
					    "ANSIBLE_CONFIG",
					    "SSH_AUTH_SOCK"};
	const char *programs = getenv("PATH");
	char path[4096];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unsetenv(names[i]);
	(void)snprintf(path, sizeof(path), "%s/bin:%s", directory,
		       programs ? programs : "/usr/bin:/bin");
	ck_assert_int_eq(setenv("PATH", path, 1), 0);
	ck_assert_int_eq(setenv("HOME", directory, 1), 0);
	ck_assert_int_eq(setenv("GIT_CONFIG_NOSYSTEM", "1", 1), 0);
}

static void make_repository(void)
{
	char data[1024];

	ck_assert_ptr_nonnull(getcwd(data, sizeof(data)));
	scene_sh("mkdir bin && git init -q --bare --template= -b dev origin.git &&"
		 " git init -q --template= -b dev work && mkdir origin.git/hooks work/.git/hooks &&"
		 " printf '[user]\\n\\tname = Ada\\n\\temail = ada@example.com\\n"
		 "[core]\\n\\tfsync = none\\n' >.gitconfig &&"
		 " for name in bin config environments; do"
		 " cp -r '%s'/tests/data/chainsmith-python/$name work || exit; done &&"
		 " chmod -R u+w work && sed -i '1i key: ecdsa-p256' work/config/chainsmith_poc.yml "
		 "&&"
		 " printf '[defaults]\\nvault_password_file = bin/vault-password\\n'"
		 " >work/ansible.cfg &&"
		 " printf -- '- hosts: all\\n  tasks: []\\n' >work/rollout_new_certs.yml &&"
		 " git -C work remote add origin ../origin.git",
		 data);
	write_file("bin/ansible-playbook", stand_in);
	write_file("bin/colleague", colleague);
	scene_sh("chmod 755 bin/*");
	scene_ansible(":\n");
	scene_configure(SCENE_QUIET);
	scene_sh("git -C work tag start");
}

static void use(const char *path)
{
	struct err err = {0};

	directory = path;
	clean_environment();
	logged[0] = '\0';
	(void)snprintf(work, sizeof(work), "%s/work", directory);
	sys_init(&clocks);
	ck_ok(loop_stop_init(&scene_stop, &err), &err);
	scene_log_to = (struct log){.line = keep_line, .progress = show_progress};
	scene_options = (struct session_options){.dir = work,
						 .env = "poc",
						 .sys = &clocks,
						 .log = &scene_log_to,
						 .stop = &scene_stop};
}

void scene_prepare(void)
{
	static const char *const kept[] = {"PATH", "HOME"};
	char *before[2];

	if (template_dir[0])
		return;
	for (size_t i = 0; i < 2; i++)
		before[i] = getenv(kept[i]) ? strdup(getenv(kept[i])) : NULL;
	(void)snprintf(template_dir, sizeof(template_dir), "%s", test_mkdir());
	use(template_dir);
	make_repository();
	scene_to(STATE_GENERATED);
	/* few files: every test copies them */
	scene_sh("git -C work repack -a -d -q && git -C origin.git repack -a -d -q");
	loop_stop_release(&scene_stop);
	for (size_t i = 0; i < 2; i++) {
		if (before[i])
			(void)setenv(kept[i], before[i], 1);
		free(before[i]);
	}
}

void scene_setup(void)
{
	use(test_mkdir());
	scene_sh("cp -a '%s'/. . && git -C work update-index -q --refresh", template_dir);
}

void scene_first(void)
{
	scene_sh("cd work && git reset -q --hard start && git push -q -f origin HEAD:dev && "
		 "rm -rf .git/certrotate");
}

void scene_teardown(void)
{
	loop_stop_release(&scene_stop);
	test_rmdir();
}

int scene_run(enum event event, enum state to, struct err *err)
{
	struct run_options options = {.event = event, .to = to};

	err_clear(err);
	return runner_run(&scene_options, &options, err);
}

void scene_to(enum state to)
{
	struct err err = {0};

	ck_ok(scene_run(EVENT_NEXT, to, &err), &err);
}

const char *scene_log(void)
{
	return logged;
}
